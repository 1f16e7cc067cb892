"""A practice's local days as UTC instants. A day is 23 or 25 hours long when the clocks change; never assume 24."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from re import fullmatch
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Window:
    """Local days `first` to `last`, both included, in `zone`; `start` and `end` are UTC, the end excluded."""

    first: date
    last: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidInput({"to": "The last day lies before the first day."})

    @property
    def start(self) -> datetime:
        return day_start(self.first, self.zone)

    @property
    def end(self) -> datetime:
        return day_start(self.last + timedelta(days=1), self.zone)

    @property
    def days(self) -> Iterator[date]:
        for offset in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=offset)

    def holds(self, instant: datetime) -> bool:
        """Whether something that starts at `instant` belongs to this window."""
        return self.start <= instant < self.end

    def split(self, max_days: int) -> Iterator[Window]:
        """The same days in stretches of at most `max_days`."""
        first = self.first
        while first <= self.last:
            last = min(first + timedelta(days=max_days - 1), self.last)
            yield Window(first, last, self.zone)
            first = last + timedelta(days=1)


class Doubt(StrEnum):
    """Why nobody can be sure of an instant that was told as wall time, without its offset."""

    TWICE = "twice"  # the clocks show it twice
    SKIPPED = "skipped"  # they never show it


def from_wall(local: datetime, zone: tzinfo) -> tuple[datetime, Doubt | None]:
    """The instant of a wall time, in UTC: of two the earlier; one that the clocks skip is moved forward (F44)."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first, None
    return first, Doubt.TWICE if first < second else Doubt.SKIPPED


def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name. Raises InvalidInput with a sentence when there is none."""
    try:
        if not name or name.startswith(("/", ".")):
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            {"timezone": f"“{name}” is not a time zone we know. Use an IANA name such as Australia/Melbourne."}
        ) from error


@lru_cache(maxsize=4096)  # asked of every appointment of a sweep, about few days
def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC.

    Two awkward midnights come out right by themselves: of a midnight that happens twice the earlier begins the day
    (fold 0), and a midnight that the spring change skips lands on the instant at which the clock resumes.
    """
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    """The local day something that starts at `instant` belongs to."""
    return instant.astimezone(zone).date()


def parse_day(text: str, today: date) -> date:
    """A day somebody typed: an ISO date, or today, tomorrow, yesterday. Raises InvalidInput."""
    words = {"today": 0, "tomorrow": 1, "yesterday": -1}
    cleaned = text.strip().lower()
    if cleaned in words:
        return today + timedelta(days=words[cleaned])
    try:
        day = date.fromisoformat(cleaned)
    except ValueError:
        raise InvalidInput({"day": f"“{text}” is not a day. Write it as 2026-03-09, or today or tomorrow."}) from None
    if not 1900 <= day.year <= 2100:
        raise InvalidInput({"day": f"“{text}” is outside the years 1900 to 2100."})
    return day


def parse_instant(text: str, zone: ZoneInfo) -> datetime:
    """An instant somebody typed, in UTC: a day with a time, the practice's own unless an offset follows.

    Raises InvalidInput, also for a local time that the clocks skip, or show twice.
    """
    cleaned = text.strip()
    typed = f"“{text}” is not an instant. Write it as 2026-03-09T10:42, or with an offset, 2026-03-09T10:42+11:00."
    if not fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", cleaned):
        raise InvalidInput({"at": typed})
    try:
        local = datetime.fromisoformat(cleaned)
    except ValueError:
        raise InvalidInput({"at": typed}) from None
    if not 1900 <= local.year <= 2100:
        raise InvalidInput({"at": f"“{text}” is outside the years 1900 to 2100."})
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    found, doubt = from_wall(local, zone)
    if doubt is Doubt.SKIPPED:
        raise InvalidInput({"at": f"The clocks change at {text}, so that time does not exist. Write another."})
    if doubt is Doubt.TWICE:
        both = [local.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
        raise InvalidInput(
            {"at": f"The clocks show {text} twice. Say which: add {' or '.join(one.isoformat()[-6:] for one in both)}."}
        )
    return found
