"""Simulated clinics with a server of their own, adapters that read them, and folders that files are left in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.window import Window
from app.pms.factory import open_adapter
from app.pms.onpremise.adapter import OnPremiseAdapter
from app.pms.port import Page, Site
from app.pms.tools import Tools
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

NOON = "2026-03-09T12:00:00+11:00"
ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
KINDS = ("cornerstone", "avimark")
DROP_KEY = "a-drop-key-of-16-letters-and-more"

Opened = Callable[..., OnPremiseAdapter]


@dataclass
class Drops:
    """The folder `harbour` of a clinic below a root, and the simulated exporter that writes there."""

    root: Path
    clinic: StagedClinic

    @property
    def folder(self) -> Path:
        return self.root / "harbour"

    def export(self, *spoil: str, **more: Any) -> str:
        """One export; what its file of appointments is called, without ending."""
        return str(self.clinic.control("export", folder=str(self.folder), spoil=list(spoil), **more)["names"][0])

    @property
    def vendor(self) -> VendorSettings:
        return VendorSettings(base_url=self.clinic.url, extra={"drop_root": str(self.root)})


@pytest.fixture(scope="session")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture(scope="session")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Both systems in turn: they differ in words alone."""
    return str(request.param)


@pytest.fixture
def clinic(_empty: RunningSandbox, kind: str) -> StagedClinic:
    """An empty book, at noon, no limit met."""
    return StagedClinic(_empty, kind).fresh(NOON)


@pytest.fixture
def busy(_demo: RunningSandbox, kind: str) -> StagedClinic:
    """The invented clinic at noon."""
    return StagedClinic(_demo, kind).fresh(NOON)


@pytest.fixture
def opened(tools: Tools) -> Iterator[Opened]:
    """`opened(clinic)` over the bridge, `opened(clinic, drops=…)` over files. Waits are counted, not waited."""
    made: list[OnPremiseAdapter] = []

    def build(
        clinic: StagedClinic,
        drops: Drops | None = None,
        timezone: str = "Australia/Melbourne",
        typed: dict[str, str] | None = None,
        vendor: VendorSettings | None = None,
        words: dict[str, str] | None = None,
        **more: Any,
    ) -> OnPremiseAdapter:
        given = {"source": "harbour", "secret": DROP_KEY} if drops else clinic.credentials
        settings = vendor or (drops.vendor if drops else VendorSettings(base_url=clinic.url))
        handed = replace(tools, credentials=given | (typed or {}), **more)
        adapter = open_adapter(clinic.kind, settings, Site(None, timezone, words or {}), handed)
        assert isinstance(adapter, OnPremiseAdapter)
        made.append(adapter)
        return adapter

    yield build
    for adapter in made:
        adapter.close()


@pytest.fixture
def adapter(opened: Opened, clinic: StagedClinic) -> OnPremiseAdapter:
    """Over the bridge."""
    return opened(clinic)


@pytest.fixture
def drops(tmp_path: Path, clinic: StagedClinic) -> Drops:
    """A root with one clinic's folder and its key."""
    return prepared(tmp_path / "drops", clinic)


def prepared(root: Path, clinic: StagedClinic) -> Drops:
    (root / "harbour").mkdir(parents=True)
    (root / "harbour" / "drop.key").write_text(f"{DROP_KEY}\n")
    return Drops(root, clinic)


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


def pages(adapter: OnPremiseAdapter, window: Window = MONDAY) -> list[Page]:
    return [page for part in adapter.partitions(window, []) for page in adapter.appointments(part)]


def rows(adapter: OnPremiseAdapter, window: Window = MONDAY) -> dict[str, Appointment]:
    return {one.external_id: one for page in pages(adapter, window) for one in page.appointments}
