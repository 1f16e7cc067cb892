"""What is to be told outside: written in the transaction of what it tells, delivered by a worker afterwards."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.db import Base
from app.store.models.columns import Identified, OfConnection, OfPractice
from app.store.types import UtcDateTime, one_of


class OutboxState(StrEnum):
    WAITING = "waiting"
    TOLD = "told"
    OVERTAKEN = "overtaken"  # somebody here said something else meanwhile, or it needs no telling any more
    GIVEN_UP = "given_up"


class OutboxEntry(Identified, OfPractice, OfConnection, Base):
    """A status to tell a PMS (R49). `key` is one per change of the row, so that a change is told once."""

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("state", OutboxState),
        UniqueConstraint("key"),
        Index(
            "ix_outbox_waiting",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
    )

    appointment_id: Mapped[UUID] = mapped_column(
        ForeignKey("run_sheet_appointments.id", ondelete="CASCADE"), index=True
    )
    key: Mapped[str] = mapped_column(String(120))
    status: Mapped[str] = mapped_column(String(20))  # ours, as it is to be told
    state: Mapped[str] = mapped_column(String(20), default=OutboxState.WAITING)
    reason: Mapped[str | None] = mapped_column(String(40))  # of the last failure; a word of domain.reasons
    failures: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
