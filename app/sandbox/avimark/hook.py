"""Hangs it on the simulators' application."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.onpremise import hook
from app.sandbox.onpremise.product import AVIMARK
from app.sandbox.options import Options


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:
    """Raises SettingsError for a journal that cannot be read."""
    hook.add(AVIMARK, app, options, clock, home)
