"""Who is signed in, and how often somebody failed to.

A signed-in request costs one statement: session, person, membership, practice and, on a run sheet, the day's stamp.
Only the hash of a session's id is stored, so that a copy of the database opens nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.security import passwords
from app.security.roles import Role
from app.store.models import (
    LoginAttempt,
    Membership,
    PmsConnection,
    Practice,
    RunSheet,
    Sweep,
    User,
    UserSession,
)
from app.store.models.connection import ConnectionState, Environment
from app.store.runsheet import Stamp

IDLE_LIMIT = timedelta(minutes=15)
ABSOLUTE_LIMIT = timedelta(hours=12)
_SEEN_TO = timedelta(minutes=1)

#: Failures that cost nothing, then a delay that doubles up to its limit: growing, never for good (X4).
FREE_FAILURES = 3
FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=15)
FORGIVEN_AFTER = timedelta(hours=24)

_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


@dataclass(frozen=True, slots=True)
class Found:
    """A session that was not ended, with whom it belongs to. Whether it is still valid is for `valid` to say."""

    id: UUID
    last_seen_at: datetime
    expires_at: datetime
    user_id: UUID
    user_name: str
    email: str
    role: Role
    clinician_id: UUID | None
    practice_id: UUID
    practice_name: str
    timezone: str
    region: str
    practices: int  # how many this person may choose from
    simulated: bool  # some connection of the practice reads invented data
    stamp: Stamp | None  # of the day the page is about, where it is about one

    def valid(self, now: datetime) -> bool:
        return _holds(self.last_seen_at, self.expires_at, now)

    def due_a_touch(self, now: datetime) -> bool:
        return now - self.last_seen_at >= _SEEN_TO


def _holds(last_seen_at: datetime, expires_at: datetime, now: datetime) -> bool:
    return now < expires_at and now - last_seen_at < IDLE_LIMIT


_OPEN = and_(
    UserSession.token_hash == bindparam("token_hash"), UserSession.ended_at.is_(None), User.active, Membership.active
)
_MEMBER = and_(Membership.user_id == UserSession.user_id, Membership.practice_id == UserSession.practice_id)
_VERSION = (
    select(RunSheet.version)
    .where(RunSheet.practice_id == UserSession.practice_id, RunSheet.day == bindparam("day"))
    .scalar_subquery()
)
_SWEPT_AT = (
    select(func.max(Sweep.completed_at))
    .where(Sweep.practice_id == UserSession.practice_id, Sweep.day == bindparam("day"))
    .scalar_subquery()
)


def _find() -> Any:
    other = Membership.__table__.alias("other")
    return (
        select(
            UserSession.id,
            UserSession.last_seen_at,
            UserSession.expires_at,
            User.id,
            User.name,
            User.email,
            Membership.role,
            Membership.clinician_id,
            Practice.id,
            Practice.name,
            Practice.timezone,
            Practice.region,
            select(func.count()).select_from(other).where(other.c.user_id == User.id, other.c.active).scalar_subquery(),
            exists()
            .where(
                PmsConnection.practice_id == Practice.id,
                PmsConnection.environment != Environment.LIVE,
                PmsConnection.state != ConnectionState.DRAFT,
                PmsConnection.state != ConnectionState.DISCONNECTED,
            )
            .label("simulated"),
        )
        .join(User, User.id == UserSession.user_id)
        .join(Membership, _MEMBER)
        .join(Practice, Practice.id == UserSession.practice_id)
        .where(_OPEN)
    )


_FIND = _find()
_FIND_WITH_STAMP = _FIND.add_columns(_VERSION, _SWEPT_AT)
_STAMP = (
    select(UserSession.last_seen_at, UserSession.expires_at, Membership.role, _VERSION, _SWEPT_AT)
    .join(User, User.id == UserSession.user_id)
    .join(Membership, _MEMBER)
    .where(_OPEN)
)


def stamp_for(connection: Connection, token: str, day: date, now: datetime) -> tuple[Role, Stamp] | None:
    """What a poll has to know: the role of whoever has that session, and the stamp of their practice's sheet.

    One statement. None where the session does not exist, has ended or has run out.
    """
    row = connection.execute(_STAMP, {"token_hash": hash_of(token), "day": day}).one_or_none()
    if row is None or not _holds(row[0], row[1], now):
        return None
    return Role(row[2]), Stamp(row[3] or 0, row[4])


def find(session: Session, token: str, day: date | None = None) -> Found | None:
    """The session of that id, in one statement. With a day, the stamp of the practice's sheet comes along."""
    values: dict[str, object] = {"token_hash": hash_of(token)}
    if day is None:
        row = session.connection().execute(_FIND, values).one_or_none()
    else:
        row = session.connection().execute(_FIND_WITH_STAMP, values | {"day": day}).one_or_none()
    if row is None:
        return None
    facts: list[Any] = list(row)
    facts[6] = Role(facts[6])
    facts[13] = bool(facts[13])
    facts[14:] = [None if day is None else Stamp(facts[14] or 0, facts[15])]
    return Found(*facts)


