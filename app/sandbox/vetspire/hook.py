"""Hangs the hospital on the simulators' application, and stands at its door."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, Response, request

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Knobs, Stage, open_book, put_on
from app.sandbox.vetspire import API_KEY, BASE, views
from app.sandbox.vetspire.replies import refusal

KIND = "vetspire"


class VetspireKnobs(Knobs, kw_only=True, forbid_unknown_fields=True):
    """loop: the offset is taken no notice of. says: an error that comes with a 200 and half of the data."""

    loop: bool = False
    says: str | None = None
    code: str | None = None


def add_to(app: Flask, options: Options, clinic_clock: ClinicClock, home: Path | None) -> None:
    """Only the demo's hospital has a generated day. Raises SettingsError for a journal it cannot read."""
    book = open_book(Setup(KIND, "Harbour Vets", vet=True, id_of=_id_of), options, clinic_clock, home)
    put_on(app, Stage(KIND, BASE, book, VetspireKnobs(), refusal, _door))
    app.register_blueprint(views.bp)
    app.register_blueprint(control.blueprint(KIND))


def _id_of(*names: object) -> str:
    """Digits, few enough for a number."""
    digest = hashlib.sha256("/".join(str(name) for name in names).encode()).digest()
    return str(10**11 + int.from_bytes(digest[:8]) % (8 * 10**11))


def _door() -> Response | None:
    """403 without a key (documented: DEV); 401 for a wrong one, and for a good one behind “Bearer” [assumed]."""
    key = request.headers.get("Authorization")
    if key is None:
        return refusal(403, "Forbidden")
    return None if key == API_KEY else refusal(401, "Unauthorized")
