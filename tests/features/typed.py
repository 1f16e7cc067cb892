"""A practice in front of the simulated ezyVet, its pages and all: connected by credentials somebody types."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from uuid import UUID

import pytest
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings, VendorSettings
from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET
from app.store.db import db
from app.store.models import Case, SyncRun
from app.wiring import engine
from tests.fixtures.databases import settings_for
from tests.sandbox.process import RunningSandbox
from tests.web.pages import Page
from tests.web.world import World

GOOD = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
VIDEO = "Video consult"
ANIMAL = 801
WIDE = {"per_endpoint": 100_000, "overall": 100_000}


class Hospital(World):
    """A practice in front of the simulated ezyVet."""

    def drafts(self) -> UUID:
        answer = self.admin.post("/connections/new", {"pms": "ezyvet", "name": ""})
        assert answer.status_code == 303, answer.text
        self.connection_id = UUID(answer.headers["Location"].split("/")[2])
        return self.connection_id

    def gives(self, **values: str) -> TestResponse:
        """Fill the form in and press."""
        form = {f"credential-{name}": value for name, value in values.items()}
        return self.admin.post(self.at("/pair/credentials"), form)

    def told(self, **values: str) -> Page:
        """Typed, and refused."""
        answer = self.gives(**values)
        assert answer.status_code == 422
        return Page(answer.text)

    def goes_live(self, *types: str, minutes: str = "15") -> UUID:
        made = self.drafts()
        answer = self.gives(**GOOD)
        assert answer.headers.get("Location") == self.at("/pair/identity"), answer.text
        self.confirms()
        self.maps_everybody()
        self.marks(*(types or (VIDEO,)))
        assert self.admin.post(self.at("/pair/preview")).status_code == 303
        assert self.admin.post(self.at("/pair/live"), {"minutes": minutes}).status_code == 303
        return made

    def visits(self, at: str) -> str:
        """A video consult of today; its id at the vendor."""
        local = datetime.combine(self.clinic.today, time.fromisoformat(at), self.clinic.zone)
        made = self.sandbox.control("ezyvet/book", at=local.isoformat(), animal_id=ANIMAL, type_id=14)
        return str(made["id"])

    def syncs(self) -> SyncRun:
        """A sync of a day that was not just read."""
        day = self.clinic.today + timedelta(days=3)
        self.presses(connection=str(self.connection_id), day=day.isoformat())
        (run,) = self.works()
        return run

    def breaks(self, kind: str, **more: object) -> None:
        self.sandbox.control("ezyvet/faults", kind=kind, **more)

    def mends(self) -> None:
        self.sandbox.control("ezyvet/faults/clear")

    def asked(self) -> int:
        return len(self.sandbox.read("ezyvet/state")["log"])

    def stored(self) -> dict[str, str]:
        with self.app.app_context():
            return engine().typed(self.connection)

    def cases(self) -> set[str]:
        """Appointments that have a case, by the vendor's id."""
        with self.store.read() as session:
            return set(session.scalars(select(Case.external_id).where(Case.pms_connection_id == self.connection_id)))

    def everything(self) -> list[list[tuple[object, ...]]]:
        tables = ("pms_connections", "pms_credentials", "pms_clinician_mappings", "pms_appointment_types")
        with self.store.read() as session:
            return [[tuple(row) for row in session.execute(text(f"SELECT * FROM {one}"))] for one in tables]


@pytest.fixture
def hospital_settings(home: object, database_url: str, redis_url: str, sandbox: RunningSandbox) -> Settings:
    ezyvet = VendorSettings(sandbox.ezyvet_url, requests_per_minute=100_000, requests_per_hour=1_000_000)
    return settings_for(home, database_url, redis_url=redis_url, vendors={"ezyvet": ezyvet})  # type: ignore[arg-type]


@pytest.fixture
def hospital(
    hospital_settings: Settings, sandbox: RunningSandbox, compiled_templates: FileSystemBytecodeCache
) -> Iterator[Hospital]:
    """The simulator as it was opened, its limits wide."""
    sandbox.control("ezyvet/reset")
    sandbox.control("ezyvet/knobs", **WIDE)
    made = create_app(hospital_settings)
    made.jinja_env.bytecode_cache = compiled_templates
    with made.app_context():
        yield Hospital(made, sandbox)
        db.session.remove()
        db.engine.dispose()
        made.extensions["runsheet.queue"].close()
