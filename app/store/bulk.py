"""Many rows of one table in one call of the driver.

SQLAlchemy would build a dictionary of parameters for every row and convert every value by itself, those that all rows
share included. Here the statement is compiled once, the shared values are converted once, and the others by
SQLAlchemy's own converters, so that the database gets the same as from any other statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

_INSERT: Mapping[str, Callable[[Table], Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
#: Drivers take values by position: no dictionary to look into.
_POSITIONAL: Mapping[str, Callable[[], Dialect]] = {
    "postgresql": lambda: postgresql.psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
    "sqlite": lambda: sqlite.pysqlite.dialect(paramstyle="qmark"),
}

Row = Mapping[str, Any]


class BulkInsert:
    """`INSERT` of some columns of a table, with whatever `conflict` adds to it. Make one per statement and keep it.

    columns: every column that is written; a row and what is shared name them all between them.
    conflict: gets the dialect's own insert and returns it with its ON CONFLICT clause; nothing bound may be in it.
    """

    def __init__(
        self, table: Table, columns: Iterable[str], conflict: Callable[[Any], Insert] = lambda made: made
    ) -> None:
        self._table = table
        self._columns = sorted(columns)
        self._conflict = conflict
        self._ready: dict[str, _Ready] = {}

    def run(self, connection: Connection, shared: Row, rows: Iterable[Row]) -> None:
        """Write the rows, each completed by what they share."""
        name = connection.dialect.name
        ready = self._ready.get(name)
        if ready is None:
            ready = self._ready[name] = _Ready(self._statement(name), self._table, self._columns, _POSITIONAL[name]())
        if values := ready.values(shared, rows):
            connection.exec_driver_sql(ready.sql, values)

    def _statement(self, dialect_name: str) -> Insert:
        return self._conflict(_INSERT[dialect_name](self._table))


class _Ready:
    """A statement in one database's own words, and how each of its values is handed over."""

    def __init__(self, statement: Insert, table: Table, columns: list[str], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self.sql = str(compiled)
        order: list[str] = list(compiled.positiontup)
        if sorted(order) != columns:
            raise ValueError("a bulk insert binds its columns and nothing else")
        self._pick = itemgetter(*order)
        converters = [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in order]
        #: What SQLAlchemy does to a value on its way in, where it does anything; and what it makes of None.
        self._converters = {name: (convert, convert(None)) for name, convert in converters if convert}

    def values(self, shared: Row, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
        """The rows as the driver takes them, in the statement's order."""
        alike = dict(shared)
        self._convert(alike, [(name, *self._converters[name]) for name in shared if name in self._converters])
        own = [(name, *how) for name, how in self._converters.items() if name not in shared]
        made = []
        for row in rows:
            values = {**alike, **row}
            self._convert(values, own)
            made.append(self._pick(values))
        return made

    @staticmethod
    def _convert(values: dict[str, Any], how: Iterable[tuple[str, Callable[[Any], Any], Any]]) -> None:
        for name, convert, of_none in how:
            value = values[name]
            values[name] = of_none if value is None else convert(value)
