"""Vetspire's records in the house's words. Pure.

Source: pms/vetspire.md §3. What is [assumed] there stands behind one name here, so that it can be put right in one
place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from app.domain.appointment import Appointment, AppointmentType, Client, Patient, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.status import Status
from app.pms.rows import RowFault
from app.pms.vetspire import wire

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
#: The raw word of a row that was deleted: its own status stayed what it was.
DELETED = "DELETED"

#: PLANNED, CANCELLED, COMPLETED, NO_SHOW and CHECKED_OUT are seen in code; the others are [assumed] from the screens.
STATUSES: dict[str, Status] = {
    "PLANNED": Status.BOOKED,
    "CONFIRMED": Status.CONFIRMED,
    "CHECKED_IN": Status.ARRIVED,
    "DAYCARE": Status.ARRIVED,
    "IN_PROGRESS": Status.IN_PROGRESS,
    "CHECKING_OUT": Status.COMPLETED,
    "CHECKED_OUT": Status.COMPLETED,
    "COMPLETED": Status.COMPLETED,
    "NO_SHOW": Status.NO_SHOW,
    "CANCELLED": Status.CANCELLED,
}
#: In the reason of a deletion. [assumed]
_DID_NOT_COME = re.compile(r"\bno[ -]?show", re.IGNORECASE)
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_LONGEST_MINUTES = 60 * 24 * 366


@dataclass(frozen=True, slots=True)
class Who:
    """An animal and who answers for it."""

    patient: Patient
    client: Client | None


def appointment(row: wire.Appointment, words: Mapping[str, str]) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand. words: what the practice has explained to us."""
    starts_at = starts(row)
    minutes = minutes_of(row.duration, "$.duration")
    blocks = row.type is not None and row.type.is_blockoff is True
    who = who_comes(row.patient) if row.patient is not None and not blocks else None
    provider = row.provider.id if row.provider else row.provider_id
    name = row.provider.name if row.provider else None
    return Appointment(
        external_id=str(row.id),
        starts_at=starts_at,
        ends_at=None if minutes is None else starts_at + timedelta(minutes=minutes),
        minutes=minutes,
        status=status_of(row, words),
        raw_status=DELETED if row.deleted else row.status,
        practitioner_id="" if provider is None else str(provider),
        practitioner_name=first_of((name,)) or UNKNOWN_PRACTITIONER,
        patients=(who.patient,) if who else (),
        type_id=str(row.type.id) if row.type else None,
        type_name=first_of((row.type.name,)) or UNKNOWN if row.type else UNKNOWN,
        comment=clip(row.reason) or clip(row.note),
        arrived_at=_stamp(row.checked_in_at),
        location_id=str(row.location.id) if row.location else None,
        telehealth_hint=row.type.is_telemedicine if row.type else None,
        client=who.client if who else None,
        consultation_id=consultation_of(row),
        room=clip(row.room),
        changed_at=_stamp(row.updated_at),
    )


def status_of(row: wire.Appointment, words: Mapping[str, str]) -> Status:
    """Our word. A word nobody knows is told by how far the visit's stamps say it has come; without any it is UNKNOWN.

    [assumed] That a deleted row is one that was called off.
    """
    if row.deleted:
        return Status.NO_SHOW if _DID_NOT_COME.search(row.deletion_reason or "") else Status.CANCELLED
    known = STATUSES.get(row.status or "")
    if known is Status.BOOKED and row.is_confirmed:
        return Status.CONFIRMED
    if known is not None:
        return known
    if row.status is not None and row.status in words:
        try:
            return Status(words[row.status])
        except ValueError:
            return Status.UNKNOWN
    stamps = (
        (row.completed_at or row.checked_out_at, Status.COMPLETED),
        (row.started_at, Status.IN_PROGRESS),
        (row.checked_in_at, Status.ARRIVED),
    )
    return next((status for stamp, status in stamps if stamp), Status.UNKNOWN)


def consultation_of(row: wire.Appointment) -> str | None:
    """The encounter that began last; of those that do not say when, the last one told. [assumed]"""
    told = row.encounters or []
    if not told:
        return None
    starts_of = [_stamp(one.start) for one in told]
    latest = max(range(len(told)), key=lambda n: (starts_of[n] or datetime.min.replace(tzinfo=UTC), n))
    return str(told[latest].id)


def starts(row: wire.Appointment) -> datetime:
    """Raises RowFault."""
    found = instant(row.start, "$.start")
    if found is None:
        raise RowFault("$.start", "missing")
    return found


# --- who and what -----------------------------------------------------------------------------------------------------


def who_comes(row: wire.Patient) -> Who:
    """An animal is reached through its client, so its row carries their telephone, unless they declined that."""
    client = client_of(row.client) if row.client else None
    name = first_of((row.name,))
    patient = Patient(
        str(row.id),
        name or UNKNOWN_PATIENT,
        first_name=name,
        phone=client.phone if client else None,
        email=client.email if client else None,
        birth_date=birth_date(row.birth_date),
        species=first_of((row.species,)),
        breed=first_of((row.breed,)),
    )
    return Who(patient, client)


def client_of(row: wire.Client) -> Client:
    phones = [one for one in row.phone_numbers or () if first_of((one.value,))]
    ordered = (*(one.value for one in phones if one.preferred), *(one.value for one in phones))
    return Client(
        str(row.id),
        full_name(row.given_name, row.family_name) or UNKNOWN,
        first_of((row.given_name,)),
        first_of((row.family_name,)),
        None if row.decline_phone else first_of(ordered),
        None if row.decline_email else first_of((row.email,)),
    )


def practitioner(row: wire.Provider) -> Practitioner:
    name = first_of((row.name,)) or full_name(row.title, row.given_name, row.family_name)
    return Practitioner(
        str(row.id), name or UNKNOWN_PRACTITIONER, first_of((row.email,)), active=row.is_active is not False
    )


def appointment_type(row: wire.AppointmentType) -> AppointmentType:
    try:
        minutes = minutes_of(row.duration, "$.duration")
    except RowFault:
        minutes = None
    return AppointmentType(str(row.id), first_of((row.name,)) or UNKNOWN, minutes, first_of((row.color,)))


def minutes_of(value: float | None, path: str) -> int | None:
    """Whole minutes; nothing and less than nothing are None. Raises RowFault for an absurd figure."""
    if value is None or value <= 0:
        return None
    if value > _LONGEST_MINUTES:
        raise RowFault(path, "out_of_range")
    return round(value)


def birth_date(text: str | None) -> date | None:
    """What is no date is as good as none. [assumed]"""
    try:
        found = date.fromisoformat(text.strip()) if text else None
    except ValueError:
        return None
    return found if found and _FIRST_YEAR <= found.year <= _LAST_YEAR else None


# --- time -------------------------------------------------------------------------------------------------------------


def instant(text: str | None, path: str) -> datetime | None:
    """UTC. Stamps come without a zone and mean UTC (seen in code); that a start without one does too is [assumed].

    Raises RowFault.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise RowFault(path, "invalid") from None
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return at


def _stamp(text: str | None) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the booking out."""
    try:
        return instant(text, "$")
    except RowFault:
        return None
