"""What can be read of the account. Writing is not simulated: nothing here writes back yet."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TypeVar

import msgspec
from flask import Blueprint, Response, request

from app.errors import InvalidInput, NotFound
from app.sandbox.intakeq import BASE, wire
from app.sandbox.intakeq.book import Asked
from app.sandbox.intakeq.faults import message
from app.sandbox.intakeq.model import STATUSES
from app.sandbox.intakeq.state import current

bp = Blueprint("intakeq", __name__, url_prefix=BASE)

PAGE = 100
Row = TypeVar("Row")
_APPOINTMENTS = {
    *("startDate", "endDate", "updatedSince", "status", "practitionerEmail", "client", "deletedOnly", "page"),
}
_CLIENTS = {"search", "page", "includeProfile"}
_DAY = timedelta(days=1)


@bp.get("/appointments/settings")
def settings() -> Response:
    _only(set())
    book = current().book
    with book.lock:
        return _answer(wire.settings(book))


@bp.get("/practitioners")
def practitioners() -> Response:
    _only(set())
    book = current().book
    with book.lock:
        return _answer([wire.practitioner(one) for one in book.practitioners.values()])


@bp.get("/appointments")
def appointments() -> Response:
    """A bare array, newest first, a hundred a page."""
    _only(_APPOINTMENTS)
    account = current()
    with account.book.lock:
        rows = _page(account.book.visits(_asked(account.knobs.inclusive)))
        return _answer([wire.appointment(account.book, one) for one in rows])


@bp.get("/appointments/<appointment_id>")
def appointment(appointment_id: str) -> Response:
    book = current().book
    with book.lock:
        try:
            return _answer(wire.appointment(book, book.visit(appointment_id)))
        except NotFound:
            return message("There is no such appointment.", 404)


@bp.get("/clients")
def clients() -> Response:
    _only(_CLIENTS)
    book, typed = current().book, request.args.get("search", "")
    with book.lock:
        found = [one for one in book.clients.values() if not typed or book.is_meant(one, typed)]
        shape = wire.profile if _flag("includeProfile") else wire.client_row
        return _answer([shape(one) for one in _page(found)])


@bp.get("/clients/profile/<client_id>")
def profile(client_id: str) -> Response:
    book = current().book
    with book.lock:
        found = book.clients.get(int(client_id)) if client_id.isascii() and client_id.isdigit() else None
        return message("There is no such client.", 404) if found is None else _answer(wire.profile(found))


# --- reading a query --------------------------------------------------------------------------------------------------


def refused(error: InvalidInput) -> Response:
    """A query that says something the vendor's pages do not know."""
    return message(str(error), 400)


def _only(known: set[str]) -> None:
    """[assumed] Strict for our own sake: a parameter nobody documents would silently do nothing at the vendor's."""
    if unknown := set(request.args) - known:
        raise InvalidInput(f"There is no parameter {', '.join(sorted(unknown))}.")


def _asked(inclusive: bool) -> Asked:
    first, last, status = _date("startDate"), _date("endDate"), request.args.get("status")
    if status is not None and status not in STATUSES:
        raise InvalidInput(f"status takes {', '.join(STATUSES)}.")
    if not inclusive:
        first, last = first and first + _DAY, last and last - _DAY
    return Asked(
        first,
        last,
        _date("updatedSince"),
        status,
        request.args.get("practitionerEmail"),
        request.args.get("client"),
        _flag("deletedOnly"),
    )


def _date(name: str) -> date | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        if len(text) != 10:
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{name} is written as yyyy-MM-dd.") from None


def _flag(name: str) -> bool:
    text = request.args.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidInput(f"{name} takes true or false.")
    return text == "true"


def _page(rows: list[Row]) -> list[Row]:
    """Pages are counted from 1; one behind the last is empty."""
    text = request.args.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise InvalidInput("page is a whole number from 1.")
    if current().knobs.ignores_page:
        number = 1
    return rows[(number - 1) * PAGE : number * PAGE]


def _answer(body: object) -> Response:
    return Response(msgspec.json.encode(body), content_type="application/json; charset=utf-8")


bp.register_error_handler(InvalidInput, refused)
