"""The pages: signed-in, server-rendered, and usable without a script."""

from __future__ import annotations

from typing import cast

from flask import Flask
from htmx_flask import Htmx

from app.config import Settings
from app.web import (
    addresses,
    appointments,
    assets,
    connections,
    drawing,
    errors,
    history,
    holds,
    login,
    mapping,
    pairing,
    patients,
    polls,
    quarantine,
    routes,
    runsheet,
    security,
    sync,
    walk_in,
)
from app.web import types as types  # its routes are part of `mapping`


def init(app: Flask) -> None:
    """Register every page area. Security first: what it wraps is everything that follows."""
    Htmx(app)
    addresses.init(app)
    security.init(app, cast(Settings, app.extensions["runsheet.settings"]))
    errors.init(app)
    routes.init(app)
    assets.init(app)
    drawing.init(app)
    desk = (login, runsheet, appointments, walk_in, sync, patients)
    office = (connections, pairing, mapping, history, quarantine, holds)
    for area in (*desk, *office):
        app.register_blueprint(area.bp)
    polls.init(app)
