"""What a practice's limit has reached is wiped, a bounded piece at a time; what was wiped says so (A29)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.domain.cases import Origin
from app.domain.retention import SETTING, Retention, checked, retention_of, without_persons
from app.domain.window import day_of, day_start, zone_of
from app.errors import InvalidInput
from app.store import practices
from app.store.models import (
    Appointment,
    AppointmentEvent,
    Case,
    CaseConsultation,
    Practice,
    QuarantinedRecord,
    RunSheet,
)

#: Payloads, sheets, and visits' notes, of one practice that one pass wipes.
PAYLOADS_AT_ONCE, SHEETS_AT_ONCE, NOTES_AT_ONCE = 200, 3, 200


@dataclass(frozen=True, slots=True)
class Wiped:
    """What a pass did. more: it stopped at its bound, the next one goes on."""

    payloads: int = 0
    sheets: int = 0
    notes: int = 0
    more: bool = False


def of(session: Session, practice_id: UUID) -> Retention:
    return retention_of(practices.get(session, practice_id).settings)


def change(
    session: Session,
    practice_id: UUID,
    *,
    payloads: int | None = None,
    events: int | None = None,
    notes: int | None = None,
    keep_notes: bool = False,
) -> Retention:
    """Set what is given; in force at the next pass. keep_notes: notes have no limit any more. Raises InvalidInput."""
    practice = practices.get(session, practice_id)
    before = retention_of(practice.settings)
    after = Retention(
        before.payloads if payloads is None else checked("payload-days", payloads),
        before.events if events is None else checked("event-days", events),
        None if keep_notes else before.notes if notes is None else checked("note-days", notes),
    )
    practice.settings = {**practice.settings, SETTING: after.as_setting()}
    return after


def wipe(session: Session, practice: Practice, now: datetime) -> Wiped:
    """One pass over one practice, in the caller's transaction."""
    limit = retention_of(practice.settings)
    payloads = _wipe_payloads(session, practice, limit, now)
    sheets = list(_sheets_due(session, practice, limit, now))
    for sheet in sheets:
        _wipe_events(session, sheet)
    notes = _wipe_notes(session, practice, limit, now)
    more = payloads == PAYLOADS_AT_ONCE or len(sheets) == SHEETS_AT_ONCE or notes == NOTES_AT_ONCE
    return Wiped(payloads, len(sheets), notes, more)


def notes_from(session: Session, practice_id: UUID, now: datetime) -> date | None:
    """The first day whose visits' notes this practice keeps; None: all of them. Enrichment reads no earlier one."""
    practice = practices.get(session, practice_id)
    limit = retention_of(practice.settings)
    return None if limit.notes is None else limit.notes_from(day_of(now, zone_of(practice.timezone)))


def _wipe_notes(session: Session, practice: Practice, limit: Retention, now: datetime) -> int:
    """Take away what was read of visits past the limit; what stands on a later day's sheet stays, and cases that
    somebody else than the PMS brought.
    """
    if limit.notes is None:
        return 0
    try:
        zone = zone_of(practice.timezone)
    except InvalidInput:
        return 0
    first = limit.notes_from(day_of(now, zone))
    assert first is not None
    due = session.scalars(
        select(CaseConsultation.case_id)
        .join(Case, Case.id == CaseConsultation.case_id)
        .outerjoin(Appointment, Appointment.id == Case.appointment_id)
        .outerjoin(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(
            CaseConsultation.practice_id == practice.id,
            Case.practice_id == practice.id,
            Case.origin == Origin.SYNC,
            Case.scheduled_at < day_start(first, zone),
            or_(RunSheet.day.is_(None), RunSheet.day < first),
        )
        .order_by(Case.scheduled_at)
        .limit(NOTES_AT_ONCE)
    ).all()
    if due:
        session.execute(delete(CaseConsultation).where(CaseConsultation.case_id.in_(due)))
    return len(due)


def _wipe_payloads(session: Session, practice: Practice, limit: Retention, now: datetime) -> int:
    due = session.scalars(
        select(QuarantinedRecord.id)
        .where(
            QuarantinedRecord.practice_id == practice.id,
            QuarantinedRecord.payload.is_not(None),
            QuarantinedRecord.payload_at < limit.payloads_before(now),
        )
        .order_by(QuarantinedRecord.payload_at)
        .limit(PAYLOADS_AT_ONCE)
    ).all()
    if due:
        session.execute(update(QuarantinedRecord).where(QuarantinedRecord.id.in_(due)).values(payload=None))
    return len(due)


def _sheets_due(session: Session, practice: Practice, limit: Retention, now: datetime) -> Iterator[RunSheet]:
    """Days past the limit that were never wiped, or have changed since: every event raises its sheet's version."""
    try:
        today = day_of(now, zone_of(practice.timezone))
    except InvalidInput:
        return
    yield from session.scalars(
        select(RunSheet)
        .where(
            RunSheet.practice_id == practice.id,
            RunSheet.day < limit.sheets_before(today),
            or_(RunSheet.details_wiped_version.is_(None), RunSheet.details_wiped_version < RunSheet.version),
        )
        .order_by(RunSheet.day)
        .limit(SHEETS_AT_ONCE)
        .with_for_update(key_share=True)
    )


def _wipe_events(session: Session, sheet: RunSheet) -> None:
    """Take out of the events of the day's rows what tells of a person. Found by their rows, which have an index."""
    rows = select(Appointment.id).where(Appointment.run_sheet_id == sheet.id)
    for event in session.scalars(select(AppointmentEvent).where(AppointmentEvent.appointment_id.in_(rows))):
        kept = without_persons(event.changes)
        if kept != event.changes:
            event.changes = kept
    sheet.details_wiped_version = sheet.version
    session.flush()
