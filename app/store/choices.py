"""What a practice chooses: which types are telehealth, whose appointments it wants. Acts on the sheet at once.

Switching off hides the rows from today on, with the cause; switching on brings exactly those back and asks for a
sync. Past days keep what they showed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from app.domain.rules import CHOICES, Cause
from app.domain.status import Status
from app.domain.window import day_of, day_start, zone_of
from app.errors import InvalidInput
from app.store import appointments, catalogue, connections, schedules, sweeps
from app.store.appointments import Source
from app.store.models import Appointment, AppointmentType, ClinicianMapping, PmsConnection, Practice, RunSheet, Sweep

_OF_TYPE = (Cause.TYPE_OFF, Cause.NOT_TELEHEALTH)
#: How far ahead the consequences of a choice are counted.
AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a choice did. `brought_in`: something was switched on, so a sync should follow."""

    hidden: int = 0
    revived: int = 0
    brought_in: bool = False


@dataclass(frozen=True, slots=True)
class Impact:
    """What one type means for the sheet: rows it has there now, and appointments the last sweeps left out for it."""

    shown_today: int = 0
    shown_week: int = 0
    left_out_today: int = 0
    left_out_week: int = 0


def types_by_id(session: Session, connection_id: UUID, ids: Iterable[str]) -> list[AppointmentType]:
    """The types with these ids, ours or the vendor's. Raises InvalidInput naming what is unknown."""
    known = catalogue.types_of(session, connection_id)
    by_id = {str(row.id): row for row in known} | {row.pms_type_id: row for row in known}
    wanted = [text.strip() for text in ids if text.strip()]
    unknown = [text for text in wanted if text not in by_id]
    if unknown:
        raise InvalidInput({"telehealth": f"There is no appointment type {', '.join(unknown)} on this connection."})
    return [by_id[text] for text in wanted]


def set_telehealth(
    session: Session, connection: PmsConnection, practice: Practice, on: Collection[UUID], now: datetime
) -> Chosen:
    """Make exactly these types telehealth, all others not."""
    _decide(session, connection)
    here = _Here(session, connection, practice, now)
    hidden = revived = 0
    brought_in = False
    for row in catalogue.types_of(session, connection.id):
        wanted = row.id in on
        if wanted == row.is_telehealth:
            continue
        row.is_telehealth = wanted
        session.flush()
        of_type = Appointment.pms_type_id == row.pms_type_id
        brought_in |= wanted
        if wanted:
            revived += here.revive(of_type)
        if wanted or not connection.sync_telehealth_only:
            here.flag(of_type, wanted)
        else:
            hidden += here.hide(of_type, Cause.TYPE_OFF)
    if brought_in:
        schedules.make_due(session, connection.id, now)
    return Chosen(hidden, revived, brought_in)


def set_every_type(
    session: Session, connection: PmsConnection, practice: Practice, *, every: bool, now: datetime
) -> Chosen:
    """Want appointments of every type, or only of those that are telehealth. The ticks stay as they are."""
    if connection.sync_telehealth_only is not every:
        return Chosen()
    _decide(session, connection)
    connection.sync_telehealth_only = not every
    session.flush()
    here = _Here(session, connection, practice, now)
    ticked = [row.pms_type_id for row in catalogue.types_of(session, connection.id) if row.is_telehealth]
    others = or_(Appointment.pms_type_id.is_(None), Appointment.pms_type_id.not_in(ticked))
    if not every:
        return Chosen(hidden=here.hide(others, Cause.NOT_TELEHEALTH))
    revived = here.revive(others)
    here.flag(others, False)
    schedules.make_due(session, connection.id, now)
    return Chosen(revived=revived, brought_in=True)


def set_practitioner(
    session: Session,
    connection: PmsConnection,
    practice: Practice,
    row: ClinicianMapping,
    *,
    enabled: bool,
    now: datetime,
) -> Chosen:
    """Want, or do not want, the appointments of one practitioner."""
    _decide(session, connection)
    if row.sync_enabled == enabled:
        return Chosen()
    row.sync_enabled = enabled
    session.flush()
    here = _Here(session, connection, practice, now)
    theirs = Appointment.pms_practitioner_id == row.pms_practitioner_id
    if not enabled:
        return Chosen(hidden=here.hide(theirs, Cause.CLINICIAN_OFF))
    schedules.make_due(session, connection.id, now)
    return Chosen(revived=here.revive(theirs), brought_in=True)


def regroup(session: Session, practice: Practice, now: datetime) -> None:
    """A mapping changed: the groups of every sheet from today on look different."""
    today = day_of(now, zone_of(practice.timezone))
    sheets = session.scalars(
        select(RunSheet.id).where(RunSheet.practice_id == practice.id, RunSheet.day >= today)
    ).all()
    appointments.raise_versions(session, sheets)


