"""From rows to jobs: what is due becomes a run, what waits gets a job, what fell silent is taken up again.

Everything here can be done late, twice or by several processes at once without harm: the database decides, and a
Redis that is away costs delay, never a sync.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from cronsim import CronSimError
from redis import Redis, RedisError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.config import VendorSettings
from app.domain.turns import MOST_QUEUED, Lane
from app.domain.window import day_of, zone_of
from app.errors import RunsheetError
from app.jobs import queues, upkeep
from app.pms.registry import adapter_class
from app.store import history, out_of_memory, outbox, schedules, sync_runs, timetables, turns
from app.store.db import Store
from app.store.models import PmsConnection, Practice, SyncSchedule
from app.store.models.sync import AWAITED, RunState, Trigger
from app.store.sync_runs import Answer, Ask
from app.sync import near, timetable
from app.sync.engine import Engine, Wish
from app.sync.phases import chosen, own_windows

log = logging.getLogger(__name__)
TICKED = "runsheet:ticked-at"
#: Schedules dispatched in one transaction; the next ones follow in another.
_AT_ONCE = 200
#: What a row can hold that no clock can read: a cron line, a zone, a system or a phase that is gone.
_UNREADABLE = (RunsheetError, CronSimError, StopIteration, ValueError, OverflowError)


def tick(
    store: Store,
    redis: Redis,
    *,
    timeout_s: int,
    dispatches: bool = True,
    vendor: Callable[[str], VendorSettings] = lambda _: VendorSettings(),
) -> dict[str, int]:
    """One beat of the clock: a few short transactions; then the jobs, after the commit.

    vendor: what the operator set for a system; how often today may be read in between depends on its limits.
    """
    redis.set(TICKED, int(clock.now().timestamp()))
    queues.drop_waiting_ticks(redis)
    made = 0
    if dispatches:
        timetable.follow_edits(store)
        near.plan(store, vendor)
        made = dispatch_due(store)
    told = {"due": made} | tend(store, redis, timeout_s=timeout_s)
    if dispatches and (wiped := upkeep.wipe(store, redis)):
        told["wiped"] = wiped
    if any(told.values()):
        log.info("tick", extra={"count": made, "outcome": ",".join(f"{name}:{n}" for name, n in told.items())})
    return told


def tend(store: Store, redis: Redis, *, timeout_s: int) -> dict[str, int]:
    """Take up what fell silent, and see that everything that waits has a job."""
    return {
        "abandoned": sweep(store),
        "nudged": nudge_waiting(store, redis, timeout_s=timeout_s),
        "telling": nudge_telling(store, redis, timeout_s=timeout_s),
    }


# --- schedules become runs --------------------------------------------------------------------------------------------


def dispatch_due(store: Store) -> int:
    """Make a run of everything that is due, and move each schedule past now in the same transaction."""
    made = 0
    while True:
        taken, asked = store.transact(_dispatch_some)
        made += asked
        if taken < _AT_ONCE:
            return made


def _dispatch_some(session: Session) -> tuple[int, int]:
    """How many schedules were taken, and for how many a run was asked."""
    now = clock.now()
    rows = schedules.due(session, now, limit=_AT_ONCE)
    waiting = turns.queued(session) if rows else Counter()
    asked = 0
    for row, connection, practice in rows:
        if waiting[practice.id] >= MOST_QUEUED:
            continue  # it stays due: a later tick catches up, and counts what was missed
        answer = _dispatch_one(session, row, connection, practice, now)
        asked += answer is not None
        waiting[practice.id] += answer is not None and not answer.joined
    return len(rows), asked


def _dispatch_one(
    session: Session, row: SyncSchedule, connection: PmsConnection, practice: Practice, now: datetime
) -> Answer | None:
    """The run that answers, where one was asked for. A row that cannot be read is switched off alone: the others still
    come due.
    """
    try:
        ask = scheduled_ask(row, connection, practice)
        schedules.advance(row, practice, now)
    except _UNREADABLE as error:
        timetables.switch_off(row, error)
        log.error(
            "a schedule cannot be read and was switched off",
            extra={"connection_id": str(connection.id), "kind": row.kind, "error": type(error).__name__},
        )
        return None
    if row.kind == schedules.NEAR and connection.failures:
        return None  # a system that fails is not asked more often than its ordinary interval
    try:
        with session.begin_nested():
            return sync_runs.request(session, ask, now)
    except IntegrityError:
        return None  # this very slot has had its run


def scheduled_ask(row: SyncSchedule, connection: PmsConnection, practice: Practice) -> Ask:
    """What a schedule asks for, its window counted from the practice's own today."""
    now, zone = clock.now(), zone_of(practice.timezone)
    today = day_of(now, zone)
    first = today - timedelta(days=row.days_before)
    last = day_of(now + near.REACH, zone) if row.kind == schedules.NEAR else today + timedelta(days=row.days_after)
    phases = chosen(row.phases or (), adapter_class(connection.pms_type).capabilities)
    own = own_windows(phases, today, first, last)
    return Ask(
        practice_id=practice.id,
        connection_id=connection.id,
        phases=phases,
        window_from=first,
        window_to=last,
        trigger=Trigger.SCHEDULE,
        slot_utc=row.next_due_at,
        own_windows=own,
        daily=bool(own),
    )


