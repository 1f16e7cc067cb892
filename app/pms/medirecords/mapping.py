"""MediRecords' records in the house's words. Pure: what an appointment refers to is handed in.

Source: pms/medirecords.md §3 and §4. What is [assumed] there stands behind one name here, so that it can be put right
in one place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.status import Status
from app.domain.window import from_wall, zone_of
from app.errors import InvalidInput
from app.pms.medirecords import wire
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
#: An appointment without a provider (the vendor has a flag of that name); it stands in a group of its own. [assumed]
FIRST_AVAILABLE = "First available doctor"

#: (documented: REVIEW) for numbers and names; what At Billing means is [assumed]: the consultation is over.
STATUSES: dict[str, tuple[str, Status]] = {
    "2": ("Booked", Status.BOOKED),
    "3": ("Confirmed", Status.CONFIRMED),
    "4": ("Waiting Room", Status.ARRIVED),
    "5": ("With Doctor", Status.IN_PROGRESS),
    "6": ("At Billing", Status.COMPLETED),
    "7": ("Completed", Status.COMPLETED),
    "8": ("Cancelled", Status.CANCELLED),
}
_INACTIVE = "inactive"  # [assumed]: only Active has been seen
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_LONGEST_MINUTES = 60 * 24
_LENGTH = re.compile(r"(\d{1,4})\s*(hours?|hrs?|h|minutes?|mins?|m)\b", re.IGNORECASE)
_LINK = re.compile(r"https://[^\s<>\"'\\]{1,990}")


@dataclass(slots=True)
class Kind:
    """An appointment type, with what only MediRecords says of it."""

    type: AppointmentType
    telehealth: bool = False


@dataclass(slots=True)
class Context:
    """What appointments refer to, by id. patients: a RowFault where the record could not be read, None where nobody
    knows them. intervals: minutes by code.
    """

    zone: ZoneInfo
    types: Mapping[str, Kind] = field(default_factory=dict)
    providers: Mapping[str, Practitioner] = field(default_factory=dict)
    patients: Mapping[str, Patient | RowFault | None] = field(default_factory=dict)
    intervals: Mapping[str, int] = field(default_factory=dict)
    status_words: Mapping[str, str] = field(default_factory=dict)


def appointment(row: wire.Appointment, context: Context) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand."""
    starts_at, doubt = starts(row, context.zone)
    kind = context.types.get(row.appointment_type_id or "")
    minutes = context.intervals.get(code(row.appointment_interval_code)) or (kind.type.minutes if kind else None)
    raw, status = status_of(row, context.status_words)
    who = row.provider_id or ""
    provider = context.providers.get(who)
    return Appointment(
        row.id,
        starts_at,
        None if minutes is None else starts_at + timedelta(minutes=minutes),
        minutes,
        status,
        raw,
        who,
        provider.full_name if provider else (UNKNOWN_PRACTITIONER if who else FIRST_AVAILABLE),
        _patients(row, context),
        (),
        row.appointment_type_id or None,
        kind.type.name if kind else UNKNOWN,
        clip(row.notes),
        telehealth_url=guest_link(row),
        telehealth_hint=True if _has_link(row) or (kind and kind.telehealth) else None,
        time_doubt=doubt,
        changed_at=_stamp(row.updated_date_time),
    )


def status_of(row: wire.Appointment, words: Mapping[str, str]) -> tuple[str, Status]:
    """The vendor's name for its number, and our word. A number nobody knows is UNKNOWN unless the practice has
    explained it. There is none for somebody who did not come: staff cancel, with a reason whose list is not public.
    """
    raw = code(row.appointment_status)
    if raw in STATUSES:
        return STATUSES[raw]
    try:
        return raw, Status(words.get(raw, Status.UNKNOWN))
    except ValueError:
        return raw, Status.UNKNOWN


def code(value: wire.Code) -> str:
    """A code as a text: a number in one place is a text in another. Nothing is ""."""
    return "" if value is None else str(value).strip()


# --- telehealth (§4) --------------------------------------------------------------------------------------------------


def guest_link(row: wire.Appointment) -> str | None:
    """Where the patient joins. The provider's own link never leaves this file: whoever opens it runs the session."""
    found = (row.telehealth_link_for_patient or "").strip()
    return found if _LINK.fullmatch(found) and found != (row.telehealth_link_for_provider or "").strip() else None


