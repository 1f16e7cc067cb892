"""Access tokens: minted on request, good for a while, forgotten at a restart. There is no refresh token."""

from __future__ import annotations

import secrets
import threading
from typing import Literal

from app import clock

_KEPT = 2_000


class Tokens:
    """Expiry is by the real clock. An old token stays good when a new one is minted."""

    def __init__(self) -> None:
        self._expires: dict[str, float] = {}
        self._lock = threading.Lock()

    def mint(self, ttl_s: float) -> str:
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._expires[token] = clock.now().timestamp() + ttl_s
            while len(self._expires) > _KEPT:
                del self._expires[next(iter(self._expires))]
        return token

    def check(self, token: str) -> Literal["good", "expired", "unknown"]:
        with self._lock:
            expires = self._expires.get(token)
        if expires is None:
            return "unknown"
        return "good" if clock.now().timestamp() < expires else "expired"

    def expire_all(self) -> int:
        """Every token ends now; returns how many were still good."""
        now = clock.now().timestamp()
        with self._lock:
            good = [token for token, expires in self._expires.items() if expires > now]
            self._expires.update(dict.fromkeys(good, now))
        return len(good)
