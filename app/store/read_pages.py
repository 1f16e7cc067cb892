"""Pages of a PMS that were read and written before: which there are, whether their rows still stand, what they said.

A page is remembered with the ids it brought and how each was judged; nothing of a patient.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from app.domain.rules import Cause
from app.store.appointments import Source
from app.store.bulk import BulkInsert
from app.store.db import Base
from app.store.models import Appointment, ReadPage

_ROWS = Base.metadata.tables[Appointment.__tablename__]
_PAGES = Base.metadata.tables[ReadPage.__tablename__]


#: Ids with these causes are another page's affair: they may well be shown. None: they are shown by this one.
NOT_OURS = (None, Cause.DUPLICATE, Cause.OUTSIDE_WINDOW)


class Judged(NamedTuple):
    """Ids of a page that met with one verdict: the day they are on, the cause they were left out for, their type."""

    day: date
    cause: str | None
    type_id: str
    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a page said. shown: rows it put on the sheet; versions: their row_versions added up when it was written."""

    judged: tuple[Judged, ...]
    shown: int
    versions: int

    @property
    def ids(self) -> Iterator[str]:
        return (id_ for one in self.judged for id_ in one.ids)

    @property
    def shown_and_left_out(self) -> tuple[list[str], list[str]]:
        """The ids it shows, and those nothing may be shown of as long as the page stands."""
        shown = [id_ for one in self.judged if one.cause is None for id_ in one.ids]
        return shown, [id_ for one in self.judged if one.cause not in NOT_OURS for id_ in one.ids]


class Known(NamedTuple):
    """A page by what it was made from, and the chain it is of."""

    chain: bytes
    digest: bytes


def known(session: Session, connection_id: UUID, stamps: Mapping[bytes, bytes]) -> dict[bytes, set[bytes]]:
    """By chain: digests of its remembered pages. stamps: {chain: what its pages must have been read with}."""
    found: dict[bytes, set[bytes]] = {chain: set() for chain in stamps}
    rows = session.connection().execute(
        select(_PAGES.c.chain, _PAGES.c.digest, _PAGES.c.stamp).where(
            _PAGES.c.pms_connection_id == connection_id, _PAGES.c.chain.in_(list(stamps))
        )
    )
    for chain, digest, stamp in rows:
        if stamps[chain] == stamp:
            found[chain].add(digest)
    return found


def standing(session: Session, connection_id: UUID, pages: Sequence[Known]) -> list[Remembered | None]:
    """What each of these pages said; None where one is not remembered, or a row of it has changed since, for whatever
    reason. Two statements, however many pages.

    Every change of a row raises its row_version, and none ever falls: the sum stands when, and only when, all rows do.
    """
    found = _recalled(session, connection_id, set(pages))
    sums = standing_of(session, connection_id, [ids for one in found.values() for ids in one.shown_and_left_out])
    stands = {
        page
        for (page, one), shown, left_out in zip(found.items(), sums[::2], sums[1::2], strict=True)
        if shown == (one.shown, one.versions) and left_out == (0, 0)
    }
    return [found[page] if page in stands else None for page in pages]


