"""IntakeQ's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/intakeq.md §2 (the vendor's help articles and public transcriptions of them; there is no schema). Lists are
bare arrays. Ids are texts in one place and numbers in another, so both are read everywhere.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from app.pms import rows

Text = Annotated[str, Meta(min_length=1, max_length=255)]
Whole = Annotated[int, Meta(ge=0)]
#: An appointment's own id: opaque, exactly as sent.
Id = Text | Whole
#: Ids that may be missing, empty or zero.
LooseId = Annotated[str, Meta(max_length=255)] | int | None
#: Instants are milliseconds; a figure beyond the years we read is told by the mapping.
Millis = int | float | None


class _Wire(msgspec.Struct, rename="pascal", gc=False):
    """Members in PascalCase, as IntakeQ writes them."""


# --- appointments/settings (§2.1) and practitioners (§2.2) ------------------------------------------------------------


class Location(_Wire):
    id: Id
    name: str | None = None


class Service(_Wire):
    id: Id
    name: str | None = None
    duration: float | int | None = None


class Practitioner(_Wire):
    id: Id
    complete_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    is_inactive: bool | None = None
    date_created: Millis = None


class Settings(_Wire):
    """What can be booked, and where. A missing list of services is a bad answer, not a practice without any."""

    services: list[Raw]
    locations: list[Raw] | None = None


class OnlyId(_Wire):
    id: Id


# --- appointments (§2.4) ----------------------------------------------------------------------------------------------


class TelehealthInfo(_Wire):
    """start_url opens the meeting as its host; it is read only to be told apart from the guest's link."""

    start_url: str | None = None
    invitation: str | None = None
    provider: str | None = None


class AdditionalClient(_Wire):
    client_id: LooseId = None
    client_number: LooseId = None
    client_name: str | None = None
    client_email: str | None = None
    client_phone: str | None = None


class Appointment(_Wire):
    id: Id
    status: Annotated[str, Meta(min_length=1)]
    practitioner_id: Id
    start_date: Millis = None
    end_date: Millis = None
    start_date_iso: str | None = None
    end_date_iso: str | None = None
    start_date_local: str | None = None
    end_date_local: str | None = None
    duration: float | int | None = None
    client_id: LooseId = None
    client_number: LooseId = None
    client_name: str | None = None
    client_email: str | None = None
    client_phone: str | None = None
    client_date_of_birth: str | int | float | None = None
    service_id: LooseId = None
    service_name: str | None = None
    location_id: LooseId = None
    practitioner_name: str | None = None
    client_note: str | None = None
    practitioner_note: str | None = None
    telehealth_info: TelehealthInfo | None = None
    place_of_service: str | int | None = None
    attendance_confirmation_response: str | None = None
    session_start: Millis = None
    session_end: Millis = None
    cancellation_date: str | int | float | None = None
    additional_clients: list[AdditionalClient] | None = None


# --- clients (§2.6-2.7) -----------------------------------------------------------------------------------------------


class Profile(_Wire):
    client_id: LooseId = None
    client_number: LooseId = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    mobile_phone: str | None = None
    home_phone: str | None = None
    work_phone: str | None = None
    date_of_birth: str | int | float | None = None


settings = msgspec.json.Decoder(Settings)
location = msgspec.json.Decoder(Location)
service = msgspec.json.Decoder(Service)
practitioner = msgspec.json.Decoder(Practitioner)
only_id = msgspec.json.Decoder(OnlyId)
profile = msgspec.json.Decoder(Profile)
_appointment = msgspec.json.Decoder(Appointment)
_array = msgspec.json.Decoder(list[Raw])

_doubled = rows.DoubleKeys()


def array(body: bytes) -> list[bytes]:
    """The records of a bare array. Raises PmsMalformed; an object in its place (an error, a new envelope) is none."""
    return records(*rows.envelope(_array, body))


def records(found: list[Raw], mended: dict[bytes, bytes]) -> list[bytes]:
    """The bytes of each record, of one that is no JSON as it was sent."""
    return [mended.get(bytes(raw), bytes(raw)) for raw in found]


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises rows.RowFault."""
    found = rows.read(_appointment, raw)
    _doubled.refuse(raw, len(found.additional_clients or ()), found.telehealth_info is not None)
    return found


def id_of(record: bytes) -> str | None:
    """A record's id where that much can be read."""
    try:
        return str(rows.read(only_id, record).id)
    except rows.RowFault:
        return None
