"""Tokens at rest: ciphertexts only, and the claim that lets exactly one caller renew them (E03, F42, F43).

The claim is one conditional UPDATE: it succeeds only while nobody else's claim runs and the row is still what the
caller saw. A caller that slept through somebody else's renewal therefore cannot win a claim for a second one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.errors import NotFound, Unreadable
from app.security.vault import APP_WIDE, Place, Vault
from app.store.db import Store
from app.store.models import PmsAppToken, PmsConnection

Model = type[PmsAppToken] | type[PmsConnection]
_NO_CLAIM = {"token_claim": None, "token_claimed_until": None}


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as stored, opened. `version` is the ciphertext: another one after every save, even of the same token."""

    access: str | None = field(repr=False)
    refresh: str | None = field(repr=False)
    issued_at: datetime | None
    expires_at: datetime | None
    claimed_until: datetime | None
    login_failures: int
    version: str | None = field(repr=False)


class SqlTokens:
    """The token of one row. Each method is one short transaction; safe to share between threads.

    find: the row's id and whose data key seals it; asked when the token is first used, so that making this object
    touches no database.
    """

    def __init__(self, store: Store, vault: Vault, model: Model, find: Callable[[], tuple[UUID, str]]) -> None:
        self._store = store
        self._vault = vault
        self._model = model
        self._find = find

    @cached_property
    def _row(self) -> tuple[UUID, str]:
        return self._find()

    def load(self) -> TokenRow:
        """What is stored now. Raises DecryptionFailed where it is not what we wrote there, NotFound without a row."""
        row = self._model
        asked = select(
            row.access_token,
            row.refresh_token,
            row.token_issued_at,
            row.token_expires_at,
            row.token_claimed_until,
            row.login_failures,
        ).where(row.id == self._row[0])
        with self._store.read() as session:
            found = session.execute(asked).one_or_none()
        if found is None:
            raise NotFound("This connection is gone.")
        access, refresh, issued_at, expires_at, claimed_until, login_failures = found
        return TokenRow(
            access=self._opened("access_token", access),
            refresh=self._opened("refresh_token", refresh),
            issued_at=issued_at,
            expires_at=expires_at,
            claimed_until=claimed_until,
            login_failures=login_failures,
            version=access,
        )

    def claim(self, claim: str, *, version: str | None, login_failures: int, now: datetime, until: datetime) -> bool:
        """Take the right to renew until `until`; False where another holds it or the row has moved on."""
        row = self._model
        return self._changed(
            or_(row.token_claim.is_(None), row.token_claimed_until <= now),
            row.access_token.is_not_distinct_from(version),
            row.login_failures == login_failures,
            values={"token_claim": claim, "token_claimed_until": until},
        )

    def save(
        self, claim: str | None, *, access: str, refresh: str | None, issued_at: datetime, expires_at: datetime
    ) -> bool:
        """Store a token and give the claim back; False, and nothing stored, where `claim` is no longer ours."""
        return self._changed(
            *self._held_by(claim),
            values={
                "access_token": self._sealed("access_token", access),
                "refresh_token": self._sealed("refresh_token", refresh) if refresh else None,
                "token_issued_at": issued_at,
                "token_expires_at": expires_at,
                "login_failures": 0,
                **_NO_CLAIM,
            },
        )

    def release(self, claim: str, *, login_failed: bool) -> None:
        """Give the claim back without a token; count the log-in where the vendor refused it."""
        failures = {"login_failures": self._model.login_failures + 1} if login_failed else {}
        self._changed(*self._held_by(claim), values={**_NO_CLAIM, **failures})

    def forgive(self, failures: int) -> None:
        """Count no more than so many refused log-ins: a person asks for another try."""
        self._changed(self._model.login_failures > failures, values={"login_failures": failures})

    def _held_by(self, claim: str | None) -> tuple[ColumnElement[bool], ...]:
        return () if claim is None else (self._model.token_claim == claim,)

    def _changed(self, *conditions: ColumnElement[bool], values: dict[str, Any]) -> bool:
        statement = (
            update(self._model)
            .where(self._model.id == self._row[0], *conditions)
            .values(values)
            .execution_options(synchronize_session=False)
        )

        def work(session: Session) -> bool:
            return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1

        return self._store.transact(work)

    def _place(self, column: str) -> Place:
        row_id, practice = self._row
        return Place(practice=practice, table=self._model.__tablename__, column=column, row=str(row_id))

    def _sealed(self, column: str, text: str) -> str:
        return self._vault.seal(text, self._place(column))

    def _opened(self, column: str, ciphertext: str | None) -> str | None:
        return None if ciphertext is None else self._vault.open(ciphertext, self._place(column))