def standing_of(session: Session, connection_id: UUID, lists: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """For each of these lists of ids: how many of them are shown, and their row_versions added up."""
    sums = [(0, 0)] * len(lists)
    if any(lists):
        connection = session.connection()
        name = connection.dialect.name
        for number, count, versions in connection.execute(
            _STANDING[name], {"connection": connection_id, **_at_once[name](lists)}
        ):
            sums[number] = (count, versions)
    return sums


def remember(session: Session, source: Source, chain: bytes, stamp: bytes, pages: Mapping[bytes, Remembered]) -> None:
    """Keep the pages of a chain that has ended."""
    shared = {
        "practice_id": source.practice_id,
        "pms_connection_id": source.connection_id,
        "chain": chain,
        "stamp": stamp,
        "read_at": source.at,
    }
    rows = [
        {"digest": digest, "shown": one.shown, "versions": one.versions, "verdicts": _words(one.judged)}
        for digest, one in pages.items()
    ]
    _keep.run(session.connection(), shared, rows)


def forget(session: Session, connection_id: UUID, chain: bytes, digests: Collection[bytes]) -> None:
    """Drop pages of a chain that were not met again."""
    if digests:
        session.connection().execute(
            delete(_PAGES).where(
                _PAGES.c.pms_connection_id == connection_id,
                _PAGES.c.chain == chain,
                _PAGES.c.digest.in_(list(digests)),
            )
        )


def forget_older(session: Session, practice_id: UUID, before: datetime) -> None:
    """Drop pages read before that time: the windows they belong to have moved on."""
    session.connection().execute(delete(_PAGES).where(_PAGES.c.practice_id == practice_id, _PAGES.c.read_at < before))


def _words(judged: Sequence[Judged]) -> bytes:
    return json.dumps([(one.day.isoformat(), one.cause, one.type_id, one.ids) for one in judged]).encode()


def _recalled(session: Session, connection_id: UUID, pages: Collection[Known]) -> dict[Known, Remembered]:
    chains, digests = ({page[at] for page in pages} for at in (0, 1))
    asked = {"connection": connection_id, "chains": list(chains), "digests": list(digests)}
    return {
        page: Remembered(_judged(verdicts), shown, versions)
        for chain, digest, verdicts, shown, versions in session.connection().execute(_RECALL, asked)
        if (page := Known(chain, digest)) in pages
    }


def _judged(verdicts: bytes) -> tuple[Judged, ...]:
    return tuple(Judged(date.fromisoformat(day), *rest) for day, *rest in json.loads(verdicts))


_RECALL = select(_PAGES.c.chain, _PAGES.c.digest, _PAGES.c.verdicts, _PAGES.c.shown, _PAGES.c.versions).where(
    _PAGES.c.pms_connection_id == bindparam("connection"),
    _PAGES.c.chain.in_(bindparam("chains", expanding=True)),
    _PAGES.c.digest.in_(bindparam("digests", expanding=True)),
)


def _count() -> Mapping[str, Any]:
    """By number of a list of ids: how many of them are shown, and the sum of their row_versions.

    Each id is looked up by itself, whatever the database knows of its tables: the outer join leaves SQLite no other
    order, the lateral one PostgreSQL none.
    """
    own = _ROWS.c.pms_connection_id == bindparam("connection")
    lists = func.json_each(bindparam("lists", type_=String)).table_valued("key", "value", name="lists")
    each = func.json_each(lists.c.value).table_valued("value", name="wanted", joins_implicitly=True)
    ids = bindparam("ids", type_=postgresql.ARRAY(String))
    numbers = bindparam("numbers", type_=postgresql.ARRAY(Integer))
    wanted = func.unnest(ids, numbers).table_valued("id", "number").render_derived("wanted")
    row = (
        select(_ROWS.c.hidden_cause, _ROWS.c.removed_at, _ROWS.c.row_version)
        .where(own, _ROWS.c.pms_appointment_id == wanted.c.id)
        .limit(literal_column("1"))
        .lateral("row")
    )
    here = own & (_ROWS.c.pms_appointment_id == each.c.value)
    return {
        "sqlite": _summed(lists.c.key, _ROWS).select_from(
            lists.join(each, literal_column("true")).join(_ROWS, here, isouter=True)
        ),
        "postgresql": _summed(wanted.c.number, row).select_from(wanted.join(row, literal_column("true"))),
    }


def _summed(number: ColumnElement[int], rows: FromClause) -> Select[Any]:
    shown = case(((rows.c.hidden_cause.is_(None)) & (rows.c.removed_at.is_(None)), rows.c.row_version))
    return select(number, func.count(shown), func.coalesce(func.sum(shown), 0)).group_by(number)


_STANDING = _count()


def _as_arrays(lists: Sequence[Sequence[str]]) -> dict[str, Any]:
    return {
        "ids": [id_ for ids in lists for id_ in ids],
        "numbers": [number for number, ids in enumerate(lists) for _ in ids],
    }


#: The ids travel as one value, or two.
_at_once: Mapping[str, Callable[[Sequence[Sequence[str]]], dict[str, Any]]] = {
    "sqlite": lambda lists: {"lists": json.dumps(lists)},
    "postgresql": _as_arrays,
}
_KEY = ("pms_connection_id", "chain", "digest")
_TOLD = ("stamp", "read_at", "shown", "versions", "verdicts")
_keep = BulkInsert(
    _PAGES,
    ("practice_id", *_KEY, *_TOLD),
    lambda made: made.on_conflict_do_update(index_elements=_KEY, set_={name: made.excluded[name] for name in _TOLD}),
)
