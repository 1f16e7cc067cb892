"""`runsheet demo`: everything at once on invented data. One address, one Ctrl-C, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import requests

from app.cli import demo_practice
from app.cli.house import read_settings
from app.cli.instance import is_free, only_one
from app.cli.output import Refused, json_option
from app.config import Settings
from app.jobs.redis import connect
from app.jobs.supervisor import Child, Spec, Supervisor
from app.parts import Parts

WORKERS = 2
SANDBOX_PORT = 5051
_READY_S = 60.0
#: The last to stop is what the others lean on.
_REDIS, _SIMULATOR, _OURS = 0, 1, 2


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Start everything on a simulated clinic: Redis, simulators, web, workers, scheduler.

    Prints one address and the log-ins; Ctrl-C stops all of it. With --json that is one JSON value on standard output,
    and what the processes say goes to standard error. HOST and PORT say where, RUNSHEET_HOME where its data lies.
    """
    settings = _checked(read_settings(quiet=False))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    with only_one(settings), Supervisor(sys.stderr if as_json else sys.stdout) as supervisor:
        try:
            ready = Demo(settings, supervisor, stopped).start()
        except Stopped:
            return
        if as_json:
            click.echo(json.dumps(ready))
        else:
            for line in _welcome(ready):
                supervisor.say("runsheet", line)
        supervisor.wait(stopped)
        supervisor.say("runsheet", "Stopping.")


class Stopped(Exception):
    """Ctrl-C came while we were still starting."""


class Demo:
    """The start, one process after the other."""

    def __init__(self, settings: Settings, supervisor: Supervisor, stopped: threading.Event) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._stopped = stopped

    def start(self) -> dict[str, Any]:
        """Returns what a person needs to know. Raises Stopped; Refused where something does not come up."""
        if self._settings.redis_url is None:
            guard = self._start("redis", _REDIS, "redis")
            self._until(self._redis_answers, "the embedded Redis", guard)
        simulator = self._simulator()
        os.environ.update(_vendor_environment(simulator))
        password = _prepare(simulator["control_url"])
        if self._stopped.is_set():
            raise Stopped
        for number in range(1, WORKERS + 1):
            self._start(f"worker {number}", _OURS, "worker")
        if self._settings.enable_scheduler:
            self._start("scheduler", _OURS, "scheduler")
        web = self._start("web", _OURS, "web")
        address = f"http://{_in_url(self._settings.host)}:{self._settings.port}/"
        self._until(lambda: _answers(f"{address}login"), "the pages", web)
        log_ins = [{"email": email, "role": str(role), "password": password} for email, role in LOG_INS]
        return {"url": address, "controlUrl": simulator["control_url"], "logIns": log_ins}

    def _start(self, name: str, stage: int, *words: str) -> Child:
        return self._supervisor.start(Spec(name, [sys.executable, "-m", "app.cli", *words], stage))

    def _redis_answers(self) -> bool:
        queue = connect(None, self._settings.runtime)
        queue.close()
        return queue.patient is not None

    def _simulator(self) -> dict[str, Any]:
        """Start the simulator at its usual port, or at any where that is taken; where it is, it stays."""
        ready = self._settings.runtime / "sandbox.json"
        ready.unlink(missing_ok=True)
        port = SANDBOX_PORT if is_free("127.0.0.1", SANDBOX_PORT) else 0
        child = self._supervisor.start(Spec("simulator", _sandbox(self._settings, ready, port), _SIMULATOR))
        # Two demos that start together may both have found the port free: one of them takes another.
        self._until(ready.exists, "the simulator", child, lambda: _sandbox(self._settings, ready, 0))
        told: dict[str, Any] = json.loads(ready.read_text())
        child.spec = replace(child.spec, command=_sandbox(self._settings, ready, told["port"]))
        return told

    def _until(
        self, ready: Callable[[], bool], what: str, child: Child, otherwise: Callable[[], list[str]] | None = None
    ) -> None:
        """Wait until something is ready. A child that ends meanwhile is not waited for in vain.

        otherwise: the command to try instead, once.
        """
        deadline = time.monotonic() + _READY_S
        while not ready():
            if self._stopped.is_set():
                raise Stopped
            if child.pid is None and otherwise is not None:
                child.spec, otherwise = replace(child.spec, command=otherwise()), None
                child.start()
            elif child.pid is None and not ready():
                raise Refused(f"{what[0].upper()}{what[1:]} ended at once; the reason stands above.")
            if time.monotonic() > deadline:
                raise Refused(f"{what[0].upper()}{what[1:]} did not start within {_READY_S:.0f} s; see above.")
            time.sleep(0.1)


LOG_INS = tuple(demo_practice.LOG_INS.items())


def _prepare(control_url: str) -> str:
    """Migrate, and make the demo practice where it is missing. Returns the demo's password."""
    from app.wiring import migrate_database  # noqa: PLC0415 - alembic is slow to import

    settings = Settings.from_env()
    migrate_database(settings)
    with Parts(settings) as here:
        password = demo_practice.password(settings.home)
        demo_practice.ensure(here, control_url, password)
    return password


def _welcome(ready: dict[str, Any]) -> list[str]:
    return [
        "",
        f"Runsheet is ready:  {ready['url']}",
        "",
        "Sign in as any of (all patients are invented):",
        *(f"    {one['email']:<28} {one['password']}" for one in ready["logIns"]),
        "",
        f"Book, cancel and break things in the simulated Gentu:  {ready['controlUrl']}",
        f"Other simulated systems, and what opens them:          {ready['controlUrl']}systems",
        "Ctrl-C stops everything.",
        "",
    ]


def _checked(settings: Settings) -> Settings:
    if settings.production:
        raise Refused("The demo never runs with RUNSHEET_ENV=production.")
    if settings.host not in ("127.0.0.1", "localhost", "::1"):
        raise Refused("The demo serves this machine only: leave HOST at 127.0.0.1.")
    return settings


def _sandbox(settings: Settings, ready: Path, port: int) -> list[str]:
    words = ["--port", str(port), "--home", str(settings.home), "--ready-file", str(ready), "--watch-stdin"]
    return [sys.executable, "-m", "app.sandbox", *words]


def _vendor_environment(simulator: Mapping[str, Any]) -> dict[str, str]:
    """The demo always speaks to its own simulators, whatever the environment says; these open nothing else."""
    gentu = simulator["gentu_base_url"]
    ours = {
        "GENTU_BASE_URL": gentu,
        "GENTU_TOKEN_URL": f"{gentu}/oauth2/token",
        "GENTU_APP_ID": "runsheet-demo",
        "GENTU_CLIENT_ID": "runsheet-demo-client",
        "GENTU_CLIENT_SECRET": "runsheet-demo-secret",
    }
    for vendor in simulator["vendors"].values():
        ours |= vendor["environment"]
    return ours | {f"{name}_FILE": "" for name in ours}


def _answers(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False  # a proxy has no part in speaking to ourselves
        try:
            return session.get(url, timeout=2).ok
        except requests.RequestException:
            return False


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
