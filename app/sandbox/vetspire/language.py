"""As much of GraphQL as one query needs: fields, arguments, variables, inline fragments. Read into plain shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[\s,]+|#[^\n]*|(\.\.\.|[A-Za-z_]\w*|-?\d+|\"[^\"\n]*\"|[{}()\[\]:!$=@])")


class BadQuery(ValueError):
    """Said to the client as it stands."""


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(slots=True)
class Field:
    """A field of an object. `on` is the type of an inline fragment, which then has no name."""

    name: str
    args: dict[str, object] = field(default_factory=dict)
    chosen: list[Field] = field(default_factory=list)
    on: str | None = None


@dataclass(slots=True)
class Query:
    declared: set[str]
    chosen: list[Field]


def parse(text: str) -> Query:
    """Raises BadQuery."""
    return _Reader(text).query()


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise BadQuery(f"Syntax error before: {text[at : at + 10]!r}")
            if found[1]:
                self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    def query(self) -> Query:
        declared: set[str] = set()
        if self._peek() == "query":
            self._take()
            if self._peek() not in ("{", "("):
                self._take()
            if self._peek() == "(":
                declared = self._declared()
        chosen = self._chosen()
        if self._at != len(self._tokens):
            raise BadQuery("Syntax error after the query")
        return Query(declared, chosen)

    def _declared(self) -> set[str]:
        self._take("(")
        found = set()
        while self._peek() != ")":
            self._take("$")
            found.add(self._take())
            self._take(":")
            while self._peek() not in ("$", ")"):
                self._take()
        self._take(")")
        return found

    def _chosen(self) -> list[Field]:
        self._take("{")
        found = []
        while self._peek() != "}":
            found.append(self._field())
        self._take("}")
        if not found:
            raise BadQuery("Syntax error before: '}'")
        return found

    def _field(self) -> Field:
        name = self._take()
        if name == "...":
            self._take("on")
            kind = self._take()
            return Field("", chosen=self._chosen(), on=kind)
        if not name.isidentifier():
            raise BadQuery(f"Syntax error before: {name!r}")
        made = Field(name)
        if self._peek() == "(":
            self._take("(")
            while self._peek() != ")":
                argument = self._take()
                self._take(":")
                made.args[argument] = self._value()
            self._take(")")
        if self._peek() == "{":
            made.chosen = self._chosen()
        return made

    def _value(self) -> object:
        said = self._take()
        if said == "$":
            return Variable(self._take())
        if said == "[":
            found = []
            while self._peek() != "]":
                found.append(self._value())
            self._take("]")
            return found
        if said.startswith('"'):
            return said[1:-1]
        if said.lstrip("-").isdigit():
            return int(said)
        return {"true": True, "false": False, "null": None}.get(said, said)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str | None = None) -> str:
        said = self._peek()
        if not said or (wanted is not None and said != wanted):
            raise BadQuery(f"Syntax error before: {said!r}")
        self._at += 1
        return said
