"""What staff write on a row: status, note, walk-in, undo. Each guarded by the row's version and told as an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.names import clip
from app.domain.status import Shown, Status, VisitTimes, Word, may_move, shown, times_after, times_true_of
from app.errors import Conflict, InvalidInput, NotFound
from app.store import catalogue, outbox
from app.store.appointments import ensure_sheets, raise_versions
from app.store.columns import plain
from app.store.models import Appointment, AppointmentEvent, User
from app.store.models.runsheet import RowKind

#: How long a status change can be undone with one click (R24).
UNDO_FOR = timedelta(minutes=2)
NOTE_LIMIT = 2_000

#: Staff's own columns that a status change writes, and that undoing it puts back.
_STATUS_COLUMNS = (
    "staff_status",
    "staff_status_at",
    "staff_status_by",
    "staff_arrived_at",
    "staff_started_at",
    "staff_ended_at",
    "staff_decided_on",
)
_TIMES = _STATUS_COLUMNS[3:6]
_NOTE_COLUMNS = ("staff_note", "staff_note_at", "staff_note_by")


class ChangedMeanwhile(Conflict):
    """The row is not the one the person saw. Carries who changed it and when, for the page to say."""

    def __init__(self, by: str, at: datetime | None) -> None:
        self.by, self.at = by, at
        super().__init__(f"Changed by {by} in the meantime; nothing was written.")


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, and when."""

    user_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class WalkIn:
    """A patient nobody booked in the PMS."""

    clinician_id: UUID
    patient_name: str
    starts_at: datetime
    minutes: int | None
    phone: str | None
    note: str | None


