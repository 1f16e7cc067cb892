"""The vendor's dates: ISO 8601 with milliseconds and an offset, in the practice's zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from app.sandbox.gentu.replies import bad_request
from app.sandbox.traffic import Traffic

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d:\d\d|Z)")
_RAW_PLUS = re.compile(r"T[\d:.]+ \d\d:\d\d$")


def say(instant: datetime, zone: ZoneInfo) -> str:
    """`2026-03-09T09:00:00.000+11:00`"""
    return instant.astimezone(zone).isoformat(timespec="milliseconds")


def read(name: str, text: str, traffic: Traffic) -> datetime:
    """The instant of a query value, in UTC. Raises Refused (400).

    A plus sign that was not percent-encoded has become a space by now and is refused, as the documents warn. `Z` is
    taken, since nobody knows whether the vendor takes it, but counted.
    """
    if not _INSTANT.fullmatch(text):
        if _RAW_PLUS.search(text):
            traffic.met_date("raw_plus")
        raise bad_request(f"{name} is not a date with an offset; percent-encode its plus sign.")
    if text.endswith("Z"):
        traffic.met_date("z")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_request(f"{name} is not a date.") from None
