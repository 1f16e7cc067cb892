"""Asking the PMS for ids its list did not bring. Nobody is judged by an absence alone.

An id it does not know (404) is gone; one that stands elsewhere is moved; an answer of any other kind says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.appointment import Appointment
from app.domain.orphans import Answer
from app.domain.rules import CHOICES, Cause
from app.domain.window import Window, day_of
from app.pms.errors import PmsCancelled, PmsError, PmsMalformed, PmsNotFound
from app.store import appointments, catalogue, connections, quarantine, removals, sweeps
from app.sync import drift
from app.sync.case_mapper import CaseMapper
from app.sync.context import Checkpoint, SyncContext
from app.sync.id_sweep import Read, sweep
from app.sync.tally import Tally

#: Questions a run asks at most; what is left waits for the next run, and nothing is concluded meanwhile.
MOST_ASKED = 20


def by_id(ctx: SyncContext, tally: Tally, ids: Iterable[str]) -> dict[str, Answer]:
    """Ask for each, in this order. What could not be settled is missing from the answer, and the tally says why.

    A question that fails ends the asking, not the run: the rows it was about stay as they are.
    """
    answers: dict[str, Answer] = {}
    for number, external_id in enumerate(wanted := list(ids)):
        if number >= MOST_ASKED:
            tally.details["notAsked"] = len(wanted) - number
            break
        ctx.halt_if_asked()
        try:
            found = ctx.adapter.appointment(external_id)
        except PmsNotFound:
            answers[external_id] = Answer.GONE
        except PmsCancelled:
            raise
        except PmsMalformed as error:  # this one record; the next may well be readable
            tally.reason = error.reason
        except PmsError as error:
            tally.reason = error.reason
            tally.details["notAsked"] = len(wanted) - number
            break
        else:
            if found.external_id == external_id:
                drift.note_moved(ctx, tally, found)
                take(ctx, tally, found)
                answers[external_id] = Answer.THERE
            else:  # an answer about somebody else says nothing
                tally.reason = "bad_envelope"
    return answers


def by_second_sweep(ctx: SyncContext, tally: Tally, ids: Iterable[str]) -> dict[str, Answer]:
    """For a vendor that cannot be asked by id: read everything once more. Half a reading settles nothing."""
    wanted, met, nameless = set(ids), set[str](), 0

    def ended(read: Read) -> None:
        nonlocal nameless
        met.update(wanted & read.met)
        nameless += read.nameless

    try:
        whole = sweep(ctx, tally, ended)
    except PmsCancelled:
        raise
    except PmsError as error:
        tally.reason, whole = error.reason, False
    if not whole or nameless:
        return {}
    return {id_: Answer.THERE if id_ in met else Answer.GONE for id_ in wanted}


def in_turn(ids: Iterable[str], run_id: UUID) -> list[str]:
    """In an order of each run's own, so that ids beyond the most that are asked have their turn in another."""
    return sorted(ids, key=lambda id_: blake2b(id_.encode(), key=run_id.bytes, digest_size=8).digest())


def take(ctx: SyncContext, tally: Tally, found: Appointment) -> None:
    """The PMS told of it when asked: bring its row to where it is now, and into the account of that day.

    By the practice's choices as they stand by then: somebody may have switched something while the PMS was asked. One
    that has no row yet, because it could not be read before, gets one unless the choices leave it out.
    """
    day, id_ = day_of(found.starts_at, ctx.window.zone), found.external_id

    def prepare(session: Session) -> Checkpoint:
        connections.choices_stand(session, ctx.connection_id)
        return ctx.checkpoint

    def work(session: Session) -> tuple[appointments.Written, Cause | None]:
        stored = appointments.stored(session, ctx.connection_id, [id_]).get(id_)
        connection = connections.get(session, ctx.connection_id)
        rules = catalogue.rules_of(session, connection, ())
        cause = rules.refusal(found, Window(day, day, ctx.window.zone), "")
        if cause in CHOICES and stored and not stored.hidden_cause and day < day_of(clock.now(), ctx.window.zone):
            cause = None  # past days keep what they showed
        hidden_now = None if stored and stored.hidden_cause else cause  # who hid it before has settled that
        # A sweep of inbound's has just counted that day without it; one of our own counts nothing.
        place = removals.place_of(session, ctx.connection_id, id_) if stored else None
        came = "inbound" in ctx.claim.phases or place != (day, found.practitioner_id)
        fate = sweeps.Fate(day, found.practitioner_id, found.type_id or "", now=hidden_now, came=came)
        sweeps.settle(session, ctx.connection_id, [fate])
        quarantine.resolve(session, ctx.source(), {id_})
        if cause is not None and stored is None:
            return appointments.Written(), cause
        mapped = ctx.mapper.to_row(found, is_telehealth=rules.is_telehealth(found), hidden_cause=cause)
        row = mapped.row | {"run_sheet_id": appointments.ensure_sheets(session, ctx.practice_id, [day])[day]}
        creates, updates = ([], [row]) if stored else ([row], [])
        written = appointments.write_page(session, ctx.source(), creates, updates)
        cases = CaseMapper.of(session, connection, ctx.mapper)
        if cases is not None and cause is None:
            cases.keep(session, ctx.source(), {id_: found}, rewrite=False)
        return written, cause

    written, cause = ctx.write(work, prepare=prepare)
    ctx.touched |= written.sheets
    tally.fetched += 1
    if cause is not None:
        tally.skipped[cause] += 1
    tally.created += written.created
    tally.updated += written.updated
    tally.unchanged += written.same
