"""A practice's connections: the list, each one's page, and what an admin does with it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.domain.reasons import explain
from app.domain.telling import TELLABLE
from app.errors import InvalidInput
from app.security.roles import Permission
from app.store import catalogue, history, outbox, practices, schedules
from app.store import connections as connections_store
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.sync import preview
from app.web import credentials, demo, live, runs, sync
from app.web.connection_view import chores, view
from app.web.forms import Form
from app.web.htmx import page_or_block, wants_fragment
from app.web.security import signed_in
from app.web.session import current
from app.web.words import PMS_WORDS, plural, pms_name
from app.wiring import engine, store

bp = Blueprint("connections", __name__, url_prefix="/connections")

_LAST_RUNS = 10
_MINUTES_WRONG = (
    f"Minutes are a whole number from {schedules.MIN_MINUTES} to {schedules.MAX_MINUTES} (a day). Type such a number."
)


@bp.get("")
@signed_in(Permission.CONNECTIONS_READ)
def index() -> ResponseReturnValue:
    """All of them, in sentences."""
    visitor, now = current(), clock.now()
    with store().read() as session:
        found = connections_store.of_practice(session, visitor.practice_id, gone=True)
        due = schedules.next_due(session, [one.id for one in found])
        going = [run.id for one in found if (run := history.unfinished(session, one.id)) is not None]
        lives = live.follow(session, visitor.practice_id, going, now)
    shown = [view(one, due.get(one.id), visitor.zone, now) for one in found]
    simulated = demo.simulators() if visitor.may(Permission.CONNECTIONS_WRITE) else None
    to_try = demo.to_try(simulated, found) if simulated else []
    watched = sync.watch(lives, url_for(".index"))
    return page_or_block(
        "connections/index.html",
        "list",
        connections=shown,
        visitor=visitor,
        simulated=simulated,
        to_try=to_try,
        **watched,
    )


@bp.get("/<uuid:connection_id>")
@signed_in(Permission.CONNECTIONS_READ)
def show(connection_id: UUID) -> ResponseReturnValue:
    if _mine(connection_id).state == ConnectionState.DRAFT:
        return redirect(url_for("pairing.resume", connection_id=connection_id), code=303)
    return _page(connection_id)


@bp.post("/<uuid:connection_id>/test")
@signed_in(Permission.CONNECTIONS_WRITE)
def test(connection_id: UUID) -> ResponseReturnValue:
    """Ask the PMS whether it answers for this practice; saves nothing (A02). Also for a draft, before it goes live."""
    connection = _mine(connection_id)
    health = preview.check(engine(), connection)
    typed = preview.is_typed(connection.pms_type)
    told = explain(health.reason, pms_name(connection.pms_type), typed=typed) if health.reason else None
    tested = {"health": health, "told": told}
    if wants_fragment():
        return make_response(render_template("connections/_tested.html", tested=tested))
    if connection.state == ConnectionState.DRAFT:
        return make_response(render_template("connections/tested.html", tested=tested, connection=connection))
    return _page(connection_id, tested=tested)


@bp.post("/<uuid:connection_id>/frequency")
@signed_in(Permission.CONNECTIONS_WRITE)
def frequency(connection_id: UUID) -> ResponseReturnValue:
    """How often it reads; in force at the next tick (A13)."""
    typed = Form(request.form)
    try:
        minutes = read_minutes(typed)
        typed.check()
    except InvalidInput:
        return _page(connection_id, form=typed, status=422)

    def work(session: Session) -> None:
        connection = _of_mine(session, connection_id)
        schedules.change_interval(session, connection, minutes, clock.now())
        connections_store.tell_sheets(session, connection.practice_id, clock.now())

    store().transact(work)
    flash(f"It reads every {runs.minutes_long(minutes)} from now on.")
    return redirect(url_for(".show", connection_id=connection_id), code=303)


@bp.post("/<uuid:connection_id>/lookback")
@signed_in(Permission.CONNECTIONS_WRITE)
def lookback(connection_id: UUID) -> ResponseReturnValue:
    """How far back it looks for appointments that are gone, where it does nothing else (E08)."""
    typed, wrong = Form(request.form), connections_store.LOOKBACK_WRONG
    lowest, highest = connections_store.LEAST_LOOKBACK, connections_store.MOST_LOOKBACK
    days = typed.number("lookback", wrong, lowest, highest)
    if days is None:
        typed.reject("lookback", wrong)
        return _page(connection_id, form=typed, status=422)

    def work(session: Session) -> None:
        connections_store.change_lookback(_of_mine(session, connection_id), days)

    return _changed(connection_id, work, f"It looks back {plural(days, 'day')} from now on.")


@bp.post("/<uuid:connection_id>/tells")
@signed_in(Permission.CONNECTIONS_WRITE)
def tells(connection_id: UUID) -> ResponseReturnValue:
    """Which statuses set here the PMS is told (R49); none unless somebody ticks them."""
    wanted = request.form.getlist("tells")

    def work(session: Session) -> None:
        connection = _of_mine(session, connection_id)
        outbox.choose(connection, wanted, preview.system(connection.pms_type).capabilities.writes)

    pms = pms_name(_mine(connection_id).pms_type)
    words = ", ".join(PMS_WORDS[one] for one in TELLABLE if one.value in wanted)
    return _changed(
        connection_id, work, f"{pms} is told from now on: {words}." if wanted else f"{pms} is told nothing."
    )


@bp.post("/<uuid:connection_id>/pause")
@signed_in(Permission.CONNECTIONS_WRITE)
def pause(connection_id: UUID) -> ResponseReturnValue:
    def work(session: Session) -> None:
        connections_store.pause(session, _of_mine(session, connection_id), clock.now())

    return _changed(connection_id, work, "Paused. The sheet keeps its rows and shows their age.")


@bp.post("/<uuid:connection_id>/resume")
@signed_in(Permission.CONNECTIONS_WRITE)
def resume(connection_id: UUID) -> ResponseReturnValue:
    def work(session: Session) -> None:
        connection = _of_mine(session, connection_id)
        practice = practices.get(session, connection.practice_id)
        connections_store.resume(session, connection, practice, clock.now())

    return _changed(connection_id, work, "Resumed. It reads again within half a minute.")


def read_minutes(typed: Form) -> int:
    """The interval somebody typed; the fault stands beside the field."""
    minutes = typed.number("minutes", _MINUTES_WRONG, schedules.MIN_MINUTES, schedules.MAX_MINUTES)
    if minutes is None:
        typed.reject("minutes", _MINUTES_WRONG)
    return minutes or 0


# --- answering --------------------------------------------------------------------------------------------------------


def _of_mine(session: Session, connection_id: UUID) -> PmsConnection:
    return connections_store.one_of_practice(session, current().practice_id, connection_id)


def _mine(connection_id: UUID) -> PmsConnection:
    with store().read() as session:
        return _of_mine(session, connection_id)


def _changed(connection_id: UUID, work: Callable[[Session], None], said: str) -> Response:
    """Do it, or say why not; then the page again."""
    try:
        store().transact(work)
    except InvalidInput as error:
        said = str(error)
    flash(said)
    return make_response(redirect(url_for(".show", connection_id=connection_id), code=303))


def _page(connection_id: UUID, *, form: Form | None = None, status: int = 200, **more: object) -> Response:
    visitor, now = current(), clock.now()
    with store().read() as session:
        connection = _of_mine(session, connection_id)
        due = schedules.next_due(session, [connection.id])
        found = history.recent(session, visitor.practice_id, connection.id, limit=_LAST_RUNS)
        lines = runs.detailed(session, runs.lines_of(session, visitor, found, now))
        going = history.unfinished(session, connection.id)
        lives = live.follow(session, visitor.practice_id, [going.id] if going else [], now)
        left = chores(session, connection, now)
        counts = _counts(session, connection)
        typed = credentials.listed(session, connection, visitor.zone)
    return page_or_block(
        "connections/show.html",
        "body",
        status=status,
        visitor=visitor,
        it=view(connection, due.get(connection.id), visitor.zone, now),
        form=_filled(connection, form),
        runs=lines,
        chores=left,
        counts=counts,
        typed=typed,
        tells=_tells(connection),
        system=preview.known(connection.pms_type),
        **sync.watch(lives, url_for(".show", connection_id=connection_id)),
        **more,
    )


def _tells(connection: PmsConnection) -> list[tuple[str, str, bool]]:
    """(value, word, whether it is told) of every status this PMS can be told; nothing where it can be told none."""
    offered = preview.system(connection.pms_type).capabilities.writes
    return [(one.value, PMS_WORDS[one], one.value in connection.tells) for one in TELLABLE if one in offered]


def _filled(connection: PmsConnection, typed: Form | None) -> Form:
    """Both little forms of the page: what one was sent with stands beside what the other is now."""
    form = typed or Form()
    form.values.setdefault("minutes", str(connection.sync_frequency_minutes))
    form.values.setdefault("lookback", str(connection.lookback_days))
    return form


def _counts(session: Session, connection: PmsConnection) -> dict[str, int]:
    # Who left the practice's book is no gap in the mapping.
    people = [
        row
        for row in catalogue.mappings_of(session, connection.id)
        if row.run_sheet_clinician_id is not None or not row.sync_enabled or (row.active and row.shown_in_book)
    ]
    types = [row for row in catalogue.types_of(session, connection.id) if row.active]
    return {
        "people": len(people),
        "mapped": sum(row.run_sheet_clinician_id is not None and row.sync_enabled for row in people),
        "left_out": sum(not row.sync_enabled for row in people),
        "types": len(types),
        "telehealth": sum(row.is_telehealth for row in types),
        "words": len(catalogue.unknown_words(session, connection.id)),
    }
