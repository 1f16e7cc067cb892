"""IntakeQ's records in the house's words. Pure.

Source: pms/intakeq.md §3 and §4. What is [assumed] there stands behind one name here, so that it can be put right in
one place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment, AppointmentType, Client, Patient, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.status import Status
from app.domain.window import from_wall
from app.pms.intakeq import wire
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"

#: The five words (documented: A204); what a patient answered to a reminder can lift a booking to confirmed.
STATUSES: dict[str, Status] = {
    "waitingconfirmation": Status.BOOKED,
    "confirmed": Status.BOOKED,
    "canceled": Status.CANCELLED,
    "declined": Status.CANCELLED,
    "missed": Status.NO_SHOW,
}
#: US place-of-service codes for telehealth; practices elsewhere send none.
_TELEHEALTH_PLACES = frozenset({"02", "10"})
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
#: Minutes beyond this are a slip of somebody's finger; our column would not hold them.
_LONGEST_MINUTES = 60 * 24 * 366
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINK = re.compile(r"https://[^\s<>\"'\\]+")
_BEHIND_A_LINK = ".,;:!?)]}"
_SECONDS = re.compile(r"(\.\d{6})\d+")


def appointment(row: wire.Appointment, zone: ZoneInfo, words: Mapping[str, str]) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand.

    zone: reads wall times without offset; used only where both the milliseconds and the UTC text are missing.
    """
    begins, doubt = _starts(row, zone)
    ends_at, minutes = _length(row, begins, zone)
    status = status_of(row, words)
    info = row.telehealth_info
    return Appointment(
        external_id=str(row.id),
        starts_at=begins,
        ends_at=ends_at,
        minutes=minutes,
        status=status,
        raw_status=row.status,
        practitioner_id=str(row.practitioner_id),
        practitioner_name=first_of((row.practitioner_name,)) or UNKNOWN_PRACTITIONER,
        patients=patients(row),
        type_id=loose_id(row.service_id),
        type_name=first_of((row.service_name,)) or UNKNOWN,
        comment=clip("\n".join(note.strip() for note in (row.practitioner_note, row.client_note) if note)),
        cancelled_at=_cancelled_at(row, zone) if status is Status.CANCELLED else None,
        location_id=loose_id(row.location_id),
        telehealth_url=guest_link(info) if info else None,
        telehealth_hint=is_online(row),
        time_doubt=doubt,
    )


def status_of(row: wire.Appointment, words: Mapping[str, str]) -> Status:
    """Our word. A word nobody knows stays UNKNOWN unless the practice has explained it.

    [assumed] A reminder answered with "Confirmed" confirms; a session that staff began or ended is in progress or
    completed. A visit is never called completed because its time has passed.
    """
    known = STATUSES.get(row.status.strip().lower())
    if known is None:
        return _explained(row.status, words)
    if known is not Status.BOOKED:
        return known
    if row.session_end:
        return Status.COMPLETED
    if row.session_start:
        return Status.IN_PROGRESS
    if (row.attendance_confirmation_response or "").strip().lower() == "confirmed" and row.status != (
        "WaitingConfirmation"
    ):
        return Status.CONFIRMED
    return Status.BOOKED


def _explained(raw: str, words: Mapping[str, str]) -> Status:
    try:
        return Status(words.get(raw, Status.UNKNOWN))
    except ValueError:
        return Status.UNKNOWN


# --- people -----------------------------------------------------------------------------------------------------------


def patients(row: wire.Appointment) -> tuple[Patient, ...]:
    """The main client, then those who come along, each once. Nobody at all: a stretch of time without a patient.

    [assumed] A client without an id is kept by name: a patient must not vanish for want of a number.
    """
    return tuple(
        Patient(one.external_id, one.full_name, one.first_name, one.last_name, one.phone, one.email, one.birth_date)
        for one in _clients(row)
    )


def clients(row: wire.Appointment) -> tuple[Client, ...]:
    """The same people for discovery; without an id nobody can be found again, so they are left out."""
    return tuple(one for one in _clients(row) if one.external_id)


