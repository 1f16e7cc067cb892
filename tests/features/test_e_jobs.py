"""E12: RQ workers and rq-scheduler on Redis, as real processes; a killed worker's run is closed and taken up again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app import clock
from app.jobs.embedded import Embedded
from app.jobs.queues import TICK_ID
from app.store.models.sync import RunState
from app.store.sync_runs import LEASE
from tests.jobs.living import Practice, environment, stop_between_transactions, vendor
from tests.jobs.processes import Running, children, eventually, is_alive
from tests.sandbox.process import RunningSandbox

#: A scheduler that need not be waited for.
HASTE = ("--tick", "1", "--look", "1", "--watch", "0.2")


@pytest.fixture
def slow_clinic(big_clinic: RunningSandbox) -> RunningSandbox:
    """Twelve pages of appointments, each a fifth of a second away, one after the other: time to kill something."""
    big_clinic.control("knobs", cursor_uses=0)
    big_clinic.break_("slow", path="/tenants/*/appointments", ms=200)
    return big_clinic


@pytest.fixture
def practice(living: Callable[..., Practice], slow_clinic: RunningSandbox) -> Practice:
    made = living(slow_clinic, GENTU_CONCURRENCY="1")
    made.only_when_pressed()
    return made


def some_pages_are_written(practice: Practice, *workers: Running, rows: int = 150) -> None:
    try:
        eventually(lambda: len(practice.rows()) >= rows, "some pages have been written", 30)
    except AssertionError as error:
        said = [worker.said for worker in workers]
        raise AssertionError(f"{error}; {practice.states()}; the workers said {said}") from None


def horse_at_work(practice: Practice, worker: Running, rows: int = 150) -> int:
    """The horse's number, once it has written some pages of a run that it holds."""
    some_pages_are_written(practice, worker, rows=rows)
    (horse,) = children(worker.pid)
    (run,) = [run for run in practice.runs() if run.state == RunState.RUNNING]
    assert run.pid == horse
    return horse


def has_ended_well(practice: Practice, *states: tuple[str, str | None], within_s: float = 15) -> None:
    eventually(lambda: practice.states() == list(states), f"{states}, now {practice.states()}", within_s)
    practice.stands_as_in_the_pms()


@pytest.mark.feature("E12")
@pytest.mark.fault("F53")
def test_due_schedules_are_synced_by_themselves_also_after_redis_forgot_everything(
    living: Callable[..., Practice], small_clinic: RunningSandbox
) -> None:
    """One run a slot with two workers; FLUSHALL takes the tick and the queues, the database brings them back."""
    practice = living(small_clinic)
    practice.books(3)
    practice.due_at(clock.now() + timedelta(hours=1))
    with (
        practice.process("worker") as one,
        practice.process("worker") as other,
        practice.process("scheduler", *HASTE) as scheduler,
    ):
        for process in (one, other, scheduler):
            process.wait_for_line("ready")
        slots = [clock.now()]
        practice.due_at(slots[0])
        has_ended_well(practice, ("success", None))

        practice.books(2, time="11:00")
        practice.redis.flushall()
        slots.append(clock.now())
        practice.due_at(slots[1])
        has_ended_well(practice, ("success", None), ("success", None))
        assert Counter(run.slot_utc for run in practice.runs()) == dict.fromkeys(slots, 1)
        assert practice.redis.zcard("rq:scheduler:scheduled_jobs") == 1

        practice.redis.delete(f"rq:job:{TICK_ID}")  # an eviction
        eventually(lambda: practice.redis.exists(f"rq:job:{TICK_ID}"), "the watchdog puts the tick back")
        practice.redis.set("somebody:else", "here")
        assert [process.end() for process in (scheduler, one, other)] == [0, 0, 0]
        assert practice.redis.get("rq:scheduler_lock") is None
        assert practice.redis.get("somebody:else") == b"here"


@pytest.mark.feature("E12")
@pytest.mark.promise("P17")
def test_a_killed_horse_s_run_is_abandoned_at_once_and_its_successor_ends_it(practice: Practice) -> None:
    with practice.process("worker") as worker:
        worker.wait_for_line("ready")
        practice.presses()
        horse = horse_at_work(practice, worker)
        os.kill(horse, signal.SIGKILL)
        has_ended_well(practice, ("abandoned", "lost"), ("success", None))
        lost, successor = practice.runs()
        assert lost.completed_at - lost.heartbeat_at < LEASE  # nobody waited for it to run out
        assert successor.retry_of == lost.id
        made_by = Counter(row.created_run_id for row in practice.rows())
        assert set(made_by) == {lost.id, successor.id}
        assert successor.appointments_created == made_by[successor.id]  # it went on; it did not begin anew
        assert worker.end() == 0


@pytest.mark.feature("E12")
@pytest.mark.promise("P17")
def test_a_worker_killed_with_its_horse_is_succeeded_by_another_worker_after_the_lease(practice: Practice) -> None:
    with practice.process("worker") as doomed, practice.process("scheduler", *HASTE) as scheduler:
        doomed.wait_for_line("ready")
        scheduler.wait_for_line("ready")
        practice.presses()
        horse = horse_at_work(practice, doomed)
        os.kill(doomed.pid, signal.SIGKILL)
        os.kill(horse, signal.SIGKILL)
        with practice.process("worker") as other:
            other.wait_for_line("ready")
            (run,) = practice.runs()
            assert run.state == RunState.RUNNING  # nobody can know yet
            assert run.lease_until - clock.now() < LEASE
            practice.change(run.id, lease_until=clock.now())  # two minutes pass
            has_ended_well(practice, ("abandoned", "lost"), ("success", None))


