"""Neo's records in the house's words. Pure: what a row only names is looked up in what is handed in.

Source: pms/idexx-neo.md §3. What is [assumed] there stands behind one name here, to be put right in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment, AppointmentType, Client, Patient, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.window import Doubt, from_wall
from app.pms.idexx_neo import wire
from app.pms.idexx_neo.coerce import Id, ident, instant, wall, words
from app.pms.idexx_neo.status import status_of
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
_LONGEST_MINUTES = 60 * 24 * 366

#: (what a row names, the row) -> its id; None where nobody can say.
Named = Callable[[str, wire.Row], str | None]


@dataclass(frozen=True, slots=True)
class Context:
    """How to read a clinic's rows: its zone, its people and types by name, the words the practice has explained."""

    zone: ZoneInfo
    provider_id: Named
    type_id: Named
    status_words: Mapping[str, str] = field(default_factory=dict)


def needed_id(row: wire.Row) -> str:
    found = ident(row.appointment_id, "$.appointment_id") or ident(row.id, "$.id")
    if found is None:
        raise RowFault("$.appointment_id", "missing")
    return found


def starts_at(row: wire.Row, zone: ZoneInfo) -> tuple[datetime, Doubt | None]:
    found = instant(row.start, zone, "$.start")
    if found is None:
        raise RowFault("$.start", "missing")
    return found


def appointment(row: wire.Row, context: Context) -> Appointment:
    """One booking, or a block: then nobody comes. Raises RowFault, and whatever a look-up in `context` raises."""
    begins, doubt = starts_at(row, context.zone)
    ends, minutes = length(row, begins, doubt, context.zone)
    is_block = bool(row.is_block)
    word = first_of((row.current_status, row.status_label))
    provider, kind = words(row.provider), words(row.type_description)
    patient, client = (None, None) if is_block else people(row)
    arrived = instant(row.arrival_date_time, context.zone, "$.arrival_date_time")
    return Appointment(
        needed_id(row),
        begins,
        ends,
        minutes,
        status_of(word, row.confirmed_status, context.status_words),
        word,
        (context.provider_id(provider, row) or "") if provider else "",
        provider or UNKNOWN_PRACTITIONER,
        (patient,) if patient else (),
        type_id=context.type_id(kind, row) if kind else None,
        type_name=kind or UNKNOWN,
        comment=clip(row.title if is_block else row.reason),
        arrived_at=arrived[0] if arrived else None,
        client=client,
        consultation_id=ident(row.consultation_id, "$.consultation_id"),
        room=words(row.appointment_room_name) or words(row.resource_id),
        time_doubt=doubt,
        changed_at=_changed_at(row, context.zone),
    )


def length(row: wire.Row, begins: datetime, doubt: Doubt | None, zone: ZoneInfo) -> tuple[datetime | None, int | None]:
    """End and minutes. Both ends are wall times: between two that are certain the time that passes counts, also over a
    clock change; where the start is doubtful, what the clocks show (seen in code: odis/lib).

    An end before the start says nothing.
    """
    end = wall(row.end, "$.end")
    if end is None:
        return None, None
    start = wall(row.start, "$.start")
    assert start is not None, "a row that has a start"
    ends = from_wall(end, zone)[0] if doubt is None else begins + (end - start)
    minutes = round((ends - begins).total_seconds() / 60)
    if minutes > _LONGEST_MINUTES:
        raise RowFault("$.end", "out_of_range")
    return (ends, minutes) if minutes > 0 else (None, None)


def people(row: wire.Row) -> tuple[Patient, Client | None]:
    """The animal and who answers for it; an animal is reached through its client, so its row carries their phone.

    A row without an animal that is no block is a client's first visit, its animal not entered yet [assumed]: it is
    kept, under the client's name, and its patient has no id.
    """
    phone, email = words(row.phone_number), words(row.email)
    first, last = words(row.first_name), words(row.last_name)
    name, called = full_name(first, last), words(row.patient_name)
    client_id = ident(row.client_id, "$.client_id")
    client = Client(client_id, name or UNKNOWN, first, last, phone, email) if client_id else None
    id_ = ident(row.patient_id, "$.patient_id") or ""
    return Patient(id_, called or name or UNKNOWN_PATIENT, called, phone=phone, email=email), client


def _changed_at(row: wire.Row, zone: ZoneInfo) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the booking out."""
    try:
        found = instant(row.last_updated_at, zone, "$.last_updated_at")
    except RowFault:
        return None
    return found[0] if found else None


# --- one appointment by its id ----------------------------------------------------------------------------------------


def row_of(detail: wire.Detail) -> wire.Row:
    """The row the calendar would show, where it shows none: cancelled ones may be hidden there by a setting."""
    patient = detail.patient or wire.DetailPatient()
    client = patient.client or wire.DetailClient()
    return wire.Row(
        detail.start_at_local,
        detail.id,
        end=detail.end_at_local,
        patient_id=patient.id,
        patient_name=patient.name,
        client_id=client.id,
        first_name=client.first_name,
        last_name=client.last_name,
        email=client.email,
        phone_number=phone_of(client),
        provider=detail.provider.name if detail.provider else None,
        type_description=detail.appointment_type.name if detail.appointment_type else None,
        title=detail.notes,
        reason=detail.notes,
        current_status=detail.status or ("cancelled" if detail.cancelled_reason else None),
        appointment_room_name=detail.appointment_room.name if detail.appointment_room else None,
        is_block=detail.block,
    )


def phone_of(client: wire.DetailClient) -> Id:
    """Mobile before home (seen in code: odis/ext)."""
    return client.mobile_phone or client.home_phone


def patient(told: wire.DetailPatient) -> Patient:
    """An animal as a search tells of it. Raises RowFault."""
    id_ = ident(told.id, "$.id")
    if id_ is None:
        raise RowFault("$.id", "missing")
    client, name = told.client or wire.DetailClient(), words(told.name)
    made = Patient(id_, name or UNKNOWN_PATIENT, name, phone=words(phone_of(client)), email=words(client.email))
    return replace(made, species=named(told.species), breed=named(told.breed))


def named(value: wire.Named | str | None) -> str | None:
    """A name that is a text in one endpoint and an object in another."""
    return words(value.name if isinstance(value, wire.Named) else value)


# --- who and what -----------------------------------------------------------------------------------------------------


def practitioner(told: wire.Provider) -> Practitioner:
    """Who is not said to have left works here."""
    id_ = ident(told.id, "$.id")
    if id_ is None:
        raise RowFault("$.id", "missing")
    works_here = told.active is None or bool(told.active)
    return Practitioner(id_, words(told.name) or UNKNOWN_PRACTITIONER, words(told.email), works_here)


def appointment_type(told: wire.AppointmentType, slot_minutes: int | None) -> AppointmentType:
    """`duration` counts slots: 1 is one slot of the book [assumed], so it says nothing without the slot's length."""
    id_ = ident(told.id, "$.id")
    if id_ is None:
        raise RowFault("$.id", "missing")
    minutes = None
    if slot_minutes and isinstance(told.duration, int) and 0 < told.duration * slot_minutes <= 24 * 60:
        minutes = int(timedelta(minutes=told.duration * slot_minutes).total_seconds() // 60)
    return AppointmentType(id_, words(told.name) or UNKNOWN, minutes, told.color)
