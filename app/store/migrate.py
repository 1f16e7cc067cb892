"""Migrations: one change a revision, both directions, one migrator at a time.

Alembic takes a third of a second to import, so only who migrates imports it; whether a database is at this release's
revision is one SELECT and a look at the revision files.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

import app.store.models  # noqa: F401 - registers every table
from app.errors import RunsheetError
from app.store.db import Store, db

_FOLDERS: dict[str, str] = {}
_REVISION = re.compile(r"^(revision|down_revision)\b[^=]*=\s*[\"']([^\"']+)[\"']", re.MULTILINE)


class PendingMigration(RunsheetError):
    """The database is older (or newer) than the code."""

    def __init__(self) -> None:
        super().__init__("The database does not match this release. Run: runsheet db upgrade")


def use(folder: Path) -> None:
    """Where the revisions lie."""
    _FOLDERS["migrations"] = str(folder)


def init_app(app: Flask, folder: Path) -> None:
    import flask_migrate  # noqa: PLC0415

    use(folder)
    flask_migrate.Migrate().init_app(app, db, directory=str(folder))


def upgrade(revision: str = "head") -> None:
    """Bring the schema to `revision`; needs an application context. Safe to call from several processes at once."""
    import flask_migrate  # noqa: PLC0415

    db.session.remove()
    flask_migrate.upgrade(directory=_FOLDERS["migrations"], revision=revision)


def downgrade(revision: str) -> None:
    """Take the schema back; needs an application context."""
    import flask_migrate  # noqa: PLC0415

    db.session.remove()
    flask_migrate.downgrade(directory=_FOLDERS["migrations"], revision=revision)


def is_current(store: Store) -> bool:
    """Whether the database stands at this release's revision. Raises DBAPIError where it cannot be reached."""
    with store.engine.connect() as connection:
        try:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            return False  # no such table: nothing was ever migrated here
    return found == [head(_FOLDERS["migrations"])]


@cache
def head(folder: str) -> str | None:
    """The revision no other one is built on; None where there are none, or two."""
    told = [dict(_REVISION.findall(path.read_text())) for path in Path(folder, "versions").glob("*.py")]
    heads = {one["revision"] for one in told if "revision" in one} - {one.get("down_revision") for one in told}
    return heads.pop() if len(heads) == 1 else None
