"""Simulated FHIR servers, and adapters that may log in there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.config import VendorSettings
from app.pms.factory import open_adapter
from app.pms.fhir.adapter import FhirAdapter
from app.pms.port import Site
from app.pms.tools import Tools
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

NOON = "2026-03-09T12:00:00+11:00"
Opened = Callable[..., FhirAdapter]


@pytest.fixture(scope="session")
def _fhir_empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="session")
def _fhir_demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def clinic(_fhir_empty: RunningSandbox) -> StagedClinic:
    """A server with an empty book, at noon of a Monday."""
    return StagedClinic(_fhir_empty, "fhir").fresh(NOON)


@pytest.fixture
def busy(_fhir_demo: RunningSandbox) -> StagedClinic:
    """The invented clinic at noon."""
    return StagedClinic(_fhir_demo, "fhir").fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """Opens adapters: `opened(clinic, credentials={…}, timezone=…, words={…}, limiter=…)`. Waits are only counted."""
    made: list[FhirAdapter] = []

    def build(
        clinic: StagedClinic | str,
        credentials: dict[str, str] | None = None,
        timezone: str = "Australia/Melbourne",
        vendor: dict[str, Any] | None = None,
        words: dict[str, str] | None = None,
        **more: Any,
    ) -> FhirAdapter:
        if credentials is None:
            credentials = {} if isinstance(clinic, str) else clinic.credentials
        handed = replace(tools, credentials=credentials, **more)
        url = clinic if isinstance(clinic, str) else clinic.url
        settings = VendorSettings(**({"base_url": url} | (vendor or {})))
        adapter = open_adapter("fhir", settings, Site(None, timezone, words or {}), handed)
        assert isinstance(adapter, FhirAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, clinic: StagedClinic) -> FhirAdapter:
    return opened(clinic)
