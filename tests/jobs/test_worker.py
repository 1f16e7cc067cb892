"""The worker and its horses: forked here, so that a test can say where they die and what they meet."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import signal
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
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
from app.pms import tokens
from app.pms.gentu.adapter import GentuAdapter
from app.store import appointments, sync_runs
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Claim
from app.sync.context import SyncContext
from app.sync.engine import Engine
from app.sync.mapper import DataMapper
from app.sync.run import Runner
from tests.jobs.living import Practice, descendants, eventually, is_alive
from tests.sandbox.process import RunningSandbox

#: How often each failpoint is tried; the printed table names it.
TRIALS = int(os.environ.get("RUNSHEET_TRIALS", "1"))


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


class Failpoint:
    """SIGKILL on the process that passes here for the n-th time; once, remembered over processes by a file."""

    def __init__(self, folder: Path, nth: int = 1) -> None:
        self._flag = folder / "killed"
        self._left = nth
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0 and not self._flag.exists():
                self._flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)


def before(owner: object, name: str, nth: int = 1) -> Callable[[pytest.MonkeyPatch, Path], None]:
    def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        original, point = getattr(owner, name), Failpoint(folder, nth)
        monkeypatch.setattr(owner, name, lambda *args, **more: (point(), original(*args, **more))[1])

    return install


def after(owner: object, name: str, nth: int = 1) -> Callable[[pytest.MonkeyPatch, Path], None]:
    def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        original, point = getattr(owner, name), Failpoint(folder, nth)
        monkeypatch.setattr(owner, name, lambda *args, **more: (original(*args, **more), point())[0])

    return install


def after_a_fetched_page(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    original, point = GentuAdapter.appointments, Failpoint(folder, 2)

    def fetched(self: GentuAdapter, *args: Any) -> Iterator[Any]:
        for page in original(self, *args):
            point()
            yield page

    monkeypatch.setattr(GentuAdapter, "appointments", fetched)


FAILPOINTS = {
    "claim": before(Runner, "execute"),
    "auth": before(tokens.TokenManager, "_minted"),
    "fetch": after_a_fetched_page,
    "map": before(DataMapper, "to_row", nth=105),
    "upsert": after(appointments, "write_page", nth=2),
    "checkpoint": after(SyncContext, "write", nth=2),
    "log": before(sync_runs, "finish"),
}


@pytest.mark.fault("F55")
@pytest.mark.promise("P17")
@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_horse_killed_anywhere_loses_nothing_and_doubles_nothing(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: str
) -> None:
    """Its run is abandoned at once, its successor takes up the checkpoint: no waiting for the lease."""
    monkeypatch.setattr(tokens, "LEASE_S", 0.5)
    practice.books(130, every_minutes=1)
    for trial in range(TRIALS):
        folder = tmp_path / str(trial)
        folder.mkdir()
        if point == "auth":
            practice.forgets_its_token()
        with monkeypatch.context() as broken:
            FAILPOINTS[point](broken, folder)
            practice.presses()
            practice.works()
        assert (folder / "killed").exists(), "the failpoint was not passed"
        lost, successor = practice.runs()[-2:]
        assert [(lost.state, lost.reason), (successor.state, successor.reason)] == [
            ("abandoned", "lost"),
            ("success", None),
        ]
        assert (successor.attempt, successor.retry_of) == (2, lost.id)
        assert lost.completed_at - lost.heartbeat_at < timedelta(seconds=30)
        practice.stands_as_in_the_pms()
        practice.forgets_its_rows()


def test_a_horse_killed_after_the_run_was_closed_changes_nothing(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    practice.books(3)
    before(Runner, "_told")(monkeypatch, tmp_path)
    practice.presses()
    practice.works()
    assert (tmp_path / "killed").exists()
    assert practice.states() == [("success", None)]
    practice.stands_as_in_the_pms()


def test_the_successor_goes_on_from_the_checkpoint(
    practice: Practice, small_clinic: RunningSandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the PMS still honours the cursor: what was committed is not read again."""
    small_clinic.control("knobs", cursor_uses=0)
    practice.books(450, every_minutes=1)
    after(SyncContext, "write", nth=7)(monkeypatch, tmp_path)  # some of five pages are committed
    practice.presses()
    practice.works()
    assert practice.states() == [("abandoned", "lost"), ("success", None)]
    asked = [(query.partition("&")[0], "cursor=" in query) for query in practice.pages_asked_for()]
    ((long_chain, pages),) = Counter(who for who, _ in asked).most_common(1)
    assert asked.count((long_chain, False)) == 1  # it was not begun anew
    assert 5 <= pages <= 5 + 2  # what was under way when the kill came is read again
    practice.stands_as_in_the_pms()


