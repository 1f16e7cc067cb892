"""A practice paired with the simulated Gentu, and the engine that syncs it, on both databases.

The real adapter over HTTP against the simulator's own process; whatever a fault did, the next healthy run must leave
exactly what the vendor holds, and every run's counts must add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.config import VendorSettings
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import catalogue, choices, connections, practices, sync_runs
from app.store.db import Store
from app.store.models import Appointment, User
from app.store.models.sync import RunState
from app.sync import preview
from app.sync.engine import Engine
from app.sync.run import SyncResult
from tests.fakes.house import House
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox
from tests.web.world import VIDEO

DAY = date(2026, 3, 9)
NEXT = DAY + timedelta(days=1)
STANDARD = "Standard Consultation"
ROW_TABLES = ("run_sheet_appointments", "appointment_events", "run_sheets")


class RealTime:
    """Where a furnished house moves its clock, this one lets time pass by itself."""

    @property
    def at(self) -> datetime:
        return clock.now()

    def forward(self, *_: float, **__: float) -> None: ...


class Surgery(House):
    """A practice paired with the simulated Gentu; the fake vendor of the base class is never asked."""

    engine: Engine
    sandbox: RunningSandbox

    def execute(self, claim: sync_runs.Claim, **options: Any) -> SyncResult:
        result = self.engine.execute(claim, **options)
        self.adds_up(result)
        return result

    def books(self, **order: Any) -> list[str]:
        """Appointments of the day at the vendor; their ids."""
        given = {"day": DAY.isoformat(), "time": "09:00", "type": VIDEO}
        return [str(id_) for id_ in self.sandbox.control("appointments", **(given | order))["ids"]]

    def tenant(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sandbox.state(log=0)["tenants"][0]
        return found

    def in_book(self) -> list[str]:
        return [str(row["id"]) for row in self.tenant()["practitioners"] if row["active"] and row["shown"]]

    def stands_as_at_the_vendor(self, day: date = DAY) -> None:
        """I1: what the vendor holds of telehealth that day is what is shown, once each; nothing else is (I7)."""
        kinds = {row["id"]: row["text"] for row in self.tenant()["types"]}
        wanted = {
            one["id"]
            for one in self.sandbox.truth(day.isoformat())
            if kinds.get((one["appointmentType"] or {}).get("reference")) == VIDEO
        }
        assert self.shown(day) == wanted
        with self.store.read() as session:
            stored = session.scalars(select(Appointment.pms_appointment_id)).all()
        assert len(stored) == len(set(stored))
        self.account_adds_up(day)

    def contents(self) -> dict[str, tuple[bytes | None, int]]:
        return {id_: (row.fingerprint, row.row_version) for id_, row in self.rows().items()}


def opened(engine: Engine, sandbox: RunningSandbox, name: str, tenant_id: str | None = None) -> Surgery:
    """A practice paired by code, its catalogue read, video follow-ups ticked, live."""
    with engine.store.write() as session:
        practice = practices.create(session, name, "Australia/Melbourne")
        user = User(email=f"{practice.id.hex}@example.com", name="Robin Reception", password_hash="x")
        session.add(user)
    made = preview.new_connection(engine, practice.id, "gentu")
    preview.pair(engine, practice.id, made.id, sandbox.pairing_code(tenant_id))
    with engine.store.write() as session:
        connection = connections.get(session, made.id)
        on = {row.id for row in catalogue.types_of(session, made.id) if row.pms_type_name == VIDEO}
        choices.set_telehealth(session, connection, practices.get(session, practice.id), on, clock.now())
    preview.finish_pairing(engine, practice.id, made.id)
    here = Surgery(engine.store, engine.vault, RealTime(), FakePms(), practice.id, made.id, user.id)  # type: ignore[arg-type]
    here.engine, here.sandbox = engine, sandbox
    return here


@pytest.fixture
def surgery(sandbox: RunningSandbox, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surgery]:
    monkeypatch.setattr(clock, "sleep", lambda _: None)  # waits between attempts are the client's own tests' business
    extra = {"app_id": APP_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    vendor = VendorSettings(sandbox.base_url, requests_per_minute=100_000, requests_per_hour=10**6, extra=extra)
    engine = Engine(store, Vault(KEY), lambda _: vendor, LocalLimiter())
    here = opened(engine, sandbox, "Smith Medical Centre")
    yield here
    assert [run.id for run in here.runs() if run.state == RunState.RUNNING] == [], "I3: nothing claims to be running"
