"""What is not ours, as a test holds it: a server in Node, clients in an environment of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parent / ".venv-foreign" / "bin" / "python"

Ask = Callable[..., Any]


@pytest.fixture
def ask() -> Ask:
    """`ask("fhirpy", base, token, **work)`: what that library makes of it."""

    def run(what: str, base: str = "-", token: str = "-", **work: Any) -> Any:
        done = subprocess.run(
            [PYTHON, "-W", "ignore", HERE / "clients.py", what, base, token],
            input=json.dumps(work),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="session")
def medplum() -> Iterator[str]:
    """The address of a Medplum repository, empty at first."""
    yield from _running("node", HERE / "medplum.mjs")


@pytest.fixture(scope="session")
def starter() -> Iterator[str]:
    """The address of a server on fhirstarter, with two appointments."""
    yield from _running(PYTHON, "-W", "ignore", HERE / "starter.py")


def _running(*command: str | Path) -> Iterator[str]:
    """A server that says where it listens, and ends with the pipe on its standard input."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), "the server did not start"
        yield address
        process.stdin.close()
        process.wait(10)
