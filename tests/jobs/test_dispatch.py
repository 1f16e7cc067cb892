"""What is due becomes a run: late, twice, or by several at once."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from app import clock
from app.config import Settings
from app.jobs import dispatch
from app.parts import Parts
from app.pms.registry import adapter_class
from app.store import connections, practices, schedules
from app.store.models import PmsConnection, SyncRun, SyncSchedule
from app.store.models import Practice as PracticeRow
from app.store.models.connection import Environment
from app.store.models.sync import RunState, Trigger
from tests.jobs.living import Practice, environment, held_elsewhere

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
    lost = held_elsewhere(practice)
    practice.change(lost, lease_until=clock.now() - timedelta(seconds=1))
    told = dispatch.tick(practice.store, practice.redis, timeout_s=60, dispatches=False)
    assert told == {"due": 0, "abandoned": 1, "nudged": 1, "telling": 0}
