"""Consultations of cases: which are to be read, what was read, sealed; and the one way it is opened for a reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, String, Table, and_, bindparam, func, or_, select, true, update
from sqlalchemy.orm import Session

from app.domain import clinical
from app.domain.consultation import Consultation, ConsultationRef
from app.domain.enrichment import ALREADY, NOT_FOUND_BEFORE, Enrichment, Verdict, is_due
from app.domain.names import clip
from app.domain.status import Status
from app.domain.window import Window
from app.errors import Unreadable
from app.security.vault import Place, Vault
from app.store.appointments import Source
from app.store.bulk import BulkInsert
from app.store.db import Base
from app.store.models import Appointment, Case, CaseConsultation
from app.store.types import UtcDateTime

_CASES: Table = Base.metadata.tables[Case.__tablename__]
_CONTENTS: Table = Base.metadata.tables[CaseConsultation.__tablename__]

#: Where reading goes on: behind the case of this time and id.
After = tuple[datetime, UUID]


class Due(NamedTuple):
    """A case whose consultation is to be asked for, as it stands."""

    id: UUID
    external_id: str
    consultation_ref: str | None
    patient_id: str | None
    scheduled_at: datetime
    fingerprint: bytes | None
    enriched_as: bytes | None
    enrichment_state: str
    enrichment_reason: str | None
    consultation_id: str | None
    consultation_status: str | None
    consultation_at: datetime | None
    consultation_inferred: bool

    @property
    def wanted(self) -> ConsultationRef:
        return ConsultationRef(self.external_id, self.consultation_ref, self.patient_id, self.scheduled_at)

    @property
    def after(self) -> After:
        return self.scheduled_at, self.id


@dataclass(frozen=True, slots=True)
class Kept:
    """What a group of answers did to what is stored. Answers without a consultation are in none of these."""

    created: int = 0
    updated: int = 0
    same: int = 0


def waiting(session: Session, connection_id: UUID, window: Window, *, full: bool) -> tuple[int, Counter[str]]:
    """(cases to ask about, causes of not asking about the other finalised ones), in one statement."""
    rows = session.execute(
        select(Case.enrichment_state, _TOLD_OTHERWISE, func.count())
        .join(Appointment, Appointment.id == Case.appointment_id)
        .where(*_finalised(connection_id, window))
        .group_by(Case.enrichment_state, _TOLD_OTHERWISE)
    )
    asked, left = 0, Counter[str]()
    for state, otherwise, count in rows:
        if full or is_due(Enrichment(state), told_otherwise=bool(otherwise)):
            asked += count
        else:
            left[NOT_FOUND_BEFORE if state == Enrichment.NOT_FOUND else ALREADY] += count
    return asked, left


def due(
    session: Session, connection_id: UUID, window: Window, after: After | None, limit: int, *, full: bool
) -> list[Due]:
    """The next cases to ask about, by time: those whose appointment is over by the PMS's own word, and whose
    consultation is not read, not closed, or was read when the PMS told the appointment otherwise.

    full: whatever was read.
    """
    behind = true() if after is None else _behind(after)
    rows = session.execute(
        select(*(getattr(Case, name) for name in Due._fields))
        .join(Appointment, Appointment.id == Case.appointment_id)
        .where(*_finalised(connection_id, window), _due(full=full), behind)
        .order_by(Case.scheduled_at, Case.id)
        .limit(limit)
    )
    return [Due(*row) for row in rows]


def keep(session: Session, vault: Vault, source: Source, judged: Sequence[tuple[Due, Verdict]]) -> Kept:
    """Write a group of answers: sealed contents, and what each case says of its own. Four statements at most.

    Whatever an answer is, content that was read before stays, unless it brings newer content. An answer that says
    what is known already writes nothing.
    """
    brought = [(one, verdict.consultation) for one, verdict in judged if verdict.consultation is not None]
    old = _opened(session, vault, source.practice_id, [one.id for one, _ in brought])
    new = {one.id: clinical.laid_over(old.get(one.id), found) for one, found in brought}
    changed = {id_: content for id_, content in new.items() if old.get(id_) != content}
    shared = {"practice_id": source.practice_id, "written_at": source.at, "sync_run_id": source.run_id}
    sealed = [
        {"case_id": id_, "content": vault.seal(clinical.to_text(content), _place(source.practice_id, id_))}
        for id_, content in changed.items()
    ]
    _upsert.run(session.connection(), shared, sealed)
    rows = [(one, _row(one, verdict, new.get(one.id), source.at, written=one.id in changed)) for one, verdict in judged]
    told = [row for one, row in rows if one.id in changed or _differs(one, row)]
    if told:
        session.connection().execute(_TELL, told)
    created = len(changed.keys() - old.keys())
    return Kept(created, len(changed) - created, len(new) - len(changed))


def opened(session: Session, vault: Vault, practice_id: UUID, case_id: UUID) -> Consultation | None:
    """The content of a case of this practice, in the clear; None where none was read. Raises Unreadable.

    For whoever has settled that the reader may: ask `store.cases.notes_for` instead.
    """
    return _opened(session, vault, practice_id, [case_id]).get(case_id)


def _finalised(connection_id: UUID, window: Window) -> Iterable[ColumnElement[bool]]:
    return (
        Case.pms_connection_id == connection_id,
        Case.scheduled_at >= window.start,
        Case.scheduled_at < window.end,
        Case.deleted_at.is_(None),
        Appointment.pms_status == Status.COMPLETED.value,
        Appointment.removed_at.is_(None),
        Appointment.hidden_cause.is_(None),  # what a practice switched off is none of our business any more
    )


#: The appointment is not as it was when the consultation was read.
_TOLD_OTHERWISE = Case.enriched_as.is_distinct_from(Case.fingerprint)


def _due(*, full: bool) -> ColumnElement[bool]:
    """As `domain.enrichment.is_due` has it."""
    if full:
        return true()
    always = [state.value for state in Enrichment if is_due(state, told_otherwise=False)]
    sometimes = [state.value for state in Enrichment if is_due(state, told_otherwise=True)]
    return or_(Case.enrichment_state.in_(always), and_(Case.enrichment_state.in_(sometimes), _TOLD_OTHERWISE))


def _behind(after: After) -> ColumnElement[bool]:
    at, id_ = after
    return and_(Case.scheduled_at >= at, or_(Case.scheduled_at > at, Case.id > id_))


def _opened(session: Session, vault: Vault, practice_id: UUID, case_ids: Sequence[UUID]) -> dict[UUID, Consultation]:
    if not case_ids:
        return {}
    rows = session.execute(
        select(CaseConsultation.case_id, CaseConsultation.content).where(
            CaseConsultation.practice_id == practice_id, CaseConsultation.case_id.in_(case_ids)
        )
    )
    return {id_: _read(vault.open(content, _place(practice_id, id_))) for id_, content in rows}


def _read(text: str) -> Consultation:
    try:
        return clinical.from_text(text)
    except ValueError:
        raise Unreadable("A stored consultation is in a form this release does not know.") from None


def _place(practice_id: UUID, case_id: UUID) -> Place:
    return Place(str(practice_id), CaseConsultation.__tablename__, "content", str(case_id))


#: What enrichment writes on a case, but for the two that only say how it stands.
_ABOUT = ("consultation_id", "consultation_status", "consultation_at", "consultation_inferred")
_STANDING = ("enrichment_state", "enrichment_reason", "enriched_as")


def _row(one: Due, verdict: Verdict, content: Consultation | None, at: datetime, *, written: bool) -> Mapping[str, Any]:
    row: dict[str, Any] = {name: getattr(one, name) for name in _ABOUT}
    if content is not None:
        row = {
            "consultation_id": clip(content.external_id, 255),
            "consultation_status": clip(content.status, 120),
            "consultation_at": content.held_at,
            "consultation_inferred": content.inferred,
        }
    standing = {
        "enrichment_state": verdict.state.value,
        "enrichment_reason": clip(verdict.reason, 40),
        "enriched_as": one.fingerprint if content is not None else one.enriched_as,
    }
    animal = (content.species, content.breed) if content is not None else (None, None)
    told = {"told_species": clip(animal[0], 120), "told_breed": clip(animal[1], 120)}
    return {**row, **standing, **told, "case": one.id, "written": at if written else None, "at": at}


def _differs(one: Due, row: Mapping[str, Any]) -> bool:
    return any(getattr(one, name) != row[name] for name in (*_ABOUT, *_STANDING))


_TELL = (
    update(_CASES)
    .where(_CASES.c.id == bindparam("case"))
    .values(  # the others by their own names
        enriched_at=func.coalesce(bindparam("written", type_=UtcDateTime()), _CASES.c.enriched_at),
        updated_at=bindparam("at"),
        species=func.coalesce(bindparam("told_species", type_=String()), _CASES.c.species),
        breed=func.coalesce(bindparam("told_breed", type_=String()), _CASES.c.breed),
    )
)


def _meet_again(make: Any) -> Any:
    names = ("content", "written_at", "sync_run_id")
    return make.on_conflict_do_update(index_elements=["case_id"], set_={name: make.excluded[name] for name in names})


_upsert = BulkInsert(_CONTENTS, ("case_id", "practice_id", "content", "written_at", "sync_run_id"), _meet_again)
