"""`runsheet …` inside the test's process: fast enough for every bad word somebody may type."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli import run
from tests.jobs.living import Practice, environment, vendor
from tests.sandbox.process import RunningSandbox

PASSWORD = "seven quiet herons at dusk"


@dataclass
class Told:
    """What a command left: its exit code, and what it said where."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output is one JSON value and nothing else."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        return json.loads(self.out)

    def refuses(self, code: int, *parts: str) -> str:
        """One clear sentence on standard error, nothing on standard output. Returns the sentence."""
        assert (self.code, self.out) == (code, ""), self
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        for part in parts:
            assert part in self.err
        return self.err.strip()


class Shell:
    """A terminal with an environment of its own."""

    def __init__(
        self, environ: Mapping[str, str], capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.environ = dict(environ)
        self._capsys, self._patch = capsys, patch

    def __call__(self, *words: object, stdin: str = "", **more: str | None) -> Told:
        given = {name: value for name, value in (self.environ | more).items() if value is not None}
        with self._patch.context() as patch:
            patch.setattr(os, "environ", given)
            patch.setattr("sys.stdin", io.StringIO(stdin))
            self._capsys.readouterr()
            code = run([str(word) for word in words])
            told = self._capsys.readouterr()
        return Told(code, told.out, told.err)


@pytest.fixture
def shell(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    """No Redis, no PMS; an empty, migrated database."""
    before = signal.getsignal(signal.SIGTERM)
    yield Shell(environment(tmp_path / "home", database_url), capsys, monkeypatch)
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def practice(shell: Shell, living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    """Paired with the simulator, and the shell knows of it. Nothing syncs by itself."""
    made = living(small_clinic)
    made.only_when_pressed()
    shell.environ = {name: value for name, value in made.environ.items() if name != "REDIS_URL"}
    return made


@pytest.fixture
def practice_id(shell: Shell) -> str:
    """A practice without a connection."""
    told = shell("practice", "create", "--name", "Banksia Ridge", "--timezone", "Australia/Melbourne", "--json")
    return str(told.json["id"])


@pytest.fixture
def gentu(shell: Shell, small_clinic: RunningSandbox) -> RunningSandbox:
    """The simulator, set up in the shell's environment."""
    shell.environ |= vendor(small_clinic)
    return small_clinic
