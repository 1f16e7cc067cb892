"""The simulators as one web application: reads top to bottom as the wiring diagram."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import ClosingIterator

from app.errors import Conflict, InvalidInput, NotFound, RunsheetError
from app.sandbox import state, vendors
from app.sandbox.clinic import opening
from app.sandbox.control import api, bookings, changes, orders, page, systems
from app.sandbox.gentu import BASE, access, appointments, directory, gate, writeback
from app.sandbox.gentu.replies import Refused, answer, message
from app.sandbox.journal import Journal
from app.sandbox.options import Options
from app.sandbox.traffic import Traffic
from app.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def create_sandbox(options: Options, home: Path | None) -> Flask:
    """The application for these options; edits are kept under `home`, or in memory. Raises SettingsError."""
    journal = Journal(home / "sandbox" / "gentu.jsonl" if home else None)
    world = World(partial(opening.practices, options), journal, options.paired)
    sandbox = state.Sandbox(options, world)

    app = Flask(__name__, static_folder=None, template_folder="control/templates")
    state.install(app.extensions, sandbox)
    gate.install(access.bp)
    for blueprint in (access.bp, directory.bp, appointments.bp, writeback.bp):
        app.register_blueprint(blueprint)
    app.before_request(orders.strangers)
    for blueprint in (api.bp, changes.bp, bookings.bp, page.bp, systems.bp):
        app.register_blueprint(blueprint)
    for kind in vendors.VENDORS:
        vendors.hook(kind)(app, options, world.clock, home)
    app.add_url_rule("/", view_func=page.home)
    app.add_url_rule("/favicon.ico", view_func=page.favicon)
    app.register_error_handler(Refused, lambda refused: refused.response)
    app.register_error_handler(RunsheetError, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    app.wsgi_app = _CountOpen(app.wsgi_app, sandbox.traffic)  # type: ignore[method-assign]
    return app


def _refusal(error: RunsheetError) -> Response:
    """An order to the control API that cannot be carried out."""
    status = {InvalidInput: 422, NotFound: 404, Conflict: 409}.get(type(error), 400)
    return orders.refused(str(error), status)


def _http_error(error: HTTPException) -> Response:
    text = error.description or error.name
    if request.path.startswith(BASE):
        return message(text, error.code or 500)
    return answer({"error": text}, error.code or 500)


class _CountOpen:
    """Counts the vendor's requests that are open at once, from the first byte read to the last one sent."""

    def __init__(self, inner: WSGIApplication, traffic: Traffic) -> None:
        self._inner = inner
        self._traffic = traffic

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(BASE):
            return self._inner(environ, start_response)
        self._traffic.opened()
        try:
            return ClosingIterator(self._inner(environ, start_response), self._traffic.closed)
        except BaseException:
            self._traffic.closed()
            raise
