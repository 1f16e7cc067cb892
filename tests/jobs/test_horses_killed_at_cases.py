"""A work horse that dies while it reads consultations (F55, "enrich"): each case has its notes once, whole, in the end.

The same rig as for the other places a horse is killed at, with the system that has clinical records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app import clock
from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET, SITE_UID, cast
from app.store import connections, consultations, credentials, practices
from app.store.models.connection import Environment
from tests.fakes.pms import FakePms
from tests.features.hospital import DAY, Hospital, ezyvet, ezyvet_process
from tests.features.surgery import RealTime
from tests.jobs.living import Practice, environment
from tests.jobs.test_horses_killed import TRIALS, before
from tests.sandbox.process import RunningSandbox

__all__ = ["ezyvet", "ezyvet_process"]
VISITS = 12


class Surgery(Practice):
    """Connected to the simulated ezyVet, keeping cases; each run is of the one day the simulator stands on."""

    hospital: Hospital

    def _pair(self, sandbox: RunningSandbox) -> UUID:
        self.tenant_id, vault = "wattle creek", self.parts.engine.vault
        with self.store.write() as session:
            practice = practices.get(session, self.id)
            made = connections.create(session, practice, "ezyvet", "ezyVet", Environment.SIMULATOR, keeps_cases=True)
            made.sync_telehealth_only = False
            connections.bind_tenant(session, made, self.tenant_id)
            typed = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "site_uid": SITE_UID}
            credentials.keep(session, vault, made, credentials.Typed(typed), clock.now())
            connections.activate(session, made, practice, clock.now())
        here = (self.store, vault, RealTime(), FakePms(), self.id, made.id, uuid4())
        self.hospital = Hospital(*here)  # type: ignore[arg-type]
        self.hospital.sandbox = sandbox
        return made.id

    def truth(self, day: str | None = None) -> list[str]:
        return [str(one["id"]) for one in self.hospital.in_book()]

    def damage(self, day: str | None = None) -> dict[str, int]:
        """Of the notes as well: without them, or twice, is lost or doubled."""
        states, sealed = self.hospital.states(), self.hospital.sealed()
        told = super().damage(day)
        told["lost"] += sum(state != "enriched" for state in states.values()) + max(0, VISITS - len(sealed))
        told["doubled"] += max(0, len(sealed) - VISITS)
        return told


@pytest.fixture
def surgery(tmp_path: Path, database_url: str, redis_url: str, ezyvet: RunningSandbox) -> Iterator[Surgery]:
    more = {
        "EZYVET_BASE_URL": ezyvet.ezyvet_url,
        "EZYVET_REQUESTS_PER_MINUTE": "100000",
        "EZYVET_REQUESTS_PER_HOUR": "1000000",
    }
    made = Surgery(environment(tmp_path / "home", database_url, redis_url, **more), ezyvet)
    made.only_when_pressed()
    yield made
    made.close()


@pytest.mark.timeout(150 + 30 * TRIALS)
@pytest.mark.fault("F55")
@pytest.mark.promise("P17")
def test_a_horse_killed_among_consultations_loses_none_and_doubles_none(
    surgery: Surgery,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    assert cast.ZONE == "Australia/Melbourne"
    ids = [surgery.hospital.visit(number) for number in range(VISITS)]
    for trial in range(TRIALS):
        folder = tmp_path / str(trial)
        folder.mkdir()
        with monkeypatch.context() as broken:
            before(consultations, "keep", nth=2)(broken, folder)  # the first group of five is committed
            surgery.presses(first=DAY, last=DAY, begins_anew=True)
            surgery.works()
        assert (folder / "killed").exists(), "the failpoint was not passed"
        record_property("chaos", ("enrich", surgery.damage()))
        lost, successor = surgery.runs()[-2:]
        assert [(lost.state, lost.reason), (successor.state, successor.reason)] == [
            ("abandoned", "lost"),
            ("success", None),
        ]
        assert not any(surgery.damage().values())
        assert {surgery.hospital.notes(id_) is not None for id_ in ids} == {True}
        surgery.hospital.forgets_its_cases()
        surgery.forgets_its_rows()
