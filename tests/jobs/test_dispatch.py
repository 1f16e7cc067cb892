"""What is due becomes a run, what waits gets a job, what fell silent is taken up again. Late, twice, or all at once."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from redis import Redis
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from app import clock
from app.config import Settings
from app.jobs import dispatch, queues
from app.jobs.queues import JsonJob
from app.parts import Parts
from app.pms.registry import adapter_class
from app.store import connections, practices, schedules, sync_runs
from app.store.models import PmsConnection, SyncRun, SyncSchedule
from app.store.models import Practice as PracticeRow
from app.store.models.connection import Environment
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import LEASE, MAX_ATTEMPTS
from tests.jobs.living import Practice, environment
from tests.sandbox.process import RunningSandbox

#: How many slots the dispatchers race for; the printed table names it.
SLOTS = int(os.environ.get("RUNSHEET_SLOTS", "6"))
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


@pytest.fixture
def many(tmp_path, database_url: str) -> Iterator[Parts]:
    """Thirty connections that sync every quarter of an hour, over no PMS at all."""
    parts = Parts(Settings.from_env(environment(tmp_path / "home", database_url)))
    now = clock.now()
    with parts.store.write() as session:
        practice = practices.create(session, "Banksia Ridge", "Australia/Adelaide")
        for number in range(30):
            made = connections.create(session, practice, "gentu", f"Gentu {number}", Environment.SIMULATOR)
            made.tenant_id = f"tenant-{number}"
            connections.activate(session, made, practice, now)
    yield parts
    parts.close()


def due(parts: Parts, at: datetime) -> None:
    with parts.store.write() as session:
        session.execute(update(SyncSchedule).values(enabled=SyncSchedule.kind == schedules.INTERVAL, next_due_at=at))


def jobs(redis: Redis) -> dict[str, list[str]]:
    return {name: queues.queue(name, redis).job_ids for name in queues.ALL if queues.queue(name, redis).job_ids}


# --- schedules become runs --------------------------------------------------------------------------------------------


@pytest.mark.promise("P18")
def test_several_dispatchers_make_exactly_one_run_of_each_slot(many: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule row is moved in the transaction that makes the run, so nobody can see one without the other."""
    monkeypatch.setattr(dispatch, "_AT_ONCE", 7)  # several transactions each: more chances to collide
    others = [Parts(many.settings) for _ in range(AT_ONCE)]
    begin = threading.Barrier(AT_ONCE)
    failed: list[BaseException] = []

    def dispatch_once(parts: Parts) -> None:
        try:
            begin.wait(20)
            dispatch.dispatch_due(parts.store)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)

    slot = clock.now() - timedelta(seconds=1)
    for number in range(SLOTS):
        due(many, slot + timedelta(milliseconds=number))
        threads = [threading.Thread(target=dispatch_once, args=(other,)) for other in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not failed
        with many.store.write() as session:  # all of them have run when the next slot comes
            session.execute(update(SyncRun).values(state=RunState.SUCCESS, completed_at=clock.now()))
    for other in others:
        other.close()
    with many.store.read() as session:
        made = Counter((run.pms_connection_id, run.slot_utc) for run in session.scalars(select(SyncRun)))
        left = session.scalar(select(func.count()).where(SyncSchedule.enabled, SyncSchedule.next_due_at <= clock.now()))
    assert set(made.values()) == {1}
    assert len(made) == 30 * SLOTS
    assert left == 0


@pytest.mark.promise("P19")
def test_three_hours_of_silence_are_caught_up_by_one_run_and_counted(many: Parts) -> None:
    long_ago = clock.now() - timedelta(hours=3, minutes=1)
    due(many, long_ago)
    assert dispatch.dispatch_due(many.store) == 30
    with many.store.read() as session:
        rows = session.scalars(select(SyncSchedule).where(SyncSchedule.kind == schedules.INTERVAL)).all()
        runs = session.scalars(select(SyncRun)).all()
    assert Counter(row.missed_slots for row in rows) == {12: 30}
    assert {run.slot_utc for run in runs} == {long_ago}
    for row in rows:  # still on its own grid, and in the future
        assert row.next_due_at > clock.now()
        assert (row.next_due_at - long_ago) % timedelta(minutes=15) == timedelta(0)
    assert dispatch.dispatch_due(many.store) == 0


def test_more_than_fits_one_transaction_is_all_dispatched_at_once(many: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_AT_ONCE", 4)
    due(many, clock.now() - timedelta(seconds=1))
    assert dispatch.dispatch_due(many.store) == 30


SPOILED: dict[str, Callable[[SyncSchedule, PmsConnection, PracticeRow], object]] = {
    "no cron line": lambda row, _, __: vars_of(row, interval_minutes=None, cron="every now and then"),
    "30 February": lambda row, _, __: vars_of(row, interval_minutes=None, cron="0 6 30 2 *"),
    "unknown zone": lambda _, __, practice: vars_of(practice, timezone="Mars/Olympus"),
    "unknown system": lambda _, connection, __: vars_of(connection, pms_type="paper"),
    "unknown phase": lambda row, _, __: vars_of(row, phases=["divination"]),
}


def vars_of(thing: object, **changes: object) -> None:
    for name, value in changes.items():
        setattr(thing, name, value)


@pytest.mark.fault("F61")
def test_schedules_that_cannot_be_read_are_switched_off_and_the_others_come_due(
    many: Parts, caplog: pytest.LogCaptureFixture
) -> None:
    due(many, clock.now() - timedelta(seconds=1))
    spoiled = {}
    with many.store.write() as session:
        for how, spoil in SPOILED.items():
            alone = practices.create(session, how, "Australia/Perth")
            connection = connections.create(session, alone, "gentu", "Gentu", Environment.SIMULATOR)
            connection.tenant_id = how
            connections.activate(session, connection, alone, clock.now())
            row = next(r for r in schedules.of_connection(session, connection.id) if r.kind == schedules.INTERVAL)
            row.next_due_at = clock.now() - timedelta(hours=1)  # before all others
            spoil(row, connection, alone)
            spoiled[row.id] = connection.id
    assert dispatch.dispatch_due(many.store) == 30
    with many.store.read() as session:
        assert [session.get_one(SyncSchedule, row_id).enabled for row_id in spoiled] == [False] * len(SPOILED)
        runs = set(session.scalars(select(SyncRun.pms_connection_id)))
    assert len(runs) == 30
    assert not runs & set(spoiled.values())
    said = Counter(record.getMessage() for record in caplog.records)
    assert said == {"a schedule cannot be read and was switched off": len(SPOILED)}


def test_a_slot_that_has_had_its_run_is_passed_over_and_the_schedule_goes_on(practice: Practice) -> None:
    """A clock that was set back, a slot by hand: the database's word on one run a slot must not stop the dispatcher."""
    slot = clock.now() - timedelta(seconds=5)
    practice.due_at(slot)
    assert dispatch.dispatch_due(practice.store) == 1
    practice.change(practice.runs()[0].id, state=RunState.SUCCESS, completed_at=clock.now())
    practice.due_at(slot)
    assert dispatch.dispatch_due(practice.store) == 0
    with practice.store.read() as session:
        row = next(r for r in schedules.of_connection(session, practice.connection_id) if r.kind == schedules.INTERVAL)
    assert row.next_due_at > clock.now()
    assert len(practice.runs()) == 1


def test_a_scheduled_run_asks_for_today_and_tomorrow_of_the_practice_and_all_phases(practice: Practice) -> None:
    practice.due_at(clock.now())
    dispatch.dispatch_due(practice.store)
    (run,) = practice.runs()
    assert run.trigger == Trigger.SCHEDULE
    assert run.window_from.isoformat() == practice.today
    assert run.window_to - run.window_from == timedelta(days=1)
    assert tuple(run.phases) == dispatch.chosen((), adapter_class("gentu").capabilities)


def test_switched_off_nothing_is_dispatched_but_what_waits_and_what_fell_silent_is_tended(practice: Practice) -> None:
    """ENABLE_SCHEDULER=false: no sync by itself; a press still works, a lost run is still taken up."""
    practice.due_at(clock.now() - timedelta(minutes=1))
    lost = claimed(practice)
    practice.change(lost, lease_until=clock.now() - timedelta(seconds=1))
    told = dispatch.tick(practice.store, practice.redis, timeout_s=60, dispatches=False)
    assert told == {"due": 0, "abandoned": 1, "nudged": 1}


# --- runs become jobs -------------------------------------------------------------------------------------------------


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
    assert told == {"due": 0, "abandoned": 0, "nudged": 1}
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
    first = claimed(paired)
    answer, _ = dispatch.sync_now(paired.store, paired.redis, paired.ask(full=True), timeout_s=60)
    paired.works()  # too early: another one is running
    assert paired.run(answer.run_id).state == RunState.QUEUED
    assert dispatch.nudge_next(paired.store, paired.redis, first, timeout_s=60) is False
    paired.change(first, state=RunState.SUCCESS, completed_at=clock.now())
    assert dispatch.nudge_next(paired.store, paired.redis, first, timeout_s=60) is True
    paired.works()
    assert paired.run(answer.run_id).state == RunState.SUCCESS


# --- the lost ---------------------------------------------------------------------------------------------------------


def claimed(practice: Practice) -> object:
    """A run that a process which is gone had claimed."""
    ask = practice.ask(Trigger.SCHEDULE)
    with practice.store.write() as session:
        answer = sync_runs.request(session, ask, clock.now())
    with practice.store.write() as session:
        assert sync_runs.claim(session, answer.run_id, clock.now(), "elsewhere", 4_000_000) is not None
    return answer.run_id


def test_a_run_is_swept_when_its_lease_has_run_out_and_not_before(practice: Practice) -> None:
    lost = claimed(practice)
    assert dispatch.sweep(practice.store) == 0
    practice.change(lost, lease_until=clock.now() - timedelta(milliseconds=1))
    assert dispatch.sweep(practice.store) == 1
    assert practice.states() == [("abandoned", "lost"), ("queued", None)]
    first, successor = practice.runs()
    assert (successor.attempt, successor.retry_of, successor.trigger) == (2, first.id, Trigger.RETRY)


@pytest.mark.promise("P17")
def test_a_silent_run_leaves_running_within_180_s_and_its_successor_starts_within_240() -> None:
    """The sum of what may pass: the lease, a tick late by its lock and the look, and the job's own way."""
    from app.jobs import scheduler  # noqa: PLC0415

    late_s = scheduler.TICK_S + 2 * (scheduler._LOOK_S + 10)  # a killed scheduler's lock: its interval and ten seconds
    assert LEASE.total_seconds() + late_s <= 180
    assert LEASE.total_seconds() + late_s + scheduler.TICK_S <= 240


def test_attempts_end_at_three(practice: Practice) -> None:
    claimed(practice)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        running = next(run for run in practice.runs() if run.state == RunState.RUNNING)
        assert running.attempt == attempt
        practice.change(running.id, lease_until=clock.now() - timedelta(seconds=1))
        dispatch.sweep(practice.store)
        waiting = [run.id for run in practice.runs() if run.state == RunState.QUEUED]
        for run_id in waiting:
            with practice.store.write() as session:
                assert sync_runs.claim(session, run_id, clock.now(), "elsewhere", 4_000_000)
    assert practice.states() == [("abandoned", "lost")] * 3
    practice.due_at(clock.now())  # the next slot begins anew
    assert dispatch.dispatch_due(practice.store) == 1
    assert practice.runs()[-1].attempt == 1


def test_only_the_dead_process_s_run_is_taken_back(practice: Practice) -> None:
    run_id = claimed(practice)
    assert dispatch.abandon_held_by(practice.store, "elsewhere", 4_000_001) == []
    assert dispatch.abandon_held_by(practice.store, "another-host", 4_000_000) == []
    assert dispatch.abandon_held_by(practice.store, "elsewhere", 4_000_000) == [run_id]
    assert dispatch.abandon_held_by(practice.store, "elsewhere", 4_000_000) == []
