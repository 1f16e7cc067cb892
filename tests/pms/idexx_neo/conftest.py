"""A simulated clinic over HTTP, and adapters that log in to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.consultation import ConsultationRef
from app.domain.window import Window
from app.pms.factory import open_adapter
from app.pms.idexx_neo.adapter import IdexxNeoAdapter
from app.pms.port import Page, Site
from app.pms.tools import Tools
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

KIND = "idexx_neo"
ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
NOON = "2026-03-09T12:00:00+11:00"
NINE = "2026-03-09T09:00:00+11:00"
Opened = Callable[..., IdexxNeoAdapter]


@pytest.fixture(scope="session")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="session")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def neo(_empty: RunningSandbox) -> StagedClinic:
    """Nobody is booked; noon of 9 March 2026."""
    return StagedClinic(_empty, KIND).fresh(NOON)


@pytest.fixture
def busy(_demo: RunningSandbox) -> StagedClinic:
    """The invented clinic at noon."""
    return StagedClinic(_demo, KIND).fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """Opens adapters: `opened(neo, timezone=…, words={…}, login_by="form", …)`. Waits are counted, not waited."""
    made: list[IdexxNeoAdapter] = []

    def build(
        clinic: StagedClinic,
        timezone: str = "Australia/Melbourne",
        words: dict[str, str] | None = None,
        tenant: str | None = None,
        with_tools: Tools = tools,
        **typed: Any,
    ) -> IdexxNeoAdapter:
        handed = replace(with_tools, credentials={**clinic.credentials, **typed})
        site = Site(tenant, timezone, words or {})
        adapter = open_adapter(KIND, VendorSettings(base_url=clinic.url), site, handed)
        assert isinstance(adapter, IdexxNeoAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, neo: StagedClinic) -> IdexxNeoAdapter:
    return opened(neo)


def pages(adapter: IdexxNeoAdapter, first: date = DAY, last: date | None = None) -> list[Page]:
    """A whole sweep."""
    window = Window(first, last or first, ZoneInfo(adapter._site.timezone))
    return [page for part in adapter.partitions(window, ()) for page in adapter.appointments(part)]


def rows(adapter: IdexxNeoAdapter, first: date = DAY, last: date | None = None) -> dict[str, Appointment]:
    """By id, of a sweep in which nothing had to be set aside."""
    swept = pages(adapter, first, last)
    assert [one for page in swept for one in page.rejected] == []
    return {row.external_id: row for page in swept for row in page.appointments}


def refs(found: Sequence[Appointment]) -> list[ConsultationRef]:
    return [
        ConsultationRef(
            one.external_id, one.consultation_id, one.patient.external_id if one.patient else None, one.starts_at
        )
        for one in found
    ]
