"""How many runs each practice has, and which of those that wait have their turn."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.domain.turns import Lane, Waiting, turns
from app.store.models import SyncRun
from app.store.models.sync import AWAITED, RunState


def due(session: Session, now: datetime, practice_id: UUID | None = None) -> list[tuple[UUID, Lane]]:
    """Queued runs that must have a job in Redis now, each with its lane; of one practice, or of all.

    A background run whose connection is busy has no turn: it gets one when the run before it has ended.
    """
    busy = select(SyncRun.pms_connection_id).where(SyncRun.state == RunState.RUNNING)
    waiting = (
        select(SyncRun.id, SyncRun.practice_id, SyncRun.trigger)
        .where(SyncRun.state == RunState.QUEUED, or_(SyncRun.not_before.is_(None), SyncRun.not_before <= now))
        .where(or_(SyncRun.trigger.in_(AWAITED), SyncRun.pms_connection_id.not_in(busy)))
        .order_by(SyncRun.requested_at, SyncRun.id)
    )
    if practice_id is not None:
        waiting = waiting.where(SyncRun.practice_id == practice_id)
    rows = [Waiting(id_, practice, trigger in AWAITED) for id_, practice, trigger in session.execute(waiting)]
    return turns(rows, running(session, practice_id))


def queued(session: Session) -> Counter[UUID]:
    """How many runs of each practice wait, also for a later time."""
    return _count(session, RunState.QUEUED)


def running(session: Session, practice_id: UUID | None = None) -> Counter[UUID]:
    """How many runs of each practice are being carried out."""
    return _count(session, RunState.RUNNING, practice_id)


def _count(session: Session, state: RunState, practice_id: UUID | None = None) -> Counter[UUID]:
    counted = select(SyncRun.practice_id, func.count()).where(SyncRun.state == state).group_by(SyncRun.practice_id)
    if practice_id is not None:
        counted = counted.where(SyncRun.practice_id == practice_id)
    return Counter({row[0]: row[1] for row in session.execute(counted)})
