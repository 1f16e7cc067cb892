"""The vendor's filters, `q[]=<field>:<op><value>`, all of which hold; and what stays hidden unless one asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

Record = dict[str, object]
Test = Callable[[object], bool]
_FILTER = re.compile(r"(?P<field>[a-z_]+):(?P<op>!\?|\?|\*|>=|<=|!=|=|>|<|~~|~)(?P<value>.*)", re.DOTALL)
_OPS = {
    "datetime": {">=", ">", "<=", "<", "?", "!?", "*"},
    "number": {"=", "!=", ">=", ">", "<=", "<", "?", "!?"},
    "boolean": {"=", "!="},
}
#: Rows with one of these set are in no list that does not name it with `*` or `?` (documented: INTRO).
HIDING = ("cancelled_at", "archived_at", "deleted_at")


class BadFilter(ValueError):
    """Said to the client as it stands."""


class Query:
    """A list's filters, read. Raises BadFilter."""

    def __init__(self, asked: Sequence[str], fields: dict[str, str]) -> None:
        self._tests: list[tuple[str, Test]] = []
        self.shown: set[str] = set()
        #: The earliest and latest instant a field may have, for what need be looked at.
        self.bounds: dict[str, dict[str, datetime]] = {}
        for text in asked:
            self._take(text, fields)

    def _take(self, text: str, fields: dict[str, str]) -> None:
        found = _FILTER.fullmatch(text)
        if found is None:
            raise BadFilter(f"Filter {text[:60]} is not understood")
        field, op, value = found["field"], found["op"], found["value"]
        if field not in fields:
            raise BadFilter(f"{field} is not filterable")
        kind = fields[field]
        if op not in _OPS[kind]:
            raise BadFilter(f"Filter operator {op} is not allowed for {field}")
        if op in ("*", "?"):
            self.shown.add(field)
        if op in ("?", "!?", "*"):
            self._tests.append((field, _there(op)))
            return
        wanted = _read(field, kind, value)
        if isinstance(wanted, datetime):
            self.bounds.setdefault(field, {})[op[0]] = wanted
        self._tests.append((field, _compared(op, kind, wanted)))

    def holds(self, record: Record) -> bool:
        shown = self.shown | ({"deleted_at"} if "archived_at" in self.shown else set())
        if any(record.get(field) for field in HIDING if field not in shown):
            return False
        return all(test(record.get(field)) for field, test in self._tests)


def _there(op: str) -> Test:
    if op == "*":
        return lambda _: True
    return lambda value: bool(value) == (op == "?")


def _read(field: str, kind: str, value: str) -> object:
    if kind == "datetime":
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value):
            raise BadFilter(f"Filter value for {field} must be a datetime")
        return datetime.fromisoformat(value).astimezone(UTC)
    if kind == "boolean":
        if value not in ("true", "false"):
            raise BadFilter(f"Filter value for {field} must be a boolean")
        return value == "true"
    found = value.split(",")
    if not all(one.isascii() and one.isdigit() for one in found):
        raise BadFilter(f"Filter value for {field} must be a number")
    return found


def _compared(op: str, kind: str, wanted: object) -> Test:
    if kind == "datetime":
        assert isinstance(wanted, datetime)
        at = wanted
        return lambda value: isinstance(value, str) and bool(value) and _in_order(op, datetime.fromisoformat(value), at)
    if kind == "boolean":
        return lambda value: (value is wanted) == (op == "=")
    assert isinstance(wanted, list)
    if op in ("=", "!="):
        return lambda value: (str(value) in wanted) == (op == "=")
    return lambda value: _in_order(op, int(str(value)), int(wanted[0]))


def _in_order(op: str, left: object, right: object) -> bool:
    assert isinstance(left, datetime | int)
    return {">=": left >= right, ">": left > right, "<=": left <= right, "<": left < right}[op]  # type: ignore[operator]
