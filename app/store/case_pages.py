"""What a sweep writes of cases: beside a page of rows, in a constant number of statements, in the caller's transaction.

What enrichment read and what people edited is never named here, so no sweep can overwrite it; an animal's species and
breed are told by either.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Table, case, func, literal_column, null, or_, select, update
from sqlalchemy.orm import Session

from app.domain.cases import Origin, Visibility
from app.domain.decide import Stored
from app.domain.enrichment import Enrichment
from app.store import appointments
from app.store.appointments import Source
from app.store.bulk import BulkInsert
from app.store.db import Base
from app.store.models import Case

Row = dict[str, Any]

_CASES: Table = Base.metadata.tables[Case.__tablename__]
#: The columns a row of a page brings, with its `external_id` and `fingerprint`.
SWEPT = (
    "scheduled_at",
    "patient_id",
    "patient_name",
    "species",
    "breed",
    "client_id",
    "client_name",
    "client_phone",
    "client_email",
    "provider_id",
    "provider",
    "room",
    "reason",
    "type_name",
    "raw_status",
    "pms_status",
    "status",
    "case_type",
    "consultation_ref",
)
_REFRESHED = (*SWEPT, "appointment_id", "fingerprint")
#: Where an appointment does not tell them, what its consultation told stands.
_KEPT_WHERE_UNSAID = ("species", "breed")


@dataclass(frozen=True, slots=True)
class Written:
    """What a page did to cases."""

    created: int = 0
    updated: int = 0
    same: int = 0


def stored(session: Session, connection_id: UUID, external_ids: Collection[str]) -> dict[str, Stored]:
    """What deciding needs of the cases of these appointments, in one statement."""
    if not external_ids:
        return {}
    rows = session.execute(
        select(Case.external_id, Case.fingerprint, Case.deleted_at).where(
            Case.pms_connection_id == connection_id, Case.external_id.in_(external_ids)
        )
    )
    return {id_: Stored(print_ or b"", None, removed=gone is not None) for id_, print_, gone in rows}


def write(session: Session, source: Source, rows: Sequence[Row]) -> None:
    """Create and refresh cases: one statement for where their appointments are, one for all of them.

    A row maps every SWEPT column, `external_id` and `fingerprint`. Its appointment has been written before. A case
    met again is no tombstone any more; where its appointment now names another consultation, that is yet to be read.
    """
    if not rows:
        return
    placed = appointments.placed(session, source.connection_id, [row["external_id"] for row in rows])
    shared: Row = {
        "practice_id": source.practice_id,
        "pms_connection_id": source.connection_id,
        "origin": Origin.SYNC.value,
        "visibility": Visibility.PRIVATE.value,
        "enrichment_state": Enrichment.PENDING.value,
        "consultation_inferred": False,
        "created_run_id": source.run_id,
        "created_at": source.at,
        "updated_at": source.at,
    }
    made = [{**row, "id": uuid4(), "appointment_id": placed[row["external_id"]].id} for row in rows]
    _upsert.run(session.connection(), shared, made)


def retire(session: Session, source: Source, external_ids: Collection[str], reason: str) -> list[UUID]:
    """Tombstones for the cases of appointments that are gone; their status stays what it was. The ids of those cases.

    What a browser extension made is left alone: no sync brought it, so none can say it is gone.
    """
    if not external_ids:
        return []
    gone = session.execute(
        update(Case)
        .where(
            Case.pms_connection_id == source.connection_id,
            Case.external_id.in_(external_ids),
            Case.origin == Origin.SYNC,
            Case.deleted_at.is_(None),
        )
        .values(deleted_at=source.at, delete_reason=reason, deleted_by_run=source.run_id, updated_at=source.at)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    )
    return list(gone.scalars())


def restore(session: Session, source: Source, external_ids: Collection[str]) -> list[UUID]:
    """Take tombstones back, for removals that are undone. The ids of those cases."""
    if not external_ids:
        return []
    back = session.execute(
        update(Case)
        .where(
            Case.pms_connection_id == source.connection_id,
            Case.external_id.in_(external_ids),
            Case.deleted_at.is_not(None),
        )
        .values(deleted_at=None, delete_reason=None, deleted_by_run=None, updated_at=source.at)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    )
    return list(back.scalars())


def _meet_again(make: Any) -> Any:
    table, new = make.table, make.excluded
    renamed = table.c.consultation_ref.is_distinct_from(new.consultation_ref)
    told = {name: new[name] for name in _REFRESHED}
    told |= {name: func.coalesce(new[name], table.c[name]) for name in _KEPT_WHERE_UNSAID}
    pending: ColumnElement[str] = literal_column(f"'{Enrichment.PENDING.value}'")
    return make.on_conflict_do_update(
        index_elements=["practice_id", "pms_connection_id", "external_id"],
        set_=told
        | {
            "updated_at": new.updated_at,
            "enrichment_state": case((renamed, pending), else_=table.c.enrichment_state),
            "enrichment_reason": case((renamed, null()), else_=table.c.enrichment_reason),
        }
        | dict.fromkeys(("deleted_at", "delete_reason", "deleted_by_run"), null()),
        # A full re-read hands over every case; what it finds as it was is not written.
        where=or_(
            *(table.c[name].is_distinct_from(value) for name, value in told.items()),
            table.c.deleted_at.is_not(None),
        ),
    )


_SHARED = (
    "practice_id",
    "pms_connection_id",
    "origin",
    "visibility",
    "enrichment_state",
    "consultation_inferred",
    "created_run_id",
    "created_at",
    "updated_at",
)
_upsert = BulkInsert(_CASES, {"id", "external_id", *_SHARED, *_REFRESHED}, _meet_again)
