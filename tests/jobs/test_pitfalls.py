"""The measured pitfalls of rq-scheduler (faults §4.1), against our dispatcher: what it cannot do to us any more.

R1 R2 R7  test_scheduler.py (a lost or doubled tick), test_e_clock.py (a scheduler killed)
R3        here
R4        test_scheduler.py (Redis that goes away), test_e_clock.py (a tick without Redis)
R5 F61    test_scheduler.py (an undecodable job), test_dispatch.py and test_timetables.py (an unreadable schedule)
R6 R8 R9  test_scheduler.py (the tick never expires, is there once, and has a name RQ takes)
R10       test_clock_days.py
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy import update

from app.jobs import dispatch
from app.jobs.queues import TICK_ID, JsonJob
from app.jobs.scheduler import ensure_tick, make
from app.store.models import SyncSchedule
from tests.jobs.clinics import Clinics

SCHEDULED = "rq:scheduler:scheduled_jobs"


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


def look(redis: Redis) -> int:
    """How many commands rq-scheduler sends while it looks once and finds the tick due."""
    redis.zadd(SCHEDULED, {TICK_ID: 1.0})
    before = redis.info("stats")["total_commands_processed"]
    make(redis).run(burst=True)
    return int(redis.info("stats")["total_commands_processed"]) - int(before)


@pytest.mark.promise("P18")
def test_what_a_look_costs_does_not_grow_with_what_is_due(clinics: Clinics, redis: Redis) -> None:
    """R3: eleven commands for each due job, until the lock ran out before the look had ended."""
    ensure_tick(make(redis))
    look(redis)  # the first one introduces itself
    one = look(redis)
    clinics.opens("Big", connected=25)
    with clinics.store.write() as session:
        session.execute(update(SyncSchedule).values(enabled=True, next_due_at=clinics.now))
    assert look(redis) == one
    assert dispatch.tick(clinics.store, redis, timeout_s=60)["due"] == 50
    assert redis.zrange(SCHEDULED, 0, -1) == [TICK_ID.encode()]
    assert JsonJob.fetch(TICK_ID, connection=redis).func_name == "app.jobs.tasks.tick"


@pytest.mark.promise("P18")
def test_a_hundred_ticks_at_once_are_one_run_a_slot(clinics: Clinics, redis: Redis) -> None:
    """R1, R7: the push came twice, or nobody served the queue for an hour."""
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    clinics.plans(practice_id, "* * * * *")
    clinics.forward(minutes=8)
    for _ in range(100):
        dispatch.tick(clinics.store, redis, timeout_s=60)
    (run,) = clinics.runs(connection_id)
    row = clinics.rows(connection_id)["cron:inbound"]
    assert run.slot_utc is not None
    assert run.slot_utc < row.next_due_at
    assert row.missed_slots > 0
