"""What an appointment only refers to: roles, people, patients, types. Kept for one run.

Most of it comes along with a page (`_include`); what did not is asked for by its id, since a filter or an include that
Halaxy does not know is silently left out. Safe to share between threads; two pages may ask for the same person, which
is cheaper than queueing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from app.domain.appointment import AppointmentType, Patient, Practitioner
from app.pms import rows
from app.pms.errors import PmsForbidden, PmsMalformed
from app.pms.halaxy import mapping, wire
from app.pms.halaxy.asking import Asking
from app.pms.rows import RowFault

PATIENT, ROLE, PERSON, TYPE = "Patient", "PractitionerRole", "Practitioner", "HealthcareService"


class Joins:
    """`learn` what a page brought, then `complete` what its appointments still refer to."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._lock = threading.Lock()
        self._types_read = False
        self.roles: dict[str, mapping.Role | None] = {}
        self.practitioners: dict[str, Practitioner | None] = {}
        self.patients: dict[str, Patient | RowFault | None] = {}
        self.types: dict[str, AppointmentType | None] = {}
        self._readers: dict[str, Callable[[bytes], None]] = {
            PATIENT: self._learn_patient,
            ROLE: self._learn_role,
            PERSON: self._learn_person,
        }

    def learn(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Included resources, by type. One of no use is left alone."""
        for kind, raw in records:
            if kind in self._readers:
                self._readers[kind](raw)

    def complete(self, appointments: Iterable[wire.Appointment]) -> None:
        """Ask for whatever these refer to and nobody has told of yet. Raises PmsError."""
        for row in appointments:
            for role_id in mapping.role_ids(row):
                if self._untold(ROLE, role_id, self.roles):
                    self.roles[role_id] = None
                role = self.roles[role_id]
                if role and role.practitioner_id and self._untold(PERSON, role.practitioner_id, self.practitioners):
                    self.practitioners[role.practitioner_id] = None
            for one in row.participant:
                patient_id = wire.target(one.actor.reference, PATIENT) if one.actor else None
                if patient_id and self._untold(PATIENT, patient_id, self.patients):
                    self.patients[patient_id] = None
            type_id = mapping.type_of(row)
            if type_id:
                self._know_type(type_id)

    def _untold(self, resource: str, id_: str, known: Mapping[str, object]) -> bool:
        """Whether not even Halaxy could tell us of it, asked by its id where need be."""
        if id_ not in known and (raw := self._asking.one_if_there(resource, id_)) is not None:
            self._readers[resource](raw)
        return id_ not in known

    # --- types ----------------------------------------------------------------------------------------------------

    def read_types(self) -> list[AppointmentType]:
        """The list of types, archived ones too. One that cannot be read keeps its id."""
        found = []
        for record in self._asking.all(TYPE):
            try:
                found.append(mapping.service(rows.read(wire.service, record)))
            except RowFault:
                found.append(AppointmentType(id_at_least(record), mapping.UNKNOWN, readable=False))
        with self._lock:
            self.types.update({one.external_id: one for one in found})
            self._types_read = True
        return found

    def _know_type(self, id_: str) -> None:
        """The whole list at the first type that is met: nothing includes types. Where the key may not have it, their
        names stay unknown, and the appointments are told all the same.
        """
        if id_ in self.types:
            return
        if not self._types_read:
            try:
                self.read_types()
            except PmsForbidden:
                self._asking.close_off(TYPE)
                self._types_read = True
        self.types.setdefault(id_, None)

    # --- reading --------------------------------------------------------------------------------------------------

    def _learn_patient(self, raw: bytes) -> None:
        """A patient who cannot be read sets the places booked for them aside, with the record that is to blame."""
        try:
            found = mapping.patient(rows.read(wire.patient, raw))
        except RowFault as fault:
            id_ = wire.id_of(raw)
            if id_ is not None:
                self.patients[id_] = RowFault(f"patient{fault.path.removeprefix('$')}", fault.reason, raw)
        else:
            self.patients[found.external_id] = found

    def _learn_role(self, raw: bytes) -> None:
        try:
            row = rows.read(wire.role, raw)
        except RowFault:
            return
        self.roles[row.id] = mapping.role(row)

    def _learn_person(self, raw: bytes) -> None:
        try:
            row = rows.read(wire.practitioner, raw)
        except RowFault:
            return
        self.practitioners[row.id] = mapping.practitioner(row)


def id_at_least(record: bytes) -> str:
    """The id of a record that is otherwise unreadable. Raises PmsMalformed where not even that can be read."""
    found = wire.id_of(record)
    if found is None:
        raise PmsMalformed("a record without an id", path="$.id")
    return found
