"""Orders to the simulated account: book, move, change, delete, somebody new, break something."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import uuid4

from flask import Blueprint, Response, request
from msgspec import UNSET, Struct, UnsetType, to_builtins
from msgspec.structs import asdict, replace

from app.errors import InvalidInput
from app.sandbox.control.orders import done, fields, read
from app.sandbox.intakeq import CONTROL, cast, wire
from app.sandbox.intakeq.book import Asked, Book
from app.sandbox.intakeq.model import (
    Answer,
    Client,
    Provider,
    PutClient,
    PutPractitioner,
    PutRaw,
    PutVisit,
    Status,
    Visit,
)
from app.sandbox.intakeq.state import current

bp = Blueprint("control_intakeq", __name__, url_prefix=CONTROL)


class Booking(Struct, forbid_unknown_fields=True):
    """`at` bears its offset; what is not said is the first of its kind."""

    at: datetime
    id: str | None = None
    client_id: int | None = None
    practitioner_id: str | None = None
    service: int = 0
    location: int = 1
    minutes: int | None = None
    status: Status = "Confirmed"
    provider: Provider | None = "IntakeQ"
    also: tuple[int, ...] = ()
    count: int = 1


class Change(Struct, forbid_unknown_fields=True):
    """What is said of a visit from now on; what is left out stays."""

    id: str
    at: datetime | UnsetType = UNSET
    minutes: int | UnsetType = UNSET
    practitioner_id: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    answer: Answer | UnsetType = UNSET
    provider: Provider | UnsetType | None = UNSET
    session_start: datetime | UnsetType | None = UNSET
    session_end: datetime | UnsetType | None = UNSET
    client_note: str | UnsetType | None = UNSET
    practitioner_note: str | UnsetType | None = UNSET
    place_of_service: str | UnsetType | None = UNSET


class One(Struct, forbid_unknown_fields=True):
    id: str
    reason: str | None = None


class Person(Struct, forbid_unknown_fields=True):
    """A new client; or, with the id of one, that client from now on."""

    first: str
    last: str
    id: int | None = None
    email: str | None = None
    phone: str | None = None
    mobile: str | None = None
    born: date | None = None


class Leaving(Struct, forbid_unknown_fields=True):
    id: str
    inactive: bool = True


@bp.post("/book")
def book_visit() -> Response:
    """One booking, or `count` of them one minute apart."""
    order, book = read(Booking), current().book
    if order.at.tzinfo is None:
        raise InvalidInput("The instant needs its offset.")
    with book.lock:
        made = [_booked(book, order, number) for number in range(order.count)]
        for visit in made:
            book.commit(PutVisit(visit))
        record = wire.appointment(book, made[0])
    return done("Booked.", 201, appointment=record, ids=[visit.id for visit in made])


def _booked(book: Book, order: Booking, number: int) -> Visit:
    service, now = cast.SERVICES[order.service], book.clock.now()
    return Visit(
        id=order.id or uuid4().hex[:24],
        client_id=book.client(order.client_id).id,
        starts_at=order.at + timedelta(minutes=number),
        minutes=order.minutes or service.minutes,
        practitioner_id=book.practitioner(order.practitioner_id).id,
        service_id=service.id,
        location_id=cast.LOCATIONS[order.location].id,
        created_at=now,
        modified_at=now,
        status=order.status,
        provider=order.provider,
        also=tuple(book.client(one).id for one in order.also),
    )


@bp.post("/change")
def change() -> Response:
    """Move it, say another status, note a session."""
    order = read(Change)
    given = {name: value for name, value in asdict(order).items() if value is not UNSET and name != "id"}
    if "at" in given:
        given["starts_at"] = given.pop("at")
    return _put(order.id, "Changed.", **given)


@bp.post("/cancel")
def cancel() -> Response:
    order, now = read(One), current().book.clock.now()
    return _put(order.id, "Called off.", status="Canceled", cancelled_at=now, reason=order.reason)


@bp.post("/delete")
def delete() -> Response:
    """From now on only `deletedOnly` shows it, for ten days."""
    return _put(read(One).id, "Deleted.", deleted_at=current().book.clock.now())


def _put(visit_id: str, sentence: str, **values: object) -> Response:
    book = current().book
    with book.lock:
        visit = replace(book.visit(visit_id), **values, modified_at=book.clock.now())
        book.practitioner(visit.practitioner_id)
        book.commit(PutVisit(visit))
        return done(sentence, appointment=wire.appointment(book, visit))


@bp.post("/raw")
def raw() -> Response:
    """Members of an appointment's record as they shall be sent, whatever the account holds."""
    order = read(PutRaw)
    current().book.commit(order)
    return done("The record says so from now on.", id=order.id)


@bp.post("/clients")
def client() -> Response:
    order, book = read(Person), current().book
    with book.lock:
        number = order.id if order.id is not None else max(book.clients) + 1
        book.commit(PutClient(Client(**{**asdict(order), "id": number})))
        return done("The client is there.", 201, client=wire.profile(book.clients[number]))


@bp.post("/practitioners")
def practitioner() -> Response:
    order, book = read(Leaving), current().book
    with book.lock:
        book.commit(PutPractitioner(replace(book.practitioner(order.id), inactive=order.inactive)))
    return done("The practitioner is changed.")


@bp.post("/faults")
def break_something() -> Response:
    return done("Switched on.", 201, kind=current().faults.switch_on(fields()).kind)


@bp.post("/faults/clear")
def mend() -> Response:
    return done("Mended.", cleared=current().faults.clear())


@bp.post("/knobs")
def knobs() -> Response:
    return done("Set.", knobs=to_builtins(current().turn(fields())))


@bp.post("/reset")
def reset() -> Response:
    current().reset()
    return done("The account stands as it was opened; every edit is gone.", reset=True)


@bp.get("/state")
def state() -> Response:
    """What was asked, and the ids a test needs to name things."""
    account = current()
    with account.book.lock:
        people = [wire.practitioner(one) for one in account.book.practitioners.values()]
    return done(
        "",
        at=account.book.clock.now().isoformat(),
        knobs=to_builtins(account.knobs),
        practitioners=people,
        services=[one.id for one in cast.SERVICES],
        clients=len(account.book.clients),
        log=[entry._asdict() for entry in account.log],
    )


@bp.get("/truth")
def truth() -> Response:
    """Every appointment of a local day. `?day=2026-03-09`"""
    book = current().book
    try:
        day = date.fromisoformat(request.args["day"])
    except (ValueError, KeyError):
        raise InvalidInput("A day is written as 2026-03-09.") from None
    with book.lock:
        return done("", appointments=[wire.appointment(book, one) for one in book.visits(Asked(day, day))])
