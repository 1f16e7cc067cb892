"""The parts `create_app` puts together, and how a part is found again: typed accessors over `app.extensions`."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from flask import Flask, current_app

from app import logs
from app.config import Settings
from app.jobs.redis import Queue
from app.parts import files, make_engine, make_queue, make_vault
from app.security.vault import Vault
from app.store import migrate
from app.store.db import Store, db, engine_options, prepare
from app.sync.engine import Engine


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


def migrate_database(settings: Settings) -> None:
    """Bring the database to this release's tables; safe from several processes at once."""
    app = Flask("runsheet")
    configure(app, settings)
    open_store(app, settings)
    with app.app_context():
        migrate.upgrade()
        store_of(app).engine.dispose()


def open_vault(app: Flask, settings: Settings) -> None:
    """Raises SettingsError where the database holds ciphertexts of a key that is not configured."""
    app.extensions["runsheet.vault"] = make_vault(settings, store_of(app))


def open_queue(app: Flask, settings: Settings) -> None:
    app.extensions["runsheet.queue"] = make_queue(settings)


def open_engine(app: Flask) -> None:
    vault, queue = cast(Vault, app.extensions["runsheet.vault"]), cast(Queue, app.extensions["runsheet.queue"])
    app.extensions["runsheet.engine"] = make_engine(settings_of(app), store_of(app), vault, queue)


# --- found again ------------------------------------------------------------------------------------------------------


def settings_of(app: Flask) -> Settings:
    return cast(Settings, app.extensions["runsheet.settings"])


def store_of(app: Flask) -> Store:
    return cast(Store, app.extensions["runsheet.store"])


def settings() -> Settings:
    return settings_of(current_app)


def store() -> Store:
    return store_of(current_app)


def vault() -> Vault:
    return cast(Vault, current_app.extensions["runsheet.vault"])


def queue() -> Queue:
    return cast(Queue, current_app.extensions["runsheet.queue"])


def engine() -> Engine:
    return cast(Engine, current_app.extensions["runsheet.engine"])
