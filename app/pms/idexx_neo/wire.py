"""Neo's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/idexx-neo.md §2. It is the web application's own JSON: it was captured and seen in code, never documented.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from app.pms import rows
from app.pms.errors import PmsMalformed
from app.pms.idexx_neo.coerce import Id

Number = int | float | str | None


# --- the calendar (§2.1) ----------------------------------------------------------------------------------------------


class Row(Struct, gc=False):
    """One appointment, block or roster. `resource_id` is the calendar's column, a room's, never a person's."""

    start: str
    id: Id = None
    appointment_id: Id = None
    end: str | None = None
    consultation_id: Id = None
    arrival_date_time: str | None = None
    patient_id: Id = None
    patient_name: str | None = None
    client_id: Id = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone_number: Id = None
    provider: str | None = None
    title: str | None = None
    type_description: str | None = None
    reason: str | None = None
    current_status: str | None = None
    status_label: str | None = None
    confirmed_status: str | bool | None = None
    resource_id: Id = msgspec.field(name="resourceId", default=None)
    appointment_room_name: str | None = None
    is_block: bool | int | None = None
    is_roster: bool | int | None = None
    last_updated_at: str | None = None


class OldRow(Struct, gc=False, rename="camel"):
    """The same as an older write-up spells it (seen in code: odis/old-doc; ids beside the first one are assumed)."""

    start: str
    id: Id = None
    end: str | None = None
    consultation_id: Id = None
    patient_id: Id = None
    patient_name: str | None = None
    client_id: Id = None
    client_name: str | None = None
    client_phone: Id = None
    provider_name: str | None = None
    appointment_type: str | None = None
    reason: str | None = None
    status: str | None = None
    resource_id: Id = None
    is_block: bool | int | None = None

    def row(self) -> Row:
        return Row(
            self.start,
            self.id,
            end=self.end,
            consultation_id=self.consultation_id,
            patient_id=self.patient_id,
            patient_name=self.patient_name,
            client_id=self.client_id,
            last_name=self.client_name,
            phone_number=self.client_phone,
            provider=self.provider_name,
            type_description=self.appointment_type,
            reason=self.reason,
            current_status=self.status,
            resource_id=self.resource_id,
            is_block=self.is_block,
        )


class Wrapped(Struct):
    appointments: list[Raw] | UnsetType = UNSET
    data: list[Raw] | UnsetType = UNSET
    events: list[Raw] | UnsetType = UNSET


# --- one appointment (§2.2) -------------------------------------------------------------------------------------------


class Named(Struct):
    """A type, a room, a provider, a species: its number and its name."""

    id: Id = None
    name: str | None = None


class DetailClient(Struct, rename="camel"):
    id: Id = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    home_phone: Id = None
    mobile_phone: Id = None


class DetailPatient(Struct):
    id: Id = None
    name: str | None = None
    species: Named | str | None = None
    breed: Named | str | None = None
    client: DetailClient | None = None


class Detail(Struct, rename="camel"):
    id: Id
    start_at_local: str
    end_at_local: str | None = None
    status: str | None = None
    notes: str | None = None
    deleted: bool | int | None = None
    block: bool | int | None = None
    cancelled_reason: str | None = None
    patient: DetailPatient | None = None
    appointment_type: Named | None = None
    appointment_room: Named | None = None
    provider: Named | None = None


class DetailReply(Struct):
    appointment: Detail


# --- the book's own settings (§2.3) -----------------------------------------------------------------------------------


class AppointmentType(Named):
    """`duration` counts slots [assumed]."""

    duration: Number = None
    color: str | None = None


class Provider(Named):
    email: str | None = None
    active: bool | int | None = None


class Hours(Struct, rename="camel"):
    """0 is Sunday."""

    days_of_week: list[int]
    start_time: str
    end_time: str


class View(Struct, rename="camel"):
    appointment_types: list[Raw]
    providers: list[Raw]
    slot_interval: int | None = None
    business_hours: list[Hours] | None = None
    appointment_rooms: list[Named] | None = None


