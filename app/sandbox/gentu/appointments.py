"""Appointments: one practitioner's list by window and cursor, and one appointment by its id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from flask import Blueprint, Response, request

from app.sandbox.clinic.model import Visit
from app.sandbox.clinic.practice import Practice
from app.sandbox.gentu import BASE, wire
from app.sandbox.gentu.access import open_practice
from app.sandbox.gentu.cursors import Position, Query
from app.sandbox.gentu.dates import read
from app.sandbox.gentu.gate import page_faults
from app.sandbox.gentu.paging import page_after
from app.sandbox.gentu.poison import poisoned
from app.sandbox.gentu.replies import JSON, answer, bad_request, message
from app.sandbox.state import current

bp = Blueprint("gentu_appointments", __name__, url_prefix=f"{BASE}/tenants/<tenant_id>/appointments")

_REQUIRED = ("fromDate", "toDate", "practitionerId", "limit")
_INCLUDES = ("patients", "practitioners", "referrals")
_LEAST, _MOST = 5, 100
#: The vendor's longest window is unknown; this one keeps a slip of the year from making decades of days.
_LONGEST = timedelta(days=366)


class Asked(NamedTuple):
    """A list query, checked. Both ends of the window are included."""

    first: datetime
    last: datetime
    practitioner_id: str
    limit: int
    include: frozenset[str]
    cursor: str | None


@bp.get("")
def appointments(tenant_id: str) -> Response:
    sandbox = current()
    asked = _asked()
    query: Query = (tenant_id, *asked._replace(cursor=None))
    faults = page_faults()
    with sandbox.world.lock:
        practice = open_practice(tenant_id)
        at = sandbox.world.clock.now()
        rows = practice.visits(asked.first, asked.last, at, asked.practitioner_id)
        page = page_after(
            _position(asked, query), rows, asked.limit, query, asked.cursor, sandbox.cursors, faults
        )  # fmt: skip
        body: wire.Record = {
            "appointments": [wire.appointment(practice, visit, at) for visit in page.visits],
            "pagination": {"next": page.next, "limit": asked.limit},
            **_side_loads(practice, page.visits, asked.include),
        }
    for fault in faults:
        if fault.kind == "poison":
            return Response(poisoned(body, fault.record, fault.index), content_type=JSON)
    return answer(body)


@bp.get("/<appointment_id>")
def appointment(tenant_id: str, appointment_id: str) -> Response:
    sandbox = current()
    with sandbox.world.lock:
        practice = open_practice(tenant_id)
        at = sandbox.world.clock.now()
        visit = practice.visit(appointment_id, at)
        if visit is None:
            return message("There is no such appointment.", 404)
        return answer(wire.appointment(practice, visit, at))


def _asked() -> Asked:
    """Raises Refused (400) for a missing or unreadable parameter."""
    args, traffic = request.args, current().traffic
    for name in _REQUIRED:
        if not args.get(name):
            raise bad_request(f"{name} is required.")
    first = read("fromDate", args["fromDate"], traffic)
    last = read("toDate", args["toDate"], traffic)
    if not first <= last <= first + _LONGEST:
        raise bad_request("toDate must lie after fromDate, and within 366 days of it.")
    limit = int(args["limit"]) if args["limit"].isascii() and args["limit"].isdigit() else 0
    if not _LEAST <= limit <= _MOST:
        raise bad_request(f"limit must be a whole number from {_LEAST} to {_MOST}.")
    include = frozenset(filter(None, args.get("include", "").split(",")))
    if include - set(_INCLUDES):
        raise bad_request(f"include takes {', '.join(_INCLUDES)}.")
    _uuid("practitionerId", args["practitionerId"])
    cursor = args.get("cursor")
    if cursor is not None:
        _uuid("cursor", cursor)
    return Asked(first, last, args["practitionerId"], limit, include, cursor)


def _position(asked: Asked, query: Query) -> Position:
    if asked.cursor is None:
        return None
    sandbox = current()
    try:
        return sandbox.cursors.redeem(asked.cursor, query, sandbox.knobs.cursor_uses)
    except KeyError:
        raise bad_request("The cursor is unknown, was used before, or belongs to another query.") from None


def _side_loads(practice: Practice, visits: list[Visit], include: frozenset[str]) -> wire.Record:
    """The people of this page only; now and then the vendor leaves one out."""
    loads: wire.Record = {}
    if "patients" in include:
        left_out = {person for visit in visits if "not_side_loaded" in visit.odd for person in visit.patient_ids}
        ids = dict.fromkeys(person for visit in visits for person in visit.patient_ids)
        rows = [practice.patients[who] for who in ids if who in practice.patients and who not in left_out]
        loads["patients"] = [wire.patient(practice, row) for row in rows]
    if "practitioners" in include:
        ids = dict.fromkeys(person for visit in visits for person in visit.practitioner_ids)
        staff = [practice.practitioners[who] for who in ids if who in practice.practitioners]
        loads["practitioners"] = [wire.practitioner(practice, row) for row in staff]
    if "referrals" in include:
        loads["referrals"] = []
    return loads


def _uuid(name: str, text: str) -> None:
    try:
        UUID(text)
    except ValueError:
        raise bad_request(f"{name} is not a UUID.") from None
