"""The day, read: a handful of statements whatever the number of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from app.domain.runsheet import Column, RowFacts
from app.domain.status import Status
from app.store.models import Appointment, Clinician, ClinicianMapping, PmsConnection, RunSheet, Sweep

#: RowFacts' own words for columns that are called otherwise in the table.
_RENAMED = {
    "connection_id": Appointment.pms_connection_id,
    "minutes": Appointment.appointment_duration_minutes,
    "phone": Appointment.patient_phone,
    "email": Appointment.patient_email,
    "birth_date": Appointment.patient_dob,
    "practitioner_id": Appointment.pms_practitioner_id,
    "practitioner_name": Appointment.pms_practitioner_name,
    "type_id": Appointment.pms_type_id,
    "type_name": Appointment.pms_type_name,
    "comment": Appointment.pms_comment,
    "note": Appointment.staff_note,
    # A walk-in has its clinician; a synced row gets it through the mapping, so re-mapping regroups at once.
    "clinician_id": func.coalesce(Appointment.clinician_id, ClinicianMapping.run_sheet_clinician_id),
}
_NAMES = tuple(field.name for field in fields(RowFacts))
_STATUS_AT = tuple(_NAMES.index(name) for name in ("pms_status", "staff_status"))


def _rows() -> Select[Any]:
    columns: list[Any] = [_RENAMED[name] if name in _RENAMED else getattr(Appointment, name) for name in _NAMES]
    return select(*columns).outerjoin(
        ClinicianMapping,
        and_(
            ClinicianMapping.pms_connection_id == Appointment.pms_connection_id,
            ClinicianMapping.pms_practitioner_id == Appointment.pms_practitioner_id,
        ),
    )


_SELECT = _rows()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the page shows it has seen: the sheet's version and the time of its newest sweep."""

    version: int
    swept_at: datetime | None

    def __str__(self) -> str:
        return f"{self.version}.{int(self.swept_at.timestamp()) if self.swept_at else 0}"


def rows_of(session: Session, practice_id: UUID, day: date) -> list[RowFacts]:
    """Every row a person should see on that day, tombstones and absent ones included."""
    query = (
        _SELECT.join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(RunSheet.practice_id == practice_id, RunSheet.day == day, Appointment.hidden_cause.is_(None))
        .order_by(Appointment.starts_at)
    )
    return [_facts(row) for row in session.execute(query)]


def row_of(session: Session, practice_id: UUID, appointment_id: UUID) -> RowFacts | None:
    """One row of this practice."""
    row = session.execute(
        _SELECT.where(Appointment.id == appointment_id, Appointment.practice_id == practice_id)
    ).one_or_none()
    return None if row is None else _facts(row)


@dataclass(frozen=True, slots=True)
class Account:
    """Where every appointment of a day went: received = what is shown + the sum of `hidden` + what was set aside."""

    received: int
    hidden: Counter[str]


def account_of(session: Session, practice_id: UUID, day: date) -> Account:
    """What the last sweeps of the day brought and what was left out, by cause.

    Rows somebody hid by a choice since the last sweep are added: the sweep could not know. Two statements.
    """
    received, hidden = 0, Counter[str]()
    swept: dict[tuple[UUID, str], datetime] = {}
    for one in session.scalars(select(Sweep).where(Sweep.practice_id == practice_id, Sweep.day == day)):
        received += one.received
        swept[one.pms_connection_id, one.practitioner_id] = one.completed_at
        for cause, by_type in one.skipped.items():
            hidden[cause] += sum(by_type.values())
    chosen = session.execute(
        select(
            Appointment.hidden_cause,
            Appointment.pms_connection_id,
            Appointment.pms_practitioner_id,
            Appointment.updated_at,
        )
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(
            RunSheet.practice_id == practice_id,
            RunSheet.day == day,
            Appointment.hidden_cause.is_not(None),
            Appointment.hidden_by_run.is_(None),
        )
    )
    for why, connection_id, practitioner_id, hidden_at in chosen:
        last = swept.get((connection_id, practitioner_id or "")) if connection_id else None
        if why and (last is None or hidden_at > last):
            hidden[why] += 1
    return Account(received, hidden)


def columns_of(session: Session, practice_id: UUID) -> list[Column]:
    """The clinicians of the practice in their fixed order."""
    rows = session.execute(
        select(Clinician.id, Clinician.name, Clinician.room, Clinician.room_link, Clinician.position)
        .where(Clinician.practice_id == practice_id, Clinician.active)
        .order_by(Clinician.position, Clinician.name)
    )
    return [Column(*row) for row in rows]


def connections_of(session: Session, practice_id: UUID) -> Sequence[PmsConnection]:
    return session.scalars(select(PmsConnection).where(PmsConnection.practice_id == practice_id)).all()


def stamp_of(session: Session, practice_id: UUID, day: date) -> Stamp:
    """The page's stamp by itself; a signed-in request gets it with its session in one statement (store.sessions)."""
    version = session.scalar(select(RunSheet.version).where(RunSheet.practice_id == practice_id, RunSheet.day == day))
    return Stamp(version or 0, session.scalar(newest_sweep(practice_id, day)))


def newest_sweep(practice_id: UUID, day: date) -> Select[datetime]:
    return select(func.max(Sweep.completed_at)).where(Sweep.practice_id == practice_id, Sweep.day == day)


def _facts(row: Sequence[object]) -> RowFacts:
    values = list(row)
    for index in _STATUS_AT:
        value = values[index]
        values[index] = None if value is None else Status(str(value))
    return RowFacts(*values)  # type: ignore[arg-type]
