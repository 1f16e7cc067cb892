"""Failures of a sweep and records that cannot be read: what is kept, what is set aside, how the run is told."""

from __future__ import annotations

import pytest
from sqlalchemy import select

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
from app.store import catalogue, quarantine
from app.store.models import ClinicianMapping, PmsStatus, QuarantinedRecord
from app.store.models.sync import RunState
from tests.fakes.house import House, statements, writes_to
from tests.fakes.pms import IN_PERSON

R = RunState


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
        house.pms.books(*(f"{n} of {who}" for n in range(3)), f"gone of {who}", with_=who)
    house.sync()
    house.sync()
    house.pms.deletes(*(f"gone of {who}" for who in everybody))
    house.pms.books("new", with_="dr9")
    house.pms.fails(PmsForbidden("no"), practitioner="dr3")
    before = {who: one.completed_at for who, one in house.sweeps().items()}
    result = house.reconciles()
    assert (result.state, result.reason) == (R.PARTIAL, "some_failed")
    assert result.tallies[1].details["failed"] == [{"practitioner": "dr3", "reason": "forbidden"}]
    assert "new" in house.rows()
    assert house.removed() == set()
    assert not any(one.startswith("appointment ") for one in house.pms.asked)
    after = {who: one.completed_at for who, one in house.sweeps().items()}
    assert {who for who in before if after[who] == before[who]} == {"dr3"}
    assert house.connection().state == "active"
    house.pms.heals()
    house.reconciles()
    assert house.removed() == {f"gone of {who}" for who in everybody}


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
