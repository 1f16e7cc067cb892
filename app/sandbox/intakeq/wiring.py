"""Hangs the account on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.intakeq import control, gate, views
from app.sandbox.intakeq.book import Book
from app.sandbox.intakeq.state import EXTENSION, Account


def install(app: Flask, seed: str | None, clock: ClinicClock, home: Path | None) -> None:
    """seed None: an account whose book is empty. clock: the one all simulated clinics share. Raises SettingsError."""
    journal = home / "sandbox" / "intakeq.jsonl" if home else None
    app.extensions[EXTENSION] = Account(Book(seed, clock, journal))
    gate.install(views.bp)
    app.register_blueprint(views.bp)
    app.register_blueprint(control.bp)
