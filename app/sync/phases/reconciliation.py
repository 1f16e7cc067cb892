"""Reconciliation: what the PMS no longer has is struck through; nothing on the word of half a reading.

It works on what a complete sweep did not bring: the one of inbound in the same run, or, run by itself, one of its own.
Each candidate is confirmed before it is removed. More than a few of a day are held for a person instead, and nothing
of that day changes. Rows stay for ever, with time and cause; one that comes back is revived by the sweep that meets it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.domain.orphans import Answer, Removal, is_held
from app.store import appointments, holds, removals
from app.store.models import RemovalHold
from app.store.models.sync import HoldState
from app.sync import confirm, id_sweep, unseen
from app.sync.context import Checkpoint, SyncContext
from app.sync.id_sweep import Read
from app.sync.tally import Tally

#: Ids of retired rows that a phase's record lists at most.
MOST_LISTED = 500


def run(ctx: SyncContext, tally: Tally) -> None:
    """Judge what the sweep lacked. tally.complete only where every candidate of the window was settled or held.

    Raises a PmsError only of a sweep of its own; what was concluded before stays.
    """
    found = _of_inbound(ctx) if "inbound" in ctx.claim.phases else _own_sweep(ctx, tally)
    if found is None:
        tally.reason = tally.reason or "sweep_incomplete"
        return
    Reconciliation(ctx, tally, found).run()


def _of_inbound(ctx: SyncContext) -> Checkpoint | None:
    """What inbound noted in this very run, or in the one it goes on from. None where its sweep was not whole."""
    return ctx.checkpoint if ctx.swept_whole else None


def _own_sweep(ctx: SyncContext, tally: Tally) -> Checkpoint | None:
    """What a sweep of our own lacked, noted as inbound notes it. None where it was not whole."""
    found: Checkpoint = {}
    can_ask = ctx.adapter.capabilities.lookup_by_id

    def ended(read: Read) -> None:
        nonlocal found
        proof = read.proof(by_id=can_ask)
        ids = None
        if proof.holds:
            with ctx.store.read() as session:
                ids = unseen.missing(session, ctx, read.partition, read.seen, proof)
        found = unseen.noted(found, read.partition, ids)

    return found if id_sweep.sweep(ctx, tally, ended) else None


class Reconciliation:
    """One judgement of one sweep. Lives as long as the phase."""

    def __init__(self, ctx: SyncContext, tally: Tally, found: Checkpoint) -> None:
        self.ctx = ctx
        self.tally = tally
        self.unseen = list(unseen.of(found))
        self.proven = unseen.all_proven(found)
        with ctx.store.read() as session:
            self.standing = _by_day(holds.standing(session, ctx.connection_id), ctx)

    def run(self) -> None:
        vanished = self._vanished()
        answers = self._ask(vanished)
        if answers:
            vanished = self._vanished()  # who only moved stands elsewhere by now
        for day in sorted({*vanished, *self.standing}):
            self.ctx.halt_if_asked()
            if self.proven or day not in self.standing:  # half of a day must not settle what the whole of it raised
                self._judge(day, vanished.get(day, set()), answers)
        self.tally.complete = self.tally.reason in (None, "removal_held")

    # --- asking ---------------------------------------------------------------------------------------------------

    def _vanished(self) -> dict[date, set[str]]:
        """By day: ids that are still expected where the sweep did not find them.

        Another chain of this run may have brought one under another practitioner or time meanwhile.
        """
        found: dict[date, set[str]] = defaultdict(set)
        with self.ctx.store.read() as session:
            for one in self.unseen:
                expected = removals.expected(session, self.ctx.connection_id, one.stretch)
                for id_ in one.ids & expected.keys():
                    found[expected[id_]].add(id_)
        return dict(found)

    def _ask(self, vanished: Mapping[date, set[str]]) -> dict[str, Answer]:
        """Those of ordinary days first; of a day that is held, those not asked about yet: they may only have moved."""
        with self.ctx.store.read() as session:
            of_day = removals.count_on(session, self.ctx.connection_id, vanished) if vanished else {}
        few: set[str] = set()
        many: set[str] = set()
        for day, ids in vanished.items():
            standing = self.standing.get(day, [])
            if standing and not self.proven:
                continue
            settled = {id_ for one in standing if one.state == HoldState.KEPT for id_ in one.candidates}
            if not is_held(len(ids - settled), of_day[day]):
                few |= ids - settled
                continue
            settled |= {id_ for one in standing for id_, told in one.candidates.items() if told != Answer.UNKNOWN}
            many |= ids - settled
        if not few and not many:
            return {}
        if not self.ctx.adapter.capabilities.lookup_by_id:
            return confirm.by_second_sweep(self.ctx, self.tally, few | many)
        run_id = self.ctx.run_id
        order = [*confirm.in_turn(few, run_id), *confirm.in_turn(many, run_id)]
        return confirm.by_id(self.ctx, self.tally, order)

    # --- judging ----------------------------------------------------------------------------------------------------

    def _judge(self, day: date, vanished: set[str], answers: Mapping[str, Answer]) -> None:
        """Settle one day in one transaction, by what stands on it by then."""
        if day not in self.standing and not self._changes_anything(day, vanished, answers):
            return
        ctx, can_ask = self.ctx, self.ctx.adapter.capabilities.lookup_by_id

        def work(session: Session) -> tuple[list[str], RemovalHold | None]:
            source = ctx.source()
            opened, kept = holds.locked_on(session, ctx.connection_id, day)
            holds.forget_returned(kept, vanished)
            bound = {id_ for one in kept for id_ in one.candidates}
            here = removals.standing_on(session, ctx.connection_id, day, vanished - bound)
            of_day = removals.count_on(session, ctx.connection_id, [day])[day]
            if is_held(len(here), of_day):
                told = {id_: answers.get(id_, Answer.UNKNOWN) for id_ in here}
                return [], holds.put(session, source, day, opened, told, of_day)
            if opened is not None:
                holds.clear(session, opened, source.at)
            gone = {id_ for id_ in here if answers.get(id_) is Answer.GONE}
            cause = Removal.GONE if can_ask else Removal.UNSEEN_TWICE
            return removals.remove(session, source, gone, cause.value), None

        removed, held = ctx.write(work)
        if removed:
            with ctx.store.read() as session:
                ctx.touched |= set(appointments.sheets_of(session, ctx.practice_id, [day]).values())
        self._note(day, removed, held)

    def _changes_anything(self, day: date, vanished: set[str], answers: Mapping[str, Answer]) -> bool:
        """Whether there is anything to write: a row that the list forgets each time must not cost a write each time."""
        if any(answers.get(id_) is Answer.GONE for id_ in vanished):
            return True
        with self.ctx.store.read() as session:
            return is_held(len(vanished), removals.count_on(session, self.ctx.connection_id, [day])[day])

    def _note(self, day: date, removed: list[str], held: RemovalHold | None) -> None:
        details: dict[str, Any] = self.tally.details
        if removed:
            self.tally.removed += len(removed)
            details["retired"] = [*details.get("retired", ()), *removed][:MOST_LISTED]
            self.ctx.counts = self.ctx.counts | {"appointments_removed": self.tally.removed}
        if held is not None:
            self.tally.reason = "removal_held"
            told = {"day": day.isoformat(), "vanished": held.vanished, "of": held.of_rows}
            details["held"] = [*details.get("held", ()), told]


def _by_day(standing: list[RemovalHold], ctx: SyncContext) -> dict[date, list[RemovalHold]]:
    """Holds of the window's days that still say something, whole days only: others were not read."""
    found: dict[date, list[RemovalHold]] = defaultdict(list)
    for one in standing:
        if one.candidates and ctx.window.first <= one.day <= ctx.window.last:
            found[one.day].append(one)
    return dict(found)
