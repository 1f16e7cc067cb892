"""Cases as people see them: the facts for everybody who sees the sheet, the notes for the appointment's clinician."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from app.domain.cases import CaseStatus, CaseType, Visibility
from app.domain.consultation import Consultation
from app.errors import InvalidInput, NotFound
from app.security.roles import Role, may_read_notes
from app.security.vault import Vault
from app.store import consultations
from app.store.models import Appointment, Case, ClinicianMapping
from app.store.rows import Act


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """A case without anything clinical. `status` and `case_type` are what people said, else what the words say."""

    id: UUID
    pms_connection_id: UUID
    appointment_id: UUID | None
    clinician_id: UUID | None  # whose appointment it is
    external_id: str
    origin: str
    scheduled_at: datetime
    patient_id: str | None
    patient_name: str
    species: str | None
    breed: str | None
    client_id: str | None
    client_name: str | None
    client_phone: str | None
    client_email: str | None
    provider: str | None
    room: str | None
    reason: str | None
    type_name: str | None
    raw_status: str | None
    status: str
    case_type: str
    visibility: str
    consultation_id: str | None
    consultation_status: str | None
    consultation_at: datetime | None
    consultation_inferred: bool
    enrichment_state: str
    enrichment_reason: str | None
    enriched_at: datetime | None
    deleted_at: datetime | None
    delete_reason: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Reader:
    """Who wants to read notes: a role, and the column of the run sheet that is theirs."""

    role: Role
    clinician_id: UUID | None


_UNKNOWN = "There is no such case in this practice."
_COMPUTED: Mapping[str, Any] = {
    "clinician_id": func.coalesce(Appointment.clinician_id, ClinicianMapping.run_sheet_clinician_id),
    "status": func.coalesce(Case.staff_status, Case.status),
    "case_type": func.coalesce(Case.staff_case_type, Case.case_type),
}
_FACTS = (
    select(*(_COMPUTED[one.name] if one.name in _COMPUTED else getattr(Case, one.name) for one in fields(CaseFacts)))
    .select_from(Case)
    .outerjoin(Appointment, Appointment.id == Case.appointment_id)
    .outerjoin(
        ClinicianMapping,
        and_(
            ClinicianMapping.pms_connection_id == Appointment.pms_connection_id,
            ClinicianMapping.pms_practitioner_id == Appointment.pms_practitioner_id,
        ),
    )
)


def listed(
    session: Session,
    practice_id: UUID,
    *,
    connection_id: UUID | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    gone: bool = False,
    limit: int = 500,
) -> list[CaseFacts]:
    """The practice's cases by time, `start` included, `end` excluded. gone: tombstones too."""
    query = _FACTS.where(Case.practice_id == practice_id)
    if connection_id is not None:
        query = query.where(Case.pms_connection_id == connection_id)
    if start is not None:
        query = query.where(Case.scheduled_at >= start)
    if end is not None:
        query = query.where(Case.scheduled_at < end)
    if not gone:
        query = query.where(Case.deleted_at.is_(None))
    return [CaseFacts(*row) for row in session.execute(query.order_by(Case.scheduled_at, Case.id).limit(limit))]


def one_of_practice(session: Session, practice_id: UUID, case_id: UUID) -> CaseFacts:
    """Raises NotFound, also for another practice's case."""
    return _one(session, _FACTS.where(Case.practice_id == practice_id, Case.id == case_id))


def get(session: Session, case_id: UUID) -> CaseFacts:
    """A case whatever the practice: for the operator's commands. Raises NotFound."""
    return _one(session, _FACTS.where(Case.id == case_id))


def of_appointment(session: Session, practice_id: UUID, appointment_id: UUID) -> CaseFacts | None:
    """The case kept beside an appointment of this practice, if there is one."""
    found = session.execute(_FACTS.where(Case.practice_id == practice_id, Case.appointment_id == appointment_id)).all()
    return CaseFacts(*found[0]) if found else None


def may_read(reader: Reader, facts: CaseFacts) -> bool:
    """Whether the notes of this case are for this reader."""
    return may_read_notes(reader.role, facts.clinician_id is not None and facts.clinician_id == reader.clinician_id)


def notes_for(session: Session, vault: Vault, practice_id: UUID, case_id: UUID, reader: Reader) -> Consultation | None:
    """The clinical content, opened. None where there is none yet, and for everybody it is not for.

    Raises NotFound for another practice's case; Unreadable where its key is not here.
    """
    facts = one_of_practice(session, practice_id, case_id)
    return consultations.opened(session, vault, practice_id, case_id) if may_read(reader, facts) else None


def edit(
    session: Session,
    practice_id: UUID,
    case_id: UUID,
    act: Act,
    *,
    status: CaseStatus | None = None,
    case_type: CaseType | None = None,
    visibility: Visibility | None = None,
) -> None:
    """What a person says of a case; no sync takes it back. Raises NotFound, InvalidInput where nothing is said."""
    said = {"staff_status": status, "staff_case_type": case_type, "visibility": visibility}
    said = {name: value for name, value in said.items() if value is not None}
    if not said:
        raise InvalidInput("Say what is to be changed: the status, the type or who may see it.")
    row = session.scalars(
        select(Case).where(Case.id == case_id, Case.practice_id == practice_id).with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise NotFound(_UNKNOWN)
    for name, value in said.items():
        setattr(row, name, str(value))
    row.edited_at, row.edited_by, row.updated_at = act.at, act.user_id, act.at
    session.flush()


def _one(session: Session, query: Select[Any]) -> CaseFacts:
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(_UNKNOWN)
    return CaseFacts(*row)
