"""What can be read with a session. Writing is not simulated: nothing here writes back.

A parameter nobody has seen is refused [assumed], for our own sake: it would silently do nothing at Neo's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from flask import Blueprint, Response, request

from app.errors import InvalidInput, NotFound
from app.sandbox.clinic.clock import local
from app.sandbox.idexx_neo import BASE, door, wire
from app.sandbox.idexx_neo.clinic import KIND, knobs, numeric, visit_of
from app.sandbox.stage.book import Book
from app.sandbox.stage.day import days
from app.sandbox.stage.model import Visit
from app.sandbox.stage.stage import current

bp = Blueprint("idexx_neo", __name__, url_prefix=BASE)
#: Longer than anybody has asked for at once.
_MOST_DAYS = 62
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_SEARCH = {"q", "includeInactive", "json", "suggested", "limit", "escape", "clientId", "firstSuggestionId"}


@bp.before_request
def enter() -> Response | None:
    return door.enter()


@bp.teardown_request
def leave(_: BaseException | None) -> None:
    door.leave()


@bp.get("/appointments/getCalendarEventData")
def calendar() -> Response:
    """Every row that starts in the window, in one array; no second page."""
    _only({"start", "end"})
    book, turned = current(KIND).book, knobs()
    first, last = _wall("start", book), _wall("end", book)
    if not first < last <= first + timedelta(days=_MOST_DAYS):
        raise InvalidInput("end lies after start, and not too far.")
    with book.lock:
        shape = wire.old_row if turned.old_rows else wire.row
        shown = [one for one in book.between(first, last) if turned.shows_cancelled or one.state != "cancelled"]
        rows = [shape(book, one) for one in shown]
        if turned.rosters and not turned.old_rows:
            there = [one for one in book.people.values() if one.active]
            both = (first.astimezone(book.zone).date(), last.astimezone(book.zone).date())
            rows += [wire.roster(book, one, day) for day in days(*both) for one in there]
    return _answer({turned.wrapped: rows} if turned.wrapped else rows)


@bp.get("/appointments/getAppointment")
def appointment() -> Response:
    _only({"id"})
    book = current(KIND).book
    with book.lock:
        return _answer({"appointment": wire.detail(book, _visit(book, request.args.get("id", "")))})


@bp.get("/appointments/getAppointmentView")
def view() -> Response:
    _only(set())
    if knobs().settings != "new":
        raise NotFound("Not found.")
    book = current(KIND).book
    with book.lock:
        return _answer(wire.view(book))


@bp.get("/schedule/getScheduleConfigs")
def settings() -> Response:
    _only(set())
    if knobs().settings != "old":
        raise NotFound("Not found.")
    book = current(KIND).book
    with book.lock:
        return _answer(wire.old_settings(book))


@bp.get("/users/providers")
def providers() -> Response:
    _only({"includeInactive"})
    if not knobs().users:
        raise NotFound("Not found.")
    book, everybody = current(KIND).book, request.args.get("includeInactive") == "true"
    with book.lock:
        return _answer([wire.user(book, one) for one in book.people.values() if everybody or one.active])


@bp.get("/consultations/<consultation_id>/page-data")
def consultation(consultation_id: str) -> Response:
    book = current(KIND).book
    with book.lock:
        visit = book.visit(visit_of(consultation_id))
        if not wire.has_consultation(visit):
            raise NotFound("Not found.")
        return _answer(wire.consultation(book, visit))


@bp.get("/search/patients")
def patients() -> Response:
    """Whoever has the text in their name, or is of that number."""
    _only(_SEARCH)
    book, asked = current(KIND).book, request.args.get("q", "").lower()
    with book.lock:
        met = [wire.found(book, one) for one in book.patients.values() if asked in (one.id, one.given.lower())]
    found = {"data": [numeric(str(one["id"])) for one in met], "objects": met}
    return _answer({"results": {"patients": found, "suggested": {"objects": []}}})


def _visit(book: Book, visit_id: str) -> Visit:
    """Also one that was deleted: it is still told of, as such. Raises NotFound."""
    try:
        return book.visit(visit_id)
    except NotFound:
        gone = book.changed_since(_EVER, 0)
        found = next((one for one in gone if one.id == visit_id), None)
        if found is None:
            raise
        return found


def _wall(name: str, book: Book) -> datetime:
    text = request.args.get(name, "")
    try:
        at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - the clinic's wall clock
    except ValueError:
        raise InvalidInput(f"{name} is written as 2026-03-09 00:00:00.") from None
    return local(at.date(), 0, book.zone) if at.hour == at.minute == 0 else at.replace(tzinfo=book.zone)


def _only(known: set[str]) -> None:
    if unknown := set(request.args) - known:
        raise InvalidInput(f"There is no parameter {', '.join(sorted(unknown))}.")


def _answer(body: object) -> Response:
    return Response(msgspec.json.encode(body), content_type="application/json; charset=utf-8")


bp.register_error_handler(InvalidInput, lambda error: door.refusal(400, str(error)))
bp.register_error_handler(NotFound, lambda error: door.refusal(404, str(error)))
