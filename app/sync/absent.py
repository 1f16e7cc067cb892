"""Rows a complete sweep did not bring again: asked for by id, never judged by their absence.

Until reconciliation exists nothing is removed: a row the PMS really does not know any more (404) is kept and says
since when; one that only moved is moved. A single row the list forgot but the PMS still knows stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from hashlib import blake2b
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.appointment import Appointment
from app.domain.rules import CHOICES, Cause
from app.domain.window import Window, day_of
from app.pms.errors import PmsCancelled, PmsError, PmsMalformed, PmsNotFound
from app.pms.port import Partition
from app.store import appointments, catalogue, connections, sweeps
from app.sync.case_mapper import CaseMapper
from app.sync.context import Checkpoint, SyncContext
from app.sync.tally import Tally

#: Questions a run asks at most; what is left waits for the next run, and nothing is concluded meanwhile.
MOST_ASKED = 20


def candidates(session: Session, connection_id: UUID, partition: Partition, seen: Collection[str]) -> list[str]:
    """Ids stored for this partition that its sweep did not bring."""
    window = partition.window
    expected = appointments.expected_in(session, connection_id, partition.practitioner_id, window.start, window.end)
    return sorted(expected - set(seen))


def ask(ctx: SyncContext, tally: Tally, unseen: Mapping[str, Partition]) -> None:
    """Ask the PMS for each id. A question that fails ends the asking, not the run: nothing was concluded from it."""
    if not ctx.adapter.capabilities.lookup_by_id:
        return
    still = _still_expected(ctx, unseen)
    for number, external_id in enumerate(_in_turn(still, ctx.run_id)):
        if number >= MOST_ASKED:
            tally.details["unseenNotAsked"] = len(still) - number
            return
        ctx.halt_if_asked()
        try:
            found = ctx.adapter.appointment(external_id)
        except PmsNotFound:
            ctx.write(partial(appointments.mark_absent, source=ctx.source(), external_id=external_id))
            tally.details["absent"] = tally.details.get("absent", 0) + 1
        except PmsMalformed as error:  # this one record; the next may well be readable
            tally.details["unseenError"] = error.reason
        except PmsCancelled:
            raise
        except PmsError as error:
            tally.details["unseenNotAsked"] = len(still) - number
            tally.details["unseenError"] = error.reason
            return
        else:
            if found.external_id == external_id:
                _take(ctx, tally, found)
            else:  # an answer about somebody else says nothing
                tally.details["unseenError"] = "bad_envelope"


def _in_turn(ids: Iterable[str], run_id: UUID) -> list[str]:
    """In an order of each run's own, so that ids beyond the most that are asked have their turn in another."""
    return sorted(ids, key=lambda id_: blake2b(id_.encode(), key=run_id.bytes, digest_size=8).digest())


def _still_expected(ctx: SyncContext, unseen: Mapping[str, Partition]) -> set[str]:
    """Without those that another chain of this very run has meanwhile brought under another practitioner or time."""
    still: set[str] = set()
    with ctx.store.read() as session:
        for partition in {partition.key: partition for partition in unseen.values()}.values():
            here = appointments.expected_in(
                session,
                ctx.connection_id,
                partition.practitioner_id,
                partition.window.start,
                partition.window.end,
            )
            still |= {id_ for id_ in here if unseen.get(id_) is partition}
    return still


def _take(ctx: SyncContext, tally: Tally, found: Appointment) -> None:
    """The PMS still knows it: bring the row to where it is now, and into the account of that day.

    By the practice's choices as they stand by then: somebody may have switched something while the PMS was asked.
    """
    day = day_of(found.starts_at, ctx.window.zone)

    def prepare(session: Session) -> Checkpoint:
        connections.choices_stand(session, ctx.connection_id)
        return ctx.checkpoint

    def work(session: Session) -> tuple[appointments.Written, Cause | None]:
        stored = appointments.stored(session, ctx.connection_id, [found.external_id])[found.external_id]
        connection = connections.get(session, ctx.connection_id)
        rules = catalogue.rules_of(session, connection, ())
        cause = rules.refusal(found, Window(day, day, ctx.window.zone), "")
        if cause in CHOICES and stored.hidden_cause is None and day < day_of(clock.now(), ctx.window.zone):
            cause = None  # past days keep what they showed
        mapped = ctx.mapper.to_row(found, is_telehealth=rules.is_telehealth(found), hidden_cause=cause)
        sheet = appointments.ensure_sheets(session, ctx.practice_id, [day])[day]
        row = mapped.row | {"run_sheet_id": sheet}
        hidden_now = None if stored.hidden_cause else cause  # who hid it before has settled that
        fate = sweeps.Fate(day, found.practitioner_id, found.type_id or "", now=hidden_now, came=True)
        sweeps.settle(session, ctx.connection_id, [fate])
        written = appointments.write_page(session, ctx.source(), [], [row])
        cases = CaseMapper.of(session, connection, ctx.mapper)
        if cases is not None and cause is None:
            cases.keep(session, ctx.source(), {found.external_id: found}, rewrite=False)
        return written, cause

    written, cause = ctx.write(work, prepare=prepare)
    tally.fetched += 1
    if cause is not None:
        tally.skipped[cause] += 1
    tally.updated += written.updated
    tally.unchanged += written.same
