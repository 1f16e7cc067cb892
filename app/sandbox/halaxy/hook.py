"""Hangs the practice on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.halaxy import BASE, views
from app.sandbox.halaxy.door import HalaxyKnobs, count_down, door
from app.sandbox.halaxy.ids import id_of
from app.sandbox.halaxy.outcome import JSON, refusal
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Stage, open_book, put_on

KIND = "halaxy"


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Only the demo's practice has a generated day. Raises SettingsError for a journal it cannot read."""
    book = open_book(Setup(KIND, "Bottlebrush Allied Health", id_of=id_of), options, clock, home)
    put_on(app, Stage(KIND, BASE, book, HalaxyKnobs(), refusal, door, frozenset({"/oauth/token"}), JSON))
    app.after_request(count_down)
    app.register_blueprint(views.bp)
    app.register_blueprint(control.blueprint(KIND))
