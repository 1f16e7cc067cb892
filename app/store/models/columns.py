"""Columns most tables share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.store.types import UtcDateTime


class Identified:
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)


class Stamped:
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, onupdate=clock.now)


class OfPractice:
    """A row of one practice; leaving with it."""

    practice_id: Mapped[UUID] = mapped_column(ForeignKey("practices.id", ondelete="CASCADE"), index=True)


class OfConnection:
    pms_connection_id: Mapped[UUID] = mapped_column(ForeignKey("pms_connections.id", ondelete="CASCADE"))
