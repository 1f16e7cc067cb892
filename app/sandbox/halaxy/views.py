"""What can be read of the practice. Writing and webhooks are not simulated: nothing here writes back yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from app.errors import InvalidInput, NotFound
from app.sandbox.halaxy import BASE, wire
from app.sandbox.halaxy.door import knobs, token
from app.sandbox.halaxy.ids import role_id
from app.sandbox.halaxy.outcome import answer, outcome, refusal
from app.sandbox.halaxy.query import Values, bounds, includes, page, refers, span, unknown
from app.sandbox.halaxy.wire import Record
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Visit
from app.sandbox.stage.stage import current

bp = Blueprint("halaxy", __name__, url_prefix=BASE)
bp.add_url_rule("/oauth/token", view_func=token, methods=["POST"])

#: Lists that are as they are: everything, by id.
_LISTS: dict[str, Callable[[Book], list[Record]]] = {
    "Organization": wire.organizations,
    "Practitioner": wire.practitioners,
    "PractitionerRole": wire.roles,
    "HealthcareService": lambda book: [wire.service(book, one) for one in book.kinds.values()],
    "Patient": lambda book: [wire.patient(book, one) for one in book.patients.values()],
}


@bp.get("/metadata")
def metadata() -> Response:
    return answer({"resourceType": "CapabilityStatement", "fhirVersion": "4.3.0", "status": "active"})


@bp.get("/<any(Organization,Practitioner,PractitionerRole,HealthcareService,Patient):resource>")
def listed(resource: str) -> Response:
    book = current("halaxy").book
    with book.lock:
        wanted = refers(request.args, "_id")
        return _bundle([one for one in _LISTS[resource](book) if wanted({str(one["id"])})])


@bp.get("/<any(Organization,Practitioner,PractitionerRole,HealthcareService,Patient):resource>/<id_>")
def one(resource: str, id_: str) -> Response:
    book = current("halaxy").book
    with book.lock:
        found = next((row for row in _LISTS[resource](book) if row["id"] == id_), None)
    return refusal(404, "There is no such resource.") if found is None else answer(found)


@bp.get("/Appointment")
def appointments() -> Response:
    """Cancelled ones come too, deleted ones never; what is included stands among them."""
    book = current("halaxy").book
    with book.lock:
        asked = includes(request.args)
        found = [visit for visit in _visits(book, request.args) if _is_asked(book, visit, request.args)]
        if request.args.get("_sort") == "-date":
            found.reverse()
        return _bundle(
            [wire.appointment(book, visit) for visit in found],
            lambda start, end: _included(book, found[start:end], asked),
        )


@bp.get("/Appointment/<id_>")
def appointment(id_: str) -> Response:
    book = current("halaxy").book
    with book.lock:
        try:
            return answer(wire.appointment(book, book.visit(id_)))
        except NotFound:
            return refusal(404, "There is no such resource.")


# --- searching --------------------------------------------------------------------------------------------------------


def _visits(book: Book, values: Values) -> list[Visit]:
    return book.between(*span(bounds(values, "date", book.zone), book.clock.now()))


def _is_asked(book: Book, visit: Visit, values: Values) -> bool:
    room = wire.room_of(book, visit)
    dates = (("date", visit.starts_at), ("created", visit.created_at), ("_lastUpdated", visit.modified_at))
    refs = (
        ("_id", {visit.id}),
        ("patient", set(visit.patient_ids)),
        ("practitioner", set(visit.practitioner_ids)),
        ("practitioner-role", {role_id(one, room) for one in visit.practitioner_ids}),
        ("organization", {str(visit.place_id)}),
        ("part-status", set(wire.codes(book, visit))),
    )
    return all(one.holds(at) for name, at in dates for one in bounds(values, name, book.zone)) and all(
        refers(values, name)(ids) for name, ids in refs
    )


def _included(book: Book, visits: list[Visit], asked: frozenset[str]) -> Iterator[Record]:
    """Each once, of the types that may be retrieved."""
    shown = asked - ({"Appointment:patient"} if "Patient" in knobs().denied else set())
    if "Appointment:patient" in shown:
        for id_ in dict.fromkeys(one for visit in visits for one in visit.patient_ids):
            if id_ in book.patients:
                yield wire.patient(book, book.patients[id_])
    if "Appointment:practitioner-role" not in shown:
        return
    ids = {role_id(one, wire.room_of(book, visit)) for visit in visits for one in visit.practitioner_ids}
    roles = [row for row in wire.roles(book) if row["id"] in ids]
    yield from roles
    people = {_pointed(row, "practitioner") for row in roles}
    places = {_pointed(row, "organization") for row in roles}
    if "PractitionerRole:practitioner" in shown:
        yield from (row for row in wire.practitioners(book) if row["id"] in people)
    if "PractitionerRole:organization" in shown:
        yield from (row for row in wire.organizations(book) if row["id"] in places)


def _pointed(row: Record, name: str) -> str:
    target = row[name]
    assert isinstance(target, dict)
    return str(target["reference"]).rpartition("/")[2]


# --- pages ------------------------------------------------------------------------------------------------------------


def _bundle(records: list[Record], included: Callable[[int, int], Iterator[Record]] | None = None) -> Response:
    """One page of a search, with what belongs to it; a filter nobody knows is told of in an entry, not refused."""
    if knobs().instead:
        return answer(outcome(knobs().instead, "Something is the matter."))
    number, count = page(request.args)
    start = 0 if knobs().stuck == "rows" else (number - 1) * count
    rows = records[start : start + count]
    entries = [{"fullUrl": f"{wire.root()}/{row['resourceType']}/{row['id']}", "resource": row} for row in rows]
    entries += [{"resource": row} for row in (included(start, start + count) if included else ())]
    if strange := unknown(request.args):
        text = f"Ignored: {', '.join(strange)}"
        entries.append({"resource": outcome("not-supported", text, "warning", id="warning")})
    body: Record = {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": _links(number, -(-len(records) // count) or 1),
    }
    if knobs().total and request.args.get("_total") != "none":
        body["total"] = len(records)
    if entries:
        body["entry"] = entries
    return answer(body)


def _links(number: int, last: int) -> list[Record]:
    found = [{"relation": "self", "url": _url(number)}]
    stuck = knobs().stuck if last > 1 else "no"
    if knobs().links == "both" and (number < last or stuck != "no"):
        found.append({"relation": "next", "url": _url(number if stuck == "link" else number + 1)})
    if knobs().links != "none":
        found.append({"relation": "last", "url": _url(last if stuck == "no" else number + 1)})
    return [dict(one) for one in found]


def _url(number: int) -> str:
    asked = [(name, value) for name, value in request.args.items(multi=True) if name != "page"]
    return f"{wire.root()}{request.path.removeprefix(BASE)}?{urlencode([*asked, ('page', number)])}"


bp.register_error_handler(InvalidInput, lambda error: refusal(422, str(error)))