@pytest.mark.feature("E12")
@pytest.mark.fault("F56")
def test_a_horse_whose_worker_was_killed_is_fenced_when_its_run_has_another_owner(practice: Practice) -> None:
    """It sleeps past its lease, the run gets a successor, it wakes up: its next write is refused."""
    with practice.process("worker") as doomed, practice.process("worker") as other:
        doomed.wait_for_line("ready")
        other.wait_for_line("ready")
        practice.presses()
        some_pages_are_written(practice, doomed, other)
        (run,) = practice.runs()
        orphan = run.pid
        assert orphan is not None
        parent = next(process for process in (doomed, other) if orphan in children(process.pid))
        os.kill(parent.pid, signal.SIGKILL)
        parent.popen.wait(10)  # whole: the kernel hangs up on a stopped child of a process that is just dying
        assert is_alive(orphan)  # no signal reaches it: it leads a process group of its own
        stop_between_transactions(practice, orphan)
        practice.change(run.id, lease_until=clock.now())
        practice.tick()
        has_ended_well(practice, ("abandoned", "lost"), ("success", None))
        versions = {row.id: (row.row_version, row.pms_last_synced_at) for row in practice.rows()}
        os.kill(orphan, signal.SIGCONT)
        eventually(lambda: not is_alive(orphan), "the orphan has come to its end", 15)
        assert practice.states() == [("abandoned", "lost"), ("success", None)]  # exactly one final run
        assert {row.id: (row.row_version, row.pms_last_synced_at) for row in practice.rows()} == versions
        practice.stands_as_in_the_pms()
        assert practice.connection().fence > practice.runs()[0].fence


@pytest.mark.feature("E12")
@pytest.mark.fault("F57")
def test_a_worker_told_to_stop_puts_its_run_back_and_another_one_goes_on(practice: Practice) -> None:
    with practice.process("worker") as leaving:
        leaving.wait_for_line("ready")
        run_id = practice.presses()
        horse_at_work(practice, leaving)
        assert leaving.end(signal.SIGTERM) == 0
        assert practice.states() == [("queued", None)]
        assert practice.run(run_id).checkpoint
        written = len(practice.rows())
        assert 150 <= written < 1000
    with practice.process("worker") as other:  # the job waits for it already: no tick is needed
        other.wait_for_line("ready")
        has_ended_well(practice, ("success", None))
        run = practice.run(run_id)
        assert (run.attempt, run.appointments_created) == (1, 1000)  # the run tells of both its halves
        assert other.end() == 0


@pytest.mark.feature("E12")
@pytest.mark.fault("F53")
def test_a_redis_that_forgets_everything_in_mid_run_neither_ends_nor_doubles_it(
    practice: Practice,
) -> None:
    with practice.process("worker") as worker, practice.process("worker") as other:
        for each in (worker, other):
            each.wait_for_line("ready")
        run_id = practice.presses()
        some_pages_are_written(practice, worker, other)
        practice.redis.flushall()
        for _ in range(2):
            assert practice.tick()["abandoned"] == 0
        assert practice.presses() == run_id  # whoever presses now joins it
        eventually(lambda: practice.run(run_id).state != RunState.RUNNING, "it has ended", 30)
        assert practice.states() == [("success", None)]
        practice.stands_as_in_the_pms()
        practice.redis.set("somebody:else", "here")
        later = practice.presses(full=True)  # and the queue works again
        eventually(lambda: practice.run(later).state == RunState.SUCCESS, "the next press is answered", 30)
        assert [each.end() for each in (worker, other)] == [0, 0]
    practice.stands_as_in_the_pms()


@pytest.fixture
def mortal_redis() -> Iterator[tuple[Callable[[], Embedded], Path]]:
    """A Redis that can be taken away and brought back at the same address."""
    folder = Path(tempfile.mkdtemp(prefix="rsm-"))
    yield lambda: Embedded(folder), folder
    shutil.rmtree(folder)


@pytest.mark.feature("E12")
@pytest.mark.fault("F52")
def test_a_redis_that_is_away_costs_delay_and_nothing_else(
    tmp_path: Path, database_url: str, slow_clinic: RunningSandbox, mortal_redis: tuple[Callable[[], Embedded], Path]
) -> None:
    """A running sync goes on; the scheduler ends with one line and is started again; a press waits in the database."""
    begin, folder = mortal_redis
    url = f"unix://{folder}/redis.sock"
    environ = environment(tmp_path / "home", database_url, url, **vendor(slow_clinic, GENTU_CONCURRENCY="1"))
    with begin() as server:
        practice = Practice(environ, slow_clinic)
        practice.only_when_pressed()
        worker = practice.process("worker")
        scheduler = practice.process("scheduler", *HASTE)
        with worker as at_work, scheduler as ticking:
            at_work.wait_for_line("ready")
            ticking.wait_for_line("ready")
            practice.presses()
            horse_at_work(practice, at_work)
            server.stop()
            assert ticking.popen.wait(20) == 4
            assert "must be started again" in ticking.lines[-1]
            assert "Traceback" not in ticking.said
            eventually(lambda: practice.states() == [("success", None)], "the sync has ended without Redis", 15)
            practice.stands_as_in_the_pms()
            later = practice.presses(practice.parts.queue.hasty, full=True)
            assert practice.run(later).state == RunState.QUEUED
            with begin(), practice.process("worker") as again, practice.process("scheduler", *HASTE):
                again.wait_for_line("ready")
                eventually(lambda: practice.run(later).state == RunState.SUCCESS, "the press is answered", 20)
        practice.close()
