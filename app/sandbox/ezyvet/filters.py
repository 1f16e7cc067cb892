"""The vendor's list queries: JSON filters on any field, several as AND, and pages of a limited size."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.sandbox.ezyvet import cast
from app.sandbox.ezyvet.cast import Record
from app.sandbox.ezyvet.day import day_of_id

MOST_IN = 100
DEFAULT_LIMIT = 10
#: What one page may hold: 200 for most, fewer of some clinical lists. More is cut down without a word [assumed].
LIMIT = 200
LIMITS = {"physicalexam": 10, "assessment": 10, "plan": 10, "history": 10}
_PAGING = frozenset({"page", "limit"})
_SYMBOLS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq"}

Test = Callable[[Any], bool]


class BadFilter(ValueError):
    """Said to the client as it stands."""


class Query:
    """A list's query string, read. Raises BadFilter."""

    def __init__(self, args: Mapping[str, str], resource: str) -> None:
        self.asked: dict[str, dict[str, Any]] = {
            name: _operators(name, value) for name, value in args.items() if name not in _PAGING
        }
        self.page = _whole("page", args.get("page", "1"))
        self.limit = min(_whole("limit", args.get("limit", str(DEFAULT_LIMIT))), LIMITS.get(resource, LIMIT))
        self._tests = {name: [_test(op, value) for op, value in ops.items()] for name, ops in self.asked.items()}

    def holds(self, record: Record) -> bool:
        """Whether a record fits. Raises BadFilter for a field the resource does not have."""
        for name, tests in self._tests.items():
            if name not in record:
                raise BadFilter(f"The field {name} cannot be filtered on.")
            if not all(test(record[name]) for test in tests):
                return False
        return True

    def days(self) -> set[date] | None:
        """The days a daily table need be looked at for this, None where the query does not say."""
        for name in ("start_at", "date"):
            if (found := self._days_between(self.asked.get(name, {}))) is not None:
                return found
        for name in ("id", "consult_id", "prescription_id"):
            if name in self.asked:
                ids = self.asked[name].get("in") or [self.asked[name].get("eq")]
                days = {day_of_id(int(id_)) for id_ in ids if str(id_ or "").isdigit()}
                return {day for day in days if day is not None}
        return None

    @staticmethod
    def _days_between(ops: dict[str, Any]) -> set[date] | None:
        first, last = ops.get("gte", ops.get("gt")), ops.get("lt", ops.get("lte"))
        if first is None or last is None:
            return None
        zone = ZoneInfo(cast.ZONE)
        day, end = (datetime.fromtimestamp(float(at), zone).date() for at in (first, last))
        found = set[date]()
        while day <= end and len(found) < 40:
            found.add(day)
            day += timedelta(days=1)
        return found


def _operators(name: str, value: str) -> dict[str, Any]:
    if not value.startswith("{"):
        return {"eq": value}
    try:
        ops = json.loads(value)
    except ValueError:
        raise BadFilter(f"The filter on {name} is not valid JSON.") from None
    if not ops:
        raise BadFilter(f"The filter on {name} asks nothing.")
    return {_SYMBOLS.get(op, op): asked for op, asked in ops.items()}


def _test(op: str, asked: Any) -> Test:
    if op == "in":
        if not isinstance(asked, list) or len(asked) > MOST_IN:
            raise BadFilter(f"An in filter takes a list of at most {MOST_IN} values.")
        wanted = {_plain(one) for one in asked}
        return lambda value: _plain(value) in wanted
    if op == "like":
        return lambda value: str(asked).strip("%") in _plain(value)
    if op in ("eq", "neq"):
        return lambda value: (_plain(value) == _plain(asked)) is (op == "eq")
    if op in ("gt", "lt", "gte", "lte"):
        return lambda value: _ordered(op, value, asked)
    raise BadFilter(f"There is no filter operator {op}.")


def _ordered(op: str, value: Any, asked: Any) -> bool:
    try:
        left, right = float(_plain(value)), float(_plain(asked))
    except ValueError:
        return False
    return {"gt": left > right, "lt": left < right, "gte": left >= right, "lte": left <= right}[op]


def _plain(value: Any) -> str:
    """As both versions of the API mean it: 801 is "801", true is "1", null is ""."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _whole(name: str, text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise BadFilter(f"{name} must be a whole number of at least 1.")
    return int(text)
