"""Records that could not be read: which, why, since when, and what an admin does with them (A29, P15).

What the PMS sent is patient data. It is opened by a press alone, never by an address, and every press is written down.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from app import clock
from app.domain.retention import LEAST, MOST
from app.errors import InvalidInput, Unreadable
from app.security.roles import Permission
from app.store import connections, history, practices, retention, set_aside
from app.store.models import QuarantinedRecord
from app.store.quarantine import CLIENT
from app.sync import preview
from app.web import live, sync
from app.web.forms import Form
from app.web.htmx import wants_fragment
from app.web.quarantine_view import Reading, RecordView, views
from app.web.security import signed_in
from app.web.session import current
from app.wiring import store, vault

log = logging.getLogger(__name__)

bp = Blueprint("quarantine", __name__, url_prefix="/quarantine")

_DAYS_WRONG = f"Days are a whole number from {LEAST} to {MOST} (ten years). Type such a number."
_A_PAGE = 40
_LAST_PAGE = 500
#: Of a payload, so much is shown: a page is for looking, not for carrying data away.
MOST_SHOWN = 100_000


@bp.get("")
@signed_in(Permission.QUARANTINE)
def index() -> ResponseReturnValue:
    """Open records, or `?state=resolved`; `&connection=&page=`."""
    return _index_page()


def _index_page(*, form: Form | None = None, status: int = 200) -> Response:
    visitor, now = current(), clock.now()
    resolved, connection_id, page = request.args.get("state") == "resolved", _connection(), _page()
    with store().read() as session:
        known = connections.of_practice(session, visitor.practice_id, gone=True)
        if connection_id is not None:
            connections.one_of_practice(session, visitor.practice_id, connection_id)
        found = set_aside.listed(
            session,
            visitor.practice_id,
            connection_id=connection_id,
            resolved=resolved,
            limit=_A_PAGE + 1,
            offset=(page - 1) * _A_PAGE,
        )
        shown = views(session, found[:_A_PAGE], Reading(visitor.practice_id, visitor.zone, now))
        kept = retention.of(session, visitor.practice_id)
    answer = render_template(
        "quarantine/index.html",
        records=shown,
        connections=[(str(one.id), one.display_name) for one in known],
        chosen={"connection": str(connection_id or ""), "resolved": resolved},
        kept_days=kept.payloads,
        form=form or Form({"payloads": str(kept.payloads), "events": str(kept.events), "notes": str(kept.notes or "")}),
        page=page,
        newer=_address(page - 1, connection_id, resolved) if page > 1 else "",
        older=_address(page + 1, connection_id, resolved) if len(found) > _A_PAGE and page < _LAST_PAGE else "",
    )
    return make_response(answer, status)


@bp.post("/retention")
@signed_in(Permission.QUARANTINE)
def keep_for() -> ResponseReturnValue:
    """How long the practice keeps payloads, events' details and visits' notes (A29)."""
    visitor, typed = current(), Form(request.form)
    days = {name: typed.number(name, _DAYS_WRONG, LEAST, MOST) for name in ("payloads", "events", "notes")}
    for name in ("payloads", "events"):
        if days[name] is None:
            typed.reject(name, _DAYS_WRONG)
    try:
        typed.check()
    except InvalidInput:
        return _index_page(form=typed, status=422)

    def work(session: Session) -> None:
        retention.change(session, visitor.practice_id, **days, keep_notes=days["notes"] is None)

    store().transact(work)
    facts = {"user_id": str(visitor.user_id), "practice_id": str(visitor.practice_id), "event": "retention"}
    log.info("limits changed", extra=facts)
    flash("Saved. In force within ten minutes.")
    return redirect(url_for(".index", _anchor="kept"), code=303)


@bp.get("/<uuid:record_id>")
@signed_in(Permission.QUARANTINE)
def show(record_id: UUID) -> ResponseReturnValue:
    """One record, without what the PMS sent."""
    if wants_fragment():
        return make_response(render_block("quarantine/show.html", "body", **_shown(record_id)))
    return _record_page(record_id)


@bp.post("/<uuid:record_id>/payload")
@signed_in(Permission.QUARANTINE)
def payload(record_id: UUID) -> ResponseReturnValue:
    """What the PMS sent, as text, for whoever repairs it. Who looked is written down, what they saw is not."""
    visitor = current()
    with store().read() as session:
        record = _mine(session, record_id)
        facts = {"user_id": str(visitor.user_id), "practice_id": str(visitor.practice_id), "record_id": str(record_id)}
        try:
            opened, refused = set_aside.payload_of(session, vault(), record), ""
        except Unreadable as error:
            opened, refused = None, str(error)
    outcome = "refused" if refused else "wiped" if opened is None else "shown"
    log.info("a record set aside was opened", extra=facts | {"event": "quarantine_opened", "outcome": outcome})
    return _record_page(record_id, payload=(opened or "")[:MOST_SHOWN], length=len(opened or ""), refused=refused)


@bp.post("/<uuid:record_id>/retry")
@signed_in(Permission.QUARANTINE)
def retry(record_id: UUID) -> ResponseReturnValue:
    """Queue a sync that asks for it by its id, or, where that cannot be, reads the days it came with."""
    visitor, now = current(), clock.now()

    def work(session: Session) -> None:
        set_aside.ask_again(_mine(session, record_id), now)

    try:
        store().transact(work)
        with store().read() as session:
            record = _mine(session, record_id)
            connection = connections.one_of_practice(session, visitor.practice_id, record.pms_connection_id)
            by_id = record.external_id and preview.system(connection.pms_type).capabilities.lookup_by_id
            days = sync.usual_days(visitor, now)
            if not by_id:
                days = set_aside.days_of(session, record) or days
        if record.kind == CLIENT:  # only a discovery meets it
            sync.press_discovery(visitor, [connection])
        else:
            sync.press(visitor, [connection], days, begins_anew=True)
    except InvalidInput as error:
        flash(str(error))
    return redirect(url_for(".show", record_id=record_id), code=303)


@bp.post("/<uuid:record_id>/resolve")
@signed_in(Permission.QUARANTINE)
def resolve(record_id: UUID) -> ResponseReturnValue:
    """Settle it: it is ignored while it comes again unchanged."""
    typed = Form(request.form)
    because = typed.text("because", limit=set_aside.MOST_BECAUSE)

    def work(session: Session) -> None:
        set_aside.ignore(session, _mine(session, record_id), because, current().user_id, clock.now())

    try:
        typed.check()
        store().transact(work)
    except InvalidInput as error:
        typed.refuse(error)
        return _record_page(record_id, form=typed, status=422)
    flash("Resolved. It stays so while it comes again unchanged.")
    return redirect(url_for(".show", record_id=record_id), code=303)


@bp.post("/<uuid:record_id>/reopen")
@signed_in(Permission.QUARANTINE)
def reopen(record_id: UUID) -> ResponseReturnValue:
    return _changed(record_id, lambda session, record: set_aside.reopen(session, record, clock.now()), "Open again.")


# --- answering --------------------------------------------------------------------------------------------------------


def _mine(session: Session, record_id: UUID) -> QuarantinedRecord:
    return set_aside.one_of_practice(session, current().practice_id, record_id)


def _changed(record_id: UUID, work: Callable[[Session, QuarantinedRecord], None], said: str) -> Response:
    """Do it, or say why not; then the page again."""
    try:
        store().transact(lambda session: work(session, _mine(session, record_id)))
    except InvalidInput as error:
        said = str(error)
    flash(said)
    return make_response(redirect(url_for(".show", record_id=record_id), code=303))


def _record_page(record_id: UUID, *, status: int = 200, form: Form | None = None, **more: object) -> Response:
    page = render_template("quarantine/show.html", **_shown(record_id, form), **more)
    return make_response(page, status)


def _shown(record_id: UUID, form: Form | None = None) -> dict[str, Any]:
    visitor, now = current(), clock.now()
    with store().read() as session:
        record = _mine(session, record_id)
        shown: RecordView = views(session, [record], Reading(visitor.practice_id, visitor.zone, now))[0]
        names = practices.names_of(session, {record.resolved_by} if record.resolved_by else set())
        going = history.unfinished(session, record.pms_connection_id)
        lives = live.follow(session, visitor.practice_id, [going.id] if going else [], now)
        kept_days = retention.of(session, visitor.practice_id).payloads
    return {
        "it": shown,
        "resolved_by": names.get(record.resolved_by, "") if record.resolved_by else "",
        "kept_days": kept_days,
        "form": form or Form(),
        **sync.watch(lives, url_for(".show", record_id=record_id)),
    }


def _connection() -> UUID | None:
    try:
        return UUID(request.args.get("connection", ""))
    except ValueError:
        return None


def _page() -> int:
    return min(max(1, request.args.get("page", 1, type=int)), _LAST_PAGE)


def _address(page: int, connection_id: UUID | None, resolved: bool) -> str:
    return url_for(".index", page=page, connection=connection_id, state="resolved" if resolved else None)
