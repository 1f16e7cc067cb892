"""Reading what changed in between, against the simulated hospital: what it may claim, and when it is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.config import VendorSettings
from app.domain.freshness import Freshness
from app.errors import InvalidInput
from app.pms.ezyvet.lists import APPOINTMENT, Filters, Lists, Part, Resource
from app.pms.registry import adapter_class
from app.store import schedules
from app.store.db import Store
from app.store.models.sync import RunState
from app.sync import near
from app.sync.phases import chosen
from app.sync.run import SyncResult
from tests.fakes.house import EVERY_PHASE, FakeClock, statements, writes_to
from tests.fakes.pms import TODAY
from tests.pms.ezyvet.hospital import Hospital
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sync.test_ezyvet import TOMORROW, Ward, freshness, opened

pytestmark = pytest.mark.promise("P4")
AFTERNOON = "2026-03-09T16:00:00+11:00"
NEXT_MORNING = "2026-03-10T10:00:00+11:00"


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def ward(_empty: RunningSandbox, store: Store, clock_at: FakeClock) -> Ward:
    """Three visits, read whole a moment ago; every kind of visit ticked."""
    made = opened(Hospital(_empty), store, clock_at)
    for number in range(3):
        made.hospital.books(animal_id=801 + number)
    made.reconciles()
    return made


def reads(ward: Ward, **more: Any) -> SyncResult:
    """What changed is read, by one clock for both."""
    at_the_same_time(ward)
    return ward.sync(phases=("changes",), **more)


def at_the_same_time(ward: Ward, skew_s: float = 0) -> None:
    ward.hospital.tell("clock", at=(ward.clock.now() + timedelta(seconds=skew_s)).isoformat())


def whole(result: SyncResult) -> str | None:
    """Why the window was swept instead; None where changes were read."""
    told = result.tallies[0].details.get("whole")
    return None if told is None else str(told)


def drift(result: SyncResult) -> int | None:
    told = [tally.details["drift"] for tally in result.tallies if "drift" in tally.details]
    return sum(told) if told else None


def changes_to(ward: Ward) -> datetime | None:
    return ward.sweeps()[""].changes_to


def later(ward: Ward, **by: float) -> None:
    ward.clock.forward(**by)
    at_the_same_time(ward)


def test_what_changed_is_on_the_sheet_and_nothing_more_is_claimed(ward: Ward) -> None:
    stays, moves, gone = sorted(ward.shown())
    swept_at = ward.sweeps()[""].completed_at
    later(ward, minutes=2)
    ward.hospital.tell("move", id=int(moves), at=AFTERNOON)
    ward.hospital.tell("remove", id=int(gone))
    new = ward.hospital.books(animal_id=805)
    result = reads(ward)
    assert (result.state, whole(result)) == (RunState.SUCCESS, None)
    assert ward.row(moves).starts_at.hour == 5  # UTC
    assert ward.shown() == {stays, moves, gone, new}
    assert ward.removed() == set()  # a list of changes says nothing about who is missing
    assert ward.sweeps()[""].completed_at == swept_at  # nor does it make the day fresher
    assert changes_to(ward) == ward.clock.now()
    ward.account_adds_up()

    later(ward, minutes=60)
    reads(ward)
    assert freshness(ward) == {Freshness.STALE}
    result = ward.reconciles()
    assert ward.removed() == {gone}
    assert (drift(result), changes_to(ward)) == (0, None)
    assert freshness(ward) == {Freshness.LIVE}


def test_where_nothing_changed_nothing_is_written_and_one_question_is_asked(ward: Ward) -> None:
    later(ward, minutes=10)
    reads(ward)
    later(ward, minutes=10)
    before = len(ward.hospital.asked())
    with statements(ward.store) as told:
        result = reads(ward)
    assert (result.tallies[0].fetched, result.state) == (0, RunState.SUCCESS)
    assert [one["route"] for one in ward.hospital.asked()[before:]] == ["/v2/appointment"]
    assert not writes_to(told, "run_sheet_appointments", "appointment_events", "run_sheets")


def test_a_row_is_followed_wherever_it_goes_and_strangers_only_into_the_window(ward: Ward) -> None:
    one, two, _ = sorted(ward.shown())
    ward.sync(TOMORROW)
    later(ward, minutes=2)
    ward.hospital.tell("move", id=int(one), at=NEXT_MORNING)
    ward.hospital.tell("move", id=int(two), at="2026-06-01T10:00:00+10:00")
    stranger = ward.hospital.books(at=NEXT_MORNING, animal_id=806)
    result = reads(ward)
    assert ward.day_of(one) == TOMORROW
    assert ward.day_of(two).month == 6
    assert stranger not in ward.rows()
    assert result.tallies[0].skipped == {"outside_window": 1}
    ward.account_adds_up()
    ward.account_adds_up(TOMORROW)
    later(ward, minutes=2)
    ward.hospital.tell("move", id=int(stranger), at=AFTERNOON)
    ward.hospital.tell("cancel", id=int(one))
    reads(ward)
    assert stranger in ward.shown()
    assert ward.row(one).pms_status == "cancelled"
    ward.account_adds_up()
    ward.account_adds_up(TOMORROW)


def test_what_the_practice_does_not_want_is_counted_and_a_row_goes_behind_the_curtain_and_comes_back(
    ward: Ward,
) -> None:
    one = min(ward.shown())
    later(ward, minutes=2)
    ward.hospital.writes("appointment", one, type_id=2)  # nobody ticked that
    result = reads(ward)
    assert result.tallies[0].skipped == {"not_telehealth": 1}
    assert one not in ward.shown()
    ward.account_adds_up()
    later(ward, minutes=2)
    ward.hospital.writes("appointment", one, type_id=11)
    reads(ward)
    assert one in ward.shown()
    ward.account_adds_up()


def test_a_row_that_left_behind_the_curtain_is_not_taken_out_of_an_account_it_is_not_in(ward: Ward) -> None:
    """A whole reading of today no longer met it, and its row stays where it was: nobody sees it. Then it is told of."""
    one = min(ward.shown())
    later(ward, minutes=2)
    ward.hospital.writes("appointment", one, type_id=2)  # nobody ticked that
    reads(ward)
    ward.hospital.writes("appointment", one, start_at=1773118800)  # tomorrow at nine
    ward.reconciles()
    ward.account_adds_up()
    later(ward, minutes=10)
    ward.hospital.writes("appointment", one, description="told of again")
    reads(ward)
    assert ward.day_of(one) == TOMORROW
    ward.account_adds_up()


def test_a_change_the_vendor_hides_is_drift_and_its_word_is_not_taken_for_a_day(ward: Ward) -> None:
    one, two, three = sorted(ward.shown())
    stamp = {str(row["id"]): row["modified_at"] for row in ward.hospital.truth()}
    later(ward, minutes=10)
    reads(ward)
    later(ward, minutes=10)
    ward.hospital.writes("appointment", one, description="hidden", modified_at=stamp[one])
    ward.hospital.writes("appointment", two, start_at=1773118800, modified_at=stamp[two])  # tomorrow at nine
    reads(ward)
    assert ward.row(one).pms_comment != "hidden"
    result = ward.reconciles()
    assert ward.row(one).pms_comment == "hidden"
    assert ward.day_of(two) == TOMORROW
    assert [tally.details["drift"] for tally in result.tallies[1:]] == [1, 1]  # the list's, and the one that moved
    for _ in range(2):
        later(ward, minutes=10)
        assert whole(reads(ward)) == "drift"
    later(ward, hours=24)
    assert whole(reads(ward)) is None
    assert three in ward.shown()


def test_without_anything_to_go_on_from_the_window_is_swept(ward: Ward) -> None:
    assert whole(ward.sync(TOMORROW, phases=("changes",))) == "never_swept"
    assert whole(ward.sync(TOMORROW, phases=("changes",))) is None
    assert whole(ward.sync(TODAY, TODAY + timedelta(days=2), phases=("changes",))) == "never_swept"
    assert ward.sweeps(TODAY + timedelta(days=2))[""].changes_to is None


def test_a_day_that_was_read_whole_too_long_ago_is_swept(ward: Ward) -> None:
    for hours in (20, 5):
        later(ward, hours=hours)
        assert whole(reads(ward)) is None
    later(ward, hours=1.1)
    assert whole(reads(ward)) == "too_old"
    assert whole(reads(ward)) is None


@pytest.mark.fault("F46")
def test_a_clock_that_was_set_back_is_noticed(ward: Ward) -> None:
    later(ward, hours=1)
    reads(ward)
    later(ward, minutes=-30)
    new = ward.hospital.books(animal_id=805)
    assert whole(reads(ward)) == "ahead"
    assert new in ward.shown()


def test_a_question_the_vendor_refuses_is_not_asked_for_ever(ward: Ward) -> None:
    later(ward, minutes=2)
    new = ward.hospital.books(animal_id=805)
    ward.hospital.breaks("error", "/v2/appointment", status=400, next=1)
    result = reads(ward)
    assert (whole(result), result.state) == ("refused", RunState.SUCCESS)
    assert new in ward.shown()


@pytest.mark.parametrize("kind", ["error", "garbage", "html", "short_list"])
def test_a_broken_reading_does_not_count(ward: Ward, kind: str) -> None:
    later(ward, minutes=2)
    reads(ward)
    read_to = changes_to(ward)
    later(ward, minutes=20)
    new = ward.hospital.books(animal_id=805)
    ward.hospital.breaks(kind, "/v2/appointment")
    assert reads(ward).state in (RunState.FAILED, RunState.PARTIAL)
    assert changes_to(ward) == read_to
    ward.hospital.tell("faults/clear")
    later(ward, minutes=20)
    assert whole(reads(ward)) is None
    assert new in ward.shown()


def test_a_full_re_read_reads_everything_and_a_sweep_in_the_same_run_covers_it(ward: Ward) -> None:
    assert whole(reads(ward, full=True)) == "asked"
    result = ward.sync(phases=("changes", *EVERY_PHASE))
    told = {tally.phase: tally for tally in result.tallies}
    assert told["changes"].details == {"covered": True}
    assert told["changes"].fetched == 0
    assert told["inbound"].fetched == 3


def test_a_choice_counts_from_the_whole_readings_again_and_is_no_drift(ward: Ward) -> None:
    hidden = ward.hospital.books(type_id=2, animal_id=807)
    later(ward, minutes=20)
    ward.sync()
    later(ward, minutes=20)
    reads(ward)
    assert changes_to(ward) is not None
    ward.ticks("2", "11")
    assert changes_to(ward) is None
    result = ward.sync()
    assert hidden in ward.shown()
    assert drift(result) is None


@pytest.mark.promise("P15")
def test_a_changed_record_that_cannot_be_read_is_set_aside_and_read_once_it_can_be(ward: Ward) -> None:
    one = min(ward.shown())
    later(ward, minutes=20)
    ward.hospital.writes("appointment", one, description="a change nobody can read")
    ward.hospital.breaks("poison", "/v2/appointment", record="no_start", next=1)
    result = reads(ward)
    assert (result.state, result.reason, result.tallies[0].quarantined) == (RunState.PARTIAL, "quarantined", 1)
    assert changes_to(ward) == ward.clock.now()  # its id is known: a sweep reads it, whatever its stamp says
    assert ward.shown() >= {one}
    later(ward, minutes=20)
    result = ward.sync()
    assert ward.row(one).pms_comment == "a change nobody can read"
    assert drift(result) == 0


def test_a_changed_record_without_an_id_is_read_again_from_where_it_was(ward: Ward) -> None:
    one = min(ward.shown())
    later(ward, minutes=20)
    reads(ward)
    read_to = changes_to(ward)
    later(ward, minutes=20)
    ward.hospital.writes("appointment", one, description="whose?")
    ward.hospital.breaks("poison", "/v2/appointment", record="no_id", next=1)
    reads(ward)
    assert changes_to(ward) == read_to
    later(ward, minutes=20)
    reads(ward)
    assert ward.row(one).pms_comment == "whose?"
    assert changes_to(ward) == ward.clock.now()


def test_a_list_that_moves_while_it_is_read_is_read_again(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody edits the first record between two pages: what follows moves on by one."""
    monkeypatch.setattr("app.pms.ezyvet.lists.PAGE_SIZE", 2)
    page, first = Lists._page, min(ward.shown())

    def edited_meanwhile(self: Lists, resource: Resource, filters: Filters, cursor: str | None) -> Part:
        found = page(self, resource, filters, cursor)
        if resource is APPOINTMENT and cursor is None:
            ward.hospital.writes("appointment", first, description="meanwhile")
        return found

    later(ward, minutes=20)
    reads(ward)
    later(ward, minutes=20)
    for id_ in ward.shown() - {first} | {ward.hospital.books(animal_id=805)}:
        ward.hospital.writes("appointment", id_, description="all of them")
    with monkeypatch.context() as moving:
        moving.setattr(Lists, "_page", edited_meanwhile)
        read_to = changes_to(ward)
        result = reads(ward)
    assert (result.state, result.reason) == (RunState.PARTIAL, "sweep_incomplete")
    assert changes_to(ward) == read_to
    assert reads(ward).state is RunState.SUCCESS
    assert changes_to(ward) == ward.clock.now()
    assert ward.row(first).pms_comment == "meanwhile"


