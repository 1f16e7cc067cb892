"""Tokens for an adapter that is only tried: they live as long as it does, and nothing of them is stored."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4


@dataclass(slots=True)
class PassingToken:
    """One token in memory; the shape of app/pms/tokens.TokenStore. `load` hands out the object itself."""

    access: str | None = field(default=None, repr=False)
    refresh: str | None = field(default=None, repr=False)
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    claimed_until: datetime | None = None
    login_failures: int = 0
    version: str | None = None
    _claim: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def load(self) -> PassingToken:
        return self

    def claim(self, claim: str, *, version: str | None, login_failures: int, now: datetime, until: datetime) -> bool:
        with self._lock:
            free = self._claim is None or (self.claimed_until is not None and self.claimed_until <= now)
            if not free or (version, login_failures) != (self.version, self.login_failures):
                return False
            self._claim, self.claimed_until = claim, until
            return True

    def save(
        self, claim: str | None, *, access: str, refresh: str | None, issued_at: datetime, expires_at: datetime
    ) -> bool:
        with self._lock:
            if claim is not None and claim != self._claim:
                return False
            self.access, self.refresh, self.issued_at, self.expires_at = access, refresh, issued_at, expires_at
            self.version, self.login_failures = uuid4().hex, 0
            self._claim = self.claimed_until = None
            return True

    def release(self, claim: str, *, login_failed: bool) -> None:
        with self._lock:
            if claim == self._claim:
                self._claim = self.claimed_until = None
                self.login_failures += login_failed

    def forgive(self, failures: int) -> None:
        self.login_failures = min(self.login_failures, failures)


class PassingTokens:
    """The shape of app/pms/tokens.TokenStores. What was stored before is neither used nor touched.

    A token bought with the present credentials would let wrong new ones pass.
    """

    def __init__(self) -> None:
        self._app: dict[tuple[str, str, str], PassingToken] = {}
        self._own = PassingToken()

    def app(self, kind: str, environment: str, client_hash: str) -> PassingToken:
        return self._app.setdefault((kind, environment, client_hash), PassingToken())

    def connection(self) -> PassingToken:
        return self._own
