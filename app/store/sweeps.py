"""The age of the truth, and its account: which practitioner's day was last read whole, when, and what became of it.

A sweep's `received` and `skipped` begin as its own counts. Whoever later hides a row, brings one back or finds one
the sweep did not meet says so here in the same transaction, so that the account of the day still adds up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.domain.changes import Known
from app.domain.rules import CHOICES
from app.store.appointments import Source
from app.store.bulk import BulkInsert
from app.store.db import Base
from app.store.models import Sweep

#: cause -> type id ("" where there is none) -> how many.
Refused = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Swept:
    """One practitioner's day, read whole."""

    day: date
    practitioner_id: str
    received: int
    refused: Refused


def record(session: Session, source: Source, swept: Sequence[Swept]) -> None:
    """Remember complete sweeps. `source.at` is when the reading began: the truth is at least as fresh as that."""
    shared = {
        "practice_id": source.practice_id,
        "pms_connection_id": source.connection_id,
        "completed_at": source.at,
        "changes_to": None,
        "sync_run_id": source.run_id,
    }
    rows = [
        {"day": one.day, "practitioner_id": one.practitioner_id, "received": one.received, "skipped": one.refused}
        for one in swept
    ]
    _record.run(session.connection(), shared, rows)


_TOLD = ("completed_at", "changes_to", "sync_run_id", "received", "skipped")
_KEY = ("pms_connection_id", "day", "practitioner_id")
_record = BulkInsert(
    Base.metadata.tables[Sweep.__tablename__],
    ("practice_id", *_KEY, *_TOLD),
    lambda made: made.on_conflict_do_update(index_elements=_KEY, set_={name: made.excluded[name] for name in _TOLD}),
)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one row after its day was swept. `was`, `now`: the cause it is left out for, None: it is shown.

    came: 1 where the sweep did not meet it at all, the PMS told of it afterwards; -1 where it has left the day since.
    """

    day: date
    practitioner_id: str
    type_id: str
    was: str | None = None
    now: str | None = None
    came: int = 0


def settle(session: Session, connection_id: UUID, fates: Iterable[Fate]) -> None:
    """Bring the account of the days up to date. Days that were never swept have none."""
    fates = list(fates)
    if not fates:
        return
    rows = session.scalars(
        select(Sweep).where(Sweep.pms_connection_id == connection_id, Sweep.day.in_({fate.day for fate in fates}))
    )
    swept = {(row.day, row.practitioner_id): row for row in rows}
    for fate in fates:
        row = swept.get((fate.day, fate.practitioner_id)) or swept.get((fate.day, ""))
        if row is None:
            continue
        skipped = {cause: dict(by_type) for cause, by_type in row.skipped.items()}
        if fate.was is not None and not _take_out(skipped, fate) and fate.came < 0:
            continue  # it had left before the day was swept, behind the curtain: nobody counted it
        if fate.now is not None:
            by_type = skipped.setdefault(fate.now, {})
            by_type[fate.type_id] = by_type.get(fate.type_id, 0) + 1
        row.received, row.skipped = row.received + fate.came, skipped
    session.flush()


def _take_out(skipped: Refused, fate: Fate) -> bool:
    """One of those that were left out, if there is one; a choice and a sweep may call the same cause by two names."""
    for cause in (fate.was, *CHOICES):
        by_type = skipped.get(cause or "", {})
        if by_type.get(fate.type_id, 0) > 0:
            by_type[fate.type_id] -= 1
            return True
    return False


# --- changes read in between (P4) -------------------------------------------------------------------------------------


def known(session: Session, connection_id: UUID, days: Collection[date]) -> dict[tuple[date, str], Known]:
    """(day, practitioner) -> how far it was read."""
    rows = session.execute(
        select(Sweep.day, Sweep.practitioner_id, Sweep.completed_at, Sweep.changes_to).where(
            Sweep.pms_connection_id == connection_id, Sweep.day.in_(days)
        )
    )
    return {(day, who): Known(swept_at, changes_to) for day, who, swept_at, changes_to in rows}


def changes_read(session: Session, source: Source, parts: Iterable[tuple[date, str]]) -> None:
    """What changed in these parts was read, `source.at` being when the reading began. They become no fresher by it:
    only a whole reading says who is missing.
    """
    for day, practitioner_id in parts:
        session.execute(
            update(Sweep)
            .where(
                Sweep.pms_connection_id == source.connection_id,
                Sweep.day == day,
                Sweep.practitioner_id == practitioner_id,
                Sweep.completed_at <= source.at,
            )
            .values(changes_to=source.at)
        )


def forget_changes(session: Session, connection_id: UUID) -> None:
    """The practice chose anew: what changed was sorted by other rules, so it counts from the whole readings again."""
    session.execute(
        update(Sweep)
        .where(Sweep.pms_connection_id == connection_id, Sweep.changes_to.is_not(None))
        .values(changes_to=None),
        execution_options={"synchronize_session": False},
    )


def of_day(session: Session, practice_id: UUID, day: date) -> Sequence[Sweep]:
    return session.scalars(select(Sweep).where(Sweep.practice_id == practice_id, Sweep.day == day)).all()


def latest(session: Session, connection_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each connection last completed any sweep."""
    rows = session.execute(
        select(Sweep.pms_connection_id, func.max(Sweep.completed_at))
        .where(Sweep.pms_connection_id.in_(connection_ids))
        .group_by(Sweep.pms_connection_id)
    )
    return {connection_id: at for connection_id, at in rows}  # noqa: C416 - rows are not plain tuples to mypy
