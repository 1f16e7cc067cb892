"""One appointment: its details, and what staff may do with it. Each write carries the version the person saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.domain.runsheet import Row, row_of
from app.domain.status import Status, Word
from app.domain.window import day_of
from app.errors import InvalidInput, NotFound
from app.security.roles import Permission
from app.store import rows, runsheet
from app.store.models import Appointment
from app.store.rows import Act, ChangedMeanwhile
from app.web.clinical import notes_of
from app.web.detail import Detail, detail_of
from app.web.forms import Form
from app.web.htmx import page_or_block, raise_events, wants_fragment
from app.web.rows import Page, view, word_of
from app.web.security import signed_in
from app.web.session import Visitor, current
from app.web.words import MOVE_WORDS, pms_name, since
from app.wiring import store, vault

bp = Blueprint("appointments", __name__, url_prefix="/appointments")

CHANGED = "appointment-changed"
Result = TypeVar("Result")


@bp.get("/<uuid:appointment_id>")
@signed_in(Permission.SHEET_READ)
def show(appointment_id: UUID) -> ResponseReturnValue:
    return _detail_page(_detail(appointment_id))


@bp.get("/<uuid:appointment_id>/note")
@signed_in(Permission.NOTE_WRITE)
def note_form(appointment_id: UUID) -> ResponseReturnValue:
    """The note, ready to be typed into: in the row where htmx asks, else on the appointment's page."""
    found = _detail(appointment_id)
    if not found.may_note:
        abort(403)
    if not wants_fragment():
        return redirect(url_for(".show", appointment_id=appointment_id, _anchor="note"), code=303)
    return _note_form(found, found.note_form, place="row")


@bp.post("/<uuid:appointment_id>/status")
@signed_in(Permission.STATUS_WRITE)
def set_status(appointment_id: UUID) -> ResponseReturnValue:
    """Take the row to the wanted status, if it is still the row the person saw."""
    to, seen = _wanted(), _seen()

    def work(session: Session, row: Appointment, act: Act) -> None:
        rows.set_status(session, row, to, seen_version=seen, act=act)

    try:
        _write(appointment_id, Permission.STATUS_WRITE, work)
    except ChangedMeanwhile as error:
        if _stands(appointment_id, to):
            return _status_answer(appointment_id)  # the same press came twice
        return _told(appointment_id, 409, _meanwhile(error, appointment_id), wanted=to)
    except InvalidInput as error:
        return _told(appointment_id, 422, str(error))
    return raise_events(_status_answer(appointment_id), CHANGED)


@bp.post("/<uuid:appointment_id>/word")
@signed_in(Permission.STATUS_WRITE)
def decide(appointment_id: UUID) -> ResponseReturnValue:
    """Keep our status or take the PMS's, as the two stood when the person decided (M06)."""
    try:
        word = Word(request.form.get("word", ""))
    except ValueError:
        abort(400)
    seen = _seen()

    def work(session: Session, row: Appointment, act: Act) -> None:
        rows.decide(session, row, word, seen_version=seen, act=act)

    try:
        _write(appointment_id, Permission.STATUS_WRITE, work)
    except ChangedMeanwhile as error:
        if error.by == current().name and _decided(appointment_id, word):
            return _status_answer(appointment_id)  # the same press came twice
        return _told(appointment_id, 409, _meanwhile(error, appointment_id))
    except InvalidInput as error:
        return _told(appointment_id, 422, str(error))
    return raise_events(_status_answer(appointment_id), CHANGED)


@bp.post("/<uuid:appointment_id>/note")
@signed_in(Permission.NOTE_WRITE)
def set_note(appointment_id: UUID) -> ResponseReturnValue:
    """Keep the note. Whatever stands in the way, the text comes back with the reason."""
    form, place = Form(request.form), request.form.get("place", "")

    def work(session: Session, row: Appointment, act: Act) -> None:
        text = form.lines("note", limit=rows.NOTE_LIMIT)
        form.check()
        rows.set_note(session, row, text, seen_version=_seen(), act=act)

    status = 200
    try:
        _write(appointment_id, Permission.NOTE_WRITE, work)
    except ChangedMeanwhile as error:
        form.reject("note", _meanwhile(error, appointment_id) + " Press save again to keep yours.")
        status = 409
    except InvalidInput as error:
        form.refuse(error)
        status = 422
    if status == 200:
        answer = _row_answer(appointment_id) if place == "row" else _saved_note(appointment_id)
        return raise_events(answer, CHANGED)
    found = _detail(appointment_id, form)
    if wants_fragment():
        return _note_form(found, form, place=place, status=status)
    return _detail_page(found, status=status)


@bp.post("/undo/<uuid:event_id>")
@signed_in(Permission.STATUS_WRITE)
def undo(event_id: UUID) -> ResponseReturnValue:
    """Put back what this person's last status change replaced."""
    visitor = current()

    def work(session: Session) -> Appointment:
        return rows.undo(session, visitor.practice_id, event_id, act=Act(visitor.user_id, clock.now()))

    try:
        row = store().transact(work)
    except (ChangedMeanwhile, InvalidInput) as error:
        said = "Somebody changed it since; nothing was undone." if isinstance(error, ChangedMeanwhile) else str(error)
        if wants_fragment():
            return make_response(render_template("_said.html", said=said), 409)
        flash(said)
        return redirect(url_for("runsheet.today"), code=303)
    if wants_fragment():
        return raise_events(Response(status=204), CHANGED)
    return _back_to(row.id, row.starts_at)


