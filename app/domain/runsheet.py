"""The day as a page shows it: groups by clinician, rows by time, counts, filters. Pure; a caller brings the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.freshness import Age, Freshness, age_of
from app.domain.names import clock_time
from app.domain.status import MOVES, TERMINAL, Shown, Status, next_step, shown


@dataclass(frozen=True, slots=True)
class RowFacts:
    """One row as stored, PMS-owned and staff-owned values side by side."""

    id: UUID
    row_version: int
    kind: str
    connection_id: UUID | None
    pms_appointment_id: str | None
    starts_at: datetime
    ends_at: datetime | None
    minutes: int | None
    patient_name: str
    patients: Sequence[Mapping[str, Any]] | None
    phone: str | None
    email: str | None
    birth_date: date | None
    practitioner_id: str | None
    practitioner_name: str | None
    clinician_id: UUID | None
    type_id: str | None
    type_name: str | None
    is_telehealth: bool
    telehealth_url: str | None
    location: str | None
    comment: str | None
    note: str | None
    pms_status: Status | None
    pms_status_raw: str | None
    pms_status_changed_at: datetime | None
    pms_arrived_at: datetime | None
    pms_cancelled_at: datetime | None
    pms_arrived_seen_at: datetime | None
    pms_started_at: datetime | None
    pms_ended_at: datetime | None
    staff_status: Status | None
    staff_status_at: datetime | None
    staff_status_by: UUID | None
    staff_arrived_at: datetime | None
    staff_started_at: datetime | None
    staff_ended_at: datetime | None
    removed_at: datetime | None
    created_at: datetime
    staff_decided_on: datetime | None = None  # of domain.status.shown
    time_doubt: str | None = None  # domain.window.Doubt


@dataclass(frozen=True, slots=True)
class Since:
    """When a status began. `exact` is False where we only know that it was so when we first looked."""

    at: datetime
    exact: bool


_HERE = frozenset({Status.ARRIVED, Status.IN_PROGRESS})


@dataclass(frozen=True, slots=True)
class Row:
    """A row ready to be shown."""

    facts: RowFacts
    shown: Shown
    since: Since | None
    arrived: Since | None

    @property
    def status(self) -> Status:
        return self.shown.status

    @property
    def next_step(self) -> Status | None:
        return None if self.removed else next_step(self.status)

    @property
    def moves(self) -> tuple[Status, ...]:
        return MOVES[self.status]

    @property
    def over(self) -> bool:
        """Folded away once it lies behind: completed, cancelled, did not come, removed.

        Not a patient who is here although the PMS struck the appointment out: somebody waits.
        """
        return self.status in TERMINAL or (self.removed and self.status not in _HERE)

    @property
    def removed(self) -> bool:
        """The PMS does not have it any more. It counts for nothing, and stays where it was."""
        return self.facts.removed_at is not None


@dataclass(frozen=True, slots=True)
class Column:
    """A clinician as the sheet heads a group: `id` None for practitioners nobody assigned yet."""

    id: UUID | None
    name: str
    room: str | None = None
    room_link: str | None = None
    position: int = 0


@dataclass(slots=True)
class Group:
    column: Column
    rows: list[Row] = field(default_factory=list)
    age: Age = field(default_factory=lambda: Age(Freshness.NEVER, None))
    swept_at: datetime | None = None
    interval_s: float = 0.0  # 0: nothing here is read from a PMS
    broken: bool = False

    @property
    def total(self) -> int:
        return sum(row.status is not Status.CANCELLED and not row.removed for row in self.rows)

    @property
    def done(self) -> int:
        return sum(row.status in (Status.COMPLETED, Status.NO_SHOW) and not row.removed for row in self.rows)

    @property
    def waiting(self) -> int:
        return sum(row.status is Status.ARRIVED and not row.removed for row in self.rows)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the URL asks for. Ids as text, so that an unknown one simply matches nothing."""

    clinicians: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    query: str = ""

    @property
    def active(self) -> bool:
        return bool(self.clinicians or self.statuses or self.types or self.query)

    def admits(self, row: Row, zone: ZoneInfo, clinician: str = "") -> bool:
        facts = row.facts
        return (
            (not self.clinicians or column_key(facts) in self.clinicians)
            and (not self.statuses or (row.status.value in self.statuses and not row.removed))
            and (not self.types or (facts.type_id or "") in self.types)
            and (not self.query or matches(row, self.query, zone, clinician))
        )


@dataclass(slots=True)
class Sheet:
    """A practice's day."""

    day: date
    zone: ZoneInfo
    version: int
    groups: list[Group]
    counts: Counter[Status]
    types: list[tuple[str, str]]  # (id, name) of the types on this day
    idle_columns: list[Column]  # clinicians with nothing on this day
    total: int
    filtered_out: int

    @property
    def rows(self) -> Iterable[Row]:
        return (row for group in self.groups for row in group.rows)


def row_of(facts: RowFacts) -> Row:
    """A stored row with its shown status and its timers."""
    verdict = shown(
        facts.pms_status,
        facts.pms_status_changed_at,
        facts.staff_status,
        facts.staff_status_at,
        facts.staff_decided_on,
    )
    return Row(facts, verdict, _since(facts, verdict), _arrived(facts))


