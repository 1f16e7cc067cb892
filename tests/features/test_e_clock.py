"""E12, the clock: what befalls schedulers and Redis costs delay, never a sync, and never two for one slot."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from app import clock
from app.jobs import dispatch, queues
from app.jobs.queues import TICK_ID
from app.store.models.sync import RunState
from tests.jobs.living import Practice
from tests.jobs.processes import eventually
from tests.sandbox.process import RunningSandbox

#: A scheduler that need not be waited for.
HASTE = ("--tick", "1", "--look", "1", "--watch", "0.2")
SCHEDULED = "rq:scheduler:scheduled_jobs"


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    made.books(3)
    return made


def ticks_again(redis: Redis) -> None:
    """A tick that was not there before lies in the queue."""
    redis.delete(queues.queue(queues.CLOCK, redis).key)
    eventually(lambda: queues.queue(queues.CLOCK, redis).job_ids, "it ticks", 30)


@pytest.mark.feature("E12")
@pytest.mark.fault("F60")
@pytest.mark.promise("P18")
def test_two_schedulers_one_of_them_killed_and_started_again_keep_one_tick_and_make_one_run_a_slot(
    practice: Practice,
) -> None:
    redis = practice.redis

    def scheduler() -> Any:
        return practice.process("scheduler", *HASTE)

    with scheduler() as one, scheduler() as other:
        for each in (one, other):
            each.wait_for_line("ready")
        ticks_again(redis)
        one.end(signal.SIGKILL)
        with scheduler() as again:
            again.wait_for_line("ready")
            ticks_again(redis)
            # A tick that is just being put into the queue is off the list for that moment.
            eventually(lambda: redis.zrange(SCHEDULED, 0, -1) == [TICK_ID.encode()], "the one tick is planned")
            slot = clock.now()
            practice.due_at(slot)
            eventually(lambda: len(queues.queue(queues.CLOCK, redis).job_ids) >= 2, "ticks of both wait", 30)
            practice.works()
            assert [(run.slot_utc, run.state) for run in practice.runs()] == [(slot, RunState.SUCCESS)]
            assert [each.end() for each in (other, again)] == [0, 0]
    practice.stands_as_in_the_pms()
    assert redis.zcard(SCHEDULED) <= 1  # if off the list when it ended: planned by whoever starts next


@pytest.mark.feature("E12")
@pytest.mark.fault("F52")
def test_redis_that_is_away_at_a_tick_costs_that_tick_and_no_slot(practice: Practice, tmp_path: Path) -> None:
    slot = clock.now() - timedelta(minutes=1)
    practice.due_at(slot)
    with Redis.from_url(f"unix://{tmp_path}/nobody.sock", retry=Retry(NoBackoff(), 0)) as away:
        for _ in range(2):
            with pytest.raises(RedisError):
                dispatch.tick(practice.store, away, timeout_s=60)
    assert practice.runs() == []
    practice.tick()
    practice.works()
    assert [(run.slot_utc, run.state) for run in practice.runs()] == [(slot, RunState.SUCCESS)]
    practice.stands_as_in_the_pms()


@pytest.mark.feature("E12")
@pytest.mark.fault("F52")
@pytest.mark.fault("F60")
def test_redis_that_goes_in_the_middle_of_a_tick_leaves_the_run_in_the_database(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is committed, its job never came about: the next tick makes it, and only one."""
    slot = clock.now() - timedelta(minutes=1)
    practice.due_at(slot)

    def gone(*_: object, **__: object) -> bool:
        raise RedisConnectionError("gone")

    with monkeypatch.context() as broken, pytest.raises(RedisConnectionError):
        broken.setattr(queues, "enqueue_run", gone)
        practice.tick()
    assert practice.states() == [("queued", None)]
    for _ in range(2):
        practice.tick()
    practice.works()
    assert [(run.slot_utc, run.state, run.attempt) for run in practice.runs()] == [(slot, RunState.SUCCESS, 1)]
    practice.stands_as_in_the_pms()


@pytest.mark.fault("F46")
@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_fires_no_slot_twice(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """An hour ahead and set right again, or an hour back and set right again."""
    real = clock.now
    practice.due_at(real() - timedelta(seconds=1))
    for jump in (0, hours, 0):
        monkeypatch.setattr(clock, "now", lambda ahead=jump: real() + timedelta(hours=ahead))
        practice.tick()
        practice.works()
        practice.tick()
    slots = Counter(run.slot_utc for run in practice.runs())
    assert set(slots.values()) == {1}
    assert len(slots) == (2 if hours > 0 else 1)  # ahead: what had come due meanwhile, once; back: nothing anew
    assert {run.state for run in practice.runs()} == {RunState.SUCCESS}
    practice.stands_as_in_the_pms()
