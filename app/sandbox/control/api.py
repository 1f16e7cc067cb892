"""The simulator itself: its health, what it has seen, what is broken, its clock and its knobs."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from flask import Blueprint, Response, request
from msgspec import Struct, to_builtins

from app import clock
from app.errors import InvalidInput
from app.sandbox import edits
from app.sandbox.clinic.clock import local
from app.sandbox.clinic.practice import Practice
from app.sandbox.control.orders import done, fields, read
from app.sandbox.gentu import wire
from app.sandbox.gentu.poison import POISONS
from app.sandbox.gentu.replies import answer
from app.sandbox.state import current

bp = Blueprint("control_api", __name__, url_prefix="/control")


class FaultsOff(Struct, forbid_unknown_fields=True):
    id: int | None = None
    kind: str | None = None


class ClockSet(Struct, forbid_unknown_fields=True):
    """`at` stops the clinic's clock at that instant, `advance_s` puts it forward; neither: back to the real time."""

    at: datetime | None = None
    advance_s: float | None = None


class CodeWanted(Struct, forbid_unknown_fields=True):
    tenant_id: str | None = None


@bp.get("/health")
def health() -> Response:
    return answer({"ok": True})


@bp.get("/state")
def state() -> Response:
    """Everything a test may want to hold a client to. `?log=N` tells how many single requests are listed (200)."""
    sandbox = current()
    world = sandbox.world
    with world.lock:
        tenants = [_tenant(practice) for practice in world.practices.values()]
        told = {
            "clinic": sandbox.options.clinic,
            "moving": sandbox.options.moves,
            "clock": {"at": world.clock.now().isoformat(), "altered": world.clock.altered},
            "app_id": sandbox.options.app_id,
            "tenants": tenants,
            "codes": dict(world.codes),
        }
    return answer(
        {
            **told,
            **sandbox.traffic.report(request.args.get("log", 200, int)),
            "token_requests": sandbox.traffic.counts["POST /oauth2/token"],
            "faults": to_builtins(sandbox.faults.on()),
            "knobs": to_builtins(sandbox.knobs),
            "now": clock.now().timestamp(),
        }
    )


@bp.get("/book")
def book() -> Response:
    """The truth: every appointment of a local day, whoever it is with. `?tenant_id=&day=2026-03-09`"""
    world = current().world
    with world.lock:
        practice = world.practice(request.args.get("tenant_id"))
        at = world.clock.now()
        try:
            day = date.fromisoformat(request.args.get("day") or at.astimezone(practice.zone).date().isoformat())
        except ValueError:
            raise InvalidInput("A day is written as 2026-03-09.") from None
        rows = practice.visits(*day_bounds(practice, day), at)
        return answer(
            {
                "day": day.isoformat(),
                "at": at.isoformat(),
                "timezone": practice.tenant.zone,
                "appointments": [wire.appointment(practice, visit, at) for visit in rows],
            }
        )


def day_bounds(practice: Practice, day: date) -> tuple[datetime, datetime]:
    """The first and the last instant of a local day, to the microsecond; both belong to it."""
    start, end = (local(day + timedelta(days=ahead), 0, practice.zone) for ahead in (0, 1))
    return start, end - timedelta(microseconds=1)


@bp.post("/reset")
def reset() -> Response:
    current().reset()
    return done("The simulator stands as it was opened; every edit is gone.", reset=True)


@bp.post("/traffic/reset")
def forget_traffic() -> Response:
    current().traffic.reset()
    return done("The counters begin again.", reset=True)


@bp.post("/pairing-codes")
def mint_code() -> Response:
    world = current().world
    practice = world.practice(read(CodeWanted).tenant_id)
    code = world.mint_code(practice.tenant.id)
    return done(f"Pairing code {code}: it works once.", 201, code=code, tenant_id=practice.tenant.id)


@bp.post("/pairing-codes/expire")
def expire_codes() -> Response:
    world = current().world
    practice = world.practice(read(CodeWanted).tenant_id)
    world.commit(edits.ExpireCodes(practice.tenant.id))
    return done("The unused pairing codes have expired.", expired=True)


@bp.post("/tokens/expire")
def expire_tokens() -> Response:
    ended = current().tokens.expire_all()
    return done(f"{ended} tokens ended.", expired=ended)


@bp.get("/faults")
def faults() -> Response:
    return answer({"faults": to_builtins(current().faults.on())})


@bp.post("/faults")
def break_something() -> Response:
    wanted = fields()
    if wanted.get("record", "no_start") not in POISONS:
        raise InvalidInput(f"There is no such poison; there are {', '.join(POISONS)}.")
    fault = current().faults.switch_on(wanted)
    return done(f"Switched on: {fault.kind.replace('_', ' ')}.", 201, id=fault.id)


@bp.post("/faults/clear")
def mend() -> Response:
    wanted = read(FaultsOff)
    cleared = current().faults.clear(wanted.id, wanted.kind)
    return done(f"{cleared} faults switched off.", cleared=cleared)


@bp.post("/knobs")
def turn_knobs() -> Response:
    return done("Set.", knobs=to_builtins(current().turn(fields())))


@bp.post("/clock")
def set_clock() -> Response:
    world, wanted = current().world, read(ClockSet)
    if wanted.at is not None and wanted.at.tzinfo is None:
        raise InvalidInput("The instant needs its offset.")
    with world.lock:
        if wanted.at is not None:
            world.clock.freeze(wanted.at)
        elif wanted.advance_s is not None:
            world.clock.advance(timedelta(seconds=wanted.advance_s))
        else:
            world.clock.reset()
        at = world.clock.now().isoformat()
    return done("The clinic's clock is set.", at=at)


def _tenant(practice: Practice) -> dict[str, object]:
    """A practice and the ids a test needs to name its things."""
    return {
        **wire.tenant(practice.tenant),
        "access": current().world.access.get(practice.tenant.id),
        "practitioners": [
            {"id": row.id, "name": row.name, "active": row.active, "shown": row.shown}
            for row in practice.practitioners.values()
        ],
        "types": [{"id": row.id, "text": row.text} for row in practice.types.values()],
        "patients": len(practice.patients),
    }
