"""Removals that wait for a person: opened by a run, decided by somebody, or cleared by the PMS itself.

At most one open hold per connection and day; the database says so. Whoever writes holds first locks the connection's
holds of that day, then rows, then sheets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.domain.orphans import Answer, Removal
from app.errors import Conflict, NotFound
from app.store import removals
from app.store.appointments import Source, raise_versions
from app.store.models import Appointment, RemovalHold, RunSheet
from app.store.models.sync import HoldState


@dataclass(frozen=True, slots=True)
class Act:
    """Who decides, and when. user_id None: the operator, from the command line."""

    user_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """A row of a hold as an admin weighs it."""

    appointment_id: UUID
    starts_at: datetime
    patient_name: str
    practitioner_name: str | None
    removed_at: datetime | None
    answer: Answer
    back: bool  # the PMS has brought it again


# --- a run's side -----------------------------------------------------------------------------------------------------


def standing(session: Session, connection_id: UUID) -> list[RemovalHold]:
    """Open holds, and decisions to keep rows that still bind."""
    return list(
        session.scalars(
            select(RemovalHold)
            .where(
                RemovalHold.pms_connection_id == connection_id,
                RemovalHold.state.in_((HoldState.OPEN, HoldState.KEPT)),
            )
            .order_by(RemovalHold.opened_at)
        )
    )


def locked_on(session: Session, connection_id: UUID, day: date) -> tuple[RemovalHold | None, list[RemovalHold]]:
    """(the open hold of the day, the decisions to keep that bind), held until the transaction ends."""
    found = session.scalars(
        select(RemovalHold)
        .where(
            RemovalHold.pms_connection_id == connection_id,
            RemovalHold.day == day,
            RemovalHold.state.in_((HoldState.OPEN, HoldState.KEPT)),
        )
        .order_by(RemovalHold.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    opened = next((one for one in found if one.state == HoldState.OPEN), None)
    return opened, [one for one in found if one.state == HoldState.KEPT]


def forget_returned(kept: Collection[RemovalHold], vanished: Collection[str]) -> None:
    """A row that came back is no longer kept against the PMS: should it vanish again, it is judged anew."""
    for one in kept:
        left = {id_: answer for id_, answer in one.candidates.items() if id_ in vanished}
        if left != one.candidates:
            one.candidates = left


def put(
    session: Session,
    source: Source,
    day: date,
    opened: RemovalHold | None,
    answers: Mapping[str, Answer],
    of_rows: int,
) -> RemovalHold:
    """Hold these ids for a person: a new hold, or the day's open one brought up to date."""
    assert source.run_id is not None
    if opened is None:
        opened = RemovalHold(
            id=uuid4(),
            practice_id=source.practice_id,
            pms_connection_id=source.connection_id,
            day=day,
            state=HoldState.OPEN,
            sync_run_id=source.run_id,
            opened_at=source.at,
            candidates={},
        )
        session.add(opened)
    known = opened.candidates
    told = {id_: _better(answers[id_], known.get(id_)) for id_ in sorted(answers)}
    changed = told.keys() != known.keys()
    opened.last_run_id, opened.vanished, opened.of_rows = source.run_id, len(told), of_rows
    if told != known:
        opened.candidates = told
    session.flush()
    if changed:
        _tell(session, opened)
    return opened


def clear(session: Session, opened: RemovalHold, now: datetime) -> None:
    """The PMS brought the rows again, or so many of them that nobody need be asked about the rest."""
    opened.state, opened.decided_at = HoldState.CLEARED, now
    _tell(session, opened)


# --- a person's side --------------------------------------------------------------------------------------------------


def release(session: Session, practice_id: UUID, hold_id: UUID, act: Act) -> int:
    """Remove the rows now; how many. Rows that came back meanwhile are none of its candidates any more, and stay.

    Raises NotFound, also for another practice's; Conflict where it has been decided, or has cleared itself.
    """
    hold = _of_practice(session, practice_id, hold_id)
    if hold.state not in (HoldState.OPEN, HoldState.KEPT):
        raise Conflict("This removal is no longer open.")
    source = Source(practice_id, hold.pms_connection_id, None, act.at)
    hold.state, hold.decided_at, hold.decided_by = HoldState.RELEASED, act.at, act.user_id
    back = _brought_since(session, hold)
    wanted = removals.standing_on(session, hold.pms_connection_id, hold.day, hold.candidates.keys() - back)
    removed = removals.remove(session, source, wanted, Removal.RELEASED.value, act.user_id)
    _tell(session, hold)
    return len(removed)


def keep(session: Session, practice_id: UUID, hold_id: UUID, act: Act) -> None:
    """The rows stay although the PMS lacks them, until it brings them again. Raises NotFound, Conflict."""
    hold = _of_practice(session, practice_id, hold_id)
    if hold.state != HoldState.OPEN:
        raise Conflict("This removal is no longer open.")
    hold.state, hold.decided_at, hold.decided_by = HoldState.KEPT, act.at, act.user_id
    _tell(session, hold)


