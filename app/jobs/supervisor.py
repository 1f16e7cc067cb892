"""Starts processes, says which of them said what, starts what dies again, and leaves none behind.

Each child holds a lifeline (see lifeline.py): even a supervisor killed hard takes them all along.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from app.jobs import lifeline

_STOP_S = 12.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 15.0
#: A child that lived this long did start well: the next restart is quick again.
_SETTLED_S = 30.0


@dataclass(frozen=True, slots=True)
class Spec:
    """A process to keep running. Stopped in reverse order of starting."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One process and its successors."""

    def __init__(self, spec: Spec, say: Callable[[str, str], None]) -> None:
        self.spec = spec
        self._say = say
        self.process: subprocess.Popen[str] | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._started = 0.0
        self._retry_at = 0.0

    def start(self) -> None:
        env = {**os.environ, **self.spec.env, lifeline.ENV: "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            list(self.spec.command),
            stdin=subprocess.PIPE,  # the lifeline: our end closes when we are gone
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=env,
            start_new_session=True,  # Ctrl-C at the terminal reaches the supervisor alone
        )
        self._started = time.monotonic()
        assert self.process.stdout is not None
        threading.Thread(target=self._relay, args=(self.process.stdout,), daemon=True).start()

    def look_after(self) -> None:
        """Start it again when it has ended, more slowly each time it does not last."""
        if self.process is None or self.process.poll() is None:
            return
        now = time.monotonic()
        if not self._retry_at:
            if now - self._started > _SETTLED_S:
                self._pause_s = _FIRST_PAUSE_S
            self._say("supervisor", f"{self.spec.name} ended ({self.process.returncode}); starting it again")
            self._retry_at = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        elif now >= self._retry_at:
            self._retry_at = 0.0
            self.start()

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _relay(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                self._say(self.spec.name, line.rstrip())


class Supervisor:
    """Use as a context manager: leaving it stops everything that was started, last first."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out or sys.stdout
        self._lock = threading.Lock()
        self.children: list[Child] = []
        self._width = 10

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def say(self, name: str, line: str) -> None:
        with self._lock:
            self._out.write(f"{name:<{self._width}} | {line}\n")
            self._out.flush()

    def start(self, spec: Spec) -> Child:
        child = Child(spec, self.say)
        self.children.append(child)
        child.start()
        return child

    def wait(self, stopped: threading.Event) -> None:
        """Look after the children until told to stop."""
        while not stopped.wait(0.2):
            for child in self.children:
                child.look_after()

    def stop(self) -> None:
        for child in reversed(self.children):
            child.ask_to_stop()
            child.stop(time.monotonic() + _STOP_S)
        self.children.clear()
