"""When a practice is open, and what a free slot is cut from: business hours, slot length, rooms, providers. Pure.

Hours are wall-clock times of the practice's zone. What SQL wrote may be anything: it is refused with a sentence, never
guessed at.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.errors import InvalidInput

#: As Python counts them: Monday is 0.
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIN_SLOT, MAX_SLOT = 5, 240
DAY_MINUTES = 24 * 60
_TIME = re.compile(r"^(\d{1,2}):(\d{2})$")
#: A room's name; so many of them.
_LONGEST, _MOST_ROOMS = 120, 200


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of a day on the wall clock, in minutes from midnight, the end excluded; 24:00 is the day's end."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"{hhmm(self.start)}-{hhmm(self.end)}"


@dataclass(frozen=True, slots=True)
class Opening:
    """hours: for each weekday that is not closed, its periods in order. providers: None is every active clinician."""

    hours: Mapping[str, Sequence[Period]] = field(default_factory=dict)
    slot_minutes: int = 15
    rooms: Sequence[str] = ()
    providers: Sequence[UUID] | None = None


def hhmm(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def opening_of(hours: Any, slot_minutes: Any, rooms: Any, providers: Any) -> Opening:
    """From the columns as stored. Raises InvalidInput with a sentence for the first that cannot be used."""
    return Opening(hours_of(hours), slot_of(slot_minutes), rooms_of(rooms), providers_of(providers))


def hours_of(value: Any) -> dict[str, list[Period]]:
    """{"mon": [["09:00", "12:30"], …], …}. Raises InvalidInput."""
    if not isinstance(value or {}, dict):
        raise InvalidInput({"hours": 'Business hours are an object such as {"mon": [["09:00", "17:00"]]}.'})
    found = {}
    for word, periods in (value or {}).items():
        day = weekday(word)
        if not isinstance(periods or [], list):
            raise InvalidInput({"hours": f"The hours of {day} are a list of periods."})
        made = [_period(day, one) for one in periods or []]
        found[day] = in_order(day, made)
    return {day: found[day] for day in WEEKDAYS if found.get(day)}


def weekday(word: object) -> str:
    """`mon` for mon, Mon and monday. Raises InvalidInput."""
    short = str(word).strip().lower()
    for day, long in zip(WEEKDAYS, _LONG, strict=True):
        if short in (day, long):
            return day
    raise InvalidInput({"hours": f"“{str(word)[:40]}” is not a day of the week. Use one of {', '.join(WEEKDAYS)}."})


_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def parse_periods(day: str, text: str) -> list[Period]:
    """`09:00-12:30,13:30-17:00` as somebody types it; `closed` is none. Raises InvalidInput."""
    if text.strip().lower() in ("closed", ""):
        return []
    return in_order(day, [_period(day, part.split("-")) for part in text.split(",")])


def in_order(day: str, periods: Sequence[Period]) -> list[Period]:
    """By time. Raises InvalidInput where two of them overlap."""
    found = sorted(periods, key=lambda one: one.start)
    for earlier, later in itertools.pairwise(found):
        if later.start < earlier.end:
            raise InvalidInput({"hours": f"On {day}, {earlier} and {later} overlap."})
    return found


def _period(day: str, ends: Any) -> Period:
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        raise InvalidInput({"hours": f"On {day}, a period has a beginning and an end, such as 09:00-17:00."})
    made = Period(_minutes(day, ends[0]), _minutes(day, ends[1]))
    if made.end <= made.start:
        raise InvalidInput({"hours": f"On {day}, {made} ends before it begins. Split hours past midnight at 24:00."})
    return made


def _minutes(day: str, text: Any) -> int:
    match = _TIME.match(text.strip()) if isinstance(text, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise InvalidInput({"hours": f"On {day}, “{str(text)[:20]}” is not a time such as 9:00, 17:30 or 24:00."})
    return minutes


def slot_of(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not MIN_SLOT <= value <= MAX_SLOT:
        raise InvalidInput({"slot": f"A slot has from {MIN_SLOT} to {MAX_SLOT} minutes."})
    return value


def rooms_of(value: Any) -> list[str]:
    """Names, each once, in the order given. Raises InvalidInput."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value) or len(value) > _MOST_ROOMS:
        raise InvalidInput({"rooms": "Rooms are a list of names."})
    names = [" ".join(one.split()) for one in value]
    if any(not name or len(name) > _LONGEST for name in names):
        raise InvalidInput({"rooms": f"A room's name has from 1 to {_LONGEST} characters."})
    return list(dict.fromkeys(names))


def providers_of(value: Any) -> list[UUID] | None:
    """Ids of clinicians; None is everybody. Raises InvalidInput."""
    if value is None:
        return None
    try:
        if not isinstance(value, list):
            raise ValueError(value)
        return list(dict.fromkeys(UUID(str(one)) for one in value))
    except ValueError:
        raise InvalidInput({"providers": "Providers are a list of clinicians' ids."}) from None


def as_json(hours: Mapping[str, Sequence[Period]]) -> dict[str, list[list[str]]]:
    """Hours as they are stored and told."""
    return {day: [[hhmm(one.start), hhmm(one.end)] for one in periods] for day, periods in hours.items() if periods}
