"""What a PMS offers, cached: its practitioners, its appointment types, the status words we do not know.

New entries appear in the mapping pages and are never switched on for anybody; what the PMS no longer lists is marked,
not dropped, so that a mapping survives a bad day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain import appointment as unified
from app.domain.names import clip
from app.domain.rules import Rules
from app.domain.suggest import Candidate, Suggestion, clinician_for
from app.errors import InvalidInput, NotFound
from app.store.models import AppointmentType, Clinician, ClinicianMapping, PmsConnection, PmsStatus, Practice


@dataclass(frozen=True, slots=True)
class Tally:
    """fetched = created + updated + unchanged."""

    fetched: int
    created: int
    updated: int

    @property
    def unchanged(self) -> int:
        return self.fetched - self.created - self.updated


def keep_practitioners(session: Session, connection_id: UUID, people: Iterable[unified.Practitioner]) -> Tally:
    """Refresh the cached practitioners. Nobody is mapped here; somebody the PMS no longer lists is set inactive."""
    people = list(people)
    known = {row.pms_practitioner_id: row for row in mappings_of(session, connection_id)}
    facts = {
        person.external_id: {
            "pms_practitioner_name": clip(person.full_name, 255) or person.external_id,
            "pms_email": clip(person.email, 255),
            "active": person.active,
            "shown_in_book": person.shown_in_book,
        }
        for person in people
        if person.readable or person.external_id not in known
    }
    return _keep(
        session,
        known,
        facts,
        {person.external_id for person in people},
        lambda external_id: ClinicianMapping(
            id=uuid4(), pms_connection_id=connection_id, pms_practitioner_id=external_id
        ),
    )


def keep_types(session: Session, connection_id: UUID, types: Iterable[unified.AppointmentType]) -> Tally:
    """Refresh the cached types. A new type is off until somebody ticks it."""
    types = list(types)
    known = {row.pms_type_id: row for row in types_of(session, connection_id)}
    facts = {
        kind.external_id: {
            "pms_type_name": clip(kind.name, 255) or kind.external_id,
            "default_duration_minutes": kind.minutes,
            "colour": clip(kind.colour, 20),
            "active": True,
        }
        for kind in types
        if kind.readable or kind.external_id not in known
    }
    return _keep(
        session,
        known,
        facts,
        {kind.external_id for kind in types},
        lambda external_id: AppointmentType(id=uuid4(), pms_connection_id=connection_id, pms_type_id=external_id),
    )


def _keep(
    session: Session,
    known: Mapping[str, ClinicianMapping] | Mapping[str, AppointmentType],
    facts: Mapping[str, Mapping[str, Any]],
    listed: Collection[str],
    make: Callable[[str], ClinicianMapping | AppointmentType],
) -> Tally:
    """Write what the PMS lists over what is known; touch no row that is the same already.

    facts: what could be read. What is no longer listed at all is set inactive, but not on the word of an empty list:
    that is a bad answer.
    """
    created = updated = 0
    for external_id, columns in facts.items():
        row = known.get(external_id)
        if row is None:
            row = make(external_id)
            session.add(row)
            created += 1
        elif any(getattr(row, name) != value for name, value in columns.items()):
            updated += 1
        else:
            continue
        for name, value in columns.items():
            setattr(row, name, value)
    for external_id, row in known.items():
        if listed and external_id not in listed and row.active:
            row.active = False
    session.flush()
    return Tally(len(listed), created, updated)


def note_unknown_statuses(session: Session, connection_id: UUID, words: Mapping[str, int]) -> None:
    """Keep the raw words the PMS used that we do not know, so that an admin can say once what they mean."""
    if not words:
        return
    known = set(
        session.scalars(
            select(PmsStatus.raw_status).where(
                PmsStatus.pms_connection_id == connection_id, PmsStatus.raw_status.in_(words)
            )
        )
    )
    session.add_all(
        PmsStatus(id=uuid4(), pms_connection_id=connection_id, raw_status=word, seen=count)
        for word, count in words.items()
        if word not in known
    )


def explained_words(session: Session, connection_id: UUID) -> dict[str, str]:
    """Raw status word -> our status, where the practice has said so."""
    rows = session.execute(
        select(PmsStatus.raw_status, PmsStatus.status).where(
            PmsStatus.pms_connection_id == connection_id, PmsStatus.status.is_not(None)
        )
    )
    return {raw: status for raw, status in rows if status}


def unknown_words(session: Session, connection_id: UUID) -> Sequence[PmsStatus]:
    return session.scalars(
        select(PmsStatus)
        .where(PmsStatus.pms_connection_id == connection_id, PmsStatus.status.is_(None))
        .order_by(PmsStatus.raw_status)
    ).all()


def words_of(session: Session, connection_id: UUID) -> Sequence[PmsStatus]:
    """Every word of the PMS that was unknown once, explained or not; the unexplained first."""
    return session.scalars(
        select(PmsStatus)
        .where(PmsStatus.pms_connection_id == connection_id)
        .order_by(PmsStatus.status.is_not(None), PmsStatus.raw_status)
    ).all()


def mappings_of(session: Session, connection_id: UUID) -> Sequence[ClinicianMapping]:
    return session.scalars(
        select(ClinicianMapping)
        .where(ClinicianMapping.pms_connection_id == connection_id)
        .order_by(ClinicianMapping.pms_practitioner_name, ClinicianMapping.pms_practitioner_id)
    ).all()


def types_of(session: Session, connection_id: UUID) -> Sequence[AppointmentType]:
    return session.scalars(
        select(AppointmentType)
        .where(AppointmentType.pms_connection_id == connection_id)
        .order_by(AppointmentType.pms_type_name, AppointmentType.pms_type_id)
    ).all()


def swept_practitioners(session: Session, connection_id: UUID) -> set[str]:
    """Whom a sweep asks for: at work, shown in the appointment book, and not switched off here."""
    return set(
        session.scalars(
            select(ClinicianMapping.pms_practitioner_id).where(
                ClinicianMapping.pms_connection_id == connection_id,
                ClinicianMapping.active,
                ClinicianMapping.shown_in_book,
                ClinicianMapping.sync_enabled,
            )
        )
    )


def rules_of(session: Session, connection: PmsConnection, swept: Iterable[str]) -> Rules:
    """The practice's choices at this moment."""
    types = types_of(session, connection.id)
    off = session.scalars(
        select(ClinicianMapping.pms_practitioner_id).where(
            ClinicianMapping.pms_connection_id == connection.id, ClinicianMapping.sync_enabled.is_(False)
        )
    )
    return Rules(
        telehealth_only=connection.sync_telehealth_only,
        telehealth_types=frozenset(row.pms_type_id for row in types if row.is_telehealth),
        types_off=frozenset(row.pms_type_id for row in types if not row.sync_enabled),
        practitioners_off=frozenset(off),
        swept_practitioners=frozenset(swept),
    )


