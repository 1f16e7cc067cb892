"""A practice of the simulated Gentu, and an adapter that is paired with it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.window import Window
from app.pms.factory import Tools, open_adapter
from app.pms.gentu.adapter import GentuAdapter
from app.pms.port import Page, Rejected, Site
from tests.pms.conftest import Limiter, MemoryStores, Waits
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox, running_sandbox

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
WINDOW = Window(DAY, DAY, ZONE)
NINE = "2026-03-09T09:00:00+11:00"


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty", tenants=2) as running:
        yield running


@pytest.fixture(scope="module")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo", paired=True) as running:
        yield running


@pytest.fixture
def sandbox(_empty: RunningSandbox) -> RunningSandbox:
    _empty.control("reset")
    return _empty


@pytest.fixture
def demo(_demo: RunningSandbox) -> RunningSandbox:
    """The demo clinic at two in the afternoon, and no later."""
    _demo.control("reset")
    _demo.control("clock", at="2026-03-09T14:00:00+11:00")
    return _demo


@dataclass
class Practice:
    """An adapter that is paired with a simulated practice, and the waits it did not wait."""

    sandbox: RunningSandbox
    waits: Waits = field(default_factory=Waits)
    stores: MemoryStores = field(default_factory=MemoryStores)
    limiter: Limiter = field(default_factory=Limiter)
    opened: list[GentuAdapter] = field(default_factory=list)

    def open(self, tenant: str | None, **client: str) -> GentuAdapter:
        extra = {"app_id": APP_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **client}
        tools = Tools(limiter=self.limiter, tokens=self.stores, connection="c", sleep=self.waits)
        vendor = VendorSettings(base_url=self.sandbox.base_url, extra=extra)
        adapter = open_adapter("gentu", vendor, Site(tenant, "Australia/Melbourne"), tools)
        assert isinstance(adapter, GentuAdapter)
        self.opened.append(adapter)
        return adapter

    def paired(self) -> GentuAdapter:
        return self.open(self.open(None).pair(self.sandbox.pairing_code()))


@pytest.fixture
def practice(sandbox: RunningSandbox) -> Iterator[Practice]:
    made = Practice(sandbox)
    yield made
    for adapter in made.opened:
        adapter.close()


@pytest.fixture
def adapter(practice: Practice) -> GentuAdapter:
    return practice.paired()


def pages(adapter: GentuAdapter, window: Window = WINDOW) -> list[Page]:
    """A whole sweep, four partitions at once, as the sync does it."""
    people = [one.external_id for one in adapter.practitioners() if one.works_here]
    with ThreadPoolExecutor(4) as pool:
        chains = pool.map(lambda part: list(adapter.appointments(part)), adapter.partitions(window, people))
        return [one for chain in chains for one in chain]


def rows(adapter: GentuAdapter, window: Window = WINDOW) -> dict[str, Appointment]:
    return {row.external_id: row for one in pages(adapter, window) for row in one.appointments}


def refused(adapter: GentuAdapter) -> list[Rejected]:
    return [bad for one in pages(adapter) for bad in one.rejected]


def counted(sandbox: RunningSandbox, route: str) -> int:
    return sum(entry["route"] == route for entry in sandbox.state()["log"])
