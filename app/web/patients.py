"""Patients: found by name, told by organisation, and what a discovery could not decide by itself (E10).

A name somebody looks for travels in a form's body, never in an address (X28).
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from jinja2_fragments.flask import render_block
from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidInput
from app.security.roles import Permission
from app.store import connections, discovered, organizations, patients, practices, reviews
from app.store.holds import Act
from app.store.models.connection import ConnectionState
from app.store.patients import Wanted
from app.sync import preview
from app.web import sync
from app.web.forms import Form
from app.web.htmx import wants_fragment
from app.web.links import link
from app.web.patients_view import coverage_words, detail, line, question
from app.web.security import signed_in
from app.web.session import Visitor, current
from app.web.words import plural
from app.wiring import store

bp = Blueprint("patients", __name__, url_prefix="/patients")

_A_PAGE = 50
_LAST_PAGE = 400
_LONGEST_SEARCH = 100
_AFFILIATED = {"affiliated": True, "unaffiliated": False}


@bp.get("")
@signed_in(Permission.PATIENTS_READ)
def index() -> ResponseReturnValue:
    """Everybody, or `?who=affiliated` or `?who=unaffiliated`."""
    return _list(request.args.get("who", ""), "", 1)


@bp.post("/search")
@signed_in(Permission.PATIENTS_READ)
def search() -> ResponseReturnValue:
    """The same, of whom somebody looks for. Reads alone; htmx gets the list."""
    form = Form(request.form)
    number = form.raw("page")
    page = min(int(number), _LAST_PAGE) if number.isascii() and number.isdigit() and number.strip("0") else 1
    return _list(form.raw("who"), form.raw("q")[:_LONGEST_SEARCH], page)


def _list(who: str, text: str, page: int) -> Response:
    visitor, now = current(), clock.now()
    wanted = Wanted(affiliated=_AFFILIATED.get(who), text=text)
    with store().read() as session:
        found = patients.listed(session, visitor.practice_id, wanted, limit=_A_PAGE + 1, offset=(page - 1) * _A_PAGE)
        count = patients.count(session, visitor.practice_id, wanted)
        context = {
            "lines": [line(one, visitor, now) for one in found[:_A_PAGE]],
            "count": plural(count, "patient"),
            "chosen": {"who": who if who in _AFFILIATED else "", "q": text},
            "page": page,
            "more": len(found) > _A_PAGE and page < _LAST_PAGE,
            "somebody_tells": bool(found) or bool(_covered(session, visitor)),
        }
        if wants_fragment():
            return make_response(render_block("patients/index.html", "list", **context))
        context["coverage"] = coverage_words(_covered(session, visitor))
        context["open_questions"] = reviews.open_count(session, visitor.practice_id)
        context["questions_at"] = link("patients.questions", visitor)
        context["may_assign"] = visitor.may(Permission.PATIENTS_WRITE)
        context["can_discover"] = bool(context["coverage"]) and context["may_assign"]
    return make_response(render_template("patients/index.html", **context))


def _covered(session: Session, visitor: Visitor) -> list[discovered.Coverage]:
    """Only connections whose system tells of its clients: of the others nothing is ever covered."""
    found = discovered.coverage(session, visitor.practice_id)
    return [one for one in found if preview.system(one.pms_type).capabilities.discovery]


@bp.get("/unaffiliated")
@signed_in(Permission.PATIENTS_READ)
def unaffiliated() -> ResponseReturnValue:
    """Who belongs to nobody; an admin assigns several in one go."""
    visitor, now = current(), clock.now()
    wanted = Wanted(affiliated=False)
    with store().read() as session:
        found = patients.listed(session, visitor.practice_id, wanted, limit=_A_PAGE)
        count = patients.count(session, visitor.practice_id, wanted)
        known = organizations.listed(session, visitor.practice_id)
    page = render_template(
        "patients/unaffiliated.html",
        lines=[line(one, visitor, now) for one in found],
        count=count,
        organizations=[(one.id, one.name) for one, _ in known],
        may_assign=visitor.may(Permission.PATIENTS_WRITE),
        form=Form(),
    )
    return make_response(page)


@bp.get("/<uuid:patient_id>")
@signed_in(Permission.PATIENTS_READ)
def show(patient_id: UUID) -> ResponseReturnValue:
    """One patient: how to reach them, where they belong, as whom the systems know them."""
    visitor, now = current(), clock.now()
    with store().read() as session:
        facts = patients.one_of_practice(session, visitor.practice_id, patient_id)
        names = {one.id: one.display_name for one in connections.of_practice(session, visitor.practice_id, gone=True)}
        people = practices.names_of(session, {one.added_by for one in facts.belongs if one.added_by})
        known = organizations.listed(session, visitor.practice_id)
    standing = {one.organization_id for one in facts.belongs}
    page = render_template(
        "patients/show.html",
        it=detail(facts, visitor, now, names, people),
        organizations=[(one.id, one.name) for one, _ in known if one.id not in standing],
        may_assign=visitor.may(Permission.PATIENTS_WRITE),
        form=Form(),
    )
    return make_response(page)


# --- arranged ---------------------------------------------------------------------------------------------------------


@bp.post("/assign")
@signed_in(Permission.PATIENTS_WRITE)
def assign() -> ResponseReturnValue:
    """These patients belong to that organisation, or to a new one of the name that was typed."""
    visitor, form = current(), Form(request.form)
    new = form.text("new")

    def work(session: Session, ids: list[UUID]) -> tuple[int, str]:
        act = Act(visitor.user_id, clock.now())
        if new:
            made = organizations.create(session, visitor.practice_id, new, act)
        else:
            wanted = form.ident("organization", "Choose an organisation, or type the name of a new one.")
            form.check()
            assert wanted is not None
            made = organizations.one_of_practice(session, visitor.practice_id, wanted)
        return organizations.assign(session, visitor.practice_id, ids, made.id, act), made.name

    def told() -> str:
        form.check()
        ids = _ticked()
        if not ids:
            raise InvalidInput("Tick at least one patient.")
        count, name = store().transact(lambda session: work(session, ids))
        return f"{plural(count, 'patient')} now of {name}."

    return _done(told)


@bp.post("/remove")
@signed_in(Permission.PATIENTS_WRITE)
def remove() -> ResponseReturnValue:
    """These patients do not belong to that organisation any more. That they did stays on record."""
    visitor, form = current(), Form(request.form)

    def told() -> str:
        wanted = form.ident("organization", "Choose an organisation.")
        form.check()
        assert wanted is not None
        act = Act(visitor.user_id, clock.now())
        count = store().transact(
            lambda session: organizations.remove(session, visitor.practice_id, _ticked(), wanted, act)
        )
        return f"{plural(count, 'patient')} taken out."

    return _done(told)


@bp.post("/discover")
@signed_in(Permission.PATIENTS_WRITE)
def discover() -> ResponseReturnValue:
    """Look for patients now, at every connection whose system tells of its clients."""
    visitor = current()
    with store().read() as session:
        known = connections.of_practice(session, visitor.practice_id)
    able = [
        one
        for one in known
        if one.state in (ConnectionState.ACTIVE, ConnectionState.NEEDS_ATTENTION)
        and preview.system(one.pms_type).capabilities.discovery
    ]
    try:
        if not able:
            raise InvalidInput("No connected system tells who its clients are.")
        pressed = sync.press_discovery(visitor, able)
    except InvalidInput as error:
        flash(str(error))
        return redirect(url_for(".index"), code=303)
    return redirect(url_for("history.show", run_id=pressed[0].run_id), code=303)


def _ticked() -> list[UUID]:
    """The patients of a form. What is no id is nobody's, and refused as such."""
    try:
        return [UUID(one) for one in request.form.getlist("patient")]
    except ValueError:
        raise InvalidInput("There is no such patient in this practice.") from None