@pytest.mark.promise("P5")
def test_many_changes_of_one_second_are_neither_lost_nor_read_for_ever(ward: Ward) -> None:
    later(ward, minutes=20)
    ids = {ward.hospital.books(animal_id=801) for _ in range(210)}
    result = reads(ward)  # in that very second
    assert ids <= ward.shown()
    assert result.tallies[0].created == 210
    more = {ward.hospital.books(animal_id=802) for _ in range(5)}  # the same second, after it was read
    ward.clock.forward(minutes=4)
    assert reads(ward).tallies[0].created == 5
    assert more <= ward.shown()
    later(ward, minutes=10)
    reads(ward)
    later(ward, minutes=10)
    assert reads(ward).tallies[0].fetched == 0
    assert drift(ward.sync()) == 0


@pytest.mark.feature("E11")
def test_between_two_sweeps_it_is_what_runs_where_the_vendor_can_tell(ward: Ward) -> None:
    near.plan(ward.store, lambda _: VendorSettings())
    with ward.store.read() as session:
        (row,) = [one for one in schedules.of_connection(session, ward.connection_id) if one.kind == schedules.NEAR]
    assert row.phases == ["changes"]


def test_a_vendor_that_cannot_tell_is_always_swept() -> None:
    for kind in ("gentu", "intakeq"):
        offers = adapter_class(kind).capabilities
        assert "changes" not in chosen((), offers)
        with pytest.raises(InvalidInput):
            chosen(("changes",), offers)
    assert "changes" not in chosen((), adapter_class("ezyvet").capabilities)  # only where it is named
