"""Records set aside, as people see and settle them: listed, opened, tried again, resolved. Never across practices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, defer

from app.errors import InvalidInput, NotFound, Unreadable
from app.security.vault import Vault
from app.store import connections, quarantine
from app.store.models import Appointment, QuarantinedRecord, RunSheet, SyncRun
from app.store.models.sync import Resolution

MOST_BECAUSE = 300
_ALREADY = "This record is not open any more."


@dataclass(frozen=True, slots=True)
class OnSheet:
    """The row a record has on a sheet, from when it could be read. hidden: it is kept, and not shown."""

    id: UUID
    day: date
    hidden: bool
    synced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Open records of a connection, and since when the oldest is open."""

    open: int
    since: datetime | None


def listed(
    session: Session,
    practice_id: UUID | None,
    *,
    connection_id: UUID | None = None,
    resolved: bool | None = False,
    limit: int = 50,
    offset: int = 0,
) -> Sequence[QuarantinedRecord]:
    """Open records, the newest first, or resolved ones, or both (None). Payloads stay where they are.

    practice_id None: of every practice, for the operator.
    """
    query = select(QuarantinedRecord).options(defer(QuarantinedRecord.payload))
    if practice_id is not None:
        query = query.where(QuarantinedRecord.practice_id == practice_id)
    if connection_id is not None:
        query = query.where(QuarantinedRecord.pms_connection_id == connection_id)
    if resolved is not None:
        settled = QuarantinedRecord.resolved_at
        query = query.where(settled.is_not(None) if resolved else settled.is_(None))
    order = QuarantinedRecord.resolved_at if resolved else QuarantinedRecord.opened_at
    return session.scalars(query.order_by(order.desc(), QuarantinedRecord.id).limit(limit).offset(offset)).all()


def one_of_practice(session: Session, practice_id: UUID, record_id: UUID) -> QuarantinedRecord:
    """Raises NotFound, also for another practice's record."""
    return _one(session, _by_id(record_id).where(QuarantinedRecord.practice_id == practice_id))


def get(session: Session, record_id: UUID) -> QuarantinedRecord:
    """A record whatever the practice: for the operator's commands."""
    return _one(session, _by_id(record_id))


def counts(session: Session, connection_id: UUID) -> Counts:
    found = session.execute(
        select(func.count(), func.min(QuarantinedRecord.opened_at)).where(
            QuarantinedRecord.pms_connection_id == connection_id, QuarantinedRecord.resolved_at.is_(None)
        )
    ).one()
    return Counts(*found)


def on_sheet(session: Session, records: Iterable[QuarantinedRecord]) -> dict[UUID, OnSheet]:
    """The rows these records have, by the record's id; in one statement."""
    wanted = {
        (one.pms_connection_id, one.external_id): one.id
        for one in records
        if one.external_id and one.kind == quarantine.APPOINTMENT
    }
    if not wanted:
        return {}
    rows = session.execute(
        select(
            Appointment.pms_connection_id,
            Appointment.pms_appointment_id,
            Appointment.id,
            RunSheet.day,
            Appointment.hidden_cause,
            Appointment.removed_at,
            Appointment.pms_last_synced_at,
        )
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(
            Appointment.pms_connection_id.in_({connection for connection, _ in wanted}),
            Appointment.pms_appointment_id.in_({external_id for _, external_id in wanted}),
        )
    )
    found = {}
    for connection_id, external_id, id_, day, cause, removed, at in rows:
        record_id = wanted.get((connection_id, external_id)) if connection_id and external_id else None
        if record_id is not None:
            found[record_id] = OnSheet(id_, day, bool(cause or removed), at)
    return found


def payload_of(session: Session, vault: Vault, record: QuarantinedRecord) -> str | None:
    """The record as the PMS sent it: patient data. None where it was wiped.

    Whoever asks writes down who wanted it. Raises Unreadable where it cannot be decrypted.
    """
    sealed = session.scalar(select(QuarantinedRecord.payload).where(QuarantinedRecord.id == record.id))
    if sealed is None:
        return None
    try:
        return vault.open(sealed, quarantine.place_of(record.practice_id, record.id))
    except Unreadable:
        raise Unreadable("This record cannot be decrypted: its key is not here, or it was altered.") from None


def days_of(session: Session, record: QuarantinedRecord) -> tuple[date, date] | None:
    """The days that were being read when it last came; None where that sync is not known any more."""
    run = session.get(SyncRun, record.last_run_id)
    return None if run is None else (run.window_from, run.window_to)


def ask_again(record: QuarantinedRecord, now: datetime) -> None:
    """The next sync of its connection asks for it by its id, where it has one. Raises InvalidInput."""
    if record.resolved_at is not None:
        raise InvalidInput(_ALREADY)
    record.asked_again_at = now


def ignore(session: Session, record: QuarantinedRecord, because: str, user_id: UUID | None, now: datetime) -> None:
    """A person has settled it; it stays so while it comes again unchanged. Raises InvalidInput."""
    because = " ".join(because.split())
    if record.resolved_at is not None:
        raise InvalidInput(_ALREADY)
    if not because:
        raise InvalidInput({"because": "Say why, for whoever looks at it later."})
    if len(because) > MOST_BECAUSE:
        raise InvalidInput({"because": f"Use at most {MOST_BECAUSE} characters; this has {len(because)}."})
    record.resolved_at, record.resolution, record.asked_again_at = now, Resolution.IGNORED, None
    record.resolved_by, record.resolved_because = user_id, because
    connections.tell_sheets(session, record.practice_id, now)


def reopen(session: Session, record: QuarantinedRecord, now: datetime) -> None:
    """Take back that it was ignored. Raises InvalidInput for a record that was settled otherwise."""
    if record.resolution != Resolution.IGNORED:
        raise InvalidInput("Only a record somebody chose to ignore can be opened again.")
    record.resolved_at = record.resolution = record.resolved_by = record.resolved_because = None
    record.opened_at = now
    connections.tell_sheets(session, record.practice_id, now)


def _by_id(record_id: UUID) -> Select[Any]:
    return select(QuarantinedRecord).where(QuarantinedRecord.id == record_id).options(defer(QuarantinedRecord.payload))


def _one(session: Session, query: Select[Any]) -> QuarantinedRecord:
    found: QuarantinedRecord | None = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("There is no such record in this practice.")
    return found


def wiped(session: Session, record_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these have lost their payload to the practice's limit."""
    gone = select(QuarantinedRecord.id).where(QuarantinedRecord.id.in_(record_ids), QuarantinedRecord.payload.is_(None))
    return set(session.scalars(gone)) if record_ids else set()
