"""The tables: up, down and up again; what the migrations make is what the models say; two migrators do not meet."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, text

import app.store.models  # noqa: F401 - registers every table
from app.store import migrate
from app.store.db import Base, Store, db
from app.store.models import SyncPhase, SyncRun
from tests.fakes.house import furnish
from tests.fixtures.databases import migrated


@pytest.fixture
def tables(store: Store) -> Iterator[Any]:
    def names() -> set[str]:
        with store.engine.connect() as connection:
            return set(inspect(connection).get_table_names()) - {"alembic_version"}

    return names


def test_up_down_and_up_again(app: Flask, store: Store, tables: Any) -> None:
    expected = set(Base.metadata.tables)
    assert tables() == expected
    migrate.downgrade("base")
    assert tables() == set()
    assert not migrate.is_current(store)
    migrate.upgrade()
    assert tables() == expected
    assert migrate.is_current(store)


def test_going_up_where_we_are_already_changes_nothing(app: Flask, store: Store) -> None:
    with store.write() as session:
        session.execute(text("INSERT INTO encryption_keys (key_id, first_used_at) VALUES ('k', '2026-03-09 00:00:00')"))
    migrate.upgrade()
    with store.read() as session:
        assert session.scalar(text("SELECT count(*) FROM encryption_keys WHERE key_id = 'k'")) == 1


def test_the_migrations_make_what_the_models_say(app: Flask, store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_partial_indexes_agree_with_the_models(app: Flask, store: Store) -> None:
    """Autogenerate does not look at CHECKs, nor at what an index is partial by."""
    with store.engine.connect() as connection:
        looked = inspect(connection)
        for name, table in Base.metadata.tables.items():
            checks = {one["name"] for one in looked.get_check_constraints(name)}
            assert checks == {one.name for one in table.constraints if type(one).__name__ == "CheckConstraint"}, name
            partial = {
                one["name"]: one["unique"]
                for one in looked.get_indexes(name)
                if one.get("dialect_options", {}).get(f"{store.dialect}_where") is not None
            }
            where = f"{store.dialect}_where"
            assert {key: bool(value) for key, value in partial.items()} == {
                one.name: one.unique for one in table.indexes if one.dialect_kwargs.get(where) is not None
            }, name
            foreign = {
                (*one["constrained_columns"], one["referred_table"]): one["options"].get("ondelete")
                for one in looked.get_foreign_keys(name)
            }
            meant = {(*one.column_keys, one.referred_table.name): one.ondelete for one in table.foreign_key_constraints}
            assert foreign == meant, name


def test_no_two_revisions_are_the_newest() -> None:
    folder = Path(__file__).resolve().parents[1] / "migrations"
    assert migrate.head(str(folder)) is not None


def test_two_migrators_at_once(app: Flask, store: Store, tables: Any, database_url: str, tmp_path: Path) -> None:
    migrate.downgrade("base")
    db.session.remove()
    store.engine.dispose()
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=migrated, args=(database_url, tmp_path / f"home{n}")) for n in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert tables() == set(Base.metadata.tables)
    assert migrate.is_current(store)
    with store.read() as session:
        assert len(session.execute(text("SELECT version_num FROM alembic_version")).all()) == 1


def test_the_diary_outlives_the_revision_that_makes_its_table_anew(app: Flask, store: Store) -> None:
    """0010: SQLite cannot change a CHECK in place, and a table that is dropped would take what refers to it along."""
    practice_id, connection_id, _ = furnish(store, pms_type="gentu")
    today = date(2026, 3, 9)
    given = {"practice_id": practice_id, "pms_connection_id": connection_id, "trigger": "schedule", "phases": []}
    with store.write() as session:
        run = SyncRun(id=uuid4(), **given, sync_type="automated_daily", window_from=today, window_to=today)
        session.add(run)
        session.flush()
        session.add(SyncPhase(sync_run_id=run.id, phase="inbound", fetched=7))
    for there in ("0009", "head", "0009", "head"):
        (migrate.downgrade if there == "0009" else migrate.upgrade)(there)
        with store.read() as session:
            told = session.execute(text("SELECT phase, fetched FROM pms_sync_phases")).all()
            kind = session.scalar(text("SELECT sync_type FROM pms_sync_log"))
        assert [tuple(one) for one in told] == [("inbound", 7)]
        assert kind == "incremental"
    with store.write() as session:
        session.execute(text("UPDATE pms_sync_log SET sync_type = 'automated_daily'"))
