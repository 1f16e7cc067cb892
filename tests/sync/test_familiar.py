"""A page that came before is not read again, and nobody could tell by the sheet (decisions: page digests)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis

from app.domain.status import Status
from app.domain.window import Window, zone_of
from app.jobs import upkeep
from app.pms.errors import PmsUnavailable
from app.pms.port import Page, Partition, Rejected
from app.store import read_pages
from app.store.models import ReadPage
from app.store.models.sync import RunState
from app.sync import familiar, held
from tests.fakes.house import FakeClock, House, statements
from tests.fakes.pms import IN_PERSON, TODAY, VIDEO
from tests.sync.steps import MINUTE, chains_read, cut_off

TOMORROW = TODAY + timedelta(days=1)


def unread(house: House, *days: object, **more: object) -> int:
    """How many pages of one more sync were not read."""
    before = house.pms.left_unread
    house.sync(*days, **more)  # type: ignore[arg-type]
    return house.pms.left_unread - before


@pytest.fixture
def swept(house: House) -> House:
    """Kim has two pages, Lee one; all of them read once."""
    house.pms.page_size = 4
    house.pms.books(*(f"a{n}" for n in range(6))).books("p1", type=IN_PERSON, at="12:00").books("b1", with_="lee")
    house.sync()
    return house


def test_what_came_before_counts_as_read(swept: House) -> None:
    picture, version = swept.picture(), swept.version()
    assert unread(swept) == 3
    told = swept.results[-1].tallies[-1]
    assert (told.fetched, told.unchanged, dict(told.skipped)) == (8, 7, {"not_telehealth": 1})
    assert (swept.picture(), swept.version()) == (picture, version)
    assert swept.sweeps()["kim"].received == 7
    swept.account_adds_up()
    assert swept.reconciles().tallies[-1].removed == 0, "what was not read was seen all the same"
    assert swept.pms.left_unread == 6


def test_only_the_page_that_changed_is_read(swept: House) -> None:
    swept.pms.says("a5", Status.ARRIVED)
    assert unread(swept) == 2
    assert swept.row("a5").pms_status == Status.ARRIVED
    assert unread(swept) == 3
    assert swept.count(ReadPage) == 3, "what was not met again is forgotten"


@pytest.mark.feature("E24")
def test_what_another_sweep_wrote_is_not_taken_for_what_this_one_did(swept: House) -> None:
    """Arrived, says the vendor; another window's sweep writes it; then it takes that back: the page is the old one."""
    swept.pms.says("a1", Status.ARRIVED)
    assert unread(swept, TODAY, TOMORROW) == 0, "another stretch is another chain"
    assert swept.row("a1").pms_status == Status.ARRIVED
    swept.pms.says("a1", Status.BOOKED)
    swept.sync()
    assert swept.row("a1").pms_status == Status.BOOKED


@pytest.mark.feature("E24")
def test_what_a_page_left_out_and_another_sweep_brought_is_left_out_again(swept: House) -> None:
    swept.pms.changes("p1", type_id=VIDEO)
    assert unread(swept, TODAY, TOMORROW) == 0
    assert "p1" in swept.shown()
    swept.pms.changes("p1", type_id=IN_PERSON)
    swept.sync()
    assert "p1" not in swept.shown()
    swept.account_adds_up()


@pytest.mark.promise("P6")
def test_a_row_that_was_removed_comes_back_with_the_page_it_was_on(swept: House) -> None:
    gone = swept.pms.book["b1"]
    swept.pms.deletes("b1")
    swept.reconciles(TODAY, TOMORROW)
    assert swept.removed() == {"b1"}
    swept.pms.book["b1"] = gone
    swept.sync()
    assert swept.removed() == set()


