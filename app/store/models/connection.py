"""A practice's link to its PMS: state, tokens, mappings, types and status words."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.status import Status
from app.store.db import Base
from app.store.models.columns import Identified, OfConnection, OfPractice, Stamped
from app.store.types import Json, UtcDateTime, one_of


class ConnectionState(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"  # by a person
    NEEDS_ATTENTION = "needs_attention"
    DISCONNECTED = "disconnected"


class Environment(StrEnum):
    LIVE = "live"
    VENDOR_SANDBOX = "vendor_sandbox"
    SIMULATOR = "simulator"


class TokenColumns:
    """An OAuth token at rest: ciphertexts only, and the claim that makes its refresh single-flight."""

    access_token: Mapped[str | None] = mapped_column(Text)
    refresh_token: Mapped[str | None] = mapped_column(Text)
    token_issued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    token_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    token_claim: Mapped[str | None] = mapped_column(String(36))
    token_claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    login_failures: Mapped[int] = mapped_column(default=0)


class PmsConnection(Identified, OfPractice, TokenColumns, Stamped, Base):
    """seeds/000 §1.1. `fence` rises with every claimed run, so that a lost worker can be told from the present one."""

    __tablename__ = "pms_connections"
    __table_args__ = (
        one_of("state", ConnectionState),
        one_of("environment", Environment),
        # One practice per tenant of a vendor, among connections that are alive.
        Index(
            "uq_pms_connections_tenant",
            "pms_type",
            "environment",
            "tenant_id",
            unique=True,
            postgresql_where=text("tenant_id IS NOT NULL AND state <> 'disconnected'"),
            sqlite_where=text("tenant_id IS NOT NULL AND state <> 'disconnected'"),
        ),
    )

    pms_type: Mapped[str] = mapped_column(String(50))
    display_name: Mapped[str] = mapped_column(String(255))
    environment: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default=ConnectionState.DRAFT)
    state_reason: Mapped[str | None] = mapped_column(String(40))

    # The vendor's own identifiers; only one is filled, depending on the vendor.
    tenant_id: Mapped[str | None] = mapped_column(String(255))
    pms_practice_id: Mapped[str | None] = mapped_column(String(255))
    organization_id: Mapped[str | None] = mapped_column(String(255))
    pms_name: Mapped[str | None] = mapped_column(String(255))  # what the PMS calls the practice
    timezone: Mapped[str | None] = mapped_column(String(64))  # only reads vendor times that carry no offset

    sync_frequency_minutes: Mapped[int] = mapped_column(default=15)
    sync_telehealth_only: Mapped[bool] = mapped_column(default=True)
    lookback_days: Mapped[int] = mapped_column(default=7)  # of a reconciliation by itself: so many days back
    keeps_cases: Mapped[bool] = mapped_column(default=False)  # a case beside every appointment that is stored
    parallel_batch_size: Mapped[int] = mapped_column(default=5)  # consultations asked for at a time
    tells: Mapped[list[str]] = mapped_column(Json, default=list)  # statuses staff set that the PMS is told (R49)
    last_sync_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_sync_status: Mapped[str | None] = mapped_column(String(20))
    last_sync_error: Mapped[str | None] = mapped_column(String(40))  # a reason of domain.reasons
    last_good_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)  # runs in a row that did not succeed
    drifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a change was found that it had not told of

    fence: Mapped[int] = mapped_column(default=0)
    choices: Mapped[int] = mapped_column(default=0)  # rises when somebody changes which appointments are wanted
    wizard: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)  # how far pairing has come, so it can resume


class PmsCredential(OfPractice, OfConnection, Base):
    """A value a person typed to connect, sealed: one row per field of the adapter's form.

    The key is the field's name, not an id: what is sealed is bound to it, so that no value answers to another's name.
    """

    __tablename__ = "pms_credentials"

    pms_connection_id: Mapped[UUID] = mapped_column(
        ForeignKey("pms_connections.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[str] = mapped_column(Text)
    tail: Mapped[str | None] = mapped_column(String(4))  # the last characters of what is no secret, to know it by
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class PmsAppToken(Identified, TokenColumns, Base):
    """A token that belongs to our app at a vendor, not to a practice: the one table outside a practice."""

    __tablename__ = "pms_app_tokens"
    __table_args__ = (UniqueConstraint("pms_type", "environment", "client_hash"),)

    pms_type: Mapped[str] = mapped_column(String(50))
    environment: Mapped[str] = mapped_column(String(20))
    client_hash: Mapped[str] = mapped_column(String(64))  # of client id, secret and token address


class ClinicianMapping(Identified, OfConnection, Stamped, Base):
    """seeds/000 §1.2: a PMS practitioner, and the run sheet column they belong to (None: not yet assigned)."""

    __tablename__ = "pms_clinician_mappings"
    __table_args__ = (UniqueConstraint("pms_connection_id", "pms_practitioner_id"),)

    pms_practitioner_id: Mapped[str] = mapped_column(String(255))
    pms_practitioner_name: Mapped[str] = mapped_column(String(255))
    pms_email: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)  # the PMS says this person still works there
    shown_in_book: Mapped[bool] = mapped_column(default=True)
    run_sheet_clinician_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("run_sheet_clinicians.id", ondelete="SET NULL"), index=True
    )
    sync_enabled: Mapped[bool] = mapped_column(default=True)
    auto_created: Mapped[bool] = mapped_column(default=False)


class AppointmentType(Identified, OfConnection, Stamped, Base):
    """seeds/000 §1.3: a type the PMS offers and whether the practice calls it telehealth."""

    __tablename__ = "pms_appointment_types"
    __table_args__ = (UniqueConstraint("pms_connection_id", "pms_type_id"),)

    pms_type_id: Mapped[str] = mapped_column(String(255))
    pms_type_name: Mapped[str] = mapped_column(String(255))
    default_duration_minutes: Mapped[int | None]
    colour: Mapped[str | None] = mapped_column(String(20))
    is_telehealth: Mapped[bool] = mapped_column(default=False)
    sync_enabled: Mapped[bool] = mapped_column(default=True)
    active: Mapped[bool] = mapped_column(default=True)


class PmsStatus(Identified, OfConnection, Stamped, Base):
    """A status word met in the PMS that we do not know, and what the practice says it means (None: not yet)."""

    __tablename__ = "pms_statuses"
    __table_args__ = (UniqueConstraint("pms_connection_id", "raw_status"), one_of("status", Status))

    raw_status: Mapped[str] = mapped_column(String(120))
    status: Mapped[str | None] = mapped_column(String(20))
    seen: Mapped[int] = mapped_column(default=0)
