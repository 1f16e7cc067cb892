"""So many requests in any 60 seconds, for the whole app. The vendor publishes no figure."""

from __future__ import annotations

import threading
from collections import deque
from math import ceil

from app import clock

_WINDOW_S = 60.0


class Limiter:
    """A sliding window over the requests that were let in; a refused one does not count."""

    def __init__(self) -> None:
        self._let_in: deque[float] = deque()
        self._lock = threading.Lock()

    def wait_s(self, per_minute: int) -> int:
        """0: let in, and counted. Otherwise whole seconds until there is room."""
        now = clock.monotonic()
        with self._lock:
            while self._let_in and self._let_in[0] <= now - _WINDOW_S:
                self._let_in.popleft()
            if len(self._let_in) < per_minute:
                self._let_in.append(now)
                return 0
            return max(1, ceil(self._let_in[-per_minute] + _WINDOW_S - now))

    def forget(self) -> None:
        with self._lock:
            self._let_in.clear()
