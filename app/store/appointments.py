"""What a sync writes: one page of rows, in a constant number of statements, in the caller's transaction.

Staff's own columns are never named here, so no sync can overwrite them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, bindparam, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.domain.decide import Stored
from app.store.columns import PMS_CONTENT, PMS_DERIVED, SEEN, changes_between, seen_stamps
from app.store.models import Appointment, AppointmentEvent, RunSheet
from app.store.models.runsheet import RowKind

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_KEY = ("pms_connection_id", "pms_appointment_id")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """On whose word something is written: a run of a connection (run_id None: a choice of the practice), and when."""

    practice_id: UUID
    connection_id: UUID
    run_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """What a page really changed. Rows that turned out equal to what is stored count as `same`."""

    created: int = 0
    updated: int = 0
    same: int = 0


def stored(session: Session, connection_id: UUID, external_ids: Collection[str]) -> dict[str, Stored]:
    """What is known of these ids of the vendor: one statement, however many there are."""
    if not external_ids:
        return {}
    rows = session.execute(
        select(
            Appointment.pms_appointment_id,
            Appointment.id,
            Appointment.fingerprint,
            Appointment.run_sheet_id,
            Appointment.hidden_cause,
            Appointment.absent_since,
            Appointment.removed_at,
        ).where(Appointment.pms_connection_id == connection_id, Appointment.pms_appointment_id.in_(external_ids))
    )
    return {
        str(external_id): Stored(id_, print_ or b"", sheet_id, hidden, absent is not None, removed is not None)
        for external_id, id_, print_, sheet_id, hidden, absent, removed in rows
    }


def write_page(
    session: Session, source: Source, creates: Sequence[Row], updates: Sequence[tuple[Stored, Row]]
) -> Written:
    """Create and refresh rows; events for what changed; versions of the touched sheets up by one.

    A row maps every PMS_CONTENT column, `pms_appointment_id`, `run_sheet_id` and `fingerprint`. Rows that come back
    from being hidden, absent or removed are revived. Nothing is written for an update that changes nothing.
    """
    old = _content_of(session, [known.id for known, _ in updates])
    changed: list[tuple[Stored, Row, dict[str, list[Any]]]] = []
    for known, row in updates:
        changes = changes_between(old[known.id], row)
        back = known.hidden_cause or known.absent or known.removed
        if back:
            changes |= _revival(old[known.id])
        if changes or known.run_sheet_id != row["run_sheet_id"]:
            changed.append((known, row, changes))
    shared: Row = {
        "practice_id": source.practice_id,
        "pms_connection_id": source.connection_id,
        "kind": RowKind.APPOINTMENT.value,
        "row_version": 1,
        "created_run_id": source.run_id,
        "created_at": source.at,
        "updated_at": source.at,
        "pms_last_synced_at": source.at,
    }
    rows = [_fresh(row, shared) for row in creates]
    rows += [_refreshed(row, shared, old[known.id]) for known, row, _ in changed]
    if not rows:
        return Written(same=len(updates))
    _upsert(session, rows)
    _tell(session, source, "pms", [(known.id, row["run_sheet_id"], changes) for known, row, changes in changed])
    touched = {row["run_sheet_id"] for row in rows} | {known.run_sheet_id for known, _, _ in changed}
    raise_versions(session, touched)
    return Written(created=len(creates), updated=len(changed), same=len(updates) - len(changed))


def hide(session: Session, source: Source, rows: Iterable[tuple[Stored, str]]) -> int:
    """Take rows off the sheet for a cause of the practice's own rules. They stay stored and come back when admitted."""
    due = [(known, cause) for known, cause in rows if known.hidden_cause is None]
    if not due:
        return 0
    session.execute(
        update(Appointment)
        .where(Appointment.id == bindparam("of_row"))
        .values(
            hidden_cause=bindparam("cause"),
            hidden_by_run=source.run_id,
            row_version=Appointment.row_version + 1,
            updated_at=source.at,
        )
        .execution_options(synchronize_session=False),
        [{"of_row": known.id, "cause": cause} for known, cause in due],
    )
    told = [(known.id, known.run_sheet_id, {"hidden_cause": [known.hidden_cause, cause]}) for known, cause in due]
    _tell(session, source, "rules", told)
    raise_versions(session, {known.run_sheet_id for known, _ in due})
    return len(due)


def reveal(session: Session, source: Source, rows: Sequence[Stored]) -> int:
    """Bring rows back that a rule hid, exactly as they were."""
    if not rows:
        return 0
    session.execute(
        update(Appointment)
        .where(Appointment.id.in_([known.id for known in rows]))
        .values(hidden_cause=None, hidden_by_run=None, row_version=Appointment.row_version + 1, updated_at=source.at)
        .execution_options(synchronize_session=False)
    )
    told = [(known.id, known.run_sheet_id, {"hidden_cause": [known.hidden_cause, None]}) for known in rows]
    _tell(session, source, "rules", told)
    raise_versions(session, {known.run_sheet_id for known in rows})
    return len(rows)


def expected_in(
    session: Session, connection_id: UUID, practitioner_id: str, start: datetime, end: datetime
) -> dict[str, Stored]:
    """Ids stored for a stretch of the sweep that a complete fetch should bring again.

    practitioner_id "" means all. Rows already known to be absent, hidden or removed are not expected.
    """
    where = and_(
        Appointment.pms_connection_id == connection_id,
        Appointment.starts_at >= start,
        Appointment.starts_at < end,
        Appointment.kind == RowKind.APPOINTMENT,
        Appointment.removed_at.is_(None),
        Appointment.absent_since.is_(None),
        Appointment.hidden_cause.is_(None),
    )
    if practitioner_id:
        where = and_(where, Appointment.pms_practitioner_id == practitioner_id)
    rows = session.execute(
        select(Appointment.pms_appointment_id, Appointment.id, Appointment.fingerprint, Appointment.run_sheet_id).where(
            where
        )
    )
    return {str(ext): Stored(id_, print_ or b"", sheet, None, False, False) for ext, id_, print_, sheet in rows}