def _done(told: Callable[[], str]) -> ResponseReturnValue:
    """Back to where the form was, with what came of it."""
    try:
        said = told()
    except InvalidInput as error:
        said = str(error)
    flash(said)
    patient_id = Form(request.form).raw("back")
    try:
        return redirect(url_for(".show", patient_id=UUID(patient_id)), code=303)
    except ValueError:
        return redirect(url_for(".unaffiliated"), code=303)


# --- doubtful ---------------------------------------------------------------------------------------------------------


@bp.get("/reviews")
@signed_in(Permission.PATIENTS_WRITE)
def questions() -> ResponseReturnValue:
    """Clients who share an address with a patient: the same person, or another?"""
    visitor, now = current(), clock.now()
    with store().read() as session:
        found = reviews.listed(session, visitor.practice_id, limit=_A_PAGE)
        count = reviews.open_count(session, visitor.practice_id)
        decided = reviews.listed(session, visitor.practice_id, decided=True, limit=10)
        names = {one.id: one.display_name for one in connections.of_practice(session, visitor.practice_id, gone=True)}
        people = practices.names_of(session, {one.review.decided_by for one in decided if one.review.decided_by})
    page = render_template(
        "patients/reviews.html",
        open=[question(one, visitor, now, names, people) for one in found],
        count=count,
        decided=[question(one, visitor, now, names, people) for one in decided],
    )
    return make_response(page)


@bp.post("/reviews/<uuid:review_id>/same")
@signed_in(Permission.PATIENTS_WRITE)
def same(review_id: UUID) -> ResponseReturnValue:
    """The client is that patient."""
    try:
        patient_id = UUID(Form(request.form).raw("patient"))
    except ValueError:
        patient_id = UUID(int=0)  # nobody's

    def work(session: Session, practice_id: UUID, act: Act) -> str:
        reviews.same(session, practice_id, review_id, patient_id, act)
        return "One person. Nothing of their record was overwritten."

    return _settled(work)


@bp.post("/reviews/<uuid:review_id>/another")
@signed_in(Permission.PATIENTS_WRITE)
def another(review_id: UUID) -> ResponseReturnValue:
    """The client is somebody else."""

    def work(session: Session, practice_id: UUID, act: Act) -> str:
        reviews.another(session, practice_id, review_id, act)
        return "Two persons. The second is a patient of their own now, unaffiliated."

    return _settled(work)


def _settled(work: Callable[[Session, UUID, Act], str]) -> ResponseReturnValue:
    visitor = current()
    act = Act(visitor.user_id, clock.now())
    try:
        said = store().transact(lambda session: work(session, visitor.practice_id, act))
    except InvalidInput as error:
        said = str(error)
    flash(said)
    return redirect(url_for(".questions"), code=303)
