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

from sqlalchemy import String, bindparam, case, delete, func, literal_column, select
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


def standing(session: Session, connection_id: UUID, chain: bytes, digest: bytes) -> Remembered | None:
    """What the page said; None where it is not remembered, or a row of it has changed since, for whatever reason.

    Every change of a row raises its row_version, and none ever falls: the sum stands when, and only when, all rows do.
    """
    connection = session.connection()
    asked = {"connection": connection_id, "chain": chain, "digest": digest}
    row = connection.execute(_RECALL, asked).one_or_none()
    if row is None:
        return None
    judged = tuple(Judged(date.fromisoformat(day), *rest) for day, *rest in json.loads(row.verdicts))
    shown = [id_ for one in judged if one.cause is None for id_ in one.ids]
    left_out = [id_ for one in judged if one.cause not in NOT_OURS for id_ in one.ids]
    if standing_of(session, connection_id, shown) != (row.shown, row.versions):
        return None
    if standing_of(session, connection_id, left_out) != (0, 0):
        return None
    return Remembered(judged, row.shown, row.versions)


def standing_of(session: Session, connection_id: UUID, ids: Sequence[str]) -> tuple[int, int]:
    """How many of these ids are shown, and their row_versions added up."""
    if not ids:
        return (0, 0)
    connection = session.connection()
    asked = {"connection": connection_id, "ids": _at_once[connection.dialect.name](ids)}
    count, versions = connection.execute(_STANDING[connection.dialect.name], asked).one()
    return count, versions


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


_RECALL = select(_PAGES.c.verdicts, _PAGES.c.shown, _PAGES.c.versions).where(
    _PAGES.c.pms_connection_id == bindparam("connection"),
    _PAGES.c.chain == bindparam("chain"),
    _PAGES.c.digest == bindparam("digest"),
)


def _count() -> Mapping[str, Any]:
    """How many of these ids are shown, and the sum of their row_versions. The ids travel as one value."""
    visible = (_ROWS.c.hidden_cause.is_(None)) & (_ROWS.c.removed_at.is_(None))
    counted = select(func.count(case((visible, 1))), func.coalesce(func.sum(case((visible, _ROWS.c.row_version))), 0))
    own = _ROWS.c.pms_connection_id == bindparam("connection")
    each = func.json_each(bindparam("ids", type_=String)).table_valued("value", name="wanted")
    array = bindparam("ids", type_=postgresql.ARRAY(String))
    wanted = func.unnest(array).table_valued("id").render_derived("wanted")
    row = (
        select(_ROWS.c.hidden_cause, _ROWS.c.removed_at, _ROWS.c.row_version)
        .where(own, _ROWS.c.pms_appointment_id == wanted.c.id)
        .limit(literal_column("1"))
        .lateral("row")
    )
    shown = (row.c.hidden_cause.is_(None)) & (row.c.removed_at.is_(None))
    return {
        "sqlite": counted.where(own, _ROWS.c.pms_appointment_id.in_(select(each.c.value))),
        "postgresql": select(
            func.count(case((shown, 1))), func.coalesce(func.sum(case((shown, row.c.row_version))), 0)
        ).select_from(wanted.join(row, literal_column("true"))),
    }


_STANDING = _count()


_at_once: Mapping[str, Callable[[Sequence[str]], Any]] = {"sqlite": json.dumps, "postgresql": list}
_KEY = ("pms_connection_id", "chain", "digest")
_TOLD = ("stamp", "read_at", "shown", "versions", "verdicts")
_keep = BulkInsert(
    _PAGES,
    ("practice_id", *_KEY, *_TOLD),
    lambda made: made.on_conflict_do_update(index_elements=_KEY, set_={name: made.excluded[name] for name in _TOLD}),
)