class SqlTokenStores:
    """Where an adapter gets its token's row: the app's own at a vendor, or the connection's."""

    def __init__(self, store: Store, vault: Vault, connection_id: UUID | None = None) -> None:
        self._store = store
        self._vault = vault
        self._connection_id = connection_id

    def app(self, kind: str, environment: str, client_hash: str) -> SqlTokens:
        """The app-wide token of that client; its row is made on first use. A changed client is another row."""
        return SqlTokens(
            self._store, self._vault, PmsAppToken, lambda: (self._app_row(kind, environment, client_hash), APP_WIDE)
        )

    def connection(self) -> SqlTokens:
        """This connection's own token. Using it raises NotFound where there is no such connection."""
        return SqlTokens(self._store, self._vault, PmsConnection, self._connection_row)

    def _connection_row(self) -> tuple[UUID, str]:
        with self._store.read() as session:
            practice = session.scalar(select(PmsConnection.practice_id).where(PmsConnection.id == self._connection_id))
        if practice is None or self._connection_id is None:
            raise NotFound("This connection is gone.")
        return self._connection_id, str(practice)

    def _app_row(self, kind: str, environment: str, client_hash: str) -> UUID:
        asked = select(PmsAppToken.id).filter_by(pms_type=kind, environment=environment, client_hash=client_hash)
        with self._store.read() as session:
            if found := session.scalar(asked):
                return found
        made = PmsAppToken(pms_type=kind, environment=environment, client_hash=client_hash)
        try:
            with self._store.write() as session:
                session.add(made)
            return made.id
        except IntegrityError:  # another process made it between our look and our insert
            with self._store.read() as session:
                return session.scalars(asked).one()


# --- what cannot be decrypted any more --------------------------------------------------------------------------------


def unreadable(store: Store, vault: Vault) -> int:
    """How many rows, app-wide and of connections, hold a token that cannot be decrypted."""
    with store.read() as session:
        apps = [(APP_WIDE, row) for row in session.scalars(select(PmsAppToken))]
        own = [(str(row.practice_id), row) for row in session.scalars(select(PmsConnection))]
    return sum(not _opens(vault, practice, row) for practice, row in apps) + sum(
        not _opens(vault, practice, row) for practice, row in own
    )


def forget_unreadable(store: Store, vault: Vault, kind: str) -> None:
    """Drop that vendor's app-wide tokens that cannot be decrypted: our client can have a new one at any time.

    A connection's own stays: its refresh token may be worth putting the earlier key back for.
    """
    with store.write() as session:
        for row in session.scalars(select(PmsAppToken).where(PmsAppToken.pms_type == kind)):
            if not _opens(vault, APP_WIDE, row):
                row.access_token = row.refresh_token = row.token_issued_at = row.token_expires_at = None


def _opens(vault: Vault, practice: str, row: PmsAppToken | PmsConnection) -> bool:
    try:
        for column in ("access_token", "refresh_token"):
            if (sealed := getattr(row, column)) is not None:
                vault.open(sealed, Place(practice, row.__tablename__, column, str(row.id)))
    except Unreadable:
        return False
    return True
