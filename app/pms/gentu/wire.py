"""Gentu's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/gentu.md §2 (a public transcription of the Healthcare API 1.0.0, December 2025; field names from the seed).
Identifiers are UUID texts; a number in their place is read as its digits, so that the same row is met again (F28).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from app.pms import rows

#: As long as our column; exactly as sent otherwise: no trimming, no folding of case (F29).
Id = Annotated[str, Meta(min_length=1, max_length=255)] | Annotated[int, Meta(ge=0)]
Number = float | int


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Members in camelCase, as Gentu writes them."""


# --- tokens, pairing, faults (§1) -------------------------------------------------------------------------------------


class TokenReply(msgspec.Struct):
    """Only these two are read: spelling and presence of the others differ between sources."""

    access_token: Annotated[str, Meta(pattern=r"^[\x21-\x7e]+$")]
    expires_in: Number | Annotated[str, Meta(pattern=r"^\d{1,9}$")]


class PairingReply(_Wire):
    tenant_id: Annotated[str, Meta(min_length=1, max_length=255)]


class FaultDetail(msgspec.Struct):
    errorcode: str | None = None


class Fault(msgspec.Struct):
    """Apigee's fault; one live sample put `errorcode` directly under `fault`, so both places are read."""

    faultstring: str | None = None
    errorcode: str | None = None
    detail: FaultDetail | None = None


class FaultReply(msgspec.Struct):
    fault: Fault


# --- who and what (§2.1-2.3) ------------------------------------------------------------------------------------------


class Tenant(_Wire):
    tenant_id: Id
    tenant_number: str | None = None
    tenant_name: str | None = None
    timezone: str | None = None


class Name(msgspec.Struct, gc=False):
    family: str | None = None
    given: str | None = None
    prefix: str | None = None


class Contact(msgspec.Struct, gc=False):
    system: str | None = None
    use: str | None = None
    rank: Number | None = None
    value: str | None = None


class Practitioner(_Wire):
    id: Id
    name: Name | None = None
    contact: list[Contact] | None = None
    active: bool | None = None
    shown_in_appointment_book: bool | None = None


class AppointmentType(_Wire):
    id: Id
    text: str | None = None
    duration: Number | None = None
    colour: str | None = None


class PractitionerList(msgspec.Struct):
    """The envelope a second public document guesses; SPEC shows a bare array. Both are read [assumed]."""

    practitioners: list[Raw]


class TypeList(_Wire):
    appointment_types: list[Raw]


class OnlyId(msgspec.Struct):
    id: Id


# --- appointments and patients (§2.4-2.5) -----------------------------------------------------------------------------


class PatientExtension(_Wire):
    system: str | None = None
    value_string: str | None = None


class Patient(_Wire):
    id: Id
    name: Name
    birth_date: date | None = None
    contact: list[Contact] | None = None
    extension: list[PatientExtension] | None = None


class Participant(_Wire):
    reference_type: str
    reference_id: Id | None = None
    arrived_at: datetime | None = None


class Reference(msgspec.Struct, gc=False):
    reference: Id | None = None


class AppointmentExtension(_Wire):
    system: str | None = None
    value_date_time: datetime | None = None


class Appointment(_Wire):
    id: Id
    start_at: datetime
    participant: list[Participant]
    end_at: datetime | None = None
    status: str | None = None
    minutes_duration: Number | None = None
    comment: str | None = None
    description: str | None = None
    appointment_type: Reference | None = None
    extension: list[AppointmentExtension] | None = None


class Pagination(msgspec.Struct):
    next: str | None


class AppointmentPage(msgspec.Struct):
    """One page. Side-loaded records are there when `include` asked for them, and for this page only [assumed]."""

    appointments: list[Raw]
    pagination: Pagination
    patients: list[Raw] | None = None
    practitioners: list[Raw] | None = None


token_reply = msgspec.json.Decoder(TokenReply)
pairing_reply = msgspec.json.Decoder(PairingReply)
fault_reply = msgspec.json.Decoder(FaultReply)
tenant = msgspec.json.Decoder(Tenant)
practitioner = msgspec.json.Decoder(Practitioner)
appointment_type = msgspec.json.Decoder(AppointmentType)
_patient = msgspec.json.Decoder(Patient)
only_id = msgspec.json.Decoder(OnlyId)
_appointment = msgspec.json.Decoder(Appointment)
_page = msgspec.json.Decoder(AppointmentPage)
_bare = msgspec.json.Decoder(list[Raw])
_practitioners = msgspec.json.Decoder(PractitionerList)
_types = msgspec.json.Decoder(TypeList)

_appointments_doubled = rows.DoubleKeys()
_patients_doubled = rows.DoubleKeys()


def page(body: bytes) -> tuple[AppointmentPage, dict[bytes, bytes]]:
    """A page's outer shape and its unreadable records by placeholder (rows.envelope). Raises PmsMalformed."""
    return rows.envelope(_page, body)


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises rows.RowFault."""
    found = rows.read(_appointment, raw)
    people = found.participant
    arrived = sum([one.arrived_at is not None for one in people])
    _appointments_doubled.refuse(raw, len(people), arrived, len(found.extension or ()))
    return found


def patient(raw: bytes) -> Patient:
    """One patient. Raises rows.RowFault."""
    found = rows.read(_patient, raw)
    _patients_doubled.refuse(raw, len(found.contact or ()), len(found.extension or ()))
    return found


def practitioners(body: bytes) -> list[bytes]:
    """The records of the practitioner list, bare or in an envelope. Raises PmsMalformed."""
    if body.startswith(b"["):
        return _records(*rows.envelope(_bare, body))
    found, mended = rows.envelope(_practitioners, body)
    return _records(found.practitioners, mended)


def appointment_types(body: bytes) -> list[bytes]:
    """The records of the type list, bare or in an envelope. Raises PmsMalformed."""
    if body.startswith(b"["):
        return _records(*rows.envelope(_bare, body))
    found, mended = rows.envelope(_types, body)
    return _records(found.appointment_types, mended)


def _records(found: list[Raw], mended: dict[bytes, bytes]) -> list[bytes]:
    return [mended.get(bytes(raw), bytes(raw)) for raw in found]
