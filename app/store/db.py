"""Engine and transactions, the same on SQLite and PostgreSQL.

SQLite runs in WAL mode. Readers use a deferred BEGIN and never wait. Writers use BEGIN IMMEDIATE behind a file lock:
without the file lock, busy writers in other processes starve each other for seconds (stack notes, §6).
"""

from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from app import clock

Result = TypeVar("Result")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)

_BUSY_TIMEOUT_MS = 15_000
_WRITES = "runsheet_writes"


def engine_options(url: str) -> dict[str, Any]:
    """What `create_engine` needs for this database; handed to Flask-SQLAlchemy."""
    options: dict[str, Any] = {"pool_size": 10, "max_overflow": 40, "pool_timeout": 10}
    if url.startswith("sqlite"):
        # isolation_level None: the driver begins nothing by itself, our `begin` listener does.
        options["connect_args"] = {"isolation_level": None, "check_same_thread": False, "timeout": 15}
    else:
        options["pool_pre_ping"] = True
        options["connect_args"] = {"connect_timeout": 5}
    return options


def prepare(engine: Engine) -> None:
    """Teach an engine our habits; once per engine, before its first connection."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        if driver.in_transaction:  # left open by a commit that failed: SQLAlchemy takes that one for ended
            driver.rollback()
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # may find the database busy, which becomes an error of ours
            return
        # Waits for nothing, and every request does it: SQLAlchemy's own way there costs more than the statement.
        driver.execute("BEGIN")


class WriteLock:
    """One writer at a time over all processes of a SQLite file, in the order the kernel wakes them.

    Not re-entrant: opening a write transaction inside another is a mistake and says so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._mine: tuple[int, threading.Lock, int] | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if getattr(self._local, "held", False):
            raise RuntimeError("a write transaction is already open in this thread")
        mine = self._mine
        if mine is None or mine[0] != os.getpid():  # after a fork: flock belongs to the open file, so open our own
            # Two threads that come here at once each keep what they opened; the file's lock holds between them too.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, file)
            mine = self._mine = os.getpid(), threading.Lock(), file
        _, threads, file = mine
        with threads:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._local.held = True
            try:
                yield
            finally:
                self._local.held = False
                fcntl.flock(file, fcntl.LOCK_UN)


class Store:
    """Where transactions come from. One per process and database; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False, autoflush=True)
        database = engine.url.database
        self._lock: Callable[[], AbstractContextManager[None]] = nullcontext
        if engine.dialect.name == "sqlite" and database and database != ":memory:":
            self._lock = WriteLock(Path(f"{database}.wlock"))

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment and leaves nothing behind."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A connection for one statement, where putting a session together would cost more than the statement."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction: committed at the end, rolled back when anything raises."""
        with self._lock(), self._sessions() as session:
            session.connection(execution_options={_WRITES: True})
            yield session
            session.commit()

    def transact(self, work: Callable[[Session], Result], attempts: int = 3) -> Result:
        """Run `work` in a write transaction, again where the database asks for that (deadlock, serialisation, busy).

        `work` must be safe to repeat: nothing of an earlier attempt is left when the next one starts.
        """
        for attempt in range(1, attempts + 1):
            try:
                with self.write() as session:
                    return work(session)
            except DBAPIError as error:
                if attempt == attempts or not is_transient(error):
                    raise
                clock.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter, not a secret
        raise AssertionError("unreachable")

    def forget_connections(self) -> None:
        """After a fork: drop the parent's connections without closing them under it."""
        self.engine.dispose(close=False)


def is_transient(error: DBAPIError) -> bool:
    """Whether the same transaction may well succeed if it is simply tried again."""
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return state in {"40001", "40P01", "55P03"}
    return isinstance(error, OperationalError) and "locked" in str(error.orig)
