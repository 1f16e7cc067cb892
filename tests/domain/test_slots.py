"""E22: what is free on a day, also on days of 23 and 25 hours."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.opening import Opening, Period, hours_of, opening_of, parse_periods
from app.domain.slots import Free, Slot, Taken, free_slots, slots_of
from app.domain.status import Status
from app.domain.window import Window
from app.errors import InvalidInput

SPRING, AUTUMN, PLAIN = date(2026, 10, 4), date(2026, 4, 5), date(2026, 3, 9)
MELBOURNE, LORD_HOWE = ZoneInfo("Australia/Melbourne"), ZoneInfo("Australia/Lord_Howe")
BRISBANE = ZoneInfo("Australia/Brisbane")
KIM, LEE = UUID(int=1), UUID(int=2)
NINE_TO_TEN = {"mon": [["09:00", "10:00"]]}


def opened(hours: dict[str, Any] = NINE_TO_TEN, slot: int = 15, rooms: Any = ("Room 1", "Room 2")) -> Opening:
    return opening_of(hours, slot, list(rooms), None)


def at(text: str, zone: ZoneInfo = MELBOURNE) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def taken(start: str = "2026-03-09T09:15", minutes: int | None = 15, **more: Any) -> Taken:
    facts: dict[str, Any] = {"ends_at": None, "clinician_id": KIM, "room": None, "status": Status.BOOKED}
    return Taken(starts_at=at(start), minutes=minutes, **(facts | more))


def free(*busy: Taken, opening: Opening | None = None) -> Free:
    return free_slots(PLAIN, MELBOURNE, opening or opened(), [KIM, LEE], busy)


def walls(slots: list[Slot], zone: ZoneInfo = MELBOURNE) -> list[str]:
    return [slot.starts_at.astimezone(zone).strftime("%H:%M") for slot in slots]


EVERY = ["09:00", "09:15", "09:30", "09:45"]


def test_a_day_without_bookings_is_free_for_everybody_and_every_room() -> None:
    found = free()
    assert {who: walls(slots) for who, slots in found.providers.items()} == {KIM: EVERY, LEE: EVERY}
    assert {room: walls(slots) for room, slots in found.rooms.items()} == {"Room 1": EVERY, "Room 2": EVERY}


@pytest.mark.parametrize(
    ("busy", "left"),
    [
        (taken(), ["09:00", "09:30", "09:45"]),
        (taken(minutes=16), ["09:00", "09:45"]),  # a minute into the next slot takes it
        (taken(minutes=None), ["09:00", "09:30", "09:45"]),  # nobody knows how long: one slot
        (taken(minutes=None, ends_at=at("2026-03-09T10:00")), ["09:00"]),
        (taken("2026-03-09T08:30", 60), ["09:30", "09:45"]),  # began before we opened
        (taken("2026-03-08T23:00", 11 * 60), []),  # and the day before
        (taken("2026-03-09T10:00"), EVERY),  # touches, and takes nothing
        (taken("2026-03-09T08:45"), EVERY),
        (taken(status=Status.CANCELLED), EVERY),
        (taken(status=Status.NO_SHOW), EVERY),
        (taken(status=Status.COMPLETED), ["09:00", "09:30", "09:45"]),
        (taken(status=Status.UNKNOWN), ["09:00", "09:30", "09:45"]),  # never read as free
        (taken(status=None), ["09:00", "09:30", "09:45"]),
        (taken(gone=True), EVERY),
        (taken(is_block=True, status=Status.CANCELLED), ["09:00", "09:30", "09:45"]),  # a block has no status
        (taken(is_block=True, gone=True), EVERY),
    ],
)
def test_what_takes_a_clinicians_time_and_what_does_not(busy: Taken, left: list[str]) -> None:
    found = free(busy)
    assert walls(found.providers[KIM]) == left
    assert walls(found.providers[LEE]) == EVERY


def test_a_booking_takes_its_room_and_a_block_of_nobody_closes_all() -> None:
    in_a_room = free(taken(room=" room  1"))
    assert walls(in_a_room.rooms["Room 1"]) == ["09:00", "09:30", "09:45"]
    assert walls(in_a_room.rooms["Room 2"]) == EVERY
    closed = free(taken(clinician_id=None, is_block=True, status=None))
    assert {tuple(walls(slots)) for slots in (*closed.providers.values(), *closed.rooms.values())} == {
        ("09:00", "09:30", "09:45")
    }
    room_only = free(taken(clinician_id=None, is_block=True, room="Room 2"))
    assert (walls(room_only.providers[KIM]), walls(room_only.rooms["Room 1"])) == (EVERY, EVERY)
    assert walls(room_only.rooms["Room 2"]) == ["09:00", "09:30", "09:45"]


def test_a_rest_shorter_than_a_slot_is_none_and_a_break_cuts_the_day() -> None:
    hours = {"mon": [["13:30", "14:10"], ["09:00", "09:40"]]}
    assert walls(slots_of(PLAIN, MELBOURNE, opened(hours, 20))) == ["09:00", "09:20", "13:30", "13:50"]
    assert walls(slots_of(PLAIN, MELBOURNE, opened(hours, 30))) == ["09:00", "13:30"]
    assert slots_of(PLAIN + timedelta(days=1), MELBOURNE, opened(hours)) == []


ALL_DAY = {day: [["00:00", "24:00"]] for day in ("sun", "mon")}


@pytest.mark.feature("E22")
@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (MELBOURNE, PLAIN, 24),
        (MELBOURNE, SPRING, 23),
        (MELBOURNE, AUTUMN, 25),
        (LORD_HOWE, SPRING, 23.5),
        (LORD_HOWE, AUTUMN, 24.5),
        (BRISBANE, SPRING, 24),
        (BRISBANE, AUTUMN, 24),
    ],
)
def test_a_day_of_23_or_25_hours_has_its_own_number_of_slots(zone: ZoneInfo, day: date, hours: float) -> None:
    slots = slots_of(day, zone, opened(ALL_DAY, 30))
    assert len(slots) == 2 * hours
    window = Window(day, day, zone)
    assert (slots[0].starts_at, slots[-1].ends_at) == (window.start, window.end)
    for earlier, later in itertools.pairwise(slots):
        assert earlier.ends_at == later.starts_at


@pytest.mark.parametrize(
    ("zone", "day", "period", "times"),
    [
        # The hour from two to three is skipped: what lies in it does not exist, what reaches into it begins after it.
        (MELBOURNE, SPRING, ["01:30", "03:30"], ["01:30", "03:00"]),
        (MELBOURNE, SPRING, ["02:15", "04:00"], ["03:00", "03:30"]),
        (MELBOURNE, SPRING, ["01:00", "02:30"], ["01:00", "01:30"]),
        (MELBOURNE, SPRING, ["02:00", "03:00"], []),
        (LORD_HOWE, SPRING, ["01:30", "03:00"], ["01:30", "02:30"]),
        # The hour from two to three comes twice: we are open both times.
        (MELBOURNE, AUTUMN, ["01:30", "03:30"], ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]),
        (MELBOURNE, AUTUMN, ["02:00", "02:30"], ["02:00", "02:30", "02:00"]),
        (LORD_HOWE, AUTUMN, ["01:00", "02:30"], ["01:00", "01:30", "01:30", "02:00"]),
    ],
)
def test_a_period_across_a_change_of_the_clocks(zone: ZoneInfo, day: date, period: list[str], times: list[str]) -> None:
    assert walls(slots_of(day, zone, opened({"sun": [period]}, 30)), zone) == times


def test_a_booking_in_the_doubled_hour_takes_the_one_it_is_in() -> None:
    busy = Taken(datetime(2026, 4, 4, 16, 0, tzinfo=UTC), None, 30, KIM, None)  # the second two o'clock
    found = free_slots(AUTUMN, MELBOURNE, opened({"sun": [["02:00", "03:00"]]}, 30), [KIM], [busy])
    assert [slot.starts_at.hour * 60 + slot.starts_at.minute for slot in found.providers[KIM]] == [900, 930, 990]


@given(
    st.sampled_from([PLAIN, SPRING, AUTUMN]),
    st.sampled_from([MELBOURNE, LORD_HOWE, BRISBANE]),
    st.integers(5, 240),
    st.lists(st.tuples(st.integers(-300, 1700), st.integers(1, 400)), max_size=12),
)
def test_free_and_taken_never_overlap_and_nothing_free_is_lost(
    day: date, zone: ZoneInfo, slot: int, busy: list[tuple[int, int]]
) -> None:
    start = Window(day, day, zone).start
    rows = [Taken(start + timedelta(minutes=begin), None, long, KIM, None) for begin, long in busy]
    found = free_slots(day, zone, opened(ALL_DAY, slot), [KIM], rows)
    for one in found.slots:
        overlaps = any(r.starts_at < one.ends_at and one.starts_at < r.end(slot) for r in rows)
        assert (one in found.providers[KIM]) is not overlaps


# --- what somebody typed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        ({"mon": [["17:00", "09:00"]]}, "ends before it begins"),
        ({"mon": [["09:00", "12:00"], ["11:00", "13:00"]]}, "overlap"),
        ({"mon": [["9", "10"]]}, "is not a time"),
        ({"mon": [["09:00", "24:01"]]}, "is not a time"),
        ({"mon": [["09:60", "10:00"]]}, "is not a time"),
        ({"mon": [["09:00"]]}, "a beginning and an end"),
        ({"mon": "09:00-17:00"}, "a list of periods"),
        ({"someday": []}, "not a day of the week"),
        (["mon"], "are an object"),
        ("{", "are an object"),
    ],
)
def test_hours_that_cannot_be(hours: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        hours_of(hours)


def test_hours_as_they_are_typed() -> None:
    assert parse_periods("mon", "13:30-17:00, 9:00-12:30") == [Period(540, 750), Period(810, 1020)]
    assert parse_periods("mon", " closed ") == []
    assert hours_of({"Monday": [["09:00", "10:00"]], "tue": []}) == {"mon": [Period(540, 600)]}
    assert hours_of(None) == {}


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"slot": 4}, "from 5 to 240"),
        ({"slot": True}, "from 5 to 240"),
        ({"rooms": ["", "x"]}, "room's name"),
        ({"rooms": [1]}, "list of names"),
    ],
)
def test_slots_and_rooms_that_cannot_be(given_: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        opened(**given_)
