"""An animal hospital on the simulated ezyVet: the real adapter over HTTP, every record written as the vendor has it.

The simulator's clock stands on the day of the visits; ours is the real one, months later: by the adapter's rule for a
vendor that never closes a consult, all of them are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app import clock
from app.config import VendorSettings
from app.pms.ezyvet.adapter import EzyvetAdapter
from app.pms.limits import LocalLimiter
from app.pms.port import Site
from app.pms.tools import Tools
from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET, SITE_UID, cast
from app.security.vault import Vault
from app.store import connections, practices
from app.store.db import Store
from app.store.models import User
from app.store.models.connection import Environment
from app.store.sync_runs import Claim
from app.store.tokens import SqlTokenStores
from app.sync.run import Opened, Runner
from tests.fakes.clinic import Clinic
from tests.fakes.pms import FakePms
from tests.features.surgery import RealTime
from tests.fixtures.databases import KEY
from tests.sandbox.process import RunningSandbox, running_sandbox

DAY = date(2026, 3, 9)
PARTS = {
    "history": "Limping since Tuesday, left fore",
    "physicalexam": "Swollen left carpus, warm",
    "assessment": "Sprain suspected, grade two",
    "plan": "Rest for ten days, then revisit",
}


class Hospital(Clinic):
    """Wattle Creek, seen by one practice of ours."""

    sandbox: RunningSandbox

    def ask(self, *days: Any, **more: Any) -> Any:
        return super().ask(*(days or (DAY,)), **more)

    def runner(self, **options: Any) -> Runner:
        def opened(_claim: Claim, cancelled: Callable[[], bool]) -> Opened:
            vendor = VendorSettings(self.sandbox.ezyvet_url, requests_per_minute=100_000, requests_per_hour=10**6)
            tools = Tools(
                limiter=LocalLimiter(),
                tokens=SqlTokenStores(self.store, self.vault, self.connection_id),
                connection=str(self.connection_id),
                cancelled=cancelled,
                credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "site_uid": SITE_UID},
            )
            return Opened(EzyvetAdapter.open(vendor, Site(None, cast.ZONE), tools), 2)

        return Runner(self.store, self.vault, opened, **options)

    # --- at the vendor's ------------------------------------------------------------------------------------------

    def order(self, path: str, /, **body: Any) -> dict[str, Any]:
        return self.sandbox.control(f"ezyvet/{path}", **body)

    def writes(self, resource: str, id_: int | None = None, /, **fields: Any) -> int:
        return int(self.order("write", resource=resource, id=id_, fields=fields)["id"])

    def visit(self, number: int, *, consult: bool = True, **fields: Any) -> str:
        """A finished visit of the n-th animal, with everything written down; the appointment's id."""
        animal, at = 801 + number, f"2026-03-09T{9 + number // 4:02}:{15 * (number % 4):02}:00+11:00"
        more: dict[str, Any] = {"status_id": cast.COMPLETED, "description": "Limping", "contact_id": 401 + number % 12}
        if consult:
            more["consult_id"] = self.consult(animal)
        made = self.order("book", at=at, animal_id=animal, vet=21, room=41, fields={})
        self.writes("appointment", int(made["id"]), **(more | fields))
        return str(made["id"])

    def consult(self, animal: int) -> int:
        held = self.now
        id_ = self.writes("consult", date=held, animal_id=animal, vet_id=21, description="Limping", ownership_id=1)
        shared = {"consult_id": id_, "animal_id": animal, "vet_id": 21, "timestamp": held}
        for resource, text in PARTS.items():
            self.writes(resource, comments=f"<p>{text} ({animal}).</p>", **shared)
        self.writes("healthstatus", weight="12.4", weight_unit="kg", temperature="38.6", temperature_unit="C", **shared)
        self.writes("presentingproblemlink", presenting_problem_id=901, **shared)
        self.writes("therapeutic", name="Cold compress", **shared)
        self.writes("invoiceline", name="Consultation fee", quantity="1", invoice_id=1, **shared)
        return id_

    def consult_of(self, appointment: str) -> int:
        (found,) = [one for one in self.in_book() if str(one["id"]) == appointment]
        return int(found["consult_id"])

    def in_book(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.read("ezyvet/book", day=DAY.isoformat())["appointments"]
        return found

    @property
    def now(self) -> int:
        return 1_773_014_400  # 9 March 2026, 11:00 in Melbourne

    def asked(self, route: str) -> int:
        """How many requests the simulator has had for this list."""
        log = self.sandbox.read("ezyvet/state")["log"]
        return sum(one["route"].endswith(route) for one in log)

    # --- here -----------------------------------------------------------------------------------------------------

    def database(self) -> bytes:
        """All there is of the database: on SQLite the very bytes of its files."""
        if self.store.dialect != "sqlite":
            return self.everything()
        path = Path(str(self.store.engine.url.database))
        return b"".join(one.read_bytes() for one in path.parent.glob(path.name + "*"))


def opened(store: Store, sandbox: RunningSandbox, name: str) -> Hospital:
    """A practice with a live connection that keeps cases of every type; its first sync reads the catalogue."""
    with store.write() as session:
        practice = practices.create(session, name, cast.ZONE)
        made = connections.create(session, practice, "ezyvet", "ezyVet", Environment.SIMULATOR, keeps_cases=True)
        made.sync_telehealth_only = False
        connections.bind_tenant(session, made, f"wattle creek of {name}")
        connections.activate(session, made, practice, clock.now())
        user = User(id=uuid4(), email=f"{practice.id.hex}@example.com", name="Robin Reception", password_hash="x")
        session.add(user)
    here = Hospital(store, Vault(KEY), RealTime(), FakePms(), practice.id, made.id, user.id)  # type: ignore[arg-type]
    here.sandbox = sandbox
    here.sync(phases=("catalogue",))
    return here


@pytest.fixture(scope="module")
def ezyvet_process() -> Iterator[RunningSandbox]:
    with running_sandbox("empty", still=True) as started:
        yield started


@pytest.fixture
def ezyvet(ezyvet_process: RunningSandbox) -> RunningSandbox:
    """An empty book at nine in the morning of the day, and no limit that a test would meet."""
    ezyvet_process.control("ezyvet/reset")
    ezyvet_process.control("ezyvet/clock", at="2026-03-09T11:00:00+11:00")
    ezyvet_process.control("ezyvet/knobs", per_endpoint=100_000, overall=100_000)
    return ezyvet_process


@pytest.fixture
def hospital(ezyvet: RunningSandbox, store: Store, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    return opened(store, ezyvet, "Wattle Creek")
