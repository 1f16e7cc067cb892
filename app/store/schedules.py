"""When a connection is due next: rows the tick reads. Redis holds no schedule, so losing Redis loses none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.domain import schedule
from app.domain.turns import MOST_QUEUED
from app.domain.window import zone_of
from app.errors import InvalidInput
from app.store.models import ClinicianMapping, PmsConnection, Practice, ScheduleConfig, SyncRun, SyncSchedule
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState

INTERVAL, NIGHTLY, NEAR = "interval", "nightly", "near"
#: The wide sweep, in the practice's zone: quiet for reception and for the vendor.
NIGHTLY_CRON = "30 2 * * *"
MIN_MINUTES, MAX_MINUTES = 1, 1440


def keep(session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> None:
    """Make or refresh the connection's schedules: today and tomorrow each interval, a wide sweep each night.

    The practice's own lines follow at the next tick.
    """
    known = {row.kind: row for row in of_connection(session, connection.id)}
    interval = known.get(INTERVAL) or new_row(connection, INTERVAL)
    interval.interval_minutes = connection.sync_frequency_minutes
    interval.days_before, interval.days_after = 0, 1
    interval.enabled, interval.off_reason, interval.next_due_at = True, None, now
    nightly = known.get(NIGHTLY) or new_row(connection, NIGHTLY)
    nightly.cron, nightly.days_before, nightly.days_after = NIGHTLY_CRON, 7, 14
    nightly.enabled, nightly.off_reason = True, None
    spread = _spread(nightly)
    nightly.next_due_at = schedule.next_cron(NIGHTLY_CRON, zone_of(practice.timezone), now) + spread
    session.add_all((interval, nightly))
    session.flush()
    session.execute(
        update(ScheduleConfig).where(ScheduleConfig.practice_id == practice.id).values(derived_from=None),
        execution_options={"synchronize_session": False},
    )


def new_row(connection: PmsConnection, kind: str) -> SyncSchedule:
    return SyncSchedule(
        id=uuid4(), practice_id=connection.practice_id, pms_connection_id=connection.id, kind=kind, missed_slots=0
    )


def of_connection(session: Session, connection_id: UUID) -> Sequence[SyncSchedule]:
    return session.scalars(
        select(SyncSchedule).where(SyncSchedule.pms_connection_id == connection_id).order_by(SyncSchedule.kind)
    ).all()


def due(session: Session, now: datetime, limit: int = 200) -> Sequence[tuple[SyncSchedule, PmsConnection, Practice]]:
    """Schedules whose time has come, of connections that sync. What somebody else holds is passed over, not waited for:
    another dispatcher's rows, and connections somebody is deciding about (the next tick finds them). Those of a
    practice with as many runs waiting as it may have stay due.
    """
    full = (
        select(SyncRun.practice_id)
        .where(SyncRun.state == RunState.QUEUED)
        .group_by(SyncRun.practice_id)
        .having(func.count() >= MOST_QUEUED)
    )
    rows = session.execute(
        select(SyncSchedule, PmsConnection, Practice)
        .join(PmsConnection, PmsConnection.id == SyncSchedule.pms_connection_id)
        .join(Practice, Practice.id == SyncSchedule.practice_id)
        .where(SyncSchedule.enabled, SyncSchedule.next_due_at <= now, PmsConnection.state == ConnectionState.ACTIVE)
        .where(SyncSchedule.practice_id.not_in(full))
        .order_by(SyncSchedule.next_due_at)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True, of=(SyncSchedule, PmsConnection))
    )
    return [(row[0], row[1], row[2]) for row in rows]


def advance(row: SyncSchedule, practice: Practice, now: datetime) -> None:
    """Move a schedule past `now`; missed slots are counted and caught up by one run."""
    if row.interval_minutes is not None:
        row.next_due_at, missed = schedule.next_interval(row.next_due_at, row.interval_minutes, now)
    else:
        assert row.cron is not None
        spread, zone = _spread(row), zone_of(practice.timezone)
        taken = row.next_due_at - spread
        slot, missed = schedule.next_cron_after(row.cron, zone, taken, now - spread)
        row.next_due_at, row.last_local = slot + spread, schedule.local_of(taken, zone)
    row.missed_slots += missed


def reckon(row: SyncSchedule, practice: Practice, now: datetime) -> None:
    """The next slot of a cron row whose line or zone is another one now. What it missed before is not made up."""
    assert row.cron is not None
    spread = _spread(row)
    slot = schedule.next_cron_anew(row.cron, zone_of(practice.timezone), now - spread, row.last_local)
    row.next_due_at = slot + spread


def _spread(row: SyncSchedule) -> timedelta:
    """How long after its cron slot a row comes due."""
    if row.kind == NIGHTLY:
        return timedelta(seconds=schedule.offset_s(row.pms_connection_id))
    return schedule.offset_of(row.pms_connection_id, row.kind)


def make_due(session: Session, connection_id: UUID, at: datetime) -> None:
    """Bring the ordinary sweep forward: something the practice changed should show soon."""
    for row in of_connection(session, connection_id):
        if row.kind == INTERVAL and row.next_due_at > at:
            row.next_due_at = at


def not_before(session: Session, connection_id: UUID, at: datetime) -> None:
    """The vendor asked for a pause: nothing is due before it is over."""
    for row in of_connection(session, connection_id):
        row.next_due_at = max(row.next_due_at, at)


def next_due(session: Session, connection_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """The next time anything of each connection is due."""
    rows = session.execute(
        select(SyncSchedule.pms_connection_id, SyncSchedule.next_due_at)
        .where(SyncSchedule.pms_connection_id.in_(connection_ids), SyncSchedule.enabled)
        .order_by(SyncSchedule.next_due_at.desc())
    )
    return {row.pms_connection_id: row.next_due_at for row in rows}


def change_interval(session: Session, connection: PmsConnection, minutes: int, now: datetime) -> None:
    """Takes effect at the next tick, without a restart. Raises InvalidInput."""
    if not MIN_MINUTES <= minutes <= MAX_MINUTES:
        raise InvalidInput({"minutes": f"Choose from {MIN_MINUTES} to {MAX_MINUTES} minutes."})
    connection.sync_frequency_minutes = minutes
    for row in of_connection(session, connection.id):
        if row.kind == INTERVAL:
            row.interval_minutes = minutes
            row.next_due_at = min(row.next_due_at, now + timedelta(minutes=minutes))


# --- the narrow sweep -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nearable:
    """A connection, as far as it matters to how often today is read in between. near_minutes: as it is now."""

    connection_id: UUID
    pms_type: str
    environment: str
    interval_minutes: int
    syncs: bool
    near_minutes: int | None
    practitioners: int


def nearable(session: Session) -> list[Nearable]:
    """Every active connection with an interval, and every other one that still has a narrow sweep."""
    swept = (
        select(ClinicianMapping.pms_connection_id, func.count().label("n"))
        .where(ClinicianMapping.sync_enabled, ClinicianMapping.active)
        .group_by(ClinicianMapping.pms_connection_id)
        .subquery()
    )
    interval, near = aliased(SyncSchedule), aliased(SyncSchedule)
    rows = session.execute(
        select(
            PmsConnection.id,
            PmsConnection.pms_type,
            PmsConnection.environment,
            PmsConnection.sync_frequency_minutes,
            PmsConnection.state,
            interval.enabled,
            near.interval_minutes,
            swept.c.n,
        )
        .join(interval, and_(interval.pms_connection_id == PmsConnection.id, interval.kind == INTERVAL))
        .outerjoin(near, and_(near.pms_connection_id == PmsConnection.id, near.kind == NEAR))
        .outerjoin(swept, swept.c.pms_connection_id == PmsConnection.id)
        .where(or_(PmsConnection.state == ConnectionState.ACTIVE, near.id.is_not(None)))
    )
    return [
        Nearable(id_, pms, environment, minutes, state == ConnectionState.ACTIVE and on, every, people or 0)
        for id_, pms, environment, minutes, state, on, every, people in rows
    ]


def set_near(
    session: Session, connection: PmsConnection, minutes: int | None, phases: Sequence[str], now: datetime
) -> None:
    """Read today every so many minutes in between, or no more. It touches no other schedule."""
    row = next((one for one in of_connection(session, connection.id) if one.kind == NEAR), None)
    if minutes is None:
        if row is not None:
            session.delete(row)
        return
    if row is None:
        row = new_row(connection, NEAR)
        session.add(row)
    row.interval_minutes, row.phases = minutes, list(phases)
    row.days_before = row.days_after = 0
    row.enabled, row.off_reason = True, None
    spread = timedelta(seconds=schedule.offset_s(connection.id, 60 * minutes))
    row.next_due_at = now + timedelta(minutes=minutes) + spread
