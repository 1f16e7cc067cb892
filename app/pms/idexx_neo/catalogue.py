"""Who works at a clinic and what can be booked there, and the numbers behind the names that the calendar gives.

A row of the calendar names its provider and its type and numbers neither. A name that stands once on the list is
looked up; of one that stands there twice, or not at all, the appointment itself is asked, once for each name that is on
no list.
Safe to share between threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from app.domain.appointment import AppointmentType, Practitioner
from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.idexx_neo import mapping, wire
from app.pms.idexx_neo.coerce import ident, same_name
from app.pms.rows import RowFault

#: What befalls one list or one appointment and says nothing about the next.
PASSING = (PmsForbidden, PmsNotFound, PmsBadRequest, PmsMalformed)
_VIEW, _STAFF = "/appointments/getAppointmentView", "/users/providers"

Record = TypeVar("Record")
Made = TypeVar("Made", Practitioner, AppointmentType)
#: (path, query) -> JSON.
Ask = Callable[[str, dict[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    people: list[Practitioner]
    types: list[AppointmentType]


class Catalogue:
    def __init__(self, ask: Ask, detail: Callable[[str], wire.Detail]) -> None:
        self._ask = ask
        self._lock = threading.RLock()
        self._listed: Listed | None = None
        self.providers = Names(lambda: self.listed().people, lambda row: _of(detail, row, "provider"))
        self.types = Names(lambda: self.listed().types, lambda row: _of(detail, row, "appointment_type"))

    def listed(self) -> Listed:
        """Asked once a run."""
        with self._lock:
            if self._listed is None:
                self._listed = self.fetch()
            return self._listed

    def fetch(self) -> Listed:
        """The book's own lists, and beside them everybody who ever worked there, where Neo tells.

        The second list is in an older write-up only (seen in code: odis/old-doc), so its absence is no fault.
        Raises PmsError; a missing list is never an empty one.
        """
        view = self.view()
        people = {one.external_id: one for one in _each(wire.provider, mapping.practitioner, view.providers, _somebody)}
        try:
            body = self._ask(_STAFF, {"includeInactive": "true"})
            staff, _ = rows.envelope(wire.providers, body)
            known = {one.external_id: one for one in _each(wire.provider, mapping.practitioner, staff, _somebody)}
        except PASSING:
            known = {}
        types = _each(
            wire.appointment_type,
            lambda told: mapping.appointment_type(told, view.slot_interval),
            view.appointment_types,
            _some_type,
        )
        return Listed(list((people | known).values()), types)

    def view(self) -> wire.View:
        """The book's own settings, asked anew."""
        found, _ = rows.envelope(wire.view, self._ask(_VIEW, {}))
        return found


class Names:
    """Ids by name. `__call__` is what mapping looks them up with."""

    def __init__(
        self, listed: Callable[[], Iterable[Practitioner | AppointmentType]], ask: Callable[[wire.Row], str | None]
    ) -> None:
        self._fetch = listed
        self._ask = ask
        self._ids: dict[str, set[str]] | None = None
        self._unlisted: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str, row: wire.Row) -> str | None:
        key = same_name(name)
        with self._lock:
            found = self._of(key)
            if len(found) == 1:
                return next(iter(found))
            if found:
                return self._ask(row)
            if key not in self._unlisted:
                self._unlisted[key] = self._ask(row)
            return self._unlisted[key]

    def _of(self, key: str) -> set[str]:
        if self._ids is None:
            ids: dict[str, set[str]] = {}
            for one in (one for one in self._fetch() if one.readable):
                name = one.full_name if isinstance(one, Practitioner) else one.name
                ids.setdefault(same_name(name), set()).add(one.external_id)
            self._ids = ids
        return self._ids.get(key, set())


def _of(detail: Callable[[str], wire.Detail], row: wire.Row, what: str) -> str | None:
    """The id the appointment itself tells; None where it cannot be read or says nothing."""
    try:
        told: wire.Named | None = getattr(detail(mapping.needed_id(row)), what)
        return ident(told.id, "$.id") if told else None
    except (*PASSING, RowFault):
        return None


def _each(
    decoder: msgspec.json.Decoder[Record],
    make: Callable[[Record], Made],
    records: Iterable[msgspec.Raw],
    at_least: Callable[[str], Made],
) -> list[Made]:
    """Each record; of one that cannot be read at least its id, so that whatever is known of it stands."""
    found = []
    for record in records:
        try:
            found.append(make(rows.read(decoder, bytes(record))))
        except RowFault as fault:
            id_ = wire.id_of(bytes(record))
            if id_ is None:
                raise PmsMalformed("a record without an id", path=fault.path) from None
            found.append(at_least(id_))
    return found


def _somebody(id_: str) -> Practitioner:
    return Practitioner(id_, mapping.UNKNOWN_PRACTITIONER, readable=False)


def _some_type(id_: str) -> AppointmentType:
    return AppointmentType(id_, mapping.UNKNOWN, readable=False)
