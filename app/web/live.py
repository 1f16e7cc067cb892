"""A running sync as somebody watches it: where it is, how far, and in the end what it changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.domain.reasons import explain
from app.domain.window import zone_of
from app.store import connections, history, practices
from app.store.models import SyncRun
from app.store.models.sync import RunState
from app.sync import preview
from app.web.runs import ENDED, OUTCOME_MARKS, PHASE_WORDS, changed, took
from app.web.words import plural, pms_name, since

#: A run nobody took up for this long: the page says that the workers may not run.
_LONG_WAIT = timedelta(seconds=20)
QUEUE_AWAY = "Waits: the queue is unreachable. It starts by itself when the queue is back."


@dataclass(frozen=True, slots=True)
class Live:
    """One run now. `total` None: nobody can know. `ended`: nothing more will come of it."""

    run_id: UUID
    name: str
    mark: str
    words: str
    done: int = 0
    total: int | None = None
    ended: bool = False
    running: bool = False


@dataclass(frozen=True, slots=True)
class _Moment:
    """When and where the page is drawn."""

    zone: ZoneInfo
    now: datetime
    reachable: Callable[[], bool]
    brief: bool  # several runs share the place: who can mend what is on their own pages
    typed: bool  # the practice typed its credentials itself

    def told(self, at: datetime | None) -> str:
        return since(at, self.zone, self.now)


def follow(
    session: Session,
    practice_id: UUID,
    run_ids: Sequence[UUID],
    now: datetime,
    *,
    reachable: Callable[[], bool] = lambda: True,
) -> list[Live]:
    """These runs of the practice, or whichever took one up again. Raises NotFound for any other run.

    reachable: whether the queue answers; asked only where a run waits.
    """
    found = [_last_of(session, history.run_of(session, practice_id, run_id)) for run_id in run_ids]
    known = {one.id: one for one in connections.of_practice(session, practice_id, gone=True)}
    zone = zone_of(practices.get(session, practice_id).timezone)
    several = len(found) > 1
    return [
        _live(
            run,
            known[run.pms_connection_id].display_name if several else "",
            pms_name(known[run.pms_connection_id].pms_type),
            _Moment(zone, now, reachable, several, preview.is_typed(known[run.pms_connection_id].pms_type)),
        )
        for run in found
    ]


def token(lives: Sequence[Live]) -> str:
    """What a page has seen of these runs; the same token means that there is nothing new to draw."""
    return ".".join(f"{one.mark}{one.done}-{one.total or 0}{len(one.words)}" for one in lives)


def over(lives: Sequence[Live]) -> bool:
    return all(one.ended for one in lives)


def spoken(lives: Sequence[Live]) -> str:
    return " ".join(f"{one.name}: {one.words}" if one.name else one.words for one in lives)


def _last_of(session: Session, run: SyncRun) -> SyncRun:
    for _ in range(5):
        if run.state != RunState.ABANDONED:
            break
        successor = history.successor_of(session, run.id)
        if successor is None:
            break
        run = successor
    return run


def _live(run: SyncRun, name: str, pms: str, moment: _Moment) -> Live:
    state = RunState(run.state)
    mark = OUTCOME_MARKS[state]
    if state is RunState.QUEUED:
        return Live(run.id, name, mark, _waiting(run, moment))
    if state is RunState.RUNNING:
        progress = run.progress or {}
        done, total = int(progress.get("done") or 0), progress.get("total")
        return Live(run.id, name, mark, _doing(progress.get("phase"), done, total, pms), done, total, running=True)
    return Live(run.id, name, mark, _ended(run, state, pms, moment), ended=state in ENDED)


def _waiting(run: SyncRun, moment: _Moment) -> str:
    if run.not_before is not None and run.not_before > moment.now:
        return f"Waits until {moment.told(run.not_before)}, as the vendor asked."
    if not moment.reachable():
        return QUEUE_AWAY
    asked = moment.told(run.requested_at)
    if moment.now - run.requested_at > _LONG_WAIT:
        return f"Waits since {asked}: no worker has taken it up. It starts by itself as soon as one is free."
    return f"Waits for a worker, asked at {asked}."


def _doing(phase: object, done: int, total: int | None, pms: str) -> str:
    what = PHASE_WORDS.get(str(phase or ""), "")
    if not what:
        return f"Asking {pms}."
    if total and phase != "catalogue":
        return f"{what}: {done} of {plural(total, 'part')}."
    return f"{what}."


def _ended(run: SyncRun, state: RunState, pms: str, moment: _Moment) -> str:
    at = moment.told(run.completed_at)
    told = explain(run.reason, pms, typed=moment.typed)
    what, who = changed(run), "" if moment.brief else f" {told.who}"
    if state is RunState.SUCCESS:
        read = plural(run.appointments_fetched, "appointment")
        return f"{what[0].upper()}{what[1:]}. {read} read by {at}, in {took(run)}."
    if state is RunState.PARTIAL:
        return f"Only part of it was read by {at}: {what}. {told.happened}{who}"
    if state is RunState.CANCELLED:
        return f"Called off at {at}; nothing more is read."
    return f"{told.happened}{who}"
