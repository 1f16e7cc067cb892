"""Tokens: stored encrypted, renewed in time, renewed once even when many workers ask at the same moment (E03, P13).

Single flight works over threads and processes by a claim in the token's own row: one conditional UPDATE wins the right
to mint, everybody else waits for the stored result. No database transaction is open while the vendor is asked: a row
lock held over a network call would stop every writer on SQLite, and outlive its use on PostgreSQL.

A claim is a lease of 30 s. A process that dies in the middle holds the others up for that long, no longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from app import clock
from app.errors import Unreadable
from app.pms.errors import PmsAuthFailed, PmsCancelled, PmsSecretsUnreadable, PmsUnavailable
from app.pms.retry import never

#: How long a claim holds. Minting must be over by then, see MINT_DEADLINE_S and MINT_WAIT_S.
LEASE_S = 30.0
#: The vendor's answer to a log-in, and the wait for a place in the limiter: two of each and a pause fit in a lease.
MINT_DEADLINE_S = 8.0
MINT_WAIT_S = 5.0
POLL_S = 0.05
#: Log-ins a vendor may refuse before we stop asking with the same credential: more locks accounts.
MAX_LOGIN_FAILURES = 2
_LONGEST_BUFFER = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and its life, both instants UTC."""

    access: str = field(repr=False)
    issued_at: datetime
    expires_at: datetime
    refresh: str | None = field(default=None, repr=False)


class StoredToken(Protocol):
    """What a token's row holds. `version` changes with every stored token and shows nothing of it."""

    @property
    def access(self) -> str | None: ...
    @property
    def refresh(self) -> str | None: ...
    @property
    def issued_at(self) -> datetime | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def claimed_until(self) -> datetime | None: ...
    @property
    def login_failures(self) -> int: ...
    @property
    def version(self) -> str | None: ...


class TokenStore(Protocol):
    """One token's row. Every method is one short transaction (app/store/tokens.py)."""

    def load(self) -> StoredToken:
        """What is stored now. Raises Unreadable where it cannot be decrypted."""

    def claim(self, claim: str, *, version: str | None, login_failures: int, now: datetime, until: datetime) -> bool:
        """Take the right to mint; False where another holds it or the row no longer has these two values."""

    def save(
        self, claim: str | None, *, access: str, refresh: str | None, issued_at: datetime, expires_at: datetime
    ) -> bool:
        """Store a token, forget failed log-ins, give the claim back. False where `claim` is no longer ours.

        claim None stores whoever holds it.
        """

    def release(self, claim: str, *, login_failed: bool) -> None:
        """Give the claim back without a token; count the log-in when the vendor refused it."""

    def forgive(self, failures: int) -> None:
        """Count no more than so many refused log-ins."""


class TokenStores(Protocol):
    """Where an adapter gets its token's row."""

    def app(self, kind: str, environment: str, client_hash: str) -> TokenStore:
        """The app-wide token of one client at one vendor; a changed client has another row."""

    def connection(self) -> TokenStore:
        """The connection's own token."""


class TokenManager:
    """The one place a request gets its token from. Safe to share between threads.

    mint: asks the vendor for a token, given the one stored before (its refresh token, where there is one). Raises
    PmsAuthFailed where the credential is refused, another PmsError where nobody knows.
    """

    def __init__(
        self,
        store: TokenStore,
        mint: Callable[[Token | None], Token],
        *,
        sleep: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._store = store
        self._mint = mint
        self._sleep = sleep
        self._cancelled = cancelled
        self._token: Token | None = None
        self._refused: str | None = None
        self._lock = threading.Lock()

    @staticmethod
    def is_expired(token: Token, now: datetime | None = None) -> bool:
        """Whether the token is over, or so near its end that a request might outlive it.

        The buffer is five minutes, or a fifth of the token's life where that is shorter.
        """
        buffer = min(_LONGEST_BUFFER, (token.expires_at - token.issued_at) / 5)
        return (now or clock.now()) >= token.expires_at - buffer

    def get_valid_token(self) -> str:
        """An access token that may be sent now. Touches the store only when the one at hand will not do.

        Raises, without a call, PmsAuthFailed after two refused log-ins and PmsSecretsUnreadable where the stored one
        cannot be decrypted; any PmsError of the vendor's answer.
        """
        token = self._token
        return token.access if token and self._good(token) else self.refresh_if_needed().access

    def refresh_if_needed(self) -> Token:
        """The present token, renewed first where it is about to end; whoever comes second gets the first one's."""
        with self._lock:
            token = self._token
            if token is None or not self._good(token):
                token = self._token = self._stored_or_minted()
            return token

    def invalidate(self, token_that_failed: str) -> None:
        """The vendor refused this token (401). The next request gets another; a newer one at hand is kept."""
        with self._lock:
            if self._token is None or self._token.access == token_that_failed:
                self._token, self._refused = None, token_that_failed

    def refresh(self) -> Token:
        """A new token whatever the age of the present one."""
        present = self._token.access if self._token else self._load().access
        if present:
            self.invalidate(present)
        return self.refresh_if_needed()

    def allow_another_login(self) -> None:
        """A person asks, by a new pairing code or a press of Test: one log-in more, even after two that were refused.

        What was refused may have been put right at the vendor's end, where no setting of ours changes.
        """
        self._store.forgive(MAX_LOGIN_FAILURES - 1)

    def store(self, token: Token) -> None:
        """Keep a token that came by another way than `mint`."""
        with self._lock:
            self._save(None, token)
            self._token = token

    def _good(self, token: Token) -> bool:
        return token.access != self._refused and not self.is_expired(token)

    def _stored_or_minted(self) -> Token:
        give_up = clock.monotonic() + 3 * LEASE_S
        while clock.monotonic() < give_up:
            if self._cancelled():
                raise PmsCancelled()
            seen = self._load()
            token = _token_of(seen)
            if token and self._good(token):
                return token
            if seen.login_failures >= MAX_LOGIN_FAILURES:
                raise PmsAuthFailed("the credential was refused twice and has not been changed since")
            now = clock.now()
            if seen.claimed_until is None or seen.claimed_until <= now:
                claim = str(uuid4())
                if self._store.claim(
                    claim,
                    version=seen.version,
                    login_failures=seen.login_failures,
                    now=now,
                    until=now + timedelta(seconds=LEASE_S),
                ):
                    return self._minted(claim, token)
            (self._sleep or clock.sleep)(POLL_S)
        raise PmsUnavailable("nobody could renew the token", reason="deadline")

    def _load(self) -> StoredToken:
        try:
            return self._store.load()
        except Unreadable as error:
            raise PmsSecretsUnreadable("a stored token cannot be decrypted") from error

    def _minted(self, claim: str, before: Token | None) -> Token:
        try:
            token = self._mint(before)
        except BaseException as error:
            self._store.release(claim, login_failed=isinstance(error, PmsAuthFailed))
            raise
        self._save(claim, token)  # where the lease ran out meanwhile, theirs stays stored and ours serves this run
        return token

    def _save(self, claim: str | None, token: Token) -> None:
        self._store.save(
            claim,
            access=token.access,
            refresh=token.refresh,
            issued_at=token.issued_at,
            expires_at=token.expires_at,
        )


def _token_of(seen: StoredToken) -> Token | None:
    if seen.access is None or seen.issued_at is None or seen.expires_at is None:
        return None
    return Token(seen.access, seen.issued_at, seen.expires_at, seen.refresh)
