"""Access tokens that look like the vendor's: a JWT's three parts, with the claims that were seen. Gone at a restart."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from uuid import uuid4

from app import clock

_KEPT = 2_000


class Tokens:
    """Expiry is by the real clock."""

    def __init__(self) -> None:
        self._good: dict[str, tuple[float, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def mint(self, ttl_s: float, scopes: frozenset[str], site_uid: str, *, alone: bool) -> str:
        """alone: it ends every token before it."""
        now = clock.now().timestamp()
        claims = {"jti": str(uuid4()), "iat": int(now), "nbf": int(now), "exp": int(now + ttl_s), "sub": "",
                  "scopes": sorted(scopes), "iss": "ezyvet", "grp": "simulator", "site_uid": site_uid}  # fmt: skip
        token = ".".join((_part({"typ": "JWT", "alg": "RS256"}), _part(claims), secrets.token_urlsafe(24)))
        with self._lock:
            if alone:
                self._good.clear()
            self._good[token] = (now + ttl_s, scopes)
            while len(self._good) > _KEPT:
                del self._good[next(iter(self._good))]
        return token

    def scopes(self, token: str) -> frozenset[str] | None:
        """What a good token allows; None for any other."""
        with self._lock:
            expires, scopes = self._good.get(token, (0.0, frozenset()))
        return scopes if clock.now().timestamp() < expires else None

    def end_all(self) -> int:
        with self._lock:
            ended = len(self._good)
            self._good.clear()
        return ended


def _part(body: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
