"""When something is due: whole days simulated tick by tick, on ordinary days and on both clock changes (P20)."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.schedule import (
    SPREAD_S,
    check_cron,
    near_minutes,
    next_cron,
    next_cron_after,
    next_cron_anew,
    next_interval,
    offset_of,
    offset_s,
)
from app.domain.window import Window
from app.errors import InvalidInput

SPRING, AUTUMN, PLAIN = date(2026, 10, 4), date(2026, 4, 5), date(2026, 3, 9)
MELBOURNE, ADELAIDE = ZoneInfo("Australia/Melbourne"), ZoneInfo("Australia/Adelaide")
BRISBANE, LORD_HOWE = ZoneInfo("Australia/Brisbane"), ZoneInfo("Australia/Lord_Howe")


def fired_on(day: date, zone: ZoneInfo, line: str, tick_s: int = 30) -> list[datetime]:
    """Every slot a dispatcher that ticks through the local day takes up, as the local time of its slot."""
    window = Window(day, day, zone)
    now = window.start
    due = next_cron(line, zone, now - timedelta(seconds=1))
    fired = []
    while now < window.end:
        if due <= now:
            fired.append(due.astimezone(zone))
            due, missed = next_cron_after(line, zone, due, now)
            assert missed == 0
            assert due > now
        now += timedelta(seconds=tick_s)
    return fired


def clock_times(fired: list[datetime]) -> list[str]:
    return [at.strftime("%H:%M %z") for at in fired]


@pytest.mark.parametrize("day", [PLAIN, SPRING, AUTUMN])
@pytest.mark.parametrize("zone", [MELBOURNE, ADELAIDE, BRISBANE, LORD_HOWE])
@pytest.mark.parametrize("line", ["30 2 * * *", "0 3 * * *", "15 2 * * *"])
def test_a_daily_line_fires_exactly_once_each_local_day(day: date, zone: ZoneInfo, line: str) -> None:
    assert len(fired_on(day, zone, line)) == 1


@pytest.mark.parametrize(
    ("zone", "day", "times"),
    [
        (MELBOURNE, SPRING, ["03:00 +1100"]),  # half past two is skipped: due when the clock resumes
        (MELBOURNE, AUTUMN, ["02:30 +1100"]),  # half past two comes twice: the first one counts
        (ADELAIDE, SPRING, ["03:00 +1030"]),
        (ADELAIDE, AUTUMN, ["02:30 +1030"]),
        (LORD_HOWE, SPRING, ["02:30 +1100"]),  # half an hour is skipped, and half past two is where it resumes
        (LORD_HOWE, AUTUMN, ["02:30 +1030"]),
        (BRISBANE, SPRING, ["02:30 +1000"]),
    ],
)
def test_the_hour_that_is_skipped_or_doubled(zone: ZoneInfo, day: date, times: list[str]) -> None:
    assert clock_times(fired_on(day, zone, "30 2 * * *")) == times


@pytest.mark.parametrize(
    ("zone", "day", "quarters"),
    [
        (MELBOURNE, PLAIN, 96),
        (MELBOURNE, SPRING, 92),
        (MELBOURNE, AUTUMN, 100),
        (ADELAIDE, SPRING, 92),
        (ADELAIDE, AUTUMN, 100),
        (BRISBANE, SPRING, 96),
        (BRISBANE, AUTUMN, 96),
        (LORD_HOWE, SPRING, 94),
        (LORD_HOWE, AUTUMN, 98),
    ],
)
def test_a_line_of_every_quarter_fires_on_each_elapsed_quarter(zone: ZoneInfo, day: date, quarters: int) -> None:
    fired = fired_on(day, zone, "*/15 * * * *")
    assert len(fired) == quarters
    instants = [at.astimezone(UTC) for at in fired]
    gaps = {later - earlier for earlier, later in itertools.pairwise(instants)}
    assert gaps == {timedelta(minutes=15)}


def test_a_long_silence_is_caught_up_once_and_counted() -> None:
    due = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
    slot, missed = next_cron_after("0 * * * *", MELBOURNE, due, due + timedelta(hours=3, minutes=10))
    assert (slot, missed) == (due + timedelta(hours=4), 3)


def test_even_a_silence_of_years_leads_to_a_slot_that_lies_ahead() -> None:
    due = datetime(2020, 1, 1, tzinfo=UTC)
    now = datetime(2026, 3, 9, 0, 0, 30, tzinfo=UTC)
    slot, missed = next_cron_after("* * * * *", MELBOURNE, due, now)
    assert slot == datetime(2026, 3, 9, 0, 1, tzinfo=UTC)
    assert missed > 1000


def test_a_slot_that_lies_ahead_is_left_alone() -> None:
    due = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
    assert next_cron_after("0 * * * *", MELBOURNE, due, due - timedelta(minutes=1)) == (due, 0)
    assert next_interval(due, 15, due - timedelta(minutes=1)) == (due, 0)


@given(st.integers(1, 1440), st.integers(0, 10_000_000))
def test_an_interval_keeps_its_grid_whatever_is_missed(minutes: int, late_s: int) -> None:
    due = datetime(2026, 4, 4, 12, 7, 13, tzinfo=UTC)
    now = due + timedelta(seconds=late_s)
    slot, missed = next_interval(due, minutes, now)
    step = timedelta(minutes=minutes)
    assert now < slot <= now + step
    assert (slot - due) % step == timedelta(0)
    assert missed == (slot - due) // step - 1


def test_an_offset_is_stable_and_spreads_a_thousand_connections() -> None:
    ids = [uuid4() for _ in range(1000)]
    offsets = [offset_s(id_) for id_ in ids]
    assert offsets == [offset_s(UUID(str(id_))) for id_ in ids]
    assert all(0 <= offset < SPREAD_S for offset in offsets)
    busiest = max(sum(start <= offset < start + 30 for offset in offsets) for start in range(0, SPREAD_S, 30))
    assert busiest < 200  # evenly it would be a hundred in each half minute


@pytest.mark.parametrize("line", ["0 3 * * *", "*/15 8-18 * * MON-FRI", "0 0 29 2 *"])
def test_lines_that_come_due(line: str) -> None:
    assert check_cron(line) == line


@pytest.mark.parametrize("line", ["", "0 0 30 2 *", "0 0 31 4 *", "61 * * * *", "@daily", "* * * * * *", "0 3 * *"])
def test_a_line_that_never_comes_due_or_would_each_second_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_cron(line)
    assert "cron" in refused.value.errors


# --- reckoned anew ----------------------------------------------------------------------------------------------------


def at(text: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.fault("F47")
def test_a_local_time_that_has_had_its_run_does_not_come_again_when_the_zone_moves_west() -> None:
    """Seven in Melbourne is four in Perth: six o'clock of this day has been."""
    perth, now = ZoneInfo("Australia/Perth"), at("2026-03-09T07:00", MELBOURNE)
    assert next_cron("0 6 * * *", perth, now) == at("2026-03-09T06:00", perth)
    assert next_cron_anew("0 6 * * *", perth, now, "2026-03-09T06:00") == at("2026-03-10T06:00", perth)
    assert next_cron_anew("0 6 * * *", perth, now, "2026-03-08T06:00") == at("2026-03-09T06:00", perth)
    assert next_cron_anew("0 6 * * *", perth, now, None) == at("2026-03-09T06:00", perth)


