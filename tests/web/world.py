"""A practice in front of the real thing: the pages, a database, a Redis, and the simulated Gentu over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app import clock, create_app
from app.config import Settings, VendorSettings
from app.security.roles import Role
from app.store import catalogue, choices, connections, history, practices, turns
from app.store.db import Store, db
from app.store.models import Appointment, AppointmentType, ClinicianMapping, PmsConnection, SyncRun
from app.wiring import engine
from tests.factories import Clinic
from tests.fixtures.databases import settings_for
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox, running_sandbox
from tests.web.pages import Page, Visit

VIDEO, PROCEDURE = "Video Follow-up", "Procedure"


def gentu_at(base_url: str, **more: str) -> VendorSettings:
    """What an operator would set; the limit is none of these tests' business."""
    extra = {"app_id": APP_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | more
    return VendorSettings(base_url, requests_per_minute=100_000, requests_per_hour=1_000_000, extra=extra)


class World:
    """One practice and its admin; nothing is connected yet."""

    def __init__(self, app: Flask, sandbox: RunningSandbox, name: str = "Banksia Ridge Specialists") -> None:
        self.app, self.sandbox = app, sandbox
        self.store: Store = app.extensions["runsheet.store"]
        self.clinic = Clinic(self.store, name)
        self.admin = self.visit("admin")
        self.connection_id: UUID | None = None

    def visit(self, role: str) -> Visit:
        """Somebody of that role."""
        if role not in self.clinic.people:
            self.clinic.person(role, Role(role), email=f"{role}@{self.clinic.id.hex[:8]}.example.com")
        return Visit(self.app, self.clinic.people[role])

    # --- the wizard, pressed through --------------------------------------------------------------------------------

    def drafts(self) -> UUID:
        """The first step: a connection that is not paired yet."""
        answer = self.admin.post("/connections/new", {"pms": "gentu", "name": ""})
        assert answer.status_code == 303, answer.text
        self.connection_id = UUID(answer.headers["Location"].split("/")[2])
        return self.connection_id

    def enters(self, code: str) -> TestResponse:
        return self.admin.post(self.at("/pair/code"), {"code": code})

    def pairs(self, tenant_id: str | None = None) -> UUID:
        made = self.drafts()
        assert self.enters(self.sandbox.pairing_code(tenant_id)).status_code == 303
        return made

    def confirms(self) -> None:
        assert self.admin.post(self.at("/pair/identity"), {"is": "yes"}).status_code == 303

    def maps_everybody(self) -> None:
        """Everybody gets a clinician of their own."""
        form = {f"to-{row.id}": "new" for row in self.people if row.active and row.shown_in_book}
        assert self.admin.post(self.at("/pair/clinicians"), form).status_code == 303

    def marks(self, *names: str) -> None:
        form = {"type": [str(row.id) for row in self.types if row.pms_type_name in names]}
        assert self.admin.post(self.at("/pair/types"), form).status_code == 303

    def goes_live(self, *types: str, minutes: str = "15") -> UUID:
        """All the steps; the first sync waits for a worker."""
        made = self.pairs()
        self.confirms()
        self.maps_everybody()
        self.marks(*(types or (VIDEO,)))
        assert self.admin.post(self.at("/pair/preview")).status_code == 303
        assert self.admin.post(self.at("/pair/live"), {"minutes": minutes}).status_code == 303
        return made

    def lives(self, *types: str) -> UUID:
        """Live, and the first sync has ended."""
        made = self.goes_live(*types)
        self.works()
        return made

    # --- the PMS ----------------------------------------------------------------------------------------------------

    def books(self, at: str, type_: str = VIDEO, **more: Any) -> str:
        """An appointment of today; its id at the vendor."""
        day = more.pop("day", self.clinic.today.isoformat())
        return str(self.sandbox.control("appointments", day=day, time=at, type=type_, **more)["id"])

    def practitioner(self, name: str) -> str:
        tenant = self.sandbox.state(log=0)["tenants"][0]
        return next(str(row["id"]) for row in tenant["practitioners"] if name in row["name"])

    # --- syncs ------------------------------------------------------------------------------------------------------

    def works(self) -> list[SyncRun]:
        """Carry out whatever waits, as a worker does."""
        with self.app.app_context():
            here = engine()
        with self.store.read() as session:
            ids = [run_id for run_id, _ in turns.due(session, clock.now(), self.clinic.id)]
        for run_id in ids:
            claim = here.claim(run_id)
            assert claim is not None
            here.execute(claim)
        with self.store.read() as session:
            return [found for run_id in ids if (found := history.run(session, run_id)) is not None]

    def presses(self, visit: Visit | None = None, **form: str) -> TestResponse:
        return (visit or self.admin).post("/sync-now", form, htmx=True)

    @property
    def runs(self) -> list[SyncRun]:
        """Newest first."""
        with self.store.read() as session:
            return list(history.recent(session, self.clinic.id))

    # --- what is stored ---------------------------------------------------------------------------------------------

    def at(self, rest: str = "") -> str:
        return f"/connections/{self.connection_id}{rest}"

    def page(self, rest: str = "") -> Page:
        return self.admin.page(self.at(rest))

    @property
    def sheet(self) -> Page:
        return self.admin.page("/run-sheet")

    @property
    def connection(self) -> PmsConnection:
        assert self.connection_id is not None
        with self.store.read() as session:
            return connections.one_of_practice(session, self.clinic.id, self.connection_id)

    def change(self, **columns: object) -> None:
        with self.store.write() as session:
            found = session.get_one(PmsConnection, self.connection_id)
            for name, value in columns.items():
                setattr(found, name, value)

    @property
    def people(self) -> list[ClinicianMapping]:
        assert self.connection_id is not None
        with self.store.read() as session:
            return list(catalogue.mappings_of(session, self.connection_id))

    def person(self, name: str) -> ClinicianMapping:
        return next(row for row in self.people if name in row.pms_practitioner_name)

    @property
    def types(self) -> list[AppointmentType]:
        assert self.connection_id is not None
        with self.store.read() as session:
            return list(catalogue.types_of(session, self.connection_id))

    def type_id(self, name: str) -> str:
        return next(str(row.id) for row in self.types if row.pms_type_name == name)

    def clinicians(self) -> list[str]:
        with self.store.read() as session:
            return [row.name for row in catalogue.clinicians_of(session, self.clinic.id)]

    def stored_rows(self) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.count()).select_from(Appointment)) or 0

    def impact(self, name: str) -> choices.Impact:
        with self.store.read() as session:
            practice = practices.get(session, self.clinic.id)
            found = choices.impacts(session, self.connection, practice, clock.now())
        kind = next(row for row in self.types if row.pms_type_name == name)
        return found.get(kind.pms_type_id, choices.Impact())


