"""Simulated practices on MediRecords, and adapters that have their token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.window import Window
from app.pms.factory import open_adapter
from app.pms.medirecords.adapter import MedirecordsAdapter
from app.pms.port import Page, Site
from app.pms.tools import Tools
from tests.pms.conftest import MemoryStores
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

NOON = "2026-03-09T12:00:00+11:00"
ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
Opened = Callable[..., MedirecordsAdapter]
#: What is typed where MediRecords gave a client instead of a token.
CLIENT = {
    "access_token": "",
    "client_id": "medirecords-demo-client",
    "client_secret": "medirecords-demo-secret-0000000000",
}


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


def pages(adapter: MedirecordsAdapter, window: Window = MONDAY) -> list[Page]:
    return [page for part in adapter.partitions(window, ()) for page in adapter.appointments(part)]


def rows(adapter: MedirecordsAdapter, window: Window = MONDAY) -> dict[str, Appointment]:
    return {one.external_id: one for page in pages(adapter, window) for one in page.appointments}


def only(adapter: MedirecordsAdapter, window: Window = MONDAY) -> Appointment:
    (found,) = rows(adapter, window).values()
    return found


@pytest.fixture(scope="session")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="session")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def clinic(_empty: RunningSandbox) -> StagedClinic:
    """An empty book, at noon, and limits nobody meets."""
    return StagedClinic(_empty, "medirecords").fresh(NOON)


@pytest.fixture
def busy(_demo: RunningSandbox) -> StagedClinic:
    """The invented clinic at noon."""
    return StagedClinic(_demo, "medirecords").fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """Opens adapters: `opened(clinic, typed={…}, timezone=…, vendor={…}, more tools)`; nobody waits for real."""
    made: list[MedirecordsAdapter] = []

    def build(
        clinic: StagedClinic | str,
        timezone: str = "Australia/Melbourne",
        vendor: dict[str, Any] | None = None,
        words: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
        **more: Any,
    ) -> MedirecordsAdapter:
        url, known = (clinic, {}) if isinstance(clinic, str) else (clinic.url, clinic.credentials)
        handed = replace(tools, **{"tokens": MemoryStores(), "credentials": {**known, **(typed or {})}, **more})
        settings = VendorSettings(base_url=url, **(vendor or {}))
        adapter = open_adapter("medirecords", settings, Site(None, timezone, words or {}), handed)
        assert isinstance(adapter, MedirecordsAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, clinic: StagedClinic) -> MedirecordsAdapter:
    return opened(clinic)
