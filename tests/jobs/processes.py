"""Our processes as they are run, what they said, and looking at processes by the kernel's word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """A process of ours, and every line it said."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip())

    def wait_for_line(self, text: str, within_s: float = 30) -> None:
        eventually(lambda: text in self.said or self.popen.poll() is not None, f"“{text}”", within_s)
        assert text in self.said, f"ended with {self.popen.returncode}: {self.said}"

    def end(self, number: int = signal.SIGTERM, within_s: float = 20) -> int:
        """Send a signal and wait; returns the exit code."""
        self.popen.send_signal(number)
        code = self.popen.wait(within_s)
        self._reader.join(5)
        return code


@contextmanager
def process(*words: str, environ: Mapping[str, str]) -> Iterator[Running]:
    """`runsheet …` as its own process, in its own group, ended with everything it forked when the test ends."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *words],
        cwd=ROOT,
        env={**environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Running(popen)
    try:
        yield running
    finally:
        for pid in [*descendants(popen.pid), popen.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        popen.wait(10)
        running._reader.join(5)
        assert popen.stdout is not None
        popen.stdout.close()


def reap(pid: int, within_s: float) -> None:
    """Wait for a worker that was forked from here; it must end well, and in time."""
    ended: list[int] = []

    def has_ended() -> bool:
        found, status = os.waitpid(pid, os.WNOHANG)
        ended.append(status)
        return found == pid

    try:
        eventually(has_ended, "the worker has emptied the queues", within_s)
    except AssertionError:
        for left in [*descendants(pid), pid]:
            os.kill(left, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    assert os.waitstatus_to_exitcode(ended[-1]) == 0, "the worker ended by an error"


# --- looking at processes ---------------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """Direct children, by the kernel's word."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (child, *descendants(child))]


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def eventually(true: Callable[[], object], what: str, within_s: float = 15) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)
