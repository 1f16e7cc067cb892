"""Enrichment: the consultations of finalised appointments, a group at a time, sealed into their cases.

A group is fetched while no transaction is open, and written in one together with its checkpoint: a killed run goes on
one group later at most. What failed for one case is counted and named, and the others go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.consultation import Consulted
from app.domain.enrichment import Verdict, judge
from app.domain.window import Window
from app.pms.errors import PmsCancelled, PmsError
from app.store import connections, consultations, retention
from app.store.consultations import After, Due, Kept
from app.sync.context import Checkpoint, Progress, SyncContext
from app.sync.tally import Tally

#: Cases a record names one by one; the counts by reason are always whole.
MOST_NAMED = 50
#: Consultations asked for at a time, whatever a practice sets.
MOST_AT_A_TIME = 100


def run(ctx: SyncContext, tally: Tally) -> None:
    """Ask for every consultation of the window that is due. Repeating it over the same answers writes nothing.

    Raises the PmsError after which no further call makes sense; groups already written stay. Cases that failed are
    counted by reason, and named in tally.details["failedCases"]; tally.complete is True only when none did.
    """
    with ctx.store.read() as session:
        connection = connections.get(session, ctx.connection_id)
        kept_from = retention.notes_from(session, ctx.practice_id, clock.now())
    window = ctx.window
    if kept_from is not None:  # what the practice's limit took away is not fetched once more
        window = replace(window, first=max(window.first, kept_from))
    if connection.keeps_cases and window.first <= window.last:
        _Reading(ctx, tally, window, min(max(1, connection.parallel_batch_size), MOST_AT_A_TIME)).run()
    tally.complete = tally.reason is None


class _Reading:
    """One reading of the window. Holds a group at a time."""

    def __init__(self, ctx: SyncContext, tally: Tally, window: Window, at_a_time: int) -> None:
        self.ctx, self.tally, self.window, self.at_a_time = ctx, tally, window, at_a_time
        stood: dict[str, Any] = ctx.checkpoint.get("enrichment", {})
        self.after = _after_of(stood.get("after"))
        self.failures: int = stood.get("failures", 0)  # also those of the run that this one goes on from
        self.done = self.total = 0

    def run(self) -> None:
        ctx, full = self.ctx, self.ctx.claim.full
        with ctx.store.read() as session:
            asked, left = consultations.waiting(session, ctx.connection_id, self.window, full=full)
        self.total = asked
        if not self.tally.fetched:  # of a run that was put back they are counted already
            self.tally.skipped += left
            self.tally.fetched += left.total()
        try:
            while group := self._next():
                ctx.halt_if_asked()
                self._take(group)
        finally:
            if self.failures:
                self.tally.reason = "some_failed"

    def _next(self) -> list[Due]:
        ctx = self.ctx
        with ctx.store.read() as session:
            return consultations.due(
                session, ctx.connection_id, self.window, self.after, self.at_a_time, full=ctx.claim.full
            )

    def _take(self, group: Sequence[Due]) -> None:
        """Ask for a group, write what was answered, and only then raise what broke the asking off."""
        answers, broken = self._asked(group)
        judged = [(one, judge(one.wanted, answers.get(one.external_id))) for one in group]
        if broken is not None:  # whoever was not answered has not failed: the next run asks again
            judged = [(one, verdict) for one, verdict in judged if one.external_id in answers]
        if judged or broken is None:
            self._write(judged, group[-1].after if broken is None else self.after)
        if broken is not None:
            raise broken

    def _asked(self, group: Sequence[Due]) -> tuple[dict[str, Consulted], PmsError | None]:
        """The answers by appointment, of each the first; and the error that ended the asking, if one did."""
        answers: dict[str, Consulted] = {}
        try:
            for answer in self.ctx.adapter.consultations([one.wanted for one in group]):
                answers.setdefault(answer.ref.appointment_id, answer)
        except PmsCancelled:
            raise
        except PmsError as error:
            return answers, error
        return answers, None

    def _write(self, judged: Sequence[tuple[Due, Verdict]], after: After | None) -> None:
        """One transaction for the group. Nothing of it is counted before it has been committed."""
        ctx = self.ctx
        failures = self.failures + sum(verdict.failed for _, verdict in judged)
        stands = {"after": _as_json(after), "failures": failures}

        def prepare(_: Session) -> Checkpoint:
            return {**ctx.checkpoint, "enrichment": stands}

        work = partial(consultations.keep, vault=ctx.vault, source=ctx.source(), judged=judged)
        self.done += len(judged)
        progress = Progress("enrichment", self.done, max(self.total, self.done))
        kept = ctx.write(work, prepare=prepare, progress=progress)
        self.after, self.failures = after, failures
        self._count(judged, kept)

    def _count(self, judged: Sequence[tuple[Due, Verdict]], kept: Kept) -> None:
        tally = self.tally
        tally.fetched += len(judged)
        tally.created += kept.created
        tally.updated += kept.updated
        tally.unchanged += kept.same
        for one, verdict in judged:
            if verdict.consultation is None:
                tally.skipped[verdict.reason or verdict.state.value] += 1
            if verdict.failed:
                named = tally.details.setdefault("failedCases", [])
                if len(named) < MOST_NAMED:
                    named.append({"appointment": one.external_id, "reason": verdict.reason})


def _after_of(told: Sequence[str] | None) -> After | None:
    return None if told is None else (datetime.fromisoformat(told[0]), UUID(told[1]))


def _as_json(after: After | None) -> list[str] | None:
    return None if after is None else [after[0].isoformat(), str(after[1])]
