"""What can be read of the account: lists by page, records, attendees of a booking; and the mark of an arrival."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from flask import Blueprint, Response, request
from msgspec import to_builtins
from msgspec.structs import replace

from app.errors import NotFound
from app.sandbox.cliniko import BASE, wire
from app.sandbox.cliniko.filters import HIDING, BadFilter, Query
from app.sandbox.cliniko.replies import answer, refusal, sentence
from app.sandbox.cliniko.wire import Record
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import PutVisit, State, Visit
from app.sandbox.stage.stage import current

bp = Blueprint("cliniko", __name__, url_prefix=BASE)
KIND = "cliniko"
USUAL, MOST = 50, 100
_KNOWN = {"page", "per_page", "sort", "order", "q[]"}
#: Where nobody says between which days.
_AROUND = timedelta(days=40)

_STAMPS = {"created_at": "datetime", "updated_at": "datetime", "id": "number"}
_SHARED = _STAMPS | {
    "archived_at": "datetime",
    "business_id": "number",
    "appointment_type_id": "number",
    "practitioner_id": "number",
    "deleted_at": "datetime",
    "starts_at": "datetime",
    "ends_at": "datetime",
}
#: What each list can be filtered by (documented: OAS, GH). A class has no cancelled_at.
FIELDS: dict[str, dict[str, str]] = {
    "individual_appointments": _SHARED
    | {"cancelled_at": "datetime", "patient_id": "number", "did_not_arrive": "boolean"},
    "group_appointments": _SHARED,
    "unavailable_blocks": {name: kind for name, kind in _SHARED.items() if name != "appointment_type_id"},
    "attendees": _STAMPS | {"booking_id": "number", "patient_id": "number"},
    "patients": _STAMPS,
    "practitioners": _STAMPS,
    "appointment_types": _STAMPS | {"archived_at": "datetime"},
    "businesses": _STAMPS | {"archived_at": "datetime"},
}


# --- lists ------------------------------------------------------------------------------------------------------------


def _visits(book: Book, query: Query) -> list[Visit]:
    """What need be looked at, gone ones too; the filters decide."""
    if "starts_at" in query.bounds or "updated_at" not in query.bounds:
        now, asked = book.clock.now(), query.bounds.get("starts_at", {})
        first, last = asked.get(">", now - _AROUND), asked.get("<", now + _AROUND) + timedelta(seconds=1)
        return [one for gone in (False, True) for one in book.between(first, last, deleted=gone)]
    return book.changed_since(query.bounds["updated_at"].get(">", datetime(2000, 1, 1, tzinfo=UTC)), 60)


def _bookings(what: str) -> Callable[[Book, Query], Iterable[Record]]:
    return lambda book, query: (wire.booking(book, one) for one in _visits(book, query) if wire.kind_of(one) == what)


def _attendees(book: Book, query: Query) -> Iterable[Record]:
    """Of the bookings that were asked for, or of all around today."""
    wanted = [one for text in request.args.getlist("q[]") if text.startswith("booking_id:=") for one in _listed(text)]
    visits = (_visit(book, id_) for id_ in wanted) if wanted else iter(_visits(book, query))
    return (record for one in visits if one is not None for record in wire.attendees(one))


def _listed(text: str) -> list[str]:
    return text.partition("=")[2].split(",")


_LISTS: dict[str, Callable[[Book, Query], Iterable[Record]]] = {
    **{what: _bookings(what) for what in ("individual_appointments", "group_appointments", "unavailable_blocks")},
    "attendees": _attendees,
    "patients": lambda book, _: (wire.patient(one) for one in book.patients.values()),
    "practitioners": lambda book, _: (wire.person(one) for one in book.people.values() if one.active),
    "appointment_types": lambda book, _: (wire.appointment_type(one) for one in book.kinds.values()),
    "businesses": lambda book, _: (wire.business(book, one) for one in book.places.values()),
}


@bp.get("/<any(" + ",".join(_LISTS) + "):what>")
def listed(what: str) -> Response:
    return _paged(what, _LISTS[what])


@bp.get("/practitioners/inactive")
def inactive() -> Response:
    def rows(book: Book, _: Query) -> Iterable[Record]:
        return (wire.person(one) for one in book.people.values() if not one.active)

    return _paged("practitioners", rows)


def _paged(what: str, rows: Callable[[Book, Query], Iterable[Record]]) -> Response:
    try:
        query, page, size, sort = _asked(what)
    except BadFilter as error:
        return sentence(str(error))
    book = current(KIND).book
    with book.lock:
        found = sorted(_shown(book, query, rows(book, query)), key=lambda pair: str(pair[0].get(sort)))
    part = [said for _, said in found[(page - 1) * size : page * size]]
    links = {"self": request.url}
    if page * size < len(found):
        links["next"] = _elsewhere(page + 1)
    elif getattr(current(KIND).knobs, "loop", False):
        links["next"] = _elsewhere(1)
    if page > 1:
        links["previous"] = _elsewhere(page - 1)
    return answer({what: part, "total_entries": len(found), "links": links})


def _shown(book: Book, query: Query, rows: Iterable[Record]) -> Iterator[tuple[Record, Record]]:
    """Records as they are and as they shall be sent, where the filters hold: of what it is, and of its marks."""
    for record in rows:
        said = book.said(str(record["id"]), record)
        if query.holds(_flat(record) | {name: said.get(name) for name in HIDING}):
            yield record, said


def _asked(what: str) -> tuple[Query, int, int, str]:
    if unknown := set(request.args) - _KNOWN:
        raise BadFilter(f"{sorted(unknown)[0]} is not a parameter")  # [assumed] strict for our own sake
    query = Query(request.args.getlist("q[]"), FIELDS[what])
    page, size = (_whole(name, usual) for name, usual in (("page", 1), ("per_page", USUAL)))
    sort, _, way = request.args.get("sort", "created_at").partition(":")
    if sort not in (*FIELDS[what], "created_at") or way not in ("", "asc"):
        raise BadFilter(f"{sort} is not sortable")
    return query, page, min(size, MOST), sort


def _whole(name: str, usual: int) -> int:
    text = request.args.get(name, str(usual))
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise BadFilter(f"{name} must be a number")
    return int(text)


def _elsewhere(page: int) -> str:
    """The same question, another page: its filters are kept."""
    pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "page"]
    return f"{request.base_url}?{urlencode([*pairs, ('page', str(page))], quote_via=quote)}"


def _flat(record: Record) -> Record:
    """The record with the ids it is filtered by, which stand in its links."""
    flat = dict(record)
    for name in ("business", "appointment_type", "practitioner", "patient", "booking"):
        target = record.get(name)
        if isinstance(target, dict):
            flat[f"{name}_id"] = str(target["links"]["self"]).rpartition("/")[2]
    return flat


# --- one record -------------------------------------------------------------------------------------------------------


@bp.get("/<any(individual_appointments, group_appointments, unavailable_blocks):what>/<id_>")
def booking(what: str, id_: str) -> Response:
    """What is hidden is not found, unless the question says otherwise (seen in code)."""
    try:
        query = Query(request.args.getlist("q[]"), FIELDS[what])
    except BadFilter as error:
        return sentence(str(error))
    book = current(KIND).book
    with book.lock:
        visit = _visit(book, id_)
        rows = [wire.booking(book, visit)] if visit is not None and wire.kind_of(visit) == what else []
        found = [said for _, said in _shown(book, query, rows)]
    return answer(found[0]) if found else refusal(404, "Not found")


@bp.get("/<any(individual_appointments, group_appointments):what>/<id_>/attendees")
def attendees_of(what: str, id_: str) -> Response:
    def rows(book: Book, _: Query) -> Iterable[Record]:
        visit = _visit(book, id_)
        return wire.attendees(visit) if visit is not None and wire.kind_of(visit) == what else []

    return _paged("attendees", rows)


@bp.get("/<any(patients, practitioners, appointment_types, businesses):what>/<id_>")
def one(what: str, id_: str) -> Response:
    book = current(KIND).book
    with book.lock:
        rows = _LISTS[what](book, Query((), FIELDS[what]))
        found = next((book.said(id_, record) for record in rows if record["id"] == id_), None)
    return refusal(404, "Not found") if found is None else answer(found)


@bp.patch("/attendees/<id_>")
def arrived(id_: str) -> Response:
    """The mark of arrival, and nothing else: what more may be written is not simulated."""
    body, book = request.get_json(silent=True), current(KIND).book
    if not isinstance(body, dict) or set(body) != {"arrived"} or body["arrived"] not in (True, False, None):
        return refusal(400, "arrived is true, false or null")
    with book.lock:
        now = book.clock.now()
        around = book.between(now - _AROUND, now + _AROUND)
        visit = next((v for v in around if any(wire.attendee_id(v, who) == id_ for who in v.patient_ids)), None)
        if visit is None:
            return refusal(404, "Not found")
        state: State = "arrived" if body["arrived"] else "booked" if body["arrived"] is None else "no_show"
        visit = replace(visit, state=state, modified_at=now, arrived_at=now if body["arrived"] else None)
        book.commit(PutVisit(visit))
        told = next(one for one in wire.attendees(visit) if one["id"] == id_)
    return answer(told)


@bp.get("/user")
def user() -> Response:
    book = current(KIND).book
    who = book.person(None)
    record: Record = {
        "id": who.id,
        "title": who.prefix,
        "first_name": who.given,
        "last_name": who.family,
        "email": who.email,
        "role": "administrator",
        "time_zone": "Melbourne",
        "user_active": True,
    }
    return answer(record)


@bp.get("/settings/public")
def settings() -> Response:
    setup = current(KIND).book.setup
    account = {
        "id": setup.id_of(setup.vendor, "account"),
        "name": setup.name,
        "country": "Australia",
        "time_zone": "Melbourne",
        "currency_symbol": "$",
        "subdomain": "harbour",
    }
    return answer(to_builtins({"account": account, "terminology": {"patient": "client"}}))


def _visit(book: Book, id_: str) -> Visit | None:
    try:
        return book.visit(id_)
    except NotFound:
        return None
