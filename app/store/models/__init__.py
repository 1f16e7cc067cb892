"""Every table, one import: Alembic and the tests need them all registered."""

from app.store.models.access import LoginAttempt, Membership, User, UserPreference, UserSession
from app.store.models.cases import Case, CaseConsultation, CaseMapping
from app.store.models.connection import (
    AppointmentType,
    ClinicianMapping,
    PmsAppToken,
    PmsConnection,
    PmsCredential,
    PmsStatus,
)
from app.store.models.outbox import OutboxEntry
from app.store.models.patients import Affiliation, DiscoveryReview, Organization, Patient, PatientExternalId
from app.store.models.practice import Clinician, EncryptionKey, Practice
from app.store.models.runsheet import Appointment, AppointmentEvent, RunSheet
from app.store.models.schedule import ScheduleConfig
from app.store.models.sync import QuarantinedRecord, ReadPage, RemovalHold, Sweep, SyncPhase, SyncRun, SyncSchedule

__all__ = [
    "Affiliation",
    "Appointment",
    "AppointmentEvent",
    "AppointmentType",
    "Case",
    "CaseConsultation",
    "CaseMapping",
    "Clinician",
    "ClinicianMapping",
    "DiscoveryReview",
    "EncryptionKey",
    "LoginAttempt",
    "Membership",
    "Organization",
    "OutboxEntry",
    "Patient",
    "PatientExternalId",
    "PmsAppToken",
    "PmsConnection",
    "PmsCredential",
    "PmsStatus",
    "Practice",
    "QuarantinedRecord",
    "ReadPage",
    "RemovalHold",
    "RunSheet",
    "ScheduleConfig",
    "Sweep",
    "SyncPhase",
    "SyncRun",
    "SyncSchedule",
    "User",
    "UserPreference",
    "UserSession",
]