def _has_link(row: wire.Appointment) -> bool:
    return first_of((row.telehealth_link_for_patient, row.telehealth_link_for_provider)) is not None


# --- time -------------------------------------------------------------------------------------------------------------


def starts(row: wire.Appointment, zone: ZoneInfo) -> tuple[datetime, str | None]:
    """UTC, and why it may be wrong: it is the practice's wall time, which the clocks may show twice or not at all."""
    text = row.schedule_time.strip()
    try:
        if len(text) < len("2026-03-09T09:15"):
            raise ValueError("a day is no instant")
        at = datetime.fromisoformat(text)
        found, doubt = (at.astimezone(UTC), None) if at.tzinfo else from_wall(at, zone)
    except (ValueError, OverflowError):
        raise RowFault("$.scheduleTime", "invalid") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise RowFault("$.scheduleTime", "out_of_range")
    return found, doubt


def wall(at: datetime, zone: ZoneInfo) -> str:
    """An instant as a range's end is written: practice-local, to the minute, without an offset."""
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def minutes_in(text: str | int | None) -> int | None:
    """Of “25 mins”, “1 hr 30 mins”, “4 hrs”; a bare number is minutes. [assumed] None where it says no length."""
    told = str(text or "").strip()
    if told.isascii() and told.isdigit():
        found = int(told[:6])
    else:
        found = sum(int(n) * (60 if unit[0] in "hH" else 1) for n, unit in _LENGTH.findall(told))
    return found if 0 < found <= _LONGEST_MINUTES else None


def _stamp(text: str | None) -> datetime | None:
    """`2020-12-15T07:43:52.529+0000`. One that cannot be read is no reason to leave the booking out."""
    try:
        at = datetime.fromisoformat(text or "")
        return at.astimezone(UTC) if at.tzinfo and _FIRST_YEAR <= at.year <= _LAST_YEAR else None
    except (ValueError, OverflowError):
        return None


# --- people, types, codes ---------------------------------------------------------------------------------------------


def _patients(row: wire.Appointment, context: Context) -> tuple[Patient, ...]:
    """Nobody: a stretch of time without a patient. [assumed] One whom nobody knows any more keeps the booking."""
    if not row.patient_id:
        return ()
    found = context.patients.get(row.patient_id)
    if isinstance(found, RowFault):
        raise found
    return (found or Patient(row.patient_id, UNKNOWN_PATIENT),)


def patient(row: wire.Patient) -> Patient:
    """A first name may be missing (documented: FAQ). The order of the telephones is [assumed]."""
    first, last = first_of((row.first_name,)), first_of((row.last_name,))
    return Patient(
        row.id,
        full_name(first, last) or full_name(row.full_name) or UNKNOWN_PATIENT,
        first,
        last,
        first_of((row.mobile_phone, row.home_phone, row.work_phone)),
        first_of((row.email,)),
        _birth_date(row.dob),
    )


def _birth_date(text: str | None) -> date | None:
    """What is no day is as good as none; a booking is not set aside for it."""
    try:
        found = date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def provider(row: wire.Provider) -> Practitioner:
    name = full_name(row.first_name, row.last_name)
    return Practitioner(row.id, name or UNKNOWN_PRACTITIONER, active=(row.status or "").strip().lower() != _INACTIVE)


def kind(row: wire.AppointmentType) -> Kind:
    """An inactive type as well: old appointments still point to it."""
    name = first_of((row.name,)) or UNKNOWN
    return Kind(AppointmentType(row.id, name, minutes_in(row.duration), first_of((row.colour,))), bool(row.telehealth))


def interval(row: wire.CodeEntry) -> tuple[str, int] | None:
    """A code and how many minutes it stands for; None for an entry of another kind. Codes are opaque, never minutes."""
    told = code(row.code) or code(row.value)
    length = next((n for one in (row.description, row.name, row.label) if (n := minutes_in(one)) is not None), None)
    return (told, length) if told and length is not None else None


def identity(practice_id: str, row: wire.Practice) -> PracticeIdentity:
    """A zone nobody knows is as good as none: the practice's own is used then. That one may be told is [assumed]."""
    return PracticeIdentity(practice_id, first_of((row.practice_name,)), _known_zone(row.time_zone))


def _known_zone(name: str | None) -> str | None:
    try:
        zone_of(name or "")
    except InvalidInput:
        return None
    return name
