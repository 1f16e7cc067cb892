"""The practice and its lists: who works there, what it offers, who comes. Bare arrays, no paging."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.sandbox.gentu import BASE, wire
from app.sandbox.gentu.access import open_practice
from app.sandbox.gentu.replies import answer, bad_request, message
from app.sandbox.ids import stable_id
from app.sandbox.state import current

bp = Blueprint("gentu_directory", __name__, url_prefix=f"{BASE}/tenants/<tenant_id>")


@bp.get("")
def tenant(tenant_id: str) -> Response:
    with current().world.lock:
        return answer(wire.tenant(open_practice(tenant_id).tenant))


@bp.get("/status")
def status(tenant_id: str) -> Response:
    """Text, not JSON; so says the vendor."""
    with current().world.lock:
        open_practice(tenant_id)
    return Response("Hello world!", content_type="text/plain; charset=utf-8")


@bp.get("/practitioners")
def practitioners(tenant_id: str) -> Response:
    with current().world.lock:
        practice = open_practice(tenant_id)
        return answer([wire.practitioner(practice, row) for row in practice.practitioners.values()])


@bp.get("/practitioners/<practitioner_id>")
def practitioner(tenant_id: str, practitioner_id: str) -> Response:
    with current().world.lock:
        practice = open_practice(tenant_id)
        row = practice.practitioners.get(practitioner_id)
        return answer(wire.practitioner(practice, row)) if row else _unknown("practitioner")


@bp.get("/practitioners/<practitioner_id>/sites")
def sites(tenant_id: str, practitioner_id: str) -> Response:
    with current().world.lock:
        practice = open_practice(tenant_id)
        if practitioner_id not in practice.practitioners:
            return _unknown("practitioner")
        return answer([wire.site(row) for row in practice.sites.values()])


@bp.get("/users")
def users(tenant_id: str) -> Response:
    """Practitioners and one member of the office."""
    with current().world.lock:
        practice = open_practice(tenant_id)
        rows = [wire.user(practice, row) for row in practice.practitioners.values()]
    office = {"family": "Deskwell", "given": "Robin", "prefix": None}
    rows.append({"id": stable_id(tenant_id, "user", "office"), "name": office, "contact": [], "active": True})
    return answer(rows)


@bp.get("/appointment-types")
def appointment_types(tenant_id: str) -> Response:
    with current().world.lock:
        practice = open_practice(tenant_id)
        return answer([wire.appointment_type(practice, row) for row in practice.types.values()])


@bp.get("/patients/<patient_id>")
def patient(tenant_id: str, patient_id: str) -> Response:
    with current().world.lock:
        practice = open_practice(tenant_id)
        row = practice.patients.get(patient_id)
        return answer(wire.patient(practice, row)) if row else _unknown("patient")


@bp.get("/referrals")
def referrals(tenant_id: str) -> Response:
    """Nobody was referred."""
    with current().world.lock:
        open_practice(tenant_id)
    if not request.args.get("patientId"):
        raise bad_request("patientId is required.")
    return answer([])


def _unknown(what: str) -> Response:
    return message(f"There is no such {what}.", 404)
