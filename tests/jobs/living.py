"""A practice that lives: a real database, a real Redis, the simulator as its PMS, and our processes as they are run."""

from __future__ import annotations

import base64
import fcntl
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from app import clock
from app.config import Settings
from app.domain.window import day_of, zone_of
from app.jobs import dispatch
from app.jobs.house import House
from app.jobs.worker import work
from app.parts import Parts
from app.store import catalogue, choices, connections, history, practices, schedules, sync_runs
from app.store.models import Appointment, PmsAppToken, PmsConnection, SyncRun, SyncSchedule
from app.store.models.connection import Environment
from app.store.models.sync import Trigger
from app.store.sync_runs import Ask
from app.sync import preview
from app.sync.engine import Wish
from tests.jobs.processes import ROOT, Running, process, reap
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox, running_sandbox

ZONE = "Australia/Melbourne"
LIST = "GET /tenants/{tenant_id}/appointments"


def environment(home: Path, database_url: str, redis_url: str | None = None, **more: str) -> dict[str, str]:
    """What our processes get to see: nothing of this machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    ours = {
        "RUNSHEET_ENV": "test",
        "RUNSHEET_HOME": str(home),
        "DATABASE_URL": database_url,
        "SECRET_KEY": "a secret that only tests know, 0123456789",
        "ENCRYPTION_KEY": base64.b64encode(bytes(range(32))).decode(),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore::FutureWarning",
    }
    return kept | ours | ({"REDIS_URL": redis_url} if redis_url else {}) | more


def vendor(sandbox: RunningSandbox, **more: str) -> dict[str, str]:
    """Gentu is the simulator, and its limit is none of this test's business."""
    ours = {
        "GENTU_BASE_URL": sandbox.base_url,
        "GENTU_APP_ID": APP_ID,
        "GENTU_CLIENT_ID": CLIENT_ID,
        "GENTU_CLIENT_SECRET": CLIENT_SECRET,
        "GENTU_REQUESTS_PER_MINUTE": "100000",
        "GENTU_REQUESTS_PER_HOUR": "1000000",
    }
    return ours | more


