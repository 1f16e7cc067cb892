"""Connecting with credentials a person types: tried before they are kept, so that a refusal leaves nothing behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidInput, Unreadable
from app.pms.errors import PairingRefused, PmsAuthFailed, PmsCancelled, PmsForbidden, PmsMalformed, PmsNotConfigured
from app.pms.factory import environment_for
from app.pms.port import CredentialField
from app.pms.registry import adapter_class
from app.store import connections, credentials, practices
from app.store.credentials import IsSet, Typed
from app.store.models import PmsConnection, Practice
from app.store.models.connection import ConnectionState
from app.sync.engine import Engine
from app.sync.preview.dry_run import Deadline, too_long
from app.sync.preview.pairing import Paired, read_catalogue

LONGEST = 4096


def checked(kind: str, given: Mapping[str, str], already: Collection[str] = ()) -> dict[str, str]:
    """What was typed, without outer blanks; fields left empty are left out.

    already: fields that are set and may stay. Raises InvalidInput: a field that is missing, unknown or unusable, each
    with its sentence, which never repeats a value.
    """
    known = {field.name: field for field in adapter_class(kind).credentials}
    errors = {name: "This system does not ask for that." for name in given if name not in known}
    found = {name: value.strip() for name, value in given.items() if name in known and value.strip()}
    errors |= {name: said for name, value in found.items() if (said := _unusable(known[name], value))}
    for field in known.values():
        if field.required and field.name not in found and field.name not in already:
            errors[field.name] = f"{field.label} is needed."
    if errors:
        raise InvalidInput(errors)
    return found


def _unusable(field: CredentialField, value: str) -> str | None:
    """What is wrong with it, without repeating it."""
    if len(value) > LONGEST:
        return f"Use at most {LONGEST} characters; this has {len(value)}."
    if not (value.replace("\r\n", "").replace("\n", "") if field.lines else value).isprintable():
        return "This holds a line break or a character that cannot be typed. Copy it once more."
    if field.choices and value not in dict(field.choices):
        return f"It is one of: {', '.join(one for one, _ in field.choices)}."
    return None


def connect(
    engine: Engine, practice_id: UUID, connection_id: UUID, given: Mapping[str, str], by: UUID | None = None
) -> Paired:
    """Try these credentials for a draft; where the PMS accepts them, keep them and ask who answered.

    by: the user who typed them. Raises InvalidInput (per field; another practice's; a practice that is connected
    already), PairingRefused with reason `credentials_refused`, or another PmsError. A refusal saves nothing; once the
    credentials are accepted they are kept, whatever fails after.
    """
    connection, practice = _found(engine, practice_id, connection_id)
    if connection.state != ConnectionState.DRAFT:
        raise InvalidInput("This connection is live. Change its credentials on its own page.")
    values = checked(connection.pms_type, given)
    gone = [field.name for field in _fields(connection) if field.name not in values]
    tenant_id = _tried(engine, connection, practice, values)
    with engine.store.write() as session:
        connections.hold(session, connection_id)
        connection = connections.one_of_practice(session, practice_id, connection_id)
        if connection.tenant_id is None:  # the draft may be older than the address that is set now
            connection.environment = environment_for(connection.pms_type, engine.vendor(connection.pms_type))
        connections.bind_tenant(session, connection, tenant_id, typed=True)
        _keep(session, engine, connection, values, gone, by)
        connection.wizard = {**connection.wizard, "step": "identity"}
    return read_catalogue(engine, practice_id, connection_id)


def change_credentials(
    engine: Engine, practice_id: UUID, connection_id: UUID, given: Mapping[str, str], by: UUID | None = None
) -> PmsConnection:
    """Try changed credentials of a live connection; where they open the same practice, keep them.

    given: by field; fields not named stay as they are, an empty value takes an optional one away. Raises as `connect`,
    with nothing changed; another practice's credentials are refused. A connection that needed attention syncs again:
    the PMS has just let us in, whatever kept it from doing so before.
    """
    connection, practice = _found(engine, practice_id, connection_id)
    if connection.state in (ConnectionState.DRAFT, ConnectionState.DISCONNECTED):
        raise InvalidInput("This connection is not live. Pair it first.")
    with engine.store.read() as session:
        stored = set(credentials.which_are_set(session, connection_id))
    optional = {field.name for field in _fields(connection) if not field.required}
    gone = {name for name, value in given.items() if name in optional and not value.strip()}
    values = checked(connection.pms_type, given, stored - gone)
    if not values and not gone & stored:
        raise InvalidInput("Nothing was typed, so nothing was changed.")
    tenant_id = _tried(engine, connection, practice, _stored(engine, connection, stored - gone - set(values)) | values)
    with engine.store.write() as session:
        connections.hold(session, connection_id)
        connection = connections.one_of_practice(session, practice_id, connection_id)
        connections.bind_tenant(session, connection, tenant_id, typed=True)
        _keep(session, engine, connection, values, gone, by)
        if connection.state == ConnectionState.NEEDS_ATTENTION:
            connections.resume(session, connection, practices.get(session, practice_id), clock.now())
        return connection


def credentials_set(
    engine: Engine, practice_id: UUID, connection_id: UUID
) -> list[tuple[CredentialField, IsSet | None]]:
    """Every field of the connection's system, and whether it is set; nothing is decrypted."""
    with engine.store.read() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        found = credentials.which_are_set(session, connection_id)
    return [(field, found.get(field.name)) for field in _fields(connection)]


