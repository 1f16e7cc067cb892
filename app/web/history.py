"""The diary of syncs: every run of the practice, and what each one did (A15-A17)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app import clock
from app.domain.changes import Whole
from app.domain.enrichment import CAUSE_WORDS
from app.domain.names import duration_words
from app.domain.reasons import Explanation, explain
from app.security.roles import Permission
from app.store import catalogue, connections, history, holds, quarantine
from app.store.models import QuarantinedRecord, RemovalHold, SyncPhase, SyncRun
from app.store.models.sync import HoldState, RunState
from app.sync import preview
from app.web import live, runs, sync
from app.web.notices import hidden_words
from app.web.patients_view import discovered_words
from app.web.runs import OUTCOME_WORDS, PHASE_WORDS
from app.web.security import signed_in
from app.web.session import Visitor, current
from app.web.words import day_words, plural, pms_name, since
from app.wiring import store

bp = Blueprint("history", __name__, url_prefix="/sync-history")

_A_PAGE = 40
_LAST_PAGE = 500
#: What the outcome filter offers, and the states behind it.
_OUTCOMES = {state.value: (state,) for state in RunState}


@dataclass(frozen=True, slots=True)
class PhaseView:
    """One phase: received = created + updated + unchanged + skipped + unreadable."""

    name: str
    complete: bool
    reason: str
    fetched: int
    created: int
    updated: int
    unchanged: int
    removed: int
    skipped: int
    skipped_words: str
    left: str  # what became of them: “not shown”
    quarantined: int
    took: str
    failed: Sequence[tuple[str, str]]  # (practitioner, why)
    retired: Sequence[str]  # ids in the PMS of the rows it removed
    unknown: Sequence[str]
    cases: Sequence[tuple[str, str]] = ()  # (appointment's id in the PMS, why its consultation was not read)
    discovered: str = ""  # whom a discovery met, in figures
    changes: Sequence[str] = ()  # what a reading of changes claims, and what it missed


@dataclass(frozen=True, slots=True)
class RunView:
    line: runs.RunLine
    days: str
    full: bool
    told: Explanation | None
    phases: Sequence[PhaseView]
    unreadable: int
    records: Sequence[QuarantinedRecord]
    held: Sequence[str]  # what it left to a person, and how that stands
    may_decide: bool
    before: SyncRun | None
    after: SyncRun | None
    asked: str
    started: str
    ended: str
    attempt: int
    ended_already: bool


@bp.get("")
@signed_in(Permission.HISTORY_READ)
def index() -> ResponseReturnValue:
    """Newest first; `?connection=&outcome=&page=`."""
    visitor, now = current(), clock.now()
    outcome, connection_id, page = request.args.get("outcome", ""), _uuid(request.args.get("connection")), _page()
    with store().read() as session:
        known = connections.of_practice(session, visitor.practice_id, gone=True)
        if connection_id is not None:
            connections.one_of_practice(session, visitor.practice_id, connection_id)
        found = history.listed(
            session,
            visitor.practice_id,
            connection_id=connection_id,
            states=_OUTCOMES.get(outcome, ()),
            limit=_A_PAGE + 1,
            offset=(page - 1) * _A_PAGE,
        )
        lines = runs.lines_of(session, visitor, found[:_A_PAGE], now)
    answer = render_template(
        "history/index.html",
        runs=lines,
        connections=[(str(one.id), one.display_name) for one in known],
        outcomes=[(state.value, OUTCOME_WORDS[state].capitalize()) for state in RunState],
        chosen={"connection": str(connection_id or ""), "outcome": outcome if outcome in _OUTCOMES else ""},
        page=page,
        newer=_address(page - 1) if page > 1 else "",
        older=_address(page + 1) if len(found) > _A_PAGE and page < _LAST_PAGE else "",
    )
    return make_response(answer)


@bp.get("/<uuid:run_id>")
@signed_in(Permission.HISTORY_READ)
def show(run_id: UUID) -> ResponseReturnValue:
    """One run: what it read, what became of it, and why it ended as it did."""
    visitor, now = current(), clock.now()
    with store().read() as session:
        run = history.run_of(session, visitor.practice_id, run_id)
        shown = _view(session, run, visitor)
        watched: dict[str, object] = {"lives": []}
        if run.state in (RunState.QUEUED, RunState.RUNNING):
            watched = sync.watch(
                live.follow(session, visitor.practice_id, [run_id], now), url_for(".show", run_id=run_id)
            )
    return make_response(render_template("history/run.html", it=shown, **watched))


def _view(session: Session, run: SyncRun, visitor: Visitor) -> RunView:
    now = clock.now()
    connection = connections.one_of_practice(session, visitor.practice_id, run.pms_connection_id)
    names = {
        row.pms_practitioner_id: row.pms_practitioner_name for row in catalogue.mappings_of(session, connection.id)
    }
    pms = pms_name(connection.pms_type)
    # Ids and paths of the vendor's records are for whoever may mend them; others see how many.
    mends = visitor.may(Permission.MAPPING_WRITE)
    phases = [_phase(phase, names, pms, named=mends) for phase in history.phases_of(session, run.id)]
    unwell = run.reason and run.state != RunState.SUCCESS
    records = quarantine.of_run(session, run.id) if mends else []
    return RunView(
        line=runs.lines_of(session, visitor, [run], now)[0],
        days=runs.days_words(run),
        full=run.full,
        told=explain(run.reason, pms, typed=preview.is_typed(connection.pms_type)) if unwell else None,
        phases=phases,
        unreadable=sum(phase.quarantined for phase in phases),
        records=records,
        held=[_held(one, visitor, now) for one in holds.of_run(session, run.id)],
        may_decide=visitor.may(Permission.MAPPING_WRITE),
        before=history.run_of(session, visitor.practice_id, run.retry_of) if run.retry_of else None,
        after=history.successor_of(session, run.id),
        asked=since(run.requested_at, visitor.zone, now),
        started=since(run.started_at, visitor.zone, now) if run.started_at else "",
        ended=since(run.completed_at, visitor.zone, now) if run.completed_at else "",
        attempt=run.attempt,
        ended_already=run.state not in (RunState.QUEUED, RunState.RUNNING),
    )


_HOLD_WORDS = {
    HoldState.OPEN: "Waits for somebody to look",
    HoldState.RELEASED: "Removed later, by a person",
    HoldState.KEPT: "Kept, by a person",
    HoldState.CLEARED: "They were brought again",
}


def _held(hold: RemovalHold, visitor: Visitor, now: datetime) -> str:
    day = day_words(hold.day, visitor.today(now))
    return f"{day}: {hold.vanished} of {hold.of_rows} vanished. {_HOLD_WORDS[HoldState(hold.state)]}."


def _phase(phase: SyncPhase, names: dict[str, str], pms: str, *, named: bool) -> PhaseView:
    details = phase.details or {}
    read_notes = phase.phase == "enrichment"
    return PhaseView(
        name=PHASE_WORDS.get(phase.phase, phase.phase),
        complete=phase.complete,
        reason=explain(phase.reason, pms).happened if phase.reason else "",
        fetched=phase.fetched,
        created=phase.created,
        updated=phase.updated,
        unchanged=phase.unchanged,
        removed=phase.removed,
        skipped=sum(phase.skipped.values()),
        skipped_words=_left_words(phase.skipped, pms) if read_notes else hidden_words(Counter(phase.skipped)),
        left="left as they were" if read_notes else "not shown",
        quarantined=phase.quarantined,
        took=f"{phase.duration_ms / 1000:.1f} s"
        if phase.duration_ms < 60_000
        else duration_words(phase.duration_ms / 1000),
        failed=[
            (runs.part_words(one.get("practitioner"), names), explain(one.get("reason"), pms).happened)
            for one in details.get("failed", ())
        ],
        retired=[str(id_) for id_ in details.get("retired", ())],
        unknown=[str(word) for word in details.get("unknownStatuses", ())],
        discovered=discovered_words(details),
        cases=[
            (str(one.get("appointment")), explain(one.get("reason"), pms).happened)
            for one in (details.get("failedCases", ()) if named else ())
        ],
        changes=_changes_words(phase, details, pms),
    )


#: Why a run that was to read what changed read its days whole (domain.changes.Whole).
_WHOLE_WORDS = {
    Whole.ASKED: "everything was to be read anew",
    Whole.NEVER: "not all of them had been read whole before",
    Whole.OLD: "they had last been read whole too long ago",
    Whole.AHEAD: "the last reading lay ahead of the clock",
    Whole.DRIFT: "{pms} had lately changed something without telling of it",
    Whole.REFUSED: "{pms} did not take the question what had changed",
}


def _changes_words(phase: SyncPhase, details: Mapping[str, Any], pms: str) -> list[str]:
    told = []
    if "whole" in details:
        told.append(f"The days were read whole: {_WHOLE_WORDS[Whole(details['whole'])].format(pms=pms)}.")
    elif phase.phase == "changes" and "covered" not in details:
        told.append(f"Only what {pms} says has changed was read. Who is missing shows when the days are read whole.")
    if details.get("drift"):
        told.append(
            f"Of {plural(details['drift'], 'change')} {pms} had not told when it was asked what had changed. "
            "For a day it is not asked that, and days are read whole instead."
        )
    return told


def _left_words(left: Mapping[str, int], pms: str) -> str:
    """`7 read before and unchanged, 1 not read (Gentu did not answer)`."""
    failed = [
        f"{n} not read ({explain(why, pms).happened.rstrip('.')})" for why, n in left.items() if why not in CAUSE_WORDS
    ]
    return ", ".join([words.format(n=left[cause]) for cause, words in CAUSE_WORDS.items() if left.get(cause)] + failed)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _page() -> int:
    page = request.args.get("page", 1, type=int)
    return min(max(1, page), _LAST_PAGE)


def _address(page: int) -> str:
    asked = request.args
    chosen = {name: asked.get(name) or None for name in ("connection", "outcome")}
    return url_for(".index", page=page, connection=chosen["connection"], outcome=chosen["outcome"])
