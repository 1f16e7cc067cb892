"""A practice that lives: a real database, a real Redis, the simulator as its PMS, and our processes as they are run."""

from __future__ import annotations

import base64
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
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
from app.store import catalogue, choices, connections, history, practices, schedules
from app.store.models import Appointment, PmsAppToken, PmsConnection, SyncRun, SyncSchedule
from app.store.models.connection import Environment
from app.store.models.sync import Trigger
from app.store.sync_runs import Ask
from app.sync import preview
from app.sync.engine import Wish
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox, running_sandbox

ROOT = Path(__file__).resolve().parents[2]
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
        _reap(pid, within_s)

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
        assert self.sandbox is not None
        truth = Counter(one["id"] for one in self.sandbox.truth(day, self.tenant_id))
        rows = self.rows()
        assert Counter(row.pms_appointment_id for row in rows) == truth
        assert {row.row_version for row in rows} <= {1}

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


class Running:
    """A process of ours, and every line it said."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip())

    def wait_for_line(self, text: str, within_s: float = 30) -> None:
        eventually(lambda: text in self.said or self.popen.poll() is not None, f"“{text}”", within_s)
        assert text in self.said, f"ended with {self.popen.returncode}: {self.said}"

    def end(self, number: int = signal.SIGTERM, within_s: float = 20) -> int:
        """Send a signal and wait; returns the exit code."""
        self.popen.send_signal(number)
        code = self.popen.wait(within_s)
        self._reader.join(5)
        return code


@contextmanager
def process(*words: str, environ: Mapping[str, str]) -> Iterator[Running]:
    """`runsheet …` as its own process, in its own group, ended with everything it forked when the test ends."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT,
        env={**environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Running(popen)
    try:
        yield running
    finally:
        for pid in [*descendants(popen.pid), popen.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        popen.wait(10)
        running._reader.join(5)
        assert popen.stdout is not None
        popen.stdout.close()


def _reap(pid: int, within_s: float) -> None:
    """Wait for a worker that was forked from here; it must end well, and in time."""
    ended: list[int] = []

    def has_ended() -> bool:
        found, status = os.waitpid(pid, os.WNOHANG)
        ended.append(status)
        return found == pid

    try:
        eventually(has_ended, "the worker has emptied the queues", within_s)
    except AssertionError:
        for left in [*descendants(pid), pid]:
            os.kill(left, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    assert os.waitstatus_to_exitcode(ended[-1]) == 0, "the worker ended by an error"


# --- looking at processes ---------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """Direct children, by the kernel's word."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (child, *descendants(child))]


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def eventually(true: Callable[[], object], what: str, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


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