def start(session: Session, user_id: UUID, practice_id: UUID, now: datetime) -> str:
    """A new session; returns its id, which exists nowhere else from then on."""
    token = secrets.token_urlsafe(32)
    session.add(
        UserSession(
            id=uuid4(),
            token_hash=hash_of(token),
            user_id=user_id,
            practice_id=practice_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + ABSOLUTE_LIMIT,
        )
    )
    session.flush()
    return token


def touch(session: Session, session_id: UUID, now: datetime) -> None:
    """The person did something. Never called for a poll."""
    session.execute(
        update(UserSession)
        .where(UserSession.id == session_id, UserSession.ended_at.is_(None), UserSession.last_seen_at < now)
        .values(last_seen_at=now)
        .execution_options(synchronize_session=False)
    )


def end(session: Session, token: str, now: datetime) -> None:
    """Nobody gets in with that id again."""
    session.execute(
        update(UserSession)
        .where(UserSession.token_hash == hash_of(token), UserSession.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


# --- signing in -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in, and the practices they may work in, by name."""

    user_id: UUID
    password_hash: str
    practices: Sequence[tuple[UUID, str]]


def account_of(session: Session, email: str) -> Account | None:
    """The account of that address. None where there is none, it is switched off, or belongs to no practice."""
    user = session.execute(select(User.id, User.password_hash).where(User.email == email, User.active)).one_or_none()
    if user is None:
        return None
    practices = practices_of(session, user.id)
    return Account(user.id, user.password_hash, practices) if practices else None


def practices_of(session: Session, user_id: UUID) -> list[tuple[UUID, str]]:
    rows = session.execute(
        select(Practice.id, Practice.name)
        .join(Membership, Membership.practice_id == Practice.id)
        .where(Membership.user_id == user_id, Membership.active)
        .order_by(Practice.name, Practice.id)
    )
    return [(row.id, row.name) for row in rows]


def keep_password(session: Session, user_id: UUID, password: str) -> None:
    """Hash a password anew, because the parameters of the hash have risen since it was set."""
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(password_hash=passwords.hash_password(password))
        .execution_options(synchronize_session=False)
    )


def network_of(address: str | None) -> str:
    """What counts as one place: an IPv4 address, or the /64 an IPv6 address is in."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def blocked(session: Session, account_hash: bytes, network: str, now: datetime) -> bool:
    """Whether tries from there at that account have to wait a little."""
    until = session.scalar(
        select(LoginAttempt.blocked_until).where(
            LoginAttempt.account_hash == account_hash, LoginAttempt.network == network
        )
    )
    return until is not None and until > now


def failed(session: Session, account_hash: bytes, network: str, now: datetime) -> None:
    """Count a failure. From the fourth on each doubles the wait, up to a quarter of an hour."""
    make = _INSERT[session.get_bind().dialect.name](LoginAttempt)
    session.execute(
        make.values(
            id=uuid4(), account_hash=account_hash, network=network, failures=0, last_failed_at=now
        ).on_conflict_do_nothing(index_elements=["account_hash", "network"])
    )
    row = session.scalars(
        select(LoginAttempt)
        .where(LoginAttempt.account_hash == account_hash, LoginAttempt.network == network)
        .with_for_update()
    ).one()
    row.failures = 1 if now - row.last_failed_at > FORGIVEN_AFTER else row.failures + 1
    row.last_failed_at = now
    row.blocked_until = now + delay_after(row.failures) if row.failures > FREE_FAILURES else None
    session.flush()


def delay_after(failures: int) -> timedelta:
    doublings = min(failures - FREE_FAILURES - 1, 20)
    return min(FIRST_DELAY * 2**doublings, LONGEST_DELAY) if doublings >= 0 else timedelta(0)


def forgive(session: Session, account_hash: bytes, network: str) -> None:
    """Somebody came in from there: earlier failures of that place are forgotten."""
    session.execute(
        delete(LoginAttempt).where(LoginAttempt.account_hash == account_hash, LoginAttempt.network == network)
    )
