"""A patient nobody booked in the PMS (R28). No sync ever touches the row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.domain.names import phone_e164
from app.domain.runsheet import Column
from app.errors import InvalidInput
from app.security.roles import Permission
from app.store import rows, runsheet
from app.store.models import Appointment
from app.store.rows import Act, WalkIn
from app.web.forms import Form
from app.web.security import signed_in
from app.web.session import Visitor, current
from app.web.words import day_words, hhmm
from app.wiring import store

bp = Blueprint("walk_in", __name__)

_TIME_WRONG = "Type a time such as 9:05 or 14:30."


@bp.get("/run-sheet/<date:day>/walk-in")
@signed_in(Permission.WALK_IN)
def form(day: date) -> ResponseReturnValue:
    now = clock.now()
    soon = now + timedelta(minutes=-(now.minute % 5) % 5)
    given = {"clinician": request.args.get("clinician", "")}
    if day == current().today(now):
        given["time"] = hhmm(soon, current().zone)
    return _page(day, Form(given))


@bp.post("/run-sheet/<date:day>/walk-in")
@signed_in(Permission.WALK_IN)
def add(day: date) -> ResponseReturnValue:
    visitor, typed = current(), Form(request.form)
    try:
        new = _read(typed, day, visitor)
        row = store().transact(lambda session: _add(session, visitor, day, new))
    except InvalidInput as error:
        typed.refuse(error)
        return _page(day, typed, status=422)
    flash(f"{new.patient_name} is on the sheet.")
    return redirect(url_for("runsheet.board", day=day, _anchor=f"r-{row.id}"), code=303)


def _add(session: Session, visitor: Visitor, day: date, new: WalkIn) -> Appointment:
    if new.clinician_id not in {column.id for column in runsheet.columns_of(session, visitor.practice_id)}:
        raise InvalidInput({"clinician": "Choose one of the clinicians."})
    return rows.add_walk_in(session, visitor.practice_id, day, new, act=Act(visitor.user_id, clock.now()))


def _read(typed: Form, day: date, visitor: Visitor) -> WalkIn:
    """Raises InvalidInput with a sentence for every field that cannot be used."""
    clinician = typed.ident("clinician", "Choose one of the clinicians.")
    name = typed.text("name", "Who is it? Type the patient's name.", limit=255)
    at = typed.time("time", _TIME_WRONG)
    minutes = typed.number(
        "minutes", "Minutes are a whole number from 1 to 600; leave it empty where nobody knows.", 1, 600
    )
    phone = typed.text("phone", limit=40)
    number = phone_e164(phone, visitor.region) if phone else None
    if phone and number is None:
        typed.reject("phone", "That is no phone number. Leave it empty, or type it with its area code.")
    note = typed.lines("note", limit=rows.NOTE_LIMIT)
    starts_at = local_instant(day, at, visitor.zone) if at else None
    if at and starts_at is None:
        typed.reject("time", "The clocks change at that time on this day, so it does not exist. Type another.")
    typed.check()
    assert isinstance(clinician, UUID)
    assert starts_at is not None
    return WalkIn(clinician, name, starts_at, minutes, number, note or None)


def local_instant(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """That time of that day, in UTC. None where the spring change skips it; of two, the first."""
    instant = datetime.combine(day, at, zone).astimezone(UTC)
    return instant if instant.astimezone(zone).time() == at else None


def _page(day: date, typed: Form, status: int = 200) -> Response:
    visitor = current()
    with store().read() as session:
        columns: Sequence[Column] = runsheet.columns_of(session, visitor.practice_id)
    options = [(str(column.id), column.name) for column in columns]
    title = day_words(day, visitor.today(clock.now()))
    return make_response(
        render_template("runsheet/walk_in.html", form=typed, day=day, day_title=title, options=options), status
    )
