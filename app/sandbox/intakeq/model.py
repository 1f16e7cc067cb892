"""The shapes of the invented account. Frozen, and readable from JSON as they are, because the journal holds them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

Status = Literal["Confirmed", "WaitingConfirmation", "Declined", "Canceled", "Missed"]
STATUSES = ("Confirmed", "WaitingConfirmation", "Declined", "Canceled", "Missed")
Answer = Literal["None", "Confirmed", "Cancelled"]
Provider = Literal["IntakeQ", "Zoom"]


class Practitioner(Struct, frozen=True, kw_only=True):
    id: str
    first: str
    last: str
    email: str
    created_at: datetime
    inactive: bool = False

    @property
    def name(self) -> str:
        return f"Dr {self.first} {self.last}"


class Service(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    minutes: int
    price: float


class Location(Struct, frozen=True, kw_only=True):
    id: int
    name: str
    address: str | None = None


class Client(Struct, frozen=True, kw_only=True):
    id: int
    first: str
    last: str
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    born: date | None = None

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


class Visit(Struct, frozen=True, kw_only=True):
    """One booking as it stands. Instants are aware, UTC. Who has `deleted_at` is in the bin."""

    id: str
    client_id: int
    starts_at: datetime
    minutes: int
    practitioner_id: str
    service_id: str
    location_id: int
    created_at: datetime
    modified_at: datetime
    status: Status = "Confirmed"
    answer: Answer = "None"
    provider: Provider | None = None
    also: tuple[int, ...] = ()
    by_client: bool = False
    client_note: str | None = None
    practitioner_note: str | None = None
    place_of_service: str | None = None
    session_start: datetime | None = None
    session_end: datetime | None = None
    cancelled_at: datetime | None = None
    reason: str | None = None
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


class PutClient(Struct, frozen=True, tag="put_client"):
    client: Client


class PutPractitioner(Struct, frozen=True, tag="put_practitioner"):
    practitioner: Practitioner


class PutRaw(Struct, frozen=True, tag="put_raw"):
    """Members of an appointment's record, whatever the account holds; names in `drop` are left out of it."""

    id: str
    fields: dict[str, object] = {}
    drop: tuple[str, ...] = ()


Edit = PutVisit | PutClient | PutPractitioner | PutRaw
