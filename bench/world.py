"""What a measurement runs in: the server in its own process, a migrated database, a paired practice, a Redis."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from app import clock, create_app
from app.config import Settings, VendorSettings
from app.jobs.embedded import Embedded
from app.store import appointments, catalogue, choices, connections, migrate, practices
from app.store.models.connection import Environment, PmsConnection
from app.sync.engine import Engine
from bench import pages

KEY = bytes(range(32))


@contextmanager
def serving(size: pages.Size, latency_ms: float = 0) -> Iterator[str]:
    """The address of a pre-serialised Gentu; ends with the block."""
    with serving_by("bench.server", size.appointments, size.practitioners, latency_ms) as address:
        yield f"{address}/v1"


@contextmanager
def serving_by(module: str, *told: float) -> Iterator[str]:
    """The address of a fake in a process of its own; ends with the block."""
    command = [sys.executable, "-m", module, *map(str, told)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def serve_changed(base_url: str, changed: bool) -> None:
    """Have one appointment in twenty be different from now on, or as at first."""
    urllib.request.urlopen(f"{base_url.removesuffix('/v1')}/mode/{int(changed)}").close()


@contextmanager
def databases(kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """kind -> a maker of fresh, migrated databases."""
    # The tests' own fixtures know how to get a PostgreSQL on any machine.
    from tests.fixtures.databases import Postgres, Sqlite
    from tests.fixtures.postgres import running_postgres

    class UsedOnce(Postgres):
        """The tests empty theirs and use them again: dead rows, and a peer's own schema, would stay."""

        def drop(self, url: str) -> None:
            self._run(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rsb-")))
        made: dict[str, Any] = {}
        if "sqlite" in kinds:
            made["sqlite"] = Sqlite(folder)
        if "postgresql" in kinds:
            made["postgresql"] = UsedOnce(stack.enter_context(running_postgres()), folder)
        yield made


@contextmanager
def redis() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rsb-") as folder, Embedded(Path(folder), persistent=False) as server:
        yield server.url


@dataclass
class Paired:
    """A practice whose four types are telehealth and whose practitioners are known."""

    engine: Engine
    practice_id: UUID
    connection_id: UUID
    sheets: dict[Any, UUID]


def paired(database: str, base_url: str, redis_url: str | None, home: Path, *, concurrency: int) -> Paired:
    """Wire the application over `database` and pair it, without the network: the measurement starts after this."""
    vendor = VendorSettings(
        base_url=base_url,
        token_url=f"{base_url}/oauth2/token",
        requests_per_minute=100_000,
        requests_per_hour=10_000_000,
        concurrency=concurrency,
        extra={"app_id": "bench", "client_id": "bench", "client_secret": "bench"},
    )
    engine = wired(database, redis_url, home, {"gentu": vendor})
    return made_practice(engine, "gentu", lambda session, row: connections.bind_tenant(session, row, pages.TENANT))


def wired(database: str, redis_url: str | None, home: Path, vendors: dict[str, VendorSettings]) -> Engine:
    """The application's engine over a migrated database."""
    settings = Settings(
        home=home,
        database_url=database,
        secret_key="only for the measurement, 0123456789",
        encryption_key=KEY,
        env="test",
        redis_url=redis_url,
        log_level="error",
        vendors=vendors,
    )
    app = create_app(settings)
    app.app_context().push()
    engine: Engine = app.extensions["runsheet.engine"]
    assert migrate.is_current(engine.store)
    return engine


def made_practice(
    engine: Engine, kind: str, pair: Callable[[Session, PmsConnection], None], *, keeps_cases: bool = False
) -> Paired:
    """A practice with one active connection, all its types telehealth."""
    with engine.store.write() as session:
        practice = practices.create(session, "Bench", "Australia/Melbourne")
        connection = connections.create(
            session, practice, kind, "Bench", Environment.SIMULATOR, keeps_cases=keeps_cases
        )
        pair(session, connection)
        connections.activate(session, connection, practice, clock.now())
        days = {pages.FIRST_DAY + timedelta(days=ahead) for ahead in range(pages.DAYS)}
        sheets = appointments.ensure_sheets(session, practice.id, days)
    made = Paired(engine, practice.id, connection.id, sheets)
    _read_catalogue(made)
    return made


def _read_catalogue(made: Paired) -> None:
    from app.sync import preview

    preview.read_catalogue(made.engine, made.practice_id, made.connection_id)
    with made.engine.store.write() as session:
        connection = connections.get(session, made.connection_id)
        practice = practices.get(session, made.practice_id)
        everything = {row.id for row in catalogue.types_of(session, connection.id)}
        choices.set_telehealth(session, connection, practice, everything, clock.now())
