"""Patients as people see them: searched, opened, written down by hand. Never across practices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from app.domain.discovery import Person, normal
from app.domain.names import clip, full_name, phone_e164
from app.errors import InvalidInput, NotFound
from app.store.discovered import AFFILIATED
from app.store.holds import Act
from app.store.models import Affiliation, Organization, Patient, PatientExternalId, Practice
from app.store.models.patients import PatientOrigin, PatientStatus

UNKNOWN = "There is no such patient in this practice."


@dataclass(frozen=True, slots=True)
class Belongs:
    """A standing affiliation."""

    organization_id: UUID
    organization: str
    since: datetime
    added_by: UUID | None


@dataclass(frozen=True, slots=True)
class KnownAs:
    """A client of a system that is this patient."""

    connection_id: UUID
    external_id: str
    linked_by: str
    linked_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """A patient, where they belong, and as whom the systems know them."""

    id: UUID
    name: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    birth_date: date | None
    status: str
    origin: str
    created_at: datetime
    refreshed_at: datetime | None
    belongs: tuple[Belongs, ...]
    known_as: tuple[KnownAs, ...]

    @property
    def affiliated(self) -> bool:
        return bool(self.belongs)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which patients a list is of. text: part of a name, or of an address."""

    affiliated: bool | None = None
    text: str = ""
    organization_id: UUID | None = None


def listed(
    session: Session, practice_id: UUID, wanted: Wanted | None = None, *, limit: int = 50, offset: int = 0
) -> list[Facts]:
    """Active patients by name; three statements, whatever their number."""
    query = _wanted(select(Patient), practice_id, wanted or Wanted())
    order = (Patient.name_key, Patient.created_at, Patient.id)
    return _facts(session, session.scalars(query.order_by(*order).limit(limit).offset(offset)).all())


def count(session: Session, practice_id: UUID, wanted: Wanted | None = None) -> int:
    """How many `listed` would list without a limit."""
    query = _wanted(select(func.count()).select_from(Patient), practice_id, wanted or Wanted())
    return session.scalar(query) or 0


def one_of_practice(session: Session, practice_id: UUID, patient_id: UUID) -> Facts:
    """Raises NotFound, also for another practice's patient."""
    return _facts(session, [_row(session, practice_id, patient_id)])[0]


def some_of_practice(session: Session, practice_id: UUID, ids: Collection[UUID]) -> dict[UUID, Facts]:
    """Those of these patients that are this practice's."""
    if not ids:
        return {}
    rows = session.scalars(select(Patient).where(Patient.practice_id == practice_id, Patient.id.in_(ids))).all()
    return {one.id: one for one in _facts(session, rows)}


def add(session: Session, practice: Practice, person: Person, act: Act) -> UUID:
    """Write somebody down by hand; a discovery fills their gaps and overwrites nothing. Raises InvalidInput."""
    cleaned = Person(
        clip(full_name(person.first_name), 255),
        clip(full_name(person.last_name), 255),
        clip(person.email, 255),
        phone_e164(person.phone, practice.region) or clip(person.phone, 40),
        person.birth_date,
    )
    if not cleaned.name_key:
        raise InvalidInput({"name": "A patient needs a name."})
    if cleaned.email and cleaned.email_key is None:
        raise InvalidInput({"email": "This is not an e-mail address."})
    return make(session, practice.id, cleaned, PatientOrigin.HAND, act)


def make(session: Session, practice_id: UUID, person: Person, origin: PatientOrigin, act: Act) -> UUID:
    """A patient as a person's word made them."""
    patient = Patient(
        id=uuid4(),
        practice_id=practice_id,
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        phone=person.phone,
        birth_date=person.birth_date,
        name_key=person.name_key,
        email_key=person.email_key,
        status=PatientStatus.ACTIVE,
        origin=origin,
        created_by=act.user_id,
        created_at=act.at,
        updated_at=act.at,
    )
    session.add(patient)
    session.flush()
    return patient.id


# --- reading ----------------------------------------------------------------------------------------------------------


def _row(session: Session, practice_id: UUID, patient_id: UUID) -> Patient:
    found = session.scalars(
        select(Patient).where(Patient.id == patient_id, Patient.practice_id == practice_id)
    ).one_or_none()
    if found is None:
        raise NotFound(UNKNOWN)
    return found


def _wanted(query: Select[Any], practice_id: UUID, wanted: Wanted) -> Select[Any]:
    query = query.where(Patient.practice_id == practice_id, Patient.status == PatientStatus.ACTIVE)
    if wanted.affiliated is not None:
        query = query.where(AFFILIATED if wanted.affiliated else ~AFFILIATED)
    if wanted.organization_id is not None:
        of_it = select(Affiliation.patient_id).where(
            Affiliation.practice_id == practice_id,
            Affiliation.organization_id == wanted.organization_id,
            Affiliation.ended_at.is_(None),
        )
        query = query.where(Patient.id.in_(of_it))
    for word in normal(wanted.text).split():
        query = query.where(
            or_(Patient.name_key.contains(word, autoescape=True), Patient.email_key.contains(word, autoescape=True))
        )
    return query


def _facts(session: Session, rows: Sequence[Patient]) -> list[Facts]:
    ids = [row.id for row in rows]
    belongs, known_as = _belonging(session, ids), _ids(session, ids)
    return [
        Facts(
            id=row.id,
            name=full_name(row.first_name, row.last_name) or "Unknown patient",
            first_name=row.first_name,
            last_name=row.last_name,
            email=row.email,
            phone=row.phone,
            birth_date=row.birth_date,
            status=row.status,
            origin=row.origin,
            created_at=row.created_at,
            refreshed_at=row.refreshed_at,
            belongs=tuple(belongs[row.id]),
            known_as=tuple(known_as[row.id]),
        )
        for row in rows
    ]


def _belonging(session: Session, ids: Collection[UUID]) -> dict[UUID, list[Belongs]]:
    found: dict[UUID, list[Belongs]] = defaultdict(list)
    if not ids:
        return found
    rows = session.execute(
        select(Affiliation.patient_id, Organization.id, Organization.name, Affiliation.since, Affiliation.added_by)
        .join(Organization, Organization.id == Affiliation.organization_id)
        .where(Affiliation.patient_id.in_(ids), Affiliation.ended_at.is_(None))
        .order_by(Organization.name_key)
    )
    for row in rows:
        found[row[0]].append(Belongs(row[1], row[2], row[3], row[4]))
    return found


def _ids(session: Session, ids: Collection[UUID]) -> dict[UUID, list[KnownAs]]:
    found: dict[UUID, list[KnownAs]] = defaultdict(list)
    if not ids:
        return found
    link = PatientExternalId
    rows = session.execute(
        select(link.patient_id, link.pms_connection_id, link.external_id, link.linked_by, link.linked_at)
        .where(link.patient_id.in_(ids))
        .order_by(link.linked_at, link.external_id)
    )
    for row in rows:
        found[row[0]].append(KnownAs(row[1], row[2], row[3], row[4]))
    return found
