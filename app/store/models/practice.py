"""The practice and the columns of its run sheet."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.store.db import Base
from app.store.models.columns import Identified, OfPractice, Stamped
from app.store.types import Json, UtcDateTime


class Practice(Identified, Stamped, Base):
    """A clinic: the tenant. Everything else hangs below one."""

    __tablename__ = "practices"

    name: Mapped[str] = mapped_column(String(255))
    timezone: Mapped[str] = mapped_column(String(64))  # IANA; the run sheet's days and shown times
    region: Mapped[str] = mapped_column(String(2), default="AU")  # how a phone number without a country is read
    is_demo: Mapped[bool] = mapped_column(default=False)
    settings: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class Clinician(Identified, OfPractice, Stamped, Base):
    """A column of the run sheet. PMS practitioners reach it through a mapping."""

    __tablename__ = "run_sheet_clinicians"
    __table_args__ = (UniqueConstraint("practice_id", "name"),)

    name: Mapped[str] = mapped_column(String(255))
    position: Mapped[int] = mapped_column(default=0)
    room: Mapped[str | None] = mapped_column(String(120))
    room_link: Mapped[str | None] = mapped_column(String(500))
    location: Mapped[str | None] = mapped_column(String(120))
    email: Mapped[str | None] = mapped_column(String(255))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    active: Mapped[bool] = mapped_column(default=True)


class EncryptionKey(Base):
    """The ids of the master keys this database was ever written with, so that a lost key is noticed at the start."""

    __tablename__ = "encryption_keys"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    first_used_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
