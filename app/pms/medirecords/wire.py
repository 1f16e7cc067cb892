"""MediRecords' JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/medirecords.md §2 (a public review of the vendor's OpenAPI, and public code). Codes are numbers in one place
and texts in another, so both are read everywhere.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from app.pms import rows
from app.pms.errors import PmsMalformed
from app.pms.rows import RowFault

Id = Annotated[str, Meta(min_length=1, max_length=120)]
#: An id that may be missing or empty.
LooseId = Annotated[str, Meta(max_length=120)] | None
Code = int | str | None


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Members in camelCase."""


class Token(msgspec.Struct, gc=False):
    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: float | int | None = None


class Page(_Wire):
    """The paged envelope. A missing list is a bad answer, not an empty one."""

    data: list[Raw]
    last: bool | None = None
    total_pages: int | None = None
    total_elements: int | None = None
    page: int | None = None


class Practice(_Wire):
    id: Id | None = None
    practice_name: str | None = None
    time_zone: str | None = None


class Provider(_Wire):
    id: Id
    first_name: str | None = None
    last_name: str | None = None
    status: str | None = None


class AppointmentType(_Wire):
    """duration: words such as “1 hr 30 mins”."""

    id: Id
    name: str | None = None
    duration: str | int | None = None
    colour: str | None = None
    telehealth: bool | None = None


class CodeEntry(_Wire):
    """An entry of a code list, whose shape is [assumed]: the code and its text under one of several names."""

    code: Code = None
    value: Code = None
    description: str | None = None
    name: str | None = None
    label: str | None = None


class Appointment(_Wire):
    id: Id
    schedule_time: str
    appointment_status: int | Annotated[str, Meta(min_length=1, max_length=120)]
    practice_id: LooseId = None
    patient_id: LooseId = None
    provider_id: LooseId = None
    appointment_type_id: LooseId = None
    appointment_interval_code: Code = None
    notes: str | None = None
    telehealth_link_for_provider: str | None = None
    telehealth_link_for_patient: str | None = None
    updated_date_time: str | None = None


class Patient(_Wire):
    id: Id
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    dob: str | None = None
    email: str | None = None
    mobile_phone: str | None = None
    home_phone: str | None = None
    work_phone: str | None = None


class OnlyId(_Wire):
    id: Id


token = msgspec.json.Decoder(Token)
practice = msgspec.json.Decoder(Practice)
provider = msgspec.json.Decoder(Provider)
appointment_type = msgspec.json.Decoder(AppointmentType)
code_entry = msgspec.json.Decoder(CodeEntry)
patient = msgspec.json.Decoder(Patient)
only_id = msgspec.json.Decoder(OnlyId)
_page = msgspec.json.Decoder(Page)
_array = msgspec.json.Decoder(list[Raw])
_appointment = msgspec.json.Decoder(Appointment)
_doubled = rows.DoubleKeys()


def page(body: bytes) -> tuple[Page, list[bytes]]:
    """The envelope and its records, of one that is no JSON as it was sent. Raises PmsMalformed."""
    found, mended = rows.envelope(_page, body)
    return found, [mended.get(bytes(raw), bytes(raw)) for raw in found.data]


def listed(body: bytes) -> list[bytes]:
    """The records of a bare array, or of an envelope where one comes instead. Raises PmsMalformed."""
    if body[:1] == b"{":
        return page(body)[1]
    found, mended = rows.envelope(_array, body)
    return [mended.get(bytes(raw), bytes(raw)) for raw in found]


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises RowFault."""
    found = rows.read(_appointment, raw)
    _doubled.refuse(raw)
    return found


def id_of(record: bytes) -> str | None:
    """A record's id where that much can be read."""
    try:
        return rows.read(only_id, record).id
    except RowFault:
        return None


def id_at_least(record: bytes) -> str:
    """The id of a record that is otherwise unreadable. Raises PmsMalformed where not even that can be read."""
    found = id_of(record)
    if found is None:
        raise PmsMalformed("a record without an id", path="$.data[].id")
    return found
