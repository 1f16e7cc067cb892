"""The one address: a question read strictly, then answered from the book. Writing is not simulated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, request

from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Visit
from app.sandbox.stage.stage import current
from app.sandbox.vetspire import BASE, LOCATION, wire
from app.sandbox.vetspire.language import BadQuery, parse
from app.sandbox.vetspire.replies import answer, errors
from app.sandbox.vetspire.schema import TooDeep, check, picked
from app.sandbox.vetspire.wire import Record

bp = Blueprint("vetspire", __name__, url_prefix=BASE)
KIND = "vetspire"
#: What one call gives at most, whatever it asks for, and says nothing of it (seen in code).
CAP = 200
_AROUND = timedelta(days=40)
Args = dict[str, object]


@bp.post("/graphql")
def graphql() -> Response:
    try:
        text, given = _question()
        query = parse(text)
        check(query, given)
        book = current(KIND).book
        with book.lock:
            data = {one.name: picked(_FIELDS[one.name](book, one.args), one.chosen) for one in query.chosen}
    except TooDeep as error:
        return errors(str(error), "query_depth_limit")
    except BadQuery as error:
        return errors(str(error))
    knobs = current(KIND).knobs
    if says := getattr(knobs, "says", None):
        half = {name: value[:1] if isinstance(value, list) else None for name, value in data.items()}
        return errors(says, getattr(knobs, "code", None), half)
    return answer({"data": data})


def _question() -> tuple[str, dict[str, object]]:
    """As JSON, or as a form with the variables as JSON in it (seen in code: both)."""
    if request.mimetype == "application/json":
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            raise BadQuery("Must provide query string.")
        return body["query"], body.get("variables") or {}
    try:
        given = json.loads(request.form.get("variables", "{}"))
    except ValueError:
        raise BadQuery("Variables are invalid JSON.") from None
    return request.form.get("query", ""), given


# --- lists ------------------------------------------------------------------------------------------------------------


def _appointments(book: Book, args: Args) -> list[Record]:
    """Finished ones only where one asks for them; deleted ones only where one asks for nothing else."""
    if str(args["locationId"]) != LOCATION:
        return []
    gone, finished = args.get("onlyDeleted") is True, args.get("includeCompleted") is True
    found = []
    for visit in _visits(book, args):
        told = wire.appointment(book, visit)
        if (visit.deleted_at is not None) != gone:
            continue
        if finished or gone or (visit.word or wire.WORDS[visit.state]) not in wire.FINISHED:
            found.append(told)
    return _page(found, args)


def _visits(book: Book, args: Args) -> Iterable[Visit]:
    since, until = (_instant(name, args.get(name), naive=True) for name in ("updatedAtStart", "updatedAtEnd"))
    first, last = (_instant(name, args.get(name)) for name in ("start", "end"))
    if first is None and last is None and since is not None:
        found = book.changed_since(since, 60)
    else:
        now = book.clock.now()
        ends = (first or now - _AROUND, last or now + _AROUND)
        found = sorted(
            (one for gone in (False, True) for one in book.between(*ends, deleted=gone)),
            key=lambda one: (one.starts_at, one.id),
        )
    return [
        one
        for one in found
        if (since is None or one.modified_at >= since) and (until is None or one.modified_at < until)
    ]


def _instant(name: str, value: object, *, naive: bool = False) -> datetime | None:
    """A start bears its zone, a stamp does not."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or (at.tzinfo is None) != naive:
        kind = "NaiveDateTime" if naive else "DateTime"
        raise BadQuery(f'In argument "{name}": Expected type "{kind}", found {json.dumps(value)}.')
    return at.replace(tzinfo=UTC) if naive else at


def _page(found: list[Record], args: Args) -> list[Record]:
    limit, offset = (_whole(name, args.get(name), usual) for name, usual in (("limit", CAP), ("offset", 0)))
    if getattr(current(KIND).knobs, "loop", False):
        offset = 0
    return found[offset : offset + min(limit, CAP)]


def _whole(name: str, value: object, usual: int) -> int:
    if value is None:
        return usual
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadQuery(f'In argument "{name}": Expected type "Int", found {json.dumps(value)}.')
    return value


def _encounters(book: Book, args: Args) -> list[Record]:
    return _page([wire.encounter(book, one) for one in _visits(book, args) if wire.has_encounter(one)], args)


# --- one thing --------------------------------------------------------------------------------------------------------


def _encounter(book: Book, args: Args) -> Record | None:
    now, wanted = book.clock.now(), str(args["id"])
    visits = (one for gone in (False, True) for one in book.between(now - _AROUND, now + _AROUND, deleted=gone))
    found = next((one for one in visits if wire.encounter_id(one) == wanted and wire.has_encounter(one)), None)
    return None if found is None else wire.encounter(book, found)


def _patient(book: Book, args: Args) -> Record | None:
    found = book.patients.get(str(args["id"]))
    return None if found is None else wire.patient(book, found)


def _client(book: Book, args: Args) -> Record | None:
    for one in book.patients.values():
        if one.owner is not None and one.owner.id == str(args["id"]):
            return wire.client(one.owner, one.phone, one.email)
    return None


_FIELDS: dict[str, Callable[[Book, Args], object]] = {
    "org": lambda book, _: {"id": "1", "name": book.setup.name},
    "locations": lambda book, args: _page([book.said(LOCATION, wire.location(book))], args),
    "providers": lambda book, args: _page(
        [book.said(one.id, wire.provider(one)) for one in book.people.values()], args
    ),
    "appointmentTypes": lambda book, _: [book.said(one.id, wire.appointment_type(one)) for one in book.kinds.values()],
    "appointments": _appointments,
    "client": _client,
    "patient": _patient,
    "encounters": _encounters,
    "encounter": _encounter,
}
