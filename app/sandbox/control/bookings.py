"""Changing the book: booking, moving, cancelling, deleting, and saying where a patient is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4

from flask import Blueprint, Response
from msgspec import UNSET
from msgspec.structs import replace

from app.errors import InvalidInput, NotFound
from app.sandbox import edits
from app.sandbox.clinic.model import CANCELLED_AT, Visit
from app.sandbox.clinic.practice import Practice
from app.sandbox.clinic.progress import moved, said_by_hand
from app.sandbox.control.changes import patient_of
from app.sandbox.control.orders import done, read
from app.sandbox.control.shapes import BookOrder, CancelOrder, DeleteOrder, MoveOrder, StatusOrder
from app.sandbox.gentu import wire
from app.sandbox.state import current

bp = Blueprint("control_bookings", __name__, url_prefix="/control/appointments")

#: (the visit, now) -> the visit afterwards.
Change = Callable[[Visit, datetime], Visit]


@bp.post("")
def book() -> Response:
    world, order = current().world, read(BookOrder)
    with world.lock:
        practice = world.practice(order.tenant_id)
        first = _booked(practice, order)
        visits = [first]
        for number in range(1, order.count):
            later = first.starts_at + timedelta(minutes=number * order.every_minutes)
            patients = first.patient_ids if order.block else _patients(practice, order, number)
            visits.append(replace(first, id=str(uuid4()), starts_at=later, patient_ids=patients))
        for visit in visits:
            world.commit(edits.PutVisit(practice.tenant.id, visit))
        record = wire.appointment(practice, first, world.clock.now())
    return done("Booked.", 201, id=first.id, ids=[visit.id for visit in visits], appointment=record)


@bp.post("/<visit_id>/status")
def status(visit_id: str) -> Response:
    order = read(StatusOrder)
    return _change(order.tenant_id, visit_id, lambda visit, at: said_by_hand(visit, order.status, at))


@bp.post("/<visit_id>/cancel")
def cancel(visit_id: str) -> Response:
    order = read(CancelOrder)
    word = CANCELLED_AT if order.keep_status else "cancelled"
    return _change(order.tenant_id, visit_id, lambda visit, at: said_by_hand(visit, word, at))


@bp.post("/<visit_id>/move")
def move(visit_id: str) -> Response:
    """To another time, practitioner or kind; its comments go with it or change."""
    world, order = current().world, read(MoveOrder)
    practice = world.practice(order.tenant_id)

    def changed(visit: Visit, at: datetime) -> Visit:
        to = _instant(practice, order.starts_at, order.day, order.time, visit.starts_at)
        visit = moved(visit, to, at)
        if order.practitioner_id is not None:
            visit = replace(visit, practitioner_ids=(_practitioner(practice, order.practitioner_id),))
        return replace(
            visit,
            minutes=order.minutes or visit.minutes,
            type_id=visit.type_id if order.type_id is UNSET else order.type_id,
            comment=visit.comment if order.comment is UNSET else order.comment,
            description=visit.description if order.description is UNSET else order.description,
        )

    return _change(order.tenant_id, visit_id, changed)


@bp.post("/<visit_id>/delete")
def delete(visit_id: str) -> Response:
    """As if it had never been: it leaves the list, and its id answers 404."""
    world, order = current().world, read(DeleteOrder)
    with world.lock:
        practice = world.practice(order.tenant_id)
        if practice.visit(visit_id, world.clock.now()) is None:
            raise NotFound("There is no such appointment.")
        world.commit(edits.Delete(practice.tenant.id, "appointment", visit_id))
    return done("Deleted.", id=visit_id)


def _change(tenant_id: str | None, visit_id: str, change: Change) -> Response:
    world = current().world
    with world.lock:
        practice, at = world.practice(tenant_id), world.clock.now()
        visit = practice.visit(visit_id, at)
        if visit is None:
            raise NotFound("There is no such appointment.")
        visit = change(visit, at)
        world.commit(edits.PutVisit(practice.tenant.id, visit))
        record = wire.appointment(practice, visit, at)
    return done("Changed.", id=visit_id, appointment=record)


def _booked(practice: Practice, order: BookOrder) -> Visit:
    kind_id = order.type_id or _type(practice, order.type)
    kind = practice.types.get(kind_id or "")
    who = order.practitioner_ids or ((order.practitioner_id,) if order.practitioner_id else _first_in_book(practice))
    return Visit(
        id=order.id or str(uuid4()),
        starts_at=_instant(practice, order.starts_at, order.day, order.time, None),
        minutes=order.minutes or (kind and kind.minutes) or 30,
        practitioner_ids=tuple(_practitioner(practice, practitioner_id) for practitioner_id in who),
        patient_ids=() if order.block else _patients(practice, order, 0),
        type_id=kind_id,
        status=order.status,
        comment=order.comment,
        description=order.description,
        location_id=order.location_id,
        odd=order.odd,
    )


def _patients(practice: Practice, order: BookOrder, number: int) -> tuple[str, ...]:
    """Those who are named, a new one, or the practice's own in turn. An id nobody knows is let through on purpose."""
    if order.patient_ids or order.patient_id:
        return order.patient_ids or (order.patient_id or "",)
    if order.patient is not None:
        row = patient_of(order.patient, None)
        current().world.commit(edits.PutPatient(practice.tenant.id, row))
        return (row.id,)
    everybody = list(practice.patients)
    return (everybody[(practice.booked_by_hand + number) % len(everybody)],)


def _first_in_book(practice: Practice) -> tuple[str, ...]:
    return tuple(row.id for row in practice.practitioners.values() if row.active and row.shown)[:1]


def _practitioner(practice: Practice, practitioner_id: str) -> str:
    if practitioner_id not in practice.practitioners:
        raise NotFound("This practice has no such practitioner.")
    return practitioner_id


def _type(practice: Practice, text: str | None) -> str | None:
    if text is None:
        return None
    for row in practice.types.values():
        if row.text == text:
            return row.id
    raise NotFound(f"This practice has no type “{text}”.")


def _instant(
    practice: Practice, at: datetime | None, day: date | None, clock_time: str | None, before: datetime | None
) -> datetime:  # fmt: skip
    """What the order says, in UTC; of a day or a time alone, the other half is as `before`. Raises InvalidInput."""
    if at is not None:
        if at.tzinfo is None:
            raise InvalidInput("starts_at needs its offset.")
        return at.astimezone(UTC)
    was = before.astimezone(practice.zone) if before else None
    day = day or (was.date() if was else current().world.clock.now().astimezone(practice.zone).date())
    try:
        of_day = time.fromisoformat(clock_time) if clock_time else was.time() if was else None
    except ValueError:
        raise InvalidInput("A time is written as 09:30.") from None
    if of_day is None:
        raise InvalidInput("Say when: starts_at, or day and time.")
    return datetime.combine(day, of_day.replace(tzinfo=None), practice.zone).astimezone(UTC)
