"""A sync in words: how it ended, what it changed, who started it, how long it took. Used wherever a run is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.domain.names import duration_words
from app.domain.reasons import explain
from app.store import catalogue, connections, history, practices
from app.store.models import SyncPhase, SyncRun
from app.store.models.sync import RunState, Trigger
from app.web.notices import hidden_words
from app.web.session import Visitor
from app.web.words import pms_name, since

OUTCOME_WORDS = {
    RunState.QUEUED: "waiting",
    RunState.RUNNING: "running",
    RunState.SUCCESS: "complete",
    RunState.PARTIAL: "partial",
    RunState.DEFERRED: "put off",
    RunState.FAILED: "failed",
    RunState.ABANDONED: "lost",
    RunState.CANCELLED: "called off",
}
#: The mark that stands before the word; templates/_shapes.html draws it.
OUTCOME_MARKS = {
    RunState.QUEUED: "wait",
    RunState.RUNNING: "run",
    RunState.SUCCESS: "good",
    RunState.PARTIAL: "part",
    RunState.DEFERRED: "wait",
    RunState.FAILED: "bad",
    RunState.ABANDONED: "bad",
    RunState.CANCELLED: "off",
}
PHASE_WORDS = {
    "catalogue": "Practitioners and types",
    "inbound": "Appointments",
    "changes": "Changed appointments",
    "enrichment": "Consultations",
    "reconciliation": "Removals",
    "discovery": "Patients",
}
ENDED = frozenset(RunState) - {RunState.QUEUED, RunState.RUNNING}


@dataclass(frozen=True, slots=True)
class Page:
    """What all lines of an answer share."""

    zone: ZoneInfo
    now: datetime


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run as a line of a list."""

    id: UUID
    connection_id: UUID
    connection: str
    state: str
    word: str
    mark: str
    when: str
    at: datetime
    who: str
    changed: str
    read: str
    why: str
    took: str
    counts: str = ""  # where everything went that was read
    failed: str = ""  # the practitioners that could not be read


def lines_of(session: Session, visitor: Visitor, listed: Sequence[SyncRun], now: datetime) -> list[RunLine]:
    """Runs as lines, with the names of who started them."""
    names = practices.names_of(session, {one.requested_by for one in listed if one.requested_by})
    known = connections.of_practice(session, visitor.practice_id, gone=True)
    called = {one.id: (one.display_name, pms_name(one.pms_type)) for one in known}
    return [line(one, names, called, Page(visitor.zone, now)) for one in listed]


def line(run: SyncRun, names: Mapping[UUID, str], called: Mapping[UUID, tuple[str, str]], page: Page) -> RunLine:
    """names: users. called: connection -> (what it is called, what people call its PMS)."""
    state = RunState(run.state)
    name, pms = called.get(run.pms_connection_id, ("A connection", "The PMS"))
    at = run.started_at or run.requested_at
    unwell = state not in (RunState.SUCCESS, RunState.QUEUED, RunState.RUNNING, RunState.CANCELLED)
    return RunLine(
        id=run.id,
        connection_id=run.pms_connection_id,
        connection=name,
        state=state.value,
        word=OUTCOME_WORDS[state],
        mark=OUTCOME_MARKS[state],
        when=since(at, page.zone, page.now),
        at=at,
        who=who(run, names),
        changed=changed(run) if state in ENDED else "",
        read=f"{run.appointments_fetched} read" if state in ENDED else "",
        why=explain(run.reason, pms).happened if unwell and run.reason else "",
        took=took(run),
    )


def changed(run: SyncRun) -> str:
    """`3 new, 1 changed, 2 unreadable`; what a run did, in the words of the sheet."""
    counts = (
        (run.appointments_created, "new"),
        (run.appointments_updated, "changed"),
        (run.appointments_removed, "removed"),
        (run.appointments_quarantined, "unreadable"),
    )
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    if told:
        return told
    return "nothing changed" if run.appointments_fetched or run.state == RunState.SUCCESS else "nothing read"


def detailed(session: Session, lines: Sequence[RunLine]) -> list[RunLine]:
    """The same lines with all their counts, by cause, and the names of whom a partial run could not read."""
    phases = history.phases_of_all(session, [line.id for line in lines])
    people: dict[UUID, dict[str, str]] = {}
    told = []
    for line in lines:
        inbound = next((phase for phase in phases[line.id] if phase.phase in ("inbound", "changes")), None)
        if inbound is None:
            told.append(line)
            continue
        if line.connection_id not in people:
            rows = catalogue.mappings_of(session, line.connection_id)
            people[line.connection_id] = {row.pms_practitioner_id: row.pms_practitioner_name for row in rows}
        failed = [one.get("practitioner") for one in inbound.details.get("failed", ())]
        names = [part_words(one, people[line.connection_id]) for one in failed]
        told.append(replace(line, counts=_counts(inbound), failed=", ".join(names)))
    return told


def part_words(practitioner_id: object, people: Mapping[str, str]) -> str:
    """Whose part of a sweep it is. Where a vendor has one chain of pages for everybody, nobody in particular is."""
    return people.get(str(practitioner_id), "a practitioner") if practitioner_id else "the whole practice"


def _counts(phase: SyncPhase) -> str:
    """`271 read: 1 new, 64 as they were, 205 not shown (187 not telehealth, 18 without a patient), 1 unreadable`."""
    hidden = sum(phase.skipped.values())
    parts = [
        f"{count} {word}"
        for count, word in (
            (phase.created, "new"),
            (phase.updated, "changed"),
            (phase.unchanged, "as they were"),
            (hidden, f"not shown ({hidden_words(Counter(phase.skipped))})"),
            (phase.quarantined, "unreadable"),
        )
        if count
    ]
    return f"{phase.fetched} read" + (f": {', '.join(parts)}" if parts else "")


def who(run: SyncRun, names: Mapping[UUID, str]) -> str:
    """Who or what started it (A17)."""
    name = names.get(run.requested_by, "") if run.requested_by else ""
    told = {
        Trigger.MANUAL: f"{name or 'Somebody'} pressed Sync now",
        Trigger.CHOICE: f"{name or 'Somebody'} changed what is shown",
        Trigger.SCHEDULE: "on schedule",
        Trigger.COMMAND: "from the command line",
        Trigger.PAIRING: f"{name or 'Somebody'} paired it",
        Trigger.RETRY: f"taken up again, attempt {run.attempt}",
    }
    return told[Trigger(run.trigger)]


def took(run: SyncRun) -> str:
    """`2.1 s`; empty for a run that has not ended, or never began."""
    if run.started_at is None or run.completed_at is None:
        return ""
    return span_words(run.completed_at - run.started_at)


def span_words(span: timedelta) -> str:
    """As `duration_words`, with tenths where seconds are few."""
    seconds = max(0.0, span.total_seconds())
    return f"{seconds:.1f} s" if seconds < 10 else duration_words(seconds)


def days_words(run: SyncRun) -> str:
    """`9 March`, `9 to 10 March`, `28 February to 3 March`."""
    first, last = run.window_from, run.window_to
    if first == last:
        return f"{first.day} {first:%B}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {last.day} {last:%B}"
    return f"{first.day} {first:%B} to {last.day} {last:%B}"


def minutes_long(minutes: int) -> str:
    """`15 minutes`, `2 hours`: for a sentence."""
    if minutes >= 60 and minutes % 60 == 0:
        return "hour" if minutes == 60 else f"{minutes // 60} hours"
    return "minute" if minutes == 1 else f"{minutes} minutes"