class Practice:
    """A practice paired with the simulator; every type is telehealth and everybody has a clinician.

    Without a simulator its connection is live all the same, for tests that never get as far as a sync.
    """

    def __init__(self, environ: Mapping[str, str], sandbox: RunningSandbox | None = None) -> None:
        self.environ = dict(environ)
        self.parts = Parts(Settings.from_env(self.environ))
        self.store = self.parts.store
        with self.store.write() as session:
            self.id = practices.create(session, "Banksia Ridge", ZONE).id
        self.sandbox, self.tenant_id = sandbox, "nobody"
        self.connection_id = self._live() if sandbox is None else self._pair(sandbox)

    def _live(self) -> UUID:
        with self.store.write() as session:
            practice = practices.get(session, self.id)
            made = connections.create(session, practice, "gentu", "Gentu", Environment.SIMULATOR)
            made.tenant_id = self.tenant_id
            connections.activate(session, made, practice, clock.now())
            return made.id

    def _pair(self, sandbox: RunningSandbox) -> UUID:
        engine, self.tenant_id = self.parts.engine, sandbox.tenant_id
        draft = preview.new_connection(engine, self.id, "gentu", "Gentu")
        preview.pair(engine, self.id, draft.id, sandbox.pairing_code(self.tenant_id))
        with self.store.write() as session:
            connection = connections.get(session, draft.id)
            practice = practices.get(session, self.id)
            catalogue.map_everybody(session, self.id, draft.id)
            every = {row.id for row in catalogue.types_of(session, draft.id)}
            choices.set_telehealth(session, connection, practice, every, clock.now())
        preview.finish_pairing(engine, self.id, draft.id)
        return draft.id

    def books(self, count: int = 3, **more: object) -> list[str]:
        """Appointments of the PMS's today, of its first type; returns their ids."""
        assert self.sandbox is not None
        tenant = next(one for one in self.sandbox.state(log=0)["tenants"] if one["tenantId"] == self.tenant_id)
        given = {"tenant_id": self.tenant_id, "time": "09:00", "type_id": tenant["types"][0]["id"], "count": count}
        return list(self.sandbox.control("appointments", **(given | more))["ids"])

    def unbooks(self, id_: str) -> None:
        """Deleted at the PMS, without a word."""
        assert self.sandbox is not None
        self.sandbox.control(f"appointments/{id_}/delete", tenant_id=self.tenant_id)

    @property
    def today(self) -> str:
        return day_of(clock.now(), zone_of(ZONE)).isoformat()

    # --- as a worker sees it ----------------------------------------------------------------------------------------

    @property
    def redis(self) -> Redis:
        found = self.parts.queue.patient
        assert found is not None
        return found

    @property
    def house(self) -> House:
        return House(self.parts.engine, self.redis, self.parts.settings.sync_timeout_ms)

    def ask(self, trigger: Trigger = Trigger.MANUAL, **more: Any) -> Ask:
        return self.parts.engine.ask_for(Wish(self.connection_id, trigger=trigger, **more))

    def presses(self, redis: Redis | None = None, **more: Any) -> UUID:
        """Somebody presses Sync now; the run that answers them."""
        answer, _ = dispatch.sync_now(self.store, redis or self.redis, self.ask(**more), timeout_s=60)
        return answer.run_id

    def tick(self) -> dict[str, int]:
        return dispatch.tick(self.store, self.redis, timeout_s=60)

    def works(self, within_s: float = 20) -> None:
        """A worker empties the queues. It is forked from here, and so sees what the test has put in place."""
        pid = os.fork()
        if pid == 0:
            try:
                self.store.forget_connections()
                work(self.house, burst=True)
            except BaseException:  # noqa: BLE001 - this is not the test's process
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        reap(pid, within_s)

    def due_at(self, at: datetime) -> None:
        """The ordinary sweep is due at that time, the nightly one is not."""
        with self.store.write() as session:
            for row in schedules.of_connection(session, self.connection_id):
                row.enabled, row.next_due_at = row.kind == schedules.INTERVAL, at

    def change(self, run_id: UUID, **columns: object) -> None:
        with self.store.write() as session:
            session.execute(update(SyncRun).where(SyncRun.id == run_id).values(**columns))

    def only_when_pressed(self) -> None:
        """No schedule comes due by itself."""
        with self.store.write() as session:
            for row in session.scalars(select(SyncSchedule)):
                row.enabled = False

    # --- what came of it --------------------------------------------------------------------------------------------

    def runs(self) -> list[SyncRun]:
        """Oldest first."""
        with self.store.read() as session:
            return list(reversed(history.recent(session, self.id, self.connection_id)))

    def run(self, run_id: UUID) -> SyncRun:
        with self.store.read() as session:
            found = history.run(session, run_id)
        assert found is not None
        return found

    def states(self) -> list[tuple[str, str | None]]:
        return [(run.state, run.reason) for run in self.runs()]

    def connection(self) -> PmsConnection:
        with self.store.read() as session:
            return connections.get(session, self.connection_id)

    def rows(self) -> list[Appointment]:
        with self.store.read() as session:
            return list(session.scalars(select(Appointment).where(Appointment.practice_id == self.id)))

    def can_be_written(self) -> bool:
        """Whether nobody is in the middle of a write to this practice's runs."""
        database = self.store.engine.url.database
        if self.store.dialect == "sqlite":
            with Path(f"{database}.wlock").open("ab") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                return True
        try:
            with self.store.write() as session:
                session.scalars(
                    select(SyncRun).where(SyncRun.practice_id == self.id).with_for_update(nowait=True)
                ).all()
        except OperationalError:
            return False
        return True

    def stands_as_in_the_pms(self, day: str | None = None) -> None:
        """I1: no appointment of the PMS's day is missing here, none is here twice, none was written twice."""
        assert not any(self.damage(day).values())
        assert {row.row_version for row in self.rows() if row.removed_at is None} <= {1}

    def truth(self, day: str | None = None) -> list[str]:
        """Ids of the PMS's day."""
        assert self.sandbox is not None
        return [str(one["id"]) for one in self.sandbox.truth(day, self.tenant_id)]

    def damage(self, day: str | None = None) -> dict[str, int]:
        """What differs from the PMS's day, how many runs claim to be running, and of how many the counts do not add up:
        all 0 when all is well.
        """
        truth, rows, runs = Counter(self.truth(day)), self.rows(), self.runs()
        here = Counter(str(row.pms_appointment_id) for row in rows if row.removed_at is None)
        return {
            "lost": (truth - here).total(),
            "doubled": (here - truth).total(),
            "removed": sum(row.removed_at is not None and row.pms_appointment_id in truth for row in rows),
            "stuck": sum(run.state == "running" for run in runs),
            "miscounted": sum(run.appointments_fetched != accounted_for(run) for run in runs),
        }

    def pages_asked_for(self) -> list[str]:
        """The query of every page of appointments the PMS was asked for."""
        assert self.sandbox is not None
        return [one["query"] for one in self.sandbox.state(log=2000)["log"] if one["route"] == LIST]

    def forgets_its_rows(self) -> None:
        with self.store.write() as session:
            session.execute(delete(Appointment).where(Appointment.practice_id == self.id))

    def forgets_its_token(self) -> None:
        """The next request has to log in first."""
        with self.store.write() as session:
            session.execute(delete(PmsAppToken))

    def close(self) -> None:
        self.parts.close()

    # --- processes --------------------------------------------------------------------------------------------------

    def process(self, *words: str, **more: str) -> AbstractContextManager[Running]:
        return process(*words, environ=self.environ | more)


