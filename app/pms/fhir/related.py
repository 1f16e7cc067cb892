"""What the appointments of a page refer to: taken from the page where it came along, else asked for, once a run."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from app import clock
from app.domain.appointment import Patient
from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsForbidden, PmsMalformed
from app.pms.fhir import people, wire
from app.pms.fhir.mapping import Context
from app.pms.fhir.references import Target, target_of
from app.pms.fhir.search import Found, Searches
from app.pms.fhir.server import Server
from app.pms.rows import RowFault


class Patients(dict[str, Patient | None]):
    """By id. Whose record cannot be read raises its RowFault, with the record, when somebody looks them up."""

    def __init__(self, bad: Mapping[str, RowFault]) -> None:
        super().__init__()
        self._bad = bad

    def get(self, key: str, default: Patient | None = None) -> Patient | None:  # type: ignore[override]
        if key in self._bad:
            raise self._bad[key]
        return super().get(key, default)


class Related:
    """One run's. Safe to share between threads: two may ask for the same once more, and learn the same."""

    def __init__(self, searches: Searches, words: Mapping[str, str]) -> None:
        self._searches, self._words = searches, words
        self._patients: dict[str, Patient | None] = {}
        self._names: dict[str, str | None] = {}
        self._roles: dict[str, str | None] = {}
        self._closed: set[str] = set()
        self._lock = threading.Lock()

    def names_are(self, names: Mapping[str, str | None]) -> None:
        """Of practitioners, from the server's own list."""
        with self._lock:
            self._names |= names

    def context(self, server: Server, appointments: Sequence[wire.Appointment], found: Found | None = None) -> Context:
        """Everything these refer to. Raises PmsError. Who is not to be had stays unknown: the booking tells a name."""
        found = found or Found(())
        targets = {
            target
            for row in appointments
            for one in row.participant
            if (target := target_of(one.actor, found.by_url)) is not None and target.id
        }
        bad: dict[str, RowFault] = {}
        patients = Patients(bad)
        wanted = _ids(targets, "Patient")
        self._take_patients(patients, bad, wanted, found.included)
        self._ask_patients(server, patients, bad, wanted)
        self._learn_roles(server, _ids(targets, "PractitionerRole"), found.included)
        led_by = {id_ for role in _ids(targets, "PractitionerRole") if (id_ := self._roles.get(role))}
        self._learn_names(server, _ids(targets, "Practitioner") | led_by, found.included)
        return Context(patients, self._names, self._roles, found.by_url, self._words, clock.now())

    # --- patients -------------------------------------------------------------------------------------------------

    @staticmethod
    def _take_patients(
        patients: Patients, bad: dict[str, RowFault], wanted: set[str], included: Mapping[Target, bytes]
    ) -> None:
        for id_ in wanted:
            if (raw := included.get(Target("Patient", id_))) is not None:
                _read_patient(raw, id_, patients, bad)

    def _ask_patients(self, server: Server, patients: Patients, bad: dict[str, RowFault], wanted: set[str]) -> None:
        """Those that did not come along; a run asks for each once."""
        missing = wanted - patients.keys() - bad.keys()
        patients |= {id_: self._patients[id_] for id_ in missing if id_ in self._patients}
        missing -= patients.keys()
        if not missing:
            return
        fresh = Patients({})
        for raw in self._if_granted(server, "Patient", missing):
            try:
                id_ = rows.read(wire.kind, raw).id or ""
            except RowFault:
                continue
            _read_patient(raw, id_, fresh, bad)
        patients |= fresh
        with self._lock:
            self._patients |= {id_: dict.get(fresh, id_) for id_ in missing - bad.keys()}

    # --- practitioners --------------------------------------------------------------------------------------------

    def _learn_roles(self, server: Server, ids: set[str], included: Mapping[Target, bytes]) -> None:
        unknown = ids - self._roles.keys()
        came = [raw for id_ in unknown if (raw := included.get(Target("PractitionerRole", id_)))]
        told = _practitioners_of(came)
        if unknown - told.keys():
            told |= _practitioners_of(self._if_granted(server, "PractitionerRole", unknown - told.keys()))
        with self._lock:
            self._roles |= {id_: told.get(id_) for id_ in unknown}

    def _learn_names(self, server: Server, ids: set[str], included: Mapping[Target, bytes]) -> None:
        unknown = ids - self._names.keys()
        came = [raw for id_ in unknown if (raw := included.get(Target("Practitioner", id_)))]
        told = _names_of(came)
        if unknown - told.keys():
            told |= _names_of(self._if_granted(server, "Practitioner", unknown - told.keys()))
        with self._lock:
            self._names |= {id_: told.get(id_) for id_ in unknown}

    def _if_granted(self, server: Server, resource: str, ids: Iterable[str]) -> list[bytes]:
        """Those records; none where we may not ask for them, by our scopes or at all, which is found out once a run."""
        if resource in self._closed or not server.has(resource):
            return []
        try:
            return self._searches.by_ids(resource, ids, batched=server.takes(resource, "_id"))
        except (PmsForbidden, PmsBadRequest):
            with self._lock:
                self._closed.add(resource)
            return []


def patient_of(raw: bytes) -> Patient:
    """One patient's own record. Raises PmsMalformed with the path."""
    try:
        row = rows.read(wire.person, raw)
        if row.resource_type != "Patient" or not row.id:
            raise RowFault("$.resourceType" if row.id else "$.id", "invalid")
    except RowFault as fault:
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
    return people.patient(row, clock.now())


def _read_patient(raw: bytes, id_: str, into: Patients, bad: dict[str, RowFault]) -> None:
    try:
        into[id_] = people.patient(rows.read(wire.person, raw), clock.now())
    except RowFault as fault:
        bad[id_] = RowFault(f"patient{fault.path.removeprefix('$')}", fault.reason, beside=raw)


def _ids(targets: Iterable[Target], kind: str) -> set[str]:
    return {one.id for one in targets if one.type == kind}


def _practitioners_of(raw: Iterable[bytes]) -> dict[str, str | None]:
    """A role's id -> its practitioner's. A record that cannot be read is left out."""
    found: dict[str, str | None] = {}
    for one in raw:
        try:
            role = rows.read(wire.role, one)
        except RowFault:
            continue
        target = target_of(role.practitioner, {})
        found[role.id] = target.id if target and target.type == "Practitioner" and target.id else None
    return found


def _names_of(raw: Iterable[bytes]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for one in raw:
        try:
            row = rows.read(wire.person, one)
        except RowFault:
            continue
        if row.id:
            found[row.id] = people.practitioner(row, clock.now()).full_name
    return found
