"""Orders to any simulated vendor: book, change, cancel, delete, somebody new, break something. `/control/<kind>/…`"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TypeVar
from uuid import uuid4

import msgspec
from flask import Blueprint, Response, request
from msgspec import UNSET, Struct, UnsetType, to_builtins
from msgspec.structs import asdict, replace

from app.errors import InvalidInput
from app.sandbox.clinic.clock import local
from app.sandbox.control.orders import done, fields, read
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import (
    Kind,
    Patient,
    Person,
    PutKind,
    PutPatient,
    PutPerson,
    PutRaw,
    PutVisit,
    State,
    Visit,
)
from app.sandbox.stage.stage import current

Row = TypeVar("Row", Patient, Person, Kind)


class Booking(Struct, forbid_unknown_fields=True):
    """`at` bears its offset; who and what is not said is the first of its kind. block: nobody comes."""

    at: datetime
    id: str | None = None
    patient_id: str | None = None
    also: tuple[str, ...] = ()
    practitioner_ids: tuple[str, ...] = ()
    type_id: str | None = None
    minutes: int | None = None
    state: State = "booked"
    word: str | None = None
    online: bool = True
    note: str | None = None
    reason: str | None = None
    block: bool = False
    count: int = 1


class Change(Struct, forbid_unknown_fields=True):
    """What is said of a visit from now on; what is left out stays."""

    id: str
    at: datetime | UnsetType = UNSET
    minutes: int | UnsetType = UNSET
    practitioner_ids: tuple[str, ...] | UnsetType = UNSET
    patient_ids: tuple[str, ...] | UnsetType = UNSET
    type_id: str | UnsetType | None = UNSET
    state: State | UnsetType = UNSET
    word: str | UnsetType | None = UNSET
    link: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    reason: str | UnsetType | None = UNSET


class One(Struct, forbid_unknown_fields=True):
    id: str
    reason: str | None = None


def blueprint(kind: str) -> Blueprint:
    """That vendor's orders."""
    bp = Blueprint(f"control_{kind}", __name__, url_prefix=f"/control/{kind}")

    def order(rule: str, work: Callable[[], Response]) -> None:
        bp.add_url_rule(rule, endpoint=rule.strip("/").replace("/", "_"), view_func=work, methods=["POST"])

    order("/book", lambda: _book(current(kind).book))
    order("/change", lambda: _change(current(kind).book))
    order("/cancel", lambda: _cancel(current(kind).book))
    order("/delete", lambda: _delete(current(kind).book))
    order("/raw", lambda: _raw(current(kind).book))
    order("/patients", lambda: _put_patient(current(kind).book))
    order("/people", lambda: _put_person(current(kind).book))
    order("/kinds", lambda: _put_kind(current(kind).book))
    order("/faults", lambda: done("Switched on.", 201, kind=current(kind).faults.switch_on(fields()).kind))
    order("/faults/clear", lambda: done("Mended.", cleared=current(kind).faults.clear()))
    order("/knobs", lambda: done("Set.", knobs=to_builtins(current(kind).turn(fields()))))
    order("/tokens/expire", lambda: done("Ended.", expired=current(kind).tokens.end_all()))
    order("/reset", lambda: _reset(kind))
    bp.add_url_rule("/state", view_func=lambda: _state(kind), endpoint="state")
    bp.add_url_rule("/truth", view_func=lambda: _truth(current(kind).book), endpoint="truth")
    return bp


def _book(book: Book) -> Response:
    """One booking, or `count` of them one minute apart."""
    order = read(Booking)
    with book.lock:
        made = [_booked(book, order, number) for number in range(order.count)]
        for visit in made:
            book.commit(PutVisit(visit))
    return done("Booked.", 201, id=made[0].id, ids=[visit.id for visit in made])


def _booked(book: Book, order: Booking, number: int) -> Visit:
    kind, now = book.kind(order.type_id), book.clock.now()
    made_id = book.setup.id_of(book.setup.vendor, "visit", uuid4().hex)
    visit_id = made_id if order.id is None else order.id if number == 0 else f"{order.id}{number}"
    rooms, online = tuple(book.places.values())[:2]
    joins = order.online and not order.block
    return Visit(
        id=visit_id,
        starts_at=_aware(order.at) + timedelta(minutes=number),
        minutes=order.minutes or kind.minutes,
        practitioner_ids=tuple(book.person(one).id for one in order.practitioner_ids or (None,)),
        created_at=now,
        modified_at=now,
        patient_ids=() if order.block else (book.patient(order.patient_id).id, *order.also),
        type_id=kind.id,
        place_id=(online if order.online else rooms).id,
        state=order.state,
        word=order.word,
        link=f"https://video.example/join/{visit_id}" if joins else None,
        host_link=f"https://video.example/host/{visit_id}" if joins else None,
        note=order.note,
        reason=order.reason,
        **stamps(order.state, now),  # type: ignore[arg-type]
    )


