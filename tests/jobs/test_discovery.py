"""A night's discovery through the tick, Redis and a real worker; and a work horse that is killed in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app import clock
from app.domain.timetable import line_of
from app.security.vault import Vault
from app.store import connections, credentials, discovery, history, patients, practices, timetables
from app.store.models import PatientExternalId, SyncRun, SyncSchedule
from app.store.models.connection import Environment
from app.store.models.sync import DAILY, RunState
from app.sync.timetable import why_not
from tests.fixtures.databases import KEY
from tests.jobs.living import Practice
from tests.jobs.test_horses_killed import after, before
from tests.sandbox.intakeq import API_KEY, Account
from tests.sandbox.process import RunningSandbox, running_sandbox


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def account(_empty: RunningSandbox) -> Account:
    return Account(_empty).fresh()


class Nightly:
    """A practice on IntakeQ beside a Gentu that never answers, with a line for its discovery, due now."""

    def __init__(self, practice: Practice) -> None:
        self.practice, self.store = practice, practice.store
        self.connection_id = self._connected()
        with self.store.write() as session:
            made = practices.get(session, practice.id)
            timetables.set_line(session, made, line_of("discovery", None), clock.now(), why_not)
        practice.only_when_pressed()

    def _connected(self) -> UUID:
        with self.store.write() as session:
            practice = practices.get(session, self.practice.id)
            made = connections.create(session, practice, "intakeq", "IntakeQ", Environment.SIMULATOR)
            credentials.keep(session, Vault(KEY), made, credentials.Typed({"api_key": API_KEY}), clock.now())
            connections.bind_tenant(session, made, "tenant")
            connections.activate(session, made, practice, clock.now())
            return made.id

    def comes_due(self) -> None:
        with self.store.write() as session:
            mine = SyncSchedule.pms_connection_id == self.connection_id, SyncSchedule.kind == "cron:discovery"
            session.execute(update(SyncSchedule).where(*mine).values(enabled=True, next_due_at=clock.now()))
        assert self.practice.tick()["due"] == 1

    def runs(self) -> list[SyncRun]:
        with self.store.read() as session:
            mine = select(SyncRun).where(SyncRun.pms_connection_id == self.connection_id)
            return list(session.scalars(mine.order_by(SyncRun.requested_at)))

    def people(self) -> list[str]:
        with self.store.read() as session:
            return [one.name for one in patients.listed(session, self.practice.id, limit=1000)]


@pytest.fixture
def nightly(living: Callable[..., Practice], account: Account) -> Nightly:
    return Nightly(living(None, INTAKEQ_BASE_URL=account.url, INTAKEQ_REQUESTS_PER_MINUTE="100000"))


def books(account: Account, count: int) -> None:
    for number in range(count):
        client = account.control("clients", first="Quinn", last=f"Larkmoor{number}", email=f"q{number}@example.com")
        at = clock.now() + timedelta(days=9 * number - 81)
        account.book(at.isoformat(), client_id=client["client"]["ClientId"])


@pytest.mark.feature("E10", "E11", "E12")
def test_a_nights_discovery_runs_by_itself_and_its_record_says_what_it_was(nightly: Nightly, account: Account) -> None:
    books(account, 19)
    nightly.comes_due()
    nightly.practice.works()
    (run,) = nightly.runs()
    assert (run.state, run.sync_type, run.trigger, run.phases) == (RunState.SUCCESS, DAILY, "schedule", ["discovery"])
    assert (run.window_to - run.window_from).days == 180
    assert len(nightly.people()) == 19
    with nightly.store.read() as session:
        (record,) = history.phases_of(session, run.id)
    assert (record.details["newPatientsDiscovered"], record.details["totalPatients"]) == (19, 19)


#: Where a horse dies: behind a page's plan, behind the page itself, behind its commit, at the very end.
FAILPOINTS = {
    "plan": after(discovery, "plan", nth=4),
    "page": after(discovery, "carry_out", nth=4),
    "before a page": before(discovery, "plan", nth=9),
}


@pytest.mark.feature("E10", "E12")
@pytest.mark.fault("F55")
@pytest.mark.parametrize("point", FAILPOINTS)
def test_a_horse_killed_in_a_discovery_doubles_nobody_and_leaves_nobody_out(
    nightly: Nightly, account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: str
) -> None:
    books(account, 19)
    with monkeypatch.context() as broken:
        FAILPOINTS[point](broken, tmp_path)
        nightly.comes_due()
        nightly.practice.works()
    assert (tmp_path / "killed").exists(), "the failpoint was not passed"
    lost, successor = nightly.runs()
    assert [(one.state, one.sync_type) for one in (lost, successor)] == [("abandoned", DAILY), ("success", DAILY)]
    assert sorted(nightly.people()) == sorted({f"Quinn Larkmoor{number}" for number in range(19)})
    with nightly.store.read() as session:
        record = history.phases_of(session, successor.id)[-1]
        ids = session.scalars(select(PatientExternalId.external_id)).all()
    assert len(ids) == len(set(ids)) == 19
    assert (record.details["newPatientsDiscovered"], record.details["patientsProcessed"]) == (19, 19)
