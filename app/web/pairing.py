"""The pairing wizard: one question a screen. Every step saves, and leaving and coming back goes on where one was (A01).

A connection that is live comes here with a new code or new credentials only (A07): its mappings, types and history
stay.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidInput
from app.security.roles import Permission
from app.store import connections, practices, schedules
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.store.models.sync import Trigger
from app.sync import preview
from app.sync.preview import Refused
from app.web import credentials, demo, kinds, people, sync
from app.web.connections import read_minutes
from app.web.forms import Form
from app.web.htmx import page_or_block
from app.web.mapping import of_mine, save_people
from app.web.people import SharedColumn
from app.web.preview_view import PreviewView, preview_of
from app.web.security import signed_in
from app.web.session import current
from app.web.wizard import ORDER, Step, present, reached, refusal_words, step_of, way
from app.web.words import plural, pms_name
from app.wiring import engine, store

bp = Blueprint("pairing", __name__, url_prefix="/connections")


# --- choosing ---------------------------------------------------------------------------------------------------------


@bp.get("/new")
@signed_in(Permission.CONNECTIONS_WRITE)
def new() -> ResponseReturnValue:
    return _choose(Form())


@bp.post("/new")
@signed_in(Permission.CONNECTIONS_WRITE)
def create() -> ResponseReturnValue:
    """A draft of its own; from here on it can be left and resumed."""
    typed = Form(request.form)
    name = typed.text("name", limit=120)
    try:
        if not typed.raw("pms"):
            typed.reject("pms", "Choose the system your practice books in.")
        typed.check()
        made = preview.new_connection(engine(), current().practice_id, typed.raw("pms"), name or None)
    except InvalidInput as error:
        typed.refuse(error)
        return _choose(typed, status=422)
    return redirect(url_for(".step", connection_id=made.id, step=Step.CODE.value), code=303)


def _choose(typed: Form, status: int = 200) -> Response:
    with store().read() as session:
        known = connections.of_practice(session, current().practice_id)
    drafts = [one for one in known if one.state == ConnectionState.DRAFT]
    systems = preview.systems()
    if not typed.raw("pms") and len(systems) == 1:
        typed.values["pms"] = systems[0].kind
    page = render_template("pairing/choose.html", systems=systems, form=typed, drafts=drafts, steps=way(None, 0))
    return make_response(page, status)


# --- the steps --------------------------------------------------------------------------------------------------------


@bp.get("/<uuid:connection_id>/pair")
@signed_in(Permission.CONNECTIONS_WRITE)
def resume(connection_id: UUID) -> ResponseReturnValue:
    """Where one left."""
    connection = _mine(connection_id)
    if connection.state != ConnectionState.DRAFT:
        return redirect(url_for("connections.show", connection_id=connection_id), code=303)
    return redirect(url_for(".step", connection_id=connection_id, step=present(connection).value), code=303)


@bp.get("/<uuid:connection_id>/pair/<step>")
@signed_in(Permission.CONNECTIONS_WRITE)
def step(connection_id: UUID, step: str) -> ResponseReturnValue:
    """One question. A step further than one has come leads to where one is."""
    wanted, connection = step_of(step), _mine(connection_id)
    if connection.state != ConnectionState.DRAFT and wanted is not Step.CODE:
        return redirect(url_for("connections.show", connection_id=connection_id), code=303)
    if ORDER.index(wanted) > reached(connection):
        return redirect(url_for(".resume", connection_id=connection_id), code=303)
    return _page(connection, wanted)


@bp.post("/<uuid:connection_id>/pair/code")
@signed_in(Permission.CONNECTIONS_WRITE)
def spend_code(connection_id: UUID) -> ResponseReturnValue:
    """Send the code, once. Whatever it bought is kept, whatever fails after."""
    typed, connection = Form(request.form), _mine(connection_id)
    if connection.state == ConnectionState.DRAFT and connection.tenant_id is not None:
        return _to(connection_id, Step.IDENTITY)  # pressed twice
    try:
        typed.text("code", "Type or paste the pairing code.", limit=64)
        typed.check()
        with preview.in_words(connection.pms_type):
            preview.pair(engine(), current().practice_id, connection_id, typed.raw("code"))
    except InvalidInput as error:
        typed.refuse(error)
        return _page(connection, Step.CODE, form=typed, status=422)
    except Refused as refused:
        if connection.state == ConnectionState.DRAFT and _mine(connection_id).tenant_id is not None:
            return _to(connection_id, Step.IDENTITY)  # the code is spent; asking who they are can be repeated
        typed.reject("code", refusal_words(refused))
        return _page(connection, Step.CODE, form=typed, status=422)
    return (
        _to(connection_id, Step.IDENTITY) if connection.state == ConnectionState.DRAFT else _paired_again(connection_id)
    )


@bp.post("/<uuid:connection_id>/pair/credentials")
@signed_in(Permission.CONNECTIONS_WRITE)
def connect(connection_id: UUID) -> ResponseReturnValue:
    """Try what was typed; keep it where the PMS accepts it. Of a live connection, only what was typed is changed."""
    typed, connection, visitor = Form(request.form), _mine(connection_id), current()
    draft = connection.state == ConnectionState.DRAFT
    if draft and connection.tenant_id is not None:
        return _to(connection_id, Step.IDENTITY)  # pressed twice
    act = preview.connect if draft else preview.change_credentials
    try:
        with preview.in_words(connection.pms_type):
            given = credentials.given(typed, connection.pms_type)
            act(engine(), visitor.practice_id, connection_id, given, visitor.user_id)
    except InvalidInput as error:
        credentials.refuse(typed, error)
        return _page(connection, Step.CODE, form=typed, status=422)
    except Refused as refused:
        if draft and _mine(connection_id).tenant_id is not None:
            return _to(connection_id, Step.IDENTITY)  # they are kept; asking who they are can be repeated
        typed.reject("", refusal_words(refused, "Nothing was saved."))
        return _page(connection, Step.CODE, form=typed, status=422)
    said = "The new credentials work and are saved. Mappings, types and history are as they were."
    return _to(connection_id, Step.IDENTITY) if draft else _paired_again(connection_id, said)


@bp.post("/<uuid:connection_id>/pair/identity")
@signed_in(Permission.CONNECTIONS_WRITE)
def confirm(connection_id: UUID) -> ResponseReturnValue:
    """Yes, no, or: ask the PMS again who it is."""
    connection, answer = _draft(connection_id), request.form.get("is", "")
    practice_id = current().practice_id
    if answer == "no":
        preview.unpair(engine(), practice_id, connection_id)
        typed = preview.is_typed(connection.pms_type)
        instead = "Type your own practice's credentials." if typed else "Get a code from your own practice's page."
        flash(f"Nothing of that practice was kept. {instead}")
        return _to(connection_id, Step.CODE)
    try:
        with preview.in_words(connection.pms_type):
            if answer != "yes" or connection.pms_name is None:
                preview.read_catalogue(engine(), practice_id, connection_id)
                return _to(connection_id, Step.IDENTITY)
    except Refused as refused:
        return _page(connection, Step.IDENTITY, refused=refused, status=422)
    _save(connection_id, Step.CLINICIANS, counts=_count(connection))
    return _to(connection_id, Step.CLINICIANS)


@bp.post("/<uuid:connection_id>/pair/clinicians")
@signed_in(Permission.CONNECTIONS_WRITE)
def map_people(connection_id: UUID) -> ResponseReturnValue:
    typed, connection = Form(request.form), _draft(connection_id)
    if request.form.get("do") == "fill":
        with store().read() as session:
            typed = people.filled_in(session, of_mine(session, connection_id), typed)
        return _page(connection, Step.CLINICIANS, form=typed, filled=True)
    try:
        save_people(connection_id, typed)
    except InvalidInput as error:
        return _page(connection, Step.CLINICIANS, form=typed, error=error, status=422)
    _save(connection_id, Step.TYPES)
    return _to(connection_id, Step.TYPES)


@bp.post("/<uuid:connection_id>/pair/types")
@signed_in(Permission.CONNECTIONS_WRITE)
def mark_types(connection_id: UUID) -> ResponseReturnValue:
    _draft(connection_id)
    ticked = request.form.getlist("type")

    def work(session: Session) -> None:
        connection = of_mine(session, connection_id)
        off = [str(row.id) for row in kinds.listed(session, connection, clock.now()) if str(row.id) not in ticked]
        every = "every" in request.form if kinds.offers_every(connection) else None
        kinds.apply(session, connection, ticked, off, clock.now(), every=every)

    store().transact(work)
    _save(connection_id, Step.PREVIEW)
    return _to(connection_id, Step.PREVIEW)


@bp.post("/<uuid:connection_id>/pair/preview")
@signed_in(Permission.CONNECTIONS_WRITE)
def accept_preview(connection_id: UUID) -> ResponseReturnValue:
    _draft(connection_id)
    _save(connection_id, Step.LIVE)
    return _to(connection_id, Step.LIVE)


@bp.post("/<uuid:connection_id>/pair/live")
@signed_in(Permission.CONNECTIONS_WRITE)
def go_live(connection_id: UUID) -> ResponseReturnValue:
    """The first sync starts at once; its progress is on the connection's page."""
    typed, connection, visitor = Form(request.form), _draft(connection_id), current()
    try:
        minutes = read_minutes(typed)
        typed.check()
    except InvalidInput:
        return _page(connection, Step.LIVE, form=typed, status=422)

    def work(session: Session) -> None:
        schedules.change_interval(session, of_mine(session, connection_id), minutes, clock.now())

    store().transact(work)
    live = preview.finish_pairing(engine(), visitor.practice_id, connection_id)
    sync.press(visitor, [live], sync.usual_days(visitor, clock.now()), Trigger.PAIRING)
    flash(f"{live.display_name} is live. The first sync reads today and tomorrow.")
    return redirect(url_for("connections.show", connection_id=connection_id), code=303)


