"""The simulator as a separate process, for any test that needs a vendor: `with running_sandbox() as sandbox:`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
APP_ID, CLIENT_ID, CLIENT_SECRET = "runsheet-demo", "runsheet-demo-client", "runsheet-demo-secret"
_START_S = 30.0


class RunningSandbox:
    """What a test holds while the simulator runs. `base_url` is what GENTU_BASE_URL would be."""

    def __init__(self, process: subprocess.Popen[bytes], ready: dict[str, Any], session: requests.Session) -> None:
        self.process = process
        self.pid: int = ready["pid"]
        self.port: int = ready["port"]
        self.base_url: str = ready["gentu_base_url"]
        #: By kind: base_url, environment, credentials.
        self.vendors: dict[str, dict[str, Any]] = ready["vendors"]
        self.intakeq_url: str = self.url_of("intakeq")
        self.ezyvet_url: str = self.url_of("ezyvet")
        self.control_url: str = ready["control_url"]
        self._session = session

    def url_of(self, kind: str) -> str:
        """What that vendor's base address would be."""
        return str(self.vendors[kind]["base_url"])

    def control(self, path: str, /, **body: Any) -> dict[str, Any]:
        """Post an order to `/control/<path>`; an order that is refused fails the test with the refusal."""
        response = self._session.post(f"{self.control_url}{path}", json=body, timeout=30)
        assert response.ok, f"{path} {body}: {response.status_code} {response.text}"
        return response.json()

    def read(self, path: str, /, **query: Any) -> dict[str, Any]:
        """Ask `/control/<path>`."""
        response = self._session.get(f"{self.control_url}{path}", params=query, timeout=30)
        assert response.ok, f"{path}: {response.status_code} {response.text}"
        return response.json()

    def state(self, log: int = 200) -> dict[str, Any]:
        """What the simulator has seen and holds; see `/control/state`."""
        return self.read("state", log=log)

    def truth(self, day: str | None = None, tenant_id: str | None = None) -> list[dict[str, Any]]:
        """Every appointment of a local day (today), whoever it is with, as the vendor would send it."""
        return self.read("book", day=day, tenant_id=tenant_id)["appointments"]

    @property
    def tenant_id(self) -> str:
        """The first practice's."""
        return self.state(log=0)["tenants"][0]["tenantId"]

    def pairing_code(self, tenant_id: str | None = None) -> str:
        return self.control("pairing-codes", tenant_id=tenant_id)["code"]

    def break_(self, kind: str, /, **options: Any) -> int:
        """Switch a fault on; returns its id."""
        return self.control("faults", kind=kind, **options)["id"]

    def mend(self) -> None:
        self.control("faults/clear")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running_sandbox(clinic: str = "empty", **options: Any) -> Iterator[RunningSandbox]:
    """Start `python -m app.sandbox` on a free port, wait until it serves, and end it afterwards.

    options: the command line's, with underscores: `home=path`, `tenants=2`, `paired=True`, `token_ttl=5`, `still=True`.
    The process also ends with this one, however this one ends: it watches the pipe on its standard input.
    """
    with tempfile.TemporaryDirectory() as folder, requests.Session() as session:
        session.trust_env = False
        ready_file = Path(folder) / "ready.json"
        process = subprocess.Popen(
            [*_command(clinic, options), "--ready-file", str(ready_file), "--watch-stdin"],
            cwd=ROOT,
            env={**os.environ, "RUNSHEET_ENV": "test"},
            stdin=subprocess.PIPE,
        )
        assert process.stdin is not None
        try:
            yield RunningSandbox(process, _wait_for(ready_file, process), session)
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def _command(clinic: str, options: dict[str, Any]) -> list[str]:
    command = [sys.executable, "-m", "app.sandbox", "--port", "0", "--clinic", clinic]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            command.append(flag)
        elif value is not None and value is not False:
            command += [flag, str(value)]
    return command


def _wait_for(ready_file: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    deadline = time.monotonic() + _START_S
    while not ready_file.exists():
        assert process.poll() is None, f"the simulator ended at once with {process.returncode}"
        assert time.monotonic() < deadline, "the simulator did not become ready"
        time.sleep(0.02)
    return json.loads(ready_file.read_text())
