"""What an appointment only refers to: types, statuses, resources, animals and their people. Kept for one run.

Small lists are read whole when first needed. Animals and contacts are asked for a page at a time, by their ids in one
question. Safe to share between threads; two pages may ask for the same animal, which is cheaper than queueing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import msgspec

from app.domain.appointment import AppointmentType, Client
from app.pms.errors import PmsMalformed
from app.pms.ezyvet import lists, mapping, wire
from app.pms.ezyvet.coerce import ident, needed_ident, words
from app.pms.ezyvet.lists import Lists
from app.pms.rows import RowFault, read

log = logging.getLogger(__name__)

Row = TypeVar("Row")
Record = TypeVar("Record")


class Listed(dict[str, Row | None], Generic[Row]):
    """A small list by id. Read when first needed, and once more for the first id that is not on it."""

    def __init__(self, fetch: Callable[[], dict[str, Row]]) -> None:
        super().__init__()
        self._fetch = fetch
        self._fetches_left = 2
        self._lock = threading.Lock()

    def learn(self, found: dict[str, Row]) -> None:
        """The list as it was fetched for another purpose."""
        self._fetches_left = min(self._fetches_left, 1)
        self.update(found)

    def __missing__(self, id_: str) -> Row | None:
        with self._lock:
            while id_ not in self and self._fetches_left:
                self.update(self._fetch())
                self._fetches_left -= 1
            return self.setdefault(id_, None)


class Catalogue:
    """The site's own types, statuses and resources."""

    def __init__(self, asked: Lists, division: str | None) -> None:
        self._asked = asked
        self._division = division
        self.types: Listed[AppointmentType] = Listed(self.fetch_types)
        self.statuses: Listed[str] = Listed(self.fetch_statuses)
        self.resources: Listed[mapping.Resource] = Listed(self.fetch_resources)

    def fetch_types(self) -> dict[str, AppointmentType]:
        return {
            one.external_id: one
            for one in (
                _or_id(wire.appointment_type, mapping.appointment_type, _unreadable_type, record)
                for record in self._asked.all(lists.APPOINTMENT_TYPE)
            )
        }

    def fetch_resources(self) -> dict[str, mapping.Resource]:
        return {
            one.external_id: one
            for one in (
                _or_id(wire.resource, mapping.resource, _unreadable_resource, record)
                for record in self._asked.all(lists.RESOURCE)
            )
        }

    def fetch_statuses(self) -> dict[str, str]:
        return _names(self._asked.all(lists.APPOINTMENT_STATUS))

    def elsewhere(self, row: wire.Appointment) -> bool:
        """Whether the appointment is another division's: that of its people, where they are of none that of its rooms
        and machines, which divisions may lend each other.

        Where nothing says where it is it counts as ours: hiding a patient is worse.
        """
        if self._division is None:
            return False
        seller = ident(row.sales_resource, "$.sales_resource")
        used = [self.resources[id_] for id_ in (*mapping.used_by(row), *([seller] if seller else []))]
        placed = [one for one in used if one is not None and one.division is not None]
        telling = [one for one in placed if one.is_person] or placed
        return bool(telling) and all(self.not_ours(one) for one in telling)

    def not_ours(self, resource: mapping.Resource) -> bool:
        """Whether that is another division's; what says nothing is not."""
        return None not in (self._division, resource.division) and resource.division != self._division


