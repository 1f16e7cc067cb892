"""Removals that wait for a person: what vanished, what the PMS says of each, and two buttons (M03, A20)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.domain.orphans import Answer
from app.security.roles import Permission
from app.store import connections, holds, practices
from app.store.holds import Act, Missing
from app.store.models import RemovalHold
from app.store.models.sync import HoldState
from app.web.security import signed_in
from app.web.session import Visitor, current
from app.web.words import day_words, hhmm, plural, pms_name, since
from app.wiring import store

bp = Blueprint("holds", __name__, url_prefix="/held-removals")


@dataclass(frozen=True, slots=True)
class RowLine:
    id: UUID
    time: str
    name: str
    who: str
    said: str  # what the PMS says of it


@dataclass(frozen=True, slots=True)
class HoldView:
    id: UUID
    day: str
    sheet: str  # the address of its day
    run: str  # of the sync that found it
    title: str
    told: str  # since when, or what was decided by whom
    rows: Sequence[RowLine]
    open: bool
    release: str  # the words on its button; "" where it cannot be pressed
    undo: str


@bp.get("")
@signed_in(Permission.MAPPING_WRITE)
def index() -> ResponseReturnValue:
    """What is open, and what was decided last."""
    visitor, now = current(), clock.now()
    with store().read() as session:
        found = holds.listed(session, visitor.practice_id)
        names = practices.names_of(session, {one.decided_by for one in found if one.decided_by})
        known = connections.of_practice(session, visitor.practice_id, gone=True)
        systems = {one.id: pms_name(one.pms_type) for one in known}
        shown = [_view(session, one, visitor, now, names, systems[one.pms_connection_id]) for one in found]
    page = render_template(
        "holds/index.html",
        open=[one for one in shown if one.open],
        decided=[one for one in shown if not one.open],
    )
    return make_response(page)


@bp.post("/<uuid:hold_id>/release")
@signed_in(Permission.MAPPING_WRITE)
def release(hold_id: UUID) -> ResponseReturnValue:
    """Remove the rows now."""
    removed = _decide(holds.release, hold_id)
    return _back(f"{plural(removed, 'appointment')} removed. They stay on the sheet, struck through.")


@bp.post("/<uuid:hold_id>/keep")
@signed_in(Permission.MAPPING_WRITE)
def keep(hold_id: UUID) -> ResponseReturnValue:
    """Let them stay, whatever the next syncs lack."""
    _decide(holds.keep, hold_id)
    return _back("Kept. They stay on the sheet until they are brought again, and nobody is asked about them once more.")


@bp.post("/<uuid:hold_id>/undo")
@signed_in(Permission.MAPPING_WRITE)
def undo(hold_id: UUID) -> ResponseReturnValue:
    """Take the latest decision about a day back: all is as before it."""
    back = _decide(holds.undo, hold_id)
    return _back(f"Taken back. {plural(back, 'appointment')} stand again." if back else "Taken back.")


def _decide(what: Callable[[Session, UUID, UUID, Act], int | None], hold_id: UUID) -> int:
    visitor = current()
    act = Act(visitor.user_id, clock.now())
    return store().transact(lambda session: what(session, visitor.practice_id, hold_id, act)) or 0


def _back(said: str) -> ResponseReturnValue:
    flash(said)
    return redirect(url_for(".index"), code=303)


# --- what the page shows ----------------------------------------------------------------------------------------------


def _view(
    session: Session, hold: RemovalHold, visitor: Visitor, now: datetime, names: dict[UUID, str], pms: str
) -> HoldView:
    state, zone = HoldState(hold.state), visitor.zone
    is_open = state is HoldState.OPEN
    rows = holds.rows_of(session, hold) if is_open or state is HoldState.KEPT else []
    latest = holds.is_latest(session, hold)
    return HoldView(
        id=hold.id,
        day=day_words(hold.day, visitor.today(now)),
        sheet=url_for("runsheet.board", day=hold.day),
        run=url_for("history.show", run_id=hold.sync_run_id),
        title=f"{hold.vanished} of {plural(hold.of_rows, 'appointment')} vanished from {pms}",
        told=_told(hold, visitor, now, names, pms),
        rows=[_line(one, pms, lambda at: since(at, zone, now), lambda at: hhmm(at, zone)) for one in rows],
        open=is_open,
        release="Remove them" if is_open else "Remove them after all" if state is HoldState.KEPT and rows else "",
        undo="Undo" if state in (HoldState.RELEASED, HoldState.KEPT) and latest else "",
    )


def _told(hold: RemovalHold, visitor: Visitor, now: datetime, names: dict[UUID, str], pms: str) -> str:
    found = f"Missing since {since(hold.opened_at, visitor.zone, now)}."
    who = names.get(hold.decided_by, "Somebody who left") if hold.decided_by else "The operator"
    at = since(hold.decided_at, visitor.zone, now) if hold.decided_at else ""
    return {
        HoldState.OPEN: f"{found} Nothing of that day was removed.",
        HoldState.RELEASED: f"{who} removed them at {at}.",
        HoldState.KEPT: f"{who} kept them at {at}.",
        HoldState.CLEARED: f"{pms} brought them again at {at}; nothing was removed.",
    }[HoldState(hold.state)]


def _line(one: Missing, pms: str, when: Callable[[datetime], str], time: Callable[[datetime], str]) -> RowLine:
    said = {
        Answer.GONE: f"{pms} does not know it any more",
        Answer.THERE: f"{pms} knows it, but does not list it",
        Answer.UNKNOWN: f"not asked yet whether {pms} knows it",
    }[one.answer]
    if one.removed_at is not None:
        said = f"removed {when(one.removed_at)}"
    elif one.back:
        said = f"{pms} has it again"
    return RowLine(one.appointment_id, time(one.starts_at), one.patient_name, one.practitioner_name or "", said)
