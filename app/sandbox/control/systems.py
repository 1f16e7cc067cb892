"""Every simulated system on one page: where it is, what opens it, and the day of those that stand on the stage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request, url_for

from app.errors import NotFound
from app.sandbox import vendors
from app.sandbox.clinic.clock import local
from app.sandbox.gentu import BASE as GENTU
from app.sandbox.stage.book import Book
from app.sandbox.stage.faults import FaultKind
from app.sandbox.stage.model import STATES, Visit
from app.sandbox.stage.stage import Stage, stages
from app.sandbox.state import current

bp = Blueprint("control_systems", __name__, url_prefix="/control/systems")

FAULTS: dict[FaultKind, str] = {
    "status": "Out of order (503)",
    "expire": "Log-ins end",
    "html": "A sign-in page instead of an answer",
    "truncated": "Half an answer",
    "hang_up": "No answer at all",
}


@bp.get("")
def index() -> Response:
    address = request.host_url.rstrip("/")
    known = stages(current_app)
    gentu: dict[str, Any] = {
        "kind": "gentu",
        "name": current().world.first.tenant.name,
        "address": address + GENTU,
        "credentials": {},
        "orders": url_for("control_page.show"),
    }
    shown = [_system(kind, address, known.get(kind)) for kind in vendors.VENDORS]
    return _page("sandbox/systems.html", systems=sorted([gentu, *shown], key=lambda one: str(one["kind"])))


@bp.get("/<kind>")
def show(kind: str) -> Response:
    """Today's book of one of them, with buttons. Raises NotFound."""
    stage = stages(current_app).get(kind)
    if stage is None:
        raise NotFound("No simulated system of that name has a page of its own.")
    book = stage.book
    with book.lock:
        today, now = book.today(), book.clock.now().astimezone(book.zone)
        rows = [_row(book, one) for one in book.between(local(today, 0, book.zone), _tomorrow(book))]
        facts: dict[str, Any] = {
            "system": _system(kind, request.host_url.rstrip("/"), stage),
            "now": now,
            "soon": (now + timedelta(minutes=10)).isoformat(timespec="seconds"),
            "rows": rows,
            "states": STATES,
            "faults": FAULTS,
            "on": [FAULTS.get(fault.kind, fault.kind) for fault in stage.faults.on()],
        }
    return _page("sandbox/system.html", **facts)


def _tomorrow(book: Book) -> Any:
    return local(book.today() + timedelta(days=1), 0, book.zone)


def _system(kind: str, address: str, stage: Stage | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": stage.book.setup.name if stage else None,
        "address": address + vendors.base(kind),
        "credentials": vendors.credentials(kind),
        "orders": url_for("control_systems.show", kind=kind) if stage else None,
    }


def _row(book: Book, visit: Visit) -> dict[str, Any]:
    people = [book.patients[one].name for one in visit.patient_ids if one in book.patients]
    return {
        "id": visit.id,
        "time": visit.starts_at.astimezone(book.zone),
        "minutes": visit.minutes,
        "who": ", ".join(people),
        "with": ", ".join(book.people[one].name for one in visit.practitioner_ids if one in book.people),
        "what": book.kinds[visit.type_id].name if visit.type_id in book.kinds else "",
        "state": visit.state,
    }


def _page(template: str, **facts: Any) -> Response:
    html = render_template(template, said=request.args.get("said"), here=request.path, **facts)
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; form-action 'self'"
    response.headers["Cache-Control"] = "no-store"
    return response