def stamps(state: State, at: datetime) -> dict[str, datetime]:
    """What else a visit says that has just come that far."""
    name = {
        "arrived": "arrived_at",
        "in_progress": "started_at",
        "completed": "ended_at",
        "cancelled": "cancelled_at",
    }.get(state)
    return {name: at} if name else {}


def _change(book: Book) -> Response:
    """Move it, give it to somebody else, say how far it has come."""
    order, now = read(Change), book.clock.now()
    given = {name: value for name, value in asdict(order).items() if value is not UNSET and name != "id"}
    if "at" in given:
        given["starts_at"] = _aware(given.pop("at"))
    if order.state is not UNSET:
        given |= stamps(order.state, now)
    return _put(book, order.id, "Changed.", **given)


def _cancel(book: Book) -> Response:
    order, now = read(One), book.clock.now()
    return _put(book, order.id, "Called off.", state="cancelled", cancelled_at=now, cancel_reason=order.reason)


def _delete(book: Book) -> Response:
    """As if it had never been, or however the vendor shows what was deleted."""
    return _put(book, read(One).id, "Deleted.", deleted_at=book.clock.now())


def _put(book: Book, visit_id: str, sentence: str, **values: object) -> Response:
    with book.lock:
        visit = replace(book.visit(visit_id), **values, modified_at=book.clock.now())
        for who in visit.practitioner_ids:
            book.person(who)
        book.commit(PutVisit(visit))
    return done(sentence, id=visit_id)


def _raw(book: Book) -> Response:
    """Members of a record as they shall be sent, whatever the clinic holds."""
    order = read(PutRaw)
    book.commit(order)
    return done("The record says so from now on.", id=order.id)


def _put_patient(book: Book) -> Response:
    """Somebody new; or, with the id of somebody, that patient from now on."""
    given = fields()
    with book.lock:
        before = book.patients.get(str(given.get("id", "")))
        row = _shaped(Patient, before or replace(book.patient(None), id=_new_id(book, "patient")), given)
        book.commit(PutPatient(row))
    return done("The patient is there.", 201, id=row.id)


def _put_person(book: Book) -> Response:
    given = fields()
    with book.lock:
        before = book.people.get(str(given.get("id", "")))
        row = _shaped(Person, before or replace(book.person(None), id=_new_id(book, "person")), given)
        book.commit(PutPerson(row))
    return done("The practitioner is there.", 201, id=row.id)


def _put_kind(book: Book) -> Response:
    given = fields()
    with book.lock:
        before = book.kinds.get(str(given.get("id", "")))
        row = _shaped(Kind, before or replace(book.kind(None), id=_new_id(book, "kind")), given)
        book.commit(PutKind(row))
    return done("It can be booked.", 201, id=row.id)


def _shaped(kind: type[Row], before: Row, given: dict[str, object]) -> Row:
    """The row with the members that were given. Raises InvalidInput with the member that does not fit."""
    try:
        return msgspec.convert({**to_builtins(before), **given}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from error


def _new_id(book: Book, what: str) -> str:
    return book.setup.id_of(book.setup.vendor, what, "new", len(book.patients), len(book.people), len(book.kinds))


def _reset(kind: str) -> Response:
    current(kind).reset()
    return done("The clinic stands as it was opened; every edit is gone.", reset=True)


def _state(kind: str) -> Response:
    """What was asked, and the ids a test needs to name things."""
    stage = current(kind)
    with stage.book.lock:
        return done(
            "",
            at=stage.book.clock.now().isoformat(),
            knobs=to_builtins(stage.knobs),
            practitioners=[to_builtins(one) for one in stage.book.people.values()],
            types=[to_builtins(one) for one in stage.book.kinds.values()],
            patients=[one.id for one in stage.book.patients.values()],
            faults=to_builtins(stage.faults.on()),
            log=[entry._asdict() for entry in list(stage.log)],
        )


def _truth(book: Book) -> Response:
    """Every visit of a local day in the clinic's own words, gone ones apart. `?day=2026-03-09`"""
    try:
        day = date.fromisoformat(request.args["day"])
    except (ValueError, KeyError):
        raise InvalidInput("A day is written as 2026-03-09.") from None
    with book.lock:
        first, last = local(day, 0, book.zone), local(day + timedelta(days=1), 0, book.zone)
        return done("", appointments=[to_builtins(one) for one in book.between(first, last)])


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput("The instant needs its offset.")
    return at