class OldHours(Struct, rename="camel"):
    days_of_week: list[int]
    start: str
    end: str


class OldConfig(Struct, rename="camel"):
    """getScheduleConfigs (seen in code: odis/old-doc, unverified)."""

    business_hours: OldHours
    slot_duration: int | None = None
    rooms: list[Named] | None = None


# --- a consultation (§2.5) --------------------------------------------------------------------------------------------


class Consultation(Struct, rename="camel"):
    id: Id
    notes: str | None = None
    discharge_summary: str | None = None
    date: str | None = None
    status: str | None = None


class Notes(Struct):
    notes: str | None = None


class PageData(Struct):
    providers: list[Raw]


class OfPatient(Struct):
    id: Id
    species: Named | str | None = None
    breed: Named | str | None = None


class Line(Struct, rename="camel"):
    product_service: str | None = None
    label: str | None = None
    quantity: Number = None
    is_declined: bool | int | None = None


class Consulted(Struct, rename="camel"):
    """Valid only with these four (seen in code: odis/lib). The vitals' shape was never shown."""

    consultation: Consultation
    patient: OfPatient
    client: Raw
    page_data: PageData
    consultation_notes: Notes | None = None
    consultation_lines: list[Line] | None = None
    vital_sign_group: Raw = Raw()


class VitalSigns(Struct, rename="camel"):
    """Names of the form's fields (seen in code: odis/ext); that they are the JSON's, and blood pressure, is assumed."""

    temperature: Number = None
    temperature_unit: str | None = None
    pulse: Number = None
    respiration: Number = None
    weight: Number = None
    weight_unit: str | None = None
    blood_pressure: Number = None


# --- looking somebody up (§2.6) ---------------------------------------------------------------------------------------


class Found(Struct):
    objects: list[Raw]


class Results(Struct):
    patients: Found


class SearchReply(Struct):
    results: Results


_row = msgspec.json.Decoder(Row)
_old_row = msgspec.json.Decoder(OldRow)
_calendar = msgspec.json.Decoder(list[Raw] | Wrapped)
detail_reply = msgspec.json.Decoder(DetailReply)
view = msgspec.json.Decoder(View)
old_config = msgspec.json.Decoder(OldConfig)
appointment_type = msgspec.json.Decoder(AppointmentType)
provider = msgspec.json.Decoder(Provider)
providers = msgspec.json.Decoder(list[Raw])
consulted = msgspec.json.Decoder(Consulted)
vital_signs = msgspec.json.Decoder(VitalSigns)
search_reply = msgspec.json.Decoder(SearchReply)
found_patient = msgspec.json.Decoder(DetailPatient)

_doubled = rows.DoubleKeys()


def calendar(body: bytes) -> list[bytes]:
    """The rows, raw. Raises PmsMalformed where there is no list: a missing one is never an empty one."""
    outer, mended = rows.envelope(_calendar, body)
    if isinstance(outer, Wrapped):
        found = next((one for one in (outer.appointments, outer.data, outer.events) if one is not UNSET), UNSET)
        if found is UNSET:
            raise PmsMalformed("an answer without a list of appointments", path="$.appointments")
        outer = found
    return [mended.get(bytes(raw), bytes(raw)) for raw in outer]


def row(raw: bytes) -> Row:
    """One row, in either spelling. Raises rows.RowFault."""
    if b'"patient_name"' not in raw and (b'"patientName"' in raw or b'"providerName"' in raw):
        found = rows.read(_old_row, raw).row()
    else:
        found = rows.read(_row, raw)
    _doubled.refuse(raw)
    return found


class _Ids(Struct):
    appointment_id: str | int | None = None
    id: str | int | None = None


_ids = msgspec.json.Decoder(_Ids)


def id_of(raw: bytes) -> str | None:
    """The id of a row that is otherwise unreadable, where that much can be read."""
    try:
        found = _ids.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    named = found.appointment_id or found.id
    return str(named)[:255] if named else None
