"""Vetspire's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/vetspire.md §2. Everything is nullable (seen in code); ids are texts in one place and numbers in another.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from app.pms import rows
from app.pms.rows import RowFault

Id = Annotated[str, Meta(min_length=1, max_length=255)] | Annotated[int, Meta(ge=0)]
Number = float | int | None


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Members in camelCase, as Vetspire writes them."""


class Error(_Wire):
    message: str | None = None
    code: str | None = None


class Reply(_Wire):
    """Data and errors may come together; then the data are partial."""

    data: dict[str, Raw] | None = None
    errors: list[Error] | None = None


class OnlyId(_Wire):
    id: Id


class Named(_Wire):
    id: Id
    name: str | None = None


# --- who and what (§2.1) ----------------------------------------------------------------------------------------------


class Location(_Wire):
    id: Id
    name: str | None = None
    timezone: str | None = None


class Provider(_Wire):
    id: Id
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    title: str | None = None
    email: str | None = None
    is_active: bool | None = None


class AppointmentType(_Wire):
    id: Id
    name: str | None = None
    duration: Number = None
    color: str | None = None
    is_blockoff: bool | None = None
    is_telemedicine: bool | None = None


# --- appointments (§2.2), clients and patients (§2.3) -----------------------------------------------------------------


class Phone(_Wire):
    value: str | None = None
    preferred: bool | None = None


class Client(_Wire):
    id: Id
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    decline_email: bool | None = None
    decline_phone: bool | None = None
    phone_numbers: list[Phone] | None = None


class Patient(_Wire):
    id: Id
    name: str | None = None
    species: str | None = None
    breed: str | None = None
    birth_date: str | None = None
    client: Client | None = None


class EncounterRef(_Wire):
    id: Id
    start: str | None = None


class Appointment(_Wire):
    id: Id
    start: str
    duration: Number = None
    status: str | None = None
    is_confirmed: bool | None = None
    deleted: bool | None = None
    deletion_reason: str | None = None
    reason: str | None = None
    note: str | None = None
    room: str | None = None
    updated_at: str | None = None
    checked_in_at: str | None = None
    started_at: str | None = None
    checked_out_at: str | None = None
    completed_at: str | None = None
    provider_id: Id | None = None
    provider: Named | None = None
    location: OnlyId | None = None
    type: AppointmentType | None = None
    patient: Patient | None = None
    encounters: list[EncounterRef] | None = None


# --- consultations (§2.4) ---------------------------------------------------------------------------------------------


class Value(_Wire):
    """A piece of a note, or an answer of a section with its question."""

    value: str | None = None
    label: str | None = None


class Section(_Wire):
    name: str | None = None
    is_discharge: bool | None = None
    data: list[Value] | None = None


class Custom(_Wire):
    name: str | None = None
    value: str | float | None = None


class Vitals(_Wire):
    datetime: str | None = None
    temp: Number = None
    heart_rate: Number = None
    resp_rate: Number = None
    weight: Number = None
    weight_unit: str | None = None
    customs: list[Custom] | None = None


class Encounter(_Wire):
    id: Id
    start: str | None = None
    signed: bool | None = None
    appointment: OnlyId | None = None
    subjective: list[Value] | None = None
    objective: list[Value] | None = None
    assessment: list[Value] | None = None
    plan: list[Value] | None = None
    sections: list[Section] | None = None
    vitals: Vitals | None = None


reply = msgspec.json.Decoder(Reply)
org = msgspec.json.Decoder(Named)
location = msgspec.json.Decoder(Location)
provider = msgspec.json.Decoder(Provider)
appointment_type = msgspec.json.Decoder(AppointmentType)
patient = msgspec.json.Decoder(Patient)
encounter = msgspec.json.Decoder(Encounter)
only_id = msgspec.json.Decoder(OnlyId)
array = msgspec.json.Decoder(list[Raw])
lists = msgspec.json.Decoder(dict[str, list[Raw]])
_appointment = msgspec.json.Decoder(Appointment)

_doubled = rows.DoubleKeys()


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises rows.RowFault."""
    found = rows.read(_appointment, raw)
    client = found.patient.client if found.patient else None
    phones = len(client.phone_numbers or ()) if client else -1
    nested = (one is not None for one in (found.provider, found.location, found.type, found.patient, client))
    _doubled.refuse(raw, phones, len(found.encounters or ()), *nested)
    return found


def id_of(record: bytes) -> str | None:
    """A record's id where that much can be read."""
    try:
        return str(rows.read(only_id, record).id)
    except RowFault:
        return None
