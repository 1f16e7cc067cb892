"""Sync now: the button everybody has. It answers at once, and the page watches the run from then on (A09)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from redis import RedisError
from werkzeug.exceptions import NotFound as NoSuchPage

from app import clock
from app.domain.window import parse_day
from app.errors import InvalidInput
from app.jobs import dispatch
from app.jobs.dispatch import Pressed
from app.security.roles import Permission
from app.store import connections, history
from app.store.models import PmsConnection, SyncRun
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState, Trigger
from app.web import live
from app.web.htmx import raise_events, wants_fragment
from app.web.live import Live
from app.web.security import local_path, signed_in
from app.web.session import Visitor, current
from app.wiring import engine, queue, settings, store

bp = Blueprint("sync", __name__)

#: What the ordinary sync reads: today and tomorrow.
TOMORROW = timedelta(days=1)
_MOST_RUNS = 20
_NOTHING_TO_SYNC = "No practice system is connected, so there is nothing to sync."


@bp.post("/sync-now")
@signed_in(Permission.SYNC_NOW)
def now() -> ResponseReturnValue:
    """Press. Of one connection where the form names one, else of all that sync; of a day, else today and tomorrow."""
    visitor, at = current(), clock.now()
    try:
        pressed = press(visitor, _wanted(visitor), _days(visitor, at))
    except InvalidInput as error:
        return _answer([], said=str(error), status=422)
    with store().read() as session:
        ids = [one.run_id for one in pressed]
        lives = live.follow(session, visitor.practice_id, ids, at)
        said = _said(pressed, [history.run_of(session, visitor.practice_id, id_) for id_ in ids], visitor, at)
    if not wants_fragment():
        return redirect(_address(lives, _back()), code=303)
    return raise_events(_answer(lives, said=said, start=True), "sync-asked")


@bp.get("/sync-now")
@signed_in(Permission.SYNC_NOW)
def progress() -> ResponseReturnValue:
    """How far these runs have come. htmx asks each second; 204 when nothing moved, 286 when nothing more will."""
    visitor, at = current(), clock.now()
    with store().read() as session:
        lives = live.follow(session, visitor.practice_id, _runs(), at, reachable=reachable)
    if not wants_fragment():
        page = render_template("history/progress.html", lives=lives, back=_back(), **_poll(lives, _back()))
        return make_response(page)
    if live.over(lives):
        return raise_events(_answer(lives, spoken=live.spoken(lives), status=286), "appointment-changed")
    if request.args.get("seen") == live.token(lives):
        return Response(status=204)
    return _answer(lives)


def press(
    visitor: Visitor,
    wanted: Iterable[PmsConnection],
    days: tuple[date, date],
    trigger: Trigger = Trigger.MANUAL,
    *,
    begins_anew: bool = False,
) -> list[Pressed]:
    """Ask for a sync of these connections. Raises InvalidInput. A Redis that is away loses nothing."""
    wishes = [dispatch.wish(one.id, days, visitor.user_id, trigger, begins_anew=begins_anew) for one in wanted]
    return dispatch.press(engine(), queue().hasty, wishes, timeout_s=_timeout_s())


def press_discovery(visitor: Visitor, wanted: Iterable[PmsConnection]) -> list[Pressed]:
    """Have these connections' clients looked for, over discovery's own days. Raises InvalidInput."""
    wishes = [dispatch.discovery_wish(one.id, visitor.user_id) for one in wanted]
    return dispatch.press(engine(), queue().hasty, wishes, timeout_s=_timeout_s())


def _timeout_s() -> int:
    return max(1, settings().sync_timeout_ms // 1000)


def reachable() -> bool:
    """Whether the queue answers now."""
    way = queue().hasty
    try:
        return way is not None and bool(way.ping())
    except RedisError:
        return False


def usual_days(visitor: Visitor, at: datetime) -> tuple[date, date]:
    today = visitor.today(at)
    return today, today + TOMORROW


def watch(lives: Sequence[Live], back: str) -> dict[str, Any]:
    """What templates/history/_live.html needs to show these runs."""
    return {"lives": lives, **(_poll(lives, back) if lives else {"poll": "", "again": ""})}


# --- what is asked for ------------------------------------------------------------------------------------------------


def _wanted(visitor: Visitor) -> list[PmsConnection]:
    named = request.form.get("connection", "")
    with store().read() as session:
        if named:
            return [connections.one_of_practice(session, visitor.practice_id, _uuid(named))]
        known = connections.of_practice(session, visitor.practice_id)
    found = [one for one in known if one.state in (ConnectionState.ACTIVE, ConnectionState.NEEDS_ATTENTION)]
    if not found:
        paused = any(one.state == ConnectionState.PAUSED for one in known)
        raise InvalidInput("The connection is paused; an admin can resume it." if paused else _NOTHING_TO_SYNC)
    return found


def _days(visitor: Visitor, at: datetime) -> tuple[date, date]:
    """The day the page shows; with today comes tomorrow, as at every interval, so that a running sync is joined."""
    usual = usual_days(visitor, at)
    day = parse_day(request.form.get("day") or "today", usual[0])
    return usual if day in usual else (day, day)


def _runs() -> list[UUID]:
    named = [_uuid(text) for text in request.args.getlist("run")[:_MOST_RUNS]]
    if not named:
        raise NoSuchPage
    return named


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NoSuchPage from None


def _back() -> str:
    """Where the person came from: the day of the sheet, or the page that says so itself."""
    back = local_path(request.values.get("back"))
    day = request.form.get("day")
    if not back and day:
        try:
            back = url_for("runsheet.board", day=parse_day(day, current().today(clock.now())))
        except InvalidInput:
            back = ""
    return back or url_for("runsheet.today")


# --- what is answered -------------------------------------------------------------------------------------------------


def _said(pressed: Sequence[Pressed], runs: Sequence[SyncRun], visitor: Visitor, at: datetime) -> str:
    told = dict.fromkeys(_told(one, run, visitor, at) for one, run in zip(pressed, runs, strict=True))
    return " ".join(told)


def _told(one: Pressed, run: SyncRun, visitor: Visitor, at: datetime) -> str:
    """One sentence, at once, about what the press came to."""

    def exactly(moment: datetime | None) -> str:
        return (moment or at).astimezone(visitor.zone).strftime("%H:%M:%S")

    if one.state not in (RunState.QUEUED, RunState.RUNNING):
        ago = max(0, int((at - (run.completed_at or at)).total_seconds()))
        return f"Just done, {ago} s ago."
    if one.state is RunState.RUNNING:
        return f"Joined the sync that runs since {exactly(run.started_at)}."
    if not one.nudged:
        return live.QUEUE_AWAY
    if one.joined:
        return f"Joined the sync that waits since {exactly(run.requested_at)}."
    return f"Started {exactly(at)}."


def _address(lives: Sequence[Live], back: str, **more: str) -> str:
    return url_for("sync.progress", run=[str(one.run_id) for one in lives], back=back, **more)  # type: ignore[arg-type]


def _poll(lives: Sequence[Live], back: str) -> dict[str, object]:
    over = live.over(lives)
    return {"poll": "" if over else _address(lives, back, seen=live.token(lives)), "again": _address(lives, back)}


def _answer(lives: Sequence[Live], *, status: int = 200, **more: object) -> Response:
    if not wants_fragment():
        page = render_template("history/progress.html", lives=lives, back=_back(), poll="", again="", **more)
        return make_response(page, status)
    context = _poll(lives, _back()) if lives else {"poll": "", "again": ""}
    return make_response(render_template("history/_live.html", lives=lives, **context, **more), status)
