"""Migrations: one change a revision, both directions, one migrator at a time."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import flask_migrate
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask

import app.store.models  # noqa: F401 - registers every table
from app.errors import RunsheetError
from app.store.db import Store, db

_migrate = flask_migrate.Migrate()
_FOLDERS: dict[str, str] = {}


class PendingMigration(RunsheetError):
    """The database is older (or newer) than the code."""

    def __init__(self) -> None:
        super().__init__("The database does not match this release. Run: runsheet db upgrade")


def init_app(app: Flask, folder: Path) -> None:
    _FOLDERS["migrations"] = str(folder)
    _migrate.init_app(app, db, directory=str(folder))


def upgrade(revision: str = "head") -> None:
    """Bring the schema to `revision`; needs an application context. Safe to call from several processes at once."""
    db.session.remove()
    flask_migrate.upgrade(directory=_FOLDERS["migrations"], revision=revision)


def downgrade(revision: str) -> None:
    """Take the schema back; needs an application context."""
    db.session.remove()
    flask_migrate.downgrade(directory=_FOLDERS["migrations"], revision=revision)


def is_current(store: Store) -> bool:
    """Whether the database stands at this release's revision."""
    with store.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found is not None and found == _head(_FOLDERS["migrations"])


@cache
def _head(folder: str) -> str | None:
    config = Config()
    config.set_main_option("script_location", folder)
    return ScriptDirectory.from_config(config).get_current_head()
