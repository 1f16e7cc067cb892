"""Stops a run from hammering a vendor that is down (P12): half of the last twenty calls failed, so nobody asks for a
while; then one call is tried, and decides. One per client, so one per connection and run: no other practice is touched.

Over several runs the same is done by `sync/run.py`: after five failed ones a single call goes ahead of the sweep.
"""

from __future__ import annotations

import threading
from collections import deque

from app import clock
from app.pms.errors import PmsGivenUp

WINDOW_S = 60.0
FEWEST = 20
SHARE = 0.5
#: How long nobody asks before one call is tried.
PAUSE_S = 30.0


class Breaker:
    """Safe to share between threads. Ask `pass_on` before a call and `note` how it ended."""

    def __init__(self) -> None:
        self._calls: deque[tuple[float, bool]] = deque()
        self._opened: float | None = None
        self._lock = threading.Lock()

    def pass_on(self) -> None:
        """Raises PmsGivenUp while it is open; of those who ask after the pause the first may try."""
        with self._lock:
            if self._opened is None:
                return
            now = clock.monotonic()
            if now - self._opened < PAUSE_S:
                raise PmsGivenUp("most of the last calls failed")
            self._opened = now  # everybody else waits for this one

    def note(self, *, answered: bool) -> None:
        with self._lock:
            now = clock.monotonic()
            if self._opened is not None:
                self._calls.clear()
                self._opened = None if answered else now
                return
            self._calls.append((now, answered))
            while self._calls[0][0] < now - WINDOW_S:
                self._calls.popleft()
            failed = sum(not one for _, one in self._calls)
            if len(self._calls) >= FEWEST and failed >= SHARE * len(self._calls):
                self._opened = now
