"""The run table as a queue, a lock and a diary: request, claim, beat, finish, and what is done about the lost.

The row is the truth; a Redis job is only a nudge to look at it. Whoever wins the conditional update from `queued` to
`running` owns the run, and proves it in every page transaction with `beat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import CursorResult, Table, bindparam, select, update
from sqlalchemy.orm import Session

from app.domain.turns import MOST_RUNNING
from app.errors import RunsheetError
from app.store import connections, practices, resuming, turns
from app.store.db import Base
from app.store.models import PmsConnection, SyncRun
from app.store.models.connection import ConnectionState
from app.store.models.sync import AWAITED, RunState, Trigger

LEASE = timedelta(seconds=120)
MAX_ATTEMPTS = 3
#: A press of Sync now this soon after a complete run is answered with that run.
JUST_DONE = timedelta(seconds=10)
#: The conditional update of every page. Made once: building it costs more than running it.
_RUNS: Table = Base.metadata.tables[SyncRun.__tablename__]
_OURS = update(_RUNS).where(
    _RUNS.c.id == bindparam("run"), _RUNS.c.fence == bindparam("held"), _RUNS.c.state == RunState.RUNNING.value
)


class LeaseLost(RunsheetError):
    """Somebody else owns this run now; whatever the present transaction holds must be rolled back."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants synced. begins_anew: what has begun already, or has just ended, is no answer to it."""

    practice_id: UUID
    connection_id: UUID
    phases: tuple[str, ...]
    window_from: date
    window_to: date
    trigger: Trigger
    requested_by: UUID | None = None
    full: bool = False
    slot_utc: datetime | None = None
    begins_anew: bool = False

    @property
    def sync_type(self) -> str:
        if self.full:
            return "full"
        return "manual" if self.trigger in (Trigger.MANUAL, Trigger.COMMAND) else "incremental"


