"""When a connection is due next: rows the tick reads. Redis holds no schedule, so losing Redis loses none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain import schedule
from app.domain.window import zone_of
from app.errors import InvalidInput
from app.store.models import PmsConnection, Practice, SyncSchedule
from app.store.models.connection import ConnectionState

INTERVAL, NIGHTLY = "interval", "nightly"
#: The wide sweep, in the practice's zone: quiet for reception and for the vendor.
NIGHTLY_CRON = "30 2 * * *"
MIN_MINUTES, MAX_MINUTES = 1, 1440


def keep(session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> None:
    """Make or refresh the connection's schedules: today and tomorrow each interval, a wide sweep each night."""
    known = {row.kind: row for row in of_connection(session, connection.id)}
    interval = known.get(INTERVAL) or _new(connection, INTERVAL)
    interval.interval_minutes = connection.sync_frequency_minutes
    interval.days_before, interval.days_after = 0, 1
    interval.enabled, interval.next_due_at = True, now
    nightly = known.get(NIGHTLY) or _new(connection, NIGHTLY)
    nightly.cron, nightly.days_before, nightly.days_after, nightly.enabled = NIGHTLY_CRON, 7, 14, True
    spread = timedelta(seconds=schedule.offset_s(connection.id))
    nightly.next_due_at = schedule.next_cron(NIGHTLY_CRON, zone_of(practice.timezone), now) + spread
    session.add_all((interval, nightly))
    session.flush()


def _new(connection: PmsConnection, kind: str) -> SyncSchedule:
    return SyncSchedule(
        id=uuid4(), practice_id=connection.practice_id, pms_connection_id=connection.id, kind=kind, missed_slots=0
    )


def of_connection(session: Session, connection_id: UUID) -> Sequence[SyncSchedule]:
    return session.scalars(
        select(SyncSchedule).where(SyncSchedule.pms_connection_id == connection_id).order_by(SyncSchedule.kind)
    ).all()


def due(session: Session, now: datetime, limit: int = 200) -> Sequence[tuple[SyncSchedule, PmsConnection, Practice]]:
    """Schedules whose time has come, of connections that sync. What somebody else holds is passed over, not waited for:
    another dispatcher's rows, and connections somebody is deciding about (the next tick finds them).
    """
    rows = session.execute(
        select(SyncSchedule, PmsConnection, Practice)
        .join(PmsConnection, PmsConnection.id == SyncSchedule.pms_connection_id)
        .join(Practice, Practice.id == SyncSchedule.practice_id)
        .where(SyncSchedule.enabled, SyncSchedule.next_due_at <= now, PmsConnection.state == ConnectionState.ACTIVE)
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
        spread = timedelta(seconds=schedule.offset_s(row.pms_connection_id))
        slot, missed = schedule.next_cron_after(
            row.cron, zone_of(practice.timezone), row.next_due_at - spread, now - spread
        )
        row.next_due_at = slot + spread
    row.missed_slots += missed


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