@bp.post("/<uuid:connection_id>/pair/discard")
@signed_in(Permission.CONNECTIONS_WRITE)
def discard(connection_id: UUID) -> ResponseReturnValue:
    """Take a draft away. Nothing was read with it."""
    preview.discard(engine(), current().practice_id, connection_id)
    flash("The draft is gone. Nothing had been read.")
    return redirect(url_for("connections.index"), code=303)


# --- where one is -----------------------------------------------------------------------------------------------------


def _mine(connection_id: UUID) -> PmsConnection:
    with store().read() as session:
        return of_mine(session, connection_id)


def _draft(connection_id: UUID) -> PmsConnection:
    """Raises InvalidInput for one that is live: its steps lie behind it."""
    connection = _mine(connection_id)
    if connection.state != ConnectionState.DRAFT:
        raise InvalidInput("This connection is live. Change it on its own page.")
    if connection.tenant_id is None:
        what = "credentials" if preview.is_typed(connection.pms_type) else "code"
        raise InvalidInput(f"Pair this connection first: enter the {what}.")
    return connection


def _save(connection_id: UUID, to: Step, **more: Any) -> None:
    """Remember where one goes on, and what was learnt on the way."""

    def work(session: Session) -> None:
        connection = of_mine(session, connection_id)
        furthest = ORDER[max(reached(connection), ORDER.index(to))]
        connection.wizard = {**connection.wizard, **more, "step": to.value, "furthest": furthest.value}

    store().transact(work)


