"""The diary of syncs: a phase is filed, a practice's runs and their phases are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.store.models import SyncPhase, SyncRun
from app.store.models.sync import RunState


def file_phase(session: Session, run_id: UUID, phase: str, position: int, **columns: Any) -> None:
    """The audit record of one phase; filed again when a run that was put back repeats it or goes on with it."""
    session.execute(delete(SyncPhase).where(SyncPhase.sync_run_id == run_id, SyncPhase.phase == phase))
    session.execute(insert(SyncPhase).values(id=uuid4(), sync_run_id=run_id, phase=phase, position=position, **columns))


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


def phases_of_all(session: Session, run_ids: Collection[UUID]) -> dict[UUID, list[SyncPhase]]:
    """The phases of several runs, in one statement."""
    found: dict[UUID, list[SyncPhase]] = {run_id: [] for run_id in run_ids}
    query = select(SyncPhase).where(SyncPhase.sync_run_id.in_(run_ids)).order_by(SyncPhase.position)
    for phase in session.scalars(query) if run_ids else ():
        found[phase.sync_run_id].append(phase)
    return found


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


def listed(
    session: Session,
    practice_id: UUID,
    *,
    connection_id: UUID | None = None,
    states: Collection[RunState] = (),
    limit: int = 50,
    offset: int = 0,
) -> Sequence[SyncRun]:
    """As `recent`, of these outcomes only; none named means all."""
    query = select(SyncRun).where(SyncRun.practice_id == practice_id)
    if connection_id is not None:
        query = query.where(SyncRun.pms_connection_id == connection_id)
    if states:
        query = query.where(SyncRun.state.in_(states))
    return session.scalars(query.order_by(SyncRun.requested_at.desc(), SyncRun.id).limit(limit).offset(offset)).all()


def successor_of(session: Session, run_id: UUID) -> SyncRun | None:
    """The run that took this one up again after its process was lost."""
    return session.scalars(
        select(SyncRun).where(SyncRun.retry_of == run_id).order_by(SyncRun.requested_at).limit(1)
    ).one_or_none()