def mark_absent(session: Session, source: Source, row: Stored) -> None:
    """The PMS says it has no such id any more. The row is kept and says so; removing is reconciliation's business."""
    session.execute(
        update(Appointment)
        .where(Appointment.id == row.id, Appointment.absent_since.is_(None))
        .values(absent_since=source.at, row_version=Appointment.row_version + 1, updated_at=source.at)
    )
    _tell(session, source, "pms", [(row.id, row.run_sheet_id, {"absent_since": [None, source.at.isoformat()]})])
    raise_versions(session, {row.run_sheet_id})


def practitioners_with_rows(session: Session, connection_id: UUID, start: datetime, end: datetime) -> set[str]:
    """Practitioners who still have rows in this stretch, listed by the PMS or not: their rows must not go stale."""
    found = session.scalars(
        select(Appointment.pms_practitioner_id)
        .where(
            Appointment.pms_connection_id == connection_id,
            Appointment.starts_at >= start,
            Appointment.starts_at < end,
            Appointment.removed_at.is_(None),
            Appointment.hidden_cause.is_(None),
        )
        .distinct()
    )
    return {practitioner_id for practitioner_id in found if practitioner_id}


def ensure_sheets(session: Session, practice_id: UUID, days: Collection[date]) -> dict[date, UUID]:
    """The sheets of these days, made where they are missing."""
    if not days:
        return {}
    make = _INSERT[session.get_bind().dialect.name](RunSheet).on_conflict_do_nothing(
        index_elements=["practice_id", "day"]
    )
    session.execute(make, [{"id": uuid4(), "practice_id": practice_id, "day": day} for day in sorted(days)])
    rows = session.execute(
        select(RunSheet.day, RunSheet.id).where(RunSheet.practice_id == practice_id, RunSheet.day.in_(days))
    )
    return {row.day: row.id for row in rows}


def raise_versions(session: Session, sheet_ids: Collection[UUID]) -> None:
    """Say that something visible changed on these sheets. In id order, so that two writers cannot deadlock."""
    if not sheet_ids:
        return
    ordered = sorted(sheet_ids)
    session.execute(select(RunSheet.id).where(RunSheet.id.in_(ordered)).order_by(RunSheet.id).with_for_update())
    session.execute(
        update(RunSheet)
        .where(RunSheet.id.in_(ordered))
        .values(version=RunSheet.version + 1)
        .execution_options(synchronize_session=False)
    )


def _content_of(session: Session, ids: Sequence[UUID]) -> dict[UUID, Mapping[str, Any]]:
    if not ids:
        return {}
    wanted = (*PMS_CONTENT, *SEEN, "hidden_cause", "absent_since")
    columns = [getattr(Appointment, name) for name in ("id", "removed_at", *wanted)]
    rows = session.execute(select(*columns).where(Appointment.id.in_(ids))).mappings()
    return {row["id"]: dict(row) for row in rows}


def _revival(old: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = ("hidden_cause", "absent_since", "removed_at")
    return {name: [str(old[name]), None] for name in names if old[name] is not None}


def _fresh(row: Row, shared: Row) -> Row:
    """A row that was not there before. Met for the first time, nobody knows since when it has its status."""
    stamps = dict.fromkeys(SEEN) | {"pms_status_changed_at": shared["created_at"]}
    return {**row, **shared, **stamps, "id": uuid4()}


def _refreshed(row: Row, shared: Row, old: Mapping[str, Any]) -> Row:
    return {**row, **shared, **seen_stamps(old, row["pms_status"], shared["updated_at"]), "id": old["id"]}


def _upsert(session: Session, rows: Sequence[Row]) -> None:
    """Insert or refresh by (pms_connection_id, pms_appointment_id); one statement for all."""
    table = Appointment.__table__
    make = _INSERT[session.get_bind().dialect.name](table)
    owned = {name: make.excluded[name] for name in (*PMS_CONTENT, *PMS_DERIVED)}
    session.connection().execute(
        make.on_conflict_do_update(
            index_elements=list(_KEY),
            index_where=table.c.pms_appointment_id.is_not(None),  # the unique index is partial
            set_=owned
            | {
                "row_version": table.c.row_version + 1,
                "updated_at": make.excluded.updated_at,
                "hidden_cause": None,
                "hidden_by_run": None,
                "absent_since": None,
                "removed_at": None,
                "removed_cause": None,
                "removed_by_run": None,
            },
            where=or_(
                table.c.fingerprint.is_distinct_from(make.excluded.fingerprint),
                table.c.run_sheet_id != make.excluded.run_sheet_id,
                table.c.hidden_cause.is_not(None),
                table.c.absent_since.is_not(None),
                table.c.removed_at.is_not(None),
            ),
        ),
        list(rows),
    )


def _tell(session: Session, source: Source, kind: str, told: Sequence[tuple[UUID, UUID, dict[str, list[Any]]]]) -> None:
    """One event per changed row: (row, sheet, {column: [old, new]})."""
    if not told:
        return
    events = [
        {
            "id": uuid4(),
            "practice_id": source.practice_id,
            "appointment_id": row_id,
            "run_sheet_id": sheet_id,
            "at": source.at,
            "kind": kind,
            "changes": changes,
            "sync_run_id": source.run_id,
        }
        for row_id, sheet_id, changes in told
    ]
    session.execute(insert(AppointmentEvent), events)
