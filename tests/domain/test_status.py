"""Whose word stands: exhaustively, and as properties over any course of events (M06)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.status import (
    MOVES,
    STAFF_STATUSES,
    TERMINAL,
    Shown,
    Status,
    VisitTimes,
    may_move,
    next_step,
    shown,
    times_after,
)

NOON = datetime(2026, 3, 9, 1, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(minutes=1), NOON + timedelta(minutes=1)
S = Status

#: The PMS words that win over a staff word when they come after it. Written out, so that a slip in a rank shows.
WINS_LATER = {
    S.BOOKED: {S.CONFIRMED, S.ARRIVED, S.IN_PROGRESS, S.COMPLETED, S.CANCELLED, S.NO_SHOW},
    S.CONFIRMED: {S.ARRIVED, S.IN_PROGRESS, S.COMPLETED, S.CANCELLED, S.NO_SHOW},
    S.ARRIVED: {S.IN_PROGRESS, S.COMPLETED, S.CANCELLED, S.NO_SHOW},
    S.IN_PROGRESS: {S.COMPLETED, S.CANCELLED, S.NO_SHOW},
    S.COMPLETED: {S.CANCELLED, S.NO_SHOW},
    S.CANCELLED: {S.ARRIVED, S.IN_PROGRESS, S.COMPLETED, S.NO_SHOW},
    S.NO_SHOW: {S.ARRIVED, S.IN_PROGRESS, S.COMPLETED, S.CANCELLED},
}


@pytest.mark.parametrize("pms_at", [BEFORE, NOON, AFTER, None])
@pytest.mark.parametrize(("pms", "staff"), list(itertools.product(Status, STAFF_STATUSES)))
def test_every_pair_of_words_in_every_order(pms: Status, staff: Status, pms_at: datetime | None) -> None:
    told = shown(pms, pms_at, staff, NOON)
    if pms is staff:
        assert told == Shown(staff, "staff", None)
    elif pms_at is AFTER and pms in WINS_LATER[staff]:
        assert told == Shown(pms, "pms", staff)
    else:
        assert told == Shown(staff, "staff", pms)


@pytest.mark.parametrize("status", list(Status))
def test_a_word_alone_stands(status: Status) -> None:
    assert shown(status, NOON, None, None) == Shown(status, "pms", None)
    if status in STAFF_STATUSES:
        assert shown(None, None, status, NOON) == Shown(status, "staff", None)


def test_a_row_nobody_has_spoken_of_is_booked() -> None:
    assert shown(None, None, None, None).status is Status.BOOKED


@pytest.mark.parametrize("staff", STAFF_STATUSES)
def test_a_word_we_do_not_know_never_wins_and_is_never_read_as_booked(staff: Status) -> None:
    assert shown(Status.UNKNOWN, AFTER, staff, NOON) == Shown(staff, "staff", Status.UNKNOWN)
    assert shown(Status.UNKNOWN, AFTER, None, None).status is Status.UNKNOWN


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("pms"), st.sampled_from(list(Status))),
            st.tuples(st.just("staff"), st.sampled_from(STAFF_STATUSES)),
        ),
        max_size=12,
    )
)
def test_no_staff_value_is_lost_but_by_the_rule(course: list[tuple[str, Status]]) -> None:
    """Whatever happens in whatever order, a staff word is shown until the PMS says something later that may win, and
    the word that lost stays on the row for the chip."""
    pms = staff = None
    pms_at = staff_at = None
    for minute, (who, word) in enumerate(course):
        at = NOON + timedelta(minutes=minute)
        if who == "staff":
            staff, staff_at = word, at
        elif word is not pms:
            pms, pms_at = word, at
        told = shown(pms, pms_at, staff, staff_at)
        assert {told.status, told.other} - {None} == {pms, staff} - {None} or (pms is None and staff is None)
        if staff is not None and told.status is not staff:
            assert pms_at is not None and staff_at is not None and pms_at > staff_at
            assert pms in WINS_LATER[staff]
        if who == "staff":
            assert told.status is word, "what somebody has just set is what they see"


def test_moves_lead_only_to_what_staff_may_set_and_a_step_is_a_move() -> None:
    assert set(MOVES) == set(Status)
    for status, moves in MOVES.items():
        assert Status.UNKNOWN not in moves
        assert status not in moves
        step = next_step(status)
        assert (step is None) == (status in TERMINAL)
        assert step is None or may_move(status, step)


def test_every_end_can_be_reopened() -> None:
    for end in TERMINAL:
        assert any(to not in TERMINAL for to in MOVES[end])


A, B, C, D = (NOON + timedelta(minutes=n) for n in range(4))


@pytest.mark.parametrize(
    ("course", "times"),
    [
        ([(S.ARRIVED, A)], VisitTimes(A)),
        ([(S.ARRIVED, A), (S.IN_PROGRESS, B), (S.COMPLETED, C)], VisitTimes(A, B, C)),
        # A slip of the finger taken back: nobody has arrived.
        ([(S.ARRIVED, A), (S.CONFIRMED, B)], VisitTimes()),
        ([(S.ARRIVED, A), (S.BOOKED, B), (S.ARRIVED, C)], VisitTimes(C)),
        # Called in too early: the wait goes on from where it began.
        ([(S.ARRIVED, A), (S.IN_PROGRESS, B), (S.ARRIVED, C)], VisitTimes(A)),
        ([(S.ARRIVED, A), (S.IN_PROGRESS, B), (S.COMPLETED, C), (S.IN_PROGRESS, D)], VisitTimes(A, B)),
        # They came and left: that they came stays true.
        ([(S.ARRIVED, A), (S.NO_SHOW, B)], VisitTimes(A)),
        ([(S.ARRIVED, A), (S.CANCELLED, B), (S.ARRIVED, C)], VisitTimes(A)),
        ([(S.ARRIVED, A), (S.UNKNOWN, B)], VisitTimes(A)),
        ([(S.COMPLETED, A)], VisitTimes(None, None, A)),
    ],
)
def test_the_times_of_a_visit_follow_its_steps(course: list[tuple[Status, datetime]], times: VisitTimes) -> None:
    told = VisitTimes()
    for to, at in course:
        told = times_after(told, to, at)
    assert told == times
