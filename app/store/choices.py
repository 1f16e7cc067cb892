"""What a practice chooses: which types are telehealth, whose appointments it wants. Acts on the sheet at once.

Switching off hides the rows from today on, with the cause; switching on brings exactly those back and asks for a
sync. Past days keep what they showed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from app.domain.decide import Stored
from app.domain.rules import Cause
from app.domain.window import day_of, day_start, zone_of
from app.errors import InvalidInput
from app.store import appointments, catalogue, schedules
from app.store.appointments import Source
from app.store.models import Appointment, AppointmentType, ClinicianMapping, PmsConnection, Practice, RunSheet, Sweep

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
    hidden = revived = 0
    brought_in = False
    for row in catalogue.types_of(session, connection.id):
        wanted = row.id in on
        if wanted == row.is_telehealth:
            continue
        row.is_telehealth = wanted
        of_type = Appointment.pms_type_id == row.pms_type_id
        if wanted:
            brought_in = True
            revived += _revive(session, connection, practice, of_type, (Cause.TYPE_OFF, Cause.NOT_TELEHEALTH), now)
        elif connection.sync_telehealth_only:
            hidden += _hide(session, connection, practice, of_type, Cause.TYPE_OFF, now)
    session.flush()
    if brought_in:
        schedules.make_due(session, connection.id, now)
    return Chosen(hidden, revived, brought_in)


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
    if row.sync_enabled == enabled:
        return Chosen()
    row.sync_enabled = enabled
    session.flush()
    theirs = Appointment.pms_practitioner_id == row.pms_practitioner_id
    if not enabled:
        return Chosen(hidden=_hide(session, connection, practice, theirs, Cause.CLINICIAN_OFF, now))
    schedules.make_due(session, connection.id, now)
    return Chosen(revived=_revive(session, connection, practice, theirs, (Cause.CLINICIAN_OFF,), now), brought_in=True)


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


def left_out(session: Session, connection_id: UUID, today: date) -> tuple[Counter[str], Counter[str]]:
    """What the last sweeps left out because its type is not telehealth, by type: today, and over a week."""
    for_today, for_week = Counter[str](), Counter[str]()
    sweeps = session.execute(
        select(Sweep.day, Sweep.skipped).where(
            Sweep.pms_connection_id == connection_id, Sweep.day >= today, Sweep.day < today + AHEAD
        )
    )
    for day, skipped in sweeps:
        for cause in (Cause.NOT_TELEHEALTH, Cause.TYPE_OFF):
            for type_id, count in skipped.get(cause, {}).items():
                for_week[type_id] += count
                for_today[type_id] += count if day == today else 0
    return for_today, for_week


def _hide(
    session: Session,
    connection: PmsConnection,
    practice: Practice,
    which: ColumnElement[bool],
    cause: Cause,
    now: datetime,
) -> int:
    rows = _from_today(session, connection, practice, and_(which, Appointment.hidden_cause.is_(None)), now)
    source = Source(practice.id, connection.id, None, now)
    return appointments.hide(session, source, [(row, cause.value) for row in rows])


def _revive(
    session: Session,
    connection: PmsConnection,
    practice: Practice,
    which: ColumnElement[bool],
    causes: tuple[Cause, ...],
    now: datetime,
) -> int:
    hidden_so = Appointment.hidden_cause.in_([cause.value for cause in causes])
    rows = _from_today(session, connection, practice, and_(which, hidden_so), now)
    return appointments.reveal(session, Source(practice.id, connection.id, None, now), rows)


def _from_today(
    session: Session, connection: PmsConnection, practice: Practice, which: ColumnElement[bool], now: datetime
) -> list[Stored]:
    zone = zone_of(practice.timezone)
    found = session.execute(
        select(Appointment.id, Appointment.fingerprint, Appointment.run_sheet_id, Appointment.hidden_cause).where(
            Appointment.pms_connection_id == connection.id,
            Appointment.starts_at >= day_start(day_of(now, zone), zone),
            which,
        )
    )
    return [Stored(id_, print_ or b"", sheet, cause, False, False) for id_, print_, sheet, cause in found]