@pytest.mark.parametrize(
    "happens",
    [
        lambda house: house.staff_sets("a0", Status.ARRIVED),
        lambda house: house.staff_notes("a0", "wheelchair"),
    ],
)
def test_a_page_whose_rows_somebody_touched_is_read_once_more(swept: House, happens: Callable[[House], object]) -> None:
    happens(swept)
    read = swept.pms.pages_given - swept.pms.left_unread
    swept.sync()
    assert swept.pms.pages_given - swept.pms.left_unread == read + 1
    assert swept.results[-1].tallies[-1].updated == 0
    assert unread(swept) == 3


@pytest.mark.parametrize(
    "happens",
    [
        lambda house, _: house.ticks(VIDEO, IN_PERSON),
        lambda house, _: house.wants("lee", enabled=False),
        lambda house, patch: patch.setattr(familiar, "READ_BY", "another"),
        lambda house, _: house.clock.forward(days=1),
    ],
)
def test_other_rules_another_mapper_and_another_day_read_everything(
    swept: House, monkeypatch: pytest.MonkeyPatch, happens: Callable[[House, pytest.MonkeyPatch], object]
) -> None:
    happens(swept, monkeypatch)
    assert unread(swept) == 0


def test_a_full_re_read_reads_everything(swept: House) -> None:
    assert unread(swept, full=True) == 0


def test_a_choice_in_mid_sweep_finds_the_pages_read(swept: House) -> None:
    """Handed over unread by the old rules, written by the new ones."""
    swept.pms.before_page = lambda partition, _: (
        None if partition.practitioner_id == "lee" else swept.ticks(VIDEO, IN_PERSON) and None
    )
    swept.fetchers = 1
    swept.sync()
    assert "p1" in swept.shown()


def test_what_must_be_looked_at_each_time_is_not_remembered(house: House) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.pms.says("a1", Status.UNKNOWN, "dancing")
    house.pms.rejects.append(("lee", Rejected("bad", "$.startAt", "missing", b"{}")))
    house.sync()
    assert unread(house) == 0
    assert house.results[-1].tallies[-1].details["unknownStatuses"] == ["dancing"]


def test_a_record_sent_twice_is_not_remembered(house: House) -> None:
    house.pms.books("a1", "a2")
    (page,) = house.pms.pages_of(Partition("x", Window(TODAY, TODAY, zone_of("Australia/Melbourne")), "kim"))
    house.pms.scripted["kim"] = [page, page]
    house.sync()
    assert unread(house) <= 1, "the second of the pages says “sent twice” of each"
    assert dict(house.results[-1].tallies[-1].skipped) == {"duplicate": 2}
    house.account_adds_up()


# --- a few are held back and settled together -------------------------------------------------------------------------


@pytest.fixture
def alone(house: House) -> House:
    """Nobody but Dr Kim is asked for, a page after the other."""
    house.fetchers = 1
    house.wants("lee", enabled=False)
    return house


@pytest.fixture
def three_pages(alone: House) -> House:
    """The first and the last one bring a booking that is left out."""
    alone.pms.page_size = 2
    alone.pms.books("k0", "k1", "k2", "k3")
    alone.pms.books("p0", type=IN_PERSON, at="07:00").books("p1", type=IN_PERSON, at="12:00")
    alone.sync()
    return alone


def test_many_pages_are_settled_in_few_transactions(alone: House) -> None:
    alone.pms.page_size = 1
    alone.pms.books(*(f"k{n}" for n in range(2 * held.MOST)), every=5)
    alone.sync()
    with statements(alone.store) as told:
        assert unread(alone) == 2 * held.MOST
    assert len([one for one in told if "json_each" in one or "unnest" in one]) <= 2 * held.MOST // 4
    assert alone.results[-1].tallies[-1].unchanged == 2 * held.MOST


def test_no_more_are_held_back_than_so_many_and_none_for_long(clock_at: FakeClock) -> None:
    kept, page = held.Held(), Page((), digest=b"x", read=lambda: Page(()))
    for number in range(held.MOST):
        assert (kept.is_due, len(kept.pages)) == (False, number)
        kept.add("kim", page)
    assert kept.is_due
    assert len(kept.let_go()) == held.MOST
    kept.add("kim", page)
    assert not kept.is_due
    clock_at.forward(held.LONGEST_S)
    assert kept.is_due


