"""Starts processes, says which of them said what, starts what dies again, and leaves none behind.

Each child holds a lifeline (see lifeline.py): even a supervisor killed hard takes them all along.
"""

from __future__ import annotations

import contextlib
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
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Spec:
    """A process to keep running. Those of a higher stage stop first, those of one stage together."""

    name: str
    command: Sequence[str]
    stage: int = 0
    env: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One process and its successors."""

    def __init__(self, spec: Spec, say: Callable[[str, str], None]) -> None:
        self.spec = spec
        self._say = say
        self._process: subprocess.Popen[str] | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._started = 0.0
        self._retry_at = 0.0

    @property
    def pid(self) -> int | None:
        """The running process's."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> None:
        env = {**os.environ, **self.spec.env, lifeline.ENV: "1", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
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
        assert self._process.stdout is not None
        threading.Thread(target=self._relay, args=(self._process.stdout,), daemon=True).start()

    def look_after(self) -> None:
        """Start it again when it has ended, more slowly each time it does not last."""
        if self._process is None or self._process.poll() is None:
            return
        now = time.monotonic()
        if not self._retry_at:
            if now - self._started > _SETTLED_S:
                self._pause_s = _FIRST_PAUSE_S
            self._say("supervisor", f"{self.spec.name} ended ({_how(self._process.returncode)}); starting it again")
            self._cut_lifeline()  # whatever it left running, such as a work horse, ends as well
            self._retry_at = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        elif now >= self._retry_at:
            try:
                self.start()
            except OSError as error:  # no memory, no process to be had: that may pass
                self._say("supervisor", f"{self.spec.name} could not be started ({type(error).__name__})")
                self._retry_at = now + _LONGEST_PAUSE_S
            else:
                self._retry_at = 0.0

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, deadline: float) -> None:
        """Wait for the end until `deadline`, then end it and its group hard."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._say("supervisor", f"{self.spec.name} did not stop in time and is killed")
            os.killpg(self._process.pid, signal.SIGKILL)  # not waited for yet, so the number is still its own
            self._process.wait()
        self._cut_lifeline()

    def _cut_lifeline(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

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
        """One line, marked with who said it. Nobody reading any more stops nothing: children must not block."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._out.write(f"{name:<{self._width}} | {line}\n")
            self._out.flush()

    def start(self, spec: Spec) -> Child:
        child = Child(spec, self.say)
        self.children.append(child)
        child.start()
        return child

    def wait(self, stopped: threading.Event) -> None:
        """Look after the children until told to stop."""
        while not stopped.wait(_LOOK_S):
            self.look_after()

    def look_after(self) -> None:
        for child in self.children:
            child.look_after()

    def stop(self) -> None:
        for stage in sorted({child.spec.stage for child in self.children}, reverse=True):
            together = [child for child in self.children if child.spec.stage == stage]
            for child in together:
                child.ask_to_stop()
            deadline = time.monotonic() + _STOP_S
            for child in together:
                child.stop(deadline)
        self.children.clear()


def _how(returncode: int) -> str:
    """A return code as a person reads it."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
