"""A day as it stood at an instant (M14), read in three statements whatever the number of rows and events.

What events do not remember, and a replay therefore shows as it is now: which clinician a practitioner is mapped to,
clinicians' names, rooms and order, the practice's zone; of a person or clinician deleted since, that it was them.
Not kept at all: the sheet's version, when it was last read, and what the rules had left out by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Table, Uuid, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from app.domain.replay import Event, digest, stood
from app.domain.runsheet import RowFacts
from app.domain.status import Status
from app.store import row_words
from app.store.columns import plain
from app.store.db import Base
from app.store.models import Appointment, AppointmentEvent, ClinicianMapping, PmsConnection, RunSheet
from app.store.types import UtcDateTime

_ROWS: Table = Base.metadata.tables[Appointment.__tablename__]
#: RowFacts' own words for columns that are called otherwise in the table.
_RENAMED = {
    "connection_id": "pms_connection_id",
    "minutes": "appointment_duration_minutes",
    "phone": "patient_phone",
    "email": "patient_email",
    "birth_date": "patient_dob",
    "practitioner_id": "pms_practitioner_id",
    "practitioner_name": "pms_practitioner_name",
    "type_id": "pms_type_id",
    "type_name": "pms_type_name",
    "comment": "pms_comment",
    "note": "staff_note",
}
_FACTS = {field.name: _RENAMED.get(field.name, field.name) for field in fields(RowFacts)}
_STATUSES = ("pms_status", "staff_status")


@dataclass(frozen=True, slots=True)
class Past:
    """A day as it stood: the rows a person could see, the tombstones among them, and the digest of all there were.

    wiped: the practice's limit has passed; what changes told of persons is gone, and rows bear what came after.
    """

    facts: list[RowFacts]
    digest: str
    wiped: bool = False


_SHEET = select(RunSheet.id, RunSheet.details_wiped_version).where(
    RunSheet.practice_id == bindparam("practice"), RunSheet.day == bindparam("day")
)
#: Rows that are on the sheet, or have left it since.
_LATER = (AppointmentEvent.practice_id == bindparam("practice"), AppointmentEvent.at > bindparam("at"))
_LEFT = select(AppointmentEvent.appointment_id).where(
    *_LATER, AppointmentEvent.changes[("run_sheet_id", 0)].as_string() == bindparam("sheet_text")
)
#: Rows and their later events in one statement, so that both are of one moment.
_ROWS_AND_EVENTS = (
    select(*row_words.REMEMBERED, AppointmentEvent.at, AppointmentEvent.changes)
    .outerjoin(AppointmentEvent, and_(AppointmentEvent.appointment_id == Appointment.id, *_LATER))
    .where(
        Appointment.practice_id == bindparam("practice"),
        Appointment.created_at <= bindparam("at"),
        or_(Appointment.run_sheet_id == bindparam("sheet"), Appointment.id.in_(_LEFT)),
    )
)
_MAPPINGS = (
    select(
        ClinicianMapping.pms_connection_id,
        ClinicianMapping.pms_practitioner_id,
        ClinicianMapping.run_sheet_clinician_id,
    )
    .join(PmsConnection, PmsConnection.id == ClinicianMapping.pms_connection_id)
    .where(PmsConnection.practice_id == bindparam("practice"))
)


def day_at(session: Session, practice_id: UUID, day: date, at: datetime) -> Past:
    """The practice's day as it stood at `at`; empty where nothing had been written by then.

    What was being written at that very instant counts by the time it is told for, not by when it was committed.
    """
    sheet = session.execute(_SHEET, {"practice": practice_id, "day": day}).one_or_none()
    if sheet is None:
        return Past([], digest([]))
    sheet_id, wiped_version = sheet
    asked = {"practice": practice_id, "at": at, "sheet": sheet_id, "sheet_text": str(sheet_id)}
    rows = [row for row in _stood(session, asked, at) if row["run_sheet_id"] == str(sheet_id)]
    mapped = {(source, who): to for source, who, to in session.execute(_MAPPINGS, {"practice": practice_id})}
    facts = [_facts(row, mapped) for row in rows if row["hidden_cause"] is None]
    worded = row_words.SAME_WORDS[session.get_bind().dialect.name]
    return Past(facts, digest(map(worded, map(_all_typed, rows))), wiped_version is not None)


def digests(session: Session, sheet_ids: Collection[UUID], now: datetime) -> dict[str, dict[str, str]]:
    """{day: {"at", "digest"}} of these sheets as they are, hidden rows included; to be kept with a run.

    Rows stream by as texts the database makes: memory does not grow with the day.
    """
    connection, told = session.connection(), {}
    worded = row_words.STATEMENTS[connection.dialect.name]
    for id_, day in session.execute(select(RunSheet.id, RunSheet.day).where(RunSheet.id.in_(sheet_ids))).all():
        rows = connection.execute(worded, {"sheet": id_}, execution_options={"yield_per": 1000}).scalars()
        told[day.isoformat()] = {"at": now.isoformat(), "digest": digest(rows)}
    return told


def _stood(session: Session, asked: Mapping[str, Any], at: datetime) -> Iterator[dict[str, Any]]:
    """The rows concerned, each as it stood."""
    now: dict[str, dict[str, Any]] = {}
    events = defaultdict(list)
    for *values, told_at, changes in session.execute(_ROWS_AND_EVENTS, asked):
        row = _plain(values)
        now[row["id"]] = row
        if told_at is not None:
            events[row["id"]].append(Event(told_at, changes))
    for id_, row in now.items():
        then = stood(row, datetime.fromisoformat(row["created_at"]), events[id_], at)
        if then is not None:
            yield then


def _plain(values: Iterable[Any]) -> dict[str, Any]:
    return dict(zip((column.name for column in row_words.REMEMBERED), map(plain, values), strict=True))


def _facts(row: Mapping[str, Any], mapped: Mapping[tuple[UUID, str], UUID | None]) -> RowFacts:
    """The row's facts; its clinician as the practitioner it had then is mapped now."""
    values = {name: _typed(column, row[column]) for name, column in _FACTS.items()}
    if values["clinician_id"] is None and values["connection_id"] is not None:
        values["clinician_id"] = mapped.get((values["connection_id"], values["practitioner_id"]))
    for name in _STATUSES:
        values[name] = None if values[name] is None else Status(values[name])
    return RowFacts(**values)


def _all_typed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _typed(name, value) for name, value in row.items()}


def _typed(column: str, value: Any) -> Any:
    """What `plain` made JSON of, as it was."""
    kind = _ROWS.c[column].type
    if value is None:
        return None
    if isinstance(kind, UtcDateTime):
        return datetime.fromisoformat(value)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    return UUID(value) if isinstance(kind, Uuid) else value
