"""Whose sync is next: practices take turns, so that one with thousands of runs holds nobody up. Pure.

A practice's oldest background run stands in the first lane, one more in the second; whatever else it has waits in the
database. The first lane is served before the second, so another practice's single run waits for no more than a job
that is running already, and for those of others who came before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

#: Background runs of one practice at a time. What a person waits for is counted, and not held up.
MOST_RUNNING = 2
#: Runs of one practice that wait; a schedule that comes due beyond that is caught up when there is room.
MOST_QUEUED = 50


class Lane(IntEnum):
    """In the order they are served."""

    PEOPLE = 0
    FIRST = 1
    SECOND = 2


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that may start now."""

    run_id: UUID
    practice_id: UUID
    awaited: bool  # somebody waits for it at a page


def turns(waiting: Iterable[Waiting], running: Mapping[UUID, int]) -> list[tuple[UUID, Lane]]:
    """Which of these runs should have a job now, and in which lane; in the order they are served.

    waiting: oldest first. running: how many runs of each practice are being carried out.
    """
    taken = Counter(running)
    given: list[tuple[UUID, Lane]] = []
    for one in waiting:
        if one.awaited:
            given.append((one.run_id, Lane.PEOPLE))
        elif taken[one.practice_id] < MOST_RUNNING:
            given.append((one.run_id, Lane.FIRST if not taken[one.practice_id] else Lane.SECOND))
            taken[one.practice_id] += 1
    return sorted(given, key=lambda turn: turn[1])