def test_a_horse_that_always_dies_is_tried_three_times(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "execute", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    practice.presses()
    practice.works()
    assert practice.states() == [("abandoned", "lost")] * 3
    assert not any(queues.queue(name, practice.redis).job_ids for name in queues.ALL)


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
                time.sleep(30)
            except Exception:  # noqa: BLE001 - what somebody may well write around a row
                continue

    monkeypatch.setattr(DataMapper, "to_row", never_ends)
    monkeypatch.setattr(queues, "GRACE_S", 0)
    monkeypatch.setattr(sync_runs, "MAX_ATTEMPTS", 1)
    ask = practice.ask()
    answer, _ = dispatch.sync_now(practice.store, practice.redis, ask, timeout_s=1)
    began = time.monotonic()
    practice.works()
    assert time.monotonic() - began < 15
    job = JsonJob.fetch(f"run-{answer.run_id}", connection=practice.redis)
    assert job.get_status() == JobStatus.FAILED
    assert practice.states() == [("abandoned", "lost")]  # closed by the horse itself, not by its lease


def test_rq_s_own_alarms_stay_as_they_are() -> None:
    with pytest.raises(tasks.JobTimedOut) as met, DeathPenalty(1, JobTimeoutException):
        time.sleep(5)
    assert not isinstance(met.value, Exception)
    with pytest.raises(HorseMonitorTimeoutException), DeathPenalty(1, HorseMonitorTimeoutException):
        time.sleep(5)


# --- no patient in Redis ----------------------------------------------------------------------------------------------

PLANTED = ("Zephyrine", "Quillfeather", "zephyrine.q@example.com", "0491 570 156", "1971-03-09", "knee, left")


def everything_in(redis: Any) -> bytes:
    """All keys with all they hold, as it lies there and unpacked."""
    held: list[bytes] = []
    for key in redis.scan_iter("*"):
        kind = redis.type(key).decode()
        read = {
            "string": lambda k: [redis.get(k)],
            "hash": lambda k: [part for pair in redis.hgetall(k).items() for part in pair],
            "list": lambda k: redis.lrange(k, 0, -1),
            "set": redis.smembers,
            "zset": lambda k: redis.zrange(k, 0, -1),
            "stream": lambda k: [part for _, told in redis.xrange(k) for pair in told.items() for part in pair],
        }[kind](key)
        held += [key, *read]
    return b"\n".join([*held, *(_unpacked(value) for value in held)])


def _unpacked(value: bytes) -> bytes:
    """RQ compresses a job's data, and wraps what it tells of an error in base64 as well."""
    for unwrap in (lambda packed: packed, base64.b64decode):
        with contextlib.suppress(zlib.error, binascii.Error):
            return zlib.decompress(unwrap(value))
    return b""


@pytest.mark.security("X25")
def test_nothing_of_a_patient_lies_in_redis_after_good_and_failing_jobs(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    given, family, email, phone, born, comment = PLANTED
    person = {"given": given, "family": family, "email": email, "phone": phone, "born": born}
    practice.books(3, patient=person, comment=comment)
    practice.presses()
    practice.works()
    (row, *_) = practice.rows()
    assert given in row.patient_name  # the canary did come through

    def fails(*_: object, **__: object) -> None:
        raise ValueError(f"cannot read {given} {family}, {email}, {phone}, {born}: {comment}")

    practice.change(practice.runs()[0].id, completed_at=clock.now() - timedelta(minutes=1))
    monkeypatch.setattr(Engine, "claim", fails)
    failing = practice.presses()
    practice.works()
    job = JsonJob.fetch(f"run-{failing}", connection=practice.redis)
    assert job.get_status() == JobStatus.FAILED
    held = everything_in(practice.redis)
    assert b"JobFailed: ValueError" in held  # what went wrong can still be seen
    for text in PLANTED:
        assert text.encode() not in held
    ttl = practice.redis.ttl(f"rq:results:{job.id}")
    assert 0 < ttl <= queues.FAILURE_TTL_S
    assert not set(PLANTED) & set(capfd.readouterr().err.split())


def test_results_are_counts_and_words(practice: Practice) -> None:
    practice.books(2)
    run_id = practice.presses()
    practice.works()
    result = JsonJob.fetch(f"run-{run_id}", connection=practice.redis).return_value()
    assert result == {"claimed": True, "state": "success", "durationMs": result["durationMs"]}
    assert json.dumps(result)


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


def test_a_second_job_of_a_run_does_nothing(practice: Practice) -> None:
    practice.books(2)
    run_id = practice.presses()
    practice.works()
    move_in(practice.house)
    assert tasks.run_sync(str(run_id)) == {"claimed": False}
    assert practice.states() == [(RunState.SUCCESS, None)]
