"""Tombstones: which rows a sweep should have brought, striking rows out, bringing them back. No row is ever deleted.

Only rows of the connection itself are touched: a walk-in has none, and no other system's rows have this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session

from app.store import case_pages
from app.store.appointments import Source, raise_versions
from app.store.columns import plain
from app.store.models import Appointment, AppointmentEvent, RunSheet
from app.store.models.runsheet import RowKind


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one chain of pages covers: a practitioner ("" for everybody) and the time from `start` to before `end`."""

    practitioner_id: str
    start: datetime
    end: datetime


def expected(session: Session, connection_id: UUID, stretch: Stretch) -> dict[str, date]:
    """Ids stored for a stretch that a whole reading should bring again, each with its day on the sheet.

    Hidden rows are not expected: nobody sees them, and they are looked for again once they are shown.
    """
    rows = session.execute(
        select(Appointment.pms_appointment_id, RunSheet.day)
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(*_within(connection_id, stretch))
    )
    return {str(external_id): day for external_id, day in rows}


def expected_ids(session: Session, connection_id: UUID, stretch: Stretch) -> list[str]:
    """The same ids without their days: asked at the end of every chain, of every row in it, so they come as one value:
    a row fetched for each costs more than finding them all.
    """
    connection = session.connection()
    together, apart = _TOGETHER[connection.dialect.name]
    wanted = select(together(Appointment.pms_appointment_id)).where(*_within(connection_id, stretch))
    return apart(connection.execute(wanted).scalar_one())


#: By database: how ids are put into one value, and taken out of it again.
_TOGETHER: Mapping[str, tuple[Callable[..., ColumnElement[Any]], Callable[[Any], list[str]]]] = {
    "sqlite": (func.json_group_array, json.loads),
    "postgresql": (func.array_agg, lambda ids: ids or []),
}


def _within(connection_id: UUID, stretch: Stretch) -> list[ColumnElement[bool]]:
    where = [*_standing(connection_id), Appointment.starts_at >= stretch.start, Appointment.starts_at < stretch.end]
    if stretch.practitioner_id:
        where.append(Appointment.pms_practitioner_id == stretch.practitioner_id)
    return where


def place_of(session: Session, connection_id: UUID, external_id: str) -> tuple[date, str]:
    """(day, practitioner) of a stored row."""
    row = session.execute(
        select(RunSheet.day, Appointment.pms_practitioner_id)
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(Appointment.pms_connection_id == connection_id, Appointment.pms_appointment_id == external_id)
    ).one()
    return row.day, row.pms_practitioner_id or ""


def standing_on(session: Session, connection_id: UUID, day: date, external_ids: Collection[str]) -> set[str]:
    """Which of these ids still stand on that day's sheet, shown and not removed."""
    rows = session.scalars(
        select(Appointment.pms_appointment_id)
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(*_standing(connection_id), RunSheet.day == day, Appointment.pms_appointment_id.in_(external_ids))
    )
    return {str(external_id) for external_id in rows}


def count_on(session: Session, connection_id: UUID, days: Collection[date]) -> dict[date, int]:
    """How many rows of the connection stand on each of these days."""
    rows = session.execute(
        select(RunSheet.day, func.count())
        .join(Appointment, Appointment.run_sheet_id == RunSheet.id)
        .where(*_standing(connection_id), RunSheet.day.in_(days))
        .group_by(RunSheet.day)
    )
    return dict.fromkeys(days, 0) | {day: count for day, count in rows}  # noqa: C416 - rows are no tuples to mypy


def remove(
    session: Session, source: Source, external_ids: Collection[str], cause: str, by: UUID | None = None
) -> list[str]:
    """Strike rows out, with time and cause; the ids that were standing until now. Staff's columns stay as they are.

    by: the person who decided it, where it was not the run.
    """
    struck = {"removed_at": source.at, "removed_cause": cause, "removed_by_run": source.run_id}
    gone = _write(session, source, [*_standing(source.connection_id), _of(external_ids)], struck, by)
    case_pages.retire(session, source, gone, cause)
    return gone


def bring_back(
    session: Session, source: Source, external_ids: Collection[str], removed_at: datetime, by: UUID | None
) -> int:
    """Take a removal of that very moment back: rows that came back, or were removed again since, are left alone."""
    where = [
        Appointment.pms_connection_id == source.connection_id,
        Appointment.removed_at == removed_at,
        _of(external_ids),
    ]
    back = _write(session, source, where, dict.fromkeys(("removed_at", "removed_cause", "removed_by_run")), by)
    case_pages.restore(session, source, back)
    return len(back)


def _standing(connection_id: UUID) -> list[ColumnElement[bool]]:
    return [
        Appointment.pms_connection_id == connection_id,
        Appointment.kind == RowKind.APPOINTMENT,
        Appointment.removed_at.is_(None),
        Appointment.hidden_cause.is_(None),
    ]


def _of(external_ids: Collection[str]) -> ColumnElement[bool]:
    return Appointment.pms_appointment_id.in_(external_ids)


def _write(
    session: Session, source: Source, where: Sequence[ColumnElement[bool]], values: dict[str, Any], by: UUID | None
) -> list[str]:
    """Write the tombstone's columns, an event for each row, and raise the sheets. In id order: no two writers wait for
    each other for ever.
    """
    rows = session.execute(
        select(Appointment.id, Appointment.run_sheet_id, Appointment.pms_appointment_id, Appointment.removed_at)
        .where(*where)
        .order_by(Appointment.id)
        .with_for_update(key_share=True)
    ).all()
    if not rows:
        return []
    session.execute(
        update(Appointment)
        .where(Appointment.id.in_([row.id for row in rows]))
        .values(**values, row_version=Appointment.row_version + 1, updated_at=source.at)
        .execution_options(synchronize_session=False)
    )
    shared = {
        "practice_id": source.practice_id,
        "at": source.at,
        "kind": "pms" if source.run_id else "rules",  # a person's decision is told as theirs
        "sync_run_id": source.run_id,
        "user_id": by,
    }
    session.execute(
        insert(AppointmentEvent),
        [
            {
                **shared,
                "id": uuid4(),
                "appointment_id": row.id,
                "run_sheet_id": row.run_sheet_id,
                "changes": {"removed_at": [plain(row.removed_at), plain(values["removed_at"])]},
            }
            for row in rows
        ],
    )
    raise_versions(session, {row.run_sheet_id for row in rows})
    return [str(row.pms_appointment_id) for row in rows]
