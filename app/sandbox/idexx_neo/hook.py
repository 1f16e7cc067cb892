"""Hangs the clinic on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.idexx_neo import BASE, door, login, views
from app.sandbox.idexx_neo.clinic import KIND, SETUP, NeoKnobs
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.stage import Stage, open_book, put_on


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Only the demo's clinic has a generated day. Raises SettingsError for a journal it cannot read."""
    book = open_book(SETUP, options, clock, home)
    put_on(app, Stage(KIND, BASE, book, NeoKnobs(), door.refusal, door.door, open_paths=login.OPEN))
    for blueprint in (login.bp, views.bp, control.blueprint(KIND)):
        app.register_blueprint(blueprint)