def undo(session: Session, practice_id: UUID, hold_id: UUID, act: Act) -> int:
    """Take a decision back: what it removed stands again, and the hold is open. How many rows came back.

    Raises NotFound; Conflict where it is not the latest word about that day.
    """
    hold = _of_practice(session, practice_id, hold_id)
    if hold.state not in (HoldState.RELEASED, HoldState.KEPT) or not is_latest(session, hold):
        raise Conflict("Something else was decided about this day since.")
    source = Source(practice_id, hold.pms_connection_id, None, act.at)
    back = 0
    if hold.state == HoldState.RELEASED and hold.decided_at is not None:
        back = removals.bring_back(session, source, hold.candidates.keys(), hold.decided_at, act.user_id)
    hold.state, hold.decided_at, hold.decided_by = HoldState.OPEN, None, None
    session.flush()
    _tell(session, hold)
    return back


def is_latest(session: Session, hold: RemovalHold) -> bool:
    """Whether no later hold speaks about the same day."""
    later = (
        select(RemovalHold.id)
        .where(
            RemovalHold.pms_connection_id == hold.pms_connection_id,
            RemovalHold.day == hold.day,
            RemovalHold.opened_at > hold.opened_at,
        )
        .limit(1)
    )
    return session.scalar(later) is None


# --- looking ----------------------------------------------------------------------------------------------------------


def listed(session: Session, practice_id: UUID, *, decided: int = 20) -> Sequence[RemovalHold]:
    """Open ones first, by day; then the last so many that are settled, newest first."""
    mine = select(RemovalHold).where(RemovalHold.practice_id == practice_id)
    opened = mine.where(RemovalHold.state == HoldState.OPEN).order_by(RemovalHold.day, RemovalHold.opened_at)
    settled = mine.where(RemovalHold.state != HoldState.OPEN).order_by(RemovalHold.decided_at.desc()).limit(decided)
    return [*session.scalars(opened), *session.scalars(settled)]


def of_run(session: Session, run_id: UUID) -> Sequence[RemovalHold]:
    """Holds a run opened, or was the last to find so."""
    either = (RemovalHold.sync_run_id == run_id) | (RemovalHold.last_run_id == run_id)
    return session.scalars(select(RemovalHold).where(either).order_by(RemovalHold.day)).all()


def open_count(session: Session, connection_id: UUID) -> int:
    query = select(func.count()).where(
        RemovalHold.pms_connection_id == connection_id, RemovalHold.state == HoldState.OPEN
    )
    return session.scalar(query) or 0


def rows_of(session: Session, hold: RemovalHold) -> list[Missing]:
    """The rows a hold is about, by time; those the practice hides by now are left out."""
    back = _brought_since(session, hold)
    rows = session.execute(
        select(
            Appointment.id,
            Appointment.pms_appointment_id,
            Appointment.starts_at,
            Appointment.patient_name,
            Appointment.pms_practitioner_name,
            Appointment.removed_at,
        )
        .where(
            Appointment.pms_connection_id == hold.pms_connection_id,
            Appointment.pms_appointment_id.in_(hold.candidates),
            Appointment.hidden_cause.is_(None),
        )
        .order_by(Appointment.starts_at, Appointment.patient_name)
    )
    return [
        Missing(id_, starts_at, name, who, removed_at, Answer(hold.candidates[str(external)]), str(external) in back)
        for id_, external, starts_at, name, who, removed_at in rows
    ]


def _brought_since(session: Session, hold: RemovalHold) -> set[str]:
    """Candidates whose content a sync has written since the hold was opened: the PMS has them again."""
    rows = session.scalars(
        select(Appointment.pms_appointment_id).where(
            Appointment.pms_connection_id == hold.pms_connection_id,
            Appointment.pms_appointment_id.in_(hold.candidates),
            Appointment.pms_last_synced_at > hold.opened_at,
        )
    )
    return {str(external_id) for external_id in rows}


def _of_practice(session: Session, practice_id: UUID, hold_id: UUID) -> RemovalHold:
    """The hold, kept from changing until the transaction ends."""
    hold = session.scalars(
        select(RemovalHold)
        .where(RemovalHold.id == hold_id, RemovalHold.practice_id == practice_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if hold is None:
        raise NotFound("There is no such held removal in this practice.")
    return hold


def practice_of(session: Session, hold_id: UUID) -> UUID:
    """For the command line, which may name any practice's. Raises NotFound."""
    found = session.scalar(select(RemovalHold.practice_id).where(RemovalHold.id == hold_id))
    if found is None:
        raise NotFound("There is no such held removal.")
    return found


def of_practice(session: Session, practice_id: UUID, connection_id: UUID | None = None) -> Sequence[RemovalHold]:
    """All of them, or those of one connection, newest first."""
    query = select(RemovalHold).where(RemovalHold.practice_id == practice_id)
    if connection_id is not None:
        query = query.where(RemovalHold.pms_connection_id == connection_id)
    return session.scalars(query.order_by(RemovalHold.opened_at.desc())).all()


def _better(answer: Answer, known: str | None) -> str:
    return known if known is not None and answer is Answer.UNKNOWN else answer.value


def _tell(session: Session, hold: RemovalHold) -> None:
    """A hold is part of what its day's sheet shows."""
    sheets = select(RunSheet.id).where(RunSheet.practice_id == hold.practice_id, RunSheet.day == hold.day)
    raise_versions(session, set(session.scalars(sheets)))