def test_a_line_that_counts_elapsed_time_goes_on_whatever_the_wall_shows() -> None:
    perth, now = ZoneInfo("Australia/Perth"), at("2026-03-09T07:01", MELBOURNE)
    assert next_cron_anew("*/15 * * * *", perth, now, "2026-03-09T07:00") == at("2026-03-09T07:15", MELBOURNE)


def test_a_clock_that_was_years_ahead_does_not_silence_a_line_for_years() -> None:
    now = at("2026-03-09T07:00", MELBOURNE)
    assert next_cron_anew("0 6 * * *", MELBOURNE, now, "2099-01-01T06:00") == at("2026-03-10T06:00", MELBOURNE)


def test_two_lines_of_one_minute_are_two_slots_a_moment_apart() -> None:
    connection = uuid4()
    kinds = ("cron:inbound", "cron:inbound:2", "cron:enrichment", "cron:reconciliation", "cron:discovery")
    offsets = {offset_of(connection, kind) for kind in kinds}
    assert len(offsets) == len(kinds)
    assert {offset // timedelta(seconds=1) for offset in offsets} == {offset_s(connection)}


# --- between the ordinary sweeps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "calls", "limits", "minutes"),
    [
        (15, 4, {"per_hour": 1000}, 2),  # four practitioners, nobody else
        (15, 12, {"per_hour": 1000}, 3),
        (15, 12, {"per_hour": 1000, "sharing": 2}, 6),
        (15, 12, {"per_hour": 1000, "sharing": 5}, None),  # every 15 minutes is as often
        (3, 1, {"per_hour": 100_000}, None),
        (4, 1, {"per_hour": 100_000}, 2),
        (15, 1, {"per_hour": 1000, "per_day": 500}, None),  # a vendor that allows 500 a day
        (60, 2, {"per_hour": 1000, "per_day": 500}, 24),
        (15, 0, {"per_hour": 1}, None),
    ],
)
def test_how_often_today_is_read_in_between(
    interval: int, calls: int, limits: dict[str, int], minutes: int | None
) -> None:
    assert near_minutes(interval, calls, **limits) == minutes


@given(st.integers(1, 1440), st.integers(1, 200), st.integers(1, 100_000), st.integers(1, 100_000), st.integers(1, 50))
def test_it_never_spends_more_than_a_quarter_of_a_budget(
    interval: int, calls: int, per_hour: int, per_day: int, sharing: int
) -> None:
    minutes = near_minutes(interval, calls, per_hour=per_hour, per_day=per_day, sharing=sharing)
    if minutes is not None:
        spent = 60 / minutes * calls * sharing
        assert spent <= per_hour / 4 + 1e-6
        assert spent * 24 <= per_day / 4 + 1e-6
        assert 2 <= minutes <= interval / 2
