"""What a sync writes: one page of rows, in a constant number of statements, in the caller's transaction.

Staff's own columns are never named here, so no sync can overwrite them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Select, String, Table, bindparam, func, literal_column, null, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.domain.decide import Stored
from app.store.bulk import BulkInsert
from app.store.columns import (
    PMS_CONTENT,
    PMS_DERIVED,
    SEEN,
    TOLD_ALONG,
    changes_between,
    plain,
    seen_stamps,
    told_along,
)
from app.store.db import Base
from app.store.ids import new_ids
from app.store.models import Appointment, AppointmentEvent, RunSheet
from app.store.models.runsheet import RowKind

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

Row = dict[str, Any]

_ROWS: Table = Base.metadata.tables[Appointment.__tablename__]
_EVENTS: Table = Base.metadata.tables[AppointmentEvent.__tablename__]


def _by_ids(*names: str) -> dict[str, Select[Any]]:
    """These columns of the rows of a connection with these ids, per database. Building it costs more than running it.

    To PostgreSQL the ids go as one array, and each is looked up by itself: left to choose, it would rather read every
    row of the connection for every page, as long as it has no statistics of a practice's first days.
    """
    wanted = func.unnest(bindparam("ids", type_=postgresql.ARRAY(String))).table_valued("id").render_derived("wanted")
    columns = [_ROWS.c[name] for name in names]
    own = select(*columns).where(_ROWS.c.pms_connection_id == bindparam("connection"))
    found = own.where(_ROWS.c.pms_appointment_id == wanted.c.id).limit(literal_column("1")).lateral("found")
    return {
        "postgresql": select(found).select_from(wanted.join(found, true())),
        "sqlite": own.where(_ROWS.c.pms_appointment_id.in_(bindparam("ids", expanding=True))),
    }


def _find(
    session: Session, statement: Mapping[str, Select[Any]], connection_id: UUID, ids: Collection[str]
) -> Sequence[Any]:
    connection = session.connection()
    asked = {"connection": connection_id, "ids": list(ids)}
    return connection.execute(statement[connection.dialect.name], asked).all()


#: What keeps a row from being shown as usual: None in both for one the sweep has just brought.
_STATE = ("hidden_cause", "removed_at")
_STORED = _by_ids("pms_appointment_id", "fingerprint", *_STATE, "row_version")
_CONTENT = _by_ids("pms_appointment_id", "id", "fingerprint", *PMS_CONTENT, *TOLD_ALONG, *_STATE)


@dataclass(frozen=True, slots=True)
class Source:
    """On whose word something is written: a run of a connection (run_id None: a choice of the practice), and when."""

    practice_id: UUID
    connection_id: UUID
    run_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """What a page really changed of what is shown, and the sheets that were touched.

    Rows that turned out equal to what is stored count as `same`.
    """

    created: int = 0
    updated: int = 0
    same: int = 0
    sheets: frozenset[UUID] = frozenset()


class Placed(NamedTuple):
    """Where a row is: itself, its sheet, and the cause it is hidden for, if it is."""

    id: UUID
    run_sheet_id: UUID
    hidden_cause: str | None


def stored(session: Session, connection_id: UUID, external_ids: Collection[str]) -> dict[str, Stored]:
    """What is known of these ids of the vendor, in one statement."""
    if not external_ids:
        return {}
    rows = _find(session, _STORED, connection_id, external_ids)
    return {
        external_id: Stored(print_ or b"", hidden, removed is not None, version)
        for external_id, print_, hidden, removed, version in rows
    }


def placed(session: Session, connection_id: UUID, external_ids: Collection[str]) -> dict[str, Placed]:
    """Where the rows of these ids of the vendor are."""
    rows = session.execute(
        select(
            Appointment.pms_appointment_id, Appointment.id, Appointment.run_sheet_id, Appointment.hidden_cause
        ).where(Appointment.pms_connection_id == connection_id, Appointment.pms_appointment_id.in_(external_ids))
    )
    return {str(external_id): Placed(id_, sheet_id, hidden) for external_id, id_, sheet_id, hidden in rows}


def write_page(session: Session, source: Source, creates: Sequence[Row], updates: Sequence[Row]) -> Written:
    """Create and refresh rows; events for what changed; versions of the touched sheets up by one.

    A row maps every PMS_CONTENT column, `is_telehealth`, `pms_appointment_id`, `run_sheet_id` and `fingerprint`. Rows
    met again are no longer removed; they are shown, unless the row names a `hidden_cause`: such a row is kept
    up to date behind the curtain, and not counted. An update that changes nothing leaves the row as it is.
    """
    old = _content_of(session, source.connection_id, [row["pms_appointment_id"] for row in updates])
    changed = [_Change(known := old[row["pms_appointment_id"]], row, _changes(known, row)) for row in updates]
    _remember(session, [one for one in changed if not (one.told or one.moved)])
    changed = [one for one in changed if one.told or one.moved]
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
    refreshed = [_refreshed(one, source) for one in changed]
    ids = new_ids(len(creates))
    rows = [_fresh(row, id_, source.at) for row, id_ in zip(creates, ids, strict=True)] + refreshed
    shown = sum(not row.get("hidden_cause") for row in updates)
    updated = sum(not one.row.get("hidden_cause") for one in changed)
    touched = frozenset(row["run_sheet_id"] for row in rows) | {one.old["run_sheet_id"] for one in changed}
    if rows:
        _upsert.run(session.connection(), shared, rows)
        for kind in ("pms", "rules"):
            told = [
                (one.old["id"], row["run_sheet_id"], one.told | told_along(one.old, row))
                for one, row in zip(changed, refreshed, strict=True)
                if _kind_of(one.told) == kind
            ]
            _tell(session, source, kind, told)
        raise_versions(session, {row["run_sheet_id"] for row in creates}.union(*map(_seen_on, changed)))
    return Written(created=len(creates), updated=updated, same=shown - updated, sheets=touched)


def hide(session: Session, source: Source, rows: Sequence[Placed], cause: str) -> None:
    """Take rows off the sheet by a choice of the practice. They stay stored and come back when admitted."""
    _set_aside(session, source, [known for known in rows if known.hidden_cause is None], {"hidden_cause": cause})


def reveal(session: Session, source: Source, rows: Sequence[Placed]) -> None:
    """Bring rows back that a rule hid, exactly as they were."""
    _set_aside(session, source, rows, {"hidden_cause": None, "hidden_by_run": None})


def flag_telehealth(session: Session, source: Source, rows: Sequence[Placed], flag: bool) -> None:
    """Say of rows whether the practice calls them telehealth. Shown by the page, so versions rise."""
    _set_aside(session, source, rows, {"is_telehealth": flag})


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
    known = sheets_of(session, practice_id, days)
    missing = sorted(set(days) - known.keys())
    if not missing:
        return known
    make = _INSERT[session.get_bind().dialect.name](RunSheet).on_conflict_do_nothing(
        index_elements=["practice_id", "day"]
    )
    session.execute(make, [{"id": uuid4(), "practice_id": practice_id, "day": day} for day in missing])
    return sheets_of(session, practice_id, days)


def sheets_of(session: Session, practice_id: UUID, days: Collection[date]) -> dict[date, UUID]:
    """Those of these days' sheets that there are."""
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
    if sheet_ids:
        ids, connection = {"ids": sorted(sheet_ids)}, session.connection()
        if connection.dialect.name == "postgresql":  # elsewhere there is one writer
            connection.execute(_HOLD_SHEETS, ids)
        connection.execute(_RAISE_SHEETS, ids)


