"""Every fault ends here: plain words, an id that the log knows too, and nothing about a patient."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass

from flask import Flask, Response, make_response, render_template, request
from flask_wtf.csrf import CSRFError, generate_csrf
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NoSuchPage

from app.errors import Conflict, InvalidInput, NotFound
from app.web.htmx import wants_fragment

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a person reads. `again` offers to load the page anew."""

    title: str
    sentence: str
    again: bool = False


_FAULTS = {
    400: Fault("That request could not be read", "Something in it was missing or out of place. Nothing was changed."),
    403: Fault("That is not yours to do", "Your role in this practice does not allow it. Nothing was changed."),
    404: Fault("There is no such page", "It may have been moved, or it belongs to another practice."),
    405: Fault("That does not work here", "This address does not take that kind of request. Nothing was changed."),
    409: Fault("Somebody was faster", "It changed in the meantime. Nothing was written; look at it again first."),
    413: Fault("That is too much at once", "What was sent is larger than we accept. Nothing was changed."),
    422: Fault("Something is not right yet", "Nothing was written."),
    429: Fault("A little slower, please", "There were too many requests from here. Wait a minute and try again."),
    500: Fault("That went wrong on our side", "It was noted. Try again; if it stays, tell whoever runs this Runsheet."),
}
_EXPIRED = Fault(
    "This page is from an earlier sign-in",
    "Nothing was changed. Load the page again, then repeat what you did.",
    again=True,
)
_UNKNOWN = Fault("That did not work", "Nothing was changed.")


class BadDay(NoSuchPage):
    """An address that should hold a day and does not; the one page error with a sentence of its own."""

    def __init__(self, text: str) -> None:
        super().__init__(description=f"“{text[:20]}” is not a day. Write it as 2026-03-09.")


def init(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(CSRFError, _expired)
    app.register_error_handler(NotFound, lambda _: answer(404, _FAULTS[404]))
    app.register_error_handler(Conflict, lambda _: answer(409, _FAULTS[409]))
    app.register_error_handler(InvalidInput, _invalid)
    app.register_error_handler(Exception, _unforeseen)


def answer(status: int, fault: Fault, error_id: str = "") -> Response:
    """The page, or the small fragment where htmx asked."""
    template = "errors/_fault.html" if wants_fragment() else "errors/fault.html"
    return make_response(render_template(template, fault=fault, status=status, error_id=error_id), status)


def _http(error: HTTPException) -> Response:
    if error.response is not None:  # somebody aborted with a finished answer
        return make_response(error.get_response())
    status = error.code or 500
    if status < 400:
        return make_response(error.get_response())
    fault = _FAULTS.get(status, _UNKNOWN)
    if isinstance(error, BadDay):
        fault = Fault("That is not a day", error.description or "")
    made = answer(status, fault, _noted(status))
    if status == 405:
        made.headers.update({name: value for name, value in error.get_headers() if name == "Allow"})
    return made


def _expired(_: CSRFError) -> Response:
    """The token does not fit the session. Our own script may take the new one and let the person press again."""
    made = answer(400, _EXPIRED)
    made.headers["X-CSRFToken"] = generate_csrf()
    return made


def _invalid(error: InvalidInput) -> Response:
    return answer(422, Fault(_FAULTS[422].title, str(error)))


def _unforeseen(error: Exception) -> Response:
    """Where it happened goes into the log under the id; what the values were goes nowhere."""
    error_id = _error_id()
    log.error(
        "unforeseen",
        exc_info=error,
        extra={"request_id": error_id, "route": request.endpoint or "", "method": request.method},
    )
    try:
        return answer(500, _FAULTS[500], error_id)
    except Exception:  # noqa: BLE001 - the page that tells of a fault must not be the next one
        return make_response(f"{_FAULTS[500].title}. {_FAULTS[500].sentence} ({error_id})", 500)


def _error_id() -> str:
    """For a person to read out. Begins with a letter: the log takes a row of digits for somebody's number."""
    return f"e{secrets.token_hex(4)}"


def _noted(status: int) -> str:
    error_id = _error_id()
    log.info("refused", extra={"request_id": error_id, "status": status, "route": request.endpoint or ""})
    return error_id
