"""Patients as a practice knows them, whichever system told of them; and the organisations they belong to."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.domain.discovery import Doubt
from app.store.db import Base
from app.store.models.columns import Identified, OfConnection, OfPractice, Stamped
from app.store.types import Json, UtcDateTime, one_of


class PatientOrigin(StrEnum):
    DISCOVERY = "discovery"
    HAND = "hand"


class PatientStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"


class LinkedBy(StrEnum):
    """On what ground a client's id stands beside a patient."""

    DISCOVERY = "discovery"  # the patient was made from that client, whose record tells of them from then on
    EMAIL = "email"  # the one patient with that address, name or birth date agreeing
    PERSON = "person"  # somebody said so


class Decision(StrEnum):
    SAME = "same"  # one of the candidates
    ANOTHER = "another"  # somebody else who shares the address


class Person:
    """What is known of somebody."""

    first_name: Mapped[str | None] = mapped_column(String(255))
    last_name: Mapped[str | None] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(255))
    phone: Mapped[str | None] = mapped_column(String(40))
    birth_date: Mapped[date | None] = mapped_column(Date)


class Patient(Identified, OfPractice, Person, Stamped, Base):
    """Somebody the practice cares for. Without an affiliation that stands they are unaffiliated."""

    __tablename__ = "patients"
    __table_args__ = (
        Index(None, "practice_id", "email_key"),
        Index(None, "practice_id", "name_key"),
        one_of("status", PatientStatus),
        one_of("origin", PatientOrigin),
    )

    name_key: Mapped[str] = mapped_column(String(520), default="")  # domain.discovery.normal of the name
    email_key: Mapped[str | None] = mapped_column(String(255))  # likewise of the address
    status: Mapped[str] = mapped_column(String(20), default=PatientStatus.ACTIVE)
    origin: Mapped[str] = mapped_column(String(20))
    created_run_id: Mapped[UUID | None] = mapped_column()
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    refreshed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when a discovery last met them


class PatientExternalId(Identified, OfPractice, OfConnection, Base):
    """Which client of a system a patient is. A patient whom the system holds twice has two."""

    __tablename__ = "patient_external_ids"
    __table_args__ = (
        UniqueConstraint("pms_connection_id", "external_id"),
        Index(None, "patient_id"),
        one_of("linked_by", LinkedBy),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(255))
    linked_by: Mapped[str] = mapped_column(String(20))
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    linked_run_id: Mapped[UUID | None] = mapped_column()
    linked_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    #: The discovery that last met this client: by it a discovery that was broken off counts nobody twice.
    discovery_id: Mapped[UUID | None] = mapped_column()


class Organization(Identified, OfPractice, Stamped, Base):
    """Whom patients are affiliated to: a clinic of a group, a referrer, an employer."""

    __tablename__ = "organizations"
    __table_args__ = (UniqueConstraint("practice_id", "name_key"),)

    name: Mapped[str] = mapped_column(String(255))
    name_key: Mapped[str] = mapped_column(String(255))
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class Affiliation(Identified, OfPractice, Base):
    """A patient of an organisation, since when and by whom; one that has ended stays, with its end."""

    __tablename__ = "patient_organization_affiliations"
    __table_args__ = (
        Index(
            "uq_patient_organization_affiliations_standing",
            "patient_id",
            "organization_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            sqlite_where=text("ended_at IS NULL"),
        ),
        Index(None, "organization_id"),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id", ondelete="CASCADE"))
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    since: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    added_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class DiscoveryReview(Identified, OfPractice, OfConnection, Person, Base):
    """A client who shares an address with patients and is none of them for certain: a person says who it is."""

    __tablename__ = "discovery_reviews"
    __table_args__ = (
        UniqueConstraint("pms_connection_id", "external_id"),
        Index(None, "practice_id", "decided_at", "opened_at"),
        one_of("doubt", Doubt),
        one_of("decision", Decision),
    )

    external_id: Mapped[str] = mapped_column(String(255))
    candidates: Mapped[list[str]] = mapped_column(Json)  # ids of the patients who share the address
    doubt: Mapped[str] = mapped_column(String(20))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    run_id: Mapped[UUID | None] = mapped_column()  # that opened it
    discovery_id: Mapped[UUID | None] = mapped_column()  # that last met the client
    decision: Mapped[str | None] = mapped_column(String(20))  # None: open
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id", ondelete="SET NULL"))  # who it was
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
