"""The day, read: a handful of statements whatever the number of rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, and_, bindparam, func, null, select, type_coerce
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from app.domain.runsheet import Column, RowFacts
from app.domain.status import Status
from app.store.models import (
    Appointment,
    AppointmentEvent,
    Clinician,
    ClinicianMapping,
    PmsConnection,
    QuarantinedRecord,
    RemovalHold,
    RunSheet,
    Sweep,
)
from app.store.models.sync import HoldState
from app.store.types import UtcDateTime

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
_COLUMNS: list[Any] = [_RENAMED[name] if name in _RENAMED else getattr(Appointment, name) for name in _NAMES]
_MAPPED = and_(
    ClinicianMapping.pms_connection_id == Appointment.pms_connection_id,
    ClinicianMapping.pms_practitioner_id == Appointment.pms_practitioner_id,
)

# Built once: making these anew for every request costs more than running them.
_ROW = (
    select(*_COLUMNS)
    .outerjoin(ClinicianMapping, _MAPPED)
    .where(Appointment.id == bindparam("row"), Appointment.practice_id == bindparam("practice"))
)
# A day is read as the driver gives it and converted here, each kind of value by its place: going through a type's own
# converter for every value, empty or not, took longer than everything else about the page.

#: What a list of rows has no use for is not read for one.
_ONLY_ALONE = frozenset({"phone", "email", "birth_date", "comment"})
_DAY = (
    select(
        RunSheet.version,
        Appointment.hidden_cause,
        *(
            null() if name in _ONLY_ALONE else type_coerce(column, NullType())
            for name, column in zip(_NAMES, _COLUMNS, strict=True)
        ),
    )
    .select_from(RunSheet)
    .outerjoin(Appointment, Appointment.run_sheet_id == RunSheet.id)
    .outerjoin(ClinicianMapping, _MAPPED)
    .where(RunSheet.practice_id == bindparam("practice"), RunSheet.day == bindparam("day"))
)
_SWEEPS = select(
    Sweep.pms_connection_id,
    Sweep.practitioner_id,
    Sweep.completed_at,
    Sweep.changes_to,
    Sweep.received,
    Sweep.skipped,
).where(Sweep.practice_id == bindparam("practice"), Sweep.day == bindparam("day"))
_CLINICIANS = (
    select(Clinician.id, Clinician.name, Clinician.room, Clinician.room_link, Clinician.position)
    .where(Clinician.practice_id == bindparam("practice"), Clinician.active)
    .order_by(Clinician.position, Clinician.name)
)


@dataclass(frozen=True, slots=True)
class Connected:
    """What the sheet says about a connection. Named as in the table."""

    id: UUID
    pms_type: str
    display_name: str
    state: str
    state_reason: str | None
    sync_frequency_minutes: int
    last_sync_at: datetime | None
    last_sync_status: str | None
    last_sync_error: str | None
    last_good_at: datetime | None
    #: Records set aside and not settled: how many, and when the newest and the oldest of them became news.
    unreadable: int
    unreadable_newest_at: datetime | None
    unreadable_since: datetime | None
    #: Of the day that was asked about: rows whose removal waits for a person, and since when.
    held: int | None = None
    held_at: datetime | None = None


def _of_open_records(what: Any) -> Any:
    own = and_(QuarantinedRecord.pms_connection_id == PmsConnection.id, QuarantinedRecord.resolved_at.is_(None))
    return select(what).where(own).correlate(PmsConnection).scalar_subquery()


_UNREADABLE: dict[str, Any] = {
    "unreadable": _of_open_records(func.count()),
    "unreadable_newest_at": _of_open_records(func.max(QuarantinedRecord.opened_at)),
    "unreadable_since": _of_open_records(func.min(QuarantinedRecord.opened_at)),
}


_HELD: dict[str, Any] = {"held": RemovalHold.vanished, "held_at": RemovalHold.opened_at}
_ELSEWHERE = _UNREADABLE | _HELD
_CONNECTED = [
    _ELSEWHERE[one.name] if one.name in _ELSEWHERE else getattr(PmsConnection, one.name) for one in fields(Connected)
]
_CONNECTIONS = (
    select(*_CONNECTED)
    .outerjoin(
        RemovalHold,  # at most one a connection and day is open
        and_(
            RemovalHold.pms_connection_id == PmsConnection.id,
            RemovalHold.day == bindparam("day"),
            RemovalHold.state == HoldState.OPEN.value,
        ),
    )
    .where(PmsConnection.practice_id == bindparam("practice"))
    .order_by(PmsConnection.created_at)
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the page shows it has seen: the sheet's version and the time of its newest sweep."""

    version: int
    swept_at: datetime | None

    def __str__(self) -> str:
        return f"{self.version}.{int(self.swept_at.timestamp()) if self.swept_at else 0}"


@dataclass(frozen=True, slots=True)
class Account:
    """Where everything went that the PMS has on a day: received = what is shown of it + the sum of `hidden`.

    Shown, but not of it: walk-ins, and rows the PMS no longer knows. Of practitioners whose day was never read whole
    nothing is counted.

    changes_to: what changed since the day was last read whole was read up to then; None where that is not so for all.
    """

    received: int
    hidden: Counter[str]
    changes_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """A day as stored: version 0 where there is no sheet yet, no sweeps where it was never read."""

    version: int
    facts: Sequence[RowFacts]
    swept: Mapping[tuple[UUID, str], datetime]  # (connection, practitioner or "") -> when it was last read whole
    account: Account

    @property
    def stamp(self) -> Stamp:
        return Stamp(self.version, max(self.swept.values(), default=None))


