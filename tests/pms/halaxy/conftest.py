"""Simulated practices on Halaxy, and adapters that have their key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.config import VendorSettings
from app.pms.factory import open_adapter
from app.pms.halaxy.adapter import HalaxyAdapter
from app.pms.port import Site
from app.pms.tools import Tools
from tests.pms.conftest import MemoryStores
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

NOON = "2026-03-09T12:00:00+11:00"
Opened = Callable[..., HalaxyAdapter]


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
    return StagedClinic(_empty, "halaxy").fresh(NOON)


@pytest.fixture
def busy(_demo: RunningSandbox) -> StagedClinic:
    """The invented clinic at noon."""
    return StagedClinic(_demo, "halaxy").fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """Opens adapters: `opened(clinic, client_secret="x", timezone=…, vendor={…}, more tools)`; a token each. Waits are
    counted, not waited.
    """
    made: list[HalaxyAdapter] = []

    def build(
        clinic: StagedClinic | str,
        timezone: str = "Australia/Melbourne",
        tenant: str | None = None,
        vendor: dict[str, Any] | None = None,
        words: dict[str, str] | None = None,
        typed: dict[str, str] | None = None,
        **more: Any,
    ) -> HalaxyAdapter:
        url, known = (clinic, {}) if isinstance(clinic, str) else (clinic.url, clinic.credentials)
        handed = replace(tools, **{"tokens": MemoryStores(), "credentials": {**known, **(typed or {})}, **more})
        site = Site(tenant, timezone, words or {})
        adapter = open_adapter("halaxy", VendorSettings(base_url=url, **(vendor or {})), site, handed)
        assert isinstance(adapter, HalaxyAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, clinic: StagedClinic) -> HalaxyAdapter:
    return opened(clinic)
