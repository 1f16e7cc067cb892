"""The days of a run, phase by phase.

Most phases read the run's window. One that reads far more (discovery) has days of its own, so that a request for half a
year of clients, merged into a queued sync of today, does not make that one sweep half a year of appointments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Protocol

from app.store.models import SyncRun

Days = tuple[date, date]
#: Phase -> its own days, as the run's row keeps them.
Stored = dict[str, list[str]] | None


class Asks(Protocol):
    """A request, as far as its days matter."""

    @property
    def phases(self) -> tuple[str, ...]: ...
    @property
    def window_from(self) -> date: ...
    @property
    def window_to(self) -> date: ...
    @property
    def own_windows(self) -> Mapping[str, Days]: ...


def read(stored: Stored) -> dict[str, Days]:
    return {phase: (date.fromisoformat(first), date.fromisoformat(last)) for phase, (first, last) in _items(stored)}


def written(own: Mapping[str, Days]) -> Stored:
    return {phase: [first.isoformat(), last.isoformat()] for phase, (first, last) in own.items()} or None


def covers(run: SyncRun, ask: Asks) -> bool:
    """Whether the run carries out every phase that is asked for, over all the days it is asked for."""
    own, window = read(run.own_windows), (run.window_from, run.window_to)
    return all(
        phase in run.phases
        and _holds(own.get(phase, window), ask.own_windows.get(phase, (ask.window_from, ask.window_to)))
        for phase in ask.phases
    )


def merge(queued: SyncRun, ask: Asks) -> None:
    """Make a queued run read what is asked for as well: all phases, and for each phase the days of both."""
    own = read(queued.own_windows)
    mine, theirs = _shared(queued.phases, own), _shared(ask.phases, ask.own_windows)
    asked, window = (ask.window_from, ask.window_to), (queued.window_from, queued.window_to)
    for phase, days in ask.own_windows.items():
        own[phase] = _union(own.get(phase, days), days)
    queued.phases = [*queued.phases, *(phase for phase in ask.phases if phase not in queued.phases)]
    if mine == theirs:  # both read the window, or neither does and it only says what the run is about
        window = _union(window, asked)
    elif theirs:
        window = asked
    queued.window_from, queued.window_to = window
    queued.own_windows = written(own)


def _shared(phases: Iterable[str], own: Mapping[str, Days]) -> bool:
    """Whether any of the phases reads the run's window."""
    return any(phase not in own for phase in phases)


def _holds(outer: Days, inner: Days) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _union(one: Days, other: Days) -> Days:
    return min(one[0], other[0]), max(one[1], other[1])


def _items(stored: Stored) -> Iterable[tuple[str, list[str]]]:
    return (stored or {}).items()
