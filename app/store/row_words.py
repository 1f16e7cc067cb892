"""A row in words, for its digest: made by the database where rows are many, and by us of a row that once was.

Both wordings are the same to the letter: values as texts, in the columns' order, so quoted that no two rows share one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, String, Table, Uuid, bindparam, cast, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import array

from app.store.db import Base
from app.store.models import Appointment
from app.store.types import UtcDateTime

#: Columns no event tells of, and why nobody misses them. Every other column of a row is told when it changes.
FORGOTTEN: Mapping[str, str] = {
    "fingerprint": "how a sync tells whether it has seen this wording before; changes without any change of the row",
    "pms_last_synced_at": "when the content was last written: the time of the last event of a sync",
    "updated_at": "the time of the last event",
    "hidden_by_run": "the run of the event that hid it",
    "removed_by_run": "the run of the event that removed it",
    "removed_cause": "why it was removed; written with removed_at, and read from that event's run",
}

_ROWS: Table = Base.metadata.tables[Appointment.__tablename__]
REMEMBERED = [column for column in _ROWS.c if column.name not in FORGOTTEN]
_SQLITE = sqlite.dialect()
#: How SQLAlchemy writes a value of a column into SQLite, where it changes it at all.
_BINDS = {column.name: column.type.dialect_impl(_SQLITE).bind_processor(_SQLITE) for column in REMEMBERED}


def _of_the_sheet(words: ColumnElement[Any]) -> Select[Any]:
    return select(words).where(_ROWS.c.run_sheet_id == bindparam("sheet", type_=Uuid()))


def _as_sqlite_holds_it(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """JSON has two ways to say that there is nothing."""
    return func.nullif(column, "null", type_=String) if isinstance(column.type, JSON) else column


def _as_postgresql_words_it(column: ColumnElement[Any]) -> ColumnElement[str]:
    """An instant in UTC, whatever the session's zone."""
    if isinstance(column.type, UtcDateTime):
        return cast(func.timezone("UTC", column), String)
    if isinstance(column.type, JSON):
        return func.nullif(cast(column, String), "null")
    return cast(column, String)


STATEMENTS: Mapping[str, Select[Any]] = {
    "sqlite": _of_the_sheet(
        func.printf(",".join(["%Q"] * len(REMEMBERED)), *map(_as_sqlite_holds_it, REMEMBERED), type_=String)
    ),
    "postgresql": _of_the_sheet(cast(func.to_jsonb(array(map(_as_postgresql_words_it, REMEMBERED))), String)),
}


def _in_sqlites_words(row: Mapping[str, Any]) -> str:
    return ",".join(map(_quoted, ((_BINDS[name], row[name]) for name in _BINDS)))


def _quoted(how_and_value: tuple[Callable[[Any], Any] | None, Any]) -> str:
    how, value = how_and_value
    if value is None:
        return "NULL"
    text = str(value if how is None else how(value)).replace("'", "''")
    return f"'{text}'"


def _in_postgresqls_words(row: Mapping[str, Any]) -> str:
    return json.dumps([_worded(row[column.name]) for column in REMEMBERED], ensure_ascii=False)


def _worded(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        whole, _, fraction = value.astimezone(UTC).replace(tzinfo=None).isoformat(" ").partition(".")
        return f"{whole}.{fraction.rstrip('0')}" if fraction else whole
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


#: By database: the words of a row of typed values, {column: value} with every column of REMEMBERED.
SAME_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "sqlite": _in_sqlites_words,
    "postgresql": _in_postgresqls_words,
}
