"""The run sheet page's facts: read in a handful of statements, arranged so that templates only write them down."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from app import clock
from app.domain.freshness import Age, Freshness, age_of
from app.domain.names import zone_label
from app.domain.runsheet import Column, Filters, Group, Row, Sheet, build, column_key, date_groups
from app.domain.status import Status
from app.store import catalogue, runsheet
from app.store.db import Store
from app.store.models.connection import ConnectionState
from app.store.rows import UNDO_FOR
from app.store.runsheet import Connected, Day
from app.web import filters as filtering
from app.web import notices
from app.web.empty import Empty, why_empty
from app.web.links import link
from app.web.notices import Level, Notice
from app.web.rows import Page, RowView, just_changed, view, word_of
from app.web.session import Visitor
from app.web.words import STATUS_WORDS, age_words, epoch, hhmm, plural, pms_name

#: Days read at every interval: today and tomorrow. The others are read nightly.
_EACH_INTERVAL = (timedelta(0), timedelta(days=1))
_NIGHTLY_S = 86_400.0
_WORST_FIRST = (Freshness.BROKEN, Freshness.NEVER, Freshness.STALE, Freshness.AGEING, Freshness.LIVE)


@dataclass(frozen=True, slots=True)
class Fresh:
    """How old the truth is, as the script goes on counting it: epochs and seconds."""

    word: str
    told: str
    swept_at: int | str
    interval_s: int
    broken: bool
    at: str  # the time of day of the last read

    @property
    def old(self) -> bool:
        return self.word in (Freshness.STALE, Freshness.BROKEN, Freshness.NEVER)


@dataclass(slots=True)
class GroupView:
    key: str
    name: str
    room: str
    unassigned: bool
    rows: list[RowView]
    folded: list[RowView]
    fold_words: str
    total: int
    done: int
    waiting: int
    fresh: Fresh | None  # None: walk-ins only, nothing that could grow old


@dataclass(frozen=True, slots=True)
class Chip:
    word: str
    count: int
    wanted: str  # the filters as they are once it is pressed
    on: bool
    shape: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    wanted: str
    on: bool


@dataclass(frozen=True, slots=True)
class Undo:
    event_id: UUID
    told: str
    until_at: int


@dataclass(slots=True)
class DayView:
    """All the polled block shows."""

    day: date
    now: datetime
    is_today: bool
    stamp: str
    query: str  # the filters, for addresses
    fresh: Fresh
    pms: str  # whose data it is, for sentences
    can_sync: bool
    notices: list[Notice]
    chips: list[Chip]
    clinicians: list[Choice]
    types: list[Choice]
    groups: list[GroupView]
    idle: str
    account: str
    filtered: str  # the filters in words
    filtered_out: int
    total: int
    empty: Empty | None
    undo: Undo | None
    again_at: int | str  # when the block is out of date by the passing of time alone
    counts: str  # for the live region
    clear: str  # the filters after "clear", and what that button says
    clear_word: str
    search: str = field(default="")


@dataclass(slots=True)
class _Read:
    """What the statements brought."""

    day: Day
    columns: list[Column]
    connections: Sequence[Connected]


def read(store: Store, visitor: Visitor, day: date, filters: Filters) -> DayView:
    """The day for this visitor: sweeps, rows, clinicians, connections; one statement more for undo or an empty day."""
    now = clock.now()
    with store.read() as session:
        found = _Read(
            day=runsheet.read_day(session, visitor.practice_id, day),
            columns=runsheet.columns_of(session, visitor.practice_id),
            connections=runsheet.connections_of(session, visitor.practice_id, day),
        )
        recent = [
            facts.id
            for facts in found.day.facts
            if facts.staff_decided_on is not None
            or (
                facts.staff_status_by == visitor.user_id
                and facts.staff_status_at is not None
                and now - facts.staff_status_at < UNDO_FOR
            )
        ]
        event = runsheet.undoable(session, recent, visitor.user_id, now - UNDO_FOR) if recent else None
        untyped = not found.day.facts and any(
            not any(kind.is_telehealth for kind in catalogue.types_of(session, one.id))
            for one in notices.alive(found.connections)
        )
    sheet = build(
        day=day,
        zone=visitor.zone,
        version=found.day.version,
        facts=found.day.facts,
        columns=found.columns,
        filters=filtering.applied(filters),
    )
    made = _arrange(found, sheet, visitor, filters, now, untyped=untyped)
    if event is not None:
        made.undo = _undo(event.id, event.appointment_id, event.at, sheet)
    return made


def _arrange(
    found: _Read, sheet: Sheet, visitor: Visitor, filters: Filters, now: datetime, *, untyped: bool
) -> DayView:
    live = notices.alive(found.connections)
    today = visitor.today(now)
    intervals = {one.id: _interval_s(one, sheet.day, today) for one in live}
    broken = frozenset(one.id for one in live if one.state == ConnectionState.NEEDS_ATTENTION)
    date_groups(sheet.groups, found.day.swept, intervals, now, broken)
    names = {one.id: pms_name(one.pms_type) for one in found.connections}
    page = Page(visitor.zone, now, sheet.day == today, visitor, names)
    fresh = _overall(found.day, sheet.groups, intervals, broken, page)
    to = partial(link, visitor=visitor)
    pms = " and ".join(sorted({names[one.id] for one in live}))
    told = [
        *(notices.of_hold(one, visitor.zone, now, to) for one in found.connections),
        *(notices.of_connection(one, visitor.zone, now, to) for one in live if not notices.says_it_twice(one)),
        *(notices.of_unreadable(one, visitor.zone, now, to) for one in live),
        notices.of_unassigned(sheet.groups, to),
        notices.of_unknown_words(sheet.rows, names, to),
    ]
    hidden = notices.hidden_words(found.day.account.hidden)
    own = visitor.clinician_id is not None and filters == filtering.of_preference(None, visitor)
    return DayView(
        day=sheet.day,
        now=now,
        is_today=page.is_today,
        stamp=str(found.day.stamp),
        query=filtering.to_query(filters),
        fresh=fresh,
        pms=pms,
        can_sync=bool(live),
        notices=sorted((one for one in told if one is not None), key=lambda one: list(Level).index(one.level)),
        chips=_chips(sheet, filters),
        clinicians=_clinicians(found.columns, filters),
        types=[_choice(filters, "type", key, name) for key, name in sheet.types],
        groups=[_group(group, page) for group in sheet.groups],
        idle=_idle(sheet, filters, fresh, known=bool(found.day.swept) or not live),
        account=_account(found.day, pms, hidden, visitor.zone),
        filtered=filtering.said(filtering.applied(filters), found.columns, sheet.types),
        filtered_out=sheet.filtered_out,
        total=sheet.total,
        empty=why_empty(sheet, found.day, live, pms, hidden, fresh, to, untyped=untyped),
        undo=None,
        again_at=_again_at(sheet, now),
        counts=_counts(sheet.counts),
        clear=filtering.to_query(Filters(frozenset({filtering.EVERYBODY}))) if own else "",
        clear_word="Show everyone" if own else "Clear filters",
        search=filters.query,
    )


# --- age --------------------------------------------------------------------------------------------------------------


def _interval_s(connection: Connected, day: date, today: date) -> float:
    each = day - today in _EACH_INTERVAL
    return connection.sync_frequency_minutes * 60.0 if each else max(_NIGHTLY_S, connection.sync_frequency_minutes * 60)


def _overall(
    day: Day, groups: Sequence[Group], intervals: dict[UUID, float], broken: frozenset[UUID], page: Page
) -> Fresh:
    """The worst of all parts: every connection's newest read of the day, and every group's own age."""
    parts: list[tuple[Age, float, datetime | None, bool]] = []
    for connection_id, interval in intervals.items():
        newest = max((at for (source, _), at in day.swept.items() if source == connection_id), default=None)
        sick = connection_id in broken
        parts.append((age_of(newest, interval, page.now, broken=sick), interval, newest, sick))
    parts += [(group.age, group.interval_s, group.swept_at, group.broken) for group in groups if group.interval_s]
    if not parts:
        return Fresh("none", "Not connected", "", 0, False, "")
    worst = min(parts, key=lambda part: (_WORST_FIRST.index(part[0].word), -(part[0].seconds or 0) / (part[1] or 1)))
    return _fresh(*worst, page)


def _fresh(age: Age, interval_s: float, swept_at: datetime | None, broken: bool, page: Page) -> Fresh:
    at = hhmm(swept_at, page.zone) if swept_at else ""
    return Fresh(age.word.value, age_words(age), epoch(swept_at), int(interval_s), broken, at)


# --- groups -----------------------------------------------------------------------------------------------------------


def _group(group: Group, page: Page) -> GroupView:
    fresh = _fresh(group.age, group.interval_s, group.swept_at, group.broken, page) if group.interval_s else None
    stale = fresh is not None and fresh.old
    views = [view(row, page, stale=stale) for row in group.rows]
    rows = _with_line([one for one in views if not one.over], page)
    folded = [one for one in views if one.over]
    over = [row for row, one in zip(group.rows, views, strict=True) if one.over]
    column = group.column
    return GroupView(
        key=str(column.id) if column.id else _key_of(group),
        name=column.name,
        room=column.room or "",
        unassigned=column.id is None,
        rows=rows,
        folded=folded,
        fold_words=_fold_words(over),
        total=group.total,
        done=group.done,
        waiting=group.waiting,
        fresh=fresh,
    )


def _key_of(group: Group) -> str:
    """A name for the group of a practitioner nobody assigned: their id may hold anything, an element's may not."""
    return "u-" + hashlib.blake2s(column_key(group.rows[0].facts).encode(), digest_size=6).hexdigest()


