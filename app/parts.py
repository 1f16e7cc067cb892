"""The parts of the house without its pages, each opened when it is first asked for: what a command or a worker needs.

`create_app` puts the same parts under Flask. What is imported inside a function is slow and not for everybody.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine

from app.config import ROOT, Settings
from app.security.vault import Vault
from app.store import migrate
from app.store.db import Store, engine_options, prepare
from app.store.keys import require_keys

if TYPE_CHECKING:
    from app.jobs.redis import Queue
    from app.sync.engine import Engine

#: Workers that may share a limit without seeing each other while Redis is away.
UNSEEN_WORKERS = 4


def files() -> Path:
    """Where templates, static files and migrations lie: the checkout, or inside the installed package."""
    packed = Path(__file__).parent / "_files"
    return packed if packed.is_dir() else ROOT


def make_vault(settings: Settings, store: Store) -> Vault:
    """Raises SettingsError where the database holds ciphertexts of a key that is not configured."""
    vault = Vault(settings.encryption_key, settings.old_encryption_keys)
    if migrate.is_current(store):
        require_keys(store, vault)
    return vault


def make_queue(settings: Settings) -> Queue:
    from app.jobs.redis import connect  # noqa: PLC0415

    return connect(settings.redis_url, settings.runtime)


def make_engine(settings: Settings, store: Store, vault: Vault, queue: Queue) -> Engine:
    from app.pms.limits import FallbackLimiter, Limiter, LocalLimiter  # noqa: PLC0415
    from app.pms.redis_limiter import RedisLimiter  # noqa: PLC0415
    from app.sync.engine import Engine  # noqa: PLC0415

    limiter: Limiter = LocalLimiter()
    if queue.prompt is not None:
        limiter = FallbackLimiter(RedisLimiter(queue.prompt), LocalLimiter(UNSEEN_WORKERS))
    return Engine(store, vault, settings.vendor, limiter)


class Parts:
    """Close it when done; a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        migrate.use(files() / "migrations")

    @cached_property
    def store(self) -> Store:
        self.settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = create_engine(self.settings.database_url, **engine_options(self.settings.database_url))
        prepare(engine)
        return Store(engine)

    @cached_property
    def vault(self) -> Vault:
        return make_vault(self.settings, self.store)

    @cached_property
    def queue(self) -> Queue:
        return make_queue(self.settings)

    @cached_property
    def engine(self) -> Engine:
        return make_engine(self.settings, self.store, self.vault, self.queue)

    def require_current(self) -> None:
        """Raises PendingMigration where the database is not this release's."""
        if not migrate.is_current(self.store):
            raise migrate.PendingMigration

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if "store" in vars(self):
            self.store.engine.dispose()
        if "queue" in vars(self):
            self.queue.close()
