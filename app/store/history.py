"""The diary of syncs, read: a practice's runs, one run, its phases."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.store.models import SyncPhase, SyncRun
from app.store.models.sync import RunState


def run(session: Session, run_id: UUID) -> SyncRun | None:
    """A run by its id, fresh from the database. For the engine; pages ask `run_of`."""
    return session.get(SyncRun, run_id, populate_existing=True)


def run_of(session: Session, practice_id: UUID, run_id: UUID) -> SyncRun:
    """A run of this practice. Raises NotFound, also for another practice's."""
    found = session.scalars(
        select(SyncRun).where(SyncRun.id == run_id, SyncRun.practice_id == practice_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such sync in this practice.")
    return found


def phases_of(session: Session, run_id: UUID) -> Sequence[SyncPhase]:
    return session.scalars(select(SyncPhase).where(SyncPhase.sync_run_id == run_id).order_by(SyncPhase.position)).all()


def recent(
    session: Session, practice_id: UUID, connection_id: UUID | None = None, limit: int = 50, offset: int = 0
) -> Sequence[SyncRun]:
    """The runs of a practice (of one connection), newest first."""
    query = select(SyncRun).where(SyncRun.practice_id == practice_id)
    if connection_id is not None:
        query = query.where(SyncRun.pms_connection_id == connection_id)
    return session.scalars(query.order_by(SyncRun.requested_at.desc(), SyncRun.id).limit(limit).offset(offset)).all()


def unfinished(session: Session, connection_id: UUID) -> SyncRun | None:
    """The run that is running, else the one that waits."""
    return session.scalars(
        select(SyncRun)
        .where(SyncRun.pms_connection_id == connection_id, SyncRun.state.in_((RunState.RUNNING, RunState.QUEUED)))
        .order_by(SyncRun.state.desc())  # "running" sorts after "queued"
        .limit(1)
    ).one_or_none()