def _with_line(rows: list[RowView], page: Page) -> list[RowView]:
    """The rows, the one before which the clock stands marked with the time."""
    if page.is_today:
        now = page.now.timestamp()
        index = next((index for index, row in enumerate(rows) if row.start_at > now), -1)
        if index >= 0:
            rows[index] = rows[index]._replace(line=hhmm(page.now, page.zone))
    return rows


def _fold_words(folded: Sequence[Row]) -> str:
    counts = Counter("removed" if row.removed else row.status.value for row in folded)
    words = {Status.COMPLETED: "completed", Status.NO_SHOW: "no-show", Status.CANCELLED: "cancelled"}
    told = ((counts[status.value], word) for status, word in words.items())
    return ", ".join(f"{count} {word}" for count, word in (*told, (counts["removed"], "removed")) if count)


# --- filters ----------------------------------------------------------------------------------------------------------


def _chips(sheet: Sheet, filters: Filters) -> list[Chip]:
    """One per status, always in the same place, so that nothing jumps when a count changes."""
    everything = Filters(filters.clinicians, frozenset(), filters.types)
    chips = [Chip("All", sheet.total, filtering.to_query(everything), not filters.statuses)]
    for status, word in STATUS_WORDS.items():
        on = status.value in filters.statuses
        if status is Status.UNKNOWN and not sheet.counts[status] and not on:
            continue
        wanted = filtering.to_query(filtering.turned(filters, "status", status.value))
        chips.append(Chip(word, sheet.counts[status], wanted, on, status.value))
    return chips


