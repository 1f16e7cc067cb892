"""Patients and clients that the bridge's appointments name by id: asked for in groups, each once a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from app.domain.appointment import Client, Patient
from app.domain.names import first_of, full_name
from app.pms import rows
from app.pms.onpremise import odata
from app.pms.onpremise.feed import UNKNOWN_PATIENT
from app.pms.rows import RowFault

#: Ids in one question; more would make an address longer than servers take.
_AT_ONCE = 40
#: By the kind of a telephone, where none is called primary (pms/cornerstone-avimark.md §5).
_KINDS = (("mobile", "cell"), ("home",), ("work", "business"))

Found = TypeVar("Found", Patient, Client)
#: (entity, filter, what to expand) -> records of one answer.
Ask = Callable[[str, str, str | None], list[bytes]]


class People:
    """Safe to share between threads."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._patients: dict[str, Patient | RowFault | None] = {}
        self._clients: dict[str, Client | RowFault | None] = {}

    def fetch(self, appointments: Iterable[odata.Appointment]) -> None:
        """Ask for everybody these name who is not known yet. Raises PmsError."""
        listed = list(appointments)
        with self._lock:
            patients = (odata.known(one.patient_id) for one in listed)
            self._fill(self._patients, patients, "Patients", None, _patient)
            clients = (odata.known(one.client_id) for one in listed)
            self._fill(self._clients, clients, "Clients", "Phones,Emails", _client)

    def patient(self, row: odata.Appointment) -> Patient | None:
        """Raises RowFault where the record cannot be read."""
        bridge_id, own = odata.known(row.patient_id), odata.known(row.patient_pms_id)
        found = self._patients.get(bridge_id) if bridge_id else None
        if isinstance(found, RowFault):
            raise found
        if found is not None or not (own or bridge_id):
            return found
        return Patient(own or bridge_id or "", UNKNOWN_PATIENT)

    def client(self, row: odata.Appointment) -> Client | None:
        """Raises RowFault where the record cannot be read."""
        bridge_id, own = odata.known(row.client_id), odata.known(row.client_pms_id)
        found = self._clients.get(bridge_id) if bridge_id else None
        if isinstance(found, RowFault):
            raise found
        if found is not None or not (own or bridge_id):
            return found
        return Client(own or bridge_id or "", "")

    def _fill(
        self,
        kept: dict[str, Found | RowFault | None],
        ids: Iterable[str | None],
        entity: str,
        expand: str | None,
        shaped: Callable[[bytes], tuple[str, Found]],
    ) -> None:
        wanted = sorted({one for one in ids if one and one not in kept})
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            answers: dict[str, Found | RowFault | None] = dict.fromkeys(some)
            for raw in self._ask(entity, odata.any_of("Id", some), expand):
                try:
                    bridge_id, one = shaped(raw)
                except RowFault as fault:
                    bridge_id = odata.bridge_id_of(raw) or ""
                    answers[bridge_id] = RowFault(f"$.{entity}{fault.path.removeprefix('$')}", fault.reason, raw)
                else:
                    answers[bridge_id] = one
            kept.update(answers)


def patient_of(raw: bytes) -> Patient:
    """Raises RowFault."""
    return _patient(raw)[1]


def _patient(raw: bytes) -> tuple[str, Patient]:
    row = rows.read(odata.patient, raw)
    name = first_of((row.name,))
    found = Patient(
        odata.known(row.pms_id) or str(row.id),
        name or UNKNOWN_PATIENT,
        first_name=name,
        species=first_of((row.species_description, row.species)),
        breed=first_of((row.breed_description, row.breed)),
    )
    return str(row.id), found


def _client(raw: bytes) -> tuple[str, Client]:
    row = rows.read(odata.client, raw)
    first, last = first_of((row.first_name,)), first_of((row.last_name,))
    found = Client(
        odata.known(row.pms_id) or str(row.id),
        full_name(first, last),
        first,
        last,
        _phone(row.phones or ()),
        first_of(one.address for one in row.emails or ()),
    )
    return str(row.id), found


def _phone(phones: Iterable[odata.Phone]) -> str | None:
    """The primary one, else a mobile, home or work number, else whichever there is."""
    listed = [(one, number) for one in phones if (number := first_of((one.number, one.phone_number)))]
    for one, number in listed:
        if one.is_primary:
            return number
    for words in _KINDS:
        for one, number in listed:
            kind = (one.type or one.phone_type or "").lower()
            if any(word in kind for word in words):
                return number
    return listed[0][1] if listed else None
