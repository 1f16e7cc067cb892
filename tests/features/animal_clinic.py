"""A veterinary clinic on the simulated IDEXX Neo: the engine, the real adapter, its sessions sealed in the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from app import clock
from app.config import VendorSettings
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import connections, credentials
from app.store.db import Store
from app.store.models import PmsConnection
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.clinic import Clinic
from tests.fakes.house import furnish
from tests.fakes.pms import FakePms
from tests.features.surgery import RealTime
from tests.fixtures.databases import KEY
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

DAY = date(2035, 3, 12)
NOON = "2035-03-12T12:00:00+11:00"


class AnimalClinic(Clinic):
    """`here.sync_day()`, `here.rows()`, `here.facts(id)`. The fake vendor of the base class is never asked."""

    neo: StagedClinic

    @property
    def engine(self) -> Engine:
        vendor = VendorSettings(base_url=self.neo.url, requests_per_minute=100_000, requests_per_hour=10**6)
        return Engine(self.store, self.vault, lambda _: vendor, LocalLimiter())

    def sync_day(self, day: date = DAY, **more: Any) -> SyncResult:
        result = self.engine.sync(Wish(self.connection_id, day, day, **more))
        self.adds_up(result)
        return result

    def logins(self) -> int:
        return sum(one["method"] == "POST" for one in self.neo.asked("/login"))

    def types(self, **credentials_typed: str) -> None:
        """Somebody types credentials; what was typed before and is not named stays."""
        with self.store.write() as session:
            connection = session.get_one(PmsConnection, self.connection_id)
            credentials.keep(session, self.vault, connection, credentials.Typed(credentials_typed), clock.now())


def opened(store: Store, neo: StagedClinic, name: str = "Wrenfield Veterinary") -> AnimalClinic:
    """A practice whose connection keeps cases, with its catalogue read and every type ticked."""
    here = AnimalClinic(store, Vault(KEY), RealTime(), FakePms(), *furnish(store, name, pms_type="idexx_neo"))  # type: ignore[arg-type]
    here.neo = neo
    here.types(**neo.credentials)
    with store.write() as session:
        connections.get(session, here.connection_id).keeps_cases = True
    here.sync_day(phases=("catalogue",))
    here.ticks(*(one["id"] for one in neo.state()["types"]))
    return here


@pytest.fixture(scope="module")
def neo_process() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as started:
        yield started


@pytest.fixture
def neo(neo_process: RunningSandbox) -> StagedClinic:
    """An empty book at noon of a Monday to come."""
    return StagedClinic(neo_process, "idexx_neo").fresh(NOON)


@pytest.fixture
def animals(neo: StagedClinic, store: Store, monkeypatch: pytest.MonkeyPatch) -> AnimalClinic:
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    return opened(store, neo)
