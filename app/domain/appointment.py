"""The vendor-free shapes every adapter fills: the unified types of the original document, in the house's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from app.domain.status import Status


@dataclass(frozen=True, slots=True)
class Patient:
    """A person as the PMS describes them. `external_id` is the vendor's, exactly as sent."""

    external_id: str
    full_name: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None  # as the vendor wrote it; the data mapper makes it E.164
    email: str | None = None
    birth_date: date | None = None
    species: str | None = None  # an animal's, in the PMS's words
    breed: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Who books and pays. For people that is the patient; for an animal, its owner."""

    external_id: str
    full_name: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None  # as the vendor wrote it
    email: str | None = None
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class Practitioner:
    """The PMS's person. Not the run sheet's clinician: a mapping joins the two.

    readable: False where the record held nothing usable but its id; whatever is known of that person stands.
    """

    external_id: str
    full_name: str
    email: str | None = None
    active: bool = True
    shown_in_book: bool = True
    readable: bool = True

    @property
    def works_here(self) -> bool:
        """In the set a sweep asks for."""
        return self.active and self.shown_in_book


@dataclass(frozen=True, slots=True)
class AppointmentType:
    """A practice-defined kind of visit. readable: as of a Practitioner."""

    external_id: str
    name: str
    minutes: int | None = None
    colour: str | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Appointment:
    """One booking as the PMS holds it now.

    `patients` is empty for a block of time and has several members for a group; the first is the primary one.
    `status` is our word, `raw_status` the vendor's own (None where it sent none). Instants are aware UTC.
    `minutes` and `ends_at` are None where nobody said how long it takes: an open-ended visit is not guessed.
    `time_doubt`: a domain.window.Doubt where the start was told as a wall time that is no one instant.
    """

    external_id: str
    starts_at: datetime
    ends_at: datetime | None
    minutes: int | None
    status: Status
    raw_status: str | None
    practitioner_id: str
    practitioner_name: str
    patients: tuple[Patient, ...] = ()
    other_practitioner_ids: tuple[str, ...] = ()
    type_id: str | None = None
    type_name: str = "Unknown"
    comment: str | None = None
    arrived_at: datetime | None = None
    cancelled_at: datetime | None = None
    location_id: str | None = None
    telehealth_url: str | None = None
    telehealth_hint: bool | None = None
    client: Client | None = None  # only where it is somebody else than the patient
    consultation_id: str | None = None
    room: str | None = None
    time_doubt: str | None = None
    changed_at: datetime | None = None  # when the vendor says that the record last changed; no part of its content

    @property
    def patient(self) -> Patient | None:
        return self.patients[0] if self.patients else None

    @property
    def is_block(self) -> bool:
        return not self.patients


@dataclass(frozen=True, slots=True)
class PracticeIdentity:
    """Who the PMS says it is, asked at pairing so that a person can say "yes, that is us"."""

    external_id: str
    name: str | None
    timezone: str | None
