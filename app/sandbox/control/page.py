"""The control page: the book of a day and the levers, as plain forms that need no script."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from app.sandbox.clinic.model import Practitioner, Visit
from app.sandbox.clinic.practice import Practice
from app.sandbox.clinic.progress import progress
from app.sandbox.control.api import day_bounds
from app.sandbox.gentu.poison import POISONS
from app.sandbox.state import Sandbox, current

bp = Blueprint("control_page", __name__, url_prefix="/control")

_STYLE = Path(__file__).with_name("control.css")

STATUSES = (
    "none",
    "confirmed",
    "in_waiting_room",
    "with_doctor",
    "completed",
    "invoiced",
    "cancelled",
    "did_not_arrive",
)  # fmt: skip

#: (kind, what it does, which further field it reads), in the order in which a person would look for them.
FAULTS = (
    ("outage", "Outage: hang up without an answer", "mode"),
    ("error", "Answer with an error status", "status"),
    ("slow", "Slow: wait before each answer", "ms"),
    ("rate_limited", "429, too many requests", "retry_after"),
    ("refuse_credentials", "Refuse the app's credentials", ""),
    ("unprovisioned", "500 app.partnerId: not provisioned", ""),
    ("html", "A sign-in page instead of JSON", ""),
    ("truncated", "JSON cut in half", ""),
    ("cut_body", "Connection lost in mid-answer", ""),
    ("envelope", "{} instead of the answer", ""),
    ("empty_body", "Nothing at all, with 200", ""),
    ("drip", "One byte at a time", "ms"),
    ("redirect", "Redirect to another host", ""),
    ("empty_list", "An empty list where there are rows", ""),
    ("empty_page", "An empty page, then the rows", ""),
    ("short_page", "Half a page, the rest on the next", ""),
    ("cut_page", "Half the rows missing, no next page", ""),
    ("same_page", "The same page again and again", ""),
    ("cursor_loop", "Cursors that go round in a ring", ""),
    ("poison", "One unreadable appointment", "record"),
)


@bp.get("/style.css")
def style() -> Response:
    return Response(_STYLE.read_bytes(), content_type="text/css; charset=utf-8", headers={"Cache-Control": "no-cache"})


@bp.get("/")
def show() -> Response:
    sandbox = current()
    with sandbox.world.lock:
        html = render_template("sandbox/control.html", **_facts(sandbox))
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; form-action 'self'"
    response.headers["Cache-Control"] = "no-store"
    return response


def home() -> Response:
    return Response(status=302, headers={"Location": url_for("control_page.show")})


def favicon() -> Response:
    return Response(status=204)


def _facts(sandbox: Sandbox) -> dict[str, Any]:
    world = sandbox.world
    practice = world.practices.get(request.args.get("tenant", "")) or world.first
    at = world.clock.now()
    today = at.astimezone(practice.zone).date()
    day = _day(request.args.get("day"), today)
    visits = practice.visits(*day_bounds(practice, day), at)
    staff = [row for row in practice.practitioners.values() if row.active and row.shown]
    chosen = _chosen(staff, visits, request.args.get("practitioner"))
    rows = [visit for visit in visits if chosen and chosen.id in visit.practitioner_ids]
    # A query with practitioner and day keeps a person where they were after pressing something.
    kept = {"tenant": practice.tenant.id, "day": day.isoformat(), "practitioner": chosen.id if chosen else ""}
    return {
        "practice": practice,
        "practices": list(world.practices.values()),
        "access": world.access.get(practice.tenant.id),
        "codes": [code for code, tenant_id in world.codes.items() if tenant_id == practice.tenant.id],
        "now": at.astimezone(practice.zone),
        "clock_altered": world.clock.altered,
        "moves": sandbox.options.moves,
        "day": day,
        "today": today,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "staff": [(row, sum(row.id in visit.practitioner_ids for visit in visits)) for row in staff],
        "chosen": chosen,
        "rows": [_row(practice, visit, sandbox) for visit in rows],
        "next_up": next((visit.id for visit in rows if day == today and visit.starts_at > at), None),
        "kept": kept,
        "said": request.args.get("said"),
        "statuses": STATUSES,
        "fault_kinds": FAULTS,
        "fault_names": {kind: text for kind, text, _ in FAULTS},
        "poisons": list(POISONS),
        "faults": sandbox.faults.on(),
        "knobs": sandbox.knobs,
        "traffic": sandbox.traffic.report(log=12),
    }


def _day(text: str | None, today: date) -> date:
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return today
    return day if 1950 < day.year < 2100 else today


def _chosen(staff: list[Practitioner], visits: list[Visit], wanted: str | None) -> Practitioner | None:
    """Who was asked for, else whoever has the most to do: on an empty day the first."""
    busy = {row.id: sum(row.id in visit.practitioner_ids for visit in visits) for row in staff}
    return next((row for row in staff if row.id == wanted), max(staff, key=lambda row: busy[row.id], default=None))


def _row(practice: Practice, visit: Visit, sandbox: Sandbox) -> dict[str, Any]:
    zone = practice.zone
    now = progress(visit, sandbox.world.clock.now())
    people = [practice.patients[who].name if who in practice.patients else "Unknown" for who in visit.patient_ids]
    kind = practice.types.get(visit.type_id or "")
    return {
        "id": visit.id,
        "time": visit.starts_at.astimezone(zone),
        "minutes": visit.minutes,
        "who": people[0] if people else None,
        "patient_id": visit.patient_ids[0] if visit.patient_ids else None,
        "more": len(people) - 1 if people else 0,
        "type": kind.text if kind else None,
        "what": visit.comment or visit.description,
        "status": now.status,
        "arrived": now.arrived_at and now.arrived_at.astimezone(zone),
        "cancelled": now.cancelled_at and now.cancelled_at.astimezone(zone),
        "shared": len(visit.practitioner_ids) > 1,
        "odd": visit.odd,
    }
