"""A simulated hospital over HTTP, and adapters that were handed its credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.consultation import ConsultationRef, Consulted
from app.domain.window import Window
from app.pms.ezyvet.adapter import EzyvetAdapter
from app.pms.factory import Tools, open_adapter
from app.pms.port import Page, Site
from tests.pms.conftest import Limiter, MemoryStores, Waits
from tests.sandbox.process import RunningSandbox

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
WINDOW = Window(DAY, DAY, ZONE)
NINE = "2026-03-09T09:00:00+11:00"
NOON = "2026-03-09T12:00:00+11:00"
CREDENTIALS = {
    "partner_id": "runsheet-partner",
    "client_id": "runsheet-ezyvet-client",
    "client_secret": "runsheet-ezyvet-secret",
}


@dataclass
class Hospital:
    """The simulator as a test speaks of it."""

    sandbox: RunningSandbox
    waits: Waits = field(default_factory=Waits)
    limiter: Any = field(default_factory=Limiter)
    stores: MemoryStores = field(default_factory=MemoryStores)
    opened: list[EzyvetAdapter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.sandbox.ezyvet_url

    def tell(self, order: str, /, **body: Any) -> dict[str, Any]:
        return self.sandbox.control(f"ezyvet/{order}", **body)

    def fresh(self, at: str = NOON) -> Hospital:
        self.tell("reset")
        self.tell("clock", at=at)
        return self

    def books(self, at: str = NINE, **more: Any) -> str:
        """An appointment; its id as the house says it."""
        return str(self.tell("book", at=at, **more)["id"])

    def writes(self, resource: str, id: str | int | None = None, **fields: Any) -> str:  # noqa: A002 - the vendor's
        named = {} if id is None else {"id": int(id)}
        return str(self.tell("write", resource=resource, fields=fields, **named)["id"])

    def breaks(self, kind: str, path: str = "", /, **more: Any) -> None:
        self.tell("faults", kind=kind, path=path, **more)

    def truth(self, day: date = DAY) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.sandbox.read("ezyvet/book", day=day.isoformat())["appointments"]
        return rows

    def asked(self, route: str | None = None) -> list[dict[str, Any]]:
        log: list[dict[str, Any]] = self.sandbox.read("ezyvet/state")["log"]
        return [one for one in log if route in (None, one["route"])]

    def open(self, words: dict[str, str] | None = None, *, manual: bool = False, **typed: str) -> EzyvetAdapter:
        tools = Tools(
            limiter=self.limiter,
            tokens=self.stores,
            connection="c",
            manual=manual,
            sleep=self.waits,
            credentials={**CREDENTIALS, **typed},
        )
        site = Site(None, "Australia/Melbourne", words or {})
        adapter = open_adapter("ezyvet", VendorSettings(base_url=self.url), site, tools)
        assert isinstance(adapter, EzyvetAdapter)
        self.opened.append(adapter)
        return adapter

    def close(self) -> None:
        for adapter in self.opened:
            adapter.close()


def pages(adapter: EzyvetAdapter, window: Window = WINDOW, wanted: Sequence[str] = ("21", "22", "23")) -> list[Page]:
    """A whole sweep."""
    return [page for part in adapter.partitions(window, wanted) for page in adapter.appointments(part)]


def rows(adapter: EzyvetAdapter, window: Window = WINDOW, **more: Any) -> dict[str, Appointment]:
    return {row.external_id: row for page in pages(adapter, window, **more) for row in page.appointments}


def refs(found: Iterator[Appointment] | Sequence[Appointment]) -> list[ConsultationRef]:
    return [
        ConsultationRef(
            one.external_id, one.consultation_id, one.patient.external_id if one.patient else None, one.starts_at
        )
        for one in found
    ]


def ref(consult: str | None, animal: str | None = "801", at: str = NINE, appointment: str = "a1") -> ConsultationRef:
    return ConsultationRef(appointment, consult, animal, instant(at))


def consulted(adapter: EzyvetAdapter, *wanted: ConsultationRef) -> list[Consulted]:
    return list(adapter.consultations(wanted))


def instant(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC)


def epoch(at: str) -> int:
    return int(datetime.fromisoformat(at).timestamp())
