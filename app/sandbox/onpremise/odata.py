"""As much of OData version 3 as public clients of the bridge use: filters, order, pages; everything else is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime

Record = dict[str, object]
Test = Callable[[Record], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|datetime'(?P<date>[^']*)'|'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z][A-Za-z0-9_.]*))"
)
_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "ge": lambda left, right: left is not None and left >= right,  # type: ignore[operator]
    "gt": lambda left, right: left is not None and left > right,  # type: ignore[operator]
    "le": lambda left, right: left is not None and left <= right,  # type: ignore[operator]
    "lt": lambda left, right: left is not None and left < right,  # type: ignore[operator]
}
_LITERALS: dict[str, object] = {"null": None, "true": True, "false": False}


class Wrong(ValueError):
    """A query the bridge does not understand."""


def matching(text: str, names: Iterable[str]) -> Test:
    """The filter as a test of a record; `names` are the members it may name. Raises Wrong."""
    return _Parser(text, frozenset(names)).whole()


class _Parser:
    def __init__(self, text: str, names: frozenset[str]) -> None:
        self._names = names
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise Wrong(f"Syntax error at position {at}.")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()

    def whole(self) -> Test:
        test = self._either()
        if self._tokens:
            raise Wrong(f"Unexpected '{self._tokens[0][1]}'.")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._next_is("or"):
            tests.append(self._both())
        return lambda record: any(test(record) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._next_is("and"):
            tests.append(self._one())
        return lambda record: all(test(record) for test in tests)

    def _one(self) -> Test:
        kind, text = self._take()
        if kind == "open":
            inner = self._either()
            if self._take()[0] != "close":
                raise Wrong("A parenthesis is not closed.")
            return inner
        if kind != "word" or text not in self._names:
            raise Wrong(f"Could not find a property named '{text}'.")
        operator = _COMPARE.get(self._take()[1])
        if operator is None:
            raise Wrong("An operator is missing.")
        value, dated = self._literal()
        return lambda record: operator(_dated(record.get(text)) if dated else record.get(text), value)

    def _literal(self) -> tuple[object, bool]:
        kind, text = self._take()
        match kind:
            case "date":
                try:
                    return datetime.fromisoformat(text), True
                except ValueError:
                    raise Wrong("Not a datetime literal.") from None
            case "text":
                return text.replace("''", "'"), False
            case "number":
                return float(text), False
            case _ if text in _LITERALS:
                return _LITERALS[text], False
            case _:
                raise Wrong("A literal is missing.")

    def _take(self) -> tuple[str, str]:
        if not self._tokens:
            raise Wrong("The expression ends too early.")
        return self._tokens.pop(0)

    def _next_is(self, word: str) -> bool:
        if self._tokens and self._tokens[0] == ("word", word):
            self._tokens.pop(0)
            return True
        return False


def _dated(value: object) -> object:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None) if isinstance(value, str) else None
    except ValueError:
        return None


def ordered(records: list[Record], text: str, names: Iterable[str]) -> list[Record]:
    """`APICreateDate desc,Id`. Raises Wrong."""
    known = frozenset(names)
    for part in reversed(text.split(",") if text else []):
        name, _, way = part.strip().partition(" ")
        if name not in known or way.strip() not in ("", "asc", "desc"):
            raise Wrong(f"Could not find a property named '{name}'.")
        records = sorted(records, key=lambda one: str(one.get(name) or ""), reverse=way.strip() == "desc")
    return records
