"""Changing a practice: its people, its kinds of visit, itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

from flask import Blueprint, Response
from msgspec import UNSET, Struct
from msgspec.structs import asdict, replace

from app.errors import InvalidInput, NotFound
from app.sandbox import edits
from app.sandbox.clinic.model import Contact, Patient, Practitioner, VisitType
from app.sandbox.control.orders import done, read
from app.sandbox.control.shapes import (
    DeleteOrder,
    PatientOrder,
    PractitionerOrder,
    RawOrder,
    TenantOrder,
    TypeOrder,
)
from app.sandbox.gentu import wire
from app.sandbox.state import current

bp = Blueprint("control_changes", __name__, url_prefix="/control")

Record = TypeVar("Record", Patient, Practitioner, VisitType)


@bp.post("/tenants/<tenant_id>")
def tenant(tenant_id: str) -> Response:
    world, order = current().world, read(TenantOrder)
    given = _given(order, but={"access"})
    zone = given.get("zone")
    if isinstance(zone, str):
        try:
            ZoneInfo(zone)
        except (ValueError, OSError):
            raise InvalidInput(f"“{zone}” is not a time zone.") from None
    with world.lock:
        practice = world.practice(tenant_id)
        if given:
            world.commit(edits.PutTenant(tenant_id, replace(practice.tenant, **given)))
        if order.access is not None:
            world.commit(edits.SetAccess(tenant_id, order.access))
        return done("The practice is changed.", tenant=wire.tenant(practice.tenant), access=world.access.get(tenant_id))


@bp.post("/practitioners")
@bp.post("/practitioners/<practitioner_id>")
def practitioner(practitioner_id: str | None = None) -> Response:
    world, order = current().world, read(PractitionerOrder)
    given = _given(order, but={"tenant_id", "id"})
    with world.lock:
        practice = world.practice(order.tenant_id)
        if practitioner_id is None:
            row = Practitioner(id=order.id or str(uuid4()), **{"family": None, **given})  # type: ignore[arg-type]
        else:
            row = replace(_known(practice.practitioners, practitioner_id), **given)
        world.commit(edits.PutPractitioner(practice.tenant.id, row))
        return done(f"{row.name} is kept.", id=row.id, practitioner=wire.practitioner(practice, row))


@bp.post("/types")
@bp.post("/types/<type_id>")
def visit_type(type_id: str | None = None) -> Response:
    world, order = current().world, read(TypeOrder)
    given = _given(order, but={"tenant_id", "id"})
    with world.lock:
        practice = world.practice(order.tenant_id)
        if type_id is not None:
            row = replace(_known(practice.types, type_id), **given)
        elif "text" in given:
            row = VisitType(id=order.id or str(uuid4()), **given)  # type: ignore[arg-type]
        else:
            raise InvalidInput("A new type needs its text.")
        world.commit(edits.PutType(practice.tenant.id, row))
        return done(f"“{row.text}” is kept.", id=row.id, type=wire.appointment_type(practice, row))


@bp.post("/patients")
@bp.post("/patients/<patient_id>")
def patient(patient_id: str | None = None) -> Response:
    world, order = current().world, read(PatientOrder)
    with world.lock:
        practice = world.practice(order.tenant_id)
        known = None if patient_id is None else _known(practice.patients, patient_id)
        row = patient_of(order, known)
        world.commit(edits.PutPatient(practice.tenant.id, row))
        return done(f"{row.name} is kept.", id=row.id, patient=wire.patient(practice, row))


@bp.post("/practitioners/<record_id>/delete", defaults={"what": "practitioner"})
@bp.post("/types/<record_id>/delete", defaults={"what": "type"})
@bp.post("/patients/<record_id>/delete", defaults={"what": "patient"})
def delete(record_id: str, what: str) -> Response:
    """The id answers 404 from now on; appointments go on naming it."""
    world, order = current().world, read(DeleteOrder)
    with world.lock:
        practice = world.practice(order.tenant_id)
        shelves: dict[str, Collection[str]] = {
            "practitioner": practice.practitioners,
            "type": practice.types,
            "patient": practice.patients,
        }
        if record_id not in shelves[what]:
            raise NotFound(f"There is no such {what}.")
        world.commit(edits.Delete(practice.tenant.id, what, record_id))  # type: ignore[arg-type]
    return done(f"The {what} is gone.", id=record_id)


@bp.post("/raw")
def raw() -> Response:
    world, order = current().world, read(RawOrder)
    with world.lock:
        practice = world.practice(order.tenant_id)
        world.commit(edits.PutRaw(practice.tenant.id, order.id, order.fields, order.drop))
    return done("The record says so from now on.", id=order.id)


def patient_of(order: PatientOrder, known: Patient | None) -> Patient:
    """The patient after the order. Raises InvalidInput for a new one without a family name."""
    given = _given(order, but={"tenant_id", "id", "phone", "email"})
    if order.phone is not UNSET or order.email is not UNSET:
        kept = () if known is None else known.contacts
        given["contacts"] = _contacts(order, kept)
    if known is not None:
        return replace(known, **given)
    if "family" not in given:
        raise InvalidInput("A new patient needs a family name.")
    return Patient(id=order.id or str(uuid4()), **given)  # type: ignore[arg-type]


def _contacts(order: PatientOrder, kept: tuple[Contact, ...]) -> tuple[Contact, ...]:
    rows = {contact.system: contact for contact in kept}
    if order.phone is not UNSET:
        rows["phone"] = Contact("phone", "mobile", 1, order.phone)
    if order.email is not UNSET:
        rows["email"] = Contact("email", "home", 2, order.email)
    return tuple(rows.values())


def _given(order: Struct, but: set[str]) -> dict[str, object]:
    return {name: value for name, value in asdict(order).items() if name not in but and value is not UNSET}


def _known(shelf: dict[str, Record], record_id: str) -> Record:
    try:
        return shelf[record_id]
    except KeyError:
        raise NotFound("This practice has no such record.") from None
