"""Hangs the server on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.fhir import BASE, door, views
from app.sandbox.fhir.cast import SETUP
from app.sandbox.fhir.knobs import FhirKnobs
from app.sandbox.fhir.replies import CONTENT_TYPE, refusal
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.stage import Stage, open_book, put_on


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Raises SettingsError for a journal it cannot read."""
    stage = Stage(
        door.KIND,
        BASE,
        open_book(SETUP, options, clock, home),
        FhirKnobs(),
        refusal,
        door.door,
        frozenset({"/metadata", "/.well-known/smart-configuration", door.TOKEN}),
        CONTENT_TYPE,
    )
    put_on(app, stage)
    app.register_blueprint(views.bp)
    app.register_blueprint(control.blueprint(door.KIND))