def locked(session: Session, practice_id: UUID, appointment_id: UUID) -> Appointment:
    """The row, held until the transaction ends. Raises NotFound, also for another practice's row."""
    row = session.scalars(
        select(Appointment)
        .where(Appointment.id == appointment_id, Appointment.practice_id == practice_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such appointment in this practice.")
    return row


def set_status(session: Session, row: Appointment, to: Status, *, seen_version: int, act: Act) -> AppointmentEvent:
    """Move the row to `to`. Raises ChangedMeanwhile, or InvalidInput for a move the cycle does not have."""
    _guard(session, row, seen_version)
    current = _shown(row).status
    if to is current and row.staff_status == to:
        raise InvalidInput({"status": f"It is {to.value.replace('_', ' ')} already."})
    if to is not current and not may_move(current, to):
        raise InvalidInput({"status": f"From {_word(current)} a visit cannot become {_word(to)}."})
    before = {name: getattr(row, name) for name in _STATUS_COLUMNS}
    row.staff_status, row.staff_status_at, row.staff_status_by = to.value, act.at, act.user_id
    times = times_after(VisitTimes(*(before[name] for name in _TIMES)), to, act.at)
    row.staff_arrived_at, row.staff_started_at, row.staff_ended_at = times.arrived_at, times.started_at, times.ended_at
    row.staff_decided_on = None
    return _changed(session, row, "status", _diff(before, row), act)


def decide(session: Session, row: Appointment, word: Word, *, seen_version: int, act: Act) -> AppointmentEvent:
    """Keep staff's status, or take the PMS's, where the two differ (M06). Can be undone as any status change.

    Raises ChangedMeanwhile, or InvalidInput where there is nothing to decide.
    """
    _guard(session, row, seen_version)
    if _shown(row).other is None:
        raise InvalidInput({"word": "There is nothing to decide any more: nobody says anything else."})
    before = {name: getattr(row, name) for name in _STATUS_COLUMNS}
    row.staff_decided_on = row.pms_status_changed_at
    if word is Word.TAKE:
        row.staff_status = row.staff_status_at = row.staff_status_by = None
        times = times_true_of(VisitTimes(*(before[name] for name in _TIMES)), Status(row.pms_status or ""))
        row.staff_arrived_at, row.staff_started_at = times.arrived_at, times.started_at
        row.staff_ended_at = times.ended_at
    return _changed(session, row, "status", _diff(before, row), act)


def set_note(session: Session, row: Appointment, text: str, *, seen_version: int, act: Act) -> AppointmentEvent | None:
    """Write the internal note; None where it reads so already, and nothing is written.

    Raises InvalidInput when it is too long, ChangedMeanwhile when somebody else wrote.
    """
    _guard(session, row, seen_version)
    note = text.replace("\x00", "").strip()
    if len(note) > NOTE_LIMIT:
        raise InvalidInput({"note": f"A note has at most {NOTE_LIMIT} characters; this one has {len(note)}."})
    if (note or None) == row.staff_note:
        return None
    before = {name: getattr(row, name) for name in _NOTE_COLUMNS}
    row.staff_note, row.staff_note_at, row.staff_note_by = note or None, act.at, act.user_id
    return _changed(session, row, "note", _diff(before, row), act)


def add_walk_in(session: Session, practice_id: UUID, day: date, new: WalkIn, *, act: Act) -> Appointment:
    """A row no PMS knows; a sync never touches it.

    Raises NotFound for a clinician of another practice, InvalidInput where there is no name. What is too long is cut.
    """
    catalogue.clinician_of(session, practice_id, new.clinician_id)
    name = clip(new.patient_name, 500)
    if name is None:
        raise InvalidInput({"name": "Whom is it for? A walk-in needs a name."})
    note = clip(new.note, NOTE_LIMIT)
    sheet_id = ensure_sheets(session, practice_id, [day])[day]
    row = Appointment(
        id=uuid4(),
        practice_id=practice_id,
        run_sheet_id=sheet_id,
        kind=RowKind.WALK_IN,
        clinician_id=new.clinician_id,
        patient_name=name,
        patient_phone=clip(new.phone, 40),
        starts_at=new.starts_at,
        ends_at=new.starts_at + timedelta(minutes=new.minutes) if new.minutes else None,
        appointment_duration_minutes=new.minutes,
        is_telehealth=True,
        staff_status=Status.BOOKED,
        staff_status_at=act.at,
        staff_status_by=act.user_id,
        staff_note=note,
        staff_note_at=act.at if note else None,
        staff_note_by=act.user_id if note else None,
        created_at=act.at,
        updated_at=act.at,
    )
    session.add(row)
    session.flush()
    _event(session, row, "walk_in", {}, act)
    raise_versions(session, {sheet_id})
    return row


def undo(session: Session, practice_id: UUID, event_id: UUID, *, act: Act) -> Appointment:
    """Put back what a status change replaced (R24). Only the person who made it, while nothing came after it.

    Raises NotFound, InvalidInput when it is too late, ChangedMeanwhile when the status moved on.
    """
    event = session.scalars(
        select(AppointmentEvent).where(AppointmentEvent.id == event_id, AppointmentEvent.practice_id == practice_id)
    ).one_or_none()
    if event is None or event.kind != "status" or event.user_id != act.user_id:
        raise NotFound("There is nothing to undo here.")
    row = locked(session, practice_id, event.appointment_id)
    if act.at - event.at > UNDO_FOR:
        raise InvalidInput("It is too late to undo this; set the status again instead.")
    later = session.scalar(
        select(AppointmentEvent.id)
        .where(
            AppointmentEvent.appointment_id == row.id,
            AppointmentEvent.at > event.at,
            AppointmentEvent.kind.in_(("status", "undo")),
        )
        .limit(1)
    )
    stands = all(new == plain(getattr(row, name)) for name, (_, new) in event.changes.items())
    if later is not None or not stands:
        raise _meanwhile(session, row)
    before = {name: getattr(row, name) for name in _STATUS_COLUMNS}
    for name, (old, _) in event.changes.items():
        setattr(row, name, _restored(name, old))
    _changed(session, row, "undo", _diff(before, row), act, undoes=event.id)
    return row


def last_change(session: Session, appointment_id: UUID) -> tuple[str, datetime] | None:
    """Who last changed a row, and when: “the PMS” for a sync, “a rule of the practice” for somebody's choice."""
    found = session.execute(
        select(AppointmentEvent.at, AppointmentEvent.kind, User.name)
        .outerjoin(User, User.id == AppointmentEvent.user_id)
        .where(AppointmentEvent.appointment_id == appointment_id)
        .order_by(AppointmentEvent.at.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return None
    nobody = {"pms": "the PMS", "rules": "a rule of the practice"}.get(found.kind, "somebody who left")
    return found.name or nobody, found.at


def story_of(session: Session, practice_id: UUID, appointment_id: UUID, limit: int = 100) -> list[Mapping[str, Any]]:
    """The events of a row, newest first, with the names of who made them."""
    rows = session.execute(
        select(
            AppointmentEvent.id,
            AppointmentEvent.at,
            AppointmentEvent.kind,
            AppointmentEvent.changes,
            AppointmentEvent.sync_run_id,
            User.name.label("by"),
        )
        .outerjoin(User, User.id == AppointmentEvent.user_id)
        .where(AppointmentEvent.appointment_id == appointment_id, AppointmentEvent.practice_id == practice_id)
        .order_by(AppointmentEvent.at.desc())
        .limit(limit)
    ).mappings()
    return [dict(row) for row in rows]


def _guard(session: Session, row: Appointment, seen_version: int) -> None:
    if row.row_version != seen_version:
        raise _meanwhile(session, row)


def _meanwhile(session: Session, row: Appointment) -> ChangedMeanwhile:
    last = last_change(session, row.id)
    return ChangedMeanwhile(*last) if last else ChangedMeanwhile("somebody", None)


def _shown(row: Appointment) -> Shown:
    return shown(
        Status(row.pms_status) if row.pms_status else None,
        row.pms_status_changed_at,
        Status(row.staff_status) if row.staff_status else None,
        row.staff_status_at,
        row.staff_decided_on,
    )


def _changed(
    session: Session,
    row: Appointment,
    kind: str,
    changes: dict[str, list[Any]],
    act: Act,
    undoes: UUID | None = None,
) -> AppointmentEvent:
    row.row_version += 1
    row.updated_at = act.at
    event = _event(session, row, kind, changes, act, undoes)
    if kind in ("status", "undo"):
        outbox.note(session, row, act.user_id, act.at, UNDO_FOR)
    if row.hidden_cause is None:  # an undo reaches a row that has left the sheet meanwhile
        raise_versions(session, {row.run_sheet_id})
    return event


def _event(
    session: Session,
    row: Appointment,
    kind: str,
    changes: dict[str, list[Any]],
    act: Act,
    undoes: UUID | None = None,
) -> AppointmentEvent:
    event = AppointmentEvent(
        id=uuid4(),
        practice_id=row.practice_id,
        appointment_id=row.id,
        run_sheet_id=row.run_sheet_id,
        at=act.at,
        kind=kind,
        changes=changes,
        user_id=act.user_id,
        undoes=undoes,
    )
    session.add(event)
    session.flush()
    return event


def _diff(before: Mapping[str, Any], row: Appointment) -> dict[str, list[Any]]:
    after = {name: getattr(row, name) for name in before}
    return {name: [plain(before[name]), plain(after[name])] for name in before if before[name] != after[name]}


def _restored(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name.endswith(("_at", "_on")):
        return datetime.fromisoformat(value)
    return UUID(value) if name.endswith("_by") else value


def _word(status: Status) -> str:
    return status.value.replace("_", " ")
