"""What waits gets a job, once: after the commit, after a Redis that forgot, after a worker that came too early."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy.exc import OperationalError

from app import clock
from app.jobs import dispatch, queues
from app.jobs.queues import JsonJob
from app.parts import Parts
from app.store import sync_runs
from app.store.models import SyncRun
from app.store.models.sync import RunState
from tests.jobs.living import Practice, held_elsewhere
from tests.sandbox.process import RunningSandbox

AT_ONCE = 4


@pytest.fixture
def practice(living: Callable[..., Practice]) -> Practice:
    """Nothing here gets as far as the PMS."""
    made = living()
    made.only_when_pressed()
    return made


@pytest.fixture
def paired(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    return made


def jobs(redis: Redis) -> dict[str, list[str]]:
    return {name: queues.queue(name, redis).job_ids for name in queues.ALL if queues.queue(name, redis).job_ids}


def test_a_job_is_the_run_s_id_as_json_and_nothing_else(practice: Practice) -> None:
    run_id = practice.presses()
    assert jobs(practice.redis) == {"interactive": [f"run-{run_id}"]}
    job = JsonJob.fetch(f"run-{run_id}", connection=practice.redis)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", job.id)  # all that RQ allows (R9)
    assert (job.func_name, job.args, job.kwargs) == ("app.jobs.tasks.run_sync", [str(run_id)], {})
    assert b"app.jobs.tasks.run_sync" in job.data  # JSON, not pickle
    assert (job.result_ttl, job.failure_ttl) == (3600, 7 * 86400)
    assert job.timeout == 60 + queues.GRACE_S
    assert job.retries_left is None  # RQ's Retry stays off: attempts are counted in the database
    assert job.description == "sync"


def test_pressing_twice_and_many_dispatchers_at_once_make_one_job(practice: Practice) -> None:
    first, second = practice.presses(), practice.presses()
    assert first == second
    practice.redis.flushall()
    begin = threading.Barrier(AT_ONCE)
    nudged: list[int] = []

    def nudge() -> None:
        begin.wait(20)
        nudged.append(dispatch.nudge_waiting(practice.store, practice.redis, timeout_s=60))

    threads = [threading.Thread(target=nudge) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(nudged) == [0] * (AT_ONCE - 1) + [1]
    assert jobs(practice.redis) == {"interactive": [f"run-{first}"]}


def test_the_job_comes_after_the_commit(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is faster than we are finds the run; a request that fails leaves no job behind."""
    seen: list[str] = []

    def look(redis: Redis, run_id: object, **_: object) -> bool:
        with Parts(practice.parts.settings) as parts, parts.store.read() as elsewhere:
            seen.append(elsewhere.get_one(SyncRun, run_id).state)
        return True

    monkeypatch.setattr(queues, "enqueue_run", look)
    practice.presses()
    assert seen == ["queued"]

    def fails(*_: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    monkeypatch.setattr(sync_runs, "request", fails)
    with pytest.raises(OperationalError):
        practice.presses()
    assert seen == ["queued"]


@pytest.mark.fault("F60")
def test_a_dispatcher_killed_between_commit_and_job_costs_a_tick(practice: Practice) -> None:
    practice.due_at(clock.now())
    dispatch.dispatch_due(practice.store)  # and there it died
    assert jobs(practice.redis) == {}
    told = dispatch.tick(practice.store, practice.redis, timeout_s=60)
    assert told == {"due": 0, "abandoned": 0, "nudged": 1, "telling": 0}
    assert jobs(practice.redis) == {"sync": [f"run-{practice.runs()[0].id}"]}


def test_a_press_while_redis_is_away_waits_for_the_next_tick(practice: Practice, tmp_path) -> None:
    away = Redis.from_url(f"unix://{tmp_path}/nobody.sock", socket_timeout=0.25)
    answer, nudged = dispatch.sync_now(practice.store, away, practice.ask(), timeout_s=60)
    assert nudged is False
    again, nudged = dispatch.sync_now(practice.store, None, practice.ask(), timeout_s=60)
    assert (again.run_id, nudged) == (answer.run_id, False)
    assert practice.run(answer.run_id).state == RunState.QUEUED
    dispatch.tick(practice.store, practice.redis, timeout_s=60)
    assert jobs(practice.redis) == {"interactive": [f"run-{answer.run_id}"]}


@pytest.mark.fault("F53")
def test_after_a_flushall_everything_that_waits_has_a_job_again(practice: Practice) -> None:
    run_id = practice.presses()
    practice.redis.flushall()
    for _ in range(2):  # the second tick finds it there
        dispatch.tick(practice.store, practice.redis, timeout_s=60)
    assert jobs(practice.redis) == {"interactive": [f"run-{run_id}"]}


@pytest.mark.fault("F53")
def test_a_job_whose_hash_was_evicted_runs_once(paired: Practice) -> None:
    run_id = paired.presses()
    paired.redis.delete(JsonJob.key_for(f"run-{run_id}"))
    dispatch.tick(paired.store, paired.redis, timeout_s=60)
    paired.works()
    assert paired.states() == [("success", None)]
    assert paired.run(run_id).attempt == 1


def test_a_background_job_moves_to_the_front_queue_when_somebody_presses(practice: Practice) -> None:
    practice.due_at(clock.now())
    dispatch.tick(practice.store, practice.redis, timeout_s=60)
    (run,) = practice.runs()
    assert jobs(practice.redis) == {"sync": [f"run-{run.id}"]}
    day = run.window_from
    answer, _ = dispatch.sync_now(practice.store, practice.redis, practice.ask(first=day, last=day), timeout_s=60)
    assert answer.run_id == run.id
    assert jobs(practice.redis) == {"interactive": [f"run-{run.id}"]}


def test_a_job_that_died_with_its_worker_before_it_started_is_replaced(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ takes the id out of the list first and says “started” later: in between the job is nowhere."""
    run_id = practice.presses()
    assert practice.redis.lpop(queues.queue("interactive", practice.redis).key) == f"run-{run_id}".encode()
    dispatch.tick(practice.store, practice.redis, timeout_s=60)
    assert jobs(practice.redis) == {}  # it may be starting this very moment
    monkeypatch.setattr(queues, "LOST_AFTER", timedelta(0))
    dispatch.tick(practice.store, practice.redis, timeout_s=60)
    assert jobs(practice.redis) == {"interactive": [f"run-{run_id}"]}


def test_a_started_job_that_nobody_is_behind_is_replaced(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its executions have expired by then, which RQ's own delete stumbles over."""
    run_id = practice.presses()
    job = JsonJob.fetch(f"run-{run_id}", connection=practice.redis)
    practice.redis.lpop(queues.queue("interactive", practice.redis).key)
    practice.redis.hset(job.key, mapping={"status": "started", "last_heartbeat": "2026-01-01T00:00:00.000000Z"})
    practice.redis.zadd(f"rq:executions:{job.id}", {"0123456789abcdef": 4e9})
    practice.redis.zadd(job.started_job_registry.key, {f"{job.id}:0123456789abcdef": 4e9})
    dispatch.tick(practice.store, practice.redis, timeout_s=60)
    assert jobs(practice.redis) == {"interactive": [f"run-{run_id}"]}
    assert practice.redis.zcard(job.started_job_registry.key) == 0


def test_a_run_that_waited_behind_another_is_nudged_at_its_end(paired: Practice) -> None:
    first = held_elsewhere(paired)
    answer, _ = dispatch.sync_now(paired.store, paired.redis, paired.ask(full=True), timeout_s=60)
    paired.works()  # too early: another one is running
    assert paired.run(answer.run_id).state == RunState.QUEUED
    assert dispatch.nudge_next(paired.store, paired.redis, first, timeout_s=60) is False
    paired.change(first, state=RunState.SUCCESS, completed_at=clock.now())
    assert dispatch.nudge_next(paired.store, paired.redis, first, timeout_s=60) is True
    paired.works()
    assert paired.run(answer.run_id).state == RunState.SUCCESS
