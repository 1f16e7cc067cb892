"""All that the simulated account holds while it runs, its two limits, and how a view gets at it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple, cast

import msgspec
from flask import current_app
from msgspec import Struct

from app import clock
from app.errors import InvalidInput
from app.sandbox.intakeq import API_KEY
from app.sandbox.intakeq.book import Book
from app.sandbox.intakeq.faults import Faults

EXTENSION = "runsheet.sandbox.intakeq"
_MINUTE_S, _DAY_S = 60.0, 86_400.0


class Knobs(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the vendor behaves while nothing is broken. Set through the control API, gone at a restart."""

    api_key: str = API_KEY
    per_minute: int = 10
    per_day: int = 500
    #: Whether a 429 says how long; the vendor documents nothing.
    retry_after: bool = False
    #: Whether the ends of startDate and endDate belong to the window: sources differ.
    inclusive: bool = True
    #: Every page is the first one.
    ignores_page: bool = False


class Entry(NamedTuple):
    """One request as it came in. `at` is in seconds since 1970; `query` as sent. Status 0: closed without an answer."""

    at: float
    route: str
    path: str
    query: str
    status: int


class Limiter:
    """So many requests in any 60 seconds and in any 24 hours. A refused one does not count."""

    def __init__(self) -> None:
        self._let_in: deque[float] = deque()
        self._lock = threading.Lock()

    def wait_s(self, per_minute: int, per_day: int) -> int:
        """0: let in, and counted. Otherwise whole seconds until there is room."""
        now = clock.monotonic()
        with self._lock:
            while self._let_in and self._let_in[0] <= now - _DAY_S:
                self._let_in.popleft()
            wait = max(self._until(per_minute, _MINUTE_S, now), self._until(per_day, _DAY_S, now))
            if wait <= 0:
                self._let_in.append(now)
                return 0
            return max(1, ceil(wait))

    def _until(self, allowed: int, window_s: float, now: float) -> float:
        inside = [at for at in self._let_in if at > now - window_s]
        return 0.0 if len(inside) < allowed else inside[-allowed] + window_s - now

    def forget(self) -> None:
        with self._lock:
            self._let_in.clear()


@dataclass(slots=True)
class Account:
    book: Book
    knobs: Knobs = field(default_factory=Knobs)
    limiter: Limiter = field(default_factory=Limiter)
    faults: Faults = field(default_factory=Faults)
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=5000))

    def turn(self, changes: dict[str, object]) -> Knobs:
        """Set some knobs. Raises InvalidInput; nothing is set then."""
        try:
            self.knobs = msgspec.convert({**msgspec.to_builtins(self.knobs), **changes}, Knobs, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(str(error)) from error
        return self.knobs

    def reset(self) -> None:
        """As just started, and with an empty journal."""
        self.book.reset()
        self.knobs = Knobs()
        self.limiter.forget()
        self.faults.clear()
        self.log.clear()


def current() -> Account:
    """The account this request is for."""
    return cast(Account, current_app.extensions[EXTENSION])
