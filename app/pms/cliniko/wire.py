"""Cliniko's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/cliniko.md §2 (the vendor's own reference, generated from its OpenAPI). Ids are texts of about 19 digits;
what belongs to a record is named by an address, whose last part is the id. "", {} and false stand for null at times.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol, cast

import msgspec
from msgspec import Meta, Raw

from app.pms import rows
from app.pms.rows import RowFault

#: Small numbers in old samples, texts today (documented: OAS, GH).
Id = Annotated[str, Meta(min_length=1, max_length=255)] | Annotated[int, Meta(ge=0)]


class _Wire(msgspec.Struct, gc=False):
    """Members as Cliniko names them."""


class _Self(msgspec.Struct, gc=False, rename={"address": "self"}):
    address: Annotated[str, Meta(max_length=2000)]


class Ref(_Wire):
    """A link object: all that is told of what a record belongs to."""

    links: _Self


class Links(_Wire):
    next: str | None = None


class OnlyId(_Wire):
    id: Id


# --- bookings (§2.1, §2.4) and attendees (§2.2) -----------------------------------------------------------------------


class Booking(_Wire):
    """What both kinds share."""

    id: Id
    starts_at: str
    appointment_type: Ref
    practitioner: Ref
    ends_at: str | None = None
    business: Ref | None = None
    notes: str | None = None
    archived_at: str | None = None
    deleted_at: str | None = None
    updated_at: str | None = None
    repeat_rule: dict[str, Any] | None = None
    repeats: Ref | None = None
    conflicts: Ref | None = None

    @property
    def is_gone(self) -> bool:
        return bool(self.archived_at or self.deleted_at)


class Individual(Booking, kw_only=True):
    """`telehealth_url` is left unread: it is the practitioner's own."""

    patient: Ref
    patient_name: str | None = None
    patient_arrived: bool | None = None
    did_not_arrive: bool | None = None
    cancelled_at: str | None = None
    patient_case: Ref | None = None


class Group(Booking):
    """A class: who comes is told by its attendees."""


class Attendee(_Wire):
    """telehealth_url opens the visit for whoever holds it: the patient's."""

    id: Id
    booking: Ref
    patient: Ref
    arrived: bool | None = None
    telehealth_url: str | None = None
    cancelled_at: str | None = None
    archived_at: str | None = None
    deleted_at: str | None = None

    @property
    def comes(self) -> bool:
        return not (self.cancelled_at or self.archived_at or self.deleted_at)


class OnlyBooking(_Wire):
    booking: Ref


# --- what they refer to (§2.5-2.7) ------------------------------------------------------------------------------------


class AppointmentType(_Wire):
    id: Id
    name: str | None = None
    duration_in_minutes: int | None = None
    color: str | None = None
    telehealth_enabled: bool | None = None


class Practitioner(_Wire):
    id: Id
    title: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    label: str | None = None
    display_name: str | None = None
    active: bool | None = None


class Business(_Wire):
    id: Id
    time_zone_identifier: str | None = None


class Phone(_Wire):
    number: str | None = None
    phone_type: str | None = None


class Patient(_Wire):
    id: Id
    first_name: str | None = None
    last_name: str | None = None
    label: str | None = None
    date_of_birth: str | None = None
    email: str | None = None
    patient_phone_numbers: list[Phone] | None = None
    merged_with_patient: Ref | None = None


class Account(_Wire):
    id: Id
    name: str | None = None


class PublicSettings(_Wire):
    account: Account


# --- decoders ---------------------------------------------------------------------------------------------------------


class Page(Protocol):
    """A list's outer shape. Both members have to be there: without links nobody knows whether it is the last page."""

    @property
    def records(self) -> list[Raw]: ...
    @property
    def links(self) -> Links: ...


def page_of(plural: str) -> msgspec.json.Decoder[Page]:
    """The decoder of a list, whose records stand under the resource's own name."""
    fields = [("records", list[Raw]), ("links", Links)]
    made = msgspec.defstruct("Page", fields, rename={"records": plural})
    return cast("msgspec.json.Decoder[Page]", msgspec.json.Decoder(made))


individual = msgspec.json.Decoder(Individual)
group = msgspec.json.Decoder(Group)
_attendee = msgspec.json.Decoder(Attendee)
only_booking = msgspec.json.Decoder(OnlyBooking)
only_id = msgspec.json.Decoder(OnlyId)
appointment_type = msgspec.json.Decoder(AppointmentType)
practitioner = msgspec.json.Decoder(Practitioner)
business = msgspec.json.Decoder(Business)
_patient = msgspec.json.Decoder(Patient)
public_settings = msgspec.json.Decoder(PublicSettings)

_doubled = rows.DoubleKeys()


def booking(raw: bytes, resource: str) -> Individual | Group:
    """One booking of that list. Raises rows.RowFault."""
    found: Individual | Group
    found = rows.read(individual, raw) if resource == "individual_appointments" else rows.read(group, raw)
    case = found.patient_case if isinstance(found, Individual) else None
    links = (one is not None for one in (found.repeats, found.conflicts, found.business, case))
    _doubled.refuse(raw, isinstance(found, Individual), len(found.repeat_rule or ()), *links)
    return found


def attendee(raw: bytes) -> Attendee:
    """Raises rows.RowFault."""
    found = rows.read(_attendee, raw)
    _doubled.refuse(raw, -1)
    return found


def patient(raw: bytes) -> Patient:
    """Raises rows.RowFault."""
    found = rows.read(_patient, raw)
    _doubled.refuse(raw, -2, len(found.patient_phone_numbers or ()), found.merged_with_patient is not None)
    return found


def id_of(record: bytes) -> str | None:
    """A record's id where that much can be read."""
    try:
        return str(rows.read(only_id, record).id)
    except RowFault:
        return None


def named(ref: Ref, path: str) -> str:
    """The id in a link object: the last part of its address (documented: GH). Raises RowFault where there is none."""
    found = ref.links.address.partition("?")[0].rstrip("/").rpartition("/")[2]
    if not found or ":" in found or len(found) > 255:
        raise RowFault(f"{path}.links.self", "invalid")
    return found
