"""Records set aside that a sweep does not bring: asked for by id, once, when a person or a new mapper wants it (P15).

A record within the swept days is tried with every sweep anyway. One that lies elsewhere would wait for ever; it is
asked for when somebody presses "Try again", and once after an upgrade, but never by itself in each run (F34).
"""

from __future__ import annotations

from functools import partial

from sqlalchemy.orm import Session

from app import clock
from app.domain.appointment import Appointment
from app.domain.decide import decide
from app.domain.rules import CHOICES, Cause
from app.domain.window import Window, day_of
from app.pms.errors import PmsBadRequest, PmsCancelled, PmsError, PmsMalformed, PmsNotFound
from app.store import appointments, catalogue, connections, quarantine, sweeps
from app.store.models.sync import Resolution
from app.sync.context import Checkpoint, SyncContext
from app.sync.mapper import READ_BY
from app.sync.tally import Tally

#: Questions a run asks at most; what is left waits for the next run.
MOST_ASKED = 20
#: Of these, so many that nobody waits for: after an upgrade there may be very many.
MOST_BY_ITSELF = 5


def ask(ctx: SyncContext, tally: Tally) -> None:
    """Ask for each record that is due. An outage ends the asking, not the run; what was not asked stays due."""
    if not ctx.adapter.capabilities.lookup_by_id:
        return
    with ctx.store.read() as session:
        due = quarantine.due_again(session, ctx.source(), READ_BY, MOST_ASKED)
    by_hand = sum(asked for _, asked in due)
    for external_id, _ in due[: max(by_hand, MOST_BY_ITSELF)]:
        ctx.halt_if_asked()
        try:
            found = ctx.adapter.appointment(external_id)
        except PmsNotFound:
            ctx.write(partial(_gone, ctx, external_id))
            _count(tally, "gone")
        except (PmsMalformed, PmsBadRequest):
            ctx.write(partial(_still_unreadable, ctx, external_id))
            _count(tally, "unreadable")
        except PmsCancelled:
            raise
        except PmsError as error:
            tally.details["triedAgainError"] = error.reason
            return
        else:
            if found.external_id == external_id:
                _take(ctx, tally, found)
                _count(tally, "read")
            else:  # an answer about somebody else says nothing
                ctx.write(partial(_still_unreadable, ctx, external_id))
                _count(tally, "unreadable")


def _gone(ctx: SyncContext, external_id: str, session: Session) -> None:
    quarantine.resolve(session, ctx.source(), {external_id}, Resolution.GONE)


def _still_unreadable(ctx: SyncContext, external_id: str, session: Session) -> None:
    quarantine.tried(session, ctx.source(), external_id, READ_BY)


def _count(tally: Tally, what: str) -> None:
    told = tally.details.get("triedAgain", {})
    tally.details["triedAgain"] = told | {what: told.get(what, 0) + 1}


def _take(ctx: SyncContext, tally: Tally, found: Appointment) -> None:
    """It can be read: its row comes, or is brought up to date, by the practice's choices as they stand by then."""
    day = day_of(found.starts_at, ctx.window.zone)

    def prepare(session: Session) -> Checkpoint:
        connections.choices_stand(session, ctx.connection_id)
        return ctx.checkpoint

    def work(session: Session) -> tuple[appointments.Written, Cause | None]:
        source = ctx.source()
        known = appointments.stored(session, ctx.connection_id, [found.external_id])
        stored = known.get(found.external_id)
        rules = catalogue.rules_of(session, connections.get(session, ctx.connection_id), ())
        cause = rules.refusal(found, Window(day, day, ctx.window.zone), "")
        if cause in CHOICES and stored and not stored.hidden_cause and day < day_of(clock.now(), ctx.window.zone):
            cause = None  # past days keep what they showed
        quarantine.resolve(session, source, {found.external_id})
        mapped = ctx.mapper.to_row(found, is_telehealth=rules.is_telehealth(found), hidden_cause=cause)
        hidden_now = None if stored and stored.hidden_cause else cause  # who hid it before has settled that
        fate = sweeps.Fate(day, found.practitioner_id, found.type_id or "", now=hidden_now, came=True)
        sweeps.settle(session, ctx.connection_id, [fate])
        if cause is not None and stored is None:
            return appointments.Written(), cause
        sheet = appointments.ensure_sheets(session, ctx.practice_id, [day])[day]
        row = mapped.row | {"run_sheet_id": sheet}
        plan = decide([(found.external_id, mapped.fingerprint, row)], known, rewrite=cause is not None)
        written = appointments.write_page(session, source, plan.creates, plan.updates)
        return appointments.Written(written.created, written.updated, written.same + plan.same), cause

    written, cause = ctx.write(work, prepare=prepare)
    tally.fetched += 1
    if cause is not None:
        tally.skipped[cause] += 1
        return
    tally.created += written.created
    tally.updated += written.updated
    tally.unchanged += written.same
