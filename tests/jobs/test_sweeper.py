"""What fell silent is closed and taken up again: three times at most."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from app import clock
from app.jobs import dispatch
from app.store import sync_runs
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import LEASE, MAX_ATTEMPTS
from tests.jobs.living import Practice, held_elsewhere


@pytest.fixture
def practice(living: Callable[..., Practice]) -> Practice:
    """Nothing here gets as far as the PMS."""
    made = living()
    made.only_when_pressed()
    return made


def test_a_run_is_swept_when_its_lease_has_run_out_and_not_before(practice: Practice) -> None:
    lost = held_elsewhere(practice)
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
    held_elsewhere(practice)
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
    run_id = held_elsewhere(practice)
    assert dispatch.abandon_held_by(practice.store, "elsewhere", 4_000_001) == []
    assert dispatch.abandon_held_by(practice.store, "another-host", 4_000_000) == []
    assert dispatch.abandon_held_by(practice.store, "elsewhere", 4_000_000) == [run_id]
    assert dispatch.abandon_held_by(practice.store, "elsewhere", 4_000_000) == []
