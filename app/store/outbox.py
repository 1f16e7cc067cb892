"""The outbox: a status change leaves a line in its own transaction; a worker tells it and says how that went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.domain.status import Status
from app.domain.telling import TELLABLE, pause_after, to_tell
from app.errors import InvalidInput
from app.store.ids import new_ids
from app.store.models import Appointment, OutboxEntry, PmsConnection, User
from app.store.models.connection import ConnectionState
from app.store.models.outbox import OutboxState

#: A line a worker has taken is another's again after this long: it died over it.
_TAKEN_FOR = timedelta(minutes=5)


def choose(connection: PmsConnection, wanted: Sequence[str], offered: Sequence[Status]) -> list[str]:
    """What this connection's PMS is told from now on; nothing by default.

    Raises InvalidInput for what it cannot be told. What waits already is looked at again when its turn comes.
    """
    can = {one.value for one in offered}
    if strangers := sorted(set(wanted) - can):
        raise InvalidInput({"tells": f"It cannot be told: {', '.join(strangers)}."})
    connection.tells = [one.value for one in TELLABLE if one.value in wanted]
    return connection.tells


def note(session: Session, row: Appointment, by: UUID, now: datetime, after: timedelta) -> None:
    """Staff have just changed the row's status. Whatever waited for it is overtaken; what is said now waits for
    `after`, until nobody can undo it any more.
    """
    if row.pms_connection_id is None:
        return
    connection = session.get(PmsConnection, row.pms_connection_id)
    assert connection is not None, "a row whose connection is gone"
    if not connection.tells:  # what waits from before is dropped when its turn comes
        return
    session.execute(
        update(OutboxEntry)
        .where(OutboxEntry.appointment_id == row.id, OutboxEntry.state == OutboxState.WAITING)
        .values(state=OutboxState.OVERTAKEN, ended_at=now)
    )
    status = standing(row, connection)
    if status is not None:
        session.add(
            OutboxEntry(
                id=new_ids(1)[0],
                practice_id=row.practice_id,
                pms_connection_id=connection.id,
                appointment_id=row.id,
                key=f"status:{row.id}:{row.row_version}",
                status=status.value,
                created_at=now,
                created_by=by,
                due_at=now + after,
            )
        )


def standing(row: Appointment, connection: PmsConnection) -> Status | None:
    """What the PMS is to be told of the row as things stand."""
    if row.removed_at is not None or row.hidden_cause is not None:
        return None
    said = Status(row.staff_status) if row.staff_status else None
    known = Status(row.pms_status) if row.pms_status else None
    return to_tell(said, known, connection.tells)


def due_connections(session: Session, now: datetime, limit: int = 200) -> list[UUID]:
    """Connections with something to tell, whoever waits longest first. Those that do not sync wait."""
    rows = session.execute(
        select(OutboxEntry.pms_connection_id)
        .join(PmsConnection, PmsConnection.id == OutboxEntry.pms_connection_id)
        .where(
            OutboxEntry.state == OutboxState.WAITING,
            OutboxEntry.due_at <= now,
            PmsConnection.state == ConnectionState.ACTIVE,
        )
        .group_by(OutboxEntry.pms_connection_id)
        .order_by(func.min(OutboxEntry.due_at))
        .limit(limit)
    )
    return [connection_id for (connection_id,) in rows]


def take(session: Session, connection_id: UUID, now: datetime) -> tuple[OutboxEntry, Appointment] | None:
    """The next line that is due, ours for some minutes; None where there is none. Two workers never take the same."""
    entry = session.scalars(
        select(OutboxEntry)
        .where(
            OutboxEntry.pms_connection_id == connection_id,
            OutboxEntry.state == OutboxState.WAITING,
            OutboxEntry.due_at <= now,
        )
        .order_by(OutboxEntry.due_at, OutboxEntry.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if entry is None:
        return None
    entry.due_at = now + _TAKEN_FOR
    row = session.get(Appointment, entry.appointment_id)
    assert row is not None, "a line whose row is gone"
    return entry, row


def end(session: Session, entry_id: UUID, state: OutboxState, now: datetime, reason: str | None = None) -> None:
    """How it went; a line that somebody overtook meanwhile stays so."""
    session.execute(
        update(OutboxEntry)
        .where(OutboxEntry.id == entry_id, OutboxEntry.state == OutboxState.WAITING)
        .values(state=state, ended_at=now, reason=reason)
    )


def failed(session: Session, entry_id: UUID, reason: str, now: datetime) -> bool:
    """It did not work this time. Whether it is tried again; else it is given up."""
    entry = session.get(OutboxEntry, entry_id)
    assert entry is not None, "a line that is gone"
    entry.failures += 1
    entry.reason = reason
    pause = pause_after(entry.failures)
    if pause is None:
        end(session, entry_id, OutboxState.GIVEN_UP, now, reason)
    else:
        entry.due_at = now + pause
    return pause is not None


def put_back(session: Session, connection_id: UUID, now: datetime) -> None:
    """The connection itself does not work: what was due waits some minutes, and nothing of it counts as tried."""
    session.execute(
        update(OutboxEntry)
        .where(
            OutboxEntry.pms_connection_id == connection_id,
            OutboxEntry.state == OutboxState.WAITING,
            OutboxEntry.due_at <= now,
        )
        .values(due_at=now + _TAKEN_FOR)
    )


def of_row(session: Session, practice_id: UUID, appointment_id: UUID) -> Sequence[Mapping[str, Any]]:
    """What was told of a row, or waits to be, newest first; not what was overtaken before anybody heard of it."""
    rows = session.execute(
        select(
            OutboxEntry.status,
            OutboxEntry.state,
            OutboxEntry.reason,
            OutboxEntry.created_at,
            OutboxEntry.ended_at,
            User.name.label("by"),
        )
        .outerjoin(User, User.id == OutboxEntry.created_by)
        .where(
            OutboxEntry.appointment_id == appointment_id,
            OutboxEntry.practice_id == practice_id,
            OutboxEntry.state != OutboxState.OVERTAKEN,
        )
        .order_by(OutboxEntry.created_at.desc())
        .limit(20)
    ).mappings()
    return [dict(row) for row in rows]


def given_up(session: Session, connection_id: UUID, since: datetime) -> int:
    """How many could not be told since then."""
    counted = select(func.count()).where(
        OutboxEntry.pms_connection_id == connection_id,
        OutboxEntry.state == OutboxState.GIVEN_UP,
        OutboxEntry.ended_at >= since,
    )
    return session.scalar(counted) or 0
