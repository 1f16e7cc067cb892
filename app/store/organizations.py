"""A practice's organisations and who of its patients belongs to them, since when, by whom. Never across practices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from app.domain.discovery import normal
from app.errors import InvalidInput, NotFound
from app.store import patients as people
from app.store.holds import Act
from app.store.models import Affiliation, Organization, Patient
from app.store.models.patients import PatientStatus

#: Patients that can be arranged in one go.
MOST_AT_ONCE = 500


def listed(session: Session, practice_id: UUID) -> Sequence[tuple[Organization, int]]:
    """The practice's organisations by name, and how many active patients each has."""
    rows = session.execute(
        select(Organization, func.count(Patient.id))
        .outerjoin(Affiliation, and_(Affiliation.organization_id == Organization.id, Affiliation.ended_at.is_(None)))
        .outerjoin(Patient, and_(Patient.id == Affiliation.patient_id, Patient.status == PatientStatus.ACTIVE))
        .where(Organization.practice_id == practice_id)
        .group_by(Organization.id)
        .order_by(Organization.name_key)
    )
    return [(row[0], row[1]) for row in rows]


def one_of_practice(session: Session, practice_id: UUID, organization_id: UUID) -> Organization:
    """Raises NotFound, also for another practice's organisation."""
    found = session.scalars(
        select(Organization).where(Organization.id == organization_id, Organization.practice_id == practice_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such organisation in this practice.")
    return found


def create(session: Session, practice_id: UUID, name: str, act: Act) -> Organization:
    """Raises InvalidInput for a blank name, or one the practice has already."""
    cleaned = " ".join(name.split())
    if not cleaned:
        raise InvalidInput({"name": "An organisation needs a name."})
    if len(cleaned) > 255:
        raise InvalidInput({"name": "Use at most 255 characters for the organisation's name."})
    key = normal(cleaned)[:255]
    taken = select(Organization.id).where(Organization.practice_id == practice_id, Organization.name_key == key)
    if session.scalar(taken) is not None:
        raise InvalidInput({"name": f"There is an organisation “{cleaned}” already."})
    made = Organization(
        id=uuid4(),
        practice_id=practice_id,
        name=cleaned,
        name_key=key,
        created_by=act.user_id,
        created_at=act.at,
        updated_at=act.at,
    )
    session.add(made)
    session.flush()
    return made


def assign(session: Session, practice_id: UUID, patients: Collection[UUID], organization_id: UUID, act: Act) -> int:
    """Affiliate these patients; who is so already stays as they are. How many are new.

    Raises NotFound where one of them, or the organisation, is not this practice's; then nobody is.
    """
    wanted = set(patients)
    if len(wanted) > MOST_AT_ONCE:
        raise InvalidInput(f"Assign at most {MOST_AT_ONCE} patients at a time.")
    one_of_practice(session, practice_id, organization_id)
    # Locked: two people who assign the same patients at once would meet at the unique index.
    mine = select(Patient.id).where(Patient.practice_id == practice_id, Patient.id.in_(wanted)).order_by(Patient.id)
    if len(session.scalars(mine.with_for_update(key_share=True)).all()) != len(wanted):
        raise NotFound(people.UNKNOWN)
    standing = session.scalars(
        select(Affiliation.patient_id).where(
            Affiliation.organization_id == organization_id,
            Affiliation.patient_id.in_(wanted),
            Affiliation.ended_at.is_(None),
        )
    ).all()
    new = sorted(wanted - set(standing))
    session.add_all(
        Affiliation(
            practice_id=practice_id,
            patient_id=patient_id,
            organization_id=organization_id,
            since=act.at,
            added_by=act.user_id,
        )
        for patient_id in new
    )
    session.flush()
    return len(new)


def remove(session: Session, practice_id: UUID, patients: Collection[UUID], organization_id: UUID, act: Act) -> int:
    """End these patients' affiliation; the record of it stays. How many had one. Raises NotFound as `assign`."""
    wanted = set(patients)
    one_of_practice(session, practice_id, organization_id)
    if len(people.some_of_practice(session, practice_id, wanted)) != len(wanted):
        raise NotFound(people.UNKNOWN)
    ended = session.execute(
        update(Affiliation)
        .where(
            Affiliation.practice_id == practice_id,
            Affiliation.organization_id == organization_id,
            Affiliation.patient_id.in_(wanted),
            Affiliation.ended_at.is_(None),
        )
        .values(ended_at=act.at, ended_by=act.user_id)
        .returning(Affiliation.id)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())
