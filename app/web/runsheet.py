"""The run sheet: the day's page, its polled block, its filters and its search."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, Response, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from app import clock
from app.domain.runsheet import Filters
from app.domain.window import parse_day
from app.errors import InvalidInput
from app.security.roles import Permission
from app.store import preferences
from app.web import filters as filtering
from app.web.day import DayView, read, zone_words
from app.web.errors import BadDay
from app.web.htmx import page_or_block, push_url, wants_fragment
from app.web.security import signed_in
from app.web.session import Visitor, current
from app.web.words import day_words
from app.wiring import store

bp = Blueprint("runsheet", __name__)


@bp.get("/run-sheet")
@signed_in(Permission.SHEET_READ)
def today() -> ResponseReturnValue:
    """Today in the practice's zone; `?day=` is where the day chooser lands."""
    day = current().today(clock.now())
    if "day" in request.args:
        try:
            return redirect(url_for(".board", day=parse_day(request.args["day"], day)), code=303)
        except InvalidInput:
            raise BadDay(request.args["day"]) from None
    return _answer(day, _filters(current()))


@bp.get("/run-sheet/<date:day>")
@signed_in(Permission.SHEET_READ)
def board(day: date) -> ResponseReturnValue:
    """The day. htmx asks the same address and gets the block alone; 204 when it has seen this stamp."""
    if wants_fragment() and request.args.get("seen") == str(current().stamp):
        return Response(status=204)
    return _answer(day, _filters(current()))


@bp.post("/run-sheet/<date:day>/filters")
@signed_in(Permission.SHEET_READ)
def choose(day: date) -> ResponseReturnValue:
    """Filter the day, and remember it for this person. Nothing chosen means nothing remembered."""
    visitor, chosen = current(), filtering.of_text(request.form.get("filters", ""))
    kept = filtering.to_preference(chosen)
    with store().write() as session:
        if kept:
            preferences.put(session, visitor.user_id, visitor.practice_id, filtering.PREFERENCE, kept)
        else:
            preferences.forget(session, visitor.user_id, visitor.practice_id, filtering.PREFERENCE)
            chosen = filtering.of_preference(None, visitor)
    address = _address(day, chosen)
    if not wants_fragment():
        return redirect(address, code=303)
    return push_url(_answer(day, filtering.with_search(chosen)), address)


@bp.post("/run-sheet/<date:day>/find")
@signed_in(Permission.SHEET_READ)
def find(day: date) -> ResponseReturnValue:
    """The search without a script: in the form's body, so that no name stands in an address."""
    found = filtering.of_text(request.form.get("filters", ""))
    return _answer(day, filtering.searching(found, request.form.get("q", "")))


def _filters(visitor: Visitor) -> Filters:
    """What the address asks for, else what this person set up for themselves."""
    wanted = filtering.asked()
    if wanted is not None:
        return wanted
    with store().read() as session:
        kept = preferences.get(session, visitor.user_id, visitor.practice_id, filtering.PREFERENCE)
    return filtering.of_preference(kept, visitor)


def _address(day: date, filters: Filters) -> str:
    query = filtering.to_query(filters)
    return url_for(".board", day=day) + (f"?{query}" if query else "")


def _answer(day: date, filters: Filters) -> Response:
    visitor = current()
    return day_response(visitor, read(store(), visitor, day, filters))


def day_response(visitor: Visitor, sheet: DayView, *, status: int = 200) -> Response:
    """The page around the block, or the block."""
    time, label = zone_words(visitor, sheet.now)
    now_day = visitor.today(sheet.now)
    return make_response(
        page_or_block(
            "runsheet/day.html",
            "board",
            status=status,
            sheet=sheet,
            visitor=visitor,
            title=day_words(sheet.day, now_day),
            today=now_day,
            before=sheet.day - timedelta(days=1),
            after=sheet.day + timedelta(days=1),
            clock_time=time,
            zone_label=label,
        )
    )
