"""What can be read of the practice; and an appointment sent back whole, with another status."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from flask import Blueprint, Response, request
from msgspec.structs import replace

from app.errors import InvalidInput, NotFound
from app.sandbox.medirecords import BASE, PRACTICE, wire
from app.sandbox.medirecords.door import answer, knobs, refusal, token
from app.sandbox.medirecords.wire import Record
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import PutVisit, Visit
from app.sandbox.stage.stage import current

bp = Blueprint("medirecords", __name__, url_prefix=BASE)
bp.add_url_rule("/oauth/token", view_func=token, methods=["POST"])

USUAL, MOST = 20, 200
_PAGE = {"page", "size"}
_APPOINTMENTS = _PAGE | {
    *("appointmentDateRangeStart", "appointmentDateRangeEnd", "providerId", "patientId", "appointmentStatus"),
    *("appointmentTypeId", "roomId", "urgency"),
}
_NEEDED = {"patientId", "appointmentTypeId", "scheduleTime", "appointmentIntervalCode", "appointmentStatus"}
_TERM = re.compile(r"(\w+)==([^;,]+)")


@bp.get("/v1/practices/<_practice>")
def practice(_practice: str) -> Response:
    record: Record = {"id": PRACTICE, "practiceName": current("medirecords").book.setup.name}
    return answer(record | ({"timeZone": current("medirecords").book.setup.zone} if knobs().zone else {}))


@bp.get("/v1/practices/<_practice>/providers")
def providers(_practice: str) -> Response:
    _only(_PAGE | {"status"})
    book, status = current("medirecords").book, request.args.get("status")
    with book.lock:
        rows = [wire.provider(book, one) for one in book.people.values()]
    return _page([row for row in rows if status in (None, row["status"])])


@bp.get("/v1/practices/<_practice>/appointment-types")
def types(_practice: str) -> Response:
    _only(_PAGE | {"telehealth", "activeStatus"})
    book = current("medirecords").book
    with book.lock:
        return _page([wire.appointment_type(book, one, number) for number, one in enumerate(book.kinds.values())])


@bp.get("/v1/practices/<_practice>/appointments")
def appointments(_practice: str) -> Response:
    """Cancelled ones come too, deleted ones never; blocks of time are kept elsewhere. In no order to count on."""
    _only(_APPOINTMENTS)
    book = current("medirecords").book
    with book.lock:
        found = [wire.appointment(book, one) for one in _visits(book) if one.patient_ids]
    for name in ("providerId", "patientId", "appointmentTypeId", "roomId"):
        if name in request.args:
            found = [row for row in found if row[name] == request.args[name]]
    status = request.args.get("appointmentStatus")
    if status is not None:
        if status not in set("2345678"):
            raise InvalidInput("appointmentStatus")
        found = [row for row in found if row["appointmentStatus"] == int(status)]
    return _page(sorted(found, key=lambda row: str(row["id"])))


@bp.get("/v1/practices/<_practice>/appointments/<appointment_id>")
def appointment(_practice: str, appointment_id: str) -> Response:
    book = current("medirecords").book
    with book.lock:
        try:
            return answer(wire.appointment(book, book.visit(appointment_id)))
        except NotFound:
            return refusal(404, "Appointment not found")


@bp.put("/v1/practices/<_practice>/appointments/<appointment_id>")
def replaced(_practice: str, appointment_id: str) -> Response:
    """[assumed] What the body leaves out is empty afterwards; only a status is carried over to the invented clinic."""
    body, book = request.get_json(silent=True), current("medirecords").book
    if not isinstance(body, dict) or _NEEDED - set(body):
        return refusal(400, "Invalid request", "patientId, appointmentTypeId, scheduleTime, appointmentIntervalCode")
    state = next((one for one, number in wire.NUMBERS.items() if number == body["appointmentStatus"]), None)
    if state is None:
        return refusal(400, "Invalid value", "appointmentStatus")
    with book.lock:
        try:
            visit = book.visit(appointment_id)
        except NotFound:
            return refusal(404, "Appointment not found")
        note = body.get("notes")
        book.commit(PutVisit(replace(visit, state=state, note=note, modified_at=book.clock.now())))
        return answer(wire.appointment(book, book.visit(appointment_id)))


@bp.get("/v1/code-system/<name>")
def code_system(name: str) -> Response:
    found = wire.code_list(name)
    if found is None:
        return refusal(404, "Code system not found")
    return answer(found if knobs().bare_lists else {"data": found})


@bp.get("/v1/patients/<patient_id>")
def patient(patient_id: str) -> Response:
    book = current("medirecords").book
    with book.lock:
        found = book.patients.get(patient_id)
        return refusal(404, "Patient not found") if found is None else answer(wire.patient(book, found))


@bp.get("/v1/patients/search")
def search() -> Response:
    """`q`: `field==value`; `;` is and, `,` is or."""
    _only(_PAGE | {"q"})
    if knobs().search == "refused":
        return refusal(400, "Unknown property", "q")
    book = current("medirecords").book
    with book.lock:
        rows = [wire.patient(book, one) for one in book.patients.values()]
    if knobs().search == "ignored":
        return _page(rows)
    anyone = [_terms(part) for part in request.args.get("q", "").split(";")]
    return _page([row for row in rows if all(any(row.get(n) == v for n, v in terms) for terms in anyone)])


def _terms(part: str) -> list[tuple[str, str]]:
    found = [_TERM.fullmatch(term) for term in part.split(",")]
    if any(one is None for one in found):
        raise InvalidInput("q")
    return [(one[1], one[2]) for one in found if one is not None]


# --- reading a query --------------------------------------------------------------------------------------------------


def _only(known: set[str]) -> None:
    """[assumed] Strict for our own sake: a parameter nobody documents would silently do nothing at the vendor's."""
    if unknown := set(request.args) - known:
        raise InvalidInput(sorted(unknown)[0])


