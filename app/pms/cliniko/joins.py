"""What Cliniko's bookings only point at: types, practitioners, patients, attendees. Asked once a run, in batches."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from app.domain.appointment import AppointmentType, Patient, Practitioner
from app.pms import rows
from app.pms.cliniko import mapping, wire
from app.pms.cliniko.lists import Lists
from app.pms.cliniko.mapping import Kind
from app.pms.errors import PmsMalformed
from app.pms.rows import RowFault

#: How often a patient may have been merged into another before we stop following.
_MOST_MERGES = 3


class Catalogue:
    """Types and practitioners. Safe to share between threads."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._lock = threading.Lock()
        self._kinds: dict[str, Kind] | None = None
        self._people: dict[str, Practitioner] | None = None

    def kinds(self, *, afresh: bool = False) -> dict[str, Kind]:
        """By id, archived ones too: older bookings bear them. There is no filter on telehealth (documented: OAS)."""
        with self._lock:
            if self._kinds is None or afresh:
                records = self._lists.all("appointment_types", ("archived_at:*",))
                found = (_kind(record) for record in records)
                self._kinds = {one.type.external_id: one for one in found}
            return self._kinds

    def people(self, *, afresh: bool = False) -> dict[str, Practitioner]:
        """By id; who left stands on a list of their own (documented: GH)."""
        with self._lock:
            if self._people is None or afresh:
                gone = [_practitioner(one, active=False) for one in self._lists.all("practitioners/inactive")]
                here = [_practitioner(one, active=True) for one in self._lists.all("practitioners")]
                self._people = {one.external_id: one for one in (*gone, *here)}
            return self._people


class People:
    """Patients and attendees of the bookings met so far. Safe to share between threads."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._lock = threading.Lock()
        self._patients: dict[str, Patient | RowFault] = {}

    def attendees(self, bookings: Iterable[str]) -> dict[str, list[wire.Attendee | RowFault]]:
        """By booking. Those who called off are not listed, since nobody asks to see them too.

        Raises PmsMalformed for a record that does not even say whose booking it belongs to.
        """
        found: dict[str, list[wire.Attendee | RowFault]] = {}
        for record in self._lists.among("attendees", "booking_id", bookings):
            try:
                booking = wire.named(rows.read(wire.only_booking, record).booking, "$.attendees[].booking")
            except RowFault as fault:
                raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
            found.setdefault(booking, []).append(_attendee(record))
        return found

    def patients(self, ids: Iterable[str]) -> dict[str, Patient | RowFault]:
        """By the id a booking names, whoever they have been merged into by now. Who is not listed is left out."""
        with self._lock:
            wanted = {one for one in ids if one not in self._patients}
            found, into = self._fetch(wanted)
            for _ in range(_MOST_MERGES):
                if not (beyond := {one for one in into.values() if one not in found}):
                    break
                more, further = self._fetch(beyond)
                found |= more
                into = {old: further.get(new, new) for old, new in into.items()}
            self._patients |= found | {old: found[new] for old, new in into.items() if new in found}
            return self._patients

    def _fetch(self, ids: Iterable[str]) -> tuple[dict[str, Patient | RowFault], dict[str, str]]:
        """Patients by their own ids, and who has been merged into whom (documented: OAS)."""
        found: dict[str, Patient | RowFault] = {}
        into: dict[str, str] = {}
        for record in self._lists.among("patients", "id", ids):
            id_ = id_at_least(record)
            try:
                row = wire.patient(record)
                found[id_] = mapping.patient(row)
                if row.merged_with_patient is not None:
                    into[id_] = wire.named(row.merged_with_patient, "$.merged_with_patient")
            except RowFault as fault:
                found[id_] = RowFault(_below(fault.path, "patient"), fault.reason, beside=record)
        return found, into


def context(catalogue: Catalogue, people: People, bookings: Sequence[wire.Individual | wire.Group]) -> mapping.Context:
    """Everything these bookings refer to: at most three questions for a page of a hundred. Raises PmsError."""
    attendees = people.attendees(str(one.id) for one in bookings)
    ids = {id_ for one in bookings if isinstance(one, wire.Individual) if (id_ := _whose(one.patient))}
    for told in attendees.values():
        ids |= {id_ for one in told if isinstance(one, wire.Attendee) if (id_ := _whose(one.patient))}
    names = {id_: one.full_name for id_, one in catalogue.people().items()}
    return mapping.Context(catalogue.kinds(), names, people.patients(ids), attendees)


def _whose(ref: wire.Ref) -> str | None:
    """The id, where it can be read: the mapping says what is wrong where it cannot."""
    try:
        return wire.named(ref, "$.patient")
    except RowFault:
        return None


def _attendee(record: bytes) -> wire.Attendee | RowFault:
    try:
        return wire.attendee(record)
    except RowFault as fault:
        return RowFault(_below(fault.path, "attendees[]"), fault.reason, beside=record)


def _below(path: str, name: str) -> str:
    return f"$.{name}{path.removeprefix('$')}"


def id_at_least(record: bytes) -> str:
    """The id of a record that is otherwise unreadable. Raises PmsMalformed where not even that can be read."""
    found = wire.id_of(record)
    if found is None:
        raise PmsMalformed("a record without an id", path="$.id")
    return found


def _kind(record: bytes) -> Kind:
    try:
        return mapping.kind(rows.read(wire.appointment_type, record))
    except RowFault:
        return Kind(AppointmentType(id_at_least(record), mapping.UNKNOWN, readable=False))


def _practitioner(record: bytes, *, active: bool) -> Practitioner:
    """One that cannot be read keeps its id, so that its appointments are still read."""
    try:
        return mapping.practitioner(rows.read(wire.practitioner, record), active=active)
    except RowFault:
        return Practitioner(id_at_least(record), mapping.UNKNOWN_PRACTITIONER, readable=False)