def _to(connection_id: UUID, to: Step) -> Response:
    return make_response(redirect(url_for(".step", connection_id=connection_id, step=to.value), code=303))


def _count(connection: PmsConnection) -> dict[str, Any]:
    """How many appointments each type and practitioner has today; counts alone, no row is stored."""
    try:
        with preview.in_words(connection.pms_type):
            found = preview.dry_run(engine(), connection.practice_id, connection.id)
    except Refused as refused:
        return {"reason": refused.reason}
    return {"types": dict(found.by_type), "practitioners": dict(found.by_practitioner)}


def _paired_again(
    connection_id: UUID, said: str = "Paired again. Mappings, types and history are as they were."
) -> Response:
    """A live connection got a new code or new credentials: what it had stays, and it reads again (A07)."""
    visitor = current()

    def work(session: Session) -> PmsConnection:
        connection = of_mine(session, connection_id)
        connection.wizard = {**connection.wizard, "step": "done"}
        if connection.state == ConnectionState.NEEDS_ATTENTION:
            practice = practices.get(session, connection.practice_id)
            connections.resume(session, connection, practice, clock.now())
        return connection

    connection = store().transact(work)
    if connection.state == ConnectionState.ACTIVE:
        sync.press(visitor, [connection], sync.usual_days(visitor, clock.now()), Trigger.PAIRING)
    else:
        said += " It is still paused."
    flash(said)
    return make_response(redirect(url_for("connections.show", connection_id=connection_id), code=303))


