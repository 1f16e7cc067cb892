"""Alembic's entry, our own: the stock one calls deprecated names and cannot wait its turn."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import context
from sqlalchemy import JSON, Connection, Engine

from app.store.db import Base, db
from app.store.types import UtcDateTime

#: Any number, as long as every migrator of this application uses the same.
_ADVISORY_LOCK = 0x52554E53


@contextmanager
def _alone(engine: Engine, connection: Connection) -> Iterator[None]:
    """One migrator at a time; on PostgreSQL also give up rather than wait for ever behind an open transaction."""
    if engine.dialect.name == "postgresql":
        connection.exec_driver_sql("SET lock_timeout = '10s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})")
            connection.commit()
        return
    path = Path(f"{engine.url.database}.migrate")
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _render(kind: str, item: Any, autogen: Any) -> str | bool:
    """Our own column types as the plain types they store, so that a migration never imports the application."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run() -> None:
    engine = db.engine
    with engine.connect() as connection, _alone(engine, connection):
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            render_as_batch=engine.dialect.name == "sqlite",
            render_item=_render,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
