"""What was asked, when and how many at once, on the simulator's own clock: so a test can hold a client to its word."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from app import clock

_LOG_LENGTH = 50_000


class Entry(NamedTuple):
    """One request as it came in. `at` is in seconds since 1970; `query` is as sent, still percent-encoded."""

    at: float
    route: str
    path: str
    query: str
    status: int
    user_agent: str
    accept: str


@dataclass(slots=True)
class Traffic:
    """Counts the vendor's API only, never the control pages."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    odd_dates: Counter[str] = field(default_factory=Counter)
    times: dict[str, deque[float]] = field(default_factory=dict)
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=_LOG_LENGTH))
    open_now: int = 0
    open_high_water: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def opened(self) -> None:
        with self._lock:
            self.open_now += 1
            self.open_high_water = max(self.open_high_water, self.open_now)

    def closed(self) -> None:
        with self._lock:
            self.open_now -= 1

    def arrived(self, route: str) -> float:
        """A request came in on `route`; returns the instant."""
        at = clock.now().timestamp()
        with self._lock:
            self.counts[route] += 1
            self.times.setdefault(route, deque(maxlen=_LOG_LENGTH)).append(at)
        return at

    def answered(self, entry: Entry) -> None:
        """`entry.status` 0 means: the connection was closed without an answer."""
        with self._lock:
            self.statuses[str(entry.status)] += 1
            self.log.append(entry)

    def met_date(self, kind: str) -> None:
        """A date arrived that ends in `Z` (kind "z") or whose plus sign was sent raw (kind "raw_plus")."""
        with self._lock:
            self.odd_dates[kind] += 1

    def reset(self) -> None:
        """Forget the past; requests that are open stay counted."""
        with self._lock:
            for kept in (self.counts, self.statuses, self.odd_dates, self.times, self.log):
                kept.clear()
            self.open_high_water = self.open_now

    def report(self, log: int = 200) -> dict[str, object]:
        """Everything, ready for JSON; the last `log` requests one by one."""
        with self._lock:
            times = {route: list(at) for route, at in self.times.items()}
            last = [entry._asdict() for entry in list(self.log)[-log:]] if log else []
            return {
                "requests": dict(self.counts),
                "total": sum(self.counts.values()),
                "times": times,
                "statuses": dict(self.statuses),
                "z_dates": self.odd_dates["z"],
                "raw_plus_dates": self.odd_dates["raw_plus"],
                "open_now": self.open_now,
                "open_high_water": self.open_high_water,
                "busiest_minute": busiest_minute(times),
                "log": last,
            }


def busiest_minute(times: dict[str, list[float]]) -> int:
    """The most requests in any 60 seconds (first one included, the instant 60 s later not)."""
    instants = sorted(at for row in times.values() for at in row)
    before_next_minute = [at - 60.0 for at in instants]
    return max((i + 1 - bisect_right(instants, start) for i, start in enumerate(before_next_minute)), default=0)
