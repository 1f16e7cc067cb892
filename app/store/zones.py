"""A practice's time zone, corrected: sheets and slots follow, at once or at the next tick."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, null, or_, select, update
from sqlalchemy.orm import Session

from app.domain.window import day_of, day_start, zone_of
from app.store import appointments, connections, schedules
from app.store.models import Appointment, Practice, RunSheet, Sweep, SyncRun
from app.store.models.sync import RunState

#: Rows moved with one statement.
_AT_ONCE = 500


def follow(session: Session, practice: Practice, was: str, now: datetime) -> None:
    """Bring today's and later sheets to the practice's present zone; `was` is the zone they were made in.

    Past days keep what they showed. What was swept as a day of the old zone is no whole day of the new one, so those
    days count as not read until the next sweep, which is due at once. Call it with the practice's connections held.
    """
    old, new = zone_of(was), zone_of(practice.timezone)
    first = min(day_of(now, old), day_of(now, new))
    since = min(day_start(first, old), day_start(first, new))
    rows = session.execute(
        select(Appointment.id, Appointment.starts_at, RunSheet.day)
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(Appointment.practice_id == practice.id, Appointment.starts_at >= since)
    )
    moves: dict[date, list[UUID]] = defaultdict(list)
    for row_id, starts_at, day in rows:
        if (belongs := day_of(starts_at, new)) != day:
            moves[belongs].append(row_id)
    sheets = appointments.ensure_sheets(session, practice.id, moves)
    for day, ids in moves.items():
        for start in range(0, len(ids), _AT_ONCE):
            session.execute(
                update(Appointment)
                .where(Appointment.id.in_(ids[start : start + _AT_ONCE]))
                .values(run_sheet_id=sheets[day], row_version=Appointment.row_version + 1)
            )
    touched = session.scalars(
        select(RunSheet.id).where(RunSheet.practice_id == practice.id, RunSheet.day >= min([first, *moves]))
    )
    appointments.raise_versions(session, list(touched))
    session.execute(delete(Sweep).where(Sweep.practice_id == practice.id, Sweep.day >= first))
    # Half-read windows were other stretches of time than the same days are now.
    session.execute(
        update(SyncRun)
        .where(SyncRun.practice_id == practice.id, SyncRun.state != RunState.RUNNING)
        .where(or_(SyncRun.completed_at.is_(None), SyncRun.completed_at > now - timedelta(days=1)))
        .values(checkpoint=null())
    )
    for connection in connections.of_practice(session, practice.id):
        schedules.make_due(session, connection.id, now)
