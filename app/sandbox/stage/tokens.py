"""Access tokens of a simulated vendor. Gone at a restart; expiry is by the real clock."""

from __future__ import annotations

import secrets
import threading

from app import clock

_KEPT = 2_000


class Tokens:
    def __init__(self) -> None:
        self._good: dict[str, float] = {}
        self._lock = threading.Lock()

    def mint(self, ttl_s: float, token: str | None = None) -> str:
        """A token that is good for so long. token: one that must look like the vendor's."""
        token = token or secrets.token_urlsafe(32)
        with self._lock:
            self._good[token] = clock.now().timestamp() + ttl_s
            while len(self._good) > _KEPT:
                del self._good[next(iter(self._good))]
        return token

    def is_good(self, token: str) -> bool:
        with self._lock:
            return clock.now().timestamp() < self._good.get(token, 0.0)

    def end_all(self) -> int:
        """Every token ends now; returns how many."""
        with self._lock:
            ended = len(self._good)
            self._good.clear()
        return ended
