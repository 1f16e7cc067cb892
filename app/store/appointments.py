"""What a sync writes: one page of rows, in a constant number of statements, in the caller's transaction.

Staff's own columns are never named here, so no sync can overwrite them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.domain.decide import Stored
from app.store.columns import PMS_CONTENT, PMS_DERIVED, SEEN, changes_between, plain, seen_stamps
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
    """What a page really changed of what is shown. Rows that turned out equal to what is stored count as `same`."""

    created: int = 0
    updated: int = 0
    same: int = 0


def stored(session: Session, connection_id: UUID, external_ids: Collection[str]) -> dict[str, Stored]:
    """What is known of these ids of the vendor, in one statement."""
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

    A row maps every PMS_CONTENT column, `is_telehealth`, `pms_appointment_id`, `run_sheet_id` and `fingerprint`. Rows
    met again are neither absent nor removed; they are shown, unless the row names a `hidden_cause`: such a row is kept
    up to date behind the curtain, and not counted. Nothing is written for an update that changes nothing.
    """
    old = _content_of(session, [known.id for known, _ in updates])
    changed = [(known, row, _changes(old[known.id], row)) for known, row in updates]
    changed = [(known, row, changes) for known, row, changes in changed if changes or _moved(known, row)]
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
    shown = sum(not row.get("hidden_cause") for _, row in updates)
    updated = sum(not row.get("hidden_cause") for _, row, _ in changed)
    if rows:
        _upsert(session, rows)
        for kind in ("pms", "rules"):
            told = [(known.id, row["run_sheet_id"], changes) for known, row, changes in changed]
            _tell(session, source, kind, [one for one in told if _kind_of(one[2]) == kind])
        raise_versions(session, {row["run_sheet_id"] for row in rows} | {known.run_sheet_id for known, _, _ in changed})
    return Written(created=len(creates), updated=updated, same=shown - updated)


def hide(session: Session, source: Source, rows: Sequence[Stored], cause: str) -> None:
    """Take rows off the sheet by a choice of the practice. They stay stored and come back when admitted."""
    _set_aside(session, source, [known for known in rows if known.hidden_cause is None], {"hidden_cause": cause})


def reveal(session: Session, source: Source, rows: Sequence[Stored]) -> None:
    """Bring rows back that a rule hid, exactly as they were."""
    _set_aside(session, source, rows, {"hidden_cause": None, "hidden_by_run": None})


def flag_telehealth(session: Session, source: Source, rows: Sequence[Stored], flag: bool) -> None:
    """Say of rows whether the practice calls them telehealth. Shown by the page, so versions rise."""
    _set_aside(session, source, rows, {"is_telehealth": flag})


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
    known = _sheets(session, practice_id, days)
    missing = sorted(set(days) - known.keys())
    if not missing:
        return known
    make = _INSERT[session.get_bind().dialect.name](RunSheet).on_conflict_do_nothing(
        index_elements=["practice_id", "day"]
    )
    session.execute(make, [{"id": uuid4(), "practice_id": practice_id, "day": day} for day in missing])
    return _sheets(session, practice_id, days)


def _sheets(session: Session, practice_id: UUID, days: Collection[date]) -> dict[date, UUID]:
    if not days:
        return {}
    rows = session.execute(
        select(RunSheet.day, RunSheet.id).where(RunSheet.practice_id == practice_id, RunSheet.day.in_(days))
    )
    return {row.day: row.id for row in rows}


def raise_versions(session: Session, sheet_ids: Collection[UUID]) -> None:
    """Say that something visible changed on these sheets. In id order, so that two writers cannot deadlock.

    NO KEY: everybody who has written an event holds a key share on its sheet, and two such writers would wait for
    each other for ever.
    """
    if not sheet_ids:
        return
    ordered = sorted(sheet_ids)
    session.execute(
        select(RunSheet.id).where(RunSheet.id.in_(ordered)).order_by(RunSheet.id).with_for_update(key_share=True)
    )
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


#: What keeps a row from being shown as usual: None in all three for one the sweep has just brought.
_STATE = ("hidden_cause", "absent_since", "removed_at")


def _changes(old: Mapping[str, Any], row: Row) -> dict[str, list[Any]]:
    """{column: [old, new]} of the content, and of what keeps the row from being shown."""
    state = dict.fromkeys(_STATE)
    if cause := row.get("hidden_cause"):
        state["hidden_cause"] = row["hidden_cause"] = old["hidden_cause"] or cause
    told = {name: [plain(old[name]), value] for name, value in state.items() if old[name] != value}
    return changes_between(old, row) | told


def _kind_of(changes: Mapping[str, Any]) -> str:
    """Whose doing it is: a row that only came or went by its hidden_cause is the doing of the practice's rules."""
    return "rules" if changes.keys() == {"hidden_cause"} else "pms"


def _moved(known: Stored, row: Row) -> bool:
    return bool(known.run_sheet_id != row["run_sheet_id"])


def _set_aside(session: Session, source: Source, rows: Sequence[Stored], values: Mapping[str, Any]) -> None:
    """Write `values` on rows by a choice of the practice: one statement, an event each, versions."""
    if not rows:
        return
    session.execute(
        update(Appointment)
        .where(Appointment.id.in_([known.id for known in rows]))
        .values(row_version=Appointment.row_version + 1, updated_at=source.at, **values)
        .execution_options(synchronize_session=False)
    )
    name, value = next(iter(values.items()))
    before = {known.id: known.hidden_cause if name == "hidden_cause" else not value for known in rows}
    _tell(session, source, "rules", [(row.id, row.run_sheet_id, {name: [before[row.id], value]}) for row in rows])
    raise_versions(session, {known.run_sheet_id for known in rows})


def _fresh(row: Row, shared: Row) -> Row:
    """A row that was not there before. Met for the first time, nobody knows since when it has its status."""
    stamps = dict.fromkeys(SEEN) | {"pms_status_changed_at": shared["created_at"]}
    return {**row, **shared, **stamps, "id": uuid4(), "hidden_cause": None, "hidden_by_run": None}


def _refreshed(row: Row, shared: Row, old: Mapping[str, Any]) -> Row:
    cause = row.get("hidden_cause")
    hidden = {"hidden_cause": cause, "hidden_by_run": shared["created_run_id"] if cause else None}
    return {**row, **shared, **hidden, **seen_stamps(old, row["pms_status"], shared["updated_at"]), "id": old["id"]}


def _upsert(session: Session, rows: Sequence[Row]) -> None:
    """Insert or refresh by (pms_connection_id, pms_appointment_id); one statement for all.

    What needs no writing was sorted out before: a condition here could only contradict what was counted and told.
    """
    table = Appointment.__table__
    make = _INSERT[session.get_bind().dialect.name](table)
    owned = {name: make.excluded[name] for name in (*PMS_CONTENT, *PMS_DERIVED, "hidden_cause", "hidden_by_run")}
    session.connection().execute(
        make.on_conflict_do_update(
            index_elements=list(_KEY),
            index_where=table.c.pms_appointment_id.is_not(None),  # the unique index is partial
            set_=owned
            | {
                "row_version": table.c.row_version + 1,
                "updated_at": make.excluded.updated_at,
                "absent_since": None,
                "removed_at": None,
                "removed_cause": None,
                "removed_by_run": None,
            },
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
