"""Telling a PMS what reception said of a visit (R49): line by line from the outbox, each told once however often it is
tried, because the adapter reads before it writes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock, logs
from app.domain.status import Status
from app.errors import RunsheetError
from app.pms.errors import PmsBadRequest, PmsError, PmsForbidden, PmsNotFound
from app.pms.port import StatusWriter
from app.pms.registry import adapter_class
from app.store import connections, outbox, practices
from app.store.models import Appointment, OutboxEntry, PmsConnection
from app.store.models.connection import ConnectionState
from app.store.models.outbox import OutboxState
from app.sync.engine import Engine

log = logging.getLogger(__name__)

#: Of this one visit: telling it once more would bring the same answer.
_HOPELESS = (PmsNotFound, PmsBadRequest, PmsForbidden)


@dataclass(slots=True)
class Told:
    """How many lines were told, and how many could not be (some of those are tried again)."""

    told: int = 0
    failed: int = 0


def tell(engine: Engine, connection_id: UUID) -> Told:
    """Tell everything that is due of one connection. Ends early where the connection itself does not work."""
    result = Told()
    with engine.store.read() as session:
        connection = connections.get(session, connection_id)
        practice = practices.get(session, connection.practice_id)
    if connection.state != ConnectionState.ACTIVE or not offered(connection):
        return result
    with logs.bound(connection_id=str(connection_id)):
        try:
            adapter = engine.open(connection, practice, manual=False)
        except PmsError as error:
            _put_back(engine, connection_id, error)
            return result
        try:
            while _tell_next(engine, connection_id, cast(StatusWriter, adapter), result):
                pass
        finally:
            adapter.close()
    return result


def offered(connection: PmsConnection) -> tuple[Status, ...]:
    """What this connection's PMS can be told at all."""
    return adapter_class(connection.pms_type).capabilities.writes


def _tell_next(engine: Engine, connection_id: UUID, writer: StatusWriter, result: Told) -> bool:
    """Whether to go on."""

    def take(session: Session) -> tuple[OutboxEntry, Appointment, bool] | None:
        taken = outbox.take(session, connection_id, clock.now())
        if taken is None:
            return None
        entry, row = taken
        stands = outbox.standing(row, connections.get(session, connection_id)) == entry.status
        if not stands:
            outbox.end(session, entry.id, OutboxState.OVERTAKEN, clock.now())
        return entry, row, stands

    taken = engine.store.transact(take)
    if taken is None:
        return False
    entry, row, stands = taken
    if not stands:
        return True
    assert row.pms_appointment_id is not None, "a row of a connection has its id there"
    try:
        writer.set_status(row.pms_appointment_id, Status(entry.status))
    except _HOPELESS as error:
        _give_up(engine, entry, error)
        result.failed += 1
        return True
    except PmsError as error:
        reason = error.reason
        engine.store.transact(lambda session: outbox.failed(session, entry.id, reason, clock.now()))
        _put_back(engine, connection_id, error)
        result.failed += 1
        return False
    engine.store.transact(lambda session: outbox.end(session, entry.id, OutboxState.TOLD, clock.now()))
    result.told += 1
    return True


def _give_up(engine: Engine, entry: OutboxEntry, error: RunsheetError) -> None:
    reason = error.reason if isinstance(error, PmsError) else "bug"
    log.warning("a status could not be told", extra={"kind": entry.status, "reason": reason})
    engine.store.transact(lambda session: outbox.end(session, entry.id, OutboxState.GIVEN_UP, clock.now(), reason))


def _put_back(engine: Engine, connection_id: UUID, error: PmsError) -> None:
    """Nobody else of this connection fares better now: everything waits some minutes."""
    log.warning("nothing can be told now", extra={"reason": error.reason})
    engine.store.transact(lambda session: outbox.put_back(session, connection_id, clock.now()))
