"""What an appointment only refers to: types, providers, lengths, patients. Kept for one run, shared between threads.

An appointment holds ids alone. The small lists are read whole when first needed; patients are searched for many at a
time, and one by one where that does not bring them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from app.domain.appointment import AppointmentType, Patient, Practitioner
from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.http import segment
from app.pms.medirecords import mapping, wire
from app.pms.medirecords.asking import Asking
from app.pms.rows import RowFault

log = logging.getLogger(__name__)

#: Ids in one search: an address of some two thousand characters. [assumed]
BATCH = 40
SEARCH, INTERVALS = "/v1/patients/search", "appointment-Interval-Code"


class Joins:
    """`complete` what a page's appointments refer to; then everything is at hand by id."""

    def __init__(self, asking: Asking, practice: str) -> None:
        """practice: the path of the practice."""
        self._asking = asking
        self._practice = practice
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._may_search = True
        self.types: dict[str, mapping.Kind] = {}
        self.providers: dict[str, Practitioner] = {}
        self.intervals: dict[str, int] = {}
        self.patients: dict[str, Patient | RowFault | None] = {}
        self._lists: dict[str, Callable[[], object]] = {
            "types": self.read_types,
            "providers": self.read_providers,
            "intervals": self._read_intervals,
        }

    def complete(self, appointments: Iterable[wire.Appointment]) -> None:
        """Ask for what these refer to and nobody has told of yet. Raises PmsError; then nothing is half known."""
        wanted = list(appointments)
        if not wanted:
            return
        with self._lock:
            for name, read in self._lists.items():
                if name not in self._known:
                    read()
        ids = dict.fromkeys(row.patient_id for row in wanted if row.patient_id)
        missing = [id_ for id_ in ids if id_ not in self.patients]
        for start in range(0, len(missing), BATCH):
            self._search(missing[start : start + BATCH])
        for id_ in missing:
            if id_ not in self.patients:
                self._ask(id_)

    # --- small lists ----------------------------------------------------------------------------------------------

    def read_types(self) -> list[AppointmentType]:
        """Every type, inactive ones too. One that cannot be read keeps its id."""
        found = []
        for record in self._asking.all(f"{self._practice}/appointment-types", "/v1/practices/{id}/appointment-types"):
            try:
                one = mapping.kind(rows.read(wire.appointment_type, record))
            except RowFault:
                one = mapping.Kind(AppointmentType(wire.id_at_least(record), mapping.UNKNOWN, readable=False))
            self.types[one.type.external_id] = one
            found.append(one.type)
        self._known.add("types")
        return found

    def read_providers(self) -> list[Practitioner]:
        """Everybody, also those who left. One that cannot be read keeps the id, so that its appointments are read."""
        found = []
        for record in self._asking.all(f"{self._practice}/providers", "/v1/practices/{id}/providers"):
            try:
                one = mapping.provider(rows.read(wire.provider, record))
            except RowFault:
                one = Practitioner(wire.id_at_least(record), mapping.UNKNOWN_PRACTITIONER, readable=False)
            self.providers[one.external_id] = one
            found.append(one)
        self._known.add("providers")
        return found

    def _read_intervals(self) -> None:
        """How long each code lasts. Where the token may not read the list, or there is none of that name, a type's own
        length stands in for it.
        """
        try:
            records = self._asking.codes(INTERVALS)
        except (PmsForbidden, PmsNotFound) as error:
            said = {"route": "/v1/code-system/{name}", "reason": error.reason}
            log.warning("MediRecords does not tell how long its codes last", extra=said)
            records = []
        self._known.add("intervals")
        for record in records:
            try:
                told = mapping.interval(rows.read(wire.code_entry, record))
            except RowFault:
                continue
            if told is not None:
                self.intervals[told[0]] = told[1]

    # --- patients -------------------------------------------------------------------------------------------------

    def _search(self, ids: list[str]) -> None:
        """Many at once: `,` is or (seen in code). That an id can be searched for is [assumed], so whoever is not
        brought is asked for alone, and a search that is refused is not tried again.
        """
        if not self._may_search or len(ids) < 2:
            return
        wanted = {id_ for id_ in ids if id_.replace("-", "").isalnum()}
        try:
            found = self._asking.first_page(SEARCH, SEARCH, {"q": ",".join(f"id=={id_}" for id_ in sorted(wanted))})
        except (PmsBadRequest, PmsForbidden, PmsMalformed):
            self._may_search = False
            return
        brought = [raw for raw in found if wire.id_of(raw) in wanted]
        if not brought:
            self._may_search = False
        for raw in brought:
            self._learn(raw)

    def _ask(self, id_: str) -> None:
        try:
            raw = self._asking.one(f"/v1/patients/{segment(id_)}", "/v1/patients/{id}")
        except PmsNotFound:
            self.patients[id_] = None
            return
        self._learn(raw)
        if id_ not in self.patients:
            raise PmsMalformed("another patient than the one asked for", path="$.id")

    def _learn(self, raw: bytes) -> None:
        """A patient who cannot be read sets their appointments aside, with the record that is to blame."""
        try:
            found = mapping.patient(rows.read(wire.patient, raw))
        except RowFault as fault:
            id_ = wire.id_of(raw)
            if id_ is not None:
                self.patients[id_] = RowFault(f"patient{fault.path.removeprefix('$')}", fault.reason, raw)
        else:
            self.patients[found.external_id] = found