class People:
    """Animals and clients by id; `learn` brings a page's, in as few questions as there can be."""

    def __init__(self, asked: Lists) -> None:
        self._asked = asked
        self._bad: dict[str, RowFault] = {}
        self._lock = threading.Lock()
        self._names: dict[lists.Resource, dict[str, str]] = {}
        self.animals = _Animals(self._bad)
        self.clients: dict[str, Client | None] = {}

    def learn(self, rows: Iterable[wire.Appointment]) -> None:
        """Everybody these appointments refer to who is not known yet. Raises PmsError; nothing is half known then."""
        animals, contacts = set[str](), set[str]()
        for row in rows:
            animals |= _said(row.animal_id)
            contacts |= _said(row.contact_id)
        self._learn_animals(animals - self.animals.keys() - self._bad.keys())
        for id_ in animals & self.animals.keys():
            contacts |= _said(self.animals[id_].contact_id)
        self._learn_clients(contacts - self.clients.keys())

    def _learn_animals(self, ids: set[str]) -> None:
        if not ids:
            return
        found: dict[str, mapping.Animal] = {}
        species, breeds = self._names_of(lists.SPECIES), self._names_of(lists.BREED)
        for record in self._asked.among(lists.ANIMAL, "id", ids):
            try:
                animal = mapping.animal(read(wire.animal, record), species, breeds)
            except RowFault as fault:
                if (id_ := _id_of(record)) is not None:
                    path = f"animal{fault.path.removeprefix('$')}"
                    self._bad[id_] = RowFault(path, fault.reason, record)
            else:
                found[animal.patient.external_id] = animal
        unknown = {id_: mapping.unknown_animal(id_) for id_ in ids - found.keys() - self._bad.keys()}
        self.animals.update(found | unknown)

    def _learn_clients(self, ids: set[str]) -> None:
        """Clients with their telephone numbers. Where the site keeps its contacts to itself, nobody is known."""
        if not ids:
            return
        records = self._asked.if_granted(lists.CONTACT, "id", ids)
        details: dict[str, list[wire.ContactDetail]] = {}
        kinds: dict[str, str] = {}
        if records is None:
            log.warning("ezyVet keeps a list to itself", extra={"route": lists.CONTACT.path, "reason": "forbidden"})
        else:
            kinds = self._names_of(lists.CONTACT_DETAIL_TYPE)
            for detail in self._details_of(ids):
                details.setdefault(ident(detail.contact_id, "$.contact_id") or "", []).append(detail)
        found: dict[str, Client | None] = dict.fromkeys(ids)
        for record in records or ():
            try:
                row = read(wire.contact, record)
                one = mapping.client(row, details.get(needed_ident(row.id, "$.id"), ()), kinds)
            except RowFault:
                continue  # a client who cannot be read is not shown; the animal and its visit are
            found[one.external_id] = one
        self.clients.update(found)

    def _details_of(self, ids: set[str]) -> list[wire.ContactDetail]:
        found = []
        for record in self._asked.if_granted(lists.CONTACT_DETAIL, "contact_id", ids) or ():
            try:
                row = read(wire.contact_detail, record)
                mapping.reach((row,), {})
                ident(row.contact_id, "$.contact_id")
            except RowFault:
                continue
            found.append(row)
        return found

    def _names_of(self, resource: lists.Resource) -> dict[str, str]:
        """Names by id of a list that is nice to have: species, breeds, kinds of contact details."""
        with self._lock:
            if resource not in self._names:
                self._names[resource] = _names(self._asked.if_granted(resource) or ())
            return self._names[resource]


class _Animals(dict[str, mapping.Animal]):
    """Animals that were learned; one whose record could not be read sets its appointments aside with the reason."""

    def __init__(self, bad: dict[str, RowFault]) -> None:
        super().__init__()
        self._bad = bad

    def __missing__(self, id_: str) -> mapping.Animal:
        raise self._bad[id_]


def _said(value: str | int | float | bool | None) -> set[str]:
    """An id as a set of one or none; one that cannot be read is blamed where its appointment is mapped."""
    try:
        found = ident(value, "$")
    except RowFault:
        return set()
    return {found} if found else set()


def _names(records: Iterable[bytes]) -> dict[str, str]:
    """Names by id; a record that cannot be read has none."""
    found: dict[str, str] = {}
    for record in records:
        try:
            row = read(wire.named, record)
            found[needed_ident(row.id, "$.id")] = words(row.name) or ""
        except RowFault:
            continue
    return found


def names_of(asked: Lists, resource: lists.Resource, ids: Sequence[str]) -> dict[str, str]:
    """Names of these ids, as far as the site lets us know them."""
    return _names(asked.if_granted(resource, "id", ids) or ())


def _or_id(
    decoder: msgspec.json.Decoder[Record],
    made_of: Callable[[Record], Row],
    unreadable: Callable[[str], Row],
    record: bytes,
) -> Row:
    """The record; of one that is otherwise unreadable its id. Raises PmsMalformed where not even that can be read."""
    try:
        return made_of(read(decoder, record))
    except RowFault as fault:
        if (id_ := _id_of(record)) is None:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
        return unreadable(id_)


def _unreadable_type(id_: str) -> AppointmentType:
    return AppointmentType(id_, mapping.UNKNOWN, readable=False)


def _unreadable_resource(id_: str) -> mapping.Resource:
    return mapping.Resource(id_, mapping.UNKNOWN_PRACTITIONER, readable=False)


class _OnlyId(msgspec.Struct):
    id: str | int


_only_id = msgspec.json.Decoder(_OnlyId)


def _id_of(record: bytes) -> str | None:
    try:
        return ident(read(_only_id, record).id, "$.id")
    except RowFault:
        return None
