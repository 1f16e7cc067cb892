"""`runsheet demo` as a new user starts it: one command, one address, and nothing left when it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from app.jobs.redis import announced
from tests.jobs.processes import ROOT, descendants, eventually, is_alive


@pytest.fixture
def home() -> Iterator[Path]:
    """As short as a checkout's own."""
    made = Path(tempfile.mkdtemp(prefix="rsd-"))
    yield made / "var"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def other_home(tmp_path: Path) -> Path:
    """So long that no socket could lie in it."""
    return tmp_path / ("deep" * 20) / "var"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, port: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"RUNSHEET_HOME": str(home), "PORT": str(port), "http_proxy": "http://127.0.0.1:9/"}


class Demo:
    """A running demo, what it said, and the data it keeps."""

    def __init__(self, popen: subprocess.Popen[str], home: Path, said: Path) -> None:
        self.popen = popen
        self.home = home
        self._said = said
        self.ready: dict[str, Any] = {}

    @property
    def said(self) -> str:
        return self._said.read_text()

    def wait_until_ready(self) -> None:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, self.said
        self.ready = json.loads(line)

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.home}/runsheet.db?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    def ids(self) -> list[Any]:
        return self.rows("SELECT p.id, c.id, c.tenant_id FROM practices p JOIN pms_connections c")

    def processes(self, word: str = "") -> list[int]:
        found = descendants(self.popen.pid)
        return [pid for pid in found if not word or f"app.cli\0{word}" in _command_line(pid)]

    def answers(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"{self.ready['url']}login", timeout=5).ok

    def end(self, number: int = signal.SIGINT) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(30)


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


@contextmanager
def demo(home: Path, port: int, said: Path) -> Iterator[Demo]:
    with said.open("a") as errors:
        popen = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo", "--json"],
            cwd=ROOT,
            env=environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    running = Demo(popen, home, said)
    try:
        yield running
    finally:
        left = [*descendants(popen.pid), popen.pid]
        popen.kill()
        popen.wait(10)
        assert popen.stdout is not None
        popen.stdout.close()
        with suppress(AssertionError):
            eventually(lambda: not any(is_alive(pid) for pid in left), "everything has ended", 15)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def refused(home: Path, port: int) -> str:
    """What a demo that may not start says."""
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "demo"],
        cwd=ROOT,
        env=environment(home, port),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    return ended.stderr


def test_one_command_starts_everything_and_ctrl_c_ends_all_of_it(home: Path, tmp_path: Path) -> None:
    port = free_port()
    with demo(home, port, tmp_path / "said") as first:
        first.wait_until_ready()
        assert first.ready["url"] == f"http://127.0.0.1:{port}/"
        people = {one["email"]: one["role"] for one in first.ready["logIns"]}
        assert people == {
            "reception@demo.example": "receptionist",
            "clinician@demo.example": "clinician",
            "admin@demo.example": "admin",
            "owner@demo.example": "owner",
        }
        assert first.answers()
        eventually(lambda: first.rows("SELECT 1 FROM run_sheet_appointments"), "the first sync has come through", 20)
        assert (home.stat().st_mode & 0o777, (home / "secrets" / "demo_password").stat().st_mode & 0o777) == (
            0o700,
            0o600,
        )

        assert refused(home, free_port()).startswith("Runsheet is already running from ")
        assert refused(home, free_port()).count("\n") == 1
        assert refused(tmp_path / "elsewhere", port) == (
            f"Port {port} is taken by another program. Stop that, or choose another: PORT={port + 10} make run\n"
        )

        victim, *_ = first.processes("worker")
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: "ended (SIGKILL); starting it again" in first.said, "the supervisor noticed", 5)
        eventually(lambda: first.said.count("worker ready") == 3, "a new worker is ready", 15)

        everything = first.processes()
        assert len(everything) >= 9  # redis and its guard, simulator, two workers, scheduler, three of web
        assert first.end(signal.SIGINT) == 0
        assert not any(is_alive(pid) for pid in everything)
        assert first.said.splitlines()[-1] == "runsheet   | Stopping."
        assert "Traceback" not in first.said
        assert announced(home / "run") is None
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", port))


def test_killed_hard_it_leaves_nothing_and_a_second_start_carries_on(home: Path, tmp_path: Path) -> None:
    port = free_port()
    with demo(home, port, tmp_path / "first") as first:
        first.wait_until_ready()
        before, password = first.ids(), first.ready["logIns"][0]["password"]
        everything = first.processes()
        first.popen.kill()
        killed = time.monotonic()
        with demo(home, port, tmp_path / "second") as second:  # at once: its predecessor's children are still ending
            eventually(lambda: not any(is_alive(pid) for pid in everything), "all of them have ended", 15)
            assert time.monotonic() - killed < 15
            second.wait_until_ready()
            assert second.ids() == before  # the same practice, and no second pairing
            assert len(before) == 1
            assert second.ready["logIns"][0]["password"] == password
            assert second.answers()
            eventually(lambda: second.rows("SELECT 1 FROM run_sheet_appointments"), "the sync goes on", 20)
            assert second.end(signal.SIGTERM) == 0


def test_two_demos_in_two_homes_do_not_disturb_each_other(home: Path, other_home: Path, tmp_path: Path) -> None:
    with (
        demo(home, free_port(), tmp_path / "one") as one,
        demo(other_home, free_port(), tmp_path / "two") as two,
    ):
        for each in (one, two):
            each.wait_until_ready()
        assert one.ready["controlUrl"] != two.ready["controlUrl"]
        sockets = [announced(each.home / "run") for each in (one, two)]
        assert all(told is not None and told.answers() for told in sockets)
        assert one.end(signal.SIGHUP) == 0
        assert two.answers()
        eventually(lambda: two.rows("SELECT 1 FROM run_sheet_appointments"), "the other one syncs", 20)
        assert two.end() == 0
        assert sockets[1] is not None
        assert not Path(sockets[1].socket).parent.exists()  # it lay in a short folder of its own


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"HOST": "0.0.0.0"}, "The demo serves this machine only: leave HOST at 127.0.0.1.\n"),
        ({"PORT": "0"}, "Runsheet cannot start with these settings:\n  - PORT is “0”; "),
    ],
)
def test_what_the_demo_does_not_do_is_said_before_anything_starts(
    tmp_path: Path, setting: dict[str, str], sentence: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "demo"],
        cwd=ROOT,
        env=environment(tmp_path / "var", free_port()) | setting,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (4, "")
    assert ended.stderr.startswith(sentence)
    assert not (tmp_path / "var" / "run").exists()