def accounted_for(run: SyncRun) -> int:
    """Where everything went that the run read (I2)."""
    kept = run.appointments_created + run.appointments_updated + run.appointments_unchanged
    return kept + run.appointments_skipped + run.appointments_quarantined


def stop_between_transactions(practice: Practice, pid: int) -> None:
    """As a machine that was put to sleep; not in the middle of a write, which would hold up everybody (also here)."""
    for _ in range(50):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.05)
        if practice.can_be_written():
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
    raise AssertionError("it was always writing")


def held_elsewhere(practice: Practice) -> UUID:
    """A run that a process which is gone had claimed."""
    ask = practice.ask(Trigger.SCHEDULE)
    with practice.store.write() as session:
        answer = sync_runs.request(session, ask, clock.now())
    with practice.store.write() as session:
        assert sync_runs.claim(session, answer.run_id, clock.now(), "elsewhere", 4_000_000) is not None
    return answer.run_id


# --- fixtures ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _small() -> Iterator[RunningSandbox]:
    with running_sandbox("empty", tenants=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def _big() -> Iterator[RunningSandbox]:
    with running_sandbox("big", practitioners=4, per_day=250) as sandbox:
        yield sandbox


@pytest.fixture
def small_clinic(_small: RunningSandbox) -> RunningSandbox:
    """An empty book."""
    _small.control("reset")
    return _small


@pytest.fixture
def big_clinic(_big: RunningSandbox) -> RunningSandbox:
    """Four practitioners with 250 appointments a day each: twelve pages."""
    _big.control("reset")
    return _big


@pytest.fixture
def living(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Callable[..., Practice]]:
    """Makes practices: `living(sandbox, **environment)`; without a simulator they have nobody to sync with."""
    made: list[Practice] = []

    def make(sandbox: RunningSandbox | None = None, **more: str) -> Practice:
        given = vendor(sandbox) if sandbox else {}
        made.append(Practice(environment(tmp_path / "home", database_url, redis_url, **given, **more), sandbox))
        return made[-1]

    yield make
    for practice in made:
        practice.close()
