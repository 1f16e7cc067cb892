"""Doubtful matches of a discovery, as people settle them: the same person, or another. Never across practices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.discovery import Person
from app.errors import InvalidInput, NotFound
from app.store import patients
from app.store.holds import Act
from app.store.models import DiscoveryReview, PatientExternalId
from app.store.models.patients import Decision, LinkedBy, PatientOrigin
from app.store.patients import Facts

_UNKNOWN = "There is no such question in this practice."


@dataclass(frozen=True, slots=True)
class Question:
    """A client, and the patients they may be: those who shared the address when they were met, as they are now."""

    review: DiscoveryReview
    candidates: tuple[Facts, ...]

    @property
    def person(self) -> Person:
        return person_of(self.review)


def listed(
    session: Session, practice_id: UUID, *, decided: bool = False, limit: int = 50, offset: int = 0
) -> list[Question]:
    """Open questions, the oldest first, or those that were decided, the newest first; in four statements."""
    query = select(DiscoveryReview).where(DiscoveryReview.practice_id == practice_id)
    if decided:
        query = query.where(DiscoveryReview.decision.is_not(None)).order_by(DiscoveryReview.decided_at.desc())
    else:
        query = query.where(DiscoveryReview.decision.is_(None)).order_by(DiscoveryReview.opened_at)
    rows = session.scalars(query.order_by(DiscoveryReview.id).limit(limit).offset(offset)).all()
    return _questions(session, practice_id, rows)


def open_count(session: Session, practice_id: UUID) -> int:
    asked = select(func.count()).select_from(DiscoveryReview)
    mine = asked.where(DiscoveryReview.practice_id == practice_id, DiscoveryReview.decision.is_(None))
    return session.scalar(mine) or 0


def one_of_practice(session: Session, practice_id: UUID, review_id: UUID) -> Question:
    """Raises NotFound, also for another practice's."""
    return _questions(session, practice_id, [_row(session, practice_id, review_id)])[0]


def same(session: Session, practice_id: UUID, review_id: UUID, patient_id: UUID, act: Act) -> None:
    """The client is this candidate: their id is written beside the patient, whose own record stays as it is.

    Raises NotFound; InvalidInput where it was decided meanwhile, or that patient was no candidate.
    """
    row = _locked(session, practice_id, review_id)
    if str(patient_id) not in row.candidates:
        raise InvalidInput({"patient": "Choose one of the patients this question is about."})
    patients.one_of_practice(session, practice_id, patient_id)
    _settle(session, row, Decision.SAME, patient_id, LinkedBy.PERSON, act)


def another(session: Session, practice_id: UUID, review_id: UUID, act: Act) -> UUID:
    """The client is somebody else: a new patient, unaffiliated. Their id. Raises as `same`."""
    row = _locked(session, practice_id, review_id)
    patient_id = patients.make(session, practice_id, person_of(row), PatientOrigin.DISCOVERY, act)
    _settle(session, row, Decision.ANOTHER, patient_id, LinkedBy.DISCOVERY, act)
    return patient_id


def person_of(row: DiscoveryReview) -> Person:
    return Person(row.first_name, row.last_name, row.email, row.phone, row.birth_date)


def _settle(
    session: Session, row: DiscoveryReview, decision: Decision, patient_id: UUID, how: LinkedBy, act: Act
) -> None:
    session.add(
        PatientExternalId(
            id=uuid4(),
            practice_id=row.practice_id,
            pms_connection_id=row.pms_connection_id,
            patient_id=patient_id,
            external_id=row.external_id,
            linked_by=how,
            linked_at=act.at,
            linked_user_id=act.user_id,
        )
    )
    row.decision, row.patient_id, row.decided_at, row.decided_by = decision, patient_id, act.at, act.user_id
    session.flush()


def _questions(session: Session, practice_id: UUID, rows: Sequence[DiscoveryReview]) -> list[Question]:
    wanted = {UUID(one) for row in rows for one in row.candidates}
    known = patients.some_of_practice(session, practice_id, wanted)
    return [Question(row, tuple(known[id_] for one in row.candidates if (id_ := UUID(one)) in known)) for row in rows]


def _row(session: Session, practice_id: UUID, review_id: UUID) -> DiscoveryReview:
    mine = select(DiscoveryReview).where(DiscoveryReview.id == review_id, DiscoveryReview.practice_id == practice_id)
    found = session.scalars(mine).one_or_none()
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def _locked(session: Session, practice_id: UUID, review_id: UUID) -> DiscoveryReview:
    """An open one; whoever comes second finds it decided. Raises NotFound, InvalidInput."""
    mine = select(DiscoveryReview).where(DiscoveryReview.id == review_id, DiscoveryReview.practice_id == practice_id)
    found = session.scalars(mine.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise NotFound(_UNKNOWN)
    if found.decision is not None:
        raise InvalidInput("Somebody has decided this already.")
    return found
