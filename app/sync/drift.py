"""Drift: changes a whole reading finds that the list of changes should have told of, and did not (P4).

It must be 0. Where it is not, the vendor's word on what changed is not taken for a day: see app.domain.changes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial

from sqlalchemy.orm import Session

from app.domain.appointment import Appointment
from app.domain.changes import was_told
from app.domain.decide import Plan
from app.store import changed, sweeps
from app.sync.context import SyncContext
from app.sync.mapper import Mapped
from app.sync.tally import Tally

log = logging.getLogger(__name__)
DRIFT = "drift"


def remember(session: Session, ctx: SyncContext) -> None:
    """Up to when changes were read of the window's days, before this run reads them whole."""
    if ctx.adapter.capabilities.incremental:
        known = sweeps.known(session, ctx.connection_id, [*ctx.window.days])
        ctx.changes_read = {part: one.changes_to for part, one in known.items() if one.changes_to is not None}


def count(session: Session, ctx: SyncContext, who: str, plan: Plan[Mapped], unreadable: Collection[str]) -> int:
    """How many of a page's rows drifted. who: whose chain it is. unreadable: ids that were set aside; nobody could have
    read their changes. Asks the database only where something changed that should have been told.
    """
    if not ctx.changes_read:
        return 0

    def told(one: Mapped) -> bool:
        read_to = ctx.changes_read.get((one.day, who))
        return was_told(one.appointment.changed_at, read_to) and one.external_id not in unreadable

    rows = {one.external_id: one.row for one in plan.updates if told(one)}
    unheard = changed.differing(session, ctx.connection_id, rows) if rows else ()
    return sum(told(one) for one in plan.creates) + len(unheard)


def note_moved(ctx: SyncContext, tally: Tally, found: Appointment) -> None:
    """One that no longer stood where it was expected: did it leave unannounced? Ask before its row is moved."""
    if not ctx.changes_read:
        return
    with ctx.store.read() as session:
        place = changed.places(session, ctx.connection_id, [found.external_id]).get(found.external_id)
        if place is None:
            return
        read_to = ctx.changes_read.get((place.day, place.practitioner_id)) or ctx.changes_read.get((place.day, ""))
        if not was_told(found.changed_at, read_to):
            return
        row = ctx.mapper.to_row(found, is_telehealth=False).row
        differs = changed.differing(session, ctx.connection_id, {found.external_id: row})
    tell(ctx, tally, len(differs))


def tell(ctx: SyncContext, tally: Tally, drifted: int) -> None:
    """File it with the phase; where there was any, remember it of the connection. Days nobody read changes of in
    between can have none, and then nothing is said.
    """
    if not ctx.changes_read:
        return
    tally.details[DRIFT] = tally.details.get(DRIFT, 0) + drifted
    if drifted:
        log.warning("changes were found that the list of changes had not told of", extra={"count": drifted})
        ctx.write(partial(changed.distrust, connection_id=ctx.connection_id, at=ctx.source().at))