def _clients(row: wire.Appointment) -> list[Client]:
    main = _client(
        loose_id(row.client_id, digits=True) or loose_id(row.client_number, digits=True),
        row.client_name,
        row.client_phone,
        row.client_email,
        birth_date(row.client_date_of_birth),
    )
    others = [
        _client(
            loose_id(one.client_id, digits=True) or loose_id(one.client_number, digits=True),
            one.client_name,
            one.client_phone,
            one.client_email,
            None,
        )
        for one in row.additional_clients or ()
    ]
    found: list[Client] = []
    for one in (main, *others):
        if one is not None and not (one.external_id and any(one.external_id == other.external_id for other in found)):
            found.append(one)
    return found


def _client(
    client_id: str | None, name: str | None, phone: str | None, email: str | None, born: date | None
) -> Client | None:
    shown = full_name(name)
    if client_id is None and not shown:
        return None
    first, last = name_parts(shown)
    return Client(client_id or "", shown or UNKNOWN_PATIENT, first, last, first_of((phone,)), first_of((email,)), born)


def name_parts(name: str) -> tuple[str | None, str | None]:
    """First and last name, split at the last blank: the appointment has the name in one piece. [assumed]"""
    first, _, last = name.rpartition(" ")
    return first or None, last or None


def profile(row: wire.Profile) -> Patient:
    """A client's own record, which has the parts of the name and more than one number. The order is [assumed]."""
    client_id = loose_id(row.client_id, digits=True) or loose_id(row.client_number, digits=True)
    if client_id is None:
        raise RowFault("$.ClientId", "missing")
    name = full_name(row.name) or full_name(row.first_name, row.last_name)
    first, last = name_parts(name)
    return Patient(
        client_id,
        name or UNKNOWN_PATIENT,
        first_of((row.first_name,)) or first,
        first_of((row.last_name,)) or last,
        first_of((row.mobile_phone, row.phone, row.home_phone, row.work_phone)),
        first_of((row.email,)),
        birth_date(row.date_of_birth),
    )


def filled(known: Client, other: Client) -> Client:
    """What is known of a client, its gaps filled from another booking of theirs."""
    return Client(
        known.external_id,
        known.full_name,
        known.first_name,
        known.last_name,
        known.phone or other.phone,
        known.email or other.email,
        known.birth_date or other.birth_date,
    )


def birth_date(value: str | int | float | None) -> date | None:
    """Of a text `1987-04-09`, or of milliseconds at midnight UTC (never in local time: that moves birthdays by a day).

    [assumed] What is neither is as good as none; a booking is not set aside for it.
    """
    try:
        if isinstance(value, str):
            return date.fromisoformat(value.strip()[:10])
        found = None if value is None else (_EPOCH + timedelta(milliseconds=value)).date()
    except (ValueError, OverflowError):
        return None
    return found if found and _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def loose_id(value: str | int | None, *, digits: bool = False) -> str | None:
    """An id as text; nothing, "" and 0 are none. digits: a client's number, which is also met with signs around it."""
    text = "" if value is None else str(value).strip()
    if digits:
        text = "".join(letter for letter in text if letter in "0123456789")
    return text if text.strip("0") else None


# --- telehealth (§4) --------------------------------------------------------------------------------------------------


def is_online(row: wire.Appointment) -> bool | None:
    """True where the record says so. None otherwise, never False: a Google Meet visit shows nothing here."""
    place = str(row.place_of_service or "").strip().zfill(2)
    return True if row.telehealth_info is not None or place in _TELEHEALTH_PLACES else None


def guest_link(info: wire.TelehealthInfo) -> str | None:
    """The link a patient may have: the first https address in the invitation that is not the host's. [assumed]

    The host's link never leaves this function: whoever opens it runs the meeting.
    """
    host = _place(info.start_url or "")
    for found in _LINK.findall(info.invitation or ""):
        link = found.rstrip(_BEHIND_A_LINK)
        if _place(link) != host and "zak=" not in link:  # Zoom's word for a host's own token
            return str(link)
    return None


