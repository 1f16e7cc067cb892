"""Whose word a value is, and what can be decided where the PMS and staff differ (M06)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.runsheet import Row
from app.domain.status import Status
from app.store.models.runsheet import RowKind
from app.web.story import Teller
from app.web.words import PMS_WORDS, STATUS_WORDS, since


@dataclass(frozen=True, slots=True)
class Differs:
    """The two words, and what the buttons say."""

    told: str
    keep: str
    take: str


def differs(row: Row, pms: str) -> Differs | None:
    """None where there is nothing to decide."""
    facts = row.facts
    if row.shown.other is None or facts.staff_status is None or facts.pms_status is None:
        return None
    ours, theirs = STATUS_WORDS[facts.staff_status], PMS_WORDS[facts.pms_status]
    if facts.pms_status is Status.UNKNOWN and facts.pms_status_raw:
        theirs = f"“{facts.pms_status_raw}”"
    return Differs(f"{pms} says {theirs}, here it was set to {ours}.", f"Keep {ours}", f"Take {theirs} from {pms}")


def whose(row: Row, events: Sequence[Mapping[str, Any]], teller: Teller) -> Iterator[tuple[str, str]]:
    """(name, value): who says the status, the note and the time as they stand. events: the row's, newest first."""
    facts = row.facts

    def told(by: str, at: datetime | None) -> str:
        return f"{by}, {since(at, teller.zone, teller.now)}" if at else by

    def person(column: str) -> str:
        event = _last(events, column)
        return told((event["by"] or "somebody who left") if event else "here", event["at"] if event else None)

    if row.shown.source == "pms":
        yield "Status is from", told(teller.pms, row.since.at if row.since else None)
    else:
        yield "Status is from", person("staff_status_at")
    if facts.note:
        yield "Note is from", person("staff_note_at")
    if facts.kind == RowKind.WALK_IN:
        yield "Time is from", person("starts_at")
    else:
        moved = _last(events, "starts_at")
        yield "Time is from", told(teller.pms, moved["at"]) if moved else teller.pms


def _last(events: Iterable[Mapping[str, Any]], column: str) -> Mapping[str, Any] | None:
    """The event that brought the value that stands: the last to change it, else the one that added the walk-in."""
    return next((event for event in events if column in event["changes"] or event["kind"] == "walk_in"), None)
