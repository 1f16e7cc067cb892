"""A practice's PMS connections: make, find, change state, and what a finished run leaves on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.domain.window import day_of, zone_of
from app.errors import InvalidInput, NotFound
from app.store import appointments, schedules
from app.store.db import Base
from app.store.models import PmsConnection, Practice, RunSheet, SyncRun
from app.store.models.connection import ConnectionState, Environment
from app.store.models.sync import RunState

_CONNECTIONS = Base.metadata.tables[PmsConnection.__tablename__]
#: Asked before every page of a sweep, and therefore made once.
_CHOICES = select(_CONNECTIONS.c.choices).where(_CONNECTIONS.c.id == bindparam("connection")).with_for_update(read=True)

#: Days that reconciliation by itself may look back. Each costs calls, and what lies further back nobody looks at.
LEAST_LOOKBACK, MOST_LOOKBACK = 0, 90
LOOKBACK_WRONG = (
    f"Days to look back are a whole number from {LEAST_LOOKBACK} (today alone) to {MOST_LOOKBACK}: each day more is "
    "asked of the other system every time. Type such a number."
)


def create(
    session: Session,
    practice: Practice,
    pms_type: str,
    name: str,
    environment: Environment,
    *,
    keeps_cases: bool = False,
) -> PmsConnection:
    """A draft: nothing is read until it is paired and active. keeps_cases: a case beside every appointment."""
    connection = PmsConnection(
        id=uuid4(),
        practice_id=practice.id,
        pms_type=pms_type,
        display_name=" ".join(name.split())[:255] or practice.name,
        environment=environment,
        state=ConnectionState.DRAFT,
        state_reason="not_paired",
        wizard={"step": "pair"},
        keeps_cases=keeps_cases,
        sync_frequency_minutes=1 if practice.is_demo else 15,
    )
    session.add(connection)
    session.flush()
    return connection


def of_practice(session: Session, practice_id: UUID, *, gone: bool = False) -> Sequence[PmsConnection]:
    query = select(PmsConnection).where(PmsConnection.practice_id == practice_id)
    if not gone:
        query = query.where(PmsConnection.state != ConnectionState.DISCONNECTED)
    return session.scalars(query.order_by(PmsConnection.created_at)).all()


def everywhere(session: Session) -> Sequence[PmsConnection]:
    """All connections of all practices: for the operator's own commands."""
    return session.scalars(select(PmsConnection).order_by(PmsConnection.created_at)).all()