_SHEETS: Table = Base.metadata.tables[RunSheet.__tablename__]
_THESE_SHEETS = _SHEETS.c.id.in_(bindparam("ids", expanding=True))
_HOLD_SHEETS = select(_SHEETS.c.id).where(_THESE_SHEETS).order_by(_SHEETS.c.id).with_for_update(key_share=True)
_RAISE_SHEETS = update(_SHEETS).where(_THESE_SHEETS).values(version=_SHEETS.c.version + 1)


class _Change(NamedTuple):
    """A row as it is, as it shall be, and {column: [old, new]} of what a person would notice."""

    old: Mapping[str, Any]
    row: Row
    told: dict[str, list[Any]]

    @property
    def moved(self) -> bool:
        return bool(self.old["run_sheet_id"] != self.row["run_sheet_id"])


def _content_of(session: Session, connection_id: UUID, external_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    if not external_ids:
        return {}
    rows = _find(session, _CONTENT, connection_id, external_ids)
    return {row.pms_appointment_id: dict(row._mapping) for row in rows}


def _changes(old: Mapping[str, Any], row: Row) -> dict[str, list[Any]]:
    """{column: [old, new]} of the content, and of what keeps the row from being shown."""
    state = dict.fromkeys(_STATE)
    if cause := row.get("hidden_cause"):
        state["hidden_cause"] = row["hidden_cause"] = old["hidden_cause"] or cause
    told = {name: [plain(old[name]), value] for name, value in state.items() if old[name] != value}
    return changes_between(old, row) | told


def _remember(session: Session, alike: Sequence[_Change]) -> None:
    """The PMS words these rows differently, to the same effect: take it in, so that they are not compared again."""
    reworded = [one for one in alike if one.old["fingerprint"] != one.row["fingerprint"]]
    if reworded:
        prints = [{"row": one.old["id"], "print": one.row["fingerprint"]} for one in reworded]
        session.connection().execute(_REWORD, prints)


_REWORD = (
    update(_ROWS)
    .where(_ROWS.c.id == bindparam("row"))
    .values(fingerprint=bindparam("print"), updated_at=_ROWS.c.updated_at)
)


def _seen_on(change: _Change) -> set[UUID]:
    """The sheets that look different by it: what goes on behind the curtain changes none."""
    before = {change.old["run_sheet_id"]} if change.old["hidden_cause"] is None else set()
    return before if change.row.get("hidden_cause") else before | {change.row["run_sheet_id"]}


def _kind_of(changes: Mapping[str, Any]) -> str:
    """Whose doing it is: a row that only came or went by its hidden_cause is the doing of the practice's rules."""
    return "rules" if changes.keys() == {"hidden_cause"} else "pms"


def _set_aside(session: Session, source: Source, rows: Sequence[Placed], values: Mapping[str, Any]) -> None:
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
    seen = [known for known in rows if name == "hidden_cause" or known.hidden_cause is None]
    raise_versions(session, {known.run_sheet_id for known in seen})


def _fresh(row: Row, id_: UUID, at: datetime) -> Row:
    """A row that was not there before, completed. Met for the first time, nobody knows since when it has its status."""
    row.update(_UNSEEN, pms_status_changed_at=at, id=id_, hidden_cause=None, hidden_by_run=None)
    return row


def _refreshed(change: _Change, source: Source) -> Row:
    old, row = change.old, change.row
    cause = row.get("hidden_cause")
    hidden = {"hidden_cause": cause, "hidden_by_run": source.run_id if cause else None}
    return {**row, **hidden, **seen_stamps(old, row, source.at), "id": old["id"]}


_UNSEEN: Row = dict.fromkeys(SEEN)
#: What a sweep writes into a row it has met before.
_REFRESHED = (*PMS_CONTENT, *PMS_DERIVED, "hidden_cause", "hidden_by_run")


def _meet_again(make: Any) -> Any:
    """A row met again is refreshed; by being met it is no longer removed.

    What needs no writing was sorted out before: a condition here could only contradict what was counted and told.
    """
    table = make.table
    return make.on_conflict_do_update(
        index_elements=["pms_connection_id", "pms_appointment_id"],
        index_where=table.c.pms_appointment_id.is_not(None),  # the unique index is partial
        set_={name: make.excluded[name] for name in (*_REFRESHED, "updated_at")}
        | {"row_version": table.c.row_version + literal_column("1")}
        | dict.fromkeys(("removed_at", "removed_cause", "removed_by_run"), null()),
    )


_SHARED = ("practice_id", "pms_connection_id", "kind", "row_version", "created_run_id", "created_at", "updated_at")
_upsert = BulkInsert(_ROWS, {"id", "pms_appointment_id", *_SHARED, *_REFRESHED}, _meet_again)
_add_events = BulkInsert(
    _EVENTS,
    ("id", "practice_id", "appointment_id", "run_sheet_id", "at", "kind", "changes", "sync_run_id"),
)


def _tell(session: Session, source: Source, kind: str, told: Sequence[tuple[UUID, UUID, dict[str, list[Any]]]]) -> None:
    """One event per changed row: (row, sheet, {column: [old, new]})."""
    shared: Row = {"practice_id": source.practice_id, "at": source.at, "kind": kind, "sync_run_id": source.run_id}
    _add_events.run(
        session.connection(),
        shared,
        [
            {"id": id_, "appointment_id": row_id, "run_sheet_id": sheet_id, "changes": changes}
            for id_, (row_id, sheet_id, changes) in zip(new_ids(len(told)), told, strict=True)
        ],
    )