def read_day(session: Session, practice_id: UUID, day: date) -> Day:
    """Everything about the day, in two statements. Tombstones are included; in no order.

    How to reach a patient is not part of a list: those fields are None here, and `row_of` has them.

    Sweeps are read first: a stamp that is too old asks once too often, one that is too new would hide a change.
    """
    swept, account = sweeps_of(session, practice_id, day)
    plain = _plain_facts(session.get_bind().dialect.name)
    found: Sequence[Any] = session.connection().execute(_DAY, {"practice": practice_id, "day": day}).all()
    return Day(
        version=found[0][0] if found else 0,
        facts=[plain(list(row[2:])) for row in found if row[2] is not None and row[1] is None],
        swept=swept,
        account=account,
    )


def rows_of(session: Session, practice_id: UUID, day: date) -> list[RowFacts]:
    """Every row a person should see on that day, by time."""
    return sorted(read_day(session, practice_id, day).facts, key=lambda facts: facts.starts_at)


def row_of(session: Session, practice_id: UUID, appointment_id: UUID) -> RowFacts | None:
    """One row of this practice."""
    row = session.execute(_ROW, {"practice": practice_id, "row": appointment_id}).one_or_none()
    return None if row is None else _facts(row)


def account_of(session: Session, practice_id: UUID, day: date) -> Account:
    """What the last sweeps of the day brought and what is left out, by cause."""
    return sweeps_of(session, practice_id, day)[1]


def columns_of(session: Session, practice_id: UUID) -> list[Column]:
    """The clinicians of the practice in their fixed order."""
    return [Column(*row) for row in session.connection().execute(_CLINICIANS, {"practice": practice_id})]


def connections_of(session: Session, practice_id: UUID, day: date | None = None) -> list[Connected]:
    """The practice's connections, each with what is held of that day."""
    asked = {"practice": practice_id, "day": day}
    return [Connected(*row) for row in session.connection().execute(_CONNECTIONS, asked)]


def undoable(session: Session, rows: Sequence[UUID], user_id: UUID, since: datetime) -> AppointmentEvent | None:
    """The newest status change of this person on one of these rows that nothing has overtaken (R24)."""
    if not rows:
        return None
    events = session.scalars(
        select(AppointmentEvent)
        .where(
            AppointmentEvent.appointment_id.in_(rows),
            AppointmentEvent.at >= since,
            AppointmentEvent.kind.in_(("status", "undo")),
        )
        .order_by(AppointmentEvent.at.desc())
    )
    settled: set[UUID] = set()
    for event in events:
        if event.appointment_id not in settled and event.kind == "status" and event.user_id == user_id:
            return event
        settled.add(event.appointment_id)
    return None


def stamp_of(session: Session, practice_id: UUID, day: date) -> Stamp:
    """The page's stamp by itself; a signed-in request gets it with its session in one statement (store.sessions)."""
    version = session.scalar(select(RunSheet.version).where(RunSheet.practice_id == practice_id, RunSheet.day == day))
    return Stamp(version or 0, session.scalar(newest_sweep(practice_id, day)))


def newest_sweep(practice_id: UUID, day: date) -> Select[datetime]:
    return select(func.max(Sweep.completed_at)).where(Sweep.practice_id == practice_id, Sweep.day == day)


def sweeps_of(session: Session, practice_id: UUID, day: date) -> tuple[dict[tuple[UUID, str], datetime], Account]:
    """When each part of the day was last read whole, and the account of it. One statement."""
    received, hidden, changed = 0, Counter[str](), list[datetime | None]()
    swept: dict[tuple[UUID, str], datetime] = {}
    for connection_id, practitioner_id, completed_at, changes_to, came, skipped in session.connection().execute(
        _SWEEPS, {"practice": practice_id, "day": day}
    ):
        received += came
        swept[connection_id, practitioner_id] = completed_at
        changed.append(changes_to)
        for cause, by_type in skipped.items():
            hidden[cause] += sum(by_type.values())
    told = [at for at in changed if at is not None]
    return swept, Account(received, +hidden, min(told) if told and len(told) == len(changed) else None)


def _facts(row: Sequence[object]) -> RowFacts:
    values = list(row)
    for index in _STATUS_AT:
        value = values[index]
        values[index] = None if value is None else Status(str(value))
    return RowFacts(*values)  # type: ignore[arg-type]


_STATUSES = {status.value: status for status in Status}
_INSTANTS_AT = tuple(index for index, column in enumerate(_COLUMNS) if isinstance(column.type, UtcDateTime))
_UUIDS_AT = tuple(index for index, column in enumerate(_COLUMNS) if isinstance(column.type, Uuid))
_PATIENTS_AT, _TELEHEALTH_AT = _NAMES.index("patients"), _NAMES.index("is_telehealth")
_uuid = lru_cache(maxsize=20_000)(UUID)


def _sqlite_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


def _plain_facts(dialect: str) -> Callable[[list[Any]], RowFacts]:
    """What makes RowFacts of a row as this database's driver gives it."""
    on_sqlite = dialect == "sqlite"
    instant: Callable[[Any], datetime] = _sqlite_instant if on_sqlite else _utc

    def facts(values: list[Any]) -> RowFacts:
        for index in _INSTANTS_AT:
            if values[index] is not None:
                values[index] = instant(values[index])
        for index in _STATUS_AT:
            if values[index] is not None:
                values[index] = _STATUSES[values[index]]
        if on_sqlite:
            for index in _UUIDS_AT:
                if values[index] is not None:
                    values[index] = _uuid(values[index])
            values[_TELEHEALTH_AT] = bool(values[_TELEHEALTH_AT])
            text = values[_PATIENTS_AT]
            values[_PATIENTS_AT] = None if text is None or text == "null" else json.loads(text)
        return RowFacts(*values)

    return facts
