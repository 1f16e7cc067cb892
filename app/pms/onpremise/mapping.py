"""Entries in the house's words. Pure.

Source: pms/cornerstone-avimark.md §5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment, Patient
from app.domain.names import clip, first_of
from app.domain.status import Status
from app.domain.window import from_wall
from app.pms.onpremise.feed import UNKNOWN, UNKNOWN_PATIENT, Entry, provider_of
from app.pms.onpremise.preset import Preset, plain


def appointment(entry: Entry, zone: ZoneInfo, preset: Preset, words: Mapping[str, str]) -> Appointment:
    """One booking. zone: the practice's, in which times are read where a row names no other."""
    zone = entry.zone or zone
    starts_at, doubt = from_wall(entry.starts, zone)
    ends_at, minutes = _length(entry, starts_at, zone)
    who = provider_of(entry.provider_code, entry.provider_name)
    return Appointment(
        external_id=entry.external_id,
        starts_at=starts_at,
        ends_at=ends_at,
        minutes=minutes,
        status=status_of(entry, preset, words),
        raw_status=entry.status,
        practitioner_id=who.external_id,
        practitioner_name=who.full_name,
        patients=patients(entry),
        type_id=first_of((entry.type_code, entry.type_name)),
        type_name=first_of((entry.type_name, entry.type_code)) or UNKNOWN,
        comment=clip("\n".join(text.strip() for text in (entry.why, entry.notes) if text)),
        arrived_at=None if entry.arrived is None else from_wall(entry.arrived, zone)[0],
        location_id=entry.site,
        client=entry.client,
        room=entry.room,
        time_doubt=doubt,
        changed_at=entry.changed_at,
    )


def status_of(entry: Entry, preset: Preset, words: Mapping[str, str]) -> Status:
    """Our word. What the practice has explained comes first; a word nobody knows stays UNKNOWN.

    [assumed] A row on the schedule without any word is booked; a booking that was confirmed is that.
    """
    if not entry.status:
        found = Status.BOOKED
    elif entry.status in words:
        try:
            return Status(words[entry.status])
        except ValueError:
            return Status.UNKNOWN
    else:
        found = preset.statuses.get(plain(entry.status), Status.UNKNOWN)
    return Status.CONFIRMED if found is Status.BOOKED and entry.confirmed else found


def patients(entry: Entry) -> tuple[Patient, ...]:
    """The animal, reached through its client. A client alone is a first visit, kept under the client's name."""
    client = entry.client
    if entry.is_block or (entry.patient is None and client is None):
        return ()
    if entry.patient is None:
        assert client is not None
        # In a name space of its own: both systems number clients and animals apart, so the figures may meet.
        first_visit = Patient(f"client:{client.external_id}", client.full_name or UNKNOWN_PATIENT)
        return (replace(first_visit, phone=client.phone, email=client.email),)
    if client is None:
        return (entry.patient,)
    return (replace(entry.patient, phone=client.phone, email=client.email),)


def _length(entry: Entry, starts_at: datetime, zone: ZoneInfo) -> tuple[datetime | None, int | None]:
    """End and minutes; a length that nobody gave is not guessed."""
    if entry.minutes is not None:
        return starts_at + timedelta(minutes=entry.minutes), entry.minutes
    if entry.ends is None:
        return None, None
    ends_at = from_wall(entry.ends, zone)[0].astimezone(UTC)
    return (ends_at, round((ends_at - starts_at).total_seconds() / 60)) if ends_at > starts_at else (None, None)
