"""The scripted server, and tools that wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from app.pms.http import PmsHttp
from app.pms.limits import Limits, LocalLimiter
from app.pms.tools import Tools
from tests.pms.scripted import Scripted, scripted


@dataclass
class Row:
    """A token row in memory, for tests that are not about the database."""

    access: str | None = None
    refresh: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    claimed_until: datetime | None = None
    login_failures: int = 0
    version: str | None = None


@dataclass
class MemoryTokens:
    """The store of one token, without a database."""

    row: Row = field(default_factory=Row)
    _claim: str | None = None

    def load(self) -> Row:
        return self.row

    def claim(self, claim: str, *, version: str | None, login_failures: int, now: datetime, until: datetime) -> bool:
        free = self._claim is None or self.row.claimed_until is None or self.row.claimed_until <= now
        if not free or version != self.row.version or login_failures != self.row.login_failures:
            return False
        self._claim, self.row.claimed_until = claim, until
        return True

    def save(
        self, claim: str | None, *, access: str, refresh: str | None, issued_at: datetime, expires_at: datetime
    ) -> bool:
        if claim not in (None, self._claim):
            return False
        self._claim = None
        self.row = Row(access, refresh, issued_at, expires_at, version=access)
        return True

    def release(self, claim: str, *, login_failed: bool) -> None:
        if claim == self._claim:
            self._claim, self.row.claimed_until = None, None
            self.row.login_failures += login_failed

    def forgive(self, failures: int) -> None:
        self.row.login_failures = min(self.row.login_failures, failures)


@dataclass
class MemoryStores:
    """Token rows by client, as an adapter asks for them."""

    rows: dict[tuple[str, str, str], MemoryTokens] = field(default_factory=dict)

    def app(self, kind: str, environment: str, client_hash: str) -> MemoryTokens:
        return self.rows.setdefault((kind, environment, client_hash), MemoryTokens())

    def connection(self) -> MemoryTokens:
        return self.rows.setdefault(("", "", ""), MemoryTokens())


@dataclass
class Waits:
    """Counts the seconds nobody waits."""

    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    @property
    def total(self) -> float:
        return sum(self.slept)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as running:
        yield running


@pytest.fixture
def waits() -> Waits:
    return Waits()


class Limiter(LocalLimiter):
    """A limiter that only remembers what it was told: a shut key would make a test wait for real."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float | None] = []
        self.places = 0

    def reserve(self, key: str, connection: str, limits: Limits, *, manual: bool = False) -> float:
        self.places += 1
        return 0.0

    def handle_rate_limit_response(self, key: str, retry_after_s: float | None = None) -> None:
        self.told.append(retry_after_s)


@pytest.fixture
def limiter() -> Limiter:
    return Limiter()


@pytest.fixture
def tools(waits: Waits, limiter: Limiter) -> Tools:
    return Tools(limiter=limiter, tokens=MemoryStores(), connection="a connection", sleep=waits)


@pytest.fixture
def http(server: Scripted, tools: Tools) -> Iterator[PmsHttp]:
    """A client for the scripted server; `send` unsigned calls with it."""
    client = PmsHttp(server.url, tools, limits=Limits(), limit_key="a client")
    yield client
    client.close()
