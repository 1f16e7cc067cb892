"""The parts `create_app` puts together, and how a part is found again: typed accessors over `app.extensions`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import cast

from flask import Flask, current_app

from app import logs
from app.config import ROOT, Settings
from app.jobs.redis import Queue, connect
from app.pms.limits import FallbackLimiter, Limiter, LocalLimiter
from app.pms.redis_limiter import RedisLimiter
from app.security.vault import Vault
from app.store import migrate
from app.store.db import Store, db, engine_options, prepare
from app.store.keys import require_keys
from app.sync.engine import Engine

#: Workers that may share a limit without seeing each other while Redis is away.
UNSEEN_WORKERS = 4


def files() -> Path:
    """Where templates, static files and migrations lie: the checkout, or inside the installed package."""
    packed = Path(__file__).parent / "_files"
    return packed if packed.is_dir() else ROOT


def configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        SESSION_COOKIE_NAME="__Host-runsheet" if settings.production else "runsheet",
        SESSION_COOKIE_SECURE=settings.production,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,  # a poll must not send, or lengthen, anything
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(days=365),
        MAX_CONTENT_LENGTH=256 * 1024,
        MAX_FORM_MEMORY_SIZE=256 * 1024,
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session
        WTF_CSRF_SSL_STRICT=False,  # Origin and Sec-Fetch-Site are checked instead (web.security)
    )
    app.extensions["runsheet.settings"] = settings


def log(settings: Settings) -> None:
    logs.set_up(settings.log_format, settings.log_level)


def open_store(app: Flask, settings: Settings) -> None:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    db.init_app(app)
    migrate.init_app(app, files() / "migrations")
    with app.app_context():
        prepare(db.engine)
        app.extensions["runsheet.store"] = Store(db.engine)


def open_vault(app: Flask, settings: Settings) -> None:
    """Raises SettingsError where the database holds ciphertexts of a key that is not configured."""
    vault = Vault(settings.encryption_key, settings.old_encryption_keys)
    store = cast(Store, app.extensions["runsheet.store"])
    if migrate.is_current(store):
        require_keys(store, vault)
    app.extensions["runsheet.vault"] = vault


def open_queue(app: Flask, settings: Settings) -> None:
    app.extensions["runsheet.queue"] = connect(settings.redis_url, settings.runtime)


def open_engine(app: Flask) -> None:
    queue = cast(Queue, app.extensions["runsheet.queue"])
    limiter: Limiter = LocalLimiter()
    if queue.patient is not None:
        limiter = FallbackLimiter(RedisLimiter(queue.patient), LocalLimiter(UNSEEN_WORKERS))
    vendor = cast(Settings, app.extensions["runsheet.settings"]).vendor
    store, vault = cast(Store, app.extensions["runsheet.store"]), cast(Vault, app.extensions["runsheet.vault"])
    app.extensions["runsheet.engine"] = Engine(store, vault, vendor, limiter)


# --- found again ------------------------------------------------------------------------------------------------------


def settings() -> Settings:
    return cast(Settings, current_app.extensions["runsheet.settings"])


def store() -> Store:
    return cast(Store, current_app.extensions["runsheet.store"])


def vault() -> Vault:
    return cast(Vault, current_app.extensions["runsheet.vault"])


def queue() -> Queue:
    return cast(Queue, current_app.extensions["runsheet.queue"])


def engine() -> Engine:
    return cast(Engine, current_app.extensions["runsheet.engine"])
