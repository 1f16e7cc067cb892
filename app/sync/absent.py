"""Rows a complete sweep did not bring again: asked for by id, never judged by their absence.

Until reconciliation exists nothing is removed: a row the PMS really does not know any more (404) is kept and says
since when; one that only moved is moved. A single row the list forgot but the PMS still knows stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.appointment import Appointment
from app.domain.decide import Stored
from app.domain.rules import Rules
from app.domain.window import Window, day_of
from app.pms.errors import PmsError, PmsNotFound
from app.pms.port import Partition
from app.store import appointments
from app.sync.context import SyncContext
from app.sync.tally import Tally

#: Questions a run asks at most; what is left waits for the next run, and nothing is concluded meanwhile.
MOST_ASKED = 20


def candidates(session: Session, connection_id: UUID, partition: Partition, seen: Collection[str]) -> list[str]:
    """Ids stored for this partition that its sweep did not bring."""
    window = partition.window
    expected = appointments.expected_in(session, connection_id, partition.practitioner_id, window.start, window.end)
    return sorted(expected.keys() - set(seen))


def ask(ctx: SyncContext, tally: Tally, unseen: Mapping[str, Partition], rules: Rules) -> None:
    """Ask the PMS for each id. A question that fails ends the asking, not the run: nothing was concluded from it."""
    if not ctx.adapter.capabilities.lookup_by_id:
        return
    still = _still_expected(ctx, unseen)
    for number, (external_id, stored) in enumerate(sorted(still.items())):
        if number >= MOST_ASKED:
            tally.details["unseenNotAsked"] = len(still) - number
            return
        ctx.halt_if_asked()
        try:
            found = ctx.adapter.appointment(external_id)
        except PmsNotFound:
            with ctx.page() as session:
                appointments.mark_absent(session, ctx.source(), stored)
            tally.details["absent"] = tally.details.get("absent", 0) + 1
        except PmsError as error:
            tally.details["unseenNotAsked"] = len(still) - number
            tally.details["unseenError"] = error.reason
            return
        else:
            _take(ctx, tally, found, stored, rules)


def _still_expected(ctx: SyncContext, unseen: Mapping[str, Partition]) -> dict[str, Stored]:
    """Without those that another chain of this very run has meanwhile brought under another practitioner or time."""
    still: dict[str, Stored] = {}
    with ctx.store.read() as session:
        for partition in {partition.key: partition for partition in unseen.values()}.values():
            here = appointments.expected_in(
                session,
                ctx.connection_id,
                partition.practitioner_id,
                partition.window.start,
                partition.window.end,
            )
            still |= {id_: stored for id_, stored in here.items() if unseen.get(id_) is partition}
    return still


def _take(ctx: SyncContext, tally: Tally, found: Appointment, stored: Stored, rules: Rules) -> None:
    """The PMS still knows it: bring the row to where it is now."""
    day = day_of(found.starts_at, ctx.window.zone)
    cause = rules.refusal(found, Window(day, day, ctx.window.zone), "")
    written = appointments.Written()
    with ctx.page() as session:
        if cause is not None:
            appointments.hide(session, ctx.source(), [(stored, cause.value)])
        else:
            mapped = ctx.mapper.to_row(found, is_telehealth=rules.is_telehealth(found))
            mapped.row["run_sheet_id"] = appointments.ensure_sheets(session, ctx.practice_id, [day])[day]
            written = appointments.write_page(session, ctx.source(), [], [(stored, mapped.row)])
    tally.fetched += 1
    if cause is not None:
        tally.skipped[cause] += 1
    tally.updated += written.updated
    tally.unchanged += written.same
