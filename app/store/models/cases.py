"""Cases: what a clinic keeps beside an appointment; the clinical part sealed, in a table of its own."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.cases import CaseStatus, CaseType, Origin, Visibility, WordKind
from app.domain.enrichment import Enrichment
from app.domain.status import Status
from app.store.db import Base
from app.store.models.columns import Identified, OfConnection, OfPractice, Stamped
from app.store.types import UtcDateTime, one_of


class Case(Identified, OfPractice, OfConnection, Stamped, Base):
    """One per appointment where the connection keeps cases. What reception may see, and nothing clinical.

    Columns are owned by the sweep (refreshed with the appointment), by enrichment, or by the practice's people; no two
    of them write the same one.
    """

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("practice_id", "pms_connection_id", "external_id"),
        Index(None, "pms_connection_id", "scheduled_at"),
        one_of("origin", Origin),
        one_of("pms_status", Status),
        one_of("status", CaseStatus),
        one_of("case_type", CaseType),
        one_of("staff_status", CaseStatus),
        one_of("staff_case_type", CaseType),
        one_of("visibility", Visibility),
        one_of("enrichment_state", Enrichment),
    )

    external_id: Mapped[str] = mapped_column(String(255))  # the vendor's, of the appointment
    appointment_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("run_sheet_appointments.id", ondelete="SET NULL"), index=True
    )
    origin: Mapped[str] = mapped_column(String(20), default=Origin.SYNC)

    # --- owned by the sweep -------------------------------------------------------------------------------------
    scheduled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    patient_id: Mapped[str | None] = mapped_column(String(255))
    patient_name: Mapped[str] = mapped_column(String(500))
    species: Mapped[str | None] = mapped_column(String(120))
    breed: Mapped[str | None] = mapped_column(String(120))
    client_id: Mapped[str | None] = mapped_column(String(255))
    client_name: Mapped[str | None] = mapped_column(String(500))
    client_phone: Mapped[str | None] = mapped_column(String(40))
    client_email: Mapped[str | None] = mapped_column(String(255))
    provider_id: Mapped[str | None] = mapped_column(String(255))
    provider: Mapped[str | None] = mapped_column(String(255))
    room: Mapped[str | None] = mapped_column(String(120))
    reason: Mapped[str | None] = mapped_column(Text)  # for the visit, as reception typed it
    type_name: Mapped[str | None] = mapped_column(String(255))
    raw_status: Mapped[str | None] = mapped_column(String(120))
    pms_status: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))  # by the practice's table of words
    case_type: Mapped[str] = mapped_column(String(20))
    consultation_ref: Mapped[str | None] = mapped_column(String(255))  # the consultation the appointment names
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    created_run_id: Mapped[UUID | None] = mapped_column()

    # --- owned by enrichment ------------------------------------------------------------------------------------
    consultation_id: Mapped[str | None] = mapped_column(String(255))  # the consultation that was read
    consultation_status: Mapped[str | None] = mapped_column(String(120))
    consultation_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    consultation_inferred: Mapped[bool] = mapped_column(default=False)  # found by patient and day, not named
    enrichment_state: Mapped[str] = mapped_column(String(20), default=Enrichment.PENDING)
    enrichment_reason: Mapped[str | None] = mapped_column(String(40))
    enriched_as: Mapped[bytes | None] = mapped_column(LargeBinary(16))  # the fingerprint the case had by then
    enriched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when its content was last written

    # --- owned by the practice's people -------------------------------------------------------------------------
    staff_status: Mapped[str | None] = mapped_column(String(20))
    staff_case_type: Mapped[str | None] = mapped_column(String(20))
    visibility: Mapped[str] = mapped_column(String(20), default=Visibility.PRIVATE)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    edited_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    # --- a tombstone, apart from the status (faults S5) ---------------------------------------------------------
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    delete_reason: Mapped[str | None] = mapped_column(String(40))
    deleted_by_run: Mapped[UUID | None] = mapped_column()


class CaseConsultation(OfPractice, Base):
    """SOAP notes and all that hangs on them: one ciphertext, bound to the case."""

    __tablename__ = "case_consultations"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[str] = mapped_column(Text)  # ciphertext
    written_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sync_run_id: Mapped[UUID | None] = mapped_column()


class CaseMapping(Identified, OfConnection, Stamped, Base):
    """A line of the table by which the PMS's words become a case's status or type. Defaults are in `domain.cases`."""

    __tablename__ = "case_mappings"
    __table_args__ = (
        UniqueConstraint("pms_connection_id", "kind", "word"),
        one_of("kind", WordKind),
        one_of("value", (*CaseStatus, *CaseType)),
    )

    kind: Mapped[str] = mapped_column(String(20))
    word: Mapped[str] = mapped_column(String(255))  # normal: small letters, single blanks
    value: Mapped[str] = mapped_column(String(20))
