"""A child of the supervisor ends when its supervisor does, however hard that was killed.

The supervisor holds the other end of a pipe on the child's standard input. When it dies the kernel closes that end,
and the child reads the end of file. No polling, no signal that could be missed, the same on Linux and macOS.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

ENV = "RUNSHEET_LIFELINE"
_GRACE_S = 8.0


def hold(on_end: Callable[[], None] | None = None) -> None:
    """Start watching, where the supervisor asked for it; otherwise do nothing.

    on_end: what to do at the end; by default the process gets SIGTERM, and is ended hard if it lingers.
    """
    if os.environ.get(ENV) == "1":
        threading.Thread(target=_watch, args=(on_end or _terminate,), name="lifeline", daemon=True).start()


def _watch(on_end: Callable[[], None]) -> None:
    try:
        while os.read(0, 64):
            pass
    except OSError:
        pass
    on_end()


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_S)
    os._exit(1)


def end_now() -> None:
    """For a process that has nothing to put away, such as a work horse whose run is fenced anyway."""
    os._exit(1)
