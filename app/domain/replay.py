"""A row as it stood at an instant: what it is now, its later events undone, the newest first. Pure.

A row here is {column: value in JSON's own types}, as events keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from typing import Any

from app.domain.retention import WIPED

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """What changed on a row, and when: {column: [old, new]}; under WIPED the columns whose values are gone."""

    at: datetime
    changes: Mapping[str, Sequence[Any]]

    @property
    def known(self) -> Iterator[tuple[str, Any, Any]]:
        """(column, old, new) of what can still be undone. A wiped column stays as a later event has it, or as now."""
        return ((column, change[0], change[1]) for column, change in self.changes.items() if column != WIPED)


def stood(now: Mapping[str, Any], created_at: datetime, events: Iterable[Event], at: datetime) -> Values | None:
    """The row as it stood once everything told for `at` had happened; None where it did not exist yet.

    now: the row as it is, `row_version` among its columns. events: all of the row's that are later; others do no harm.
    """
    if created_at > at:
        return None
    row = dict(now)
    later = sorted((event for event in events if event.at > at), key=attrgetter("at"), reverse=True)
    for _, together in groupby(later, key=attrgetter("at")):
        _undo(row, list(together))
    row["row_version"] -= len(later)  # each event is one version
    return row


def _undo(row: Values, together: list[Event]) -> None:
    """Undo events of one instant. Which of them came last, nobody wrote down: the one that left the row as it is."""
    while together:
        last = next((event for event in together if _led_to(row, event)), together[0])
        together.remove(last)
        row.update((column, old) for column, old, _ in last.known)


def _led_to(row: Values, event: Event) -> bool:
    return all(row.get(column) == new for column, _, new in event.known)


def digest(rows: Iterable[str]) -> str:
    """32 hex digits that are the same when, and only when, the rows are; in whatever order they come.

    rows: each in words of its own. They are hashed one by one and the hashes added up, so that nobody has to hold or
    sort a whole day.
    """
    total = 0
    for row in rows:
        total += int.from_bytes(blake2b(row.encode(), digest_size=16).digest(), "big")
    return f"{total % 2**128:032x}"
