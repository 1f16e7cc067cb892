"""Runsheet: a telehealth run sheet fed from the practice's own management system."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """The application, wired. Reads top to bottom as the wiring diagram; each `init` is a room of the house."""
    # Imported here, so that `import app` costs the sandbox nothing and drags no adapter into it.
    from flask import Flask  # noqa: PLC0415

    from app import parts, web, wiring  # noqa: PLC0415
    from app.config import Settings  # noqa: PLC0415

    settings = settings or Settings.from_env()
    app = Flask("runsheet", root_path=str(parts.files()))
    wiring.configure(app, settings)  # settings -> Flask's own names
    wiring.log(settings)  # lines without patient data
    wiring.open_store(app, settings)  # tables, migrations, transactions
    wiring.open_vault(app, settings)  # ciphers, and whether every key this database needs is here
    wiring.open_queue(app, settings)  # Redis, or the reason why there is none
    wiring.open_engine(app)  # sync: adapters, limiter, tokens
    web.init(app)  # pages, sign-in, headers
    return app
