"""How often we may call a vendor: a strict sliding window, shared by every worker on every host (E02, P9).

Three limiters, one behaviour. `RedisLimiter` (redis_limiter.py) keeps the window in Redis, on Redis's own clock.
`LocalLimiter` keeps it in this process, for a command that runs without Redis. `FallbackLimiter` uses the first and,
while Redis cannot be reached, the second at a worker's share of the limit: never open, never raising Redis's errors.

A key is a vendor credential (`adapter.limit_key()`): all practices behind one client id share it. Each connection
active on the key in the last minute gets a fair share of it; a lone one may use everything. A fifth of the minute, and
of the day where a vendor counts days, is kept for syncs a person is waiting for. After a 429 the whole key is shut
until its time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from redis import RedisError

from app import clock
from app.config import VendorSettings
from app.pms.errors import PmsRateLimited
from app.pms.retry import LONGEST_DEFERRAL_S, never, pause

#: After a 429 that names no time, when nobody computed a better one.
DEFAULT_PAUSE_S = 1.0
#: Once Redis failed, it is not asked again for this long: a call must not wait for a connect timeout each time.
_REDIS_REST_S = 1.0


class DayWait(float):
    """Seconds until a used-up day has room again: nobody asked us to wait, we do not allow ourselves more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per window; 60 and 1,000 are the original document's guess, for vendors that publish no figures.

    per_day: None where the vendor counts no days. It is any 24 hours, not the calendar's day: nobody says when a
    vendor's day begins.
    margin_s: added to each window, because a call granted now may reach the vendor a little later than the one
    before it did.
    """

    per_minute: int = 60
    per_hour: int = 1000
    minute_s: float = 60.0
    hour_s: float = 3600.0
    margin_s: float = 1.0
    per_day: int | None = None
    day_s: float = 86_400.0

    @classmethod
    def of(cls, vendor: VendorSettings, plain: Limits | None = None) -> Limits:
        """What the operator set; `plain` for the rest: the vendor's own figures where it publishes any."""
        plain = plain or cls()
        return replace(
            plain,
            per_minute=vendor.requests_per_minute or plain.per_minute,
            per_hour=vendor.requests_per_hour or plain.per_hour,
            per_day=vendor.requests_per_day or plain.per_day,
        )

    @property
    def background(self) -> int:
        """Calls a minute that nobody is waiting for: all but a fifth."""
        return max(1, self.per_minute - self.per_minute // 5)

    @property
    def longest_s(self) -> float:
        """How long a call is remembered."""
        return (self.hour_s if self.per_day is None else max(self.hour_s, self.day_s)) + self.margin_s

    def day(self, manual: bool) -> int | None:
        """Calls in 24 hours: all of them where somebody is waiting, else all but a fifth."""
        if self.per_day is None or manual:
            return self.per_day
        return max(1, self.per_day - self.per_day // 5)

    def day_again(self, manual: bool) -> int:
        """Once a day is used up: how few calls must be left in it before it is worth coming back.

        A run makes several calls. One that came back for the first free place would spend it, get nowhere, and do the
        same when the next is free.
        """
        allowed = self.day(manual) or 0
        return allowed - allowed // 20

    def divided(self, workers: int) -> Limits:
        """The part of one worker among `workers` that cannot see each other."""
        return replace(
            self,
            per_minute=max(1, self.per_minute // workers),
            per_hour=max(1, self.per_hour // workers),
            per_day=None if self.per_day is None else max(1, self.per_day // workers),
        )


class Limiter(Protocol):
    """Safe to share between threads. One per process serves every vendor and key."""

    def reserve(self, key: str, connection: str, limits: Limits, *, manual: bool = False) -> float:
        """Take a place and return 0.0, or take none and return the seconds to wait before asking again.

        A DayWait where it is the day that is used up.
        """

    def handle_rate_limit_response(self, key: str, retry_after_s: float | None = None) -> None:
        """The vendor answered 429: no call goes out with that key, from any worker, until its time."""

    def acquire(
        self,
        key: str,
        connection: str,
        limits: Limits,
        *,
        manual: bool = False,
        max_wait_s: float = 60.0,
        cancelled: Callable[[], bool] = never,
    ) -> float:
        """Wait for a place and return how many seconds that took.

        Raises PmsRateLimited, with the seconds still to wait, where that is longer than `max_wait_s` in all (reason
        `day_used_up` where the day is); PmsCancelled where the wait is called off.
        """


class Waiting:
    """`acquire` in terms of `reserve`, the same for every limiter."""

    def __init__(self, sleep: Callable[[float], None] | None = None) -> None:
        self._sleep = sleep

    def reserve(self, key: str, connection: str, limits: Limits, *, manual: bool = False) -> float:
        raise NotImplementedError

    def acquire(
        self,
        key: str,
        connection: str,
        limits: Limits,
        *,
        manual: bool = False,
        max_wait_s: float = 60.0,
        cancelled: Callable[[], bool] = never,
    ) -> float:
        waited = 0.0
        while wait := self.reserve(key, connection, limits, manual=manual):
            if waited + wait > max_wait_s:
                reason = "day_used_up" if isinstance(wait, DayWait) else None
                raise PmsRateLimited(f"no place within {max_wait_s:.0f} s", reason=reason, retry_after_s=wait)
            pause(wait, self._sleep, cancelled)
            waited += wait
        return waited


# --- this process alone -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Window:
    """The calls of one key: (when, by whom), oldest first; and who asked last when."""

    calls: deque[tuple[float, str]] = field(default_factory=deque)
    active: dict[str, float] = field(default_factory=dict)
    shut_until: float = 0.0


class LocalLimiter(Waiting):
    """The same window for one process, on its monotonic clock.

    workers: how many processes may be doing the same unseen; each takes its part of the limit.
    """

    def __init__(
        self,
        workers: int = 1,
        sleep: Callable[[float], None] | None = None,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        super().__init__(sleep)
        self._workers = workers
        self._now = monotonic
        self._windows: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def reserve(self, key: str, connection: str, limits: Limits, *, manual: bool = False) -> float:
        part = limits.divided(self._workers)
        with self._lock:
            window, now = self._tidied(key, part), self._now()
            window.active[connection] = now
            wait = max(
                window.shut_until - now,
                _until_fewer(window.calls, part.hour_s + part.margin_s, part.per_hour, now),
                self._day(window, part, manual, now),
                self._minute(window, connection, part, manual, now),
            )
            if wait > 0:
                return wait
            window.calls.append((now, connection))
            return 0.0

    def note(self, key: str, connection: str, limits: Limits) -> None:
        """A call that somebody else allowed: it counts here too, should we have to decide next."""
        with self._lock:
            window = self._tidied(key, limits.divided(self._workers))
            window.active[connection] = now = self._now()
            window.calls.append((now, connection))

    def shut_for(self, key: str) -> float:
        """Seconds for which the key is shut after a 429."""
        with self._lock:
            window = self._windows.get(key)
            return max(0.0, window.shut_until - self._now()) if window else 0.0

    def handle_rate_limit_response(self, key: str, retry_after_s: float | None = None) -> None:
        with self._lock:
            window = self._windows.setdefault(key, _Window())
            window.shut_until = max(window.shut_until, self._now() + shut_for(retry_after_s))

    def _tidied(self, key: str, limits: Limits) -> _Window:
        window, now = self._windows.setdefault(key, _Window()), self._now()
        while window.calls and window.calls[0][0] <= now - limits.longest_s:
            window.calls.popleft()
        minute_ago = now - limits.minute_s - limits.margin_s
        window.active = {name: at for name, at in window.active.items() if at > minute_ago}
        return window

    @staticmethod
    def _day(window: _Window, limits: Limits, manual: bool, now: float) -> DayWait:
        allowed, day = limits.day(manual), limits.day_s + limits.margin_s
        if allowed is None or not _until_fewer(window.calls, day, allowed, now):
            return DayWait(0)
        return DayWait(_until_fewer(window.calls, day, limits.day_again(manual), now))

    @staticmethod
    def _minute(window: _Window, connection: str, limits: Limits, manual: bool, now: float) -> float:
        minute = limits.minute_s + limits.margin_s
        if manual:
            return _until_fewer(window.calls, minute, limits.per_minute, now)
        share = max(1, limits.background // len(window.active))
        own = deque(call for call in window.calls if call[1] == connection)
        return max(_until_fewer(window.calls, minute, limits.background, now), _until_fewer(own, minute, share, now))


def _until_fewer(calls: deque[tuple[float, str]], window_s: float, allowed: int, now: float) -> float:
    """Seconds until fewer than `allowed` of these calls lie in the window."""
    if len(calls) < allowed:
        return 0.0
    return max(0.0, calls[-allowed][0] + window_s - now)


# --- Redis, and what to do without it ---------------------------------------------------------------------------------


class FallbackLimiter(Waiting):
    """Redis while it answers, a local window at a worker's share while it does not.

    What Redis allowed counts in the local window as well, so that losing Redis does not open a second minute's worth; a
    key that a 429 shut while Redis was away stays shut here when it is back.
    Around the moment Redis comes back, the key may see up to its limit from either side.
    """

    def __init__(self, shared: Limiter, local: LocalLimiter, sleep: Callable[[float], None] | None = None) -> None:
        super().__init__(sleep)
        self._shared = shared
        self._local = local
        self._ask_redis_from = 0.0

    def reserve(self, key: str, connection: str, limits: Limits, *, manual: bool = False) -> float:
        if shut := self._local.shut_for(key):
            return shut
        if clock.monotonic() >= self._ask_redis_from:
            try:
                wait = self._shared.reserve(key, connection, limits, manual=manual)
            except RedisError:
                self._ask_redis_from = clock.monotonic() + _REDIS_REST_S
            else:
                if not wait:
                    self._local.note(key, connection, limits)
                return wait
        return self._local.reserve(key, connection, limits, manual=manual)

    def handle_rate_limit_response(self, key: str, retry_after_s: float | None = None) -> None:
        self._local.handle_rate_limit_response(key, retry_after_s)
        try:
            self._shared.handle_rate_limit_response(key, retry_after_s)
        except RedisError:
            self._ask_redis_from = clock.monotonic() + _REDIS_REST_S


def shut_for(retry_after_s: float | None) -> float:
    """Seconds a key stays shut after a 429 that asked for this many."""
    return min(DEFAULT_PAUSE_S if retry_after_s is None else max(0.0, retry_after_s), LONGEST_DEFERRAL_S)
