"""What a person typed to connect, at rest: ciphertexts bound to connection and field, and a view without the values."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.errors import Unreadable
from app.security.vault import Place, Vault
from app.store.db import Store
from app.store.models import PmsConnection, PmsCredential

log = logging.getLogger(__name__)

TAIL = 4
#: A shorter value would be told by its tail.
_SHORTEST_TOLD = 8


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody wants kept. `values` by field; `gone`: fields that are to be forgotten.

    open_names: fields that are no secrets, of whose values the last four characters may be shown.
    """

    values: Mapping[str, str] = field(repr=False)
    gone: Collection[str] = ()
    open_names: Collection[str] = ()
    by: UUID | None = None


@dataclass(frozen=True, slots=True)
class IsSet:
    """A value that is set, as a page may show it. `tail`: its last characters, None of a secret.

    changed_by None: at the command line, or the user is gone.
    """

    name: str
    tail: str | None
    changed_at: datetime
    changed_by: UUID | None


def keep(session: Session, vault: Vault, connection: PmsConnection, typed: Typed, now: datetime) -> None:
    """Store these in place of what was there; fields not named stay as they are.

    The token the old ones bought is forgotten, with the log-ins they were refused and the claim of whoever renews it
    now: what comes of that claim is not stored any more.
    """
    if typed.gone:
        mine = PmsCredential.pms_connection_id == connection.id
        session.execute(delete(PmsCredential).where(mine, PmsCredential.name.in_(typed.gone)))
    for name, value in typed.values.items():
        row = session.get(PmsCredential, (connection.id, name))
        if row is None:
            row = PmsCredential(pms_connection_id=connection.id, practice_id=connection.practice_id, name=name)
            session.add(row)
        row.sealed = vault.seal(value, _place(row))
        row.tail = value[-TAIL:] if name in typed.open_names and len(value) >= _SHORTEST_TOLD else None
        row.changed_at, row.changed_by = now, typed.by
    connection.login_failures = 0
    connection.access_token = connection.refresh_token = None
    connection.token_issued_at = connection.token_expires_at = None
    connection.token_claim = connection.token_claimed_until = None
    session.flush()


def opened(session: Session, vault: Vault, connection: PmsConnection, names: Collection[str]) -> dict[str, str]:
    """Those of these fields that are set, decrypted. Raises DecryptionFailed where one is not what was sealed there.

    Each reading leaves a line in the log: whose, how many, never what.
    """
    rows = [row for row in _rows(session, connection.id) if row.name in names]
    found = {row.name: vault.open(row.sealed, _place(row)) for row in rows}
    told = {"connection_id": str(connection.id), "practice_id": str(connection.practice_id), "count": len(found)}
    log.info("credentials decrypted", extra=told)
    return found


def which_are_set(session: Session, connection_id: UUID) -> dict[str, IsSet]:
    """By field. Decrypts nothing."""
    rows = _rows(session, connection_id)
    return {row.name: IsSet(row.name, row.tail, row.changed_at, row.changed_by) for row in rows}


def forget(session: Session, connection_id: UUID) -> None:
    """“That is not us”: nothing of them stays."""
    session.execute(delete(PmsCredential).where(PmsCredential.pms_connection_id == connection_id))


def unreadable(store: Store, vault: Vault) -> int:
    """How many stored values cannot be decrypted."""
    with store.read() as session:
        return sum(not _opens(vault, row) for row in session.scalars(select(PmsCredential)))


def _rows(session: Session, connection_id: UUID) -> Sequence[PmsCredential]:
    mine = select(PmsCredential).where(PmsCredential.pms_connection_id == connection_id)
    return session.scalars(mine.order_by(PmsCredential.name)).all()


def _opens(vault: Vault, row: PmsCredential) -> bool:
    try:
        vault.open(row.sealed, _place(row))
    except Unreadable:
        return False
    return True


def _place(row: PmsCredential) -> Place:
    """The row is the connection and the field, so that a value moved to another of either cannot be opened."""
    return Place(str(row.practice_id), row.__tablename__, "sealed", f"{row.pms_connection_id}/{row.name}")
