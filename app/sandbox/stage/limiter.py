"""So many requests in any stretch of so many seconds. A refused one does not count."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from math import ceil

from app import clock


class Limiter:
    def __init__(self) -> None:
        self._let_in: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, windows: Iterable[tuple[int, float]], key: str = "") -> int:
        """0: let in, and counted. Otherwise whole seconds until there is room. windows: (allowed, seconds) each."""
        limits = tuple(windows)
        now = clock.monotonic()
        with self._lock:
            before = self._let_in.setdefault(key, deque())
            longest = max((seconds for _, seconds in limits), default=0.0)
            while before and before[0] <= now - longest:
                before.popleft()
            wait = max((self._until(before, *limit, now) for limit in limits), default=0.0)
            if wait <= 0:
                before.append(now)
                return 0
            return max(1, ceil(wait))

    def left(self, windows: Iterable[tuple[int, float]], key: str = "") -> tuple[int, int]:
        """What the tightest stretch allows, and how much of that is left; for vendors who say so. (0, 0): no limit."""
        now = clock.monotonic()
        with self._lock:
            before = self._let_in.get(key, ())
            told = [(allowed, allowed - sum(at > now - seconds for at in before)) for allowed, seconds in windows]
        allowed, left = min(told, key=lambda one: one[1], default=(0, 0))
        return allowed, max(0, left)

    @staticmethod
    def _until(before: deque[float], allowed: int, window_s: float, now: float) -> float:
        inside = [at for at in before if at > now - window_s]
        return 0.0 if len(inside) < allowed else inside[-allowed] + window_s - now

    def forget(self) -> None:
        with self._lock:
            self._let_in.clear()
