"""A row as the page draws it: everything decided here, so that the template only writes it down.

What depends on the minute (time in status, lateness) is drawn for `now` and goes on in the page from the epochs given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from app.domain.names import duration_words
from app.domain.runsheet import Row, Since
from app.domain.status import MOVES, TERMINAL, Status, next_step
from app.security.roles import Permission
from app.store.models.runsheet import RowKind
from app.store.rows import UNDO_FOR
from app.web.session import Visitor
from app.web.words import PMS_WORDS, STATUS_WORDS, STEP_WORDS, hhmm, minutes_words, move_word

#: A start that passed by this much without the patient is called late (R11).
LATE_AFTER = timedelta(minutes=5)
_TIMED = frozenset({Status.ARRIVED, Status.IN_PROGRESS})
_DUE = frozenset({Status.BOOKED, Status.CONFIRMED, Status.UNKNOWN})
_CLASSES = {Status.ARRIVED: "is-wait", Status.IN_PROGRESS: "is-call", Status.COMPLETED: "is-done"}


def _moves(status: Status) -> Markup:
    """The menu's buttons: every move but the one that has its own button."""
    step = next_step(status)
    return Markup("").join(
        Markup('<button name="status" value="{}">{}</button>').format(to.value, move_word(status, to))
        for to in MOVES[status]
        if to is not step
    )


_MENUS = {status: _moves(status) for status in Status}
_NOTHING = Markup("")


@dataclass(frozen=True, slots=True)
class Page:
    """What all rows of an answer share."""

    zone: ZoneInfo
    now: datetime
    is_today: bool
    visitor: Visitor
    pms_names: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(slots=True)
class RowView:
    """Named as the template uses it; texts are ready, `*_at` are epochs."""

    id: UUID
    version: int
    css: str
    start_at: int
    start_iso: str
    time: str
    name: str
    shape: str
    word: str
    since_at: int | str  # with a running time behind the word
    for_words: str
    least: bool
    then: str  # a time of day behind the word, for what is over
    due_at: int | str
    late: str
    came: str
    what: str
    note: str
    chips: Markup
    step: str
    step_word: str
    go: bool
    moves: Markup
    may_change: bool
    may_note: bool
    over: bool
    line: str = ""  # the time of day, on the row the clock stands before


def view(row: Row, page: Page, *, stale: bool = False) -> RowView:
    """The row for this visitor at this moment. stale: its group is too old for exact minutes."""
    facts, status, now = row.facts, row.status, page.now
    local = facts.starts_at.astimezone(page.zone)
    gone = facts.removed_at is not None
    timed = status in _TIMED and row.since is not None and not gone
    least = stale or (row.since is not None and not row.since.exact)
    due = page.is_today and status in _DUE and not gone
    late = due and now - facts.starts_at >= LATE_AFTER
    may_change = not gone and page.visitor.may_change(Permission.STATUS_WRITE, facts.clinician_id)
    step = row.next_step if may_change else None
    return RowView(
        id=facts.id,
        version=facts.row_version,
        css=_css(row, late=late),
        start_at=int(facts.starts_at.timestamp()),
        start_iso=local.isoformat(timespec="minutes"),
        time=f"{local.hour:02}:{local.minute:02}",
        name=_name(row),
        shape=status.value,
        word=word_of(row),
        since_at=int(row.since.at.timestamp()) if timed and row.since else "",
        for_words=_for(row.since, now, least=least) if timed and row.since else "",
        least=least,
        then=_then(row, page.zone) if status in TERMINAL else "",
        due_at=int(facts.starts_at.timestamp()) if due else "",
        late=f"late {duration_words((now - facts.starts_at).total_seconds())}" if late else "",
        came=came_words(row, page.zone),
        what=f"{facts.type_name or 'Visit'} · {minutes_words(facts.minutes)}",
        note=facts.note or "",
        chips=_chips(row, page),
        step=step.value if step else "",
        step_word=STEP_WORDS[step] if step else "",
        go=status is Status.ARRIVED and step is not None,
        moves=_MENUS[status] if may_change else _NOTHING,
        may_change=may_change,
        may_note=page.visitor.may_change(Permission.NOTE_WRITE, facts.clinician_id),
        over=row.over and not just_changed(row, now),
    )


def just_changed(row: Row, now: datetime) -> bool:
    """Whether somebody here changed it so lately that it can be undone: until then it stays where it was."""
    at = row.facts.staff_status_at
    return at is not None and row.facts.removed_at is None and now - at < UNDO_FOR


def word_of(row: Row) -> str:
    """The status in words; a word of the PMS that we do not know stands as it is."""
    if row.status is Status.UNKNOWN:
        return f"“{row.facts.pms_status_raw}”" if row.facts.pms_status_raw else "No status"
    return STATUS_WORDS[row.status]


def came_words(row: Row, zone: ZoneInfo) -> str:
    """When the patient came, and how long they waited once that is known (R07)."""
    if row.arrived is None or row.status in _DUE:
        return ""
    came = hhmm(row.arrived.at, zone)
    told = came if row.arrived.exact else f"by {came}"
    if row.status is Status.ARRIVED:
        return f"arrived {told}"
    started = row.facts.staff_started_at or row.facts.pms_started_at
    if started is None or started < row.arrived.at:
        return f"arrived {told}"
    return f"{told}, waited {duration_words((started - row.arrived.at).total_seconds())}"


def _css(row: Row, *, late: bool) -> str:
    if row.facts.removed_at is not None or row.status is Status.CANCELLED:
        return "is-off"
    if row.status is Status.NO_SHOW:
        return "is-done"
    return "is-late" if late else _CLASSES.get(row.status, "")


def _name(row: Row) -> str:
    others = len(row.facts.patients or ()) - 1
    return row.facts.patient_name if others < 1 else f"{row.facts.patient_name} and {others} more"


def _for(since: Since, now: datetime, *, least: bool) -> str:
    seconds = (now - since.at).total_seconds()
    if seconds < 60:
        return "just now"
    return f"{'at least ' if least else ''}{duration_words(seconds)}"


def _then(row: Row, zone: ZoneInfo) -> str:
    if row.since is None:
        return ""
    return hhmm(row.since.at, zone) if row.since.exact else f"by {hhmm(row.since.at, zone)}"


def _chips(row: Row, page: Page) -> Markup:
    facts, other = row.facts, row.shown.other
    if other is None and facts.absent_since is None and facts.removed_at is None and facts.kind != RowKind.WALK_IN:
        return _NOTHING
    pms = page.pms_names.get(facts.connection_id, "PMS") if facts.connection_id else "PMS"
    chips: list[tuple[str, str]] = []
    if facts.kind == RowKind.WALK_IN:
        chips.append(("quiet", "walk-in"))
    if facts.removed_at is not None:
        chips.append(("warn", f"removed from {pms} {hhmm(facts.removed_at, page.zone)}"))
    elif facts.absent_since is not None:
        chips.append(("warn", f"not in {pms} since {hhmm(facts.absent_since, page.zone)}"))
    if other is not None and row.shown.source == "staff":
        raw = facts.pms_status_raw if other is Status.UNKNOWN else None
        chips.append(("mark", f"{pms}: {raw or PMS_WORDS[other]}"))
    elif other is not None:
        chips.append(("mark", f"here: {STATUS_WORDS[other]}"))
    return Markup("").join(Markup('<span class="chip-{}">{}</span>').format(kind, escape(text)) for kind, text in chips)
