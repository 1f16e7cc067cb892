"""`runsheet demo`: everything at once on invented data. One address, one Ctrl-C, nothing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import click
import requests

from app import create_app
from app.cli import demo_practice
from app.cli.output import House
from app.config import ROOT, Settings
from app.errors import RunsheetError
from app.jobs.redis import connect
from app.jobs.supervisor import Spec, Supervisor
from app.store import migrate

WORKERS = 2
SANDBOX_PORT = 5051
_READY_S = 30.0


@click.command()
def demo() -> None:
    """Start everything on a simulated clinic: Redis, simulators, web, workers, scheduler."""
    settings = _checked(Settings.from_env())
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    with _only_one(settings), Supervisor() as supervisor:
        try:
            _start(settings, supervisor, stopped)
        except Stopped:
            return
        supervisor.wait(stopped)
        supervisor.say("runsheet", "Stopping.")


class Stopped(Exception):
    """Ctrl-C came while we were still starting."""


def _start(settings: Settings, supervisor: Supervisor, stopped: threading.Event) -> None:
    if settings.redis_url is None:
        supervisor.start(Spec("redis", _command("redis")))
        _until(lambda: connect(None, settings.runtime).patient is not None, "Redis", stopped)
    ready = settings.runtime / "sandbox.json"
    ready.unlink(missing_ok=True)
    supervisor.start(Spec("simulator", _sandbox(settings, ready)))
    _until(ready.exists, "the simulator", stopped)
    simulator = json.loads(ready.read_text())
    os.environ.update(_vendor_environment(simulator["gentu_base_url"]))
    password = _prepare(simulator["control_url"])
    for number in range(1, WORKERS + 1):
        supervisor.start(Spec(f"worker {number}", _command("worker")))
    if settings.enable_scheduler:
        supervisor.start(Spec("scheduler", _command("scheduler")))
    supervisor.start(Spec("web", _command("web")))
    address = f"http://{settings.host}:{settings.port}/"
    _until(lambda: _answers(f"{address}login"), "the pages", stopped)
    for line in _welcome(address, simulator["control_url"], password):
        supervisor.say("runsheet", line)


def _prepare(control_url: str) -> str:
    """Migrate, and make the demo practice where it is missing. Returns the demo's password."""
    app = create_app(Settings.from_env())
    with app.app_context():
        migrate.upgrade()
    app = create_app(Settings.from_env())  # now that the tables exist: keys checked
    with app.app_context():
        here = House(app)
        password = demo_practice.password(here.settings.home)
        demo_practice.ensure(here, control_url, password)
        here.store.engine.dispose()
    return password


def _welcome(address: str, control_url: str, password: str) -> list[str]:
    log_ins = [f"    {email:<28} {password}" for email in demo_practice.LOG_INS]
    return [
        "",
        f"Runsheet is ready:  {address}",
        "",
        "Sign in as any of (all patients are invented):",
        *log_ins,
        "",
        f"Book, cancel and break things in the simulated Gentu:  {control_url}",
        "Ctrl-C stops everything.",
        "",
    ]


# --- what must be so before anything starts ---------------------------------------------------------------------------


def _checked(settings: Settings) -> Settings:
    if settings.production:
        raise RunsheetError("The demo never runs with RUNSHEET_ENV=production.")
    if settings.host not in ("127.0.0.1", "localhost", "::1"):
        raise RunsheetError("The demo serves this machine only: leave HOST at 127.0.0.1.")
    return settings


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """One instance per home folder, and a free port; each refused in one plain line."""
    settings.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.runtime / "supervisor.lock").open("a+") as lock:
        if not _locked(lock):
            lock.seek(0)
            raise RunsheetError(
                f"Runsheet is already running from {_short(settings.home)} (process {lock.read().strip() or '?'}). "
                "Stop it with Ctrl-C first, or give this one its own folder: RUNSHEET_HOME=var2 PORT=5060 make run"
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        if not _free(settings.host, settings.port):
            raise RunsheetError(
                f"Port {settings.port} is taken by another program. Stop that, or choose another: "
                f"PORT={settings.port + 10} make run"
            )
        yield


def _locked(file: IO[str]) -> bool:
    """Whether the lock is ours. Children of a supervisor that was killed hard may need a moment to end."""
    for _ in range(50):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            if holder.isdigit() and _alive(int(holder)):
                return False
            time.sleep(0.1)
        else:
            return True
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _free(host: str, port: int) -> bool:
    """Whether the port can be had, waiting a moment for children of an earlier run to let go of it."""
    for _ in range(30):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                time.sleep(0.1)
            else:
                return True
    return False


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


# --- commands of the children -----------------------------------------------------------------------------------------


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *words]


def _sandbox(settings: Settings, ready: Path) -> list[str]:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", SANDBOX_PORT))
            port = SANDBOX_PORT
        except OSError:
            port = 0
    words = ["--port", str(port), "--home", str(settings.home), "--ready-file", str(ready), "--watch-stdin"]
    return [sys.executable, "-m", "app.sandbox", *words]


def _vendor_environment(base_url: str) -> dict[str, str]:
    """The demo always speaks to its own simulator; these open nothing else."""
    return {
        "GENTU_BASE_URL": base_url,
        "GENTU_TOKEN_URL": f"{base_url}/oauth2/token",
        "GENTU_APP_ID": "runsheet-demo",
        "GENTU_CLIENT_ID": "runsheet-demo-client",
        "GENTU_CLIENT_SECRET": "runsheet-demo-secret",
    }


# --- waiting ----------------------------------------------------------------------------------------------------------


def _until(ready: object, what: str, stopped: threading.Event) -> None:
    assert callable(ready)
    deadline = time.monotonic() + _READY_S
    while not ready():
        if stopped.is_set():
            raise Stopped
        if time.monotonic() > deadline:
            raise RunsheetError(f"{what[0].upper()}{what[1:]} did not start within {_READY_S:.0f} s; see above.")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
