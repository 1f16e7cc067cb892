"""The vendor's two limits as sliding windows: one for each endpoint, one for all of them."""

from __future__ import annotations

import threading
from collections import deque
from math import ceil

from app import clock

_WINDOW_S = 60.0


class Limiter:
    def __init__(self) -> None:
        self._let_in: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def ask(self, endpoint: str, per_endpoint: int, overall: int) -> tuple[int, int]:
        """(places left, 0) where the request may pass, else (0, whole seconds until it may)."""
        with self._lock:
            now = clock.monotonic()
            wait, left = 0.0, overall
            windows = ((endpoint, per_endpoint), ("", overall))
            for key, allowed in windows:
                times = self._let_in.setdefault(key, deque())
                while times and times[0] <= now - _WINDOW_S:
                    times.popleft()
                left = min(left, allowed - len(times) - 1)
                if len(times) >= allowed:
                    wait = max(wait, times[-allowed] + _WINDOW_S - now)
            if wait > 0:
                return 0, max(1, ceil(wait))
            for key, _ in windows:
                self._let_in[key].append(now)
            return max(0, left), 0

    def forget(self) -> None:
        with self._lock:
            self._let_in.clear()