def column_key(facts: RowFacts) -> str:
    """What a clinician filter names: the clinician, or the practitioner nobody assigned yet.

    With the connection: two systems may both have a practitioner "1", and they are two people.
    """
    unassigned = f"unassigned:{facts.connection_id or ''}:{facts.practitioner_id or ''}"
    return str(facts.clinician_id) if facts.clinician_id else unassigned


def matches(row: Row, query: str, zone: ZoneInfo, clinician: str = "") -> bool:
    """Whether every word of the query is found in the row's names, time, type, note, status or clinician (R17)."""
    facts = row.facts
    names = " ".join(str(person.get("name", "")) for person in facts.patients or ())
    hay = " ".join(
        part
        for part in (
            facts.patient_name,
            names,
            clock_time(facts.starts_at, zone),
            clock_time(facts.starts_at, zone).lstrip("0"),
            facts.type_name,
            facts.note,
            facts.practitioner_name,
            clinician,
            row.status.value,
        )
        if part
    ).casefold()
    return all(word in hay for word in query.casefold().split())


def build(
    *,
    day: date,
    zone: ZoneInfo,
    version: int,
    facts: Iterable[RowFacts],
    columns: Sequence[Column],
    filters: Filters,
) -> Sheet:
    """Group the day. Groups keep the columns' fixed order; practitioners nobody assigned come last, by name.

    Counts are over the whole day, so that a filter never makes the day look emptier than it is; removed rows are in
    none of them.
    """
    rows = [row_of(one) for one in facts]
    names = {column.id: column.name for column in columns}
    groups: dict[str, Group] = {}
    kept = 0
    for row in sorted(rows, key=lambda row: (row.facts.starts_at, row.facts.patient_name, row.facts.id.int)):
        if not filters.admits(row, zone, names.get(row.facts.clinician_id, "")):
            continue
        kept += 1
        key = column_key(row.facts)
        if key not in groups:
            groups[key] = Group(_column_of(row.facts, columns))
        groups[key].rows.append(row)
    ordered = sorted(
        groups.values(), key=lambda group: (group.column.id is None, group.column.position, group.column.name)
    )
    busy = {row.facts.clinician_id for row in rows}
    return Sheet(
        day=day,
        zone=zone,
        version=version,
        groups=ordered,
        counts=Counter(row.status for row in rows if not row.removed),
        types=sorted({(row.facts.type_id or "", row.facts.type_name or "Unknown") for row in rows}, key=lambda t: t[1]),
        idle_columns=[column for column in columns if column.id not in busy],
        total=len(rows),
        filtered_out=len(rows) - kept,
    )


def date_groups(
    groups: Iterable[Group],
    swept: Mapping[tuple[UUID, str], datetime],
    intervals_s: Mapping[UUID, float],
    now: datetime,
    broken: frozenset[UUID] = frozenset(),
) -> None:
    """Give each group the age of its oldest part: one column may be fed by several practitioners.

    swept: (connection, practitioner) -> when that day was last read whole; practitioner "" is a vendor's one chain of
    pages for everybody. intervals_s: how often each connection means to read. broken: connections a person must mend.
    """

    def last_read(connection: UUID, who: str) -> datetime | None:
        times = [at for at in (swept.get((connection, who)), swept.get((connection, ""))) if at is not None]
        return max(times, default=None)

    for group in groups:
        sources = {
            (row.facts.connection_id, row.facts.practitioner_id or "")
            for row in group.rows
            if row.facts.connection_id is not None
        }
        if not sources:
            group.age = Age(Freshness.LIVE, 0.0)  # walk-ins only: nothing here comes from a PMS
            continue
        times = [last_read(connection, who) for connection, who in sources if connection is not None]
        oldest = None if any(at is None for at in times) else min(at for at in times if at is not None)
        group.swept_at = oldest
        group.interval_s = min(intervals_s.get(connection, 0.0) for connection, _ in sources if connection is not None)
        group.broken = any(connection in broken for connection, _ in sources)
        group.age = age_of(oldest, group.interval_s, now, broken=group.broken)


def _column_of(facts: RowFacts, columns: Sequence[Column]) -> Column:
    for column in columns:
        if facts.clinician_id is not None and column.id == facts.clinician_id:
            return column
    return Column(None, facts.practitioner_name or "Unknown practitioner")


def _since(facts: RowFacts, verdict: Shown) -> Since | None:
    """When the shown status began: the vendor's own stamp or the staff click, else when we first saw it."""
    if verdict.source == "staff":
        return Since(facts.staff_status_at, exact=True) if facts.staff_status_at else None
    stamps: dict[Status, datetime | None] = {
        Status.ARRIVED: facts.pms_arrived_at,
        Status.CANCELLED: facts.pms_cancelled_at,
    }
    stamp = stamps.get(verdict.status)
    if stamp is not None:
        return Since(stamp, exact=True)
    return Since(facts.pms_status_changed_at, exact=False) if facts.pms_status_changed_at else None


def _arrived(facts: RowFacts) -> Since | None:
    """When the patient came: the PMS's stamp, else the staff click (R07)."""
    if facts.pms_arrived_at is not None:
        return Since(facts.pms_arrived_at, exact=True)
    if facts.staff_arrived_at is not None:
        return Since(facts.staff_arrived_at, exact=True)
    if facts.pms_arrived_seen_at is not None:
        return Since(facts.pms_arrived_seen_at, exact=False)
    return None
