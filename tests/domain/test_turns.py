"""Practices take turns (P21)."""

from __future__ import annotations

from collections import Counter
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.domain.turns import MOST_RUNNING, Lane, Waiting, turns

BIG, SMALL = uuid4(), uuid4()


def waiting(practice: UUID, *, awaited: bool = False) -> Waiting:
    return Waiting(uuid4(), practice, awaited)


def test_a_practice_with_thousands_has_one_in_the_first_lane_and_one_in_the_second() -> None:
    backlog = [waiting(BIG) for _ in range(5000)]
    one = waiting(SMALL)
    assert turns([*backlog, one], {}) == [
        (backlog[0].run_id, Lane.FIRST),
        (one.run_id, Lane.FIRST),
        (backlog[1].run_id, Lane.SECOND),
    ]


def test_what_runs_already_counts() -> None:
    first, second = waiting(BIG), waiting(BIG)
    assert turns([first, second], {BIG: 1}) == [(first.run_id, Lane.SECOND)]
    assert turns([first, second], {BIG: 2}) == []


def test_people_come_first_and_are_never_held_up_by_their_own_practices_runs() -> None:
    background, pressed = waiting(BIG), waiting(BIG, awaited=True)
    assert turns([background, pressed], {BIG: 1}) == [(pressed.run_id, Lane.PEOPLE), (background.run_id, Lane.SECOND)]
    assert turns([background, pressed], {BIG: 2}) == [(pressed.run_id, Lane.PEOPLE)]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40), st.lists(st.integers(0, 3), max_size=6))
def test_whatever_waits(of: list[tuple[int, bool]], at_work: list[int]) -> None:
    practices = [UUID(int=number) for number in range(4)]
    line = [waiting(practices[number], awaited=awaited) for number, awaited in of]
    running = Counter(practices[number] for number in at_work)
    given_ = turns(line, running)
    lanes = [lane for _, lane in given_]
    assert lanes == sorted(lanes)
    by_id = {one.run_id: one for one in line}
    background = Counter(by_id[run_id].practice_id for run_id, lane in given_ if lane is not Lane.PEOPLE)
    for practice in practices:
        wants = sum(one.practice_id == practice and not one.awaited for one in line)
        assert background[practice] == min(wants, max(0, MOST_RUNNING - running[practice]))
    firsts = [by_id[run_id].practice_id for run_id, lane in given_ if lane is Lane.FIRST]
    assert len(firsts) == len(set(firsts))
