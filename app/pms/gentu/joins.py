"""What an appointment only refers to: types, practitioners, patients. Kept for one run, fetched when first missed.

Safe to share between threads: the lists are fetched by one thread while the others wait; the same patient may be
fetched twice by two, which is cheaper than making all partitions queue for one answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b

from msgspec import Raw

from app.domain.appointment import AppointmentType, Patient, Practitioner
from app.pms.errors import PmsMalformed, PmsNotFound
from app.pms.gentu import mapping, wire
from app.pms.rows import RowFault, read

#: How often the list of types is asked for in a run: once, and once more for an id that is not on it.
_FETCHES = 2


class Types(dict[str, AppointmentType | None]):
    """Types by id. The list is fetched when first needed, and once more for the first id that is not on it."""

    def __init__(self, fetch: Callable[[], list[AppointmentType]]) -> None:
        super().__init__()
        self._fetch = fetch
        self._fetches_left = _FETCHES
        self._digest: bytes | None = None
        self._lock = threading.Lock()

    def learn(self, types: Sequence[AppointmentType]) -> None:
        """The list as it was fetched for another purpose."""
        self._fetches_left = min(self._fetches_left, 1)
        self.update({one.external_id: one for one in types})
        self._digest = None

    def digest(self) -> bytes:
        """Of the whole list, fetched where it was not yet."""
        with self._lock:
            if self._fetches_left == _FETCHES:
                self._fetch_once_more()
            if self._digest is None:
                listed = sorted((one for one in self.values() if one is not None), key=lambda one: one.external_id)
                self._digest = blake2b(repr(listed).encode(), digest_size=16).digest()
            return self._digest

    def _fetch_once_more(self) -> None:
        self.update({one.external_id: one for one in self._fetch()})
        self._fetches_left -= 1  # a list that could not be read is no list without this type
        self._digest = None

    def __missing__(self, type_id: str) -> AppointmentType | None:
        with self._lock:
            while type_id not in self and self._fetches_left:
                self._fetch_once_more()
            return self.setdefault(type_id, None)


class Practitioners(dict[str, str]):
    """Displayed names by id: from pages where they are side-loaded, else from the practice's list, fetched once."""

    def __init__(self, fetch: Callable[[], list[Practitioner]]) -> None:
        super().__init__({"": mapping.UNKNOWN_PRACTITIONER})
        self._fetch = fetch
        self._fetched = False
        self._lock = threading.Lock()

    def learn(self, people: Sequence[Practitioner]) -> None:
        self._fetched = True
        self.update({one.external_id: one.full_name for one in people if one.readable})

    def digest(self) -> bytes:
        """Of everybody's name as it is known, the list fetched where it was not yet."""
        with self._lock:
            if not self._fetched:
                self.learn(self._fetch())
            return blake2b(repr(sorted(self.items())).encode(), digest_size=16).digest()

    def side_loaded(self, records: Sequence[Raw]) -> None:
        """Names that came with a page; one that cannot be read is left to the list."""
        for raw in records:
            try:
                row = read(wire.practitioner, bytes(raw))
            except RowFault:
                continue
            self.setdefault(str(row.id), mapping.practitioner_name(row))

    def __missing__(self, practitioner_id: str) -> str:
        with self._lock:
            if practitioner_id not in self and not self._fetched:
                self.learn(self._fetch())
            return self.setdefault(practitioner_id, mapping.UNKNOWN_PRACTITIONER)


class Patients(dict[str, Patient]):
    """Patients that had to be asked for one by one. Somebody Gentu does not know (any more) keeps the booking."""

    def __init__(self, fetch: Callable[[str], Patient]) -> None:
        super().__init__()
        self._fetch = fetch

    def __missing__(self, patient_id: str) -> Patient:
        try:
            found = self._fetch(patient_id)
        except PmsNotFound:
            found = mapping.unknown_patient(patient_id)
        except PmsMalformed as error:
            if error.path == "$":  # not a bad value in a patient, but no patient at all
                raise
            raise RowFault(f"patient{error.path.removeprefix('$')}", "invalid") from None
        self[patient_id] = found
        return found


class PagePatients(dict[str, Patient]):
    """The patients side-loaded with one page, read; who is not among them is looked up in the run's own."""

    def __init__(self, records: Sequence[Raw], mended: dict[bytes, bytes], others: Patients) -> None:
        super().__init__()
        self._others = others
        self._bad: dict[str, RowFault] = {}
        for raw in records:
            record = bytes(raw)
            if mended:
                record = mended.get(record, record)
            try:
                found = mapping.patient(wire.patient(record))
            except RowFault as fault:
                self._blame(record, fault)
            else:
                self[found.external_id] = found

    def _blame(self, record: bytes, fault: RowFault) -> None:
        """Remember whose record it was, so that the bookings of that patient are set aside with the reason."""
        try:
            patient_id = str(read(wire.only_id, record).id)
        except RowFault:
            return  # nobody's: whoever refers to it is asked for by id
        self._bad[patient_id] = RowFault(f"patients[]{fault.path.removeprefix('$')}", fault.reason, record)

    def __missing__(self, patient_id: str) -> Patient:
        if patient_id in self._bad:
            raise self._bad[patient_id]
        return self._others[patient_id]
