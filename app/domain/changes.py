"""When it is enough to read what changed, and from when on; when only a whole reading will do (P4). Pure.

What a vendor calls "changed since" is taken for what it is: its word. It proves nothing about what is not there any
more, so a whole reading is never far behind, and what that finds changed unannounced is counted as drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

#: Read again each time: for records that were stored late under an earlier stamp, and for two clocks that differ.
OVERLAP = timedelta(minutes=5)
#: A day that was last read whole longer ago than this is read whole: once a night, and a little more.
WHOLE_WITHIN = timedelta(hours=26)
#: After a whole reading found changes the vendor had not told of, its word is not taken for so long.
DISTRUST_FOR = timedelta(hours=24)


class Whole(StrEnum):
    """Why a reading of changes became a whole one."""

    ASKED = "asked"  # a full re-read
    NEVER = "never_swept"  # there is nothing yet that could have changed
    OLD = "too_old"
    AHEAD = "ahead"  # of the clock: it was set back, or somebody wrote nonsense
    DRIFT = "drift"
    REFUSED = "refused"  # the vendor did not take the question


class Known(NamedTuple):
    """A part of a day: when it was last read whole, and up to when changes were read since (None: not since)."""

    swept_at: datetime
    changes_to: datetime | None

    @property
    def read_to(self) -> datetime:
        return self.changes_to or self.swept_at


def since(parts: Iterable[Known | None], now: datetime, drifted_at: datetime | None = None) -> datetime | Whole:
    """From when on to ask for changes, so that none is missed in any of these parts; else why that is not enough."""
    known = list(parts)
    found = [one for one in known if one is not None]
    if len(found) < len(known) or not found:
        return Whole.NEVER
    if drifted_at is not None and now - drifted_at < DISTRUST_FOR:
        return Whole.DRIFT
    if max(one.read_to for one in found) > now + OVERLAP:
        return Whole.AHEAD
    if min(one.swept_at for one in found) < now - WHOLE_WITHIN:
        return Whole.OLD
    return min(one.read_to for one in found) - OVERLAP


def was_told(changed_at: datetime | None, changes_to: datetime | None) -> bool:
    """Whether the list of changes must have brought a record by then. One that changed within the overlap may not have
    been told yet, by one clock or the other: nothing is concluded about it.
    """
    return changed_at is not None and changes_to is not None and changed_at < changes_to - OVERLAP
