"""What a discovery came to, counted from what stands; and how many patients have an id at each system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session

from app.store.models import Affiliation, DiscoveryReview, Patient, PatientExternalId, PmsConnection
from app.store.models.connection import ConnectionState
from app.store.models.patients import PatientStatus

#: Of a patient: somebody they belong to.
AFFILIATED = exists().where(and_(Affiliation.patient_id == Patient.id, Affiliation.ended_at.is_(None)))


class Figures(NamedTuple):
    """patients: of the practice, active. met: by this discovery, and how many of those belong to nobody."""

    patients: int
    met: int
    met_unaffiliated: int
    organizations: int
    to_review: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a practice's active patients have an id at one of its connections."""

    practice_id: UUID
    connection_id: UUID
    pms_type: str
    name: str
    state: str
    patients: int
    with_id: int

    @property
    def percent(self) -> float | None:
        """None where there is nobody to have one."""
        return round(100 * self.with_id / self.patients, 1) if self.patients else None


def figures(session: Session, practice_id: UUID, connection_id: UUID, discovery_id: UUID) -> Figures:
    """Three statements, whatever the practice's size."""
    met = (
        select(PatientExternalId.patient_id)
        .where(PatientExternalId.pms_connection_id == connection_id, PatientExternalId.discovery_id == discovery_id)
        .distinct()
        .subquery()
    )
    counts = session.execute(
        select(func.count(), func.count(met.c.patient_id), func.count(met.c.patient_id).filter(~AFFILIATED))
        .select_from(Patient)
        .outerjoin(met, met.c.patient_id == Patient.id)
        .where(Patient.practice_id == practice_id, Patient.status == PatientStatus.ACTIVE)
    ).one()
    organizations = session.scalar(
        select(func.count(func.distinct(Affiliation.organization_id)))
        .join(met, met.c.patient_id == Affiliation.patient_id)
        .where(Affiliation.practice_id == practice_id, Affiliation.ended_at.is_(None))
    )
    to_review = session.scalar(
        select(func.count())
        .select_from(DiscoveryReview)
        .where(DiscoveryReview.pms_connection_id == connection_id, DiscoveryReview.decision.is_(None))
    )
    return Figures(*counts, organizations or 0, to_review or 0)


def coverage(session: Session, practice_id: UUID | None = None) -> list[Coverage]:
    """Each connection that is not disconnected, of one practice or (for the operator) of all; in one statement."""
    patients = (
        select(func.count())
        .select_from(Patient)
        .where(Patient.practice_id == PmsConnection.practice_id, Patient.status == PatientStatus.ACTIVE)
        .scalar_subquery()
    )
    with_id = (
        select(func.count(func.distinct(PatientExternalId.patient_id)))
        .join(Patient, Patient.id == PatientExternalId.patient_id)
        .where(PatientExternalId.pms_connection_id == PmsConnection.id, Patient.status == PatientStatus.ACTIVE)
        .scalar_subquery()
    )
    query = select(
        PmsConnection.practice_id,
        PmsConnection.id,
        PmsConnection.pms_type,
        PmsConnection.display_name,
        PmsConnection.state,
        patients,
        with_id,
    ).where(PmsConnection.state != ConnectionState.DISCONNECTED)
    if practice_id is not None:
        query = query.where(PmsConnection.practice_id == practice_id)
    return [Coverage(*row) for row in session.execute(query.order_by(PmsConnection.created_at, PmsConnection.id))]