def one_of_practice(session: Session, practice_id: UUID, connection_id: UUID) -> PmsConnection:
    """Raises NotFound, also for another practice's connection."""
    found = session.scalars(
        select(PmsConnection).where(PmsConnection.id == connection_id, PmsConnection.practice_id == practice_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such connection in this practice.")
    return found


def get(session: Session, connection_id: UUID) -> PmsConnection:
    """A connection whatever the practice: for the engine and the operator's commands."""
    found = session.get(PmsConnection, connection_id)
    if found is None:
        raise NotFound(f"There is no connection {connection_id}.")
    return found


def hold(session: Session, connection_id: UUID) -> None:
    """Wait for whoever decides about this connection (its runs, its choices), and make others wait for us.

    The first lock of a transaction, before its run, rows, sheets and schedules: one order, so that nobody waits in a
    circle. NO KEY: rows that merely refer to the connection do not wait.
    """
    session.execute(select(PmsConnection.id).where(PmsConnection.id == connection_id).with_for_update(key_share=True))


def hold_all(session: Session, practice_id: UUID) -> None:
    """As `hold`, for every connection of a practice, in an order that all who do this share."""
    mine = select(PmsConnection.id).where(PmsConnection.practice_id == practice_id).order_by(PmsConnection.id)
    session.execute(mine.with_for_update(key_share=True)).all()


def choices_stand(session: Session, connection_id: UUID) -> int:
    """The number of the practice's present choices, which stay as they are until the transaction ends."""
    number: int = session.connection().execute(_CHOICES, {"connection": connection_id}).scalar_one()
    return number


def bind_tenant(session: Session, connection: PmsConnection, tenant_id: str, *, typed: bool = False) -> None:
    """Tie the connection to the vendor's practice. Raises InvalidInput when another live connection has it already.

    Re-pairing with the same tenant keeps everything; with another one it is refused, so that one practice's mappings
    never meet another practice's patients. typed: by credentials; the fault is the whole form's, not the code's.
    """
    field, who = ("", "Those credentials belong") if typed else ("code", "That code belongs")
    if connection.tenant_id is not None and connection.tenant_id != tenant_id:
        raise InvalidInput({field: f"{who} to another practice. Disconnect this connection first, then pair anew."})
    connection.tenant_id = tenant_id
    try:
        with session.begin_nested():
            session.flush()
    except IntegrityError:
        raise InvalidInput(
            {field: "That practice is already connected to a Runsheet practice. Disconnect it there first."}
        ) from None


def set_state(connection: PmsConnection, state: ConnectionState, reason: str | None = None) -> bool:
    """Whether that changed anything a person would see."""
    changed = (connection.state, connection.state_reason) != (state, reason)
    connection.state, connection.state_reason = state, reason
    return changed


def activate(session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> None:
    """Go live: syncing starts at the next tick."""
    set_state(connection, ConnectionState.ACTIVE)
    connection.failures = 0
    connection.login_failures = 0
    schedules.keep(session, connection, practice, now)


def pause(session: Session, connection: PmsConnection, now: datetime) -> None:
    """Nothing is read until somebody resumes it: what waits is called off, what runs ends by itself."""
    if connection.state not in (ConnectionState.ACTIVE, ConnectionState.NEEDS_ATTENTION):
        raise InvalidInput("Only a connection that syncs can be paused.")
    hold(session, connection.id)
    set_state(connection, ConnectionState.PAUSED)
    session.execute(
        update(SyncRun)
        .where(SyncRun.pms_connection_id == connection.id, SyncRun.state == RunState.QUEUED)
        .values(state=RunState.CANCELLED, reason="cancelled", completed_at=now)
    )
    tell_sheets(session, connection.practice_id, now)


def resume(session: Session, connection: PmsConnection, practice: Practice, now: datetime) -> None:
    if connection.state not in (ConnectionState.PAUSED, ConnectionState.NEEDS_ATTENTION):
        raise InvalidInput("Only a paused connection, or one that needs attention, can be resumed.")
    activate(session, connection, practice, now)
    tell_sheets(session, practice.id, now)


def after_run(
    session: Session,
    connection: PmsConnection,
    *,
    state: RunState,
    reason: str | None,
    needs_a_person: bool,
    now: datetime,
) -> None:
    """What a run leaves behind: last result, failures in a row, and the health word the pages show.

    Only a run that met no fault of the kind a person must mend takes a connection out of their hands again.
    """
    before = (connection.state, connection.state_reason, connection.last_sync_status, connection.last_sync_error)
    good = state in (RunState.SUCCESS, RunState.PARTIAL)
    connection.last_sync_at, connection.last_sync_status, connection.last_sync_error = now, state, reason
    if state is RunState.SUCCESS:
        connection.last_good_at = now
    connection.failures = 0 if good else connection.failures + (state is RunState.FAILED)
    if connection.state in (ConnectionState.ACTIVE, ConnectionState.NEEDS_ATTENTION):
        if needs_a_person:
            set_state(connection, ConnectionState.NEEDS_ATTENTION, reason)
        elif good:
            set_state(connection, ConnectionState.ACTIVE)
    after = (connection.state, connection.state_reason, connection.last_sync_status, connection.last_sync_error)
    if before != after:
        tell_sheets(session, connection.practice_id, now)


def change_lookback(connection: PmsConnection, days: int) -> None:
    """How far back reconciliation by itself looks; in force with the next one. Raises InvalidInput."""
    if not LEAST_LOOKBACK <= days <= MOST_LOOKBACK:
        raise InvalidInput({"lookback": LOOKBACK_WRONG})
    connection.lookback_days = days


def tell_sheets(session: Session, practice_id: UUID, now: datetime, extra_days: Sequence[date] = ()) -> None:
    """A connection's health is part of what today's and tomorrow's sheets show: raise their versions."""
    practice = session.get_one(Practice, practice_id)
    today = day_of(now, zone_of(practice.timezone))
    days = {today, today + timedelta(days=1), *extra_days}
    found = session.scalars(select(RunSheet.id).where(RunSheet.practice_id == practice_id, RunSheet.day.in_(days)))
    appointments.raise_versions(session, list(found))
