"""The run table as a queue, a lock and a diary; whoever asks, claims or sweeps at the same moment, one of them wins."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, select, update
from sqlalchemy.exc import IntegrityError

from app import clock
from app.errors import InvalidInput, NotFound
from app.store import connections, history, schedules, sync_runs
from app.store.db import Store, engine_options, prepare
from app.store.models import PmsConnection, Practice, SyncRun, SyncSchedule
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import LEASE, MAX_ATTEMPTS, RESUME_WITHIN, Answer, Claim, LeaseLost
from tests.fakes.house import House, furnish
from tests.fakes.pms import NOW, TODAY

TOMORROW = TODAY + timedelta(days=1)
R, T = RunState, Trigger
HALF = {"done": ["kim/x/y"], "cursors": {}, "at": NOW.isoformat()}


def ask(house: House, *days: date, **more: Any) -> Answer:
    with house.store.write() as session:
        return sync_runs.request(session, house.ask(*days, **more), clock.now())


def claimed(house: House, *days: date, **more: Any) -> Claim:
    claim = house.claim(house.request(*days, **more))
    assert claim is not None
    return claim


def finish(house: House, claim: Claim, state: RunState = R.SUCCESS, **more: Any) -> bool:
    with house.store.write() as session:
        return sync_runs.finish(session, claim, clock.now(), state, None, **more)


def beat(house: House, claim: Claim, **more: Any) -> None:
    with house.store.write() as session:
        sync_runs.beat(session, claim, clock.now(), **more)


def abandon(house: House, run_id: UUID) -> UUID | None:
    with house.store.write() as session:
        return sync_runs.abandon(session, session.get_one(SyncRun, run_id), clock.now())


def days_of(wish: dict[str, Any], *usual: date) -> tuple[date, ...]:
    return wish.get("days", usual)


def more_of(wish: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wish.items() if name != "days"}


# --- asking -----------------------------------------------------------------------------------------------------------


def test_what_nobody_does_yet_waits_in_the_queue(house: House) -> None:
    answer = ask(house, TODAY, TOMORROW)
    assert (answer.state, answer.joined) == (R.QUEUED, False)
    run = house.run(answer.run_id)
    assert (run.window_from, run.window_to, run.phases, run.attempt) == (TODAY, TOMORROW, ["catalogue", "inbound"], 1)
    assert (run.started_at, run.lease_until, run.checkpoint) == (None, None, None)


@pytest.mark.parametrize(
    ("wish", "joins"),
    [
        ({}, True),
        ({"days": (TODAY, TODAY)}, True),
        ({"phases": ("inbound",)}, True),
        ({"days": (TODAY, TODAY + timedelta(days=2))}, False),
        ({"days": (TODAY - timedelta(days=1), TODAY)}, False),
        ({"phases": ("inbound", "reconciliation")}, False),
        ({"full": True}, False),
    ],
)
def test_a_request_joins_the_running_run_where_that_covers_it(house: House, wish: dict[str, Any], joins: bool) -> None:
    running = claimed(house, TODAY, TOMORROW)
    answer = ask(house, *days_of(wish, TODAY, TOMORROW), **more_of(wish))
    assert (answer.run_id == running.run_id) == joins
    assert answer.joined == joins
    assert answer.state is (R.RUNNING if joins else R.QUEUED)


def test_requests_merge_into_the_one_that_waits(house: House) -> None:
    first = ask(house, TODAY, phases=("inbound",))
    second = ask(house, TODAY - timedelta(days=1), TODAY, phases=("catalogue",))
    third = ask(house, TOMORROW, trigger=T.MANUAL, requested_by=house.user_id, full=True)
    assert first.run_id == second.run_id == third.run_id
    assert (second.joined, third.joined) == (True, True)
    run = house.run(first.run_id)
    assert (run.window_from, run.window_to) == (TODAY - timedelta(days=1), TOMORROW)
    assert (run.phases, run.full) == (["inbound", "catalogue"], True)
    assert (run.trigger, run.requested_by) == (T.MANUAL, house.user_id)
    assert len(house.runs()) == 1


def test_somebody_who_presses_does_not_wait_for_a_pause_that_was_meant_for_the_clock(house: House) -> None:
    answer = ask(house)
    with house.store.write() as session:
        session.get_one(SyncRun, answer.run_id).not_before = clock.now() + timedelta(hours=1)
    assert house.claim(answer.run_id) is None
    ask(house)
    assert house.claim(answer.run_id) is None
    ask(house, trigger=T.MANUAL)
    assert house.claim(answer.run_id) is not None


@pytest.mark.parametrize(
    ("seconds", "trigger", "full", "state", "answered"),
    [
        (5, T.MANUAL, False, R.SUCCESS, True),
        (11, T.MANUAL, False, R.SUCCESS, False),
        (5, T.SCHEDULE, False, R.SUCCESS, False),
        (5, T.MANUAL, True, R.SUCCESS, False),
        (5, T.MANUAL, False, R.PARTIAL, False),
    ],
)
def test_a_second_press_right_after_a_complete_run_is_answered_with_it(
    house: House, seconds: int, trigger: Trigger, full: bool, state: RunState, answered: bool
) -> None:
    done = claimed(house)
    finish(house, done, state)
    house.clock.forward(seconds)
    answer = ask(house, trigger=trigger, full=full)
    assert (answer.run_id == done.run_id) == answered
    assert answer.state is (R.SUCCESS if answered else R.QUEUED)
    assert ask(house, TODAY, TOMORROW, trigger=T.MANUAL).run_id != done.run_id


# --- the database's own promises --------------------------------------------------------------------------------------


def run_row(house: House, **more: Any) -> SyncRun:
    given: dict[str, Any] = {
        "practice_id": house.practice_id,
        "pms_connection_id": house.connection_id,
        "sync_type": "manual",
        "trigger": T.MANUAL,
        "phases": [],
        "window_from": TODAY,
        "window_to": TODAY,
    }
    return SyncRun(**(given | more))


@pytest.mark.parametrize("state", [R.RUNNING, R.QUEUED])
def test_one_run_at_a_time_is_the_databases_own_promise(house: House, state: RunState) -> None:
    with house.store.write() as session:
        session.add(run_row(house, state=state))
    with pytest.raises(IntegrityError), house.store.write() as session:
        session.add(run_row(house, state=state))
    with house.store.write() as session:
        session.add_all(run_row(house, state=R.SUCCESS) for _ in range(2))


def test_a_slot_has_one_run(house: House) -> None:
    with house.store.write() as session:
        session.add(run_row(house, state=R.SUCCESS, slot_utc=NOW))
    with pytest.raises(IntegrityError), house.store.write() as session:
        session.add(run_row(house, state=R.FAILED, slot_utc=NOW))
    with house.store.write() as session:
        session.add_all(run_row(house, state=R.FAILED, slot_utc=None) for _ in range(2))


@pytest.mark.parametrize("column", ["state", "trigger", "sync_type"])
def test_words_outside_the_lists_are_refused(house: House, column: str) -> None:
    with pytest.raises(IntegrityError), house.store.write() as session:
        session.add(run_row(house, **{"state": R.SUCCESS, column: "nonsense"}))


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_a_claim_is_held_by_its_fence_and_its_lease(house: House) -> None:
    run_id = ask(house).run_id
    claim = house.claim(run_id, "host", 4711)
    assert claim is not None
    run = house.run(run_id)
    assert (run.state, run.host, run.pid, run.fence) == (R.RUNNING, "host", 4711, claim.fence)
    assert run.lease_until == clock.now() + LEASE
    assert house.connection().fence == claim.fence
    house.clock.forward(60)
    beat(house, claim, progress={"done": 1})
    assert (house.run(run_id).lease_until, house.run(run_id).progress) == (clock.now() + LEASE, {"done": 1})
    assert house.claim(run_id) is None
    assert house.claim(uuid4()) is None


def test_a_queued_run_waits_while_another_one_runs(house: House) -> None:
    running = claimed(house)
    waiting = ask(house, TOMORROW).run_id
    assert house.claim(waiting) is None
    assert finish(house, running)
    second = house.claim(waiting)
    assert second is not None
    assert second.fence > running.fence


def test_a_fence_that_was_passed_stops_every_write(house: House) -> None:
    lost = claimed(house)
    successor = abandon(house, lost.run_id)
    assert successor is not None
    with pytest.raises(LeaseLost):
        beat(house, lost)
    assert not finish(house, lost)
    with house.store.write() as session:
        assert sync_runs.put_back(session, lost, clock.now(), {}) is None
    assert house.run(lost.run_id).state == R.ABANDONED
    heir = house.claim(successor)
    assert heir is not None
    assert heir.fence > lost.fence
    beat(house, heir)


def test_the_foreground_takes_what_is_free_and_follows_what_runs(house: House) -> None:
    with house.store.write() as session:
        got = sync_runs.start(session, house.ask(), clock.now(), "here", 1)
    assert isinstance(got, Claim)
    with house.store.write() as session:
        same = sync_runs.start(session, house.ask(), clock.now(), "there", 2)
        wider = sync_runs.start(session, house.ask(TODAY, TOMORROW), clock.now(), "there", 2)
    assert same == Answer(got.run_id, R.RUNNING, joined=True)
    assert wider == Answer(got.run_id, R.RUNNING, joined=False)


def test_the_foreground_leaves_the_one_that_waits_to_its_worker(house: House) -> None:
    waiting = ask(house).run_id
    with house.store.write() as session:
        got = sync_runs.start(session, house.ask(), clock.now(), "here", 1)
    assert isinstance(got, Claim)
    assert got.run_id != waiting
    assert house.run(waiting).state == R.QUEUED


# --- putting back, abandoning, going on -------------------------------------------------------------------------------


def test_a_run_that_is_put_back_waits_with_its_checkpoint(house: House) -> None:
    claim = claimed(house)
    with house.store.write() as session:
        assert sync_runs.put_back(session, claim, clock.now(), HALF) is R.QUEUED
    run = house.run(claim.run_id)
    assert (run.state, run.lease_until, run.host, run.pid) == (R.QUEUED, None, None, None)
    again = house.claim(claim.run_id)
    assert again is not None
    assert (again.checkpoint, again.attempt) == (HALF, 1)
    assert again.fence > claim.fence


def test_where_another_one_waits_already_the_run_ends_and_that_one_goes_on(house: House) -> None:
    claim = claimed(house)
    waiting = ask(house, full=False, phases=("catalogue", "inbound", "x")).run_id
    with house.store.write() as session:
        assert sync_runs.put_back(session, claim, clock.now(), HALF) is R.ABANDONED
    assert house.run(claim.run_id).reason == "stopped"
    heir = house.claim(waiting)
    assert heir is not None
    assert heir.checkpoint == HALF


def test_a_full_ask_makes_a_run_that_was_put_back_begin_anew(house: House) -> None:
    claim = claimed(house)
    with house.store.write() as session:
        sync_runs.put_back(session, claim, clock.now(), HALF)
    assert ask(house, full=True).run_id == claim.run_id
    again = house.claim(claim.run_id)
    assert again is not None
    assert (again.full, again.checkpoint) == (True, {})


def test_a_lost_run_has_three_attempts_and_then_says_so(house: House) -> None:
    run_id: UUID | None = ask(house).run_id
    attempts = []
    while run_id is not None:
        claim = house.claim(run_id)
        assert claim is not None
        attempts.append(claim.attempt)
        beat(house, claim, checkpoint=HALF)
        house.clock.forward(LEASE.total_seconds() + 1)
        run_id = abandon(house, claim.run_id)
        if run_id is not None:
            assert house.run(run_id).retry_of == claim.run_id
    assert attempts == [1, 2, 3][:MAX_ATTEMPTS]
    assert {run.state for run in house.runs()} == {R.ABANDONED}
    connection = house.connection()
    assert (connection.last_sync_status, connection.last_sync_error) == (R.ABANDONED, "lost")


def test_the_successor_goes_on_from_where_the_lost_one_stood(house: House) -> None:
    claim = claimed(house)
    beat(house, claim, checkpoint=HALF)
    successor = abandon(house, claim.run_id)
    assert successor is not None
    heir = house.claim(successor)
    assert heir is not None
    assert (heir.checkpoint, heir.attempt, heir.trigger) == (HALF, 2, T.RETRY)


def test_a_run_is_abandoned_once(house: House) -> None:
    claim = claimed(house)
    run = house.run(claim.run_id)
    with house.store.write() as session:
        first = sync_runs.abandon(session, run, clock.now())
        assert first is not None
        assert sync_runs.abandon(session, run, clock.now()) is None
    assert len(house.runs()) == 2


def test_a_lost_run_is_not_followed_where_another_one_waits(house: House) -> None:
    claim = claimed(house)
    waiting = ask(house, TOMORROW).run_id
    assert abandon(house, claim.run_id) is None
    assert house.claim(waiting) is not None


@pytest.mark.parametrize(
    ("wish", "minutes", "goes_on"),
    [
        ({}, 1, True),
        ({}, 119, True),
        ({}, 121, False),  # too old to call it the same sweep
        ({"trigger": T.MANUAL}, 9, True),
        ({"trigger": T.MANUAL}, 11, False),  # a person means now
        ({"trigger": T.COMMAND}, 11, False),
        ({"full": True}, 1, False),
        ({"days": (TODAY, TOMORROW)}, 1, False),
    ],
)
def test_the_next_run_of_the_same_window_goes_on_from_a_checkpoint(
    house: House, wish: dict[str, Any], minutes: int, goes_on: bool
) -> None:
    assert timedelta(hours=2) == RESUME_WITHIN
    finish(house, claimed(house), R.PARTIAL, checkpoint=HALF)
    house.clock.forward(minutes * 60)
    assert (claimed(house, *days_of(wish, TODAY), **more_of(wish)).checkpoint == HALF) == goes_on


def test_only_the_last_run_is_gone_on_from(house: House) -> None:
    finish(house, claimed(house), R.PARTIAL, checkpoint=HALF)
    house.clock.forward(1)
    finish(house, claimed(house), R.SUCCESS, checkpoint=None)
    house.clock.forward(1)
    assert claimed(house).checkpoint == {}


def test_what_was_cut_short_is_followed_by_a_run_that_reads_the_rest(house: House) -> None:
    """A nightly sweep that takes longer than a run may last would otherwise never come to its end."""
    week = (TODAY, TODAY + timedelta(days=6))
    claim = claimed(house, *week)
    with house.store.write() as session:
        sync_runs.finish(session, claim, clock.now(), R.PARTIAL, "timeout", checkpoint=HALF)
        sync_runs.go_on(session, claim, clock.now(), clock.now() + timedelta(minutes=5))
        sync_runs.go_on(session, claim, clock.now())
    (follower,) = [run for run in house.runs() if run.state == R.QUEUED]
    assert (follower.window_from, follower.window_to, follower.attempt) == (*week, 1)
    assert house.claim(follower.id) is None
    house.clock.forward(301)
    heir = house.claim(follower.id)
    assert heir is not None
    assert heir.checkpoint == HALF


# --- who is silent, held, waiting -------------------------------------------------------------------------------------


def test_a_run_is_silent_when_its_lease_is_over(house: House) -> None:
    claim = claimed(house)
    for seconds, silent in ((119, []), (2, [claim.run_id])):
        house.clock.forward(seconds)
        with house.store.read() as session:
            assert [run.id for run in sync_runs.silent(session, clock.now())] == silent
    beat(house, claim)
    with house.store.read() as session:
        assert sync_runs.silent(session, clock.now()) == []
        assert [run.id for run in sync_runs.held_by(session, "here", 1)] == [claim.run_id]
        assert sync_runs.held_by(session, "here", 2) == sync_runs.held_by(session, "there", 1) == []
        running = sync_runs.running_of(session, house.connection_id)
        assert running is not None
        assert running.id == claim.run_id


def test_people_come_before_the_clock_and_the_early_before_the_late(house: House) -> None:
    ids = []
    for trigger in (T.SCHEDULE, T.SCHEDULE, T.MANUAL):
        _, connection, _ = furnish(house.store, f"P {len(ids)}")
        house.clock.forward(1)
        house.connection_id = connection
        ids.append(ask(house, trigger=trigger).run_id)
    later = ids[1]
    with house.store.write() as session:
        assert [run.id for run in sync_runs.waiting(session, clock.now())] == [ids[2], ids[0], ids[1]]
        session.get_one(SyncRun, later).not_before = clock.now() + timedelta(minutes=1)
    with house.store.read() as session:
        assert later not in [run.id for run in sync_runs.waiting(session, clock.now())]


def test_the_diary_is_one_practices_own(house: House) -> None:
    claim = claimed(house)
    finish(house, claim)
    stranger, _, _ = furnish(house.store, "Stranger")
    with house.store.write() as session:
        history.file_phase(session, claim.run_id, "inbound", 1, fetched=1)
        history.file_phase(session, claim.run_id, "catalogue", 0)
        history.file_phase(session, claim.run_id, "inbound", 1, fetched=2)
    with house.store.read() as session:
        assert [(one.phase, one.fetched) for one in history.phases_of(session, claim.run_id)] == [
            ("catalogue", 0),
            ("inbound", 2),
        ]
        assert history.run_of(session, house.practice_id, claim.run_id).state == R.SUCCESS
        with pytest.raises(NotFound):
            history.run_of(session, stranger, claim.run_id)
        assert history.recent(session, stranger) == []
        assert [run.id for run in history.recent(session, house.practice_id, house.connection_id)] == [claim.run_id]
        assert history.unfinished(session, house.connection_id) is None
    running = claimed(house)
    ask(house, TOMORROW)
    with house.store.read() as session:
        found = history.unfinished(session, house.connection_id)
        assert found is not None
        assert found.id == running.run_id


# --- at the same moment -----------------------------------------------------------------------------------------------


def test_many_threads_claim_and_one_wins(house: House) -> None:
    run_id = ask(house).run_id
    with ThreadPoolExecutor(8) as pool:
        won = [claim for claim in pool.map(lambda pid: house.claim(run_id, "here", pid), range(8)) if claim]
    assert len(won) == 1
    assert house.connection().fence == won[0].fence


def test_many_ask_at_once_and_one_run_answers_them_all(house: House) -> None:
    def press(days: int) -> Answer:
        work = house.ask(TODAY, TODAY + timedelta(days=days), trigger=T.MANUAL)
        return house.store.transact(lambda session: sync_runs.request(session, work, clock.now()))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(press, range(8)))
    assert len({answer.run_id for answer in answers}) == 1
    assert sorted(answer.joined for answer in answers) == [False] + [True] * 7
    assert house.run(answers[0].run_id).window_to == TODAY + timedelta(days=7)


def _opened(url: str) -> Store:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return Store(engine)


def race(url: str, run_ids: list[UUID], barrier: Any, told: Any) -> None:
    """In a process of its own: try to claim every run, in this order."""
    store = _opened(url)
    barrier.wait(30)
    won = []
    for run_id in run_ids:
        claim = store.transact(
            lambda session, run_id=run_id: sync_runs.claim(session, run_id, clock.now(), "here", os.getpid())
        )
        if claim is not None:
            won.append(run_id)
    told.put(won)
    store.engine.dispose()


def test_processes_claim_and_each_run_has_one_holder(house: House) -> None:
    run_ids = []
    for number in range(6):
        _, house.connection_id, _ = furnish(house.store, f"P {number}")
        run_ids.append(ask(house).run_id)
    context = multiprocessing.get_context("fork")
    barrier, told = context.Barrier(3), context.Queue()
    url = house.store.engine.url.render_as_string(hide_password=False)
    processes = [context.Process(target=race, args=(url, run_ids, barrier, told)) for _ in range(3)]
    for process in processes:
        process.start()
    won = Counter(run_id for _ in processes for run_id in told.get(timeout=60))
    for process in processes:
        process.join(30)
    assert won == Counter(run_ids)


def count_up(url: str, times: int, barrier: Any) -> None:
    """In a process of its own: read and write again, which loses a count wherever two are inside at once."""
    store = _opened(url)
    barrier.wait(30)
    for _ in range(times):
        with store.write() as session:
            connection = session.execute(select(PmsConnection).with_for_update()).scalars().one()
            session.execute(
                update(PmsConnection).where(PmsConnection.id == connection.id).values(failures=connection.failures + 1)
            )
    store.engine.dispose()


def test_writers_of_several_processes_take_turns(house: House) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)
    url = house.store.engine.url.render_as_string(hide_password=False)
    processes = [context.Process(target=count_up, args=(url, 40, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert house.connection().failures == 120


def test_a_write_inside_a_write_is_a_mistake_and_says_so(house: House) -> None:
    if house.store.dialect != "sqlite":
        pytest.skip("only a SQLite file has a write lock")
    with house.store.write(), pytest.raises(RuntimeError, match="already open"), house.store.write():
        pass
    with house.store.write() as session:
        assert session.scalars(select(Practice)).all()


def test_a_transaction_that_fails_leaves_nothing_and_frees_the_lock(house: House) -> None:
    with pytest.raises(ZeroDivisionError), house.store.write() as session:
        connections.get(session, house.connection_id).failures = 9
        session.flush()
        raise ZeroDivisionError
    assert house.connection().failures == 0
    with house.store.write() as session:
        connections.get(session, house.connection_id).failures = 1
    assert house.connection().failures == 1


@pytest.mark.parametrize(("failures", "ends"), [(2, "done"), (3, "raises")])
def test_a_transaction_is_tried_three_times_where_the_database_asks_for_it(
    house: House, failures: int, ends: str
) -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    tried = []

    class Deadlock(Exception):
        sqlstate = "40P01"

    def work(session: Any) -> str:
        tried.append(1)
        connections.get(session, house.connection_id).failures += 1
        session.flush()
        if len(tried) <= failures:
            raise OperationalError("UPDATE", {}, Deadlock())
        return "done"

    if ends == "done":
        assert house.store.transact(work) == "done"
        assert house.connection().failures == 1, "nothing of the earlier attempts is left"
    else:
        with pytest.raises(OperationalError):
            house.store.transact(work)
        assert house.connection().failures == 0
    assert len(tried) == 3
    assert len(house.clock.slept) == 2


def test_an_error_that_is_nobodys_bad_luck_is_not_tried_again(house: House) -> None:
    tried = []

    def work(session: Any) -> None:
        tried.append(1)
        session.add(run_row(house, state="nonsense"))

    with pytest.raises(IntegrityError):
        house.store.transact(work)
    assert len(tried) == 1


# --- schedules --------------------------------------------------------------------------------------------------------


def schedule(house: House, kind: str = "interval") -> SyncSchedule:
    with house.store.read() as session:
        return next(row for row in schedules.of_connection(session, house.connection_id) if row.kind == kind)


def test_going_live_makes_an_interval_and_a_night(house: House) -> None:
    interval, nightly = schedule(house), schedule(house, "nightly")
    assert (interval.interval_minutes, interval.days_before, interval.days_after) == (15, 0, 1)
    assert interval.next_due_at == NOW
    assert (nightly.cron, nightly.days_before, nightly.days_after) == ("30 2 * * *", 7, 14)
    slot = nightly.next_due_at.astimezone(house.pms.zone)
    assert slot.date() == TOMORROW
    assert 2 * 60 + 30 <= slot.hour * 60 + slot.minute <= 2 * 60 + 35


def test_a_schedule_moves_past_now_and_counts_what_it_missed(house: House) -> None:
    house.clock.forward(3 * 3600 + 60)
    with house.store.write() as session:
        ((row, _, practice),) = schedules.due(session, clock.now())
        schedules.advance(row, practice, clock.now())
        assert schedules.due(session, clock.now()) == []
    row = schedule(house)
    assert (row.missed_slots, row.next_due_at) == (12, NOW + timedelta(minutes=195))


def test_the_night_keeps_its_place_whatever_the_clocks_do(house: House) -> None:
    row = schedule(house, "nightly")
    with house.store.write() as session:
        row = session.get_one(SyncSchedule, row.id)
        practice = session.get_one(Practice, house.practice_id)
        slots = []
        for _ in range(40):  # over the end of daylight saving on 5 April
            slots.append(row.next_due_at)
            schedules.advance(row, practice, row.next_due_at)
        assert row.missed_slots == 0
    local = [slot.astimezone(house.pms.zone) for slot in slots]
    assert len({at.date() for at in local}) == 40
    assert {(at.hour, at.minute) for at in local} == {(local[0].hour, local[0].minute)}


@pytest.mark.parametrize("state", [state for state in ConnectionState if state is not ConnectionState.ACTIVE])
def test_only_a_connection_that_syncs_comes_due(house: House, state: ConnectionState) -> None:
    with house.store.write() as session:
        assert len(schedules.due(session, clock.now())) == 1
        connections.get(session, house.connection_id).state = state
        session.flush()
        assert schedules.due(session, clock.now()) == []


def test_a_vendors_pause_and_a_practices_wish_move_what_is_due(house: House) -> None:
    with house.store.write() as session:
        schedules.not_before(session, house.connection_id, NOW + timedelta(minutes=20))
        assert schedules.next_due(session, [house.connection_id]) == {house.connection_id: NOW + timedelta(minutes=20)}
        schedules.make_due(session, house.connection_id, NOW)
        assert schedules.next_due(session, [house.connection_id]) == {house.connection_id: NOW}
        schedules.make_due(session, house.connection_id, NOW + timedelta(hours=9))
        assert schedules.next_due(session, [house.connection_id, uuid4()])[house.connection_id] == NOW
    assert schedule(house, "nightly").next_due_at > NOW + timedelta(hours=1)


def test_a_new_interval_takes_effect_at_once(house: House) -> None:
    with house.store.write() as session:
        schedules.not_before(session, house.connection_id, NOW + timedelta(hours=2))
        schedules.change_interval(session, connections.get(session, house.connection_id), 5, NOW)
        for minutes in (0, 1441, -1):
            with pytest.raises(InvalidInput, match="minutes"):
                schedules.change_interval(session, connections.get(session, house.connection_id), minutes, NOW)
    row = schedule(house)
    assert (row.interval_minutes, row.next_due_at) == (5, NOW + timedelta(minutes=5))
    assert house.connection().sync_frequency_minutes == 5


def test_resuming_keeps_one_schedule_of_each_kind(house: House) -> None:
    for _ in range(2):
        with house.store.write() as session:
            connection = connections.get(session, house.connection_id)
            connections.activate(session, connection, session.get_one(Practice, house.practice_id), clock.now())
    assert house.count(SyncSchedule) == 2


def test_dispatchers_at_the_same_moment_make_one_run_per_slot(house: House) -> None:
    """Each takes what nobody else holds, asks for a run and moves the schedule on, in one transaction."""
    made = [furnish(house.store, f"P {number}") for number in range(12)]

    def work(session: Any) -> int:
        rows = schedules.due(session, clock.now(), limit=5)
        for row, connection, practice in rows:
            asked = house.ask(slot_utc=row.next_due_at)
            mine = {"practice_id": practice.id, "connection_id": connection.id}
            sync_runs.request(session, type(asked)(**{**_fields(asked), **mine}), clock.now())
            schedules.advance(row, practice, clock.now())
        return len(rows)

    def dispatch(_: int) -> int:
        taken = 0
        for _round in range(20):
            taken += house.store.transact(work)
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = sum(pool.map(dispatch, range(3)))
    with house.store.read() as session:
        slots = session.execute(select(SyncRun.pms_connection_id, SyncRun.slot_utc)).all()
        left = schedules.due(session, clock.now())
    assert left == []
    assert taken == len(slots) == len(set(slots)) == len(made) + 1


def _fields(asked: Any) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__dataclass_fields__}


def test_a_dispatcher_passes_over_a_connection_somebody_is_deciding_about(house: House) -> None:
    if house.store.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    with house.store.write() as deciding:
        connections.hold(deciding, house.connection_id)
        with house.store.write() as session:
            assert schedules.due(session, clock.now()) == []
    with house.store.write() as session:
        assert len(schedules.due(session, clock.now())) == 1