def _visits(book: Book) -> list[Visit]:
    """Of a range of wall times, compared as they are written: an hour that comes twice is in it twice."""
    first, last = _wall("appointmentDateRangeStart"), _wall("appointmentDateRangeEnd")
    now = book.clock.now().astimezone(book.zone).replace(tzinfo=None)
    first, last = first or now - timedelta(days=120), last or now + timedelta(days=120)
    around = (at.replace(tzinfo=book.zone) for at in (first - timedelta(days=1), last + timedelta(days=1)))
    beyond = timedelta(0) if knobs().inclusive else timedelta(minutes=1)
    return [
        one
        for one in book.between(*around)
        if first + beyond <= one.starts_at.astimezone(book.zone).replace(tzinfo=None, second=0) <= last - beyond
    ]


def _wall(name: str) -> datetime | None:
    text = request.args.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", text):
        raise InvalidInput(name)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(name) from None


def _page(rows: list[Record]) -> Response:
    """Pages are counted from 0; one behind the last is empty."""
    number, size = _number("page", 0), min(_number("size", USUAL), MOST)
    if size < 1:
        raise InvalidInput("size")
    pages = max(1, -(-len(rows) // size))
    start = 0 if knobs().stuck else number * size
    here = rows[start : start + size]
    body: Record = {
        "data": here,
        "first": number == 0,
        "last": number >= pages - 1 and not (knobs().stuck and pages > 1),
        "totalPages": pages,
        "totalElements": len(rows),
        "numberOfElements": len(here),
        "size": size,
        "page": number,
    }
    if not knobs().says_last:
        del body["last"]
    return answer(body)


def _number(name: str, usual: int) -> int:
    text = request.args.get(name, str(usual))
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(name)
    return int(text)


bp.register_error_handler(InvalidInput, lambda error: refusal(400, "Invalid value", str(error)))
