"""A real sync against the simulated hospital, over HTTP, into both databases: one chain of pages for everybody.

The credentials are handed to the adapter directly; whoever wires their store takes this seam away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from app.config import VendorSettings
from app.domain.freshness import Freshness
from app.domain.runsheet import date_groups
from app.domain.status import Status
from app.pms.factory import Tools, open_adapter
from app.pms.limits import LocalLimiter
from app.pms.port import Site
from app.security.vault import Vault
from app.store import runsheet
from app.store.db import Store
from app.store.models import Appointment
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState
from app.store.sync_runs import Claim
from app.store.tokens import SqlTokenStores
from app.sync.run import Opened, Runner
from tests.fakes.house import FakeClock, House, furnish, skipped
from tests.fakes.pms import TODAY, FakePms
from tests.fixtures.databases import KEY
from tests.pms.ezyvet.hospital import CREDENTIALS, NINE, Hospital
from tests.sandbox.process import RunningSandbox, running_sandbox

pytestmark = pytest.mark.feature("S05")
TOMORROW = TODAY + timedelta(days=1)
#: Every type an animal comes for; blocks are the hospital's own.
VISITS = ("11", "12", "13", "14", "15")


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="module")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@dataclass
class Ward(House):
    """The furnished practice, its adapter the real one."""

    hospital: Hospital = field(kw_only=True)
    credentials: dict[str, str] = field(default_factory=lambda: dict(CREDENTIALS))

    def runner(self, **options: Any) -> Runner:
        def opened(claim: Claim, cancelled: Callable[[], bool]) -> Opened:
            tools = Tools(
                limiter=LocalLimiter(),
                tokens=SqlTokenStores(self.store, self.vault, claim.connection_id),
                connection=str(claim.connection_id),
                cancelled=cancelled,
                credentials=self.credentials,
            )
            vendor = VendorSettings(base_url=self.hospital.url)
            return Opened(open_adapter("ezyvet", vendor, Site(None, "Australia/Melbourne"), tools), self.fetchers)

        return Runner(self.store, self.vault, opened, **options)

    def truth(self, day: date = TODAY) -> dict[str, dict[str, Any]]:
        """Appointments with an animal, as the hospital has them."""
        return {str(one["id"]): one for one in self.hospital.truth(day) if one["animal_id"]}


def opened(hospital: Hospital, store: Store, clock_at: FakeClock, name: str = "Wattle Creek") -> Ward:
    hospital.fresh()  # noon, as the house's clock
    furnished = furnish(store, name, pms_type="ezyvet")
    made = Ward(store, Vault(KEY), clock_at, FakePms(), *furnished, hospital=hospital)
    assert made.sync(phases=("catalogue",)).state is RunState.SUCCESS
    made.ticks(*VISITS)
    return made


@pytest.fixture
def ward(_empty: RunningSandbox, store: Store, clock_at: FakeClock) -> Ward:
    """An empty book, every kind of visit ticked."""
    return opened(Hospital(_empty), store, clock_at)


@pytest.fixture
def busy(_demo: RunningSandbox, store: Store, clock_at: FakeClock) -> Ward:
    """A day that goes on around the clock."""
    return opened(Hospital(_demo), store, clock_at)


def freshness(ward: Ward) -> set[Freshness]:
    with ward.store.read() as session:
        swept = runsheet.read_day(session, ward.practice_id, TODAY).swept
    groups = ward.sheet().groups
    date_groups(groups, swept, {ward.connection_id: 900.0}, ward.clock.now())
    return {group.age.word for group in groups}


def test_the_sheet_is_the_hospitals_day(busy: Ward) -> None:
    result = busy.sync(TODAY, TOMORROW)
    assert result.state is RunState.SUCCESS
    truth = busy.truth()
    assert len(truth) > 30
    assert busy.shown() == set(truth)
    assert busy.shown(TOMORROW) == set(busy.truth(TOMORROW))
    names = {row.pms_appointment_id: row.patient_name for row in busy.rows().values()}
    assert all(names[id_] and names[id_] != "Unknown patient" for id_ in truth)
    assert len({group.column.name for group in busy.sheet().groups}) >= 3
    assert skipped(result)["block"] == len([one for one in busy.hospital.truth() if not one["animal_id"]]) + len(
        [one for one in busy.hospital.truth(TOMORROW) if not one["animal_id"]]
    )
    busy.account_adds_up()
    busy.account_adds_up(TOMORROW)


@pytest.mark.promise("P1")
def test_the_same_day_again_writes_nothing(busy: Ward) -> None:
    busy.sync()
    before, version, events = busy.picture(), busy.version(), busy.count(Appointment)
    again = busy.sync()
    assert again.tallies[-1].unchanged == len(busy.truth())
    assert (again.tallies[-1].created, again.tallies[-1].updated) == (0, 0)
    assert (busy.picture(), busy.version(), busy.count(Appointment)) == (before, version, events)


def test_one_chain_makes_every_group_fresh(busy: Ward) -> None:
    busy.sync()
    assert list(busy.sweeps()) == [""]
    assert freshness(busy) == {Freshness.LIVE}


def test_booked_moved_cancelled_and_taken_away(ward: Ward) -> None:
    ids = [ward.hospital.books(animal_id=801 + n) for n in range(5)]
    assert ward.sync().tallies[-1].created == 5
    stays, later, tomorrow, cancelled, gone = ids
    tell = ward.hospital.tell
    tell("move", id=int(later), at="2026-03-09T16:00:00+11:00")
    tell("move", id=int(tomorrow), at="2026-03-10T10:00:00+11:00")
    tell("cancel", id=int(cancelled))
    tell("remove", id=int(gone))
    new = ward.hospital.books(animal_id=806)

    result = ward.reconciles()
    assert result.state is RunState.SUCCESS
    assert ward.row(later).starts_at.hour == 5  # UTC
    assert ward.day_of(tomorrow) == TOMORROW
    assert ward.row(cancelled).pms_status == Status.CANCELLED
    assert ward.removed() == {gone}
    assert ward.shown() == {stays, later, cancelled, gone, new}, "struck through, in its place"
    assert ward.shown(TOMORROW) == {tomorrow}
    ward.account_adds_up()


@pytest.mark.feature("E08")
def test_reconciliation_by_itself_reads_ids_and_nothing_they_refer_to(busy: Ward) -> None:
    busy.sync()
    gone, moved = sorted(busy.shown())[:2]
    busy.hospital.tell("remove", id=int(gone))
    busy.hospital.tell("move", id=int(moved), at="2026-03-10T10:00:00+11:00")
    before = len(busy.hospital.asked())
    result = busy.sync(phases=("reconciliation",))
    assert (result.state, result.tallies[-1].removed) == (RunState.SUCCESS, 1)
    assert result.tallies[-1].details["read"] == len(busy.hospital.truth())
    assert busy.removed() == {gone}
    assert busy.day_of(moved) == TOMORROW
    asked = [one["route"] for one in busy.hospital.asked()[before:]]
    first_question = next(place for place, route in enumerate(asked) if route.startswith("/v2/appointment/"))
    assert set(asked[:first_question]) == {"/v2/appointment"}


@pytest.mark.promise("P7")
@pytest.mark.fault("F17")
def test_an_empty_answer_takes_nobody_away(ward: Ward) -> None:
    ids = {ward.hospital.books(animal_id=801 + n) for n in range(3)}
    ward.sync()
    ward.hospital.breaks("empty_list", "/v2/appointment", next=1)
    ward.reconciles()
    assert ward.shown() == ids
    assert ward.removed() == set()


@pytest.mark.parametrize("kind", ["error", "garbage", "html", "short_list"])
@pytest.mark.parametrize("path", ["/v2/appointment", "/v1/appointmentstatus", "/v1/animal"])
def test_a_broken_fetch_takes_nobody_away_and_makes_nothing_fresh(busy: Ward, kind: str, path: str) -> None:
    busy.sync()
    before, swept = busy.picture(), busy.sweeps()[""].completed_at
    busy.hospital.breaks(kind, path)
    result = busy.sync(phases=("inbound",))
    assert result.state in (RunState.FAILED, RunState.PARTIAL)
    assert busy.picture() == before
    assert busy.sweeps()[""].completed_at == swept


def test_a_vet_who_is_switched_off_leaves_the_others_alone(busy: Ward) -> None:
    busy.sync()
    mine = {id_ for id_, row in busy.rows().items() if row.pms_practitioner_id == "21"}
    assert mine
    busy.wants("21", False)
    result = busy.sync()
    assert result.state is RunState.SUCCESS
    assert busy.shown() == set(busy.truth()) - mine
    assert skipped(result)["clinician_off"] == len(mine)
    busy.account_adds_up()
    busy.wants("21", True)
    busy.sync()
    assert busy.shown() == set(busy.truth())
    busy.account_adds_up()


def test_only_what_the_practice_ticked_is_on_the_sheet(busy: Ward) -> None:
    busy.ticks("14")
    busy.sync()
    assert busy.shown() == {id_ for id_, one in busy.truth().items() if one["type_id"] == 14}
    busy.account_adds_up()


def test_a_colleague_takes_over_who_the_row_stands_with(ward: Ward) -> None:
    both = ward.hospital.books(fields={"resources": [{"id": 21}, {"id": 22}]})
    ward.sync()
    assert ward.row(both).pms_practitioner_id == "21"
    ward.wants("21", False)
    ward.sync()
    assert (ward.row(both).pms_practitioner_id, ward.shown()) == ("22", {both})


def test_two_divisions_are_two_practices(_demo: RunningSandbox, store: Store, clock_at: FakeClock) -> None:
    hospital = Hospital(_demo)
    here = opened(hospital, store, clock_at)
    north = opened(hospital, store, clock_at, "Wattle Creek North")
    here.credentials["division_id"], north.credentials["division_id"] = "1", "2"
    for one in (here, north):
        assert one.sync().state is RunState.SUCCESS
        one.account_adds_up()
    assert here.shown() | north.shown() == set(here.truth())
    assert not here.shown() & north.shown()
    assert {row.pms_practitioner_id for row in north.rows().values()} == {"31"}


def test_the_stored_token_is_sealed_and_used_again(ward: Ward) -> None:
    ward.sync()
    ward.sync()
    assert len(ward.hospital.asked("/v1/oauth/access_token")) == 1
    stored = ward.connection().access_token
    token = SqlTokenStores(ward.store, ward.vault, ward.connection_id).connection().load().access
    assert stored is not None
    assert token is not None
    assert [part in stored for part in token.split(".")] == [False] * 3


def test_refused_credentials_ask_for_a_person(ward: Ward) -> None:
    ward.hospital.tell("tokens/expire")
    ward.credentials["client_secret"] = "another"
    result = ward.sync()
    assert (result.state, result.reason) == (RunState.FAILED, "auth_failed")
    assert ward.connection().state == ConnectionState.NEEDS_ATTENTION


def test_missing_credentials_are_told_as_that(ward: Ward) -> None:
    ward.credentials.clear()
    result = ward.sync()
    assert (result.state, result.reason) == (RunState.FAILED, "not_configured")


def test_a_booking_of_a_type_nobody_ticked_is_counted(ward: Ward) -> None:
    ward.hospital.books(at=NINE, type_id=2)
    result = ward.sync()
    assert skipped(result) == {"not_telehealth": 1}
    assert ward.shown() == set()
