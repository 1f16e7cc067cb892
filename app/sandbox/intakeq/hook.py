"""Hangs the account on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.intakeq import control, gate, views
from app.sandbox.intakeq.book import Book
from app.sandbox.intakeq.state import EXTENSION, Account
from app.sandbox.options import Options


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Only the demo's account has a generated day. Raises SettingsError for a journal it cannot read."""
    seed = options.seed if options.clinic == "demo" else None
    journal = home / "sandbox" / "intakeq.jsonl" if home else None
    app.extensions[EXTENSION] = Account(Book(seed, clock, journal))
    gate.install(views.bp)
    app.register_blueprint(views.bp)
    app.register_blueprint(control.bp)
