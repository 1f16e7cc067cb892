"""Hangs the account on the simulators' application, and stands at its door."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from flask import Flask, Response, g, request

from app import clock
from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.cliniko import API_KEY, BASE, views
from app.sandbox.cliniko.replies import refusal
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Knobs, Stage, current, open_book, put_on

KIND = "cliniko"
#: `APP NAME (contact@email)` (documented: INTRO).
_AGENT = re.compile(r"\S.*\([^()@\s]+@[^()@\s]+\.[^()@\s]+\)")


class ClinikoKnobs(Knobs, kw_only=True, forbid_unknown_fields=True):
    """names_itself: whether a User-Agent without an e-mail address is blocked. loop: the last page leads to the first.

    reset_header: whether a 429 says when, as the reference has it.
    """

    names_itself: bool = True
    reset_header: bool = True
    loop: bool = False


def add_to(app: Flask, options: Options, clinic_clock: ClinicClock, home: Path | None) -> None:
    """Only the demo's clinic has a generated day. Raises SettingsError for a journal it cannot read."""
    book = open_book(Setup(KIND, "Harbour Allied Health", id_of=_id_of), options, clinic_clock, home)
    put_on(app, Stage(KIND, BASE, book, ClinikoKnobs(limits=((200, 60),)), refusal, _door))
    app.after_request(_when_again)
    app.register_blueprint(views.bp)
    app.register_blueprint(control.blueprint(KIND))


def _id_of(*names: object) -> str:
    """Nineteen digits, sent as text (documented: OAS)."""
    digest = hashlib.sha256("/".join(str(name) for name in names).encode()).digest()
    return str(10**18 + int.from_bytes(digest[:8]) % (8 * 10**18))


def _door() -> Response | None:
    """Who calls, and with which key: sent as a user name with an empty password, its suffix there or not."""
    knobs, said = current(KIND).knobs, request.authorization
    assert isinstance(knobs, ClinikoKnobs)
    if knobs.names_itself and not _AGENT.fullmatch(request.headers.get("User-Agent", "")):
        return refusal(403, "Set a User-Agent with the name of your application and a contact e-mail.")  # [assumed]
    if said is None or said.type != "basic" or said.password:
        return refusal(401, "Unauthorized")
    if said.username not in (API_KEY, API_KEY.rpartition("-")[0]):
        return refusal(401, "Unauthorized")
    if "application/json" not in request.headers.get("Accept", ""):
        return refusal(406, "Accept: application/json")  # [assumed] as a status
    return None


def _when_again(response: Response) -> Response:
    """This vendor tells the second at which it lets in again, not how long to wait; nothing, where it is told to."""
    if not request.path.startswith(f"{BASE}/") or response.status_code != 429 or g.get("stage_fault") is not None:
        return response
    knobs = current(KIND).knobs
    wait_s = response.headers.pop("Retry-After", None)
    if wait_s is not None and isinstance(knobs, ClinikoKnobs) and knobs.reset_header:
        response.headers["X-RateLimit-Reset"] = str(int(clock.now().timestamp()) + int(wait_s))
    return response
