"""Who may come in, and who is in."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.security.roles import Role
from app.store.db import Base
from app.store.models.columns import Identified, OfPractice, Stamped
from app.store.types import Json, UtcDateTime, one_of


class User(Identified, Stamped, Base):
    """A person who signs in. What they may do depends on the practice: see Membership."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(255), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(255))
    password_hash: Mapped[str] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)


class Membership(Identified, OfPractice, Stamped, Base):
    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("user_id", "practice_id"), one_of("role", Role))

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(20))
    clinician_id: Mapped[UUID | None] = mapped_column(ForeignKey("run_sheet_clinicians.id", ondelete="SET NULL"))
    active: Mapped[bool] = mapped_column(default=True)


class UserSession(Identified, Base):
    """A signed-in browser. Only the hash of its id is kept: a copy of the database opens nothing."""

    __tablename__ = "user_sessions"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    practice_id: Mapped[UUID] = mapped_column(ForeignKey("practices.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)  # to the minute; never by a poll
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)  # the absolute limit
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginAttempt(Identified, Base):
    """Failed sign-ins of one account from one network. Growing delay, never a lock for good."""

    __tablename__ = "login_attempts"
    __table_args__ = (UniqueConstraint("account_hash", "network"),)

    account_hash: Mapped[bytes] = mapped_column(LargeBinary(32))  # also of accounts that do not exist
    network: Mapped[str] = mapped_column(String(64))
    failures: Mapped[int] = mapped_column(default=0)
    last_failed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    blocked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserPreference(Identified, OfPractice, Base):
    """What a person set up for themselves in one practice, such as their filters."""

    __tablename__ = "user_preferences"
    __table_args__ = (UniqueConstraint("user_id", "practice_id", "name"), Index(None, "user_id", "practice_id"))

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(60))
    value: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