# --- the lost ---------------------------------------------------------------------------------------------------------


def sweep(store: Store) -> int:
    """Close every run whose lease has run out and queue its successor. How many that were."""

    def work(session: Session) -> int:
        now = clock.now()
        lost = sync_runs.silent(session, now)
        for run in lost:
            sync_runs.abandon(session, run, now)
        return len(lost)

    return store.transact(work)


def abandon_held_by(store: Store, host: str, pid: int, *, for_memory: bool = False) -> list[UUID]:
    """Close what a process held that is gone for certain. The ids of those runs.

    for_memory: the kernel killed it for that; who goes on asks for smaller pages (F58).
    """
    close = out_of_memory.give_up if for_memory else sync_runs.abandon

    def work(session: Session) -> list[UUID]:
        held = sync_runs.held_by(session, host, pid)
        for run in held:
            close(session, run, clock.now())
        return [run.id for run in held]

    return store.transact(work)


# --- runs become jobs -------------------------------------------------------------------------------------------------


def nudge_waiting(store: Store, redis: Redis, *, timeout_s: int) -> int:
    """Give every run whose turn it is a job where it has none: new ones, those a Redis forgot, those whose worker came
    too early.
    """
    with store.read() as session:
        given = turns.due(session, clock.now())
    return _enqueue(redis, given, timeout_s=timeout_s)


def nudge_telling(store: Store, redis: Redis, *, timeout_s: int) -> int:
    """Give every connection that has something due to tell its PMS a job where it has none (R49)."""
    with store.read() as session:
        due = outbox.due_connections(session, clock.now())
    return sum(queues.enqueue_telling(redis, connection_id, timeout_s=timeout_s) for connection_id in due)


def _enqueue(redis: Redis, given: Iterable[tuple[UUID, Lane]], *, timeout_s: int) -> int:
    return sum(queues.enqueue_run(redis, run_id, lane=lane, timeout_s=timeout_s) for run_id, lane in given)


def nudge_next(store: Store, redis: Redis, run_id: UUID, *, timeout_s: int, itself: bool = False) -> bool:
    """A run has left its worker: make way for those of its practice that wait, on its connection or another.

    Not where it still waits itself: nobody could claim it, and it would be tried without a pause; the next tick tries
    it again. itself: also then, because it was put back.
    """
    with store.read() as session:
        run = history.run(session, run_id)
        if run is None or run.state == RunState.RUNNING or (run.state == RunState.QUEUED and not itself):
            return False
        given = turns.due(session, clock.now(), run.practice_id)
    return _enqueue(redis, given, timeout_s=timeout_s) > 0


def sync_now(store: Store, redis: Redis | None, ask: Ask, *, timeout_s: int) -> tuple[Answer, bool]:
    """Somebody pressed the button: the run that answers them, and whether a worker could be nudged at once.

    A Redis that is away does not lose the press: the run waits in the database for the next tick.
    """
    answer = store.transact(lambda session: sync_runs.request(session, ask, clock.now()))
    return answer, nudge(store, redis, answer.run_id, timeout_s=timeout_s)


def nudge(store: Store, redis: Redis | None, run_id: UUID, *, timeout_s: int) -> bool:
    """Put a job for one run into the queue where it waits for one; False where Redis cannot be reached."""
    if redis is None:
        return False
    with store.read() as session:
        run = history.run(session, run_id)
    if run is None or run.state != RunState.QUEUED:
        return run is not None
    try:
        lane = Lane.PEOPLE if run.trigger in AWAITED else Lane.FIRST
        queues.enqueue_run(redis, run_id, lane=lane, timeout_s=timeout_s)
    except RedisError:
        log.warning("queue unreachable", extra={"run_id": str(run_id)})
        return False
    return True


# --- somebody pressed -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pressed:
    """What came of a press on one connection.

    joined: that run was there already, running, waiting, or (see `state`) just done. nudged: a worker knows of it;
    where not, it waits in the database until the queue is back.
    """

    connection_id: UUID
    run_id: UUID
    state: RunState
    joined: bool
    nudged: bool


def press(engine: Engine, redis: Redis | None, wishes: Iterable[Wish], *, timeout_s: int) -> list[Pressed]:
    """Sync now, from a page: a run for every wish. Raises InvalidInput with a sentence, before anything is queued."""
    asks = [engine.ask_for(wish) for wish in wishes]
    answers = [(ask, *sync_now(engine.store, redis, ask, timeout_s=timeout_s)) for ask in asks]
    return [
        Pressed(ask.connection_id, answer.run_id, answer.state, answer.joined, nudged)
        for ask, answer, nudged in answers
    ]


def wish(
    connection_id: UUID,
    days: tuple[date, date],
    user_id: UUID,
    trigger: Trigger = Trigger.MANUAL,
    *,
    begins_anew: bool = False,
) -> Wish:
    """What somebody at a page asks for."""
    return Wish(connection_id, *days, trigger=trigger, requested_by=user_id, begins_anew=begins_anew)


def discovery_wish(connection_id: UUID, user_id: UUID) -> Wish:
    """Somebody wants patients looked for; a phase with days of its own needs none named."""
    return Wish(connection_id, phases=("discovery",), trigger=Trigger.MANUAL, requested_by=user_id)
