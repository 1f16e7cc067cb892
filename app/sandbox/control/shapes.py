"""The orders that change a practice. A member that is not given leaves things as they are."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import UNSET, Struct, UnsetType

from app.sandbox.clinic.model import Contact, Oddity
from app.sandbox.edits import Access


class TenantOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str | UnsetType | None = UNSET
    number: str | UnsetType | None = UNSET
    zone: str | UnsetType | None = UNSET
    access: Access | None = None


class PractitionerOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str | None = None
    id: str | None = None
    family: str | UnsetType | None = UNSET
    given: str | UnsetType | None = UNSET
    prefix: str | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET
    shown: bool | UnsetType = UNSET
    contacts: tuple[Contact, ...] | UnsetType = UNSET


class TypeOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str | None = None
    id: str | None = None
    text: str | UnsetType = UNSET
    minutes: int | UnsetType | None = UNSET
    colour: str | UnsetType | None = UNSET
    online: bool | UnsetType = UNSET


class PatientOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    """`phone` and `email` are short for a list of contacts; a None among them is sent as a null value."""

    tenant_id: str | None = None
    id: str | None = None
    family: str | UnsetType = UNSET
    given: str | UnsetType | None = UNSET
    prefix: str | UnsetType | None = UNSET
    born: date | UnsetType | None = UNSET
    gender: str | UnsetType | None = UNSET
    first_name: str | UnsetType | None = UNSET
    middle_name: str | UnsetType | None = UNSET
    pronouns: str | UnsetType | None = UNSET
    deceased: dict[str, object] | UnsetType | None = UNSET
    contacts: tuple[Contact, ...] | UnsetType = UNSET
    phone: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET


class BookOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    """An appointment, or `count` of them `every_minutes`.

    When: `starts_at` with its offset, or `day` and `time` (HH:MM) on the practice's own clocks.
    Who: `practitioner_id(s)`, else the first one in the book; `patient_id(s)` or a new `patient`, else patients of
    the practice in turn; `block` means nobody. What: `type_id`, or `type` by its text; neither is a null reference.
    """

    tenant_id: str | None = None
    id: str | None = None
    starts_at: datetime | None = None
    day: date | None = None
    time: str | None = None
    minutes: int | None = None
    practitioner_id: str | None = None
    practitioner_ids: tuple[str, ...] = ()
    patient_id: str | None = None
    patient_ids: tuple[str, ...] = ()
    patient: PatientOrder | None = None
    block: bool = False
    type_id: str | None = None
    type: str | None = None
    status: str | None = "none"
    comment: str | None = None
    description: str | None = None
    location_id: str | None = None
    odd: tuple[Oddity, ...] = ()
    count: int = 1
    every_minutes: int = 5


class CancelOrder(Struct, forbid_unknown_fields=True):
    """`keep_status` leaves the status word and sends only the stamp, as some records do."""

    tenant_id: str | None = None
    keep_status: bool = False


class StatusOrder(Struct, forbid_unknown_fields=True):
    """Any word goes, also ones the vendor has never said; None sends null."""

    status: str | None
    tenant_id: str | None = None


class MoveOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str | None = None
    starts_at: datetime | None = None
    day: date | None = None
    time: str | None = None
    minutes: int | None = None
    practitioner_id: str | None = None
    type_id: str | UnsetType | None = UNSET
    comment: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class DeleteOrder(Struct, forbid_unknown_fields=True):
    tenant_id: str | None = None


class RawOrder(Struct, forbid_unknown_fields=True):
    """Members of the vendor's own record of `id` (an appointment, a person, a type), whatever the clinic holds."""

    id: str
    fields: dict[str, object] = {}
    drop: tuple[str, ...] = ()
    tenant_id: str | None = None