def impacts(session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> dict[str, Impact]:
    """For each type of the vendor: what it has on the sheet, and what was left out for it, today and over a week."""
    today = day_of(now, zone_of(practice.timezone))
    shown_today, shown_week = Counter[str](), Counter[str]()
    rows = session.execute(
        select(Appointment.pms_type_id, RunSheet.day, func.count())
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(
            Appointment.pms_connection_id == connection.id,
            Appointment.hidden_cause.is_(None),
            RunSheet.day >= today,
            RunSheet.day < today + AHEAD,
        )
        .group_by(Appointment.pms_type_id, RunSheet.day)
    )
    for type_id, day, count in rows:
        shown_week[type_id or ""] += count
        shown_today[type_id or ""] += count if day == today else 0
    out_today, out_week = left_out(session, connection.id, today)
    return {
        type_id: Impact(shown_today[type_id], shown_week[type_id], out_today[type_id], out_week[type_id])
        for type_id in {*shown_week, *out_week}
    }


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on the sheet: today, and from today on."""

    today: int = 0
    ahead: int = 0


def rows_of_practitioners(
    session: Session, connection: PmsConnection, practice: Practice, now: datetime
) -> dict[str, Rows]:
    """By practitioner of the vendor: what would leave the sheet if nobody wanted it."""
    return _rows_by(session, connection, practice, now, Appointment.pms_practitioner_id)


def rows_of_words(session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> dict[str, Rows]:
    """By raw status word we do not know: the rows that show it."""
    unknown = Appointment.pms_status == Status.UNKNOWN.value
    return _rows_by(session, connection, practice, now, Appointment.pms_status_raw, unknown)


def _rows_by(
    session: Session,
    connection: PmsConnection,
    practice: Practice,
    now: datetime,
    column: Any,
    *which: ColumnElement[bool],
) -> dict[str, Rows]:
    today = day_of(now, zone_of(practice.timezone))
    found = session.execute(
        select(column, RunSheet.day, func.count())
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(
            Appointment.pms_connection_id == connection.id,
            Appointment.hidden_cause.is_(None),
            RunSheet.day >= today,
            *which,
        )
        .group_by(column, RunSheet.day)
    ).all()
    for_today, ahead = Counter[str](), Counter[str]()
    for value, day, count in found:
        ahead[value or ""] += count
        for_today[value or ""] += count if day == today else 0
    return {value: Rows(for_today[value], ahead[value]) for value in ahead}


def left_out(session: Session, connection_id: UUID, today: date) -> tuple[Counter[str], Counter[str]]:
    """What is left out because its type is not telehealth or switched off, by type: today, and over a week."""
    for_today, for_week = Counter[str](), Counter[str]()
    sweeps = session.execute(
        select(Sweep.day, Sweep.skipped).where(
            Sweep.pms_connection_id == connection_id, Sweep.day >= today, Sweep.day < today + AHEAD
        )
    )
    for day, skipped in sweeps:
        for cause in _OF_TYPE:
            for type_id, count in skipped.get(cause, {}).items():
                for_week[type_id] += count
                for_today[type_id] += count if day == today else 0
    return for_today, for_week


def _decide(session: Session, connection: PmsConnection) -> None:
    """From here on no page of a sync is written by the old choices: it waits, and then reads the new ones."""
    connections.hold(session, connection.id)
    session.execute(
        update(PmsConnection).where(PmsConnection.id == connection.id).values(choices=PmsConnection.choices + 1)
    )
    sweeps.forget_changes(session, connection.id)


class _Met(NamedTuple):
    """A row a choice is about, and how the account of its day knows it."""

    placed: appointments.Placed
    removed: bool
    practitioner_id: str
    type_id: str | None
    day: date

    def becomes(self, cause: str | None) -> sweeps.Fate:
        return sweeps.Fate(self.day, self.practitioner_id, self.type_id or "", self.placed.hidden_cause, cause)


class _Here:
    """Acts on the rows of one connection, from today on."""

    def __init__(self, session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> None:
        self._session, self._connection = session, connection
        self._source = Source(practice.id, connection.id, None, now)
        zone = zone_of(practice.timezone)
        self._from = day_start(day_of(now, zone), zone)

    def hide(self, which: ColumnElement[bool], cause: Cause) -> int:
        rows = self._rows(which, Appointment.hidden_cause.is_(None))
        appointments.hide(self._session, self._source, [row.placed for row in rows], cause.value)
        self._settle(rows, cause.value)
        return len(rows)

    def revive(self, which: ColumnElement[bool]) -> int:
        """Bring back what no choice stands against any more; a row may have been hidden for two reasons."""
        rules = catalogue.rules_of(self._session, self._connection, ())
        chosen = Appointment.hidden_cause.in_([cause.value for cause in CHOICES])
        rows = [
            row for row in self._rows(which, chosen) if rules.chosen_against(row.practitioner_id, row.type_id) is None
        ]
        appointments.reveal(self._session, self._source, [row.placed for row in rows])
        self._settle(rows, None)
        return len(rows)

    def flag(self, which: ColumnElement[bool], telehealth: bool) -> None:
        rows = self._rows(which, Appointment.is_telehealth != telehealth)
        appointments.flag_telehealth(self._session, self._source, [row.placed for row in rows], telehealth)

    def _settle(self, rows: Sequence[_Met], cause: str | None) -> None:
        """A row the PMS no longer knows is in no sweep's count, hidden or not."""
        fates = [row.becomes(cause) for row in rows if not row.removed]
        sweeps.settle(self._session, self._connection.id, fates)

    def _rows(self, *which: ColumnElement[bool]) -> list[_Met]:
        found = self._session.execute(
            select(
                Appointment.id,
                Appointment.run_sheet_id,
                Appointment.hidden_cause,
                Appointment.removed_at,
                Appointment.pms_practitioner_id,
                Appointment.pms_type_id,
                RunSheet.day,
            )
            .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
            .where(
                Appointment.pms_connection_id == self._connection.id,
                Appointment.starts_at >= self._from,
                *which,
            )
        )
        return [
            _Met(
                appointments.Placed(id_, sheet, cause),
                removed is not None,
                practitioner or "",
                type_id,
                day,
            )
            for id_, sheet, cause, removed, practitioner, type_id, day in found
        ]