# --- clinicians -------------------------------------------------------------------------------------------------------


def clinicians_of(session: Session, practice_id: UUID, *, active_only: bool = True) -> Sequence[Clinician]:
    query = select(Clinician).where(Clinician.practice_id == practice_id)
    if active_only:
        query = query.where(Clinician.active)
    return session.scalars(query.order_by(Clinician.position, Clinician.name)).all()


def suggestion_for(row: ClinicianMapping, clinicians: Sequence[Clinician]) -> Suggestion | None:
    candidates = [Candidate(person.id, person.name, person.email) for person in clinicians]
    return clinician_for(row.pms_practitioner_name, row.pms_email, candidates)


def new_clinician(session: Session, practice_id: UUID, name: str, email: str | None = None) -> Clinician:
    """A further column of the run sheet, behind the others. The name is made unique by a number where it must be."""
    cleaned = " ".join(name.split())[:240]
    if not cleaned:
        raise InvalidInput({"name": "A clinician needs a name."})
    _alone(session, practice_id)
    taken = {person.name for person in clinicians_of(session, practice_id, active_only=False)}
    unique, number = cleaned, 2
    while unique in taken:
        unique, number = f"{cleaned} ({number})", number + 1
    last = session.scalar(select(func.max(Clinician.position)).where(Clinician.practice_id == practice_id)) or 0
    person = Clinician(id=uuid4(), practice_id=practice_id, name=unique, email=email, position=last + 1)
    session.add(person)
    session.flush()
    return person


def clinician_of(session: Session, practice_id: UUID, clinician_id: UUID) -> Clinician:
    """Raises NotFound, also for another practice's clinician."""
    found = session.scalars(
        select(Clinician).where(Clinician.id == clinician_id, Clinician.practice_id == practice_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such clinician in this practice.")
    return found


def map_everybody(session: Session, practice_id: UUID, connection_id: UUID) -> tuple[int, int]:
    """Give every practitioner shown in the book who has no clinician one: the suggested, else a new one.

    Returns (mapped, created). Existing mappings stay as they are.
    """
    _alone(session, practice_id)
    mapped = created = 0
    people = clinicians_of(session, practice_id)  # of before: two of one name in the book may be two people
    for row in mappings_of(session, connection_id):
        if row.run_sheet_clinician_id is not None or not (row.active and row.shown_in_book):
            continue
        suggestion = suggestion_for(row, people)
        if suggestion is not None and suggestion.reason != "same family name":
            row.run_sheet_clinician_id = suggestion.clinician_id
        else:
            made = new_clinician(session, practice_id, row.pms_practitioner_name, row.pms_email)
            row.run_sheet_clinician_id = made.id
            row.auto_created = True
            created += 1
        mapped += 1
    session.flush()
    return mapped, created


def _alone(session: Session, practice_id: UUID) -> None:
    """One at a time may add columns to a practice: a button pressed twice must not make two of everybody."""
    session.execute(select(Practice.id).where(Practice.id == practice_id).with_for_update(key_share=True))
