"""A row as the page draws it: everything decided here, so that the template only writes it down.

What depends on the minute (time in status, lateness) is drawn for `now` and goes on in the page from the epochs given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from markupsafe import Markup

from app.domain.names import duration_words
from app.domain.runsheet import Row
from app.domain.status import MOVES, TERMINAL, Status, next_step
from app.domain.window import Doubt
from app.security.roles import Permission
from app.store.models.runsheet import RowKind
from app.store.rows import UNDO_FOR
from app.web.session import Visitor
from app.web.words import PMS_WORDS, STATUS_WORDS, STEP_WORDS, hhmm, minutes_words, move_word, since

#: A start that passed by this much without the patient is called late (R11).
LATE_AFTER = timedelta(minutes=5)
_TIMED = frozenset({Status.ARRIVED, Status.IN_PROGRESS})
_DUE = frozenset({Status.BOOKED, Status.CONFIRMED, Status.UNKNOWN})
_CLASSES = dict.fromkeys(Status, "") | {
    Status.ARRIVED: "is-wait",
    Status.IN_PROGRESS: "is-call",
    Status.COMPLETED: "is-done",
    Status.NO_SHOW: "is-done",
    Status.CANCELLED: "is-off",
}
_NOTHING = Markup("")
#: A start that was told as a wall time on the day the clocks change (F44).
DOUBT_WORDS = {
    Doubt.TWICE: "this time comes twice, the earlier is shown",
    Doubt.SKIPPED: "its time does not exist, a later one is shown",
}


def _step(status: Status) -> Markup:
    """The one button. Filled where a patient is waiting for it, nowhere else."""
    to = next_step(status)
    if to is None:
        return _NOTHING
    css = "next go" if status is Status.ARRIVED else "next"
    return Markup('<button class="{}" name="status" value="{}">{}</button>').format(css, to.value, STEP_WORDS[to])


def _moves(status: Status) -> Markup:
    """The menu's buttons: every move but the one that has its own button."""
    step = next_step(status)
    return Markup("").join(
        Markup('<button name="status" value="{}">{}</button>').format(to.value, move_word(status, to))
        for to in MOVES[status]
        if to is not step
    )


_STEPS = {status: _step(status) for status in Status}
_MENUS = {status: _moves(status) for status in Status}


@dataclass(frozen=True, slots=True)
class Page:
    """What all rows of an answer share."""

    zone: ZoneInfo
    now: datetime
    is_today: bool
    visitor: Visitor
    pms_names: Mapping[UUID, str] = field(default_factory=dict)
    _allowed: dict[UUID | None, tuple[bool, bool]] = field(default_factory=dict)

    def allowed(self, clinician_id: UUID | None) -> tuple[bool, bool]:
        """Whether the visitor may set the status, and write the note, of a row of that clinician."""
        found = self._allowed.get(clinician_id)
        if found is None:
            may = self.visitor.may_change
            found = may(Permission.STATUS_WRITE, clinician_id), may(Permission.NOTE_WRITE, clinician_id)
            self._allowed[clinician_id] = found
        return found


class RowView(NamedTuple):
    """What `templates/runsheet/_row.html` unpacks, in this order. `Markup` and numbers are written as they are."""

    id: str
    version: int
    css: str
    start_at: int
    start_iso: str
    time: str
    line: str  # the time of day, on the row the clock stands before
    name: str
    chips: Markup
    shape: str
    word: str
    running: Markup  # the time in the status, its end, or how late it is; goes on in the page
    came: str
    what: str
    length: str
    note: str
    may_note: bool
    step: Markup  # the one button
    moves: Markup  # the menu's
    may_change: bool
    over: bool


