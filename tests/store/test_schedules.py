"""When a connection is due: kept, moved on, brought forward; several dispatchers make one run per slot."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app import clock
from app.errors import InvalidInput
from app.store import connections, schedules, sync_runs
from app.store.models import Practice, SyncRun, SyncSchedule
from app.store.models.connection import ConnectionState
from tests.fakes.house import House, furnish
from tests.fakes.pms import NOW, TODAY

TOMORROW = TODAY + timedelta(days=1)


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
