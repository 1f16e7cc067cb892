"""A practice's cron lines as somebody wrote them, by hand or by SQL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.timetable import MOST_LINES, Line, kinds, line_of, read
from app.errors import InvalidInput

AS_DOCUMENTED = [
    {"type": "inbound", "cron": "0 6 * * *", "enabled": True},
    {"type": "cases", "cron": "0 8,14,20 * * *", "enabled": True},
    {"type": "reconciliation", "cron": "0 2 * * *", "enabled": False},
]


def test_the_documents_own_example_is_read_as_it_stands() -> None:
    lines, problems = read(AS_DOCUMENTED)
    assert problems == []
    assert [line.as_json() for line in lines] == AS_DOCUMENTED
    assert [line.phase for line in lines] == ["inbound", "enrichment", "reconciliation"]


def test_both_spellings_a_blank_more_and_no_word_on_enabled() -> None:
    lines, problems = read(
        [{"type": " Enrichment", "cron": "  0  6 * * * "}, {"type": "reconcile", "cron": "0 2 * * *"}]
    )
    assert problems == []
    assert lines == [Line("cases", "0 6 * * *"), Line("reconciliation", "0 2 * * *")]


def test_two_lines_of_one_type_are_two_rows() -> None:
    lines = [Line("inbound", "30 6 * * 1-5"), Line("cases", "0 8 * * *"), Line("inbound", "0 9 * * 6")]
    assert kinds(lines) == {"cron:inbound": lines[0], "cron:enrichment": lines[1], "cron:inbound:2": lines[2]}


@pytest.mark.fault("F61")
@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"type": "inbound", "cron": "0 6 30 2 *"}, "ever comes due"),
        ({"type": "inbound", "cron": "* * * * * *"}, "ever comes due"),
        ({"type": "inbound", "cron": "every now and then"}, "ever comes due"),
        ({"type": "inbound", "cron": 6}, "five fields"),
        ({"type": "inbound"}, "five fields"),
        ({"type": "inbound", "cron": "0," * 80 + "0 * * * *"}, "at most 120"),
        ({"type": "divination", "cron": "0 6 * * *"}, "“divination” is not something to schedule"),
        ({"type": ["inbound"], "cron": "0 6 * * *"}, "not something to schedule"),
        ({"cron": "0 6 * * *"}, "not something to schedule"),
        ({"type": "inbound", "cron": "0 6 * * *", "enabled": "yes"}, "true or false"),
        ("0 6 * * *", "An entry is an object"),
        (None, "An entry is an object"),
    ],
)
def test_an_entry_that_cannot_be_read_is_told_and_the_others_count(entry: Any, says: str) -> None:
    lines, (problem,) = read([AS_DOCUMENTED[0], entry, AS_DOCUMENTED[1]])
    assert [line.type for line in lines] == ["inbound", "cases"]
    assert problem.position == 2
    assert says in problem.reason


@pytest.mark.parametrize("value", ["[{", {"type": "inbound"}, 7, True])
def test_what_is_no_list_is_told_once(value: Any) -> None:
    lines, (problem,) = read(value)
    assert (lines, problem.position) == ([], 0)
    assert read(None) == ([], [])


def test_a_list_without_end_ends() -> None:
    lines, problems = read(AS_DOCUMENTED * MOST_LINES)
    assert (len(lines), len(problems)) == (MOST_LINES, 2 * MOST_LINES)


_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "cron", "enabled", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_any)
def test_whatever_stands_there_is_read_without_an_error(value: Any) -> None:
    lines, problems = read(value)
    for line in lines:
        assert line_of(line.type, line.cron, line.enabled) == line
    assert all(problem.reason.endswith((".", "”")) for problem in problems)


def test_at_a_save_it_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"“0 6 31 4 \*” is not a cron line that ever comes due\."):
        line_of("inbound", "0 6 31 4 *")
