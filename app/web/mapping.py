"""Who is who, and what words mean: practitioners to clinicians, unknown status words to ours."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.domain.status import Status
from app.errors import InvalidInput
from app.security.roles import Permission
from app.store import catalogue, choices, connections, practices
from app.store.choices import Rows
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.store.models.sync import Trigger
from app.web import people, sync
from app.web.forms import Form
from app.web.people import SharedColumn
from app.web.security import signed_in
from app.web.session import current
from app.web.words import PMS_WORDS, pms_name
from app.wiring import store

bp = Blueprint("mapping", __name__, url_prefix="/connections/<uuid:connection_id>")

#: How far ahead a sync reads after a choice that brings rows in.
WEEK = timedelta(days=6)


@bp.get("/clinicians")
@signed_in(Permission.MAPPING_WRITE)
def clinicians(connection_id: UUID) -> ResponseReturnValue:
    return _people_page(connection_id)


@bp.post("/clinicians")
@signed_in(Permission.MAPPING_WRITE)
def save_clinicians(connection_id: UUID) -> ResponseReturnValue:
    """Save, or fill in the suggestions for somebody to look at first."""
    typed = Form(request.form)
    if request.form.get("do") == "fill":
        with store().read() as session:
            filled = people.filled_in(session, of_mine(session, connection_id), typed)
        return _people_page(connection_id, typed=filled, filled=True)
    try:
        done = save_people(connection_id, typed)
    except InvalidInput as error:
        return _people_page(connection_id, typed=typed, error=error, status=422)
    if done.brought_in:
        read_soon(connection_id)
    flash(done.sentence)
    return redirect(url_for(".clinicians", connection_id=connection_id), code=303)


@bp.get("/statuses")
@signed_in(Permission.MAPPING_WRITE)
def statuses(connection_id: UUID) -> ResponseReturnValue:
    return _words_page(connection_id)


@bp.post("/statuses")
@signed_in(Permission.MAPPING_WRITE)
def save_statuses(connection_id: UUID) -> ResponseReturnValue:
    """Say what the PMS means by a word; the next sync reads it so."""
    typed = Form(request.form)

    def work(session: Session) -> int:
        connection, changed = of_mine(session, connection_id), 0
        for row in catalogue.words_of(session, connection.id):
            name = f"word-{row.id}"
            if name not in typed.values or typed.raw(name) == (row.status or ""):
                continue
            if typed.raw(name) not in {"", *(one.value for one in Status if one is not Status.UNKNOWN)}:
                typed.reject(name, "Choose one of the statuses.")
            row.status = typed.raw(name) or None
            changed += 1
        typed.check()
        return changed

    try:
        changed = store().transact(work)
    except InvalidInput:
        return _words_page(connection_id, typed=typed, status=422)
    if changed:
        read_soon(connection_id)
    flash("Saved. The rows follow with the sync that reads them now." if changed else "Nothing was changed.")
    return redirect(url_for(".statuses", connection_id=connection_id), code=303)


# --- shared with the wizard and the types -----------------------------------------------------------------------------


def of_mine(session: Session, connection_id: UUID) -> PmsConnection:
    """Raises NotFound, also for another practice's."""
    return connections.one_of_practice(session, current().practice_id, connection_id)


def save_people(connection_id: UUID, typed: Form) -> people.Done:
    """Raises InvalidInput; then nothing was written."""
    confirmed = request.form.getlist("same")
    return store().transact(
        lambda session: people.save(session, of_mine(session, connection_id), typed, confirmed, clock.now())
    )


def read_soon(connection_id: UUID) -> None:
    """Something was let in: read the coming week now, where the connection syncs."""
    visitor, now = current(), clock.now()
    with store().read() as session:
        connection = of_mine(session, connection_id)
    if connection.state in (ConnectionState.ACTIVE, ConnectionState.NEEDS_ATTENTION):
        today = visitor.today(now)
        sync.press(visitor, [connection], (today, today + WEEK), Trigger.CHOICE)


# --- pages ------------------------------------------------------------------------------------------------------------


def _people_page(
    connection_id: UUID,
    *,
    typed: Form | None = None,
    error: InvalidInput | None = None,
    filled: bool = False,
    status: int = 200,
) -> Response:
    with store().read() as session:
        connection = of_mine(session, connection_id)
        shown = people.listed(session, connection, clock.now(), typed=typed)
    if isinstance(error, SharedColumn):
        shown.shared = error.shared
    page = render_template(
        "connections/clinicians.html",
        connection=connection,
        pms=pms_name(connection.pms_type),
        people=shown,
        form=typed or Form(),
        said=str(error) if isinstance(error, SharedColumn) else "",
        filled=filled,
    )
    return make_response(page, status)


def _words_page(connection_id: UUID, *, typed: Form | None = None, status: int = 200) -> Response:
    with store().read() as session:
        connection = of_mine(session, connection_id)
        practice = practices.get(session, connection.practice_id)
        rows = choices.rows_of_words(session, connection, practice, clock.now())
        words = catalogue.words_of(session, connection.id)
    page = render_template(
        "connections/statuses.html",
        connection=connection,
        pms=pms_name(connection.pms_type),
        words=[(row, rows.get(row.raw_status, Rows())) for row in words],
        options=[(one.value, PMS_WORDS[one]) for one in Status if one is not Status.UNKNOWN],
        form=typed or Form({f"word-{row.id}": row.status or "" for row in words}),
    )
    return make_response(page, status)
