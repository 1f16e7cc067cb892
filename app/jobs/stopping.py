"""How a worker tells its work horse to come to an end: a signal sets a flag, the run ends at its next page boundary."""

from __future__ import annotations

import signal
import threading

SIGNAL = signal.SIGUSR1
_asked = threading.Event()


def listen() -> None:
    """In the work horse: from now on the signal means "put the run back"."""
    _asked.clear()
    signal.signal(SIGNAL, lambda *_: _asked.set())


def stop_asked() -> bool:
    return _asked.is_set()
