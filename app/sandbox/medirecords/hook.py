"""Hangs the practice on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.medirecords import BASE, views
from app.sandbox.medirecords.door import JSON, MedirecordsKnobs, door, refusal
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Stage, open_book, put_on

KIND = "medirecords"


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Only the demo's practice has a generated day. Raises SettingsError for a journal it cannot read."""
    book = open_book(Setup(KIND, "Saltbush Lane Medical"), options, clock, home)
    put_on(app, Stage(KIND, BASE, book, MedirecordsKnobs(), refusal, door, frozenset({"/oauth/token"}), JSON))
    app.register_blueprint(views.bp)
    app.register_blueprint(control.blueprint(KIND))
