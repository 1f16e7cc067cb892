"""Pairing, step by step. A code works once, so what it bought is committed before anything else can fail."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.names import clip
from app.errors import InvalidInput
from app.pms.errors import PmsError
from app.pms.factory import environment_for
from app.pms.port import Health
from app.pms.registry import adapter_class
from app.store import catalogue, connections, credentials, practices, tokens
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState, Environment
from app.sync.engine import Engine


@dataclass(frozen=True, slots=True)
class Paired:
    """Who the PMS says it is: for the question "is this you?"."""

    name: str | None
    timezone: str | None
    practice_timezone: str
    practitioners: int
    types: int

    @property
    def zones_differ(self) -> bool:
        return self.timezone is not None and self.timezone != self.practice_timezone


def new_connection(engine: Engine, practice_id: UUID, kind: str, name: str | None = None) -> PmsConnection:
    """A draft connection. Raises InvalidInput for a system we do not speak to."""
    vendor = adapter_class(kind)
    environment = Environment(environment_for(kind, engine.vendor(kind)))
    with engine.store.write() as session:
        practice = practices.get(session, practice_id)
        offers_notes = vendor.capabilities.consultations
        return connections.create(session, practice, kind, name or vendor.label, environment, keeps_cases=offers_notes)


def pair(engine: Engine, practice_id: UUID, connection_id: UUID, code: str) -> Paired:
    """Spend a pairing code for this connection, then ask who answered.

    Raises InvalidInput (a malformed code; another practice's; a practice that is connected already), PairingRefused,
    or another PmsError. Once the vendor accepted the code the practice it stands for is kept, whatever fails after.
    """
    with engine.store.read() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        practice = practices.get(session, practice_id)
    if adapter_class(connection.pms_type).pairing is None:
        raise InvalidInput({"code": "This system does not pair with a code."})
    tokens.forget_unreadable(engine.store, engine.vault, connection.pms_type)
    adapter = engine.open(connection, practice, manual=True)
    try:
        tenant_id = adapter.pair(code)
    finally:
        adapter.close()
    with engine.store.write() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        if connection.tenant_id is None:  # the draft may be older than the address that is set now
            connection.environment = environment_for(connection.pms_type, engine.vendor(connection.pms_type))
        connections.bind_tenant(session, connection, tenant_id)
        connection.wizard = {**connection.wizard, "step": "identity"}
        if connection.state == ConnectionState.NEEDS_ATTENTION:
            connection.login_failures = 0
    return read_catalogue(engine, practice_id, connection_id)


def read_catalogue(engine: Engine, practice_id: UUID, connection_id: UUID) -> Paired:
    """Ask a paired PMS who it is and whom and what it lists; keep that. Raises PmsError; then nothing is kept."""
    with engine.store.read() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        practice = practices.get(session, practice_id)
    adapter = engine.open(connection, practice, manual=True)
    try:
        identity = adapter.identity()
        people, types = adapter.practitioners(), adapter.appointment_types()
    finally:
        adapter.close()
    with engine.store.write() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        connections.hold(session, connection.id)
        connection.pms_name, connection.timezone = clip(identity.name, 255), identity.timezone
        catalogue.keep_practitioners(session, connection.id, people)
        catalogue.keep_types(session, connection.id, types)
    return Paired(identity.name, identity.timezone, practice.timezone, len(people), len(types))


def finish_pairing(engine: Engine, practice_id: UUID, connection_id: UUID) -> PmsConnection:
    """Go live. Raises InvalidInput where the connection is not paired."""
    with engine.store.write() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        if connection.tenant_id is None:
            raise InvalidInput("Pair this connection first; then it can go live.")
        connections.activate(session, connection, practices.get(session, practice_id), clock.now())
        connection.wizard = {**connection.wizard, "step": "done"}
        connections.tell_sheets(session, practice_id, clock.now())
        return connection


def unpair(engine: Engine, practice_id: UUID, connection_id: UUID) -> None:
    """“That is not us”: a draft forgets the practice its code or credentials brought, and these.

    Raises InvalidInput for one that went live.
    """
    with engine.store.write() as session:
        connection = _draft(session, practice_id, connection_id)
        connection.tenant_id = connection.pms_name = connection.timezone = None
        credentials.forget(session, connection.id)
        for row in (*catalogue.mappings_of(session, connection.id), *catalogue.types_of(session, connection.id)):
            session.delete(row)
        connection.wizard = {"step": "pair"}


def discard(engine: Engine, practice_id: UUID, connection_id: UUID) -> None:
    """Take a draft away; nothing was read with it yet. Raises InvalidInput for one that went live."""
    with engine.store.write() as session:
        session.delete(_draft(session, practice_id, connection_id))


def _draft(session: Session, practice_id: UUID, connection_id: UUID) -> PmsConnection:
    connection = connections.one_of_practice(session, practice_id, connection_id)
    if connection.state != ConnectionState.DRAFT:
        raise InvalidInput("This connection is live; its rows and its history stay.")
    return connection


def check(engine: Engine, connection: PmsConnection) -> Health:
    """Test a connection; saves nothing. Never raises PmsError: a fault is an answer here.

    A person is at hand: an app-wide token that cannot be decrypted makes way for a new one.
    """
    tokens.forget_unreadable(engine.store, engine.vault, connection.pms_type)
    with engine.store.read() as session:
        practice = practices.get(session, connection.practice_id)
    try:
        adapter = engine.open(connection, practice, manual=True)
    except PmsError as error:
        return Health(False, str(error), None, error.reason)
    try:
        return adapter.health_check()
    finally:
        adapter.close()
