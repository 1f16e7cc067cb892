"""How a worker tells its work horse to come to an end: a signal sets a flag, the run ends at its next page boundary."""

from __future__ import annotations

import os
import signal
import threading

SIGNAL = signal.SIGUSR1
_asked = threading.Event()


def prepare() -> None:
    """In the worker, before it forks: horses are born listening, so that no signal falls into a gap."""
    worker = os.getpid()

    def note(*_: object) -> None:
        if os.getpid() != worker:
            _asked.set()

    _asked.clear()
    signal.signal(SIGNAL, note)


def stop_asked() -> bool:
    return _asked.is_set()
