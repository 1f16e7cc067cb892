"""A practice's hours, slot length, rooms and providers; and what is free on a day, in a handful of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from app.domain import opening
from app.domain.opening import Opening, Period
from app.domain.rules import Cause
from app.domain.slots import Free, Taken, free_slots
from app.domain.status import Status, shown
from app.domain.window import zone_of
from app.errors import InvalidInput
from app.store import runsheet, timetables
from app.store.models import Appointment, Clinician, ClinicianMapping, Practice, RunSheet, ScheduleConfig
from app.store.models.runsheet import RowKind

#: What a sweep met and did not keep, though it takes somebody's time.
_NOT_KEPT = frozenset({Cause.NOT_TELEHEALTH, Cause.TYPE_OFF, Cause.CLINICIAN_OFF, Cause.BLOCK})


@dataclass(frozen=True, slots=True)
class FreeDay:
    """What is free on a day, and how far that can be believed.

    read_at: when the oldest part of the day was last read from the PMS; None where nothing of it ever was. left_out:
    appointments of the PMS that are not kept here, because they are no telehealth for example: their time may be taken.
    unassigned: kept ones of practitioners without a clinician, which take nobody's time here.
    """

    day: date
    opening: Opening
    names: dict[UUID, str]
    free: Free
    read_at: datetime | None
    left_out: int
    unassigned: int


def of(session: Session, practice_id: UUID) -> Opening:
    """As configured; closed every day where nobody said otherwise. Raises InvalidInput where SQL wrote nonsense."""
    row = session.get(ScheduleConfig, practice_id, populate_existing=True)
    if row is None:
        return Opening()
    return opening.opening_of(row.business_hours, row.slot_minutes, row.rooms, row.providers)


def change(
    session: Session,
    practice: Practice,
    *,
    hours: dict[str, list[Period]] | None = None,
    slot_minutes: int | None = None,
    rooms: Sequence[str] | None = None,
    providers: Sequence[UUID] | None = None,
    everybody: bool = False,
) -> Opening:
    """Change what is given; `hours` replaces the days it names. Raises InvalidInput, with nothing changed.

    everybody: every active clinician provides, also those to come.
    """
    row = timetables.config_of(session, practice.id)
    made: dict[str, Any] = {}
    if hours is not None:
        before = opening.hours_of(row.business_hours) if isinstance(row.business_hours, dict) else {}
        made["business_hours"] = opening.as_json({**before, **hours})
    if slot_minutes is not None:
        made["slot_minutes"] = opening.slot_of(slot_minutes)
    if rooms is not None:
        made["rooms"] = opening.rooms_of(list(rooms))
    if everybody:
        made["providers"] = None
    elif providers is not None:
        known = {column.id for column in runsheet.columns_of(session, practice.id)}
        if strangers := [one for one in providers if one not in known]:
            raise InvalidInput({"providers": f"{strangers[0]} is not a clinician of this practice."})
        made["providers"] = [str(one) for one in dict.fromkeys(providers)]
    for name, value in made.items():
        setattr(row, name, value)
        flag_modified(row, name)
    session.flush()
    return of(session, practice.id)


def adopt(session: Session, practice_id: UUID, told: Opening) -> None:
    """Take over what the PMS tells of hours and rooms where the practice has none; what is configured stands.

    The slot's length comes with the hours, unless somebody has chosen one.
    """
    row = session.get(ScheduleConfig, practice_id, populate_existing=True)
    hours = told.hours and (row is None or row.business_hours in (None, {}))
    rooms = told.rooms and (row is None or row.rooms in (None, []))
    if not hours and not rooms:
        return
    row = row or timetables.config_of(session, practice_id)
    if hours:
        row.business_hours = opening.as_json(told.hours)
        if row.slot_minutes == Opening().slot_minutes:
            row.slot_minutes = told.slot_minutes
    if rooms:
        row.rooms = list(told.rooms)
    session.flush()


def free_on(session: Session, practice: Practice, day: date) -> FreeDay:
    """The free slots of a day by clinician and room. Raises InvalidInput where the configuration cannot be read."""
    zone = zone_of(practice.timezone)
    configured = of(session, practice.id)
    people = {column.id: column.name for column in runsheet.columns_of(session, practice.id) if column.id is not None}
    if configured.providers is not None:
        people = {one: people[one] for one in configured.providers if one in people}
    rows = list(_rows(session, practice.id, day))
    swept, account = runsheet.sweeps_of(session, practice.id, day)
    # Rows that a choice hides take their time all the same, and are known: only what is not kept here is left out.
    known = sum(row.hidden_cause is not None for row in rows if row.day == day)
    unseen = sum(count for cause, count in account.hidden.items() if cause in _NOT_KEPT) - known
    taken = [_taken(row, configured.rooms) for row in rows]
    return FreeDay(
        day=day,
        opening=configured,
        names=people,
        free=free_slots(day, zone, configured, list(people), taken),
        read_at=min(swept.values(), default=None),
        left_out=max(0, unseen),
        unassigned=sum(one.takes() and not one.is_block and one.clinician_id is None for one in taken),
    )


def _rows(session: Session, practice_id: UUID, day: date) -> Sequence[Any]:
    """What is kept of the day, and of the one before: it may last past midnight."""
    mapped = and_(
        ClinicianMapping.pms_connection_id == Appointment.pms_connection_id,
        ClinicianMapping.pms_practitioner_id == Appointment.pms_practitioner_id,
    )
    clinician = func.coalesce(Appointment.clinician_id, ClinicianMapping.run_sheet_clinician_id)
    return session.execute(
        select(
            RunSheet.day,
            Appointment.kind,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.appointment_duration_minutes,
            Appointment.pms_status,
            Appointment.pms_status_changed_at,
            Appointment.staff_status,
            Appointment.staff_status_at,
            Appointment.staff_decided_on,
            Appointment.location,
            Appointment.hidden_cause,
            Appointment.removed_at,
            Clinician.id,
            Clinician.room,
        )
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .outerjoin(ClinicianMapping, mapped)
        .outerjoin(Clinician, Clinician.id == clinician)
        .where(RunSheet.practice_id == practice_id, RunSheet.day.in_((day - timedelta(days=1), day)))
    ).all()


def _taken(row: Any, rooms: Sequence[str]) -> Taken:
    """A row as what it takes. Its room is the one it names, else its clinician's own."""
    stands = shown(
        pms=None if row.pms_status is None else Status(row.pms_status),
        pms_changed_at=row.pms_status_changed_at,
        staff=None if row.staff_status is None else Status(row.staff_status),
        staff_at=row.staff_status_at,
        decided_on=row.staff_decided_on,
    )
    named = {room.casefold() for room in rooms}
    where = row.location if row.location and row.location.casefold() in named else row.room
    return Taken(
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        minutes=row.appointment_duration_minutes,
        clinician_id=row.id,
        room=where,
        is_block=row.kind == RowKind.BLOCK,
        status=stands.status,
        gone=row.removed_at is not None,
    )
