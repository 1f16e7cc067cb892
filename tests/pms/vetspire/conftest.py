"""One empty and one demo hospital for each module, at noon of 9 March 2026, and adapters that hold its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.window import Window
from app.pms.factory import open_adapter
from app.pms.port import Page, Site
from app.pms.tools import Tools
from app.pms.vetspire.adapter import VetspireAdapter
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

NOON = "2026-03-09T12:00:00+11:00"
ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
Opened = Callable[..., VetspireAdapter]


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="module")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def clinic(_empty: RunningSandbox) -> StagedClinic:
    return StagedClinic(_empty, "vetspire").fresh(NOON)


@pytest.fixture
def busy(_demo: RunningSandbox) -> StagedClinic:
    return StagedClinic(_demo, "vetspire").fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """Opens adapters: `opened(clinic, {"api_key": …}, vendor={…}, words={…})`. Waits are counted, not waited."""
    made: list[VetspireAdapter] = []

    def build(
        clinic: StagedClinic,
        typed: Mapping[str, str] | None = None,
        vendor: Mapping[str, Any] | None = None,
        words: Mapping[str, str] | None = None,
        **more: Any,
    ) -> VetspireAdapter:
        handed = replace(tools, credentials={**clinic.credentials, **(typed or {})}, **more)
        settings = VendorSettings(**{"base_url": clinic.url, **(vendor or {})})
        adapter = open_adapter("vetspire", settings, Site(None, "Australia/Melbourne", words or {}), handed)
        assert isinstance(adapter, VetspireAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, clinic: StagedClinic) -> VetspireAdapter:
    return opened(clinic)


def pages(adapter: VetspireAdapter, window: Window = MONDAY) -> list[Page]:
    return [page for part in adapter.partitions(window, []) for page in adapter.appointments(part)]


def rows(adapter: VetspireAdapter, window: Window = MONDAY) -> dict[str, Appointment]:
    return {one.external_id: one for page in pages(adapter, window) for one in page.appointments}


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"
