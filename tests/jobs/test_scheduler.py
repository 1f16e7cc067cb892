"""rq-scheduler as a clock: one job, and what its known faults (faults §4.1, R1-R11) can still do to us."""

from __future__ import annotations

import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import ConnectionError as RedisConnectionError
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.job import Job

from app.errors import RunsheetError
from app.jobs import dispatch, queues, scheduler
from app.jobs.queues import TICK_ID, JsonJob
from app.jobs.scheduler import TICK_S, ensure_tick, make, watch_over
from tests.jobs.living import Practice
from tests.jobs.processes import eventually


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as connection:
        yield connection


def due_in_s(redis: Redis) -> float:
    score = redis.zscore("rq:scheduler:scheduled_jobs", TICK_ID)
    assert score is not None
    return score - time.time()


def clock_queue(redis: Redis) -> list[str]:
    return queues.queue(queues.CLOCK, redis).job_ids


def test_the_tick_is_one_json_job_that_never_expires(redis: Redis) -> None:
    """R6: a finite life of the job would silently end the schedule. R9: RQ allows few characters. R11: no pickle."""
    assert ensure_tick(make(redis)) is True
    job = JsonJob.fetch(TICK_ID, connection=redis)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", job.id)
    assert (job.func_name, job.args, job.kwargs, job.origin) == ("app.jobs.tasks.tick", [], {}, queues.CLOCK)
    assert (job.result_ttl, job.ttl, redis.ttl(job.key)) == (-1, None, -1)
    assert job.failure_ttl == queues.FAILURE_TTL_S
    assert b"app.jobs.tasks.tick" in job.data


def test_five_starts_make_one_schedule_and_leave_its_time_alone(redis: Redis) -> None:
    """R8: without an id each start added a copy; registering again would reset the next run to now."""
    ensure_tick(make(redis))
    redis.zadd("rq:scheduler:scheduled_jobs", {TICK_ID: time.time() + 17})
    assert [ensure_tick(make(redis)) for _ in range(4)] == [False] * 4
    assert redis.zcard("rq:scheduler:scheduled_jobs") == 1
    assert 15 < due_in_s(redis) < 18


def _lose_its_place(redis: Redis) -> None:
    redis.zrem("rq:scheduler:scheduled_jobs", TICK_ID)


def _lose_its_hash(redis: Redis) -> None:
    redis.delete(JsonJob.key_for(TICK_ID))


def _lose_everything(redis: Redis) -> None:
    redis.flushall()


def _become_a_pickle(redis: Redis) -> None:
    redis.delete(JsonJob.key_for(TICK_ID))
    Job.create("app.jobs.tasks.tick", id=TICK_ID, connection=redis, meta={"interval": TICK_S}).save()


def _become_unreadable(redis: Redis) -> None:
    redis.hset(JsonJob.key_for(TICK_ID), "data", b"\x80\x04 nonsense")


def _be_another_job(redis: Redis) -> None:
    JsonJob.create("os.getcwd", id=TICK_ID, connection=redis, meta={"interval": TICK_S}).save()


def _have_another_rhythm(redis: Redis) -> None:
    ensure_tick(make(redis), every_s=3600)


def _be_due_in_an_hour(redis: Redis) -> None:
    redis.zadd("rq:scheduler:scheduled_jobs", {TICK_ID: time.time() + 3600})


@pytest.mark.parametrize(
    "harm",
    [
        _lose_its_place,  # R1: killed between its ZREM and its ZADD
        _lose_its_hash,  # R6, or an eviction
        _lose_everything,  # FLUSHALL
        _become_a_pickle,  # of a release that knew no JSON
        _become_unreadable,
        _be_another_job,
        _have_another_rhythm,
        _be_due_in_an_hour,  # F46: the machine's clock was an hour ahead and was set back
    ],
)
def test_a_tick_that_is_lost_or_broken_is_put_back_and_due_at_once(redis: Redis, harm: Callable[[Redis], None]) -> None:
    ensure_tick(make(redis))
    harm(redis)
    assert ensure_tick(make(redis)) is True
    assert due_in_s(redis) <= 0
    make(redis).run(burst=True)
    assert clock_queue(redis) == [TICK_ID]
    assert JsonJob.fetch(TICK_ID, connection=redis).func_name == "app.jobs.tasks.tick"
    assert 0 < due_in_s(redis) <= TICK_S


def test_one_undecodable_job_does_not_hold_up_the_tick(redis: Redis) -> None:
    """R5: it raised at each look, and everything due after it was skipped, for every practice."""
    ensure_tick(make(redis))
    redis.hset("rq:job:stranger", mapping={"data": pickle.dumps("x"), "meta": b"\xff\xfe", "status": "scheduled"})
    redis.zadd("rq:scheduler:scheduled_jobs", {"stranger": 1.0})
    with pytest.raises(Exception, match=r".*"):
        make(redis).run(burst=True)
    assert ensure_tick(make(redis)) is False
    make(redis).run(burst=True)
    assert clock_queue(redis) == [TICK_ID]


def test_a_lock_that_a_killed_scheduler_left_ends_by_itself(redis: Redis) -> None:
    """R2: the lock is released without asking whose it is, and left behind by a kill inside a look."""
    first, second = make(redis, look_s=1), make(redis, look_s=1)
    assert first.acquire_lock()
    assert not second.acquire_lock()
    assert 0 < redis.ttl("rq:scheduler_lock") <= 11


def test_two_schedulers_inside_at_once_cost_one_more_cheap_tick(living: Callable[..., Practice], redis: Redis) -> None:
    """R1, R2, R7: the same tick twice in the queue, or a hundred times, makes each run once."""
    practice = living()
    practice.due_at(datetime.now(UTC) - timedelta(minutes=1))
    ensure_tick(make(redis))
    for _ in range(5):  # nobody served the queue for a while
        redis.rpush(queues.queue(queues.CLOCK, redis).key, TICK_ID)
    assert dispatch.tick(practice.store, redis, timeout_s=60)["due"] == 1
    assert clock_queue(redis) == []  # one tick did the work of all that waited
    assert dispatch.tick(practice.store, redis, timeout_s=60) == {"due": 0, "abandoned": 0, "nudged": 0, "telling": 0}
    assert len(practice.runs()) == 1


def test_the_watchdog_puts_the_tick_back_and_outlives_a_redis_that_is_away(redis: Redis, redis_url: str) -> None:
    class Watched(type(redis)):  # type: ignore[misc]
        away = True

        def zrange(self, *args: object, **more: object) -> object:
            if self.away:
                Watched.away = False
                raise RedisConnectionError("gone for a moment")
            return super().zrange(*args, **more)

    stopped = threading.Event()
    with Watched.from_url(redis_url) as connection:
        watch = threading.Thread(target=watch_over, args=(make(connection), TICK_S, 0.02, stopped))
        watch.start()
        eventually(lambda: redis.zscore("rq:scheduler:scheduled_jobs", TICK_ID) is not None, "the tick is there")
        redis.flushall()
        eventually(lambda: redis.zscore("rq:scheduler:scheduled_jobs", TICK_ID) is not None, "the tick is back")
        stopped.set()
        watch.join(10)
    assert not Watched.away


def test_redis_that_goes_away_ends_it_with_a_sentence(tmp_path: Path) -> None:
    """R4: any error of Redis ends the stock loop; whoever supervises starts it again."""
    away = Redis.from_url(f"unix://{tmp_path}/nobody.sock", retry=Retry(NoBackoff(), 0))
    with away, pytest.raises(RunsheetError, match="must be started again"):
        scheduler.run(away)
