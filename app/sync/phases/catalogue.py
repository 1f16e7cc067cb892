"""Catalogue: refresh the practitioners and appointment types the PMS lists. Nothing is mapped or ticked here.

Where the PMS tells when the practice is open, that fills what nobody has configured.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy.orm import Session

from app.pms.errors import PmsMalformed
from app.pms.port import TellsHours
from app.store import catalogue, connections, openings
from app.sync.context import Checkpoint, Progress, SyncContext
from app.sync.tally import Tally


def run(ctx: SyncContext, tally: Tally) -> None:
    """Two small lists, one transaction.

    Raises PmsError; an empty list where people were known is a bad answer, not an empty practice: nothing is set
    inactive on the word of it.
    """
    people = ctx.adapter.practitioners()
    types = ctx.adapter.appointment_types()
    hours = None
    if ctx.adapter.capabilities.schedule_config:
        hours = cast(TellsHours, ctx.adapter).schedule_config()

    def work(session: Session) -> list[catalogue.Tally]:
        if not people and any(row.active for row in catalogue.mappings_of(session, ctx.connection_id)):
            raise PmsMalformed("an empty list of practitioners", reason="bad_envelope")
        if hours is not None:
            openings.adopt(session, ctx.practice_id, hours)
        return [
            catalogue.keep_practitioners(session, ctx.connection_id, people),
            catalogue.keep_types(session, ctx.connection_id, types),
        ]

    def prepare(session: Session) -> Checkpoint:
        connections.hold(session, ctx.connection_id)  # somebody who pairs anew writes the same lists
        return ctx.checkpoint

    counts = ctx.write(work, prepare=prepare, progress=Progress("catalogue", 1, 1))
    tally.fetched = sum(one.fetched for one in counts)
    tally.created = sum(one.created for one in counts)
    tally.updated = sum(one.updated for one in counts)
    tally.unchanged = sum(one.unchanged for one in counts)
    tally.complete = True
