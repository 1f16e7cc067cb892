"""The worker and its horses: forked here, so that a test can say what they meet."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.job import JobStatus
from rq.timeouts import HorseMonitorTimeoutException, JobTimeoutException
from sqlalchemy import event

from app import clock
from app.errors import RunsheetError
from app.jobs import dispatch, queues, stopping, tasks, worker
from app.jobs.house import move_in
from app.jobs.queues import JsonJob
from app.jobs.worker import DeathPenalty, SyncWorker
from app.store import sync_runs
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Claim
from app.sync.mapper import DataMapper
from app.sync.run import Runner
from tests.jobs.living import Practice
from tests.jobs.processes import descendants, eventually, is_alive
from tests.sandbox.process import RunningSandbox


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    return made


@pytest.fixture
def in_no_worker() -> Iterator[None]:
    """Signal handlers as they were, for tests that set some."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, stopping.SIGNAL)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_database_connections_are_opened_after_the_fork(practice: Practice, tmp_path: Path) -> None:
    """A connection that two processes share answers one with the other's rows."""
    practice.books(3)
    told, parent = tmp_path / "used", os.getpid()

    def opened(connection: object, record: Any) -> None:
        record.info["by"] = os.getpid()

    def used(connection: object, record: Any, proxy: object) -> None:
        with told.open("a") as file:
            file.write(f"{os.getpid()} {record.info['by']}\n")

    event.listen(practice.store.engine, "connect", opened)
    event.listen(practice.store.engine, "checkout", used)
    practice.store.engine.dispose()
    practice.presses()  # the parent has a connection of its own in the pool by now
    practice.works()
    uses = [line.split() for line in told.read_text().splitlines()]
    assert {user for user, _ in uses} > {str(parent)}  # both the parent and a horse were at the database
    assert all(user == by for user, by in uses)


