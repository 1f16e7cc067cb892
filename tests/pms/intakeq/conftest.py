"""Simulated accounts, and adapters that have their key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.config import VendorSettings
from app.pms.factory import open_adapter
from app.pms.intakeq.adapter import IntakeqAdapter
from app.pms.port import Site
from app.pms.tools import Tools
from tests.sandbox.intakeq import API_KEY, Account
from tests.sandbox.process import RunningSandbox, running_sandbox

NOON = "2026-03-09T12:00:00+11:00"
Opened = Callable[..., IntakeqAdapter]


@pytest.fixture(scope="session")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="session")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def account(_empty: RunningSandbox) -> Account:
    """An account with an empty book, at noon, whose limits nobody meets."""
    return Account(_empty).fresh(NOON)


@pytest.fixture
def busy(_demo: RunningSandbox) -> Account:
    """The invented clinic at noon."""
    return Account(_demo).fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """Opens adapters: `opened(account, key=…, timezone=…, vendor={…}, limiter=…)`. Waits are counted, not waited."""
    made: list[IntakeqAdapter] = []

    def build(
        account: Account | str,
        key: str | None = API_KEY,
        timezone: str = "Australia/Melbourne",
        tenant: str | None = None,
        vendor: dict[str, Any] | None = None,
        **more: Any,
    ) -> IntakeqAdapter:
        url = account if isinstance(account, str) else account.url
        handed = replace(tools, credentials={"api_key": key} if key is not None else {}, **more)
        settings = VendorSettings(base_url=url, **(vendor or {}))
        adapter = open_adapter("intakeq", settings, Site(tenant, timezone), handed)
        assert isinstance(adapter, IntakeqAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, account: Account) -> IntakeqAdapter:
    return opened(account)
