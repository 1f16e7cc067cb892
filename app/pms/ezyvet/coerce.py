"""ezyVet's values as they should have been: v1 sends texts for everything, v2 numbers, and neither says null alike.

An id or date that is not set comes as "", 0, "0" or null (seen in code, the last three assumed): all mean nothing.
What cannot be what its field promises raises RowFault with its path, never with the value.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from app.pms.rows import RowFault

Scalar = str | int | float | bool | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_FLAGS = {"1": True, "true": True, "0": False, "false": False, "": None}
_LONGEST_ID = 255


def ident(value: Scalar, path: str) -> str | None:
    """An id as text, the same whether it came as 801 or "801"; None where it is not set."""
    if type(value) is int:
        value = str(value)
    if value is None or value is False or value in ("", "0"):
        return None
    if type(value) is not str or not value.strip() or len(value) > _LONGEST_ID:
        raise RowFault(path, "invalid")
    return value.strip()


def needed_ident(value: Scalar, path: str) -> str:
    found = ident(value, path)
    if found is None:
        raise RowFault(path, "missing")
    return found


def instant(value: Scalar, path: str) -> datetime | None:
    """Epoch seconds, an int or its text, as an instant; None where it is not set."""
    seconds = number(value, path)
    if not seconds:
        return None
    if not _FIRST.timestamp() <= seconds < _LAST.timestamp():
        raise RowFault(path, "out_of_range")
    return _EPOCH + timedelta(seconds=seconds)


def number(value: Scalar, path: str) -> float | None:
    """A finite number, or None where there is none."""
    if value is None or value == "":
        return None
    if type(value) is bool:
        raise RowFault(path, "invalid")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise RowFault(path, "invalid") from None
    if not math.isfinite(found):
        raise RowFault(path, "invalid")
    return found


def flag(value: Scalar, path: str) -> bool | None:
    """Yes or no, or None where nothing is said."""
    if value is None or type(value) is bool:
        return value
    found = str(value).strip().lower()
    if found not in _FLAGS:
        raise RowFault(path, "invalid")
    return _FLAGS[found]


def words(value: Scalar) -> str | None:
    """A short text; a number in its place is read as its digits."""
    if value is None or type(value) is bool:
        return None
    return " ".join(str(value).split()) or None
