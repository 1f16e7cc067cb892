"""How the simulated ezyVet gets into the sandbox's application: one call."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.ezyvet import api, control
from app.sandbox.ezyvet.state import Ezyvet, install
from app.sandbox.ezyvet.world import World
from app.sandbox.options import Options


def add_to(app: Flask, options: Options, clock: ClinicClock, home: Path | None) -> None:  # noqa: ARG001
    """Its own world and clock beside the others'; the empty clinic has no appointments but those a test books."""
    journal = home / "sandbox" / "ezyvet.jsonl" if home else None
    world = World(options.seed, journal, generated=options.clinic != "empty", moves=options.moves)
    install(app.extensions, Ezyvet(world))
    app.register_blueprint(api.bp)
    app.register_blueprint(control.bp)
