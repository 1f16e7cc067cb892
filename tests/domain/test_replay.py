"""Undoing events brings back the row as it stood, at every instant of any course (M14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.replay import Event, digest, stood
from app.domain.retention import WIPED

BEGAN = datetime(2026, 3, 9, 1, tzinfo=UTC)


def later(minutes: int) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


#: (minutes since the step before: 0 is the same instant, what is written)
COURSE = st.lists(
    st.tuples(
        st.integers(0, 2), st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 1, 2, "x"]), max_size=2)
    ),
    max_size=10,
)


@given(COURSE)
def test_a_row_is_brought_back_as_it_was_after_every_instant(course: list[tuple[int, dict[str, Any]]]) -> None:
    row: dict[str, Any] = {"id": "r", "row_version": 1, "a": None, "b": 1, "c": "x"}
    at, events, pictures = BEGAN, [], {BEGAN: dict(row)}
    for minutes, written in course:
        changes = {name: [row[name], value] for name, value in written.items() if row[name] != value}
        at += timedelta(minutes=minutes)
        # Within one instant the order is told by what each event led to: steps in a circle have none, and are left out.
        circle = any(event.at == at and event.changes.keys() & changes.keys() for event in events)
        if circle:
            continue
        row |= written | {"row_version": row["row_version"] + 1}
        events.append(Event(at, changes))
        pictures[at] = dict(row)
    for instant, picture in pictures.items():
        assert stood(row, BEGAN, reversed(events), instant) == picture
    assert stood(row, BEGAN, events, BEGAN - timedelta(microseconds=1)) is None


@pytest.mark.feature("A29")
def test_what_was_wiped_stays_as_it_came_to_be_and_the_rest_is_undone() -> None:
    row = {"row_version": 3, "patient_name": "Vera Placeholder", "pms_status": "arrived"}
    events = [
        Event(later(1), {"pms_status": ["booked", "confirmed"], WIPED: ["patient_name"]}),
        Event(later(1), {"pms_status": ["confirmed", "arrived"]}),
    ]
    assert stood(row, BEGAN, events, BEGAN) == row | {"row_version": 1, "pms_status": "booked"}


def test_two_steps_of_one_instant_are_undone_the_last_first() -> None:
    steps = [Event(later(1), {"a": [1, 2]}), Event(later(1), {"a": [2, 3]})]
    for told in (steps, steps[::-1]):
        assert stood({"a": 3, "row_version": 3}, BEGAN, told, BEGAN) == {"a": 1, "row_version": 1}


def test_what_happened_at_the_very_instant_has_happened() -> None:
    events = [Event(later(1), {"a": [1, 2]})]
    assert stood({"a": 2, "row_version": 2}, BEGAN, events, later(1)) == {"a": 2, "row_version": 2}
    assert stood({"a": 2, "row_version": 2}, later(1), events, later(1)) == {"a": 2, "row_version": 2}


ROWS = ["1,NULL,'Zoë'", "2,'x'"]


@pytest.mark.parametrize(
    "other",
    [[], ROWS[:1], [*ROWS, "3"], [ROWS[0], "2,'y'"], [ROWS[0], ROWS[0]], [*ROWS, ROWS[1]]],
)
def test_a_digest_tells_rows_apart_and_not_their_order(other: list[str]) -> None:
    assert digest(ROWS) == digest(reversed(ROWS)) != digest(other)