@dataclass(frozen=True, slots=True)
class Answer:
    """Which run answers an ask. `joined`: it was there already."""

    run_id: UUID
    state: RunState
    joined: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that is ours until `beat` says otherwise."""

    run_id: UUID
    practice_id: UUID
    connection_id: UUID
    fence: int
    phases: tuple[str, ...]
    window_from: date
    window_to: date
    trigger: Trigger
    full: bool
    attempt: int
    requested_by: UUID | None
    checkpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def manual(self) -> bool:
        return self.trigger in (*AWAITED, Trigger.COMMAND)


def request(session: Session, ask: Ask, now: datetime) -> Answer:
    """Join the running run where it covers the ask, else merge into the queued one, else queue a new one.

    Must run inside a write transaction; enqueue the job only after its commit.
    """
    connections.hold(session, ask.connection_id)
    running = _in_state(session, ask.connection_id, RunState.RUNNING)
    if running is not None and _answers(session, running, ask):
        return Answer(running.id, RunState.RUNNING, joined=True)
    done = _just_done(session, ask, now)
    if done is not None:
        return Answer(done.id, RunState(done.state), joined=True)
    queued = _in_state(session, ask.connection_id, RunState.QUEUED)
    if queued is not None:
        _merge(queued, ask)
        return Answer(queued.id, RunState.QUEUED, joined=True)
    return Answer(_insert(session, ask, now, state=RunState.QUEUED), RunState.QUEUED, joined=False)


def start(session: Session, ask: Ask, now: datetime, host: str, pid: int) -> Claim | Answer:
    """For the foreground: a claimed run at once, or the running one to follow. A queued run is left to its worker."""
    connections.hold(session, ask.connection_id)
    running = _in_state(session, ask.connection_id, RunState.RUNNING)
    if running is not None:
        return Answer(running.id, RunState.RUNNING, joined=_answers(session, running, ask))
    held = _holding(_raise_fence(session, ask.connection_id), now, host, pid)
    run = session.get_one(SyncRun, _insert(session, ask, now, **held))
    run.checkpoint = resuming.left_over(session, run, now)
    return claim_of(run)


def claim(session: Session, run_id: UUID, now: datetime, host: str, pid: int) -> Claim | None:
    """Make a queued run ours, or None when it is not to be had: taken, ended, too early, another one is running, the
    practice has enough of them running, or the connection was paused meanwhile; then the run is called off.

    Claimers of one connection wait for each other on its row; the conditional update decides. Those of background runs
    wait for each other on the practice first, so that no two of them take its last place.
    """
    run = session.get(SyncRun, run_id, populate_existing=True)
    if run is None or run.state != RunState.QUEUED or (run.not_before is not None and run.not_before > now):
        return None
    if run.trigger not in AWAITED:
        practices.hold(session, run.practice_id)
        if turns.running(session, run.practice_id)[run.practice_id] >= MOST_RUNNING:
            return None
    connections.hold(session, run.pms_connection_id)
    if _in_state(session, run.pms_connection_id, RunState.RUNNING) is not None:
        return None
    if _is_off(session, run.pms_connection_id):  # queued behind the back of whoever paused, by a run that ended late
        run.state, run.reason, run.completed_at = RunState.CANCELLED, "cancelled", now
        return None
    won = _rows(
        session,
        update(SyncRun)
        .where(SyncRun.id == run_id, SyncRun.state == RunState.QUEUED)
        .values(**_holding(_raise_fence(session, run.pms_connection_id), now, host, pid)),
    )
    if not won:
        return None
    session.refresh(run)
    if not run.checkpoint:  # it was not put back half done: is there a run it goes on from?
        run.checkpoint = resuming.left_over(session, run, now)
    return claim_of(run)


def beat(session: Session, claim: Claim, now: datetime, **columns: Any) -> None:
    """Prove that the run is still ours and renew its lease; `columns` (checkpoint, progress, counts) ride along.

    Every page transaction begins with it. Raises LeaseLost, and nothing of the transaction may be committed.
    """
    ours = {"run": claim.run_id, "held": claim.fence}
    renewed = {"heartbeat_at": now, "lease_until": now + LEASE}
    if not session.connection().execute(_OURS, {**ours, **renewed, **columns}).rowcount:
        raise LeaseLost(f"run {claim.run_id} is no longer ours")


def finish(session: Session, claim: Claim, now: datetime, state: RunState, reason: str | None, **columns: Any) -> bool:
    """Close the run; False when it was no longer ours to close."""
    return bool(
        _rows(
            session,
            update(SyncRun)
            .where(SyncRun.id == claim.run_id, SyncRun.fence == claim.fence, SyncRun.state == RunState.RUNNING)
            .values(state=state, reason=reason, completed_at=now, lease_until=None, progress=None, **columns),
        )
    )


def put_back(session: Session, claim: Claim, now: datetime, checkpoint: dict[str, Any]) -> RunState | None:
    """Our worker is shutting down: the run waits for another one, its checkpoint kept. None: it was not ours any more.

    Where somebody queued another run meanwhile, ours ends as abandoned instead; that one goes on from here where it
    has the same window.
    """
    connections.hold(session, claim.connection_id)
    if _in_state(session, claim.connection_id, RunState.QUEUED) is not None:
        ended = finish(session, claim, now, RunState.ABANDONED, "stopped", checkpoint=checkpoint)
        return RunState.ABANDONED if ended else None
    waits = _rows(
        session,
        update(SyncRun)
        .where(SyncRun.id == claim.run_id, SyncRun.fence == claim.fence, SyncRun.state == RunState.RUNNING)
        .values(state=RunState.QUEUED, lease_until=None, host=None, pid=None, checkpoint=checkpoint),
    )
    return RunState.QUEUED if waits else None


def go_on(session: Session, claim: Claim, now: datetime, not_before: datetime | None = None) -> None:
    """A run was cut short: queue one that reads the rest. Its window may be due again by itself only tomorrow."""
    if _in_state(session, claim.connection_id, RunState.QUEUED) is None:
        run = session.get_one(SyncRun, claim.run_id)
        _insert(session, _again(run), now, state=RunState.QUEUED, retry_of=run.id, not_before=not_before)


def abandon(session: Session, run: SyncRun, now: datetime, reason: str = "lost") -> UUID | None:
    """Close a run whose process is gone and queue its successor, checkpoint kept; None after the last attempt.

    The connection's fence rises, so that a holder that comes back to life writes nothing more.
    """
    connections.hold(session, run.pms_connection_id)
    closed = _rows(
        session,
        update(SyncRun)
        .where(SyncRun.id == run.id, SyncRun.state == RunState.RUNNING, SyncRun.fence == run.fence)
        .values(state=RunState.ABANDONED, reason=reason, completed_at=now, lease_until=None, progress=None),
    )
    if not closed:
        return None
    _raise_fence(session, run.pms_connection_id)
    connections.after_run(
        session,
        connections.get(session, run.pms_connection_id),
        state=RunState.ABANDONED,
        reason=reason,
        needs_a_person=False,
        now=now,
    )
    if run.attempt >= MAX_ATTEMPTS or _in_state(session, run.pms_connection_id, RunState.QUEUED) is not None:
        return None
    return _insert(session, _again(run), now, state=RunState.QUEUED, attempt=run.attempt + 1, retry_of=run.id)


def silent(session: Session, now: datetime) -> Sequence[SyncRun]:
    """Running runs whose lease has run out, in an order that two sweepers share."""
    return session.scalars(
        select(SyncRun)
        .where(SyncRun.state == RunState.RUNNING, SyncRun.lease_until < now)
        .order_by(SyncRun.pms_connection_id)
    ).all()


def held_by(session: Session, host: str, pid: int) -> Sequence[SyncRun]:
    """Running runs of one process: for when we know that it is gone."""
    return session.scalars(
        select(SyncRun).where(SyncRun.state == RunState.RUNNING, SyncRun.host == host, SyncRun.pid == pid)
    ).all()


def running_of(session: Session, connection_id: UUID) -> SyncRun | None:
    return _in_state(session, connection_id, RunState.RUNNING)


def _in_state(session: Session, connection_id: UUID, state: RunState) -> SyncRun | None:
    return session.scalars(
        select(SyncRun).where(SyncRun.pms_connection_id == connection_id, SyncRun.state == state)
    ).one_or_none()


def _is_off(session: Session, connection_id: UUID) -> bool:
    state = session.scalar(select(PmsConnection.state).where(PmsConnection.id == connection_id))
    return state in (ConnectionState.PAUSED, ConnectionState.DISCONNECTED)


def _covers(run: SyncRun, ask: Ask) -> bool:
    return (
        set(ask.phases) <= set(run.phases)
        and run.window_from <= ask.window_from
        and ask.window_to <= run.window_to
        and (run.full or not ask.full)
    )


def _answers(session: Session, running: SyncRun, ask: Ask) -> bool:
    return not ask.begins_anew and _covers(running, ask) and _reads_as_chosen(session, running)


def _reads_as_chosen(session: Session, run: SyncRun) -> bool:
    """Whether nobody has chosen anew since the run's first page: it does not read again what it left out by then."""
    began_with = (run.checkpoint or {}).get("choices")
    asked = select(PmsConnection.choices).where(PmsConnection.id == run.pms_connection_id)
    return began_with is None or began_with == session.scalar(asked)


