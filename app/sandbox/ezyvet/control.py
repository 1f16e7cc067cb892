"""What a test or a person does to the simulated ezyVet: look, book, move, cancel, remove, write, break; its clock."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from flask import Blueprint, Response, request
from msgspec import Struct, to_builtins

from app.errors import InvalidInput, NotFound
from app.sandbox.control.orders import done, fields, read
from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET, PARTNER_ID, SITE_UID, cast
from app.sandbox.ezyvet.cast import Record
from app.sandbox.ezyvet.day import booking
from app.sandbox.ezyvet.replies import answer
from app.sandbox.ezyvet.state import current
from app.sandbox.ezyvet.world import TABLES

bp = Blueprint("control_ezyvet", __name__, url_prefix="/control/ezyvet")


class Booked(Struct, forbid_unknown_fields=True):
    """A new appointment. `fields` is anything else of the vendor's record."""

    at: datetime
    animal_id: int | None = 801
    vet: int | None = 21
    room: int | None = None
    type_id: int = cast.CONSULTATION
    fields: dict[str, object] = {}


class Moved(Struct, forbid_unknown_fields=True):
    id: int
    at: datetime


class Cancelled(Struct, forbid_unknown_fields=True):
    id: int
    reason: str = "Owner cancelled"


class Named(Struct, forbid_unknown_fields=True):
    id: int
    resource: str = "appointment"


class Written(Struct, forbid_unknown_fields=True):
    """Fields of any record; without an id it is a new one."""

    resource: str
    fields: dict[str, object]
    id: int | None = None


class ClockSet(Struct, forbid_unknown_fields=True):
    at: datetime | None = None
    advance_s: float | None = None


@bp.get("/state")
def state() -> Response:
    made = current()
    return answer({
        "clock": made.world.clock.now().isoformat(),
        "credentials": {
            "partner_id": PARTNER_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "site_uid": SITE_UID
        },
        "knobs": to_builtins(made.knobs),
        "faults": to_builtins(made.faults.on()),
        "log": [entry._asdict() for entry in list(made.log)],
    })  # fmt: skip


@bp.get("/book")
def book() -> Response:
    """The truth: every appointment of a local day, taken out or not. `?day=2026-03-09`"""
    world = current().world
    with world.lock:
        try:
            day = date.fromisoformat(request.args["day"])
        except (KeyError, ValueError):
            raise InvalidInput("A day is written as ?day=2026-03-09.") from None
        return answer({"appointments": world.on(day)})


@bp.post("/reset")
def reset() -> Response:
    current().reset()
    return done("The hospital stands as it was opened.", reset=True)


@bp.post("/book")
def make() -> Response:
    wanted = read(Booked)
    used = [{"id": id_} for id_ in (wanted.vet, wanted.room) if id_ is not None]
    told: Record = {
        "animal_id": wanted.animal_id,
        "type_id": wanted.type_id,
        "status_id": cast.NO_STATUS,
        "resources": used or None,
        **wanted.fields,
    }
    record = booking(0, _epoch(wanted.at), **told)
    del record["id"]
    return answer(current().world.put("appointment", record), 201)


@bp.post("/move")
def move() -> Response:
    wanted = read(Moved)
    return answer(_changed("appointment", wanted.id, {"start_at": _epoch(wanted.at)}))


@bp.post("/cancel")
def cancel() -> Response:
    wanted = read(Cancelled)
    out: Record = {"active": False, "cancellation_reason": 1, "cancellation_reason_text": wanted.reason}
    return answer(_changed("appointment", wanted.id, out))


@bp.post("/remove")
def remove() -> Response:
    """No hard delete was ever seen at the vendor; this is for the day it happens."""
    wanted = read(Named)
    current().world.remove(_table(wanted.resource), wanted.id)
    return done("Removed.", removed=wanted.id)


@bp.post("/write")
def write() -> Response:
    """Any record of any table: a consult's notes, a client's telephone, an appointment's status."""
    wanted = read(Written)
    if wanted.id is not None:
        return answer(_changed(wanted.resource, wanted.id, wanted.fields))
    return answer(current().world.put(_table(wanted.resource), {"active": True, **wanted.fields}), 201)


@bp.post("/faults")
def break_something() -> Response:
    fault = current().faults.switch_on(fields())
    return done(f"Switched on: {fault.kind.replace('_', ' ')}.", 201, kind=fault.kind)


@bp.post("/faults/clear")
def mend() -> Response:
    return done("Everything works.", cleared=current().faults.clear())


@bp.post("/knobs")
def turn_knobs() -> Response:
    return done("Set.", knobs=to_builtins(current().turn(fields())))


@bp.post("/tokens/expire")
def end_tokens() -> Response:
    ended = current().tokens.end_all()
    return done(f"{ended} tokens ended.", expired=ended)


@bp.post("/clock")
def set_clock() -> Response:
    world, wanted = current().world, read(ClockSet)
    with world.lock:
        if wanted.at is not None:
            if wanted.at.tzinfo is None:
                raise InvalidInput("The instant needs its offset.")
            world.clock.freeze(wanted.at)
        elif wanted.advance_s is not None:
            world.clock.advance(timedelta(seconds=wanted.advance_s))
        else:
            world.clock.reset()
        return done("The clock is set.", at=world.clock.now().isoformat())


def _changed(resource: str, id_: int, changes: Record) -> Record:
    world = current().world
    with world.lock:
        if world.record(_table(resource), id_) is None:
            raise NotFound(f"There is no {resource} {id_}.")
        return world.put(resource, changes, id_)


def _table(resource: str) -> str:
    if resource not in TABLES:
        raise NotFound(f"There is no table {resource}.")
    return resource


def _epoch(at: datetime) -> int:
    if at.tzinfo is None:
        raise InvalidInput("The instant needs its offset.")
    return int(at.timestamp())
