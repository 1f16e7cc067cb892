"""How old the truth is, in one of four words. The age of the PMS data, never of the page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Freshness(StrEnum):
    LIVE = "live"
    AGEING = "ageing"
    STALE = "stale"
    BROKEN = "broken"  # a person has to do something; it will not get fresh by waiting
    NEVER = "never"


AGEING_AFTER = 1.5  # intervals
STALE_AFTER = 2.0


@dataclass(frozen=True, slots=True)
class Age:
    word: Freshness
    seconds: float | None  # since the last complete sweep; None when there was none


def age_of(swept_at: datetime | None, interval_s: float, now: datetime, *, broken: bool = False) -> Age:
    """The word for something last read whole at `swept_at`, meant to be read again every `interval_s` seconds."""
    seconds = None if swept_at is None else max(0.0, (now - swept_at).total_seconds())
    if broken:
        return Age(Freshness.BROKEN, seconds)
    if seconds is None:
        return Age(Freshness.NEVER, None)
    if seconds >= STALE_AFTER * interval_s:
        return Age(Freshness.STALE, seconds)
    if seconds >= AGEING_AFTER * interval_s:
        return Age(Freshness.AGEING, seconds)
    return Age(Freshness.LIVE, seconds)
