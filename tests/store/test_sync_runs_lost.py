"""Runs that are put back, lost or cut short, and what goes on from where they stood; who waits, who is silent."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import clock
from app.errors import NotFound
from app.store import connections, history, out_of_memory, sync_runs, turns
from app.store.models import Practice, SyncRun
from app.store.models.sync import RunState, Trigger
from app.store.resuming import RESUME_WITHIN
from app.store.sync_runs import LEASE, MAX_ATTEMPTS
from tests.fakes.house import House, furnish
from tests.fakes.pms import TODAY
from tests.store.asking import HALF, abandon, ask, beat, claimed, finish

TOMORROW = TODAY + timedelta(days=1)
R, T = RunState, Trigger


def days_of(wish: dict[str, Any], *usual: date) -> tuple[date, ...]:
    return wish.get("days", usual)


def more_of(wish: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wish.items() if name != "days"}


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
        house.practice_id, house.connection_id, _ = furnish(house.store, f"P {len(ids)}")
        house.clock.forward(1)
        ids.append(ask(house, trigger=trigger).run_id)
    later = ids[1]
    with house.store.write() as session:
        assert [run_id for run_id, _ in turns.due(session, clock.now())] == [ids[2], ids[0], ids[1]]
        session.get_one(SyncRun, later).not_before = clock.now() + timedelta(minutes=1)
    with house.store.read() as session:
        assert later not in dict(turns.due(session, clock.now()))


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


# --- a practice's pause -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["lost", "put back", "cut short"])
def test_what_a_run_leaves_behind_does_not_run_while_the_connection_is_paused(house: House, how: str) -> None:
    claim = claimed(house)
    with house.store.write() as session:
        connections.pause(session, connections.get(session, house.connection_id), clock.now())
    with house.store.write() as session:
        if how == "lost":
            sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())
        elif how == "put back":
            sync_runs.put_back(session, claim, clock.now(), HALF)
        else:
            sync_runs.finish(session, claim, clock.now(), R.PARTIAL, "timeout", checkpoint=HALF)
            sync_runs.go_on(session, claim, clock.now())
    (waiting,) = [run for run in house.runs() if run.state == R.QUEUED]
    assert house.claim(waiting.id) is None
    called_off = house.run(waiting.id)
    assert (called_off.state, called_off.reason) == (R.CANCELLED, "cancelled")
    assert [run for run in house.runs() if run.state in (R.QUEUED, R.RUNNING)] == []
    assert house.connection().state == "paused"
    with house.store.write() as session:
        practice = session.get_one(Practice, house.practice_id)
        connections.resume(session, connections.get(session, house.connection_id), practice, clock.now())
    assert house.claim(ask(house).run_id) is not None


@pytest.mark.fault("F58")
def test_a_run_out_of_memory_hands_on_what_was_read_whole_but_no_cursor(house: House) -> None:
    """A cursor may count pages of the size that did not fit."""
    claim = claimed(house)
    beat(house, claim, checkpoint={"done": ["kim"], "cursors": {"lee": {"cursor": "3/400"}}})
    with house.store.write() as session:
        heir = out_of_memory.give_up(session, history.run(session, claim.run_id), clock.now())
    assert heir is not None
    again = house.claim(heir)
    assert again is not None
    assert (again.attempt, out_of_memory.half_pages(again)) == (2, True)
    assert again.checkpoint["done"] == ["kim"]
    assert "cursors" not in again.checkpoint
    with house.store.write() as session:
        assert out_of_memory.give_up(session, history.run(session, heir), clock.now()) is None
    assert (house.run(heir).state, house.run(heir).reason, house.run(heir).checkpoint) == (R.FAILED, "memory", None)
