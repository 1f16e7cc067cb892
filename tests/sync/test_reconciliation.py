"""Rows a complete sweep did not bring: asked for by id, struck out with time and cause, held where they are many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from app import clock
from app.domain.status import Status
from app.pms.errors import PmsAuthFailed, PmsError, PmsForbidden, PmsMalformed, PmsRateLimited, PmsUnavailable
from app.pms.port import Capabilities, Page, Rejected
from app.store import holds, sync_runs
from app.store.models import RemovalHold
from app.store.models.sync import RunState
from app.sync.confirm import MOST_ASKED
from tests.fakes.house import EVERY_PHASE, House, statements, writes_to
from tests.fakes.pms import IN_PERSON, TODAY
from tests.sync.steps import cut_off, six_pages

TOMORROW = TODAY + timedelta(days=1)
ALONE = ("reconciliation",)


def questions(house: House) -> list[str]:
    return [one.removeprefix("appointment ") for one in house.pms.asked if one.startswith("appointment ")]


def open_holds(house: House) -> dict[date, set[str]]:
    with house.store.read() as session:
        found = holds.standing(session, house.connection_id)
        return {one.day: set(one.candidates) for one in found if one.state == "open"}


def a_day(house: House, rows: int = 10) -> list[str]:
    ids = [f"a{n:02}" for n in range(rows)]
    house.pms.books(*ids, at="06:00")
    house.sync()
    house.sync()
    house.pms.asked.clear()
    return ids


def test_a_row_the_pms_does_not_know_any_more_is_struck_out_in_one_sync(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    version = house.version()
    house.pms.deletes("a1")
    result = house.reconciles()
    assert result.state is RunState.SUCCESS
    assert (result.tallies[-1].removed, result.tallies[-1].details["retired"]) == (1, ["a1"])
    assert house.run(result.run_id).appointments_removed == 1
    row = house.row("a1")
    assert (row.removed_at, row.removed_cause, row.removed_by_run) == (house.clock.at, "gone", result.run_id)
    assert house.shown() == {"a1", "a2"}, "it stays on the sheet"
    assert house.version() == version + 1
    (event,) = house.events("a1")
    assert (event.kind, event.sync_run_id) == ("pms", result.run_id)
    assert event.changes == {"removed_at": [None, house.clock.at.isoformat()]}
    house.account_adds_up()


def test_it_is_asked_for_once_and_revived_when_the_list_brings_it(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    gone = house.pms.book["a1"]
    house.staff_sets("a1", Status.ARRIVED)
    house.staff_notes("a1", "rang twice")
    house.pms.deletes("a1")
    for _ in range(3):
        house.reconciles()
    assert questions(house) == ["a1"]
    row = house.row("a1")
    assert (row.staff_status, row.staff_note, row.removed_cause) == ("arrived", "rang twice", "gone")
    house.pms.book["a1"] = gone
    assert house.reconciles().tallies[1].updated == 1
    row = house.row("a1")
    assert (row.removed_at, row.removed_cause, row.removed_by_run) == (None, None, None)
    assert (row.staff_status, row.staff_note) == ("arrived", "rang twice")
    assert list(house.events("a1")[-1].changes) == ["removed_at"]
    house.account_adds_up()


@pytest.mark.parametrize("days", [5, 30])
def test_a_row_that_moved_out_of_the_window_moves_and_both_sheets_rise(house: House, days: int) -> None:
    there = TODAY + timedelta(days=days)
    house.pms.books("a1", "a2").books("t1", day=there)
    house.sync(TODAY, there)
    before = house.version(TODAY), house.version(there)
    house.pms.moves("a1", days=days)
    result = house.reconciles(TODAY, TOMORROW)
    assert (result.state, result.tallies[-1].updated, result.tallies[-1].removed) == (RunState.SUCCESS, 1, 0)
    assert house.day_of("a1") == there
    assert (house.version(TODAY), house.version(there)) == (before[0] + 1, before[1] + 1)
    assert (house.shown(TODAY), house.shown(there)) == ({"a2"}, {"t1", "a1"})
    house.account_adds_up(TODAY)
    house.account_adds_up(there)
    house.sync(TODAY, there)
    house.account_adds_up(there)
    assert questions(house) == ["a1"]


def test_a_whole_day_that_moved_elsewhere_is_asked_for_before_anybody_is_called(house: House) -> None:
    """A clinician falls ill and the desk moves everybody by a week: that is no removal, held or not."""
    ids = a_day(house, 12)
    for id_ in ids:
        house.pms.moves(id_, days=7)
    result = house.reconciles()
    assert (result.state, result.tallies[-1].updated) == (RunState.SUCCESS, 12)
    assert house.shown(TODAY + timedelta(days=7)) == set(ids)
    assert open_holds(house) == {}


def test_a_row_that_moved_to_another_practitioner_is_not_asked_for(house: House) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.sync()
    house.pms.moves("a1", with_="lee")
    house.reconciles()
    assert house.row("a1").pms_practitioner_id == "lee"
    assert questions(house) == []
    house.account_adds_up()


def test_a_row_only_the_list_forgot_stays_as_it_is_and_costs_no_write(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1")
    for _ in range(2):
        with statements(house.store) as told:
            result = house.reconciles()
        assert (result.state, result.tallies[-1].unchanged, result.tallies[-1].fetched) == (RunState.SUCCESS, 1, 1)
        assert writes_to(told, "run_sheet_appointments", "appointment_events", "run_sheets", "removal_holds") == []
        house.account_adds_up()
    assert house.removed() == set()
    assert questions(house) == ["a1", "a1"]


def test_what_the_answer_says_is_taken(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1", "a2")
    house.pms.says("a1", Status.CANCELLED)
    house.pms.changes("a2", type_id=IN_PERSON)
    tally = house.reconciles().tallies[-1]
    assert house.row("a1").pms_status == "cancelled"
    assert (tally.updated, dict(tally.skipped)) == (1, {"not_telehealth": 1})
    assert house.shown() == {"a1"}
    house.account_adds_up()


def test_a_row_that_lies_outside_the_window_by_now_though_the_vendor_sends_it_along_is_moved(house: House) -> None:
    """A vendor whose filter is loose: the row was seen, but where it was seen is not where it stands."""
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.moves("a1", days=1)
    house.pms.scripted["kim"] = [Page([house.pms.book["a2"], house.pms.book["a1"]], (), 2)]
    house.reconciles()
    assert house.day_of("a1") == TOMORROW
    house.account_adds_up(TODAY)


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (PmsUnavailable("x"), 1),
        (PmsForbidden("x"), 1),
        (PmsRateLimited("x"), 1),
        (PmsAuthFailed("x"), 1),
        (PmsMalformed("x", path="$.startAt"), 3),
    ],
)
def test_a_question_that_fails_concludes_nothing_and_says_so(house: House, error: PmsError, asked: int) -> None:
    house.pms.books("a1", "a2", "a3", "a4")
    house.sync()
    house.pms.forgets_to_list("a1", "a2", "a3")
    before = house.picture()

    def refuse(_: str) -> None:
        raise error

    house.pms.before_question = refuse
    result = house.reconciles()
    assert (result.state, result.reason) == (RunState.PARTIAL, error.reason)
    assert not result.tallies[-1].complete
    assert len(questions(house)) == asked
    assert house.picture() == before


def test_an_answer_about_another_appointment_touches_neither(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1")
    before = house.picture()
    house.pms.before_question = lambda id_: house.pms.book.update({id_: replace(house.pms.book["a2"], comment="?")})
    result = house.reconciles()
    assert (result.state, result.reason) == (RunState.PARTIAL, "bad_envelope")
    assert house.picture() == before


def test_walk_ins_and_hidden_rows_are_not_looked_for(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.ticks()
    house.pms.deletes("a1")
    house.reconciles()
    assert questions(house) == []
    assert house.removed() == set()


def test_a_record_that_cannot_be_read_is_there_all_the_same(house: House) -> None:
    a_day(house)
    house.pms.deletes("a00", "a01")
    house.pms.garbles("a00")
    house.reconciles()
    assert house.removed() == {"a01"}
    assert questions(house) == ["a01"]


# --- vendors that cannot be asked by id -------------------------------------------------------------------------------


@pytest.fixture
def mute(house: House) -> House:
    house.pms.capabilities = Capabilities(lookup_by_id=False)
    return house


def test_a_vendor_that_cannot_be_asked_is_read_a_second_time(mute: House) -> None:
    a_day(mute)
    mute.pms.deletes("a00")
    result = mute.reconciles()
    assert result.state is RunState.SUCCESS
    assert questions(mute) == []
    assert (mute.removed(), mute.row("a00").removed_cause) == ({"a00"}, "unseen_twice")
    assert len([one for one in mute.pms.asked if one.startswith("kim/")]) == 2
    mute.pms.asked.clear()
    mute.reconciles()
    assert len([one for one in mute.pms.asked if one.startswith("kim/")]) == 1, "nobody is missing: read once"


def on_the_second_reading(house: House, then: Callable[[], None]) -> None:
    read = 0

    def count(partition: object, number: int) -> None:
        nonlocal read
        if getattr(partition, "practitioner_id", "") == "kim" and number == 0:
            read += 1
            if read == 2:
                then()

    house.pms.before_page = count


def test_a_second_reading_that_fails_or_brings_it_removes_nobody(mute: House) -> None:
    a_day(mute)
    gone = mute.pms.book["a00"]
    mute.pms.deletes("a00")
    on_the_second_reading(mute, lambda: mute.pms.fails(PmsUnavailable("x"), practitioner="lee"))
    result = mute.reconciles()
    assert (result.state, mute.removed()) == (RunState.PARTIAL, set())
    mute.pms.heals()
    mute.pms.scripted["lee"] = [Page([gone], (), 1)]  # not where it was, but not gone either
    assert mute.reconciles().state is RunState.SUCCESS
    assert mute.removed() == set()


def test_a_nameless_record_may_be_the_one_that_is_missing(mute: House) -> None:
    a_day(mute)
    mute.pms.deletes("a00")
    mute.pms.rejects.append(("kim", Rejected(None, "$.id", "missing", b"{}")))
    mute.reconciles()
    assert mute.removed() == set()


# --- by itself --------------------------------------------------------------------------------------------------------


def test_by_itself_it_reads_for_itself_and_writes_nothing_but_tombstones(house: House) -> None:
    a_day(house)
    swept = house.sweeps()["kim"].completed_at
    house.pms.deletes("a00")
    house.pms.says("a01", Status.CANCELLED)
    result = house.sync(phases=ALONE)
    assert (result.state, result.tallies[-1].removed, result.tallies[-1].details["read"]) == (RunState.SUCCESS, 1, 9)
    assert house.removed() == {"a00"}
    assert house.row("a01").pms_status == "booked", "it only looks for who is missing"
    assert house.sweeps()["kim"].completed_at == swept, "and makes nothing fresh"


def test_by_itself_it_moves_who_only_moved(house: House) -> None:
    a_day(house)
    house.pms.books("l1", with_="lee")
    house.pms.moves("a00", with_="lee")
    house.sync(phases=ALONE)
    assert house.row("a00").pms_practitioner_id == "lee"
    assert house.removed() == set()


def test_by_itself_half_a_reading_removes_nobody(house: House) -> None:
    a_day(house)
    house.pms.books("l1", with_="lee")
    house.sync()
    house.pms.deletes("a00")
    house.pms.fails(PmsForbidden("no"), practitioner="lee")
    result = house.sync(phases=ALONE)
    assert (result.state, result.reason, house.removed()) == (RunState.PARTIAL, "some_failed", set())
    house.pms.fails(PmsUnavailable("x"))
    assert house.sync(phases=ALONE).state is RunState.FAILED
    assert house.removed() == set()


# --- the valve --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "gone", "held"),
    [(4, 3, False), (10, 3, False), (10, 4, True), (40, 12, False), (40, 13, True), (5, 5, True)],
)
def test_more_than_three_and_thirty_percent_of_a_day_is_held(house: House, rows: int, gone: int, held: bool) -> None:
    ids = a_day(house, rows)
    before = house.picture()
    house.pms.deletes(*ids[:gone])
    result = house.reconciles()
    if held:
        assert (result.state, result.reason) == (RunState.PARTIAL, "removal_held")
        assert open_holds(house) == {TODAY: set(ids[:gone])}
        assert house.picture() == before, "nothing of that day changed"
    else:
        assert (result.state, open_holds(house)) == (RunState.SUCCESS, {})
        assert house.removed() == set(ids[:gone])


def test_one_day_is_held_while_another_goes_on(house: House) -> None:
    ids = a_day(house)
    house.pms.books(*(f"t{n}" for n in range(10)), day=TOMORROW)
    house.sync(TODAY, TOMORROW)
    house.pms.deletes(*ids[:8], "t0")
    assert house.reconciles(TODAY, TOMORROW).reason == "removal_held"
    assert (set(open_holds(house)), house.removed()) == ({TODAY}, {"t0"})


def test_a_hold_is_one_however_often_it_is_found_and_costs_nothing_while_it_stands(house: House) -> None:
    ids = a_day(house)
    house.pms.deletes(*ids[:6])
    house.reconciles()
    version = house.version()
    for _ in range(3):
        assert house.reconciles().reason == "removal_held"
    assert house.count(RemovalHold) == 1
    assert house.version() == version
    assert sorted(questions(house)) == ids[:6], "each was asked for once, and the answer is kept"
    house.pms.deletes(ids[6])
    house.reconciles()
    assert (house.count(RemovalHold), open_holds(house)) == (1, {TODAY: set(ids[:7])})


def test_the_next_good_reading_clears_it_and_what_is_really_gone_goes(house: House) -> None:
    ids = a_day(house)
    house.pms.forgets_to_list(*ids[:8])
    house.reconciles()
    assert open_holds(house) == {TODAY: set(ids[:8])}
    house.pms.unlisted.clear()
    house.pms.deletes(ids[0])
    assert house.reconciles().state is RunState.SUCCESS
    assert open_holds(house) == {}
    assert house.removed() == {ids[0]}


def test_no_more_than_twenty_are_asked_for_and_in_time_everybody_is(house: House) -> None:
    ids = a_day(house, 25)
    house.pms.deletes(*ids)
    house.reconciles()
    assert len(questions(house)) == MOST_ASKED == 20
    house.reconciles()
    assert sorted(questions(house)) == ids


def test_half_a_reading_neither_clears_nor_feeds_a_hold(house: House) -> None:
    ids = a_day(house)
    house.pms.books("l1", with_="lee")
    house.sync()
    house.pms.forgets_to_list(*ids[:8])
    house.reconciles()
    house.pms.unlisted.clear()
    house.pms.fails(PmsForbidden("no"), practitioner="lee")
    house.reconciles()
    assert open_holds(house) == {TODAY: set(ids[:8])}
    house.pms.heals()
    house.reconciles()
    assert open_holds(house) == {}


def test_a_chain_that_was_gone_on_with_in_its_middle_neither_clears_nor_feeds_a_hold(house: House) -> None:
    six_pages(house)
    house.sync()
    missing = {"k3", "k4", "k5", "l4", "l5"}
    house.pms.forgets_to_list(*missing)
    assert house.reconciles().reason == "removal_held"
    cut_off(house, 1, phases=EVERY_PHASE)
    house.pms.deletes("l4")
    house.reconciles()
    assert open_holds(house) == {TODAY: missing}
    assert house.removed() == set()
    house.pms.unlisted.clear()
    assert house.reconciles().state is RunState.SUCCESS
    assert (open_holds(house), house.removed()) == ({}, {"l4"})


# --- killed in between ------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As SIGKILL: nobody closes anything."""


def test_killed_between_the_answer_and_the_write_the_next_attempt_goes_on_with_what_was_missing(house: House) -> None:
    ids = a_day(house)
    house.pms.deletes(*ids[:2])
    claim = house.claim(house.request(phases=EVERY_PHASE))
    assert claim is not None

    def die(_: str) -> None:
        if len(questions(house)) == 2:
            raise Killed

    house.pms.before_question = die
    with pytest.raises(Killed):
        house.runner().execute(claim)
    assert house.removed() == set()
    house.pms.before_question = lambda _: None
    house.clock.forward(121)
    with house.store.write() as session:
        (lost,) = sync_runs.silent(session, clock.now())
        successor = sync_runs.abandon(session, lost, clock.now())
    assert successor is not None
    house.pms.asked.clear()
    again = house.claim(successor)
    assert again is not None
    assert house.execute(again).state is RunState.SUCCESS
    assert house.removed() == set(ids[:2])
    assert not [one for one in house.pms.asked if "#" in one], "what was read is not read again"
