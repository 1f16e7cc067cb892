"""A local day is 23 to 25 hours of UTC; every instant belongs to exactly one."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.window import Window, day_of, day_start, parse_day, parse_instant, zone_of
from app.errors import InvalidInput

ZONES = [
    "Australia/Melbourne",
    "Australia/Adelaide",
    "Australia/Brisbane",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "America/Scoresbysund",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Apia",
    "UTC",
]


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("Australia/Melbourne", "2026-03-09", "2026-03-08T13:00Z", 24),
        ("Australia/Melbourne", "2026-04-05", "2026-04-04T13:00Z", 25),
        ("Australia/Melbourne", "2026-10-04", "2026-10-03T14:00Z", 23),
        ("Australia/Adelaide", "2026-04-05", "2026-04-04T13:30Z", 25),
        ("Australia/Adelaide", "2026-10-04", "2026-10-03T14:30Z", 23),
        ("Australia/Brisbane", "2026-10-04", "2026-10-03T14:00Z", 24),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00Z", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30Z", 23.5),
        ("Asia/Kathmandu", "2026-03-09", "2026-03-08T18:15Z", 24),
        # The spring change skips midnight: the day begins when the clock resumes, at one.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00Z", 23),
        # Midnight happens twice: the day begins at the first one.
        ("America/Havana", "2026-11-01", "2026-11-01T04:00Z", 25),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00Z", 23),
        # A day that never was.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", 0),
    ],
)
def test_a_day_begins_and_ends_where_the_local_clock_says(zone: str, day: str, start: str, hours: float) -> None:
    window = Window(date.fromisoformat(day), date.fromisoformat(day), ZoneInfo(zone))
    assert window.start == datetime.fromisoformat(start)
    assert window.start.tzinfo is UTC
    assert window.end - window.start == timedelta(hours=hours)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.dates(date(2012, 1, 1), date(2035, 12, 31)),
    second=st.integers(0, 86_399),
)
@example(zone=ZoneInfo("America/Havana"), day=date(2026, 11, 1), second=0)
@example(zone=ZoneInfo("America/Santiago"), day=date(2026, 9, 6), second=0)
def test_every_instant_belongs_to_exactly_the_day_whose_window_holds_it(zone: ZoneInfo, day: date, second: int) -> None:
    assert day_of(day_start(day, zone), zone) == day
    assert day_of(day_start(day, zone) - timedelta(microseconds=1), zone) == day - timedelta(days=1)
    instant = datetime.combine(day, datetime.min.time(), UTC) + timedelta(seconds=second)
    mine = day_of(instant, zone)
    holding = [one for one in (mine - timedelta(days=1), mine, mine + timedelta(days=1)) if _holds(one, zone, instant)]
    assert holding == [mine]


def _holds(day: date, zone: ZoneInfo, instant: datetime) -> bool:
    return Window(day, day, zone).holds(instant)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    first=st.dates(date(2024, 1, 1), date(2028, 1, 1)),
    days=st.integers(1, 40),
    most=st.integers(1, 10),
)
def test_stretches_are_the_same_days_without_gap_or_overlap(zone: ZoneInfo, first: date, days: int, most: int) -> None:
    window = Window(first, first + timedelta(days=days - 1), zone)
    parts = list(window.split(most))
    assert [day for part in parts for day in part.days] == list(window.days)
    assert all(earlier.end == later.start for earlier, later in itertools.pairwise(parts))
    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(len(list(part.days)) <= most for part in parts)


def test_a_window_ends_no_earlier_than_it_begins() -> None:
    with pytest.raises(InvalidInput, match="lies before"):
        Window(date(2026, 3, 9), date(2026, 3, 8), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "/etc/passwd",
        "../UTC",
        ".",
        "Australia",
        "Australia/../../etc",
        "zone.tab",
        "a\0b",
        "\ud800",
    ],
)
def test_an_unknown_zone_is_refused_with_a_sentence(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        zone_of(name)
    assert "Australia/Melbourne" in refused.value.errors["timezone"]


def test_known_zones_are_found() -> None:
    assert zone_of("Asia/Kathmandu").key == "Asia/Kathmandu"


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("2026-03-09", date(2026, 3, 9)),
        (" Today ", date(2026, 4, 5)),
        ("TOMORROW", date(2026, 4, 6)),
        ("yesterday", date(2026, 4, 4)),
    ],
)
def test_a_day_may_be_typed_or_named(typed: str, day: date) -> None:
    assert parse_day(typed, date(2026, 4, 5)) == day


@pytest.mark.parametrize("typed", ["", "9.3.2026", "2026-02-30", "1899-12-31", "2101-01-01", "now", "0001-01-01"])
def test_what_is_no_day_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput):
        parse_day(typed, date(2026, 4, 5))


@pytest.mark.parametrize(
    ("typed", "instant"),
    [
        ("2026-03-09T10:42", "2026-03-08T23:42:00+00:00"),
        (" 2026-03-09 10:42:03.25 ", "2026-03-08T23:42:03.250000+00:00"),
        ("2026-03-09T10:42Z", "2026-03-09T10:42:00+00:00"),
        ("2026-03-09T10:42+0530", "2026-03-09T05:12:00+00:00"),
        ("2026-04-05T02:30+11:00", "2026-04-04T15:30:00+00:00"),
        ("2026-04-05T02:30+10:00", "2026-04-04T16:30:00+00:00"),
    ],
)
def test_an_instant_is_the_practices_own_time_unless_it_says_otherwise(typed: str, instant: str) -> None:
    assert parse_instant(typed, ZoneInfo("Australia/Melbourne")).isoformat() == instant


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("2026-03-09", "“2026-03-09” is not an instant. Write it as 2026-03-09T10:42"),
        ("10:42", "“10:42” is not an instant."),
        ("2026-02-30T10:42", "“2026-02-30T10:42” is not an instant."),
        ("2026-03-09T24:42", "“2026-03-09T24:42” is not an instant."),
        ("2026-03-09T10:42+99:99", "is not an instant."),
        ("0001-01-01T00:00+11:00", "outside the years 1900 to 2100"),
        ("2026-10-04T02:30", "The clocks change at 2026-10-04T02:30, so that time does not exist."),
        ("2026-04-05T02:30", "The clocks show 2026-04-05T02:30 twice. Say which: add +11:00 or +10:00."),
    ],
)
def test_what_is_no_instant_is_refused_with_a_sentence(typed: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)):
        parse_instant(typed, ZoneInfo("Australia/Melbourne"))
