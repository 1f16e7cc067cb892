"""A sweep told as a story: pages, partitions, duplicates, who is swept; what stays, what is counted, what is fresh."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.rules import Cause
from app.domain.status import Status
from app.pms.port import Page, Partition
from app.store.models import Appointment, RunSheet
from app.store.models.sync import RunState
from app.sync.chain import Chain
from tests.fakes.house import House, skipped, statements, writes_to
from tests.fakes.pms import IN_PERSON, NOW, TODAY, VIDEO, FakeAdapter, patient

R = RunState
TOMORROW = TODAY + timedelta(days=1)


def test_a_second_run_over_an_unchanged_day_writes_nothing(house: House) -> None:
    house.pms.books("a1", "a2").books("a3", type=IN_PERSON)
    first, second = house.sync().tallies[-1], house.sync().tallies[-1]
    assert (first.created, first.updated, first.unchanged, first.skipped.total()) == (2, 0, 0, 1)
    assert (second.created, second.updated, second.unchanged, second.skipped.total()) == (0, 0, 2, 1)
    assert first.complete
    assert second.complete


def test_nobody_is_hidden_for_want_of_a_mapping(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    (group,) = house.sheet().groups
    assert (group.column.id, group.column.name) == (None, "Dr Kim")


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_however_many_pages_the_day_is_the_same(house: House, page_size: int) -> None:
    house.pms.page_size = page_size
    house.pms.books("a1", "a2", "a3", "a4", "a5").books("b1", with_="lee").books("t1", day=TOMORROW)
    result = house.sync(TODAY, TOMORROW)
    assert (result.state, result.tallies[-1].created) == (R.SUCCESS, 7)
    assert (house.shown(TODAY), house.shown(TOMORROW)) == ({"a1", "a2", "a3", "a4", "a5", "b1"}, {"t1"})
    house.account_adds_up(TODAY)
    house.account_adds_up(TOMORROW)


def test_a_long_window_is_swept_in_weeks_and_each_day_is_fresh(house: House) -> None:
    days = [TODAY + timedelta(days=n) for n in range(20)]
    for day in days:
        house.pms.books(f"on {day}", day=day)
    began = house.clock.at + timedelta(seconds=1)
    house.sync(days[0], days[-1])
    assert len([one for one in house.pms.asked if one.startswith("kim/")]) == 3
    for day in days:
        assert house.shown(day) == {f"on {day}"}
        assert {who: one.completed_at for who, one in house.sweeps(day).items()} == {"kim": began, "lee": began}


def test_a_day_is_as_old_as_the_oldest_that_any_of_its_pages_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = FakeAdapter.appointments
    told = house.clock.at - timedelta(hours=5)

    def exported(self: FakeAdapter, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        for number, page in enumerate(honest(self, partition, cursor)):
            yield replace(page, as_of=told - timedelta(hours=number % 2))

    monkeypatch.setattr(FakeAdapter, "appointments", exported)
    house.pms.page_size = 1
    house.pms.books("a1", "a2", "a3").books("b1", with_="lee")
    house.sync()
    ages = {who: told - one.completed_at for who, one in house.sweeps().items()}
    assert ages == {"kim": timedelta(hours=1), "lee": timedelta(0)}


def test_an_empty_page_in_the_middle_is_not_the_end(house: House) -> None:
    house.pms.books("a1", "a2")
    first, last = house.pms.book["a1"], house.pms.book["a2"]
    house.pms.scripted["kim"] = [Page([first], (), 1, "1"), Page([], (), 0, "2"), Page([last], (), 1, None)]
    assert house.sync().tallies[-1].created == 2


# --- the same id more than once ---------------------------------------------------------------------------------------


def test_the_last_of_two_records_on_a_page_counts(house: House) -> None:
    house.pms.books("a1")
    one = house.pms.book["a1"]
    house.pms.scripted["kim"] = [Page([replace(one, comment="old"), replace(one, comment="new")], (), 2)]
    result = house.sync()
    assert (result.tallies[-1].created, skipped(result)) == (1, {"duplicate": 1})
    assert house.row("a1").pms_comment == "new"
    house.account_adds_up()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("types", "shown"), [((IN_PERSON, VIDEO), {"a1"}), ((VIDEO, IN_PERSON), set())])
def test_so_it_does_where_only_one_of_them_is_wanted(
    house: House, types: tuple[str, str], shown: set[str], known: bool
) -> None:
    house.pms.books("a1")
    if known:
        house.sync()
    one = house.pms.book["a1"]
    house.pms.scripted["kim"] = [Page([replace(one, type_id=type_id) for type_id in types], (), 2)]
    house.sync()
    assert house.shown() == shown
    house.account_adds_up()


def test_a_record_that_comes_again_unchanged_on_a_later_page_was_sent_twice(house: House) -> None:
    house.pms.books("a1", "a2")
    page = Page([house.pms.book["a1"], house.pms.book["a2"]], (), 2, "1")
    house.pms.scripted["kim"] = [page, replace(page, next_cursor=None)]
    for _ in range(2):
        result = house.sync()
        assert skipped(result) == {"duplicate": 2}
        house.account_adds_up()
    assert (result.tallies[-1].unchanged, result.tallies[-1].updated) == (2, 0)


@pytest.mark.parametrize(
    ("second", "updated", "shown"),
    [({"comment": "newer"}, 1, {"a1"}), ({"type_id": IN_PERSON}, 0, set()), ({"patients": ()}, 0, set())],
)
def test_a_record_that_changed_between_two_pages_ends_as_the_later_one(
    house: House, second: dict[str, Any], updated: int, shown: set[str]
) -> None:
    house.pms.books("a1")
    one = house.pms.book["a1"]
    house.pms.scripted["kim"] = [Page([one], (), 1, "1"), Page([replace(one, **second)], (), 1)]
    result = house.sync()
    assert (result.tallies[-1].created, result.tallies[-1].updated) == (1, updated)
    assert house.shown() == shown
    house.account_adds_up()


def test_an_appointment_of_two_practitioners_is_counted_once_and_stands_once(house: House) -> None:
    house.pms.books("a1", other_practitioner_ids=("lee",))
    result = house.sync()
    assert (result.tallies[-1].created, skipped(result)) == (1, {"duplicate": 1})
    assert house.shown() == {"a1"}
    house.account_adds_up()
    house.wants("kim", False)
    house.pms.changes("a1", practitioner_id="lee", practitioner_name="Dr Lee", other_practitioner_ids=("kim",))
    house.sync()
    assert house.shown() == {"a1"}, "the other one is still wanted"


@pytest.mark.parametrize("pages", [1, 3])
def test_what_is_sent_from_outside_the_window_is_left_out(house: House, pages: int) -> None:
    house.pms.books("a1", "a2", "a3").books("t1", day=TOMORROW)
    records = list(house.pms.book.values())
    house.pms.scripted["kim"] = [Page(records, (), 4, str(n + 1) if n + 1 < pages else None) for n in range(pages)]
    result = house.sync()
    assert skipped(result)["outside_window"] == pages
    assert "t1" not in house.rows()
    house.account_adds_up()


# --- who is swept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{"active": False}, {"shown_in_book": False}])
def test_rows_of_somebody_who_left_the_book_are_still_swept(house: House, more: dict[str, bool]) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.sync()
    house.pms.employs("lee", **more)
    house.pms.says("b1", Status.CANCELLED)
    house.sync()
    assert house.row("b1").pms_status == "cancelled"
    house.pms.asked.clear()
    house.sync(TOMORROW)
    assert not any(one.startswith("lee/") for one in house.pms.asked), "there is nothing of theirs on that day"


def test_who_is_switched_off_is_not_asked_for(house: House) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.sync()
    house.wants("lee", False)
    house.pms.asked.clear()
    house.sync()
    assert not any(one.startswith("lee/") for one in house.pms.asked)


# --- what left --------------------------------------------------------------------------------------------------------


def test_an_appointment_that_turns_into_a_block_or_a_visit_in_person_leaves_the_sheet_and_comes_back(
    house: House,
) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.changes("a1", patients=())
    house.pms.changes("a2", type_id=IN_PERSON)
    result = house.sync()
    assert skipped(result) == {"block": 1, "not_telehealth": 1}
    assert house.shown() == set()
    assert {row.hidden_cause for row in house.rows().values()} == {Cause.BLOCK, Cause.NOT_TELEHEALTH}
    assert {row.hidden_by_run for row in house.rows().values()} == {result.run_id}
    house.account_adds_up()
    with statements(house.store) as told:
        house.sync()
    assert writes_to(told, "run_sheet_appointments", "appointment_events", "run_sheets") == []
    house.pms.changes("a1", patients=(patient("a1"),))
    house.pms.changes("a2", type_id=VIDEO)
    assert house.sync().tallies[-1].updated == 2
    assert house.shown() == {"a1", "a2"}
    house.account_adds_up()


def test_what_the_practice_has_no_wish_for_is_never_stored(house: House) -> None:
    house.pms.books("a1", type=IN_PERSON).books("a2", type=None).books("a3", patients=0)
    result = house.sync()
    assert house.count(Appointment) == 0
    assert house.count(RunSheet) == 0
    assert skipped(result) == {"not_telehealth": 2, "block": 1}


# --- memory -----------------------------------------------------------------------------------------------------------


def test_a_chain_is_forgotten_when_it_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many practitioners and weeks: what is held is what is being read just now."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most = 0

    class Watched(Chain):
        __slots__ = ("__weakref__",)
        __hash__ = object.__hash__

        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            alive.add(self)

    monkeypatch.setattr("app.sync.phases.inbound.Chain", Watched)
    monkeypatch.setattr("app.sync.chain.Chain", Watched)

    def look(_partition: Partition, _page: int) -> None:
        nonlocal most
        most = max(most, len(alive))

    house.fetchers = 1
    house.pms.page_size = 2
    for number in range(8):
        house.pms.books(*(f"{number}-{n}" for n in range(4)), with_=f"dr{number}")
    house.pms.before_page = look  # type: ignore[assignment]
    assert house.sync().tallies[-1].created == 32
    assert most <= 8, "with one fetcher: the chain at work, and the few pages that wait"
    gc.collect()
    assert len(alive) == 0


def test_a_fetcher_that_is_ahead_waits(house: House) -> None:
    """Pages are not piled up while the database is slow."""
    house.fetchers = 1
    house.pms.page_size = 1
    house.pms.books(*(f"a{n}" for n in range(30)), at="00:00")
    written: list[int] = []
    ahead = 0

    def look(_partition: Partition, page: int) -> None:
        nonlocal ahead
        ahead = max(ahead, page - len(written))

    house.pms.before_page = look  # type: ignore[assignment]
    house.sync(runner={"on_progress": lambda step: written.append(1) if step.phase == "inbound" else None})
    assert 1 <= ahead <= 5


def test_the_sheet_of_a_day_at_the_end_of_daylight_saving(house: House) -> None:
    day = TODAY.replace(month=4, day=5)
    house.pms.books("first", day=day, at="02:30")
    second = house.pms.book["first"].starts_at + timedelta(hours=1)  # half past two, once more
    house.pms.books("second", day=day, starts_at=second, ends_at=second + timedelta(minutes=30))
    house.pms.books("last", day=day, at="23:45")
    house.sync(day)
    assert [row.facts.pms_appointment_id for row in house.sheet(day).rows] == ["first", "second", "last"]
    assert {house.day_of(id_) for id_ in house.rows()} == {day}
    assert second > NOW


def test_a_system_that_tells_of_no_clients_costs_no_statement_about_patients(house: House) -> None:
    house.pms.books("a1", "a2")
    with statements(house.store) as told:
        house.sync()
    assert [one for one in told if "patient_external_ids" in one or "discovery_reviews" in one] == []
