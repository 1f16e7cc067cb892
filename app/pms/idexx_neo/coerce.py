"""Neo's values: ids that are numbers in one place and texts in another, and wall times without a zone.

Three spellings of a time are met (pms/idexx-neo.md §1, "Dates"); all are the clinic's own wall clock.
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.window import Doubt, from_wall
from app.pms.rows import RowFault

Id = str | int | None

_WALL = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")
_LONGEST_ID = 255


def ident(value: Id, path: str) -> str | None:
    """An id as text, the same whether it came as 801 or "801"; None where it is not set (null, "", and 0 [assumed])."""
    if value is None or value in ("", 0, "0"):
        return None
    found = str(value)
    if not found.strip() or len(found) > _LONGEST_ID:
        raise RowFault(path, "invalid")
    return found


def wall(value: str | None, path: str) -> datetime | None:
    """A wall time, naive. Raises RowFault for what is none, and for one outside the years 1900 to 2100."""
    if not value:
        return None
    if not _WALL.fullmatch(value):
        raise RowFault(path, "invalid")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise RowFault(path, "invalid") from None
    if not 1900 <= found.year <= 2100:
        raise RowFault(path, "out_of_range")
    return found


def instant(value: str | None, zone: ZoneInfo, path: str) -> tuple[datetime, Doubt | None] | None:
    """The instant of a wall time, and what is doubtful about it; None where none is told."""
    found = wall(value, path)
    return None if found is None else from_wall(found, zone)


def words(value: str | int | None) -> str | None:
    """A short text without outer or doubled blanks; None where nothing is said."""
    return None if value is None else " ".join(str(value).split()) or None


def same_name(name: str) -> str:
    """What a name is looked up by: Neo's calendar names people and types, its lists number them."""
    return " ".join(name.split()).casefold()
