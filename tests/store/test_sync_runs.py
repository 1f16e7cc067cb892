"""The run table as a queue, a lock and a diary; whoever asks, claims or sweeps at the same moment, one of them wins."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from app import clock
from app.store import sync_runs
from app.store.models import SyncRun
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import LEASE, Answer, Claim, LeaseLost
from tests.fakes.house import House
from tests.fakes.pms import NOW, TODAY
from tests.store.asking import abandon, ask, beat, claimed, finish, run_row

TOMORROW = TODAY + timedelta(days=1)
R, T = RunState, Trigger


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
        (5, T.CHOICE, False, R.SUCCESS, False),  # it was read by the choices before
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
