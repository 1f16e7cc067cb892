"""The dry run as a page shows it: today's sheet as it would be, and where everything else went (A03)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.rules import CAUSE_WORDS, Cause
from app.domain.runsheet import Group, Row
from app.domain.status import Status
from app.store.models import PmsConnection
from app.sync import preview
from app.sync.preview import DryRun, Refused
from app.web.rows import name_of, word_of
from app.web.session import Visitor
from app.web.words import hhmm, minutes_words, plural, pms_name
from app.wiring import engine


@dataclass(frozen=True, slots=True)
class PreviewRow:
    time: str
    name: str
    shape: str
    word: str
    what: str


@dataclass(frozen=True, slots=True)
class PreviewGroup:
    name: str
    unassigned: bool
    total: str
    rows: Sequence[PreviewRow]


@dataclass(frozen=True, slots=True)
class PreviewView:
    """`refused` in words where the PMS did not answer; half a preview would lie, so there is none."""

    at: str
    refused: str = ""
    groups: Sequence[PreviewGroup] = ()
    account: str = ""
    hidden: Sequence[str] = field(default=())
    unknown: Sequence[str] = ()
    empty: str = ""


def preview_of(connection: PmsConnection, visitor: Visitor, now: datetime) -> PreviewView:
    """Ask the PMS for today and arrange it. Stores nothing."""
    at = hhmm(now, visitor.zone)
    try:
        with preview.in_words(connection.pms_type):
            found = preview.dry_run(engine(), visitor.practice_id, connection.id)
    except Refused as refused:
        who = "Try again in a moment." if refused.told.heals_itself else refused.told.who
        return PreviewView(at, refused=" ".join(part for part in (refused.told.happened, refused.detail, who) if part))
    words = [CAUSE_WORDS[cause].format(n=found.hidden[cause.value]) for cause in Cause if found.hidden[cause.value]]
    unknown = {row.facts.pms_status_raw or "no word" for row in found.sheet.rows if row.status is Status.UNKNOWN}
    return PreviewView(
        at,
        groups=[_group(group, visitor) for group in found.sheet.groups],
        account=_account(found, pms_name(connection.pms_type)),
        hidden=words,
        unknown=sorted(unknown),
        empty=_empty(found, pms_name(connection.pms_type)),
    )


def _account(found: DryRun, pms: str) -> str:
    """received = shown + hidden + unreadable, said so that anybody can check it."""
    shown, hidden = found.sheet.total, sum(found.hidden.values())
    parts = [f"{shown} on the sheet", f"{hidden} not shown"]
    if found.unreadable:
        parts.append(f"{found.unreadable} unreadable")
    return f"{pms} sent {plural(found.received, 'record')} for today: {', '.join(parts)}."


def _empty(found: DryRun, pms: str) -> str:
    if found.sheet.total:
        return ""
    if not found.received:
        return f"{pms} has no appointment today, so today's sheet would be empty."
    return "Today's sheet would be empty: everything is left out by the choices made so far."


def _group(group: Group, visitor: Visitor) -> PreviewGroup:
    rows = [_row(row, visitor) for row in group.rows]
    return PreviewGroup(group.column.name, group.column.id is None, plural(len(rows), "appointment"), rows)


def _row(row: Row, visitor: Visitor) -> PreviewRow:
    facts = row.facts
    what = f"{facts.type_name or 'Visit'} · {minutes_words(facts.minutes)}"
    return PreviewRow(hhmm(facts.starts_at, visitor.zone), name_of(row), row.status.value, word_of(row), what)