def view(row: Row, page: Page, *, stale: bool = False) -> RowView:
    """The row for this visitor at this moment. stale: its group is too old for exact minutes."""
    facts, status, now = row.facts, row.status, page.now
    local = facts.starts_at.astimezone(page.zone)
    gone = row.removed
    late = page.is_today and status in _DUE and not gone and now - facts.starts_at >= LATE_AFTER
    may_change, may_note = page.allowed(facts.clinician_id)
    may_change, may_note = may_change and not gone, may_note and not gone
    return RowView(
        id=str(facts.id),
        version=facts.row_version,
        css="is-off" if gone else "is-late" if late else _CLASSES[status],
        start_at=int(facts.starts_at.timestamp()),
        start_iso=local.isoformat(timespec="minutes"),
        time=f"{local.hour:02}:{local.minute:02}",
        line="",
        name=name_of(row),
        chips=_chips(row, page, may_change=may_change),
        shape=status.value,
        word=word_of(row),
        running=_NOTHING if gone else _running(row, page, stale=stale),
        came=came_words(row, page.zone),
        what=facts.type_name or "Visit",
        length=minutes_words(facts.minutes),
        note=facts.note or "",
        may_note=may_note,
        step=_STEPS[status] if may_change else _NOTHING,
        moves=_MENUS[status] if may_change else _NOTHING,
        may_change=may_change,
        over=row.over and not just_changed(row, now) and not _still_ahead(row, now),
    )


def just_changed(row: Row, now: datetime) -> bool:
    """Whether somebody here changed it so lately that it can be undone: until then it stays where it was."""
    at = row.facts.staff_status_at
    return at is not None and not row.removed and now - at < UNDO_FOR


def _still_ahead(row: Row, now: datetime) -> bool:
    """A row that was removed before its time stays in its place until then: somebody may still be expecting it."""
    return row.removed and row.facts.starts_at > now


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


def name_of(row: Row) -> str:
    """The patient, and how many more come along."""
    others = len(row.facts.patients or ()) - 1
    return row.facts.patient_name if others < 1 else f"{row.facts.patient_name} and {others} more"


def _running(row: Row, page: Page, *, stale: bool) -> Markup:
    """What stands behind the word: made of numbers and our own words only."""
    status, since = row.status, row.since
    if status in _TIMED and since is not None:
        least = stale or not since.exact
        words = _for((page.now - since.at).total_seconds(), least=least)
        mark = " data-least" if not since.exact else ""
        return Markup(f' <span class="for" data-since="{int(since.at.timestamp())}"{mark}>{words}</span>')  # noqa: S704
    if status in TERMINAL and since is not None:
        return Markup(f' <span class="then">{"" if since.exact else "by "}{hhmm(since.at, page.zone)}</span>')  # noqa: S704
    if page.is_today and status in _DUE:
        passed = page.now - row.facts.starts_at
        words = f", late {duration_words(passed.total_seconds())}" if passed >= LATE_AFTER else ""
        due = int(row.facts.starts_at.timestamp())
        return Markup(f'<span class="late" data-due="{due}">{words}</span>')  # noqa: S704
    return _NOTHING


def _for(seconds: float, *, least: bool) -> str:
    """Nothing in the first minute of what was only seen: it may well have begun long before we looked."""
    if seconds < 60:
        return "" if least else "just now"
    return f"{'at least ' if least else ''}{duration_words(seconds)}"


def _chips(row: Row, page: Page, *, may_change: bool) -> Markup:
    """A word that differs leads whoever may decide between the two to where they can."""
    facts, other = row.facts, row.shown.other
    plain_row = other is None and facts.removed_at is None and facts.kind != RowKind.WALK_IN
    if plain_row and facts.time_doubt is None:
        return _NOTHING
    pms = page.pms_names.get(facts.connection_id, "PMS") if facts.connection_id else "PMS"
    chips: list[tuple[str, str]] = []
    if facts.kind == RowKind.WALK_IN:
        chips.append(("quiet", "walk-in"))
    if facts.time_doubt is not None:
        chips.append(("warn", DOUBT_WORDS[Doubt(facts.time_doubt)]))
    if facts.removed_at is not None:
        chips.append(("warn", f"removed from {pms} {since(facts.removed_at, page.zone, page.now)}"))
    if other is not None and row.shown.source == "staff":
        raw = facts.pms_status_raw if other is Status.UNKNOWN else None
        chips.append(("mark", f"{pms}: {raw or PMS_WORDS[other]}"))
    elif other is not None:
        chips.append(("mark", f"here: {STATUS_WORDS[other]}"))
    link = Markup('<a href="/appointments/{}" data-panel class="chip-{{}}">{{}}</a>').format(facts.id)
    plain = Markup('<span class="chip-{}">{}</span>')
    return Markup("").join(
        (link if kind == "mark" and may_change else plain).format(kind, text) for kind, text in chips
    )
