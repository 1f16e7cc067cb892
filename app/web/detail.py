"""All about one appointment that this visitor may see, and nothing else: the template is handed no more (X16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.names import duration_words
from app.domain.reasons import explain
from app.domain.runsheet import Row, RowFacts, row_of
from app.domain.status import Status
from app.domain.window import Doubt, day_of
from app.errors import NotFound
from app.security.roles import Permission, Role
from app.store import outbox, rows, runsheet
from app.store.models.outbox import OutboxState
from app.store.models.runsheet import RowKind
from app.web.clinical import Notes
from app.web.forms import Form
from app.web.rows import DOUBT_WORDS, Page, RowView, came_words, view
from app.web.session import Visitor
from app.web.story import Line, Teller
from app.web.whose import Differs, differs, whose
from app.web.words import PMS_WORDS, day_words, hhmm, minutes_words, phone_words, pms_name, since


@dataclass(frozen=True, slots=True)
class Item:
    """A fact with its name; `href` where pressing it does something."""

    name: str
    value: str
    href: str = ""


@dataclass(slots=True)
class Detail:
    id: UUID
    row: RowView
    day: date
    when: str
    clinician: str
    items: list[Item]
    members: list[str]
    may_note: bool
    note: str
    note_form: Form
    story: list[Line]
    differs: Differs | None
    version: int = field(default=0)
    notes: Notes | None = None  # of the consultation, where they are this visitor's to read


def detail_of(session: Session, visitor: Visitor, appointment_id: UUID, now: datetime) -> Detail:
    """Raises NotFound, also for another practice's appointment."""
    facts = runsheet.row_of(session, visitor.practice_id, appointment_id)
    if facts is None:
        raise NotFound("There is no such appointment in this practice.")
    row = row_of(facts)
    day = day_of(facts.starts_at, visitor.zone)
    connections = runsheet.connections_of(session, visitor.practice_id)
    names = {one.id: pms_name(one.pms_type) for one in connections}
    pms = names.get(facts.connection_id, "PMS") if facts.connection_id else "PMS"
    columns = {column.id: column.name for column in runsheet.columns_of(session, visitor.practice_id)}
    contacts = sees_contacts(visitor, facts.clinician_id)
    teller = Teller(pms, visitor.zone, now, contacts)
    events = rows.story_of(session, visitor.practice_id, appointment_id)
    drawn = view(row, Page(visitor.zone, now, day == visitor.today(now), visitor, names))
    return Detail(
        id=facts.id,
        row=drawn,
        day=day,
        when=_when(facts, visitor, now),
        clinician=columns.get(facts.clinician_id, "Not yet assigned" if facts.clinician_id is None else ""),
        items=[
            *(_contact(facts, now, visitor) if contacts else ()),
            *_course(row, visitor, now, pms),
            *(Item(name, value) for name, value in whose(row, events, teller)),
            *_told(outbox.of_row(session, visitor.practice_id, appointment_id), visitor, now, pms),
        ],
        members=[str(person.get("name", "")) for person in facts.patients or ()] if contacts else [],
        may_note=drawn.may_note,
        note=facts.note or "",
        note_form=Form({"note": facts.note or ""}),
        story=teller.lines(events, facts.created_at, walk_in=facts.kind == RowKind.WALK_IN),
        differs=differs(row, pms) if drawn.may_change else None,
        version=facts.row_version,
    )


def sees_contacts(visitor: Visitor, clinician_id: UUID | None) -> bool:
    """Contact details: reception and up, a clinician for the own patients only."""
    if visitor.role is Role.CLINICIAN:
        return visitor.may_change(Permission.STATUS_WRITE, clinician_id)
    return visitor.may(Permission.SHEET_READ)


def _when(facts: RowFacts, visitor: Visitor, now: datetime) -> str:
    day = day_words(day_of(facts.starts_at, visitor.zone), visitor.today(now))
    ends = f" to {hhmm(facts.ends_at, visitor.zone)}" if facts.ends_at else ""
    return f"{day}, {hhmm(facts.starts_at, visitor.zone)}{ends} · {minutes_words(facts.minutes)}"


def _contact(facts: RowFacts, now: datetime, visitor: Visitor) -> Sequence[Item]:
    born = facts.birth_date
    items = [
        Item("Phone", phone_words(facts.phone, visitor.region), f"tel:{facts.phone}" if facts.phone else ""),
        Item("E-mail", facts.email or "", f"mailto:{facts.email}" if facts.email else ""),
        Item("Born", f"{born.day} {born:%B %Y}, {_years(born, visitor.today(now))}" if born else ""),
    ]
    return [Item(item.name, item.value or "not known", item.href) for item in items]


def _years(born: date, today: date) -> str:
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return f"{years} years" if years > 1 else f"{max(0, (today - born).days // 30)} months"


def _doubt(doubt: str | None, pms: str) -> str:
    """What to do about a start nobody can be sure of (F44)."""
    if doubt is None:
        return ""
    return f"{pms} names a time without its offset on the day the clocks change: {DOUBT_WORDS[Doubt(doubt)]}. Ask them."


def _told(lines: Sequence[Mapping[str, Any]], visitor: Visitor, now: datetime, pms: str) -> Sequence[Item]:
    """What the PMS was told of this visit last, or why not (R49)."""
    if not lines:
        return ()
    last = lines[0]
    word, state = PMS_WORDS[Status(last["status"])], last["state"]
    if state == OutboxState.TOLD:
        return (Item(f"Told {pms}", f"{word}, {since(last['ended_at'], visitor.zone, now)}"),)
    if state == OutboxState.GIVEN_UP:
        why = explain(last["reason"] or "unavailable", pms).happened
        return (Item(f"Not told {pms}", f"{word}. {why} Tell them yourself."),)
    again = f" {explain(last['reason'], pms).happened} It is tried again." if last["reason"] else ""
    return (Item(f"To tell {pms}", f"{word}, within a few minutes.{again}"),)


def _course(row: Row, visitor: Visitor, now: datetime, pms: str) -> Sequence[Item]:
    facts, zone = row.facts, visitor.zone
    walk_in = facts.kind == RowKind.WALK_IN
    raw = facts.pms_status_raw
    known = PMS_WORDS[facts.pms_status] if facts.pms_status else ""
    items = [
        Item("Start", _doubt(facts.time_doubt, pms)),
        Item("Type", facts.type_name or ("Walk-in" if walk_in else "not known")),
        Item("Arrival", came_words(row, zone)),
        Item(
            "Status since",
            ""
            if row.since is None
            else f"{since(row.since.at, zone, now)}{'' if row.since.exact else ' or earlier (seen)'}, "
            f"{duration_words((now - row.since.at).total_seconds())}",
        ),
        Item(f"Status in {pms}", f"{known} ({raw})" if known and raw and raw.lower() != known.lower() else known or ""),
        Item(f"Practitioner in {pms}", facts.practitioner_name or ""),
        Item("Place", facts.location or ""),
        Item(f"Comment in {pms}", facts.comment or ""),
        Item(f"Number in {pms}", facts.pms_appointment_id or ""),
    ]
    return [item for item in items if item.value]
