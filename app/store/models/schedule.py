"""How a practice is open and when it syncs: what a person, or an SQL statement, edits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Dialect, ForeignKey, String, TypeDecorator, text
from sqlalchemy.orm import Mapped, mapped_column

from app.store.db import Base
from app.store.types import Json


class HandEditedJson(TypeDecorator[Any]):
    """JSON that people also write by SQL. SQLite takes any text: what is no JSON comes back as the text itself, and
    whoever reads it says so, instead of every statement that meets the row failing.
    """

    impl = Json
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        decode = super().result_processor(dialect, coltype)
        if decode is None:
            return None

        def forgiving(value: Any) -> Any:
            try:
                return decode(value)
            except (json.JSONDecodeError, RecursionError):
                return value

        return forgiving


class ScheduleConfig(Base):
    """One per practice. The rows of `sync_schedule` whose kind begins with `cron:` are derived from `sync_schedules`.

    Everything but the practice has a default in the database, so that an INSERT by hand is as good as ours.
    """

    __tablename__ = "clinic_schedule_configs"
    __table_args__ = (CheckConstraint("slot_minutes BETWEEN 5 AND 240", name="slot_minutes_sensible"),)

    practice_id: Mapped[UUID] = mapped_column(ForeignKey("practices.id", ondelete="CASCADE"), primary_key=True)
    #: {"mon": [["09:00", "12:30"], ["13:30", "17:00"]], …}; a day that is not named is closed.
    business_hours: Mapped[Any] = mapped_column(
        HandEditedJson, default=dict, server_default=text("'{}'"), nullable=True
    )
    slot_minutes: Mapped[int] = mapped_column(default=15, server_default=text("15"))
    rooms: Mapped[Any] = mapped_column(HandEditedJson, default=list, server_default=text("'[]'"), nullable=True)
    #: Ids of clinicians; None: everybody who is active.
    providers: Mapped[Any] = mapped_column(HandEditedJson, nullable=True)
    #: [{"type": "inbound", "cron": "0 6 * * *", "enabled": true}, …]
    sync_schedules: Mapped[Any] = mapped_column(
        HandEditedJson, default=list, server_default=text("'[]'"), nullable=True
    )

    # --- written when the rows were derived -------------------------------------------------------------------
    problems: Mapped[Any] = mapped_column(HandEditedJson, default=list, server_default=text("'[]'"), nullable=True)
    derived_from: Mapped[str | None] = mapped_column(String(64))  # a hash; another one means that somebody edited
    zone: Mapped[str | None] = mapped_column(String(64))  # the practice's zone the slots were reckoned in