def _place(url: str) -> tuple[str, str]:
    """Host and path: with other parameters it is still the same door."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ("", url)
    return (parts.netloc.lower(), parts.path.rstrip("/"))


# --- time -------------------------------------------------------------------------------------------------------------


def starts_at(row: wire.Appointment, zone: ZoneInfo) -> datetime:
    """Raises RowFault."""
    return _starts(row, zone)[0]


def _starts(row: wire.Appointment, zone: ZoneInfo) -> tuple[datetime, str | None]:
    """The start, and why it may be wrong."""
    found, doubt = _when(row.start_date, row.start_date_iso, row.start_date_local, zone, "$.StartDate")
    if found is None:
        raise RowFault("$.StartDate", "missing")
    return found, doubt


def _when(
    millis: float | None, iso: str | None, local: str | None, zone: ZoneInfo, path: str
) -> tuple[datetime | None, str | None]:
    """UTC, from the first of the three that is there: milliseconds, UTC text, wall time; why the last may be wrong."""
    if millis is not None:
        return _in_range(_of_millis(millis, path), path), None
    if iso:
        return _in_range(_of_text(iso, zone=UTC, path=path)[0], path), None
    if not local:
        return None, None
    found, doubt = _of_text(local, zone=zone, path=path)
    return _in_range(found, path), doubt


def _of_millis(millis: float, path: str) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=millis)
    except (OverflowError, ValueError):
        raise RowFault(path, "out_of_range") from None


def _of_text(text: str, *, zone: tzinfo, path: str) -> tuple[datetime, str | None]:
    """`2026-03-08T23:30:00.0000000Z`, with seven digits of a second; without an offset it is in `zone`."""
    try:
        at = datetime.fromisoformat(_SECONDS.sub(r"\1", text.strip()))
        return (at.astimezone(UTC), None) if at.tzinfo else from_wall(at, zone)
    except (ValueError, OverflowError):
        raise RowFault(path, "invalid") from None


def _in_range(at: datetime, path: str) -> datetime:
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return at


def _length(row: wire.Appointment, begins: datetime, zone: ZoneInfo) -> tuple[datetime | None, int | None]:
    """End and minutes. The instants are trusted, not `Duration`: the vendor's own sample has the two disagree."""
    ends_at, _ = _when(row.end_date, row.end_date_iso, row.end_date_local, zone, "$.EndDate")
    if ends_at is not None and ends_at > begins:
        minutes = round((ends_at - begins).total_seconds() / 60)
        if minutes > _LONGEST_MINUTES:
            raise RowFault("$.EndDate", "out_of_range")
        return ends_at, minutes
    if row.duration is None or not 0 < row.duration <= _LONGEST_MINUTES:
        return None, None
    return begins + timedelta(minutes=row.duration), round(row.duration)


def _cancelled_at(row: wire.Appointment, zone: ZoneInfo) -> datetime | None:
    """When it was called off: milliseconds or a text, sources differ. What cannot be read says nothing."""
    value, path = row.cancellation_date, "$.CancellationDate"
    try:
        if isinstance(value, str):
            return _in_range(_of_text(value, zone=zone, path=path)[0], path) if value.strip() else None
        return None if value is None else _in_range(_of_millis(value, path), path)
    except RowFault:
        return None


# --- settings ---------------------------------------------------------------------------------------------------------


def practitioner(row: wire.Practitioner) -> Practitioner:
    """One of the staff; the full name is put together where it is missing. Not said counts as working. [assumed]"""
    name = full_name(row.complete_name) or full_name(row.first_name, row.last_name)
    return Practitioner(
        str(row.id), name or UNKNOWN_PRACTITIONER, first_of((row.email,)), active=row.is_inactive is not True
    )


def service(row: wire.Service) -> AppointmentType:
    minutes = row.duration
    length = round(minutes) if minutes is not None and 0 < minutes <= _LONGEST_MINUTES else None
    return AppointmentType(str(row.id), first_of((row.name,)) or UNKNOWN, length)
