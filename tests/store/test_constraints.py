"""Every constraint of the tables, violated: pairs that must be unique, rows that leave with their parent, and those
that hold it back. Drawn from the models, so that a new table is tested the day it is made.
"""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.store.db import Base, Store
from app.store.types import UtcDateTime
from tests.fakes.pms import NOW, TODAY

TABLES = Base.metadata.sorted_tables
_number = count(1)
#: Values of columns that name a word of a closed list.
WORDS = {"trigger": "manual", "sync_type": "manual", "state": "active", "environment": "simulator", "kind": "pms"}
OF_TABLE: dict[tuple[str, str], Any] = {
    ("pms_sync_log", "state"): "queued",
    ("run_sheet_appointments", "kind"): "appointment",
    ("run_sheet_appointments", "pms_appointment_id"): "a1",
    ("pms_connections", "tenant_id"): "tenant",
    ("pms_sync_log", "slot_utc"): NOW,
    ("sync_schedule", "kind"): "interval",
    ("memberships", "role"): "admin",
    ("cases", "pms_status"): "booked",
    ("cases", "status"): "draft",
    ("cases", "case_type"): "checkup",
    ("case_mappings", "kind"): "status",
    ("case_mappings", "value"): "draft",
    ("patients", "origin"): "hand",
    ("patient_external_ids", "linked_by"): "person",
    ("discovery_reviews", "doubt"): "several",
}


def value_of(column: Column[Any]) -> Any:
    """Something legal for that column."""
    at = (column.table.name, column.name)
    if at in OF_TABLE:
        return OF_TABLE[at]
    if column.name in WORDS:
        return WORDS[column.name]
    kind, number = column.type.python_type, next(_number)
    if isinstance(column.type, UtcDateTime):
        return NOW
    of_kind: dict[type, Any] = {
        UUID: uuid4(),
        str: f"x{number}"[: getattr(column.type, "length", None) or 20],
        int: number,
        bool: True,
        date: TODAY,
        bytes: number.to_bytes(32, "big"),
        object: {},  # JSON
    }
    return of_kind[kind]


def row_of(table: Table, parents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Every column that must have a value, those that constraints speak of, and every reference to another table."""
    spoken_of = {column.name for _, columns in unique_in(table) for column in columns}
    row: dict[str, Any] = {}
    for column in table.columns:
        parent = next(iter(column.foreign_keys), None)
        if parent is not None:
            row[column.name] = parents[parent.column.table.name][parent.column.name]
        elif (table.name, column.name) in OF_TABLE or column.name in spoken_of or needed(column):
            row[column.name] = value_of(column)
    return row


def needed(column: Column[Any]) -> bool:
    return column.primary_key or not (column.nullable or column.default is not None)


def unique_in(table: Table) -> list[tuple[str, list[Column[Any]]]]:
    """By name: what may be there only once."""
    pairs = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
    indexes = [one for one in table.indexes if one.unique]
    both: list[UniqueConstraint | Index] = [*pairs, *indexes]
    return [(str(one.name), list(one.columns)) for one in both]


def furnished(session: Session) -> dict[str, dict[str, Any]]:
    """One row of every table, each referring to the others."""
    rows: dict[str, dict[str, Any]] = {}
    for table in TABLES:
        rows[table.name] = row_of(table, rows)
        session.execute(insert(table).values(rows[table.name]))
    return rows


UNIQUE = [(table, name) for table in TABLES for name, _ in unique_in(table)]


@pytest.mark.parametrize(("table", "name"), UNIQUE, ids=[name for _, name in UNIQUE])
def test_what_may_be_there_once_is_there_once(store: Store, table: Table, name: str) -> None:
    with store.write() as session:
        rows = furnished(session)
    (columns,) = [found for one, found in unique_in(table) if one == name]
    alike = {column.name for column in columns}
    again = row_of(table, rows) | {one: rows[table.name][one] for one in alike}
    if name == "uq_pms_sync_log_running":
        again["state"] = "running"
        with store.write() as session:
            session.execute(table.update().values(state="running"))
    if table.name == "pms_sync_log":
        again["state"] = again["state"] if name.startswith("uq_pms_sync_log_") and "slot" not in name else "success"
        again["slot_utc"] = rows[table.name]["slot_utc"] if "slot" in name else None
    with pytest.raises(IntegrityError) as raised, store.write() as session:
        session.execute(insert(table).values(again))
    told = str(raised.value.orig)
    assert name in told or all(f"{table.name}.{one}" in told for one in alike), told


ENDS = {
    ("pms_sync_log", "uq_pms_sync_log_queued"): {"state": "success", "slot_utc": None},
    ("run_sheet_appointments", "uq_run_sheet_appointments_pms_id"): {"pms_appointment_id": None},
    ("pms_connections", "uq_pms_connections_tenant"): {"state": "disconnected"},
    ("patient_organization_affiliations", "uq_patient_organization_affiliations_standing"): {"ended_at": NOW},
}


@pytest.mark.parametrize(("table", "name"), ENDS, ids=[name for _, name in ENDS])
def test_a_partial_index_counts_only_those_it_is_about(store: Store, table: str, name: str) -> None:
    """A finished run, a walk-in without a vendor's id, a connection that was disconnected."""
    with store.write() as session:
        rows = furnished(session)
        found = Base.metadata.tables[table]
        for _ in range(2):
            session.execute(insert(found).values(row_of(found, rows) | ENDS[table, name]))


REFERENCES = [(table, key) for table in TABLES for column in table.columns for key in column.foreign_keys]


@pytest.mark.parametrize(
    ("table", "key"), REFERENCES, ids=[f"{table.name}.{key.parent.name}" for table, key in REFERENCES]
)
def test_every_reference_says_what_becomes_of_a_row_whose_parent_leaves(table: Table, key: ForeignKey) -> None:
    assert key.ondelete in ("CASCADE", "SET NULL", "RESTRICT")
    assert key.parent.nullable or key.ondelete == "CASCADE"


def test_a_practice_that_leaves_takes_everything_of_its_own_and_nothing_else(store: Store) -> None:
    """But not while its connection has rows: those are history, and a connection is disconnected, never deleted."""
    with store.write() as session:
        rows = furnished(session)
    tables = Base.metadata.tables
    practices, appointments = tables["practices"], tables["run_sheet_appointments"]
    connections, users = tables["pms_connections"], tables["users"]
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(delete(connections))
    with store.write() as session:
        session.execute(delete(users))
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(appointments)) == 1
        kept = session.execute(select(appointments.c.staff_status_by, appointments.c.staff_note_by)).one()
        assert tuple(kept) == (None, None), "what somebody wrote outlives their account"
    with store.write() as session:
        session.execute(delete(appointments))
        session.execute(delete(practices).where(practices.c.id == rows["practices"]["id"]))
    with store.read() as session:
        left = {one.name for one in TABLES if session.scalar(select(func.count()).select_from(one))}
    assert left == {"pms_app_tokens", "encryption_keys", "login_attempts"}


def test_a_reference_to_nobody_is_refused(store: Store) -> None:
    with store.write() as session:
        rows = furnished(session)
    table = Base.metadata.tables["run_sheets"]
    stray = row_of(table, rows) | {"practice_id": uuid4(), "day": date(2026, 1, 1)}
    with pytest.raises(IntegrityError), store.write() as session:
        session.execute(insert(table).values(stray))
