"""S09: real syncs of a simulated IntakeQ account, over HTTP, into both databases: one chain of pages for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.rules import Cause
from app.domain.status import Status
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import catalogue, connections, credentials
from app.store.db import Store
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState, Trigger
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.house import FakeClock, House, furnish
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.sandbox.intakeq import API_KEY, Account
from tests.sandbox.process import RunningSandbox, running_sandbox

pytestmark = pytest.mark.feature("S09")

#: A Monday to come, so that what a practice chooses acts on it.
DAY = date(2035, 3, 12)
NOON = "2035-03-12T12:00:00+11:00"
ONE = "GET /appointments/{appointment_id}"


def at(time: str, day: date = DAY) -> str:
    return f"{day}T{time}:00+11:00"


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def account(_empty: RunningSandbox) -> Account:
    return Account(_empty).fresh(NOON)


class Practice:
    """A practice connected to the account, whose services are all telehealth once they are known."""

    def __init__(self, store: Store, account: Account, house: House) -> None:
        self.store, self.account, self.house = store, account, house
        self.vendor = VendorSettings(base_url=account.url, requests_per_minute=10_000)
        self.limiter = LocalLimiter()

    @property
    def engine(self) -> Engine:
        return Engine(self.store, Vault(KEY), lambda _: self.vendor, self.limiter)

    def sync(self, first: date = DAY, last: date | None = None, **more: Any) -> SyncResult:
        result = self.engine.sync(Wish(self.house.connection_id, first, last or first, **more))
        self.house.adds_up(result)
        return result

    def scheduled(self) -> SyncResult:
        """As a worker does it, with nobody waiting."""
        self.house.request(DAY, trigger=Trigger.SCHEDULE)
        queued = next(run for run in self.house.runs() if run.state == RunState.QUEUED)
        claim = self.engine.claim(queued.id)
        assert claim is not None
        return self.engine.execute(claim)

    def learn(self) -> None:
        """The catalogue, and a tick for each service."""
        assert self.sync(phases=("catalogue",)).state is RunState.SUCCESS
        self.house.ticks(*self.account.state()["services"])


@pytest.fixture
def practice(store: Store, account: Account) -> Practice:
    made = Practice(
        store, account, House(store, Vault(KEY), FakeClock(), FakePms(), *furnish(store, pms_type="intakeq"))
    )
    with store.write() as session:
        connection = connections.get(session, made.house.connection_id)
        credentials.keep(session, Vault(KEY), connection, credentials.Typed({"api_key": API_KEY}), clock.now())
    made.learn()
    return made


def tally(result: SyncResult) -> Any:
    return next(one for one in result.tallies if one.phase == "inbound")


def counts(result: SyncResult) -> tuple[int, int, int]:
    return tally(result).created, tally(result).updated, tally(result).unchanged


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_the_catalogue_has_the_staff_and_the_services(practice: Practice) -> None:
    with practice.store.read() as session:
        people = catalogue.mappings_of(session, practice.house.connection_id)
        kinds = catalogue.types_of(session, practice.house.connection_id)
    assert {row.pms_practitioner_name: row.active for row in people} == {
        "Dr Wren Okafor": True,
        "Dr Isolde Marchetti": True,
        "Dr Rafi Nightingale": True,
        "Dr Una Gone": False,
    }
    assert len(kinds) == 4


def test_a_day_of_everybody_stands_on_the_sheet_and_is_fresh(practice: Practice, account: Account) -> None:
    people = account.state()["practitioners"]
    mine = account.book(at("09:00"), client_id=4101)
    theirs = account.book(at("09:00"), client_id=4104, practitioner_id=people[1]["Id"], also=[4105])
    left = account.book(at("10:00"), client_id=4107, practitioner_id=people[3]["Id"])
    account.book(at("23:59", DAY - timedelta(days=1)))
    account.book(at("00:00", DAY + timedelta(days=1)))
    result = practice.sync()
    house = practice.house
    assert (result.state, counts(result), tally(result).fetched) == (RunState.SUCCESS, (3, 0, 0), 3)
    assert house.shown(DAY) == {mine["Id"], theirs["Id"], left["Id"]}
    row = house.row(mine["Id"])
    assert (row.patient_name, row.pms_patient_id) == (mine["ClientName"], "4101")
    assert row.telehealth_url == f"https://video.example.com/j/th-{mine['Id'][:10]}"
    assert [one["id"] for one in house.row(theirs["Id"]).patients or []] == ["4104", "4105"]
    assert list(house.sweeps(DAY)) == [""]
    house.account_adds_up(DAY)


def test_a_second_sync_over_an_unchanged_day_writes_nothing(practice: Practice, account: Account) -> None:
    account.control("book", at=at("08:00"), count=120)
    assert counts(practice.sync()) == (120, 0, 0)
    before = practice.house.version(DAY)
    result = practice.sync()
    assert (counts(result), practice.house.version(DAY)) == ((0, 0, 120), before)
    assert tally(result).skipped.total() == 0


def test_what_happens_to_a_booking_reaches_its_row(practice: Practice, account: Account) -> None:
    moved, off, begun, confirmed = (account.book(at(time))["Id"] for time in ("09:00", "10:00", "11:00", "12:00"))
    practice.sync()
    account.control("change", id=moved, at=at("15:30"))
    account.control("cancel", id=off)
    account.control("change", id=begun, session_start=at("11:02"))
    account.control("change", id=confirmed, answer="Confirmed")
    result = practice.sync()
    assert counts(result) == (0, 4, 0)
    house = practice.house
    assert house.row(moved).starts_at == datetime(2035, 3, 12, 4, 30, tzinfo=UTC)
    assert {id_: house.row(id_).pms_status for id_ in (off, begun, confirmed)} == {
        off: Status.CANCELLED,
        begun: Status.IN_PROGRESS,
        confirmed: Status.CONFIRMED,
    }


def test_a_row_that_left_the_day_goes_with_it_and_a_deleted_one_is_told_as_such(
    practice: Practice, account: Account
) -> None:
    stays, gone, elsewhere = (account.book(at(time))["Id"] for time in ("09:00", "10:00", "11:00"))
    practice.sync()
    later = DAY + timedelta(days=30)
    account.control("change", id=elsewhere, at=at("11:00", later))
    account.control("delete", id=gone)
    result = practice.sync()
    house = practice.house
    assert house.day_of(elsewhere) == later
    assert house.removed() == {gone}
    assert house.shown(DAY) == {stays, gone}, "struck through, in its place"
    assert result.tallies[-1].details["retired"] == [gone]
    assert len(account.asked(ONE)) == 1, "the bin answered for the deleted one"
    house.account_adds_up(DAY)


def test_a_clinician_who_is_switched_off_hides_theirs_alone_and_comes_back(
    practice: Practice, account: Account
) -> None:
    people = account.state()["practitioners"]
    mine, theirs = account.book(at("09:00"))["Id"], account.book(at("09:00"), practitioner_id=people[1]["Id"])["Id"]
    house = practice.house
    practice.sync()
    house.wants(people[1]["Id"], False)
    result = practice.sync()
    assert house.shown(DAY) == {mine}
    assert tally(result).skipped == {Cause.CLINICIAN_OFF: 1}
    house.account_adds_up(DAY)
    house.wants(people[1]["Id"], True)
    practice.sync()
    assert house.shown(DAY) == {mine, theirs}
    assert house.removed() == set()
    house.account_adds_up(DAY)


def test_weeks_are_swept_one_by_one_and_each_day_of_them_is_fresh(practice: Practice, account: Account) -> None:
    days = [DAY + timedelta(days=number) for number in range(10)]
    booked = {day: account.book(at("00:05", day))["Id"] for day in days}
    assert practice.sync(days[0], days[-1]).state is RunState.SUCCESS
    for day in days:
        assert practice.house.shown(day) == {booked[day]}
        assert list(practice.house.sweeps(day)) == [""]
        practice.house.account_adds_up(day)


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["html", "empty", "object", "garbage"])
def test_an_answer_that_is_none_removes_nobody_and_makes_nothing_fresh(
    practice: Practice, account: Account, kind: str
) -> None:
    account.control("book", at=at("08:00"), count=3)
    practice.sync()
    fresh = practice.house.sweeps(DAY)[""].completed_at
    account.control("faults", kind=kind, path="/appointments")
    result = practice.sync(phases=("inbound",))
    assert result.state is RunState.FAILED
    assert len(practice.house.shown(DAY)) == 3
    assert practice.house.removed() == set()
    assert practice.house.sweeps(DAY)[""].completed_at == fresh


def test_a_sweep_that_breaks_off_keeps_its_pages_and_concludes_nothing(practice: Practice, account: Account) -> None:
    ids = account.control("book", at=at("06:00"), count=150)["ids"]
    practice.sync()
    account.control("delete", id=ids[0])
    account.control("change", id=ids[-1], client_note="newest")
    account.control("faults", kind="status", status=500, path="/appointments", skip=1)
    result = practice.sync(phases=("inbound",))
    assert (result.state, tally(result).fetched, tally(result).complete) == (RunState.PARTIAL, 100, False)
    assert practice.house.row(ids[-1]).pms_comment == "newest"
    assert practice.house.removed() == set()


def test_a_refused_key_stops_the_connection_and_asks_once(practice: Practice, account: Account) -> None:
    account.control("knobs", api_key="another-key-from-now-on")
    before = len(account.asked())
    result = practice.sync()
    assert (result.state, result.reason) == (RunState.FAILED, "auth_failed")
    assert practice.house.connection().state == ConnectionState.NEEDS_ATTENTION
    assert len(account.asked()) == before + 1


def test_a_days_calls_used_up_defer_the_schedule_and_leave_a_fifth_to_people(
    practice: Practice, account: Account
) -> None:
    account.book(at("09:00"))
    practice.vendor = replace(practice.vendor, requests_per_day=15)  # twelve for the schedule, three calls a run
    practice.limiter = LocalLimiter()
    for _ in range(4):
        assert practice.scheduled().state is RunState.SUCCESS
    fresh = practice.house.sweeps(DAY)[""].completed_at
    before = len(account.asked())
    deferred = practice.scheduled()
    assert (deferred.state, deferred.reason) == (RunState.DEFERRED, "day_used_up")
    assert len(account.asked()) == before
    assert practice.house.sweeps(DAY)[""].completed_at == fresh
    assert practice.sync().state is RunState.SUCCESS, "somebody is waiting"
    assert practice.house.sweeps(DAY)[""].completed_at > fresh
    assert practice.sync().state is RunState.DEFERRED
