"""Rows a complete sweep did not bring: asked for by id, never judged by their absence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.status import Status
from app.pms.errors import PmsForbidden, PmsMalformed, PmsUnavailable
from app.pms.port import Capabilities
from app.store.models.sync import RunState
from app.sync.absent import MOST_ASKED
from tests.fakes.house import House, skipped
from tests.fakes.pms import IN_PERSON, TODAY

TOMORROW = TODAY + timedelta(days=1)


def questions(house: House) -> list[str]:
    return [one.removeprefix("appointment ") for one in house.pms.asked if one.startswith("appointment ")]


def test_a_row_the_pms_does_not_know_any_more_stays_and_says_since_when(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    version = house.version()
    house.pms.deletes("a1")
    result = house.sync()
    assert result.state is RunState.SUCCESS
    assert result.tallies[-1].details["absent"] == 1
    assert house.row("a1").absent_since == house.clock.at
    assert house.row("a1").removed_at is None
    assert house.shown() == {"a1", "a2"}
    assert house.version() == version + 1
    (event,) = house.events("a1")
    assert event.changes == {"absent_since": [None, house.clock.at.isoformat()]}
    house.account_adds_up()


def test_it_is_asked_for_once_and_comes_back_when_the_list_brings_it(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    gone = house.pms.book["a1"]
    house.pms.deletes("a1")
    for _ in range(3):
        house.sync()
    assert questions(house) == ["a1"]
    house.pms.book["a1"] = gone
    assert house.sync().tallies[-1].updated == 1
    assert house.row("a1").absent_since is None
    house.account_adds_up()


@pytest.mark.parametrize("days", [5, 30])
def test_a_row_that_moved_out_of_the_window_moves_and_both_sheets_rise(house: House, days: int) -> None:
    there = TODAY + timedelta(days=days)
    house.pms.books("a1", "a2").books("t1", day=there)
    house.sync(TODAY, there)
    before = house.version(TODAY), house.version(there)
    house.pms.moves("a1", days=days)
    house.sync(TODAY, TOMORROW)
    assert house.day_of("a1") == there
    assert (house.version(TODAY), house.version(there)) == (before[0] + 1, before[1] + 1)
    assert (house.shown(TODAY), house.shown(there)) == ({"a2"}, {"t1", "a1"})
    house.account_adds_up(TODAY)
    house.account_adds_up(there)
    house.sync(TODAY, there)
    house.account_adds_up(there)
    assert questions(house) == ["a1"]


def test_a_row_that_moved_to_another_practitioner_is_not_asked_for(house: House) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.sync()
    house.pms.moves("a1", with_="lee")
    house.sync()
    assert house.row("a1").pms_practitioner_id == "lee"
    assert questions(house) == []
    house.account_adds_up()


def test_a_row_only_the_list_forgot_stays_as_it_is(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1")
    for _ in range(2):
        result = house.sync()
        assert (result.tallies[-1].unchanged, result.tallies[-1].fetched) == (2, 2)
        house.account_adds_up()
    assert house.row("a1").absent_since is None
    assert questions(house) == ["a1", "a1"]


def test_what_the_answer_says_is_taken(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1", "a2")
    house.pms.says("a1", Status.CANCELLED)
    house.pms.changes("a2", type_id=IN_PERSON)
    result = house.sync()
    assert house.row("a1").pms_status == "cancelled"
    assert (result.tallies[-1].updated, skipped(result)) == (1, {"not_telehealth": 1})
    assert house.shown() == {"a1"}
    house.account_adds_up()


def test_a_row_that_lies_outside_the_window_by_now_though_the_vendor_sends_it_along_is_moved(house: House) -> None:
    """A vendor whose filter is loose: the row was seen, but where it was seen is not where it stands."""
    from app.pms.port import Page  # noqa: PLC0415

    house.pms.books("a1", "a2")
    house.sync()
    house.pms.moves("a1", days=1)
    house.pms.scripted["kim"] = [Page([house.pms.book["a2"], house.pms.book["a1"]], (), 2)]
    house.sync()
    assert house.day_of("a1") == TOMORROW
    house.account_adds_up(TODAY)


def test_no_more_than_twenty_are_asked_for_and_in_time_everybody_is(house: House) -> None:
    ids = [f"a{n:02}" for n in range(25)]
    house.pms.books(*ids, at="06:00")
    house.sync()
    house.pms.forgets_to_list(*ids)
    asked: set[str] = set()
    for _ in range(6):
        house.pms.asked.clear()
        result = house.sync()
        assert len(questions(house)) == MOST_ASKED == 20
        assert result.tallies[-1].details["unseenNotAsked"] == 5
        asked |= set(questions(house))
    assert asked == set(ids), "each run begins elsewhere, so that nobody is left out for ever"
    assert all(row.absent_since is None for row in house.rows().values())


def test_an_empty_answer_where_there_were_forty_concludes_nothing(house: House) -> None:
    ids = [f"a{n}" for n in range(40)]
    house.pms.books(*ids, at="06:00")
    house.sync()
    house.pms.forgets_to_list(*ids)
    house.sync()
    assert house.shown() == set(ids)
    assert all(row.absent_since is None and row.removed_at is None for row in house.rows().values())


@pytest.mark.parametrize(
    ("error", "asked"), [(PmsUnavailable("x"), 1), (PmsForbidden("x"), 1), (PmsMalformed("x", path="$.startAt"), 3)]
)
def test_a_question_that_fails_concludes_nothing_and_ends_no_run(house: House, error: Exception, asked: int) -> None:
    house.pms.books("a1", "a2", "a3")
    house.sync()
    house.pms.forgets_to_list("a1", "a2", "a3")

    def refuse(_: str) -> None:
        raise error

    house.pms.before_question = refuse
    result = house.sync()
    assert result.state is RunState.SUCCESS
    assert len(questions(house)) == asked
    assert result.tallies[-1].details["unseenError"] == error.reason  # type: ignore[attr-defined]
    assert all(row.absent_since is None for row in house.rows().values())


def test_a_vendor_that_cannot_be_asked_is_not(house: House) -> None:
    house.pms.capabilities = Capabilities(lookup_by_id=False)
    house.pms.books("a1")
    house.sync()
    house.pms.deletes("a1")
    house.sync()
    assert questions(house) == []
    assert house.row("a1").absent_since is None


def test_walk_ins_and_hidden_rows_are_not_looked_for(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.ticks()
    house.pms.deletes("a1")
    house.sync()
    assert questions(house) == []


def test_an_answer_about_another_appointment_touches_neither(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1")
    before = house.picture()
    house.pms.before_question = lambda id_: house.pms.book.update({id_: replace(house.pms.book["a2"], comment="?")})
    result = house.sync()
    assert result.state is RunState.SUCCESS
    assert result.tallies[-1].details == {"unseenError": "bad_envelope"}
    assert house.picture() == before
