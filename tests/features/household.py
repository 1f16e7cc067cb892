"""A practice on the simulated IntakeQ whose patients are discovered: the real adapter over HTTP, no limit met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app import clock
from app.config import VendorSettings
from app.domain.discovery import Person
from app.domain.window import day_of, zone_of
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import connections, credentials, history, patients, practices, reviews, sync_runs
from app.store.db import Store
from app.store.holds import Act
from app.store.models import PatientExternalId, SyncRun
from app.store.models.sync import RunState, Trigger
from app.store.patients import Facts
from app.store.sync_runs import Ask
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from app.sync.tally import Tally
from tests.fakes.house import FakeClock, House, furnish
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.sandbox.intakeq import API_KEY, Account
from tests.sandbox.process import RunningSandbox, running_sandbox

ZONE = zone_of("Australia/Melbourne")
LIST = "GET /appointments"


@dataclass
class Household:
    """`here.books("Mara", "Quill")`, `here.discovers()`, `here.people()`. Days count from the practice's today."""

    store: Store
    account: Account
    house: House

    # --- at the vendor's ------------------------------------------------------------------------------------------

    def client(self, first: str, last: str, **more: Any) -> int:
        """Somebody new at the vendor; or, with an id, that client from now on. Their id."""
        given = {"first": first, "last": last, "phone": "0491 570 156", "born": "1987-04-09"}
        return int(self.account.control("clients", **(given | more))["client"]["ClientId"])

    def visits(self, client_id: int, day: int = 0, **more: Any) -> str:
        at = datetime.combine(self.today + timedelta(days=day), datetime.min.time(), ZONE) + timedelta(hours=9)
        return str(self.account.book(at.isoformat(), client_id=client_id, **more)["Id"])

    def books(self, first: str, last: str, day: int = 0, **more: Any) -> int:
        """A client of that name with an appointment that day."""
        id_ = self.client(first, last, **more)
        self.visits(id_, day)
        return id_

    def asked(self) -> int:
        return len(self.account.asked(LIST))

    # --- here -----------------------------------------------------------------------------------------------------

    @property
    def today(self) -> date:
        return day_of(clock.now(), ZONE)

    @property
    def engine(self) -> Engine:
        vendor = VendorSettings(base_url=self.account.url, requests_per_minute=10_000, requests_per_day=100_000)
        return Engine(self.store, Vault(KEY), lambda _: vendor, LocalLimiter())

    def sync(self, *phases: str, **more: Any) -> SyncResult:
        result = self.engine.sync(Wish(self.house.connection_id, phases=phases, **more))
        self.house.adds_up(result)
        return result

    def discovers(self, **more: Any) -> Tally:
        result = self.sync("discovery", **more)
        assert (result.state, result.reason) == (RunState.SUCCESS, None)
        return result.tallies[-1]

    def details(self, run_id: UUID) -> dict[str, Any]:
        """What the diary keeps of a discovery."""
        with self.store.read() as session:
            return next(one.details for one in history.phases_of(session, run_id) if one.phase == "discovery")

    def writes_down(self, first: str, last: str, **more: Any) -> UUID:
        """A patient by hand."""
        with self.store.write() as session:
            practice = practices.get(session, self.house.practice_id)
            return patients.add(session, practice, Person(first, last, **more), self.act)

    def people(self, **wanted: Any) -> dict[str, Facts]:
        """Patients by name; nobody is there twice."""
        with self.store.read() as session:
            found = patients.listed(session, self.house.practice_id, patients.Wanted(**wanted), limit=1000)
        by_name = {one.name: one for one in found}
        assert len(by_name) == len(found)
        return by_name

    def ids(self) -> dict[str, UUID]:
        """The vendor's id of each client we know, and the patient they are."""
        with self.store.read() as session:
            mine = PatientExternalId.pms_connection_id == self.house.connection_id
            return {one.external_id: one.patient_id for one in session.scalars(select(PatientExternalId).where(mine))}

    def questions(self) -> list[reviews.Question]:
        with self.store.read() as session:
            return reviews.listed(session, self.house.practice_id)

    def scheduled(self, daily: bool = True) -> SyncRun:
        """A night's discovery, asked for as the tick does."""
        first, last = self.today - timedelta(days=90), self.today + timedelta(days=90)
        with self.store.write() as session:
            ask = Ask(
                self.house.practice_id,
                self.house.connection_id,
                ("discovery",),
                first,
                last,
                Trigger.SCHEDULE,
                own_windows={"discovery": (first, last)},
                daily=daily,
            )
            run_id = sync_runs.request(session, ask, clock.now()).run_id
        return self.house.run(run_id)

    def waiting(self) -> SyncRun:
        (run,) = [one for one in self.runs() if one.state == RunState.QUEUED]
        return run

    def runs(self) -> list[SyncRun]:
        return self.house.runs()

    @property
    def act(self) -> Act:
        return Act(self.house.user_id, clock.now())


@pytest.fixture(scope="module")
def intakeq_process() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as started:
        yield started


@pytest.fixture
def household(intakeq_process: RunningSandbox, store: Store) -> Household:
    """Nobody is known here, nobody is booked there."""
    return opened(store, Account(intakeq_process).fresh())


def opened(store: Store, account: Account, name: str = "Smith Medical Centre") -> Household:
    house = House(store, Vault(KEY), FakeClock(), FakePms(), *furnish(store, name, pms_type="intakeq"))
    with store.write() as session:
        connection = connections.get(session, house.connection_id)
        credentials.keep(session, Vault(KEY), connection, credentials.Typed({"api_key": API_KEY}), clock.now())
    return Household(store, account, house)
