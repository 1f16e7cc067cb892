"""A vendor's adapter in front of its simulated clinic, alike for all of them. Nothing is waited for."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import Settings, VendorSettings
from app.domain.appointment import Appointment
from app.domain.window import Window
from app.pms.factory import open_adapter
from app.pms.port import Page, PmsAdapter, Rejected, Site
from app.pms.registry import adapter_class
from app.pms.tools import AdapterClass, Tools
from tests.contract.case import Case, Lacking
from tests.pms.conftest import Limiter, MemoryStores, Waits
from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
NOON = "2026-03-09T12:00:00+11:00"


def at(time: str, day: int = 9) -> str:
    """That time of a day of March 2026 in the clinic's zone."""
    return f"2026-03-{day:02}T{time}:00+11:00"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def clinic_of(case: Case, sandbox: RunningSandbox) -> Any:
    return StagedClinic(sandbox, case.kind) if case.rig is None else case.rig(sandbox)


@dataclass
class Meeting:
    """`meeting.rows()` is a whole sweep of Monday by an adapter that was just opened."""

    case: Case
    clinic: Any
    practice: str | None  # what the vendor calls it, once that is known
    waits: Waits = field(default_factory=Waits)
    limiter: Any = field(default_factory=Limiter)
    stores: MemoryStores = field(default_factory=MemoryStores)
    opened: list[PmsAdapter] = field(default_factory=list)

    @property
    def cls(self) -> AdapterClass:
        return adapter_class(self.case.kind)

    @property
    def staff(self) -> list[str]:
        found: list[str] = self.clinic.practitioners()
        return found

    def open(
        self,
        credentials: Mapping[str, str] | None = None,
        zone: str = "Australia/Melbourne",
        words: Mapping[str, str] | None = None,
        vendor: Mapping[str, Any] | None = None,
        **tools: Any,
    ) -> PmsAdapter:
        """An adapter of its own. tools: of app.pms.tools.Tools."""
        typed = self.clinic.credentials if credentials is None else credentials
        handed = Tools(self.limiter, self.stores, "a connection", sleep=self.waits, credentials=typed)
        settings = replace(self.settings(), **(vendor or {}))
        site = Site(self.practice, zone, words or {})
        made = open_adapter(self.case.kind, settings, site, replace(handed, **tools))
        self.opened.append(made)
        return made

    def settings(self) -> VendorSettings:
        """As an operator would set them for this simulator."""
        environ = {
            "RUNSHEET_ENV": "test",
            "SECRET_KEY": "a secret that only tests know, 0123456789",
            "ENCRYPTION_KEY": base64.b64encode(bytes(range(32))).decode(),
            **self.clinic.environment,
        }
        return replace(Settings.from_env(environ).vendor(self.case.kind), **self.case.vendor)

    def pages(self, adapter: PmsAdapter | None = None, window: Window = MONDAY) -> list[Page]:
        """A whole sweep, one chain after the other."""
        adapter = adapter or self.open()
        return [one for part in adapter.partitions(window, self.staff) for one in adapter.appointments(part)]

    def rows(self, adapter: PmsAdapter | None = None, window: Window = MONDAY) -> dict[str, Appointment]:
        """By id; the later record of an id is the newer one."""
        return {row.external_id: row for page in self.pages(adapter, window) for row in page.appointments}

    def the_row(self, visit_id: str, adapter: PmsAdapter | None = None, window: Window = MONDAY) -> Appointment:
        return next(row for row in self.rows(adapter, window).values() if is_of(row.external_id, visit_id))

    def breaks(self, kind: str, **more: Any) -> None:
        """A fault of the appointment list."""
        self.clinic.fault(kind, path=self.needs(self.case.list_path, "It is not asked over HTTP."), **more)

    def has(self, what: Lacking) -> None:
        """Skips the test where the vendor has none of it."""
        if what in self.case.lacks:
            pytest.skip(self.case.lacks[what])

    def looks_up(self) -> None:
        """Skips the test where nobody can be asked for by id."""
        if not self.cls.capabilities.lookup_by_id:
            pytest.skip("This vendor is not asked for one visit by its id.")

    @staticmethod
    def needs(value: Any, otherwise: str) -> Any:
        """The value; without one the test is skipped for that reason."""
        if value is None:
            pytest.skip(otherwise)
        return value

    def close(self) -> None:
        for one in self.opened:
            one.close()


def is_of(external_id: str, visit_id: str) -> bool:
    """Whether a row is that visit's: its own, or one patient's part of it."""
    return external_id == visit_id or external_id.startswith(f"{visit_id}/")


def visits_of(external_ids: Iterable[str], known: Iterable[str]) -> set[str]:
    """The visits these rows are of. An id that is of none of them is told as it stands."""
    known = set(known)
    return {one if one in known else one.rpartition("/")[0] or one for one in external_ids}


def rejected(pages: Iterable[Page]) -> list[Rejected]:
    return [bad for page in pages for bad in page.rejected]
