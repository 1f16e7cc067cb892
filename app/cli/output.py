"""How a command speaks: JSON for programs, lines for people; and the application it works with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import click
import msgspec
from flask import Flask

from app import create_app
from app.config import Settings
from app.errors import InvalidInput
from app.store import migrate
from app.store.db import Store
from app.sync.engine import Engine

BAD_INPUT, INCOMPLETE, FAILED = 2, 3, 4

Command = TypeVar("Command", bound=Callable[..., Any])


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


class House:
    """The parts of the application a command uses."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.settings: Settings = app.extensions["runsheet.settings"]
        self.store: Store = app.extensions["runsheet.store"]
        self.engine: Engine = app.extensions["runsheet.engine"]
        self.queue = app.extensions["runsheet.queue"]


@contextmanager
def house(*, current: bool = True, quiet: bool = True) -> Iterator[House]:
    """The application, opened. Raises PendingMigration where the database is not this release's."""
    settings = Settings.from_env()
    if quiet and settings.log_level == "info" and settings.log_format == "console":
        # A person at a terminal reads the command's own words; warnings still show.
        settings = replace(settings, log_level="warning")
    app = create_app(settings)
    with app.app_context():
        found = House(app)
        if current and not migrate.is_current(found.store):
            raise migrate.PendingMigration
        try:
            yield found
        finally:
            found.store.engine.dispose()


def tell(value: Any, as_json: bool, lines: Callable[[], Sequence[str]]) -> None:
    """Print the value as JSON, or what `lines` makes of it for a person."""
    if as_json:
        sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
        return
    for line in lines():
        click.echo(line)


def instant(value: datetime | None) -> str | None:
    """An instant as JSON shows it: UTC, to the second, `Z`."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pairs(given: Sequence[str]) -> dict[str, str]:
    """`--set key=value` as a mapping; `key=@file` reads a file and `key=-` standard input. Raises InvalidInput."""
    found: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise InvalidInput({"set": f"“{text}” is not key=value."})
        if value == "-":
            value = sys.stdin.read().strip()
        elif value.startswith("@"):
            try:
                with click.open_file(value[1:]) as file:
                    value = file.read().strip()
            except OSError:
                raise InvalidInput({"set": f"The file for {key} cannot be read."}) from None
        found[key.strip()] = value
    return found


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    """Aligned columns: {key of a row: heading}."""
    cells = [[str("" if row.get(key) is None else row[key]) for key in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns.values()), *cells]) for i in range(len(columns))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [list(columns.values()), *cells]
    ]