def select_of(page: Page, name: str) -> tuple[str, dict[str, str]]:
    """The value a list stands at, and all it offers: words -> value."""
    found = re.search(rf'<select[^>]*name="{name}".*?</select>', page.html, re.S)
    assert found, name
    options = re.findall(r'<option value="([^"]*)"( selected)?>(.*?)</option>', found[0], re.S)
    chosen = next((value for value, selected, _ in options if selected), "")
    return chosen, {unescape(words).strip(): value for value, _, words in options}


def is_ticked(page: Page, value: str) -> bool:
    found = re.search(rf'<input type="checkbox"[^>]*value="{value}"( checked)?', page.html)
    assert found, value
    return bool(found[1])


def beside(page: Page, field: str) -> str:
    """The fault that stands beside a field."""
    found = re.search(rf'<p class="fault" id="e-{field}"[^>]*>(.*?)</p>', page.html, re.S)
    return unescape(found[1]) if found else ""


@pytest.fixture(scope="session")
def simulated_gentu() -> Iterator[RunningSandbox]:
    """The practice of the original document with an empty book, and two further ones."""
    with running_sandbox(clinic="empty", tenants=3) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(simulated_gentu: RunningSandbox) -> RunningSandbox:
    """As it was opened: no booking, no fault, nobody paired."""
    simulated_gentu.control("reset")
    simulated_gentu.mend()
    return simulated_gentu


@pytest.fixture
def world_settings(home: Path, database_url: str, redis_url: str, sandbox: RunningSandbox) -> Settings:
    return settings_for(home, database_url, redis_url=redis_url, vendors={"gentu": gentu_at(sandbox.base_url)})


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Each test makes its own application; their templates need compiling only once."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def world(
    world_settings: Settings, sandbox: RunningSandbox, compiled_templates: FileSystemBytecodeCache
) -> Iterator[World]:
    """The practice that is about to connect."""
    made = create_app(world_settings)
    made.jinja_env.bytecode_cache = compiled_templates
    with made.app_context():
        yield World(made, sandbox)
        db.session.remove()
        db.engine.dispose()
        made.extensions["runsheet.queue"].close()
