"""The narrow sweep: today is read every few minutes in between, within the vendor's budget, at no other's cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.window import day_of, day_start, zone_of
from app.jobs import dispatch
from app.store import connections, practices, schedules
from app.store.models import SyncSchedule
from app.store.models.sync import RunState
from app.sync import near
from tests.jobs.living import ZONE, Practice
from tests.sandbox.process import RunningSandbox


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.books(3)
    return made


def plan(practice: Practice, **limits: int) -> None:
    near.plan(practice.store, lambda _: VendorSettings(**limits))


def rows(practice: Practice) -> dict[str, SyncSchedule]:
    with practice.store.read() as session:
        return {row.kind: row for row in schedules.of_connection(session, practice.connection_id)}


def near_is_due(practice: Practice, at: datetime) -> None:
    with practice.store.write() as session:
        for row in schedules.of_connection(session, practice.connection_id):
            row.next_due_at = at if row.kind == schedules.NEAR else at + timedelta(hours=8)


@pytest.mark.feature("E11")
def test_between_two_ordinary_sweeps_today_is_read_whole_and_nothing_else_moves(practice: Practice) -> None:
    before = rows(practice)
    plan(practice)
    made = rows(practice)
    assert set(made) == {"interval", "nightly", "near"}
    assert made["near"].interval_minutes in (2, 3)
    assert made["near"].next_due_at > clock.now()
    for kind, row in before.items():  # the others are what they were
        assert (made[kind].next_due_at, made[kind].days_before, made[kind].days_after) == (
            row.next_due_at,
            row.days_before,
            row.days_after,
        )
    plan(practice)
    assert rows(practice)["near"].next_due_at == made["near"].next_due_at
    near_is_due(practice, clock.now() - timedelta(seconds=1))
    dispatch.dispatch_due(practice.store)
    practice.tick()
    practice.works()
    (run,) = practice.runs()
    assert (run.state, run.phases) == (RunState.SUCCESS, ["inbound"])
    assert run.window_from.isoformat() == practice.today
    assert run.window_to - run.window_from <= timedelta(days=1)  # tomorrow too, where 90 minutes reach into it
    practice.stands_as_in_the_pms()


def test_late_in_the_evening_it_reaches_into_tomorrow(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(practice)
    zone = zone_of(ZONE)
    today = day_of(clock.now(), zone)
    with practice.store.read() as session:
        row = next(one for one in schedules.of_connection(session, practice.connection_id) if one.kind == "near")
        connection = connections.get(session, practice.connection_id)
        own = practices.get(session, practice.id)
    midnight = day_start(today + timedelta(days=1), zone)
    for before, days in ((timedelta(minutes=91), 0), (timedelta(minutes=89), 1)):
        monkeypatch.setattr(clock, "now", lambda at=midnight - before: at)
        ask = dispatch.scheduled_ask(row, connection, own)
        assert (ask.window_from, ask.window_to) == (today, today + timedelta(days=days))


@pytest.mark.feature("E11")
def test_a_small_budget_has_no_room_for_it_and_a_change_of_mind_acts_at_the_next_tick(practice: Practice) -> None:
    plan(practice, requests_per_hour=20)  # IntakeQ's 500 a day
    assert "near" not in rows(practice)
    plan(practice, requests_per_hour=1000)
    assert "near" in rows(practice)
    with practice.store.write() as session:
        connection = connections.get(session, practice.connection_id)
        schedules.change_interval(session, connection, 3, clock.now())
    plan(practice)
    assert "near" not in rows(practice)  # the practice itself asks as often
    with practice.store.write() as session:
        schedules.change_interval(session, connections.get(session, practice.connection_id), 30, clock.now())
    plan(practice)
    assert "near" in rows(practice)
    with practice.store.write() as session:
        connections.pause(session, connections.get(session, practice.connection_id), clock.now())
    plan(practice)
    assert "near" not in rows(practice)


@pytest.mark.parametrize(
    ("pms_type", "interval", "practitioners", "set_by_operator", "expected"),
    [
        ("intakeq", 60, 1, {}, 12),  # 500 a day are 21 an hour, and a quarter of those five
        ("intakeq", 20, 1, {}, None),
        ("intakeq", 20, 1, {"requests_per_day": 5000}, 2),
        ("ezyvet", 15, 40, {}, 2),  # 10,800 an hour
        ("ezyvet", 60, 40, {"requests_per_hour": 400}, 24),
        ("gentu", 60, 40, {}, 10),  # nobody publishes any: 1,000 an hour
        ("gentu", 60, 40, {"requests_per_day": 6000}, None),
    ],
)
def test_the_vendors_own_figures_decide_and_the_operators_win(
    pms_type: str, interval: int, practitioners: int, set_by_operator: dict[str, int], expected: int | None
) -> None:
    assert near.minutes_for(pms_type, interval, practitioners, 1, VendorSettings(**set_by_operator)) == expected


def test_a_system_that_fails_is_not_asked_more_often_than_its_own_interval(practice: Practice) -> None:
    plan(practice)
    with practice.store.write() as session:
        connections.get(session, practice.connection_id).failures = 1
    near_is_due(practice, clock.now() - timedelta(seconds=1))
    assert dispatch.dispatch_due(practice.store) == 0
    assert rows(practice)["near"].next_due_at > clock.now()
    with practice.store.write() as session:
        connections.get(session, practice.connection_id).failures = 0
    near_is_due(practice, clock.now() - timedelta(seconds=1))
    assert dispatch.dispatch_due(practice.store) == 1
