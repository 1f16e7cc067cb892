"""The shapes of the invented clinic. Frozen, and readable from JSON as they are, because the journal holds them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

#: How a visit's record is odd on the wire, as the vendor's own records are.
Oddity = Literal[
    "no_end", "no_minutes", "no_status", "no_type", "not_side_loaded", "cancelled_kept", "arrival_unmarked"
]

#: Beside the vendor's status words a milestone may say one of these: a stamp appears, the status word stays.
ARRIVED = "arrived"
CANCELLED_AT = "cancelled-at"


class Contact(Struct, frozen=True):
    """A telephone number or an address; `rank` 1 is the first choice. Vendors leave either out."""

    system: Literal["phone", "email", "fax"]
    use: str
    rank: int | None
    value: str | None


class Practitioner(Struct, frozen=True, kw_only=True):
    id: str
    family: str | None
    given: str | None = None
    prefix: str | None = "Dr"
    contacts: tuple[Contact, ...] = ()
    active: bool = True
    shown: bool = True

    @property
    def name(self) -> str:
        return " ".join(word for word in (self.prefix, self.given, self.family) if word)


class VisitType(Struct, frozen=True, kw_only=True):
    """A practice-defined kind of visit; `minutes` is what the practice plans for it."""

    id: str
    text: str
    minutes: int | None = 30
    colour: str | None = None
    online: bool = False


class Patient(Struct, frozen=True, kw_only=True):
    """`first_name`, `middle_name` and `pronouns` are what some records carry beside `given`.

    `deceased` is kept in the vendor's words, because the vendor has two of them.
    """

    id: str
    family: str
    given: str | None = None
    prefix: str | None = None
    born: date | None = None
    gender: str | None = None
    contacts: tuple[Contact, ...] = ()
    address: tuple[dict[str, object], ...] | None = None
    first_name: str | None = None
    middle_name: str | None = None
    pronouns: str | None = None
    deceased: dict[str, object] | None = None
    sms_enabled: bool | None = None

    @property
    def name(self) -> str:
        return " ".join(word for word in (self.prefix, self.given, self.family) if word)


class Site(Struct, frozen=True):
    id: str
    name: str


class Milestone(Struct, frozen=True):
    """From `at` on the visit says `word`. A person's word stands whatever the clock says."""

    at: datetime
    word: str | None
    by_hand: bool = False


class Visit(Struct, frozen=True, kw_only=True):
    """One booking and how its day will go. Instants are aware, UTC; no patients means a block of time.

    `booked_at` None: it has always been there. `milestones` are in the order in which they take effect.
    """

    id: str
    starts_at: datetime
    minutes: int
    practitioner_ids: tuple[str, ...]
    patient_ids: tuple[str, ...] = ()
    type_id: str | None = None
    status: str | None = "none"
    comment: str | None = None
    description: str | None = None
    location_id: str | None = None
    booked_at: datetime | None = None
    milestones: tuple[Milestone, ...] = ()
    odd: tuple[Oddity, ...] = ()


class Tenant(Struct, frozen=True, kw_only=True):
    """A practice as the vendor knows it. `zone` is the IANA name it tells; None is possible and happens."""

    id: str
    number: str | None
    name: str | None
    zone: str | None