# --- writing ----------------------------------------------------------------------------------------------------------


def _write(appointment_id: UUID, permission: Permission, work: Callable[[Session, Appointment, Act], None]) -> None:
    """Run `work` on the locked row. 404 for another practice's, 403 for one that is not this clinician's."""
    visitor = current()

    def guarded(session: Session) -> None:
        row = rows.locked(session, visitor.practice_id, appointment_id)
        facts = runsheet.row_of(session, visitor.practice_id, appointment_id)
        if facts is None or facts.removed_at is not None:
            raise NotFound("There is no such appointment in this practice.")
        if not visitor.may_change(permission, facts.clinician_id):
            abort(403)
        work(session, row, Act(visitor.user_id, clock.now()))

    store().transact(guarded)


def _wanted() -> Status:
    try:
        to = Status(request.form.get("status", ""))
    except ValueError:
        abort(400)
    if to is Status.UNKNOWN:
        abort(400)
    return to


def _seen() -> int:
    try:
        return int(request.form.get("version", ""))
    except ValueError:
        abort(400)


def _stands(appointment_id: UUID, to: Status) -> bool:
    """Whether what is wanted is so already, by this person: a second press of the same button."""
    visitor = current()
    row = _row(appointment_id)
    return row.status is to and row.facts.staff_status is to and row.facts.staff_status_by == visitor.user_id


def _decided(appointment_id: UUID, word: Word) -> bool:
    """Whether that is decided about what the PMS says now."""
    facts = _row(appointment_id).facts
    settled = facts.staff_decided_on is not None and facts.staff_decided_on == facts.pms_status_changed_at
    return settled and (facts.staff_status is None) == (word is Word.TAKE)


def _meanwhile(error: ChangedMeanwhile, appointment_id: UUID) -> str:
    visitor = current()
    by = "the PMS" if error.by == "the PMS" else error.by
    return f"Changed by {by} at {since(error.at, visitor.zone, clock.now())}: now {word_of(_row(appointment_id))}."


# --- answering --------------------------------------------------------------------------------------------------------


def _row(appointment_id: UUID) -> Row:
    visitor = current()
    with store().read() as session:
        facts = runsheet.row_of(session, visitor.practice_id, appointment_id)
    if facts is None:
        raise NotFound("There is no such appointment in this practice.")
    return row_of(facts)


def _page(visitor: Visitor, row: Row, now: datetime) -> Page:
    with store().read() as session:
        connections = runsheet.connections_of(session, visitor.practice_id)
    names = {one.id: pms_name(one.pms_type) for one in connections}
    return Page(visitor.zone, now, day_of(row.facts.starts_at, visitor.zone) == visitor.today(now), visitor, names)


def _row_answer(appointment_id: UUID, status: int = 200, **more: object) -> Response:
    """The row from a fresh query; without htmx, back to its place on its day."""
    visitor, now, row = current(), clock.now(), _row(appointment_id)
    if not wants_fragment():
        return _back_to(row.facts.id, row.facts.starts_at)
    drawn = view(row, _page(visitor, row, now))
    return make_response(render_template("runsheet/_row.html", rows=[drawn], **more), status)


def _told(appointment_id: UUID, status: int, said: str, wanted: Status | None = None) -> Response:
    """The fresh row with what stood in the way, and a button for what the person meant, where it is still possible."""
    row = _row(appointment_id)
    step = wanted if wanted is not None and wanted in row.moves else None
    word = MOVE_WORDS[step] if step else ""
    if wants_fragment() and not _in_panel():
        return _row_answer(appointment_id, status, said=said, wanted=step.value if step else "", wanted_word=word)
    return _detail_page(_detail(appointment_id), status=status, said=said, wanted=step, wanted_word=word)


def _in_panel() -> bool:
    return request.form.get("place") == "panel"


def _status_answer(appointment_id: UUID) -> Response:
    """The row; in the panel, the whole panel."""
    if wants_fragment() and _in_panel():
        return _detail_page(_detail(appointment_id))
    return _row_answer(appointment_id)


def _back_to(appointment_id: UUID, starts_at: datetime) -> Response:
    day = day_of(starts_at, current().zone)
    address = url_for("runsheet.board", day=day, _anchor=f"r-{appointment_id}")
    return make_response(redirect(address, code=303))


def _detail(appointment_id: UUID, form: Form | None = None) -> Detail:
    visitor = current()
    with store().read() as session:
        found = detail_of(session, visitor, appointment_id, clock.now())
        found.notes = notes_of(session, vault(), visitor, appointment_id)
    if form is not None:
        found.note_form = form
    return found


def _detail_page(found: Detail, status: int = 200, **more: object) -> Response:
    return page_or_block("appointments/detail.html", "detail", status=status, it=found, visitor=current(), **more)


def _note_form(found: Detail, form: Form, place: str, status: int = 200) -> Response:
    answer = make_response(render_template("appointments/_note_form.html", it=found, form=form, place=place), status)
    if request.method == "POST":  # the form takes its own place again, whatever it was meant to replace
        answer.headers["HX-Retarget"] = "this"
        answer.headers["HX-Reswap"] = "outerHTML"
    return answer


def _saved_note(appointment_id: UUID) -> Response:
    if not wants_fragment():
        return _back_to(appointment_id, _row(appointment_id).facts.starts_at)
    return _detail_page(_detail(appointment_id), saved=True)