# --- pages ------------------------------------------------------------------------------------------------------------


def _page(connection: PmsConnection, at: Step, *, form: Form | None = None, status: int = 200, **more: Any) -> Response:
    context = {
        "connection": connection,
        "system": preview.system(connection.pms_type),
        "pms": pms_name(connection.pms_type),
        "typed": preview.is_typed(connection.pms_type),
        "again": connection.state != ConnectionState.DRAFT,
        "steps": way(connection, ORDER.index(at)),
        "at": at.value,
        "form": form or Form(),
        "zone": current().zone.key,
        **_facts(connection, at, form, more),
        **more,
    }
    if at is Step.PREVIEW:
        return page_or_block("pairing/preview.html", "sheet", status=status, **context)
    asked = "credentials" if at is Step.CODE and context["typed"] else at.value
    return make_response(render_template(f"pairing/{asked}.html", **context), status)


def _facts(connection: PmsConnection, at: Step, form: Form | None, more: dict[str, Any]) -> dict[str, Any]:
    """What that step shows beside its question."""
    counts = connection.wizard.get("counts", {})
    with store().read() as session:
        connection = of_mine(session, connection.id)
        if at is Step.CODE:
            fields = credentials.listed(session, connection, current().zone)
            return {"listed": fields, "demo": demo.prefilled(connection)}
        if at is Step.IDENTITY:
            seen = people.listed(session, connection, clock.now())
            listed = len(seen.first) + len(seen.rest)
            types = len(kinds.listed(session, connection, clock.now()))
            return {"people_words": plural(listed, "practitioner"), "types_words": plural(types, "appointment type")}
        if at is Step.CLINICIANS:
            counted = counts.get("practitioners")
            shown = people.listed(session, connection, clock.now(), typed=form, counts=counted)
            error = more.get("error")
            shown.shared = error.shared if isinstance(error, SharedColumn) else []
            said = str(error) if isinstance(error, SharedColumn) else ""
            return {"people": shown, "counted": counted is not None, "said": said}
        if at is Step.TYPES:
            counted = counts.get("types")
            return {
                "types": kinds.listed(session, connection, clock.now(), counts=counted),
                "counted": counted is not None,
                "offers_every": kinds.offers_every(connection),
                "every": not connection.sync_telehealth_only,
            }
        if at is Step.LIVE:
            return {"form": form or Form({"minutes": str(connection.sync_frequency_minutes)})}
    return {"sheet": _preview(connection)} if at is Step.PREVIEW else {}


def _preview(connection: PmsConnection) -> PreviewView | None:
    """Today as it would be, where somebody asks for it; the page itself comes at once."""
    if "read" not in request.args:
        return None
    return preview_of(connection, current(), clock.now())
