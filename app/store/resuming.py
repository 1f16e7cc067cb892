"""Where a run goes on that another one left unfinished."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.store.models import SyncRun
from app.store.models.sync import Trigger

#: A run that was cut short keeps its checkpoint; the next one of the same window goes on from it for this long, and
#: one that a person asked for only while nobody would call what was read "old".
RESUME_WITHIN = timedelta(hours=2)
RESUME_FOR_A_PERSON = timedelta(minutes=10)
#: In a checkpoint: how many runs in a row were cut short.
IN_A_ROW = "inARow"


def left_over(session: Session, run: SyncRun, now: datetime) -> dict[str, Any] | None:
    """The checkpoint a run that starts now goes on from: of the run it follows, else of the connection's last one.

    Only where that one was cut short on this same window; of a phase with days of its own, on those. A full re-read
    that somebody asks for goes on from nothing.
    """
    if run.full and run.retry_of is None:
        return None
    patient = run.trigger in (Trigger.SCHEDULE, Trigger.RETRY)
    since = now - (RESUME_WITHIN if patient else RESUME_FOR_A_PERSON)
    ended = select(SyncRun).where(SyncRun.pms_connection_id == run.pms_connection_id, SyncRun.completed_at > since)
    if run.retry_of is not None:
        last = session.scalars(ended.where(SyncRun.id == run.retry_of)).one_or_none()
    else:
        last = session.scalars(ended.order_by(SyncRun.completed_at.desc()).limit(1)).one_or_none()
    if last is None or not last.checkpoint or last.full != run.full:
        return None
    if (last.window_from, last.window_to) == (run.window_from, run.window_to):
        return dict(last.checkpoint)
    own, before = run.own_windows or {}, last.own_windows or {}
    kept = {phase for phase, days in own.items() if before.get(phase) == days and phase in last.checkpoint}
    return {name: last.checkpoint[name] for name in (*kept, IN_A_ROW) if name in last.checkpoint} if kept else None