def test_no_connection_of_the_worker_is_open_when_it_forks(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor after it had work of its own to do there: taking back a dead horse's run, tending."""
    told, fork = tmp_path / "open", SyncWorker.fork_work_horse

    def forked(self: SyncWorker, *args: Any) -> None:
        pool = self.house.store.engine.pool
        with told.open("a") as file:
            file.write(f"{pool.checkedin() + pool.checkedout()}\n")
        fork(self, *args)

    monkeypatch.setattr(SyncWorker, "fork_work_horse", forked)
    monkeypatch.setattr(Runner, "execute", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    practice.presses()
    practice.works()
    assert told.read_text().split() == ["0", "0", "0"]


# --- the job's own limit ----------------------------------------------------------------------------------------------


@pytest.mark.fault("F59")
def test_the_job_s_own_limit_is_not_taken_for_a_row_s_fault(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JobTimeoutException is an Exception: a row's `except Exception` swallowed it and the job ended “finished”."""
    practice.books(3)

    def never_ends(*_: object, **__: object) -> None:
        for _row in range(2):
            try:
                time.sleep(300)
            except Exception:  # noqa: BLE001 - what somebody may well write around a row
                continue

    monkeypatch.setattr(DataMapper, "to_row", never_ends)
    monkeypatch.setattr(queues, "GRACE_S", 0)
    monkeypatch.setattr(sync_runs, "MAX_ATTEMPTS", 1)
    ask = practice.ask()
    answer, _ = dispatch.sync_now(practice.store, practice.redis, ask, timeout_s=1)
    practice.works()
    job = JsonJob.fetch(f"run-{answer.run_id}", connection=practice.redis)
    assert job.get_status() == JobStatus.FAILED
    assert practice.states() == [("abandoned", "lost")]  # closed by the horse itself, not by its lease


def test_rq_s_own_alarms_stay_as_they_are() -> None:
    with pytest.raises(tasks.JobTimedOut) as met, DeathPenalty(1, JobTimeoutException):
        time.sleep(5)
    assert not isinstance(met.value, Exception)
    with pytest.raises(HorseMonitorTimeoutException), DeathPenalty(1, HorseMonitorTimeoutException):
        time.sleep(5)


# --- coming to an end -------------------------------------------------------------------------------------------------


def test_a_horse_born_while_its_worker_is_asked_to_stop_hears_of_it(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, in_no_worker: None
) -> None:
    """The signal may come between the fork and the moment the worker knows its horse's number."""
    heard = threading.Event()
    told: list[int] = []
    made = SyncWorker.of(practice.house)
    monkeypatch.setattr(worker.os, "kill", lambda pid, number: told.append(number))
    monkeypatch.setattr("rq.Worker.fork_work_horse", lambda self, *_: setattr(self, "_horse_pid", 4_000_000))
    made.fork_work_horse(None, None)
    assert told == []
    made._stop_requested = True
    made.fork_work_horse(None, None)
    assert told == [stopping.SIGNAL]
    assert not heard.is_set()


def test_horses_listen_from_their_birth_and_the_worker_itself_is_deaf(in_no_worker: None) -> None:
    stopping.prepare()
    os.kill(os.getpid(), stopping.SIGNAL)
    assert not stopping.stop_asked()
    child = os.fork()
    if child == 0:  # a horse: nothing was set up here
        os.kill(os.getpid(), stopping.SIGNAL)
        os._exit(0 if stopping.stop_asked() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_worker_that_ends_by_an_error_takes_its_horse_along(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may go away for good while a sync runs; an orphan would go on where nobody looks after it."""
    monkeypatch.setattr(worker, "_HORSE_GRACE_S", 0.5)
    monkeypatch.setattr(Runner, "execute", lambda *_: time.sleep(60))
    born: list[int] = []

    def monitor(self: SyncWorker, *_: object) -> None:
        eventually(lambda: practice.states() == [("running", None)], "the horse has claimed the run")
        born.append(self.horse_pid)
        raise ConnectionError("Redis is gone")

    monkeypatch.setattr(SyncWorker, "monitor_work_horse", monitor)
    practice.presses()
    with pytest.raises(RunsheetError, match="ended by itself"):
        worker.work(practice.house)
    assert not is_alive(born[0])
    assert practice.states() == [("abandoned", "lost"), ("queued", None)]
    assert descendants(os.getpid()) == [pid for pid in descendants(os.getpid()) if pid not in born]


def test_a_heartbeat_that_redis_does_not_take_costs_nothing(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = SyncWorker.of(practice.house)
    job = JsonJob.fetch(queues.job_id(practice.presses()), connection=practice.redis)
    made.register_birth()
    made.prepare_execution(job)
    with Redis.from_url(f"unix://{tmp_path}/nobody.sock", retry=Retry(NoBackoff(), 0)) as away:
        made.connection = away
        made.set_current_job_working_time(3.0)
        made.maintain_heartbeats(job)
    assert made.current_job_working_time == 3.0


def test_without_a_clock_workers_tend_what_waits_and_what_fell_silent(practice: Practice) -> None:
    """ENABLE_SCHEDULER=false, or a scheduler that died: no tick comes, and yet nothing stays behind."""
    ask = practice.ask(Trigger.SCHEDULE)
    with practice.store.write() as session:
        answer = sync_runs.request(session, ask, clock.now())
    with practice.store.write() as session:
        claim = sync_runs.claim(session, answer.run_id, clock.now() - 2 * sync_runs.LEASE, "elsewhere", 4_000_000)
    assert isinstance(claim, Claim)
    move_in(practice.house)
    SyncWorker.of(practice.house).run_maintenance_tasks()
    assert practice.states() == [("abandoned", "lost"), ("queued", None)]
    assert queues.queue("sync", practice.redis).job_ids == [f"run-{practice.runs()[-1].id}"]


def test_two_workers_of_one_process_id_do_not_meet(practice: Practice) -> None:
    """In a container every worker is process 1, and the name of a killed one is remembered for two minutes."""
    assert SyncWorker.of(practice.house).name != SyncWorker.of(practice.house).name


def test_a_job_without_a_house_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.house._house", [])
    with pytest.raises(tasks.JobFailed, match="RunsheetError"):
        tasks.tick()


@pytest.mark.fault("F54")
def test_a_second_job_of_a_run_does_nothing(practice: Practice) -> None:
    practice.books(2)
    run_id = practice.presses()
    practice.works()
    move_in(practice.house)
    assert tasks.run_sync(str(run_id)) == {"claimed": False}
    assert practice.states() == [(RunState.SUCCESS, None)]
