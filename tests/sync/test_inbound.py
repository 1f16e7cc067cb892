"""A sweep told as a story: pages, partitions, duplicates, failures; what stays, what is counted, what is fresh."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.domain.rules import Cause
from app.domain.status import Status
from app.pms.errors import (
    PmsAuthFailed,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsRateLimited,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.port import Page, Partition
from app.store import catalogue, quarantine
from app.store.models import Appointment, ClinicianMapping, PmsStatus, QuarantinedRecord, RunSheet
from app.store.models.sync import RunState
from app.sync.chain import Chain
from tests.fakes.house import House, skipped, statements, writes_to
from tests.fakes.pms import IN_PERSON, NOW, TODAY, VIDEO, patient

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


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pages", "kept"), [(0, set()), (1, {"a1", "a2"}), (2, {"a1", "a2", "a3", "a4"})])
def test_a_failure_keeps_earlier_pages_and_stays_incomplete(house: House, pages: int, kept: set[str]) -> None:
    house.pms.page_size = 2
    house.pms.books("a1", "a2", "a3", "a4", "a5")
    house.wants("lee", False)
    house.pms.fails(PmsUnavailable("503", reason="server_error"), practitioner="kim", after_pages=pages)
    result = house.sync()
    assert set(house.rows()) == kept
    assert not result.tallies[-1].complete
    assert result.state is (R.PARTIAL if pages else R.FAILED)
    assert result.reason == "server_error"
    assert house.sweeps() == {}, "nothing may say that the day was read"
    house.pms.heals()
    assert house.sync().tallies[-1].created == 5 - len(kept)
    house.account_adds_up()


def test_one_practitioner_of_ten_fails_the_rest_is_stored_and_absence_is_not_judged(house: House) -> None:
    everybody = [f"dr{n}" for n in range(10)]
    for who in everybody:
        house.pms.books(f"of {who}", f"gone of {who}", with_=who)
    house.sync()
    house.sync()
    house.pms.deletes(*(f"gone of {who}" for who in everybody))
    house.pms.books("new", with_="dr9")
    house.pms.fails(PmsForbidden("no"), practitioner="dr3")
    before = {who: one.completed_at for who, one in house.sweeps().items()}
    result = house.sync()
    assert (result.state, result.reason) == (R.PARTIAL, "some_failed")
    assert result.tallies[-1].details["failed"] == [{"practitioner": "dr3", "reason": "forbidden"}]
    assert "new" in house.rows()
    assert all(row.absent_since is None for row in house.rows().values())
    assert not any(one.startswith("appointment ") for one in house.pms.asked)
    after = {who: one.completed_at for who, one in house.sweeps().items()}
    assert {who for who in before if after[who] == before[who]} == {"dr3"}
    assert house.connection().state == "active"
    house.pms.heals()
    house.sync()
    assert sum(row.absent_since is not None for row in house.rows().values()) == 10


@pytest.mark.parametrize(
    ("error", "state", "reason", "connection"),
    [
        (PmsAuthFailed("401"), R.FAILED, "auth_failed", "needs_attention"),
        (PmsForbidden("403"), R.FAILED, "forbidden", "needs_attention"),
        (PmsUntrusted("tls"), R.FAILED, "tls", "needs_attention"),
        (PmsNotConfigured("x"), R.FAILED, "not_configured", "needs_attention"),
        (PmsUnavailable("x", reason="dns"), R.FAILED, "dns", "active"),
        (PmsMalformed("x"), R.FAILED, "bad_envelope", "active"),
        (PmsMalformed("x", reason="cursor_loop"), R.FAILED, "cursor_loop", "active"),
        (PmsRateLimited("x"), R.DEFERRED, "rate_limited", "active"),
        (KeyError("ours"), R.FAILED, "bug", "active"),
    ],
)
@pytest.mark.parametrize("where", ["practitioners", None])
def test_what_follows_from_each_kind_of_failure(
    house: House, error: Exception, state: RunState, reason: str, connection: str, where: str | None
) -> None:
    if where is not None and isinstance(error, KeyError):
        pytest.skip("the list of practitioners is the vendor's")
    house.pms.books("a1").books("b1", with_="lee")
    house.pms.fails(error, practitioner=where)
    result = house.sync()
    assert (result.state, result.reason) == (state, reason)
    assert house.rows() == {}
    found = house.connection()
    assert (found.state, found.last_sync_status, found.last_sync_error) == (connection, state, reason)
    assert found.state_reason == (reason if connection == "needs_attention" else None)


def test_what_every_chain_would_meet_is_asked_for_once(house: House) -> None:
    house.fetchers = 1
    house.pms.employs(*(f"dr{n}" for n in range(10))).fails(PmsAuthFailed("401"))
    house.sync()
    assert len([one for one in house.pms.asked if "#" in one]) == 1


def test_two_chains_without_an_answer_leave_the_rest_alone_one_that_answers_gives_new_hope(house: House) -> None:
    house.fetchers = 1
    people = [f"dr{n}" for n in range(6)]
    house.pms.employs(*people)
    for who in people[:1] + people[2:4]:
        house.pms.fails(PmsUnavailable("x", reason="connect"), practitioner=who)
    house.pms.people = {who: house.pms.people[who] for who in people}
    result = house.sync()
    asked = [one.split("/")[0] for one in house.pms.asked if "#" in one]
    assert asked == people[:4]
    assert (result.state, result.reason) == (R.PARTIAL, "some_failed")


def test_a_chain_that_goes_in_a_circle_is_told_by_its_name(house: House) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.pms.fails(PmsMalformed("x", reason="cursor_loop"), practitioner="lee", after_pages=1)
    result = house.sync()
    assert (result.state, result.reason) == (R.PARTIAL, "cursor_loop")
    assert house.shown() == {"a1", "b1"}


def test_an_empty_list_of_practitioners_sets_nobody_inactive_and_fails(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.pms.people.clear()
    result = house.sync()
    assert (result.state, result.reason) == (R.FAILED, "bad_envelope")
    with house.store.read() as session:
        assert all(row.active for row in session.scalars(select(ClinicianMapping)))


def test_a_practice_that_is_empty_from_the_start_is_no_failure(bare_house: House) -> None:
    assert bare_house.sync().state is R.SUCCESS


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


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "good", "state"),
    [(1, 1, R.PARTIAL), (10, 0, R.PARTIAL), (11, 0, R.FAILED), (11, 98, R.FAILED), (11, 99, R.PARTIAL)],
)
def test_more_than_ten_rows_and_a_tenth_set_aside_is_a_failure(
    house: House, bad: int, good: int, state: RunState
) -> None:
    house.pms.books(*(f"a{n}" for n in range(good)), at="00:00", every=5)
    house.pms.garbles(*(f"bad{n}" for n in range(bad)))
    result = house.sync()
    assert (result.state, result.reason) == (state, "quarantined")
    assert (result.tallies[-1].quarantined, result.tallies[-1].created) == (bad, good)
    assert result.tallies[-1].complete
    assert house.count(QuarantinedRecord) == bad


def test_a_poisoned_row_that_comes_each_time_is_kept_once_and_settled_when_it_can_be_read(house: House) -> None:
    house.pms.books("a1").garbles("bad")
    for _ in range(3):
        assert house.sync().state is R.PARTIAL
    with house.store.read() as session:
        assert [row.seen for row in session.scalars(select(QuarantinedRecord))] == [3]
    house.pms.rejects.clear()
    house.pms.books("bad", at="11:00")
    with statements(house.store) as told:
        assert house.sync().state is R.SUCCESS
    assert len(writes_to(told, "quarantined_records")) == 1
    with house.store.read() as session:
        assert quarantine.open_count(session, house.practice_id) == 0
    with statements(house.store) as told:
        house.sync()
    assert writes_to(told, "quarantined_records") == []


def test_a_word_nobody_knows_makes_a_run_partial_until_it_is_explained(house: House) -> None:
    house.pms.books("a1", "a2", status=Status.UNKNOWN)
    house.pms.changes("a1", raw_status="late_cancel")
    house.pms.changes("a2", raw_status="late_cancel")
    result = house.sync()
    assert (result.state, result.reason) == (R.PARTIAL, "unknown_status")
    assert result.tallies[-1].details["unknownStatuses"] == ["late_cancel"]
    with house.store.read() as session:
        (word,) = session.scalars(select(PmsStatus))
        assert (word.raw_status, word.seen, word.status) == ("late_cancel", 2, None)
        assert [row.raw_status for row in catalogue.unknown_words(session, house.connection_id)] == ["late_cancel"]
    assert {row.status for row in house.sheet().rows} == {Status.UNKNOWN}
    assert house.sheet().counts[Status.BOOKED] == 0
    house.sync()
    assert house.count(PmsStatus) == 1
    house.pms.says("a1", Status.CANCELLED, "late_cancel")  # as an adapter that was told the word says it
    house.pms.says("a2", Status.CANCELLED, "late_cancel")
    assert house.sync().state is R.SUCCESS


def test_a_word_of_an_appointment_nobody_wants_is_nobodys_business(house: House) -> None:
    house.pms.books("a1", type=IN_PERSON, status=Status.UNKNOWN)
    assert house.sync().state is R.SUCCESS
    assert house.count(PmsStatus) == 0


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
