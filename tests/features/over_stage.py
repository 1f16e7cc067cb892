"""A practice on any simulated vendor of the stage: the engine and the real adapter over HTTP, every type telehealth."""

from __future__ import annotations

from datetime import date
from typing import Any

from app import clock
from app.config import VendorSettings
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import connections, credentials
from app.store.db import Store
from app.store.models.sync import RunState
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.house import FakeClock, House, furnish
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.sandbox.stage import StagedClinic

#: A Monday to come, so that what a practice chooses acts on it.
DAY = date(2035, 3, 12)
NOON = "2035-03-12T12:00:00+11:00"


def at(time: str, day: date = DAY) -> str:
    return f"{day}T{time}:00+11:00"


class Practice:
    """`practice.sync()`, `practice.house.sheet(DAY)`; `clinic` is the vendor's end."""

    def __init__(self, store: Store, clinic: StagedClinic, **connection: Any) -> None:
        self.store, self.clinic = store, clinic
        self.house = House(store, Vault(KEY), FakeClock(), FakePms(), *furnish(store, pms_type=clinic.kind))
        with store.write() as session:
            row = connections.get(session, self.house.connection_id)
            for name, value in connection.items():
                setattr(row, name, value)
            credentials.keep(session, Vault(KEY), row, credentials.Typed(clinic.credentials), clock.now())

    @property
    def engine(self) -> Engine:
        vendor = VendorSettings(self.clinic.url, requests_per_minute=100_000, requests_per_hour=10**6)
        return Engine(self.store, Vault(KEY), lambda _: vendor, LocalLimiter())

    def sync(self, first: date = DAY, last: date | None = None, **more: Any) -> SyncResult:
        result = self.engine.sync(Wish(self.house.connection_id, first, last or first, **more))
        self.house.adds_up(result)
        return result

    def learns(self) -> Practice:
        """The catalogue, and a tick for each type."""
        assert self.sync(phases=("catalogue",)).state is RunState.SUCCESS
        self.house.ticks(*(one["id"] for one in self.clinic.state()["types"]))
        return self


def counts(result: SyncResult, phase: str = "inbound") -> tuple[int, int, int]:
    """Created, updated, unchanged."""
    tally = next(one for one in result.tallies if one.phase == phase)
    return tally.created, tally.updated, tally.unchanged
