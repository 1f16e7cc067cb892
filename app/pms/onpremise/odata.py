"""The bridge's JSON as it comes, checked, and the few words of OData version 3 that it is asked in.

Source: pms/cornerstone-avimark.md §2 and §3. Clients, patients and the envelope were seen in public code; the shape of
an appointment is [assumed] by analogy with them, since no public code shows one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, field

from app.pms import rows
from app.pms.rows import RowFault

Id = Annotated[str, Meta(min_length=1, max_length=255)] | Annotated[int, Meta(ge=0)]
#: May be missing, empty or null.
LooseId = Annotated[str, Meta(max_length=255)] | int | None
Text = str | None

_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")


class _Wire(msgspec.Struct, rename="pascal", gc=False):
    """Members in PascalCase, as the bridge writes them."""


class Phone(_Wire):
    """Two spellings of its members were seen."""

    number: Text = None
    phone_number: Text = None
    type: Text = None
    phone_type: Text = None
    is_primary: bool | None = None


class Email(_Wire):
    address: Text = None


class Client(_Wire):
    id: Id
    pms_id: LooseId = None
    first_name: Text = None
    last_name: Text = None
    phones: list[Phone] | None = None
    emails: list[Email] | None = None


class Patient(_Wire):
    """Species and breed are codes; their descriptions are what people read."""

    id: Id
    pms_id: LooseId = None
    name: Text = None
    species: Text = None
    species_description: Text = None
    breed: Text = None
    breed_description: Text = None


class Appointment(_Wire):
    id: Id
    pms_id: LooseId = None
    appointment_date: Text = None
    duration: int | float | None = None
    client_id: LooseId = None
    client_pms_id: LooseId = None
    patient_id: LooseId = None
    patient_pms_id: LooseId = None
    provider_id: LooseId = None
    provider_name: Text = None
    type: LooseId = None
    type_description: Text = None
    room: Text = None
    reason: Text = None
    notes: Text = None
    pms_status: Text = None
    is_confirmed: bool | None = None
    site_id: LooseId = None
    last_change: Text = field(default=None, name="APILastChangeDate")
    removed: Text = field(default=None, name="APIRemovedDate")

    @property
    def external_id(self) -> str:
        """The practice's own id survives a new installation of the bridge, its own may not. [assumed]"""
        return known(self.pms_id) or str(self.id)


class Installation(_Wire):
    installation_id: str
    pms: Text = field(default=None, name="PMS")
    practice_name: Text = None


class Token(msgspec.Struct):
    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: Annotated[float, Meta(gt=0)] = 3600


class Page(msgspec.Struct):
    """A missing list is a bad answer, never an empty one."""

    value: list[Raw]


appointment = msgspec.json.Decoder(Appointment)
client = msgspec.json.Decoder(Client)
patient = msgspec.json.Decoder(Patient)
token = msgspec.json.Decoder(Token)
page = msgspec.json.Decoder(Page)
installations = msgspec.json.Decoder(list[Installation])
_doubled = rows.DoubleKeys()


def read_appointment(raw: bytes) -> Appointment:
    """Raises RowFault."""
    found = rows.read(appointment, raw)
    _doubled.refuse(raw)
    return found


def known(value: LooseId) -> str | None:
    """An id as text; nothing and "" are none."""
    text = "" if value is None else str(value).strip()
    return text or None


def records(body: bytes) -> list[bytes]:
    """The records of an answer. Raises PmsMalformed."""
    found, mended = rows.envelope(page, body)
    return [mended.get(bytes(raw), bytes(raw)) for raw in found.value]


def wall(text: str, path: str) -> datetime:
    """A time of the clinic's own clock, without zone. Raises RowFault."""
    try:
        found = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text.strip()))
    except ValueError:
        raise RowFault(path, "invalid") from None
    if found.tzinfo is not None:  # the bridge writes none: somebody's idea of an offset is nobody's promise
        raise RowFault(path, "invalid")
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return found


def bridge_time(text: str | None) -> datetime | None:
    """A stamp of the bridge itself, which is in UTC [assumed]; one that cannot be read says nothing."""
    try:
        return None if not text else wall(text.removesuffix("Z"), "$").replace(tzinfo=UTC)
    except RowFault:
        return None


# --- asking -----------------------------------------------------------------------------------------------------------


def text_literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def date_literal(value: datetime) -> str:
    """Version 3 wraps dates; version 4's bare ones are refused (seen in code: VIZ, SNOW)."""
    return f"datetime'{value.replace(tzinfo=None, microsecond=0).isoformat()}'"


def any_of(field_name: str, values: Iterable[str]) -> str:
    return " or ".join(f"{field_name} eq {text_literal(value)}" for value in values)


def all_of(*conditions: str | None) -> str:
    return " and ".join(f"({one})" for one in conditions if one)


class _OnlyIds(_Wire):
    id: Id | None = None
    pms_id: LooseId = None


class _OnlyStamp(_Wire):
    last_change: Text = field(default=None, name="APILastChangeDate")


_only_ids = msgspec.json.Decoder(_OnlyIds)
_only_stamp = msgspec.json.Decoder(_OnlyStamp)


def last_change_of(raw: bytes) -> datetime | None:
    """When a record last changed, whatever else of it can be read."""
    try:
        return bridge_time(_only_stamp.decode(raw).last_change)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def id_at_least(raw: bytes) -> str | None:
    """The id of a record of which nothing else can be read."""
    try:
        found = _only_ids.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return known(found.pms_id) or known(found.id)


def bridge_id_of(raw: bytes) -> str | None:
    """The bridge's own id of a record, by which others name it."""
    try:
        return known(_only_ids.decode(raw).id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
