"""The practice's own day: half-hour zones, both days of daylight saving, midnight, and a zone that is corrected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.status import Status
from app.store.models import Practice, RunSheet
from app.store.models.sync import RunState
from tests.fakes.house import House, statements, writes_to
from tests.fakes.pms import TODAY

TABLES = ("run_sheet_appointments", "appointment_events", "run_sheets")


def moves_to(house: House, zone: str) -> None:
    with house.store.write() as session:
        session.get_one(Practice, house.practice_id).timezone = zone


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Australia/Adelaide", date(2026, 4, 5)),  # half an hour, 25 hours long
        ("Australia/Adelaide", date(2026, 10, 4)),  # 23 hours long
        ("Australia/Lord_Howe", date(2026, 4, 5)),  # the clocks change by half an hour
        ("Australia/Lord_Howe", date(2026, 10, 4)),
        ("Australia/Eucla", date(2026, 3, 9)),  # +08:45
        ("Pacific/Chatham", date(2026, 4, 5)),  # +13:45
        ("America/Santiago", date(2026, 9, 6)),  # midnight itself is skipped
        ("Asia/Beirut", date(2026, 10, 25)),  # midnight comes twice
    ],
)
def test_a_day_holds_its_first_and_its_last_minute_and_neither_neighbour(house: House, zone: str, day: date) -> None:
    moves_to(house, zone)
    local = ZoneInfo(zone)
    start = datetime.combine(day, datetime.min.time(), local).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), datetime.min.time(), local).astimezone(UTC)
    minute = timedelta(minutes=1)
    house.pms.zone = local
    for name, at in (("before", start - minute), ("first", start), ("last", end - minute), ("after", end)):
        house.pms.books(name, day=day, status=Status.BOOKED)
        house.pms.changes(name, starts_at=at, ends_at=at + minute)
    house.sync(day)
    assert house.shown(day) == {"first", "last"}
    house.sync(day - timedelta(days=1), day + timedelta(days=1))
    assert {name: house.day_of(name) - day for name in ("before", "first", "last", "after")} == {
        "before": timedelta(days=-1),
        "first": timedelta(0),
        "last": timedelta(0),
        "after": timedelta(days=1),
    }
    house.account_adds_up(day)


@pytest.mark.fault("F47")
def test_a_practice_that_corrects_its_zone_finds_its_rows_on_the_right_days_once_each(house: House) -> None:
    """23:30 in Melbourne is 20:30 in Perth, and 01:00 is the evening before."""
    house.pms.books("late", at="23:30").books("early", at="01:00").books("noon", at="12:00")
    house.sync()
    house.staff_notes("early", "call first")
    moves_to(house, "Australia/Perth")
    before = house.version()
    result = house.sync(TODAY - timedelta(days=1), TODAY)
    assert result.state is RunState.SUCCESS
    assert {name: house.day_of(name) for name in house.rows()} == {
        "late": TODAY,
        "noon": TODAY,
        "early": TODAY - timedelta(days=1),
    }
    assert house.row("early").staff_note == "call first"
    assert house.version() > before, "the sheet it left says so"
    assert house.count(RunSheet) == 2
    for day in (TODAY - timedelta(days=1), TODAY):
        house.account_adds_up(day)
    with statements(house.store) as told:
        house.sync(TODAY - timedelta(days=1), TODAY)
    assert writes_to(told, *TABLES) == []


def test_an_appointment_over_midnight_belongs_to_the_day_it_starts_on(house: House) -> None:
    house.pms.books("a1", at="23:50")
    house.sync(TODAY, TODAY + timedelta(days=1))
    assert house.day_of("a1") == TODAY
    house.pms.moves("a1", minutes=20)
    versions = house.version(TODAY), house.version(TODAY + timedelta(days=1))
    house.sync(TODAY, TODAY + timedelta(days=1))
    assert house.day_of("a1") == TODAY + timedelta(days=1)
    assert (house.shown(TODAY), house.shown(TODAY + timedelta(days=1))) == (set(), {"a1"})
    assert house.version(TODAY) > versions[0]
    assert house.version(TODAY + timedelta(days=1)) > versions[1]
