"""What a search asks for. A filter nobody knows is silently left out, as Halaxy does; a bad one is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from app.errors import InvalidInput

Values = MultiDict[str, str]
_BOUND = re.compile(
    r"(eq|ne|gte|lte|gt|lt|ge|le)?(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?"
)
_KNOWN = frozenset(
    (
        *("_id", "date", "created", "patient", "practitioner", "practitioner-role", "organization", "part-status"),
        *("_lastUpdated", "_sort", "page", "_count", "_include", "_include:iterate", "_total"),
    )
)
INCLUDES = frozenset({"Appointment:patient", "Appointment:practitioner-role"})
ITERATES = frozenset({"PractitionerRole:practitioner", "PractitionerRole:organization"})
MOST, USUAL = 100, 30


class Bound(NamedTuple):
    """A prefix and the stretch its value stands for: a day of the clinic's, or a second."""

    prefix: str
    first: datetime
    last: datetime

    def holds(self, at: datetime) -> bool:
        match self.prefix:
            case "gt":
                return at >= self.last
            case "ge" | "gte":
                return at >= self.first
            case "lt":
                return at < self.first
            case "le" | "lte":
                return at < self.last
            case "ne":
                return not self.first <= at < self.last
            case _:
                return self.first <= at < self.last


def bounds(values: Values, name: str, zone: ZoneInfo) -> list[Bound]:
    """Every bound of that name; all of them hold. Raises InvalidInput."""
    return [_bound(text, name, zone) for text in values.getlist(name)]


def _bound(text: str, name: str, zone: ZoneInfo) -> Bound:
    found = _BOUND.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{name} is no date.")
    prefix, day, rest = found[1] or "eq", found[2], found[3]
    try:
        if rest is None:  # [assumed] a bare day is the practice's own
            local = datetime.fromisoformat(day)
            ends = local + timedelta(days=1)
            return Bound(prefix, local.replace(tzinfo=zone).astimezone(UTC), ends.replace(tzinfo=zone).astimezone(UTC))
        at = datetime.fromisoformat(day + rest).astimezone(UTC)
    except ValueError:
        raise InvalidInput(f"{name} is no date.") from None
    return Bound(prefix, at, at + timedelta(seconds=1))


def span(dates: list[Bound], now: datetime) -> tuple[datetime, datetime]:
    """Where to look for visits: as far as the bounds say, else four months around today."""
    first = max((one.first for one in dates if one.prefix in ("ge", "gte", "gt", "eq")), default=None)
    last = min((one.last for one in dates if one.prefix in ("le", "lte", "lt", "eq")), default=None)
    around = timedelta(days=120)
    return first or now - around, last or now + around


def page(values: Values) -> tuple[int, int]:
    """The page, from 1, and how many a page has. Raises InvalidInput."""
    number, count = values.get("page", "1"), values.get("_count", str(USUAL))
    if not (number.isascii() and number.isdigit() and int(number) >= 1):
        raise InvalidInput("page is a whole number from 1.")
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST):
        raise InvalidInput(f"_count is between 1 and {MOST}.")
    return int(number), int(count)


def includes(values: Values) -> frozenset[str]:
    """Raises InvalidInput for what there is no include for."""
    asked = frozenset(values.getlist("_include")), frozenset(values.getlist("_include:iterate"))
    if asked[0] - INCLUDES or asked[1] - ITERATES:
        raise InvalidInput("There is no such include.")
    return asked[0] | asked[1]


def unknown(values: Values) -> list[str]:
    return sorted(set(values) - _KNOWN)


def refers(values: Values, name: str) -> Callable[[set[str]], bool]:
    """Whether one of these ids was asked for; true where nobody asked. A reference may be whole, `Type/id` or bare."""
    wanted = {part.rstrip("/").rpartition("/")[2] for text in values.getlist(name) for part in text.split(",")}
    return (lambda ids: bool(ids & wanted)) if wanted else (lambda _: True)
