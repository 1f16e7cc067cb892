"""The age of the truth: which practitioner's day was last read whole, and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.store.appointments import Source
from app.store.models import Sweep

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}

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
    if not swept:
        return
    make = _INSERT[session.get_bind().dialect.name](Sweep)
    session.execute(
        make.on_conflict_do_update(
            index_elements=["pms_connection_id", "day", "practitioner_id"],
            set_={name: make.excluded[name] for name in ("completed_at", "sync_run_id", "received", "skipped")},
        ),
        [
            {
                "practice_id": source.practice_id,
                "pms_connection_id": source.connection_id,
                "day": one.day,
                "practitioner_id": one.practitioner_id,
                "completed_at": source.at,
                "sync_run_id": source.run_id,
                "received": one.received,
                "skipped": one.refused,
            }
            for one in swept
        ],
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
