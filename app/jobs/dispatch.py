"""From rows to jobs: what is due becomes a run, what waits gets a job, what fell silent is taken up again.

Everything here can be done late, twice or by several processes at once without harm: the database decides, and a
Redis that is away costs delay, never a sync.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from redis import Redis, RedisError
from sqlalchemy.orm import Session

from app import clock
from app.domain.window import day_of, zone_of
from app.jobs import queues
from app.pms.registry import adapter_class
from app.store import history, schedules, sync_runs
from app.store.db import Store
from app.store.models import PmsConnection, Practice, SyncSchedule
from app.store.models.sync import Trigger
from app.store.sync_runs import Answer, Ask
from app.sync.phases import chosen

log = logging.getLogger(__name__)
TICKED = "runsheet:ticked-at"


def tick(store: Store, redis: Redis, *, timeout_s: int, dispatches: bool = True) -> dict[str, int]:
    """One beat of the clock. Three short transactions; then the jobs, after the commit."""
    now = clock.now()
    with store.write() as session:
        taken_up = [sync_runs.abandon(session, run, now) for run in sync_runs.silent(session, now)]
    made = dispatch_due(store) if dispatches else 0
    nudged = nudge_waiting(store, redis, timeout_s=timeout_s)
    redis.set(TICKED, int(now.timestamp()))
    told = {"abandoned": len(taken_up), "due": made, "nudged": nudged}
    if any(told.values()):
        log.info("tick", extra={"count": made, "outcome": str(told)})
    return told


def dispatch_due(store: Store) -> int:
    """Make a run of everything that is due, and move each schedule past now in the same transaction."""

    def work(session: Session) -> int:
        now = clock.now()
        rows = schedules.due(session, now)
        for row, connection, practice in rows:
            sync_runs.request(session, scheduled_ask(row, connection, practice), now)
            schedules.advance(row, practice, now)
        return len(rows)

    return store.transact(work)


def scheduled_ask(row: SyncSchedule, connection: PmsConnection, practice: Practice) -> Ask:
    """What a schedule asks for, its window counted from the practice's own today."""
    today = day_of(clock.now(), zone_of(practice.timezone))
    return Ask(
        practice_id=practice.id,
        connection_id=connection.id,
        phases=chosen(row.phases or (), adapter_class(connection.pms_type).capabilities),
        window_from=today - timedelta(days=row.days_before),
        window_to=today + timedelta(days=row.days_after),
        trigger=Trigger.SCHEDULE,
        slot_utc=row.next_due_at,
    )


def nudge_waiting(store: Store, redis: Redis, *, timeout_s: int) -> int:
    """Give every waiting run a job where it has none: after a Redis that forgot, or a worker that came too early."""
    with store.read() as session:
        waiting = [(run.id, run.trigger) for run in sync_runs.waiting(session, clock.now())]
    return sum(
        queues.enqueue_run(redis, run_id, interactive=trigger == Trigger.MANUAL, timeout_s=timeout_s)
        for run_id, trigger in waiting
    )


def sync_now(store: Store, redis: Redis | None, ask: Ask, *, timeout_s: int) -> tuple[Answer, bool]:
    """Somebody pressed the button: the run that answers them, and whether a worker could be nudged at once.

    A Redis that is away does not lose the press: the run waits in the database for the next tick.
    """
    answer = store.transact(lambda session: sync_runs.request(session, ask, clock.now()))
    return answer, nudge(store, redis, answer.run_id, timeout_s=timeout_s)


def nudge(store: Store, redis: Redis | None, run_id: UUID, *, timeout_s: int) -> bool:
    """Put a job for one run into the queue; False where Redis cannot be reached."""
    if redis is None:
        return False
    with store.read() as session:
        run = history.run(session, run_id)
    if run is None:
        return False
    try:
        queues.enqueue_run(redis, run_id, interactive=run.trigger == Trigger.MANUAL, timeout_s=timeout_s)
    except RedisError:
        log.warning("queue unreachable", extra={"run_id": str(run_id)})
        return False
    return True