def _clinicians(columns: Sequence[Column], filters: Filters) -> list[Choice]:
    everybody = Filters(frozenset({filtering.EVERYBODY}), filters.statuses, filters.types)
    people = [(str(column.id), column.name) for column in columns]
    return [
        Choice("Everyone", filtering.to_query(everybody), not filtering.applied(filters).clinicians),
        *(_choice(filters, "clinician", key, name) for key, name in people),
    ]


def _choice(filters: Filters, name: str, value: str, label: str) -> Choice:
    chosen = filters.clinicians if name == "clinician" else filters.types
    return Choice(label, filtering.to_query(filtering.turned(filters, name, value)), value in chosen)


# --- sentences --------------------------------------------------------------------------------------------------------


def _account(day: Day, pms: str, hidden: str, zone: ZoneInfo) -> str:
    """Where everything the PMS sent went (M12)."""
    if not day.swept:
        return ""
    told = f"{plural(day.account.received, 'appointment')} read from {pms or 'the PMS'}"
    told = f"{told}; not shown: {hidden}." if hidden else f"{told}, all shown."
    changed = (
        day.account.changes_to
    )  # the age above is that of the last whole reading: who is missing is as old as that
    return f"{told} What changed since was read at {hhmm(changed, zone)}." if changed else told


def _idle(sheet: Sheet, filters: Filters, fresh: Fresh, *, known: bool) -> str:
    """Clinicians with nothing on this day: said only where it is known, and fresh."""
    if not known or fresh.old or not sheet.total or filtering.applied(filters).active:
        return ""
    return ", ".join(column.name for column in sheet.idle_columns)


def _counts(counts: Counter[Status]) -> str:
    words = (f"{counts[status]} {STATUS_WORDS[status].lower()}" for status in STATUS_WORDS if counts[status])
    return ", ".join(words) or "no appointments"


def _again_at(sheet: Sheet, now: datetime) -> int | str:
    """When the first row that was just changed may fold away."""
    changed = (row.facts.staff_status_at for row in sheet.rows if just_changed(row, now))
    times = [at + UNDO_FOR for at in changed if at is not None]
    return int(min(times).timestamp()) + 1 if times else ""


def _undo(event_id: UUID, appointment_id: UUID, at: datetime, sheet: Sheet) -> Undo | None:
    for row in sheet.rows:
        if row.facts.id == appointment_id:
            return Undo(event_id, f"{row.facts.patient_name}: {word_of(row)}", int((at + UNDO_FOR).timestamp()))
    return None


def zone_words(visitor: Visitor, now: datetime) -> tuple[str, str]:
    """(`09:42`, `AEDT`) for the clock in the bar."""
    return hhmm(now, visitor.zone), zone_label(now, visitor.zone)
