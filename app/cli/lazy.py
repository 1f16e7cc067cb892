"""Groups whose commands are imported when they are run: `runsheet --help` need not load a database."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """`commands_at`: name -> (where it is, as "module:attribute", or the group itself; its line in the list).

    A command with a blank line works but is not listed.
    """

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str | click.Group, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands_at:
            place = self.commands_at[cmd_name][0]
            return place if isinstance(place, click.Group) else _imported(place)
        if cmd_name.startswith("-"):
            return None  # click goes on to say which option is unknown
        raise click.exceptions.NoSuchCommand(cmd_name, possibilities=self.commands_at, ctx=ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.commands_at.items() if line])


def _imported(place: str) -> click.Command:
    module, name = place.split(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, click.Command)
    return found
