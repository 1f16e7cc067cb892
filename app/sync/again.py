"""Records set aside that a sweep does not bring: asked for by id, once, when a person or a new mapper wants it (P15).

A record within the swept days is tried with every sweep anyway. One that lies elsewhere would wait for ever; it is
asked for when somebody presses "Try again", and once after an upgrade, but never by itself in each run (F34).
"""

from __future__ import annotations

from functools import partial

from sqlalchemy.orm import Session

from app.pms.errors import PmsBadRequest, PmsCancelled, PmsError, PmsMalformed, PmsNotFound
from app.store import quarantine
from app.store.models.sync import Resolution
from app.sync import confirm
from app.sync.context import SyncContext
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
                confirm.take(ctx, tally, found)
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