def _just_done(session: Session, ask: Ask, now: datetime) -> SyncRun | None:
    if ask.trigger is not Trigger.MANUAL or ask.full or ask.begins_anew:
        return None
    last = session.scalars(
        select(SyncRun)
        .where(
            SyncRun.pms_connection_id == ask.connection_id,
            SyncRun.state == RunState.SUCCESS,
            SyncRun.completed_at > now - JUST_DONE,
        )
        .order_by(SyncRun.completed_at.desc())
        .limit(1)
    ).one_or_none()
    return last if last is not None and _covers(last, ask) else None


def _merge(queued: SyncRun, ask: Ask) -> None:
    queued.phases = [*queued.phases, *(phase for phase in ask.phases if phase not in queued.phases)]
    queued.window_from = min(queued.window_from, ask.window_from)
    queued.window_to = max(queued.window_to, ask.window_to)
    if ask.full and not queued.full:  # what a run that was put back has read already is to be read again
        queued.full, queued.checkpoint = True, None
    if ask.trigger in AWAITED:  # a person asked: they come first, and the diary says so
        queued.trigger, queued.requested_by, queued.not_before = ask.trigger, ask.requested_by, None


def _raise_fence(session: Session, connection_id: UUID) -> int:
    return session.execute(
        update(PmsConnection)
        .where(PmsConnection.id == connection_id)
        .values(fence=PmsConnection.fence + 1)
        .returning(PmsConnection.fence)
    ).scalar_one()


def _holding(fence: int, now: datetime, host: str, pid: int) -> dict[str, Any]:
    return {
        "state": RunState.RUNNING,
        "fence": fence,
        "started_at": now,
        "heartbeat_at": now,
        "lease_until": now + LEASE,
        "host": host,
        "pid": pid,
    }


def claim_of(run: SyncRun) -> Claim:
    """A run that is ours already, as its claim."""
    return Claim(
        run_id=run.id,
        practice_id=run.practice_id,
        connection_id=run.pms_connection_id,
        fence=run.fence,
        phases=tuple(run.phases),
        window_from=run.window_from,
        window_to=run.window_to,
        trigger=Trigger(run.trigger),
        full=run.full,
        attempt=run.attempt,
        requested_by=run.requested_by,
        checkpoint=dict(run.checkpoint or {}),
    )


def _again(run: SyncRun) -> Ask:
    """What a run asked for, to be asked again on its behalf."""
    return Ask(
        practice_id=run.practice_id,
        connection_id=run.pms_connection_id,
        phases=tuple(run.phases),
        window_from=run.window_from,
        window_to=run.window_to,
        trigger=Trigger.RETRY,
        requested_by=run.requested_by,
        full=run.full,
    )


def _insert(session: Session, ask: Ask, now: datetime, **columns: Any) -> UUID:
    run = SyncRun(
        id=uuid4(),
        practice_id=ask.practice_id,
        pms_connection_id=ask.connection_id,
        sync_type=ask.sync_type,
        trigger=ask.trigger,
        requested_by=ask.requested_by,
        requested_at=now,
        slot_utc=ask.slot_utc,
        phases=list(ask.phases),
        window_from=ask.window_from,
        window_to=ask.window_to,
        full=ask.full,
        **columns,
    )
    session.add(run)
    session.flush()
    return run.id


def _rows(session: Session, statement: Any) -> int:
    return cast(CursorResult[Any], session.execute(statement)).rowcount
