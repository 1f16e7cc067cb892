"""The application a command works with: settings, logging, and the parts it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from app import logs
from app.config import Settings

if TYPE_CHECKING:
    from app.parts import Parts


def read_settings(*, quiet: bool) -> Settings:
    """The settings, with logging set up. quiet: a person at a terminal reads the command's own words instead."""
    settings = Settings.from_env()
    if quiet and settings.log_level == "info" and settings.log_format == "console":
        settings = replace(settings, log_level="error")
    logs.set_up(settings.log_format, settings.log_level)
    return settings


@contextmanager
def house(*, current: bool = True, quiet: bool = True) -> Iterator[Parts]:
    """The parts of the application. Raises PendingMigration where the database is not this release's."""
    from app.parts import Parts  # noqa: PLC0415 - brings the tables along, which not every process needs

    with Parts(read_settings(quiet=quiet)) as parts:
        if current:
            parts.require_current()
        yield parts
