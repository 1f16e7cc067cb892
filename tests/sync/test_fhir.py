"""S11: real syncs of a simulated FHIR server, over HTTP, into both databases: log-in, pages, changes, what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.status import Status
from app.errors import InvalidInput
from app.pms.errors import PairingRefused
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import connections, credentials
from app.store.db import Store
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState
from app.sync import preview
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.house import FakeClock, House, furnish
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S11")

#: A Monday to come, so that what a practice chooses acts on it.
DAY = date(2035, 3, 12)
NOON = "2035-03-12T12:00:00+11:00"


ZONE = ZoneInfo("Australia/Melbourne")


def at(time: str, day: date = DAY) -> str:
    return datetime.fromisoformat(f"{day}T{time}:00").replace(tzinfo=ZONE).isoformat()


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def clinic(_empty: RunningSandbox) -> StagedClinic:
    return StagedClinic(_empty, "fhir").fresh(NOON)


class Practice:
    """A practice connected to the server, whose online services are telehealth once they are known."""

    def __init__(self, store: Store, clinic: StagedClinic, house: House) -> None:
        self.store, self.clinic, self.house = store, clinic, house
        self.vendor = VendorSettings(base_url=clinic.url, requests_per_minute=10_000, requests_per_hour=100_000)

    @property
    def engine(self) -> Engine:
        return Engine(self.store, Vault(KEY), lambda _: self.vendor, LocalLimiter())

    def sync(self, first: date = DAY, last: date | None = None, **more: Any) -> SyncResult:
        result = self.engine.sync(Wish(self.house.connection_id, first, last or first, **more))
        self.house.adds_up(result)
        return result

    def learn(self) -> None:
        assert self.sync(phases=("catalogue",)).state is RunState.SUCCESS
        self.house.ticks(*(one["id"] for one in self.clinic.state()["types"] if one["online"]))


@pytest.fixture
def practice(store: Store, clinic: StagedClinic) -> Practice:
    made = Practice(store, clinic, House(store, Vault(KEY), FakeClock(), FakePms(), *furnish(store, pms_type="fhir")))
    with store.write() as session:
        connection = connections.get(session, made.house.connection_id)
        credentials.keep(session, Vault(KEY), connection, credentials.Typed(clinic.credentials), clock.now())
    made.learn()
    return made


def tally(result: SyncResult, phase: str = "inbound") -> Any:
    return next(one for one in result.tallies if one.phase == phase)


def counts(result: SyncResult, phase: str = "inbound") -> tuple[int, int, int]:
    found = tally(result, phase)
    return found.created, found.updated, found.unchanged


def test_a_day_stands_on_the_sheet_and_is_fresh(practice: Practice, clinic: StagedClinic) -> None:
    state = clinic.state()
    staff, people = [one["id"] for one in state["practitioners"]], state["patients"]
    mine = clinic.book(at("09:00"), patient_id=people[0])
    theirs = clinic.book(at("10:00"), practitioner_ids=[staff[1]], patient_id=people[1], also=[people[2]])
    clinic.book(at("11:00"), type_id=state["types"][2]["id"], online=False)
    clinic.book(at("12:00"), block=True)
    clinic.book(at("00:00", DAY + timedelta(days=1)))
    result = practice.sync()
    house = practice.house
    assert (result.state, counts(result), tally(result).fetched) == (RunState.SUCCESS, (2, 0, 0), 4)
    assert house.shown(DAY) == {mine, theirs}
    row = house.row(mine)
    assert (row.patient_name, row.pms_patient_id) == ("Wilhelmina Quandongley", people[0])
    assert (row.starts_at, row.telehealth_url) == (
        datetime(2035, 3, 11, 22, tzinfo=UTC),
        f"https://video.example/join/{mine}",
    )
    assert [one["id"] for one in house.row(theirs).patients or []] == people[1:3]
    house.account_adds_up(DAY)
    again = practice.sync()
    assert counts(again) == (0, 0, 2)
    assert len(clinic.asked("/token")) == 1, "the token is kept, encrypted, from run to run"


def test_what_happens_to_a_booking_reaches_its_row_and_what_is_gone_is_told(
    practice: Practice, clinic: StagedClinic
) -> None:
    moved, off, came, gone, mistaken = (clinic.book(at(f"{hour:02}:00")) for hour in range(9, 14))
    practice.sync()
    clinic.change(moved, at=at("15:30"))
    clinic.cancel(off)
    clinic.change(came, state="arrived")
    clinic.delete(gone)
    clinic.change(mistaken, word="entered-in-error")
    result = practice.sync()
    house = practice.house
    assert counts(result) == (0, 3, 0)
    assert house.row(moved).starts_at == datetime(2035, 3, 12, 4, 30, tzinfo=UTC)
    assert (house.row(off).pms_status, house.row(came).pms_status) == (Status.CANCELLED, Status.ARRIVED)
    assert house.removed() == {gone, mistaken}


def test_changes_alone_are_read_between_the_sweeps(practice: Practice, clinic: StagedClinic) -> None:
    clinic.sandbox.control("clock")  # the server's clock goes with ours
    day = datetime.now(ZONE).date() + timedelta(days=1)
    first = clinic.book(at("09:00", day))
    practice.sync(day)
    clinic.change(first, state="arrived")
    new = clinic.book(at("10:00", day))
    before = len(clinic.asked("/Appointment"))
    result = practice.sync(day, phases=("changes",))
    assert counts(result, "changes") == (1, 1, 0)
    assert practice.house.shown(day) == {first, new}
    assert practice.house.row(first).pms_status == Status.ARRIVED
    (asked,) = clinic.asked("/Appointment")[before:]
    assert asked["query"].startswith("_lastUpdated=ge")
    clinic.control("knobs", last_updated=False)
    clinic.change(new, state="arrived")
    result = practice.sync(day, phases=("changes",))
    assert tally(result, "changes").details["whole"] == "refused"
    assert practice.house.row(new).pms_status == Status.ARRIVED


def test_a_token_that_ends_in_the_middle_and_a_page_that_fails(practice: Practice, clinic: StagedClinic) -> None:
    clinic.control("book", at=at("06:00"), count=250)
    clinic.fault("expire", path="/Appointment", skip=1, next=1)
    assert counts(practice.sync()) == (250, 0, 0)
    clinic.fault("html", path="/Appointment", skip=1)
    result = practice.sync(phases=("inbound",))
    assert (result.state, tally(result).fetched, tally(result).complete) == (RunState.PARTIAL, 100, False)
    assert practice.house.removed() == set()


def test_a_record_that_cannot_be_read_is_set_aside_and_read_once_it_can_be(
    practice: Practice, clinic: StagedClinic
) -> None:
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, start="2035-03-12T10:00:00")
    result = practice.sync()
    assert (counts(result), tally(result).quarantined) == ((1, 0, 0), 1)
    assert practice.house.shown(DAY) == {good}
    clinic.raw(bad, start=at("10:00"))
    assert counts(practice.sync()) == (1, 0, 1)
    assert practice.house.shown(DAY) == {good, bad}


def test_a_client_that_is_no_longer_registered_stops_the_connection(practice: Practice, clinic: StagedClinic) -> None:
    clinic.end_tokens()
    clinic.control("knobs", algorithms=["RS384"])
    result = practice.sync()
    assert (result.state, result.reason) == (RunState.FAILED, "not_configured")
    clinic.control("knobs", algorithms=["RS384", "ES384"], auth="token")
    result = practice.sync()
    assert (result.state, result.reason) == (RunState.FAILED, "auth_failed")
    assert practice.house.connection().state == ConnectionState.NEEDS_ATTENTION


def test_patients_of_a_quarter_are_discovered(practice: Practice, clinic: StagedClinic) -> None:
    today = datetime.now(UTC).date()
    clinic.sandbox.control("clock")
    people = clinic.state()["patients"]
    for number, days in enumerate((-80, 0, 80)):
        clinic.book(at("09:00", today + timedelta(days=days)), patient_id=people[number * 3])
    result = practice.engine.sync(Wish(practice.house.connection_id, phases=("discovery",)))
    assert (result.state, tally(result, "discovery").created) == (RunState.SUCCESS, 3)


def test_pairing_tries_what_is_typed_and_learns_who_the_server_is(store: Store, clinic: StagedClinic) -> None:
    practice = Practice(store, clinic, House(store, Vault(KEY), FakeClock(), FakePms(), *furnish(store)))
    practice_id = practice.house.practice_id
    draft = preview.new_connection(practice.engine, practice_id, "fhir")
    wrong = clinic.credentials | {"client_id": "somebody-else"}
    with pytest.raises(PairingRefused) as raised:
        preview.connect(practice.engine, practice_id, draft.id, wrong)
    assert raised.value.reason == "credentials_refused"
    with pytest.raises(InvalidInput):
        preview.connect(practice.engine, practice_id, draft.id, clinic.credentials | {"token": "as well"})
    paired = preview.connect(practice.engine, practice_id, draft.id, clinic.credentials)
    assert (paired.name, paired.practitioners, paired.types) == ("Harbour Telehealth", 4, 4)
