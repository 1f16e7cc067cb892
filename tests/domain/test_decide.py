"""Fetched and stored make a plan; the same again makes none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.decide import Stored, decide, fingerprint


def stored(print_: bytes = b"a", cause: str | None = None, *, removed: bool = False) -> Stored:
    return Stored(print_, cause, removed)


@pytest.mark.parametrize(
    ("known", "print_", "rewrite", "outcome"),
    [
        (None, b"a", False, "create"),
        (stored(b"a"), b"a", False, "same"),
        (stored(b"a"), b"b", False, "update"),
        (stored(b"a"), b"a", True, "update"),
        (stored(b"a", "type_off"), b"a", False, "update"),
        (stored(b"a", removed=True), b"a", False, "update"),
    ],
)
def test_what_is_to_be_written(known: Stored | None, print_: bytes, rewrite: bool, outcome: str) -> None:
    plan = decide([("x", print_, "row")], {"x": known} if known else {}, rewrite=rewrite)
    assert (plan.creates, plan.updates, plan.same) == {
        "create": (["row"], [], 0),
        "update": ([], ["row"], 0),
        "same": ([], [], 1),
    }[outcome]


@given(st.dictionaries(st.text(max_size=3), st.binary(max_size=3), max_size=20), st.integers(0, 20))
def test_every_row_has_exactly_one_fate_and_a_second_time_none(prints: dict[str, bytes], known: int) -> None:
    before = {id_: stored(print_) for id_, print_ in list(prints.items())[:known]}
    plan = decide([(id_, print_, id_) for id_, print_ in prints.items()], before)
    assert len(plan.creates) + len(plan.updates) + plan.same == len(prints)
    after = {id_: stored(print_) for id_, print_ in prints.items()}
    again = decide([(id_, print_, id_) for id_, print_ in prints.items()], after)
    assert (again.creates, again.updates, again.same) == ([], [], len(prints))


@given(st.lists(st.binary(max_size=4), max_size=5), st.lists(st.binary(max_size=4), max_size=5))
def test_a_fingerprint_differs_where_the_content_does(one: list[bytes], other: list[bytes]) -> None:
    assert (fingerprint(*one) == fingerprint(*other)) == (one == other)
    assert len(fingerprint(*one)) == 16