def _found(engine: Engine, practice_id: UUID, connection_id: UUID) -> tuple[PmsConnection, Practice]:
    with engine.store.read() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        practice = practices.get(session, practice_id)
    if not _fields(connection):
        raise InvalidInput("This system connects without credentials of the practice's own.")
    return connection, practice


def _fields(connection: PmsConnection) -> tuple[CredentialField, ...]:
    return adapter_class(connection.pms_type).credentials


def _keep(
    session: Session,
    engine: Engine,
    connection: PmsConnection,
    values: Mapping[str, str],
    gone: Collection[str],
    by: UUID | None,
) -> None:
    open_names = [field.name for field in _fields(connection) if not field.secret]
    credentials.keep(session, engine.vault, connection, Typed(values, gone, open_names, by), clock.now())


def _stored(engine: Engine, connection: PmsConnection, names: Collection[str]) -> dict[str, str]:
    """Those that stay as they are. Raises InvalidInput, beside the fields, where they must be typed anew."""
    try:
        with engine.store.read() as session:
            return credentials.opened(session, engine.vault, connection, names)
    except Unreadable:
        sentence = "What is stored cannot be decrypted any more. Type it again."
        raise InvalidInput(dict.fromkeys(names, sentence)) from None


def _tried(engine: Engine, connection: PmsConnection, practice: Practice, values: Mapping[str, str]) -> str:
    """Which practice these credentials open, asked at the vendor with nothing but them."""
    try:
        with closing(engine.open_trial(connection, practice, values, Deadline().passed)) as adapter:
            adapter.authenticate()
            tenant_id = adapter.identity().external_id
    except (PmsAuthFailed, PmsForbidden) as error:
        raise PairingRefused(f"the credentials were refused: {error}", reason="credentials_refused") from None
    except PmsNotConfigured as error:
        if engine.lacks(connection.pms_type) is not None:
            raise  # the operator has to do something first
        fields = _fields(connection)
        raise InvalidInput({fields[0].name if len(fields) == 1 else "": str(error)}) from None
    except PmsCancelled:
        raise too_long() from None
    except UnicodeError:  # beyond what a header can carry; its text would hold the value
        raise InvalidInput("One of these holds a character that cannot be sent. Copy them once more.") from None
    if not 0 < len(tenant_id) <= 255:
        raise PmsMalformed("the vendor did not say which practice it is")
    return tenant_id