def test_one_of_many_that_does_not_stand_is_read_and_the_others_are_not(alone: House) -> None:
    alone.pms.page_size = 1
    alone.pms.books(*(f"k{n}" for n in range(9)))
    alone.sync()
    alone.staff_notes("k4", "wheelchair")
    alone.staff_notes("k8", "wheelchair")
    assert unread(alone) == 7
    told = alone.results[-1].tallies[-1]
    assert (told.fetched, told.unchanged, told.updated) == (9, 9, 0)
    alone.account_adds_up()
    assert unread(alone) == 9


def test_an_id_on_two_unread_pages_was_sent_twice(alone: House) -> None:
    alone.pms.books("a1", "a2", "a3")
    (whole,) = alone.pms.pages_of(Partition("x", Window(TODAY, TODAY, zone_of("Australia/Melbourne")), "kim"))
    a1, a2, a3 = whole.appointments
    first, second = Page([a1, a2], (), 2, "1"), Page([a2, a3], (), 2)
    for pages in ([second], [replace(first, next_cursor="1"), second]):  # each is read where the other is not behind it
        alone.pms.scripted["kim"] = pages
        alone.sync()
    assert unread(alone) == 2
    told = alone.results[-1].tallies[-1]
    assert (told.fetched, told.unchanged, dict(told.skipped)) == (4, 3, {"duplicate": 1})
    assert alone.sweeps()["kim"].received == 4
    alone.account_adds_up()


@pytest.mark.promise("P4")
def test_a_run_cut_short_behind_unread_pages_goes_on_where_they_were_counted(three_pages: House) -> None:
    """The last page is read again: its bookmark is the one before it, and tells nothing of what it brought."""
    cut_off(three_pages, 1)
    assert three_pages.sync().state is RunState.SUCCESS
    assert three_pages.sweeps()["kim"].received == 6
    three_pages.account_adds_up()


def test_pages_held_back_when_a_run_ends_were_not_met(three_pages: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "LONGEST_S", 1000.0)

    def time_is_up(_partition: Partition, number: int) -> None:
        if number == 1:
            three_pages.clock.forward(120)

    three_pages.pms.before_page = time_is_up
    ended = three_pages.sync(runner={"timeout": MINUTE})
    assert ended.tallies[-1].fetched == 0
    assert not (three_pages.run(ended.run_id).checkpoint or {}).get("cursors")
    three_pages.pms.before_page = lambda *_: None
    assert chains_read(three_pages) == ["kim#0", "kim#1", "kim#2"]
    assert three_pages.sweeps()["kim"].received == 6
    three_pages.account_adds_up()


def test_unread_pages_of_a_chain_that_breaks_were_met(three_pages: House) -> None:
    three_pages.pms.fails(PmsUnavailable("x", reason="connect"), practitioner="kim", after_pages=2)
    ended = three_pages.sync()
    assert (ended.tallies[-1].fetched, ended.tallies[-1].unchanged) == (4, 3)
    assert not ended.tallies[-1].complete


def test_pages_of_windows_that_have_moved_on_are_forgotten(swept: House) -> None:
    with swept.store.write() as session:
        read_pages.forget_older(session, swept.practice_id, swept.clock.at - timedelta(days=1))
    assert swept.count(ReadPage) == 3
    with swept.store.write() as session:
        read_pages.forget_older(session, swept.practice_id, swept.clock.at + timedelta(days=1))
    assert swept.count(ReadPage) == 0


def test_the_house_forgets_them_by_the_clock(swept: House, redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        upkeep.wipe(swept.store, redis)
        assert swept.count(ReadPage) == 3
        swept.clock.forward(days=3)
        redis.delete(upkeep.DONE)
        upkeep.wipe(swept.store, redis)
    assert swept.count(ReadPage) == 0
