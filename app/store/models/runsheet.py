"""The run sheet: a day, its rows, and the append-only story of each row."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.domain.status import STAFF_STATUSES, Status
from app.store.db import Base
from app.store.models.columns import Identified, OfPractice, Stamped
from app.store.types import Json, UtcDateTime, one_of


class RowKind(StrEnum):
    APPOINTMENT = "appointment"
    WALK_IN = "walk_in"
    BLOCK = "block"


class RunSheet(Identified, OfPractice, Base):
    """One practice's local day. `version` rises with every visible change and is half of the page's stamp."""

    __tablename__ = "run_sheets"
    __table_args__ = (UniqueConstraint("practice_id", "day"),)

    day: Mapped[date] = mapped_column(Date)
    version: Mapped[int] = mapped_column(default=1)
    #: The version whose events had their details wiped: the practice's limit has passed, and replay cannot tell them.
    details_wiped_version: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class Appointment(Identified, OfPractice, Stamped, Base):
    """A row of the sheet. Columns are owned either by the PMS (written by sync) or by staff, never by both."""

    __tablename__ = "run_sheet_appointments"
    __table_args__ = (
        one_of("kind", RowKind),
        one_of("pms_status", Status),
        one_of("staff_status", STAFF_STATUSES),
        Index(
            "uq_run_sheet_appointments_pms_id",
            "pms_connection_id",
            "pms_appointment_id",
            unique=True,
            postgresql_where=text("pms_appointment_id IS NOT NULL"),
            sqlite_where=text("pms_appointment_id IS NOT NULL"),
        ),
        Index(None, "run_sheet_id", "starts_at"),
        Index(None, "pms_connection_id", "pms_practitioner_id", "starts_at"),
    )

    run_sheet_id: Mapped[UUID] = mapped_column(ForeignKey("run_sheets.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20), default=RowKind.APPOINTMENT)
    row_version: Mapped[int] = mapped_column(default=1)  # rises with every change; guards two people on one row

    # --- owned by the PMS -------------------------------------------------------------------------------------
    # RESTRICT: a connection that still has rows is disconnected, never deleted.
    pms_connection_id: Mapped[UUID | None] = mapped_column(ForeignKey("pms_connections.id", ondelete="RESTRICT"))
    pms_appointment_id: Mapped[str | None] = mapped_column(String(255))
    pms_patient_id: Mapped[str | None] = mapped_column(String(255))
    pms_practitioner_id: Mapped[str | None] = mapped_column(String(255))
    pms_practitioner_name: Mapped[str | None] = mapped_column(String(255))
    pms_type_id: Mapped[str | None] = mapped_column(String(255))
    pms_type_name: Mapped[str | None] = mapped_column(String(255))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    time_doubt: Mapped[str | None] = mapped_column(String(10))  # domain.window.Doubt
    appointment_duration_minutes: Mapped[int | None]
    pms_status: Mapped[str | None] = mapped_column(String(20))
    pms_status_raw: Mapped[str | None] = mapped_column(String(120))
    pms_status_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when we saw it change
    pms_arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the vendor's own stamp
    pms_cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    pms_arrived_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # seen, for vendors without a stamp
    pms_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # seen
    pms_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # seen
    pms_comment: Mapped[str | None] = mapped_column(Text)
    is_telehealth: Mapped[bool] = mapped_column(default=False)
    telehealth_url: Mapped[str | None] = mapped_column(String(1000))
    location: Mapped[str | None] = mapped_column(String(255))
    patient_name: Mapped[str] = mapped_column(String(500))
    patient_phone: Mapped[str | None] = mapped_column(String(40))
    patient_email: Mapped[str | None] = mapped_column(String(255))
    patient_dob: Mapped[date | None] = mapped_column(Date)
    patients: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)  # a group: everybody, the first included
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    created_run_id: Mapped[UUID | None] = mapped_column()
    pms_last_synced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the content was last written

    # --- owned by staff ---------------------------------------------------------------------------------------
    clinician_id: Mapped[UUID | None] = mapped_column(ForeignKey("run_sheet_clinicians.id", ondelete="SET NULL"))
    staff_status: Mapped[str | None] = mapped_column(String(20))
    staff_status_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_status_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    staff_arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_decided_on: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the pms_status_changed_at decided about
    staff_note: Mapped[str | None] = mapped_column(Text)
    staff_note_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_note_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    # --- why it may not be shown as usual ---------------------------------------------------------------------
    hidden_cause: Mapped[str | None] = mapped_column(String(20))  # a practice's own rule: domain.rules
    hidden_by_run: Mapped[UUID | None] = mapped_column()  # None: a choice somebody made, not a sweep
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a tombstone: the row stays, struck through
    removed_cause: Mapped[str | None] = mapped_column(String(40))  # domain.orphans.Removal
    removed_by_run: Mapped[UUID | None] = mapped_column()


class AppointmentEvent(Identified, OfPractice, Base):
    """What changed on a row, by whom, when. Never deleted by hand, and never updated but by the practice's limit.

    `changes` maps a column to [old, new]. A row's creation is its own created_at and created_run_id, not an event.
    """

    __tablename__ = "appointment_events"
    __table_args__ = (
        Index(None, "appointment_id", "at"),
        Index(None, "sync_run_id"),
        one_of("kind", ("pms", "status", "note", "walk_in", "undo", "rules")),
    )

    appointment_id: Mapped[UUID] = mapped_column(ForeignKey("run_sheet_appointments.id", ondelete="CASCADE"))
    run_sheet_id: Mapped[UUID] = mapped_column(ForeignKey("run_sheets.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    kind: Mapped[str] = mapped_column(String(20))
    changes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    sync_run_id: Mapped[UUID | None] = mapped_column()
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    undoes: Mapped[UUID | None] = mapped_column()
