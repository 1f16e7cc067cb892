"""The program around the simulator: how it starts, where it refuses to, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from app.pms.registry import ADAPTERS

from .process import ROOT, running_sandbox

COMMAND = [sys.executable, "-m", "app.sandbox", "--port", "0", "--clinic", "empty"]


@contextmanager
def start(*options: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program with these options; it is killed at the end should the test have failed to end it."""
    with subprocess.Popen(
        [*COMMAND, *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(path: Path) -> dict:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return json.loads(path.read_text())


def test_the_ready_file_names_the_addresses_and_goes_with_the_process(tmp_path: Path) -> None:
    file = tmp_path / "run" / "sandbox.json"
    with start("--ready-file", str(file)) as process:
        told = ready(file)
        assert told == {
            "port": told["port"],
            "pid": process.pid,
            "gentu_base_url": f"http://127.0.0.1:{told['port']}/gentu/v1",
            "control_url": f"http://127.0.0.1:{told['port']}/control/",
            "vendors": told["vendors"],
        }
        assert set(told["vendors"]) == {*ADAPTERS} - {"gentu"}, "each system we speak to has a simulator"
        assert told["vendors"]["intakeq"] == {
            "base_url": f"http://127.0.0.1:{told['port']}/intakeq/api/v1",
            "environment": {"INTAKEQ_BASE_URL": f"http://127.0.0.1:{told['port']}/intakeq/api/v1"},
            "credentials": {"api_key": "intakeq-demo-key-0000000000"},
        }
        assert requests.get(f"{told['control_url']}health", timeout=10).json() == {"ok": True}
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, b"", b"")
    assert not file.exists()
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_while_it_answers(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "ready.json"
    with start("--ready-file", str(file)) as process:
        told = ready(file)
        requests.post(f"{told['control_url']}faults", json={"kind": "slow", "ms": 60_000}, timeout=10)
        with pytest.raises(requests.Timeout):
            requests.get(f"{told['gentu_base_url']}/tenants", timeout=0.2)
        process.send_signal(number)
        assert process.wait(5) == 0


def test_it_ends_with_its_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with start("--ready-file", str(file), "--watch-stdin") as process:
        ready(file)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(5) == 0


def test_it_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """The helper's promise: a test run that is killed leaves no simulator behind."""
    file = tmp_path / "pid"
    script = (
        "import os, pathlib, signal\n"
        "from tests.sandbox.process import running_sandbox\n"
        "with running_sandbox() as sandbox:\n"
        f"    pathlib.Path({str(file)!r}).write_text(str(sandbox.pid))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, timeout=60)
    pid = int(file.read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
        assert time.monotonic() < deadline, "the simulator outlived its parent"
        time.sleep(0.02)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def test_production_is_refused() -> None:
    with start(RUNSHEET_ENV="production") as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert b"never runs with RUNSHEET_ENV=production" in err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "::"])
def test_only_loopback_is_served(host: str) -> None:
    with start("--host", host) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert b"not a loopback address" in err


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with running_sandbox() as sandbox, start("--port", str(sandbox.port)) as process:
        _, err = process.communicate(timeout=20)
        assert process.returncode != 0
        assert b"Traceback" not in err


def test_the_credentials_can_be_chosen(http: requests.Session) -> None:
    options = {"app_id": "mine", "client_id": "me", "client_secret": "hush", "token_ttl": 77}
    with running_sandbox(**options) as sandbox:
        url, form = f"{sandbox.base_url}/oauth2/token", {"grant_type": "client_credentials"}
        body = http.post(url, auth=("me", "hush"), data=form, timeout=10).json()
        assert (body["application_name"], body["expires_in"]) == ("mine", 77)
        assert (
            http.post(url, auth=("runsheet-demo-client", "runsheet-demo-secret"), data=form, timeout=10).status_code
            == 401
        )
