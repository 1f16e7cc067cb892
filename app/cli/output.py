"""How a command speaks: JSON for programs, lines for people. Imports nothing slow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from app.errors import InvalidInput, RunsheetError

BAD_INPUT, INCOMPLETE, FAILED = 2, 3, 4

Command = TypeVar("Command", bound=Callable[..., Any])


class Refused(RunsheetError):
    """A sentence for whoever typed the command, and the exit code that goes with it."""

    def __init__(self, text: str, exit_code: int = FAILED) -> None:
        self.exit_code = exit_code
        super().__init__(text)


def json_option(command: Command) -> Command:
    """Every command takes it."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON value, for programs.")(command)


class Ident(click.ParamType[UUID]):
    """An id of ours."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        try:
            return value if isinstance(value, UUID) else UUID(str(value))
        except ValueError:
            self.fail(f"“{value}” is not an id. Ids look like 3aef91c0-ff22-47e6-942d-182cb65cbf20.", param, ctx)


IDENT = Ident()


def tell(value: Any, as_json: bool, lines: Callable[[], Sequence[str]]) -> None:
    """Print the value as JSON, or what `lines` makes of it for a person."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        return
    for line in lines():
        click.echo(line)


def instant(value: datetime | None) -> str | None:
    """An instant as JSON shows it: UTC, to the second, `Z`."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pairs(given: Sequence[str], secret: Collection[str] = ()) -> dict[str, str]:
    """`--set key=value` as a mapping; `key=@file` reads a file and `key=-` standard input.

    secret: names whose value must not stand on the command line, where every user of the machine can read it.
    Raises InvalidInput, without the value.
    """
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InvalidInput({"set": "Give --set as key=value, key=@file or key=- (standard input)."})
        if key in found:
            raise InvalidInput({"set": f"{key} is given twice."})
        found[key] = _value(key, value, literal=key not in secret)
    return found


def _value(key: str, value: str, *, literal: bool) -> str:
    if value == "-":
        value = sys.stdin.read().strip()
    elif value.startswith("@"):
        try:
            with click.open_file(value[1:]) as file:
                value = file.read().strip()
        except (OSError, UnicodeDecodeError):
            raise InvalidInput({"set": f"The file for {key} cannot be read."}) from None
    elif not literal:
        raise InvalidInput({"set": f"{key} is a secret: give it as {key}=@file or {key}=- (standard input)."})
    if not value:
        raise InvalidInput({"set": f"{key} is empty."})
    return value


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    """Aligned columns: {key of a row: heading}."""
    cells = [[str("" if row.get(key) is None else row[key]) for key in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns.values()), *cells]) for i in range(len(columns))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [list(columns.values()), *cells]
    ]
