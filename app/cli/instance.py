"""One instance per home folder, on a free port; each refused in one plain line."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from app.cli.output import Refused
from app.config import ROOT, Settings

#: How long processes of an earlier run that was killed may take to let go of the port.
_AFTER_A_KILL_S = 12.0


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the home folder and make sure of the port. Raises Refused."""
    settings.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.runtime / "supervisor.lock").open("a+") as lock:
        before = _written(lock)
        _lock(lock, settings.home)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        # A number left in the file tells of a supervisor that was killed: its children may still be ending.
        _require_free(settings.host, settings.port, _AFTER_A_KILL_S if before else 0.0)
        try:
            yield
        finally:
            lock.truncate(0)


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_free(host: str, port: int) -> bool:
    with closing(socket.socket(family_of(host))) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _lock(file: IO[str], home: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Refused(
            f"Runsheet is already running from {_short(home)} (process {_written(file) or '?'}). "
            "Stop it with Ctrl-C first, or give this one its own folder: RUNSHEET_HOME=var2 PORT=5060 make run"
        ) from None


def _written(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip()


def _require_free(host: str, port: int, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not is_free(host, port):
        if time.monotonic() >= deadline:
            raise Refused(
                f"Port {port} is taken by another program. Stop that, or choose another: PORT={_other(port)} make run"
            )
        time.sleep(0.1)


def _other(port: int) -> int:
    return port + 10 if port + 10 <= 65535 else port - 10


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
