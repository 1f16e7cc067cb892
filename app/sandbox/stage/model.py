"""The shapes of an invented clinic. Frozen, and readable from JSON as they are, because the journal holds them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

#: How far a visit has come, in nobody's words: each vendor says it in its own.
State = Literal["booked", "confirmed", "arrived", "in_progress", "completed", "cancelled", "no_show"]
STATES: tuple[State, ...] = ("booked", "confirmed", "arrived", "in_progress", "completed", "cancelled", "no_show")


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who works there. Who is not `active` has left."""

    id: str
    given: str
    family: str
    prefix: str | None = "Dr"
    email: str | None = None
    active: bool = True

    @property
    def name(self) -> str:
        return " ".join(word for word in (self.prefix, self.given, self.family) if word)


class Kind(Struct, frozen=True, kw_only=True):
    """What can be booked."""

    id: str
    name: str
    minutes: int = 30
    online: bool = False
    colour: str | None = None


class Place(Struct, frozen=True, kw_only=True):
    id: str
    name: str


class Owner(Struct, frozen=True, kw_only=True):
    """Whose animal a patient is; telephone and address are this person's."""

    id: str
    given: str
    family: str


class Patient(Struct, frozen=True, kw_only=True):
    """A person, or at a vet's an animal: then there is an owner, whose family name it bears."""

    id: str
    given: str
    family: str
    born: date | None = None
    sex: Literal["female", "male", "other", "unknown"] = "unknown"
    phone: str | None = None
    email: str | None = None
    owner: Owner | None = None
    species: str | None = None
    breed: str | None = None

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"


class Visit(Struct, frozen=True, kw_only=True):
    """One booking as it stands. Instants are aware, UTC. Nobody in `patient_ids`: a block of time.

    `word` stands on the wire in place of the vendor's word for `state`. Who has `deleted_at` is gone.
    """

    id: str
    starts_at: datetime
    minutes: int
    practitioner_ids: tuple[str, ...]
    created_at: datetime
    modified_at: datetime
    patient_ids: tuple[str, ...] = ()
    type_id: str | None = None
    place_id: str | None = None
    state: State = "booked"
    word: str | None = None
    link: str | None = None  # where the guest joins
    host_link: str | None = None  # where only the clinician joins
    note: str | None = None
    reason: str | None = None
    arrived_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    deleted_at: datetime | None = None


class Step(Struct, frozen=True):
    """From `at` on the visit has these values as well."""

    at: datetime
    values: dict[str, object]


class Planned(Struct, frozen=True):
    """A visit as it was booked, and how its day will go."""

    visit: Visit
    steps: tuple[Step, ...] = ()


# --- what people change ----------------------------------------------------------------------------------------------


class PutVisit(Struct, frozen=True, tag="put_visit"):
    visit: Visit


class PutPatient(Struct, frozen=True, tag="put_patient"):
    patient: Patient


class PutPerson(Struct, frozen=True, tag="put_person"):
    person: Person


class PutKind(Struct, frozen=True, tag="put_kind"):
    kind: Kind


class PutRaw(Struct, frozen=True, tag="put_raw"):
    """Members of a record (by the clinic's id), whatever the clinic holds; names in `drop` are left out of it."""

    id: str
    fields: dict[str, object] = {}
    drop: tuple[str, ...] = ()


Edit = PutVisit | PutPatient | PutPerson | PutKind | PutRaw
