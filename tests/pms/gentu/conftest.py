"""The Gentu adapter against the scripted server, which plays a practice with one appointment book."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.window import Window
from app.pms.factory import open_adapter
from app.pms.gentu.adapter import GentuAdapter
from app.pms.port import Site
from app.pms.tools import Tools
from tests.pms.gentu.samples import TENANT, page, sample
from tests.pms.scripted import Asked, Scripted, answer

T = f"/v1/tenants/{TENANT}"
BOOK = f"{T}/appointments"
TOKEN = "/v1/oauth2/token"
CLIENT = {"app_id": "app-1", "client_id": "client", "client_secret": "secret/:ü"}
MONDAY = Window(date(2026, 3, 9), date(2026, 3, 9), ZoneInfo("Australia/Melbourne"))


@pytest.fixture
def gentu(server: Scripted) -> Scripted:
    """A practice as the vendor's pages show it: the samples, and a log-in that always works."""

    def token(_: Asked) -> Any:
        return answer(200, {**sample("token"), "access_token": f"token-{len(server.to(TOKEN))}"})

    server.stand(TOKEN, token)
    server.stand(T, answer(200, sample("tenant")))
    server.stand(f"{T}/practitioners", answer(200, sample("practitioners")))
    server.stand(f"{T}/appointment-types", answer(200, sample("appointment_types")))
    server.stand(f"{T}/status", answer(200, "Hello world!", kind="text/plain"))
    server.stand(BOOK, answer(200, page(*sample("appointments")["appointments"])))
    return server


@pytest.fixture
def opened(gentu: Scripted, tools: Tools) -> Iterator[Callable[..., GentuAdapter]]:
    """Opens adapters; `tenant`, `words` and Tools' own members can be given."""
    made: list[GentuAdapter] = []

    def build(tenant: str | None = TENANT, words: dict[str, str] | None = None, **more: Any) -> GentuAdapter:
        vendor = VendorSettings(base_url=f"{gentu.url}/v1", extra=CLIENT)
        adapter = open_adapter(
            "gentu", vendor, Site(tenant, "Australia/Melbourne", words or {}), replace(tools, **more)
        )
        assert isinstance(adapter, GentuAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Callable[..., GentuAdapter]) -> GentuAdapter:
    return opened()
