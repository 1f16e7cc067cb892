"""Carries one claimed run through its phases and files what came of it. Every vendor error ends here, in one place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import clock
from app.domain.window import Window, zone_of
from app.errors import Unreadable
from app.pms.errors import PmsCancelled, PmsError, PmsPaused, PmsRateLimited
from app.pms.port import PmsAdapter
from app.security.vault import Vault
from app.store import connections, history, out_of_memory, practices, replay, schedules, sync_runs
from app.store.db import Store
from app.store.models import SyncRun
from app.store.models.sync import RunState, Trigger
from app.store.resuming import IN_A_ROW
from app.store.sync_runs import Claim, LeaseLost
from app.sync import phases
from app.sync.collecting import seldom
from app.sync.context import Checkpoint, Progress, StopRun, SyncContext
from app.sync.lease import Lease
from app.sync.mapper import DataMapper
from app.sync.phases import Phase
from app.sync.tally import SET_ASIDE, Tally, run_counts

log = logging.getLogger(__name__)

#: Quarantined records above which a run counts as failed: the larger of so many, and this share of what came.
MANY_QUARANTINED = 10
SHARE_QUARANTINED = 0.10
#: Reasons with which a run ends at a page boundary although more was to be read.
CUT_SHORT = ("timeout", "stopped")
#: Runs in a row that go on where the one before was cut short. Pages without end must not keep what was read before
#: them from being read again: after so many the next run begins anew.
MOST_IN_A_ROW = 10
#: Failed runs in a row after which a run asks one small question first, and sweeps only where that is answered.
PROBE_AFTER = 5
#: What a checkpoint says was read.
_READ = ("done", "cursors", "enrichment", "discovery")
#: How long a rate-limited run waits where nobody said how long.
DEFER_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Opened:
    """An adapter ready to work, and how many chains it may fetch at once."""

    adapter: PmsAdapter
    concurrency: int


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a run came to. `tallies` in the order the phases ran."""

    run_id: UUID
    connection_id: UUID
    state: RunState
    reason: str | None
    tallies: tuple[Tally, ...]
    duration_ms: int
    joined: bool = False

    @property
    def success(self) -> bool:
        return self.state is RunState.SUCCESS

    def as_json(self) -> dict[str, Any]:
        """The shape the command line prints; other programs read it."""
        told: dict[str, Any] = {
            "success": self.success,
            "status": self.state.value,
            "reason": self.reason,
            "syncId": str(self.run_id),
            "connectionId": str(self.connection_id),
            "phases": {tally.phase: tally.as_json() for tally in self.tallies},
            "durationMs": self.duration_ms,
        }
        return told | {"joined": True} if self.joined else told


@dataclass(slots=True)
class Outcome:
    """How a run ended, gathered while it goes."""

    state: RunState = RunState.SUCCESS
    reason: str | None = None
    needs_a_person: bool = False
    defer_s: float | None = None
    tallies: list[Tally] = field(default_factory=list)
    checkpoint: Checkpoint = field(default_factory=dict)

    def worse(self, state: RunState, reason: str | None) -> None:
        """Only ever gets worse; the first reason of a state is the one that is told."""
        order = [RunState.SUCCESS, RunState.PARTIAL, RunState.DEFERRED, RunState.FAILED]
        if order.index(state) > order.index(self.state):
            self.state, self.reason = state, reason


class Runner:
    """Executes one claimed run."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        open_adapter: Callable[[Claim, Callable[[], bool]], Opened],
        *,
        timeout: timedelta | None = None,
        stop_asked: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._open_adapter = open_adapter
        self._timeout = timeout
        self._stop_asked = stop_asked
        self._on_progress = on_progress

    def execute(self, claim: Claim) -> SyncResult:
        """Run the phases and close the run. Raises no Exception, whatever a vendor, a network or a row can do.

        A job's own time limit is no Exception and goes through (F59); so does Ctrl-C. Whoever raised it closes the run.
        """
        began = clock.monotonic()
        outcome = Outcome(checkpoint=dict(claim.checkpoint))
        log.info("sync started", extra=_facts(claim))
        with seldom(), Lease(self._store, claim).kept() as lease:
            try:
                self._run_phases(claim, lease, began, outcome)
            except LeaseLost:
                return self._told(claim, RunState.ABANDONED, "fenced", outcome, began)
            except StopRun as stop:
                left = self._put_back(claim, outcome) if stop.reason == "stopped" else None
                if left is not None:
                    return self._told(claim, left, "stopped", outcome, began)
                outcome.worse(RunState.PARTIAL, stop.reason)
            except Unreadable as error:
                log.error("a stored secret cannot be decrypted", extra=_facts(claim) | {"error": type(error).__name__})
                outcome.needs_a_person = True
                outcome.worse(RunState.FAILED, "secrets")
            except SQLAlchemyError:
                log.exception("sync failed in the database", extra=_facts(claim))
                outcome.worse(RunState.FAILED, "storage")
            except MemoryError:
                log.error("sync ran out of memory", extra=_facts(claim))
                return self._out_of_memory(claim, outcome, began)
            except Exception:
                log.exception("sync failed by a mistake of ours", extra=_facts(claim))
                outcome.worse(RunState.FAILED, "bug")
        self._judge(outcome)
        try:
            owned = self._close(claim, outcome)
        except SQLAlchemyError:
            # Nothing more to be done from here: the lease runs out and the sweeper takes the run up again.
            log.exception("sync could not be closed", extra=_facts(claim))
            return self._told(claim, RunState.FAILED, "storage", outcome, began)
        state = outcome.state if owned else RunState.ABANDONED
        return self._told(claim, state, outcome.reason if owned else "fenced", outcome, began)

    # --- the phases -----------------------------------------------------------------------------------------------

    def _run_phases(self, claim: Claim, lease: Lease, began: float, outcome: Outcome) -> None:
        with self._store.read() as session:
            practice = practices.get(session, claim.practice_id)
            failures = connections.get(session, claim.connection_id).failures
        zone = zone_of(practice.timezone)
        try:
            opened = self._open_adapter(claim, lambda: self._why_stop(lease, began) is not None)
        except PmsError as error:
            self._blame(outcome, error, read_something=False)
            return
        ctx = SyncContext(
            claim=claim,
            store=self._store,
            vault=self._vault,
            adapter=opened.adapter,
            window=Window(claim.window_from, claim.window_to, zone),
            mapper=DataMapper(zone, practice.region),
            fetchers=opened.concurrency,
            should_stop=lambda: self._why_stop(lease, began),
            on_progress=self._on_progress,
            checkpoint=outcome.checkpoint,
        )
        try:
            if failures >= PROBE_AFTER and not self._answers(ctx, outcome):
                return
            for position, phase in enumerate(phase for phase in phases.PHASES if phase.name in claim.phases):
                ctx.window = Window(*claim.days_of(phase.name), zone)
                if not self._run_phase(ctx, phase, position, outcome):
                    return
        finally:
            outcome.checkpoint = ctx.checkpoint
            opened.adapter.close()

    def _answers(self, ctx: SyncContext, outcome: Outcome) -> bool:
        """One small question to a vendor that has failed for long, instead of a sweep's worth of them (P12)."""
        try:
            ctx.adapter.identity()
        except PmsCancelled:
            raise StopRun(ctx.should_stop() or "cancelled") from None
        except PmsError as error:
            self._blame(outcome, error, read_something=False)
            return False
        return True

    def _run_phase(self, ctx: SyncContext, phase: Phase, position: int, outcome: Outcome) -> bool:
        """Run one phase and file its record, however it ended. Whether the next phase should run."""
        began, started_at = clock.monotonic(), clock.now()
        tally = self._tally(ctx, phase)
        outcome.tallies.append(tally)
        ended: Exception | None = None
        try:
            phase.run(ctx, tally)
        except PmsCancelled:  # by ourselves: a fetcher was told before we were
            ended = StopRun(ctx.should_stop() or "cancelled")
        except Exception as raised:  # noqa: BLE001 - filed first, then judged here or raised again
            ended = raised
        tally.reason = ended.reason if isinstance(ended, PmsError | StopRun) else tally.reason
        tally.duration_ms += int((clock.monotonic() - began) * 1000)

        def file(session: Session) -> None:
            if ctx.touched:  # what the days it changed look like now, so that a replay can be held against it
                tally.details["digests"] = replay.digests(session, ctx.touched, clock.now())
            columns = tally.columns() | {"started_at": started_at, "completed_at": clock.now()}
            history.file_phase(session, ctx.run_id, phase.name, position, **columns)

        ctx.write(file)
        ctx.touched.clear()
        if isinstance(ended, PmsError):
            self._blame(outcome, ended, read_something=tally.fetched > 0)
            return False
        if ended is not None:
            raise ended
        if tally.reason is not None:
            outcome.worse(RunState.PARTIAL, tally.reason)
        elif not tally.complete:
            outcome.worse(RunState.PARTIAL, "some_failed")
        if tally.details.get("unknownStatuses"):
            outcome.worse(RunState.PARTIAL, "unknown_status")
        return True

    def _tally(self, ctx: SyncContext, phase: Phase) -> Tally:
        """A fresh one; of a run that was put back half done, the counts it had then."""
        with self._store.read() as session:
            filed = [one for one in history.phases_of(session, ctx.run_id) if one.phase == phase.name]
        if not filed or not phase.goes_on:
            return Tally(phase.name)
        tally = Tally.of(filed[0])
        kept = {name: told for name, told in tally.details.items() if name == SET_ASIDE}
        tally.complete, tally.reason, tally.details = False, None, kept
        return tally

    def _blame(self, outcome: Outcome, error: PmsError, *, read_something: bool) -> None:
        log.warning("sync met an error", extra={"reason": error.reason, "error": type(error).__name__})
        if isinstance(error, PmsRateLimited):
            outcome.defer_s = error.retry_after_s
            outcome.worse(RunState.DEFERRED, error.reason)
            return
        if isinstance(error, PmsPaused):
            outcome.needs_a_person = True
        outcome.worse(RunState.PARTIAL if read_something else RunState.FAILED, error.reason)

    def _why_stop(self, lease: Lease, began: float) -> str | None:
        if lease.lost:
            return "fenced"
        if self._stop_asked():
            return "stopped"
        if self._timeout is not None and clock.monotonic() - began > self._timeout.total_seconds():
            return "timeout"
        return None

    # --- the end --------------------------------------------------------------------------------------------------

    def _judge(self, outcome: Outcome) -> None:
        """Records that could not be read make a run partial, too many of them make it failed; ignored ones neither."""
        bad = [tally for tally in outcome.tallies if tally.unsettled]
        if any(one.unsettled > max(MANY_QUARANTINED, SHARE_QUARANTINED * one.fetched) for one in bad):
            outcome.worse(RunState.FAILED, "quarantined")
        elif bad:
            outcome.worse(RunState.PARTIAL, "quarantined")

    def _put_back(self, claim: Claim, outcome: Outcome) -> RunState | None:
        try:
            return self._store.transact(
                lambda session: sync_runs.put_back(session, claim, clock.now(), outcome.checkpoint)
            )
        except SQLAlchemyError:
            log.exception("sync could not be put back", extra=_facts(claim))
            return None

    def _out_of_memory(self, claim: Claim, outcome: Outcome, began: float) -> SyncResult:
        """Somebody tries again with smaller pages, once."""

        def work(session: Session) -> tuple[RunState, str | None]:
            sync_runs.beat(session, claim, clock.now(), checkpoint=outcome.checkpoint, **run_counts(outcome.tallies))
            run = session.get_one(SyncRun, claim.run_id, populate_existing=True)
            out_of_memory.give_up(session, run, clock.now())
            session.refresh(run)
            return RunState(run.state), run.reason

        try:
            state, reason = self._store.transact(work)
        except (LeaseLost, SQLAlchemyError):  # whoever took it over, or the sweeper, sees to it
            state, reason = RunState.ABANDONED, "fenced"
        return self._told(claim, state, reason, outcome, began)

    def _close(self, claim: Claim, outcome: Outcome) -> bool:
        """Close the run and leave its mark on the connection. False when somebody else owns it by now."""
        now = clock.now()
        counts = run_counts(outcome.tallies)
        deferred = outcome.state is RunState.DEFERRED
        pause = timedelta(seconds=outcome.defer_s) if outcome.defer_s else DEFER_FOR
        kept = _kept(outcome)
        more = (
            kept is not None
            and outcome.reason != "page_budget"
            and claim.trigger is not Trigger.COMMAND
            and _further(kept, claim.checkpoint)
        )

        def work(session: Session) -> bool:
            connections.hold(session, claim.connection_id)
            if not sync_runs.finish(session, claim, now, outcome.state, outcome.reason, checkpoint=kept, **counts):
                return False
            connections.after_run(
                session,
                connections.get(session, claim.connection_id),
                state=outcome.state,
                reason=outcome.reason,
                needs_a_person=outcome.needs_a_person,
                now=now,
            )
            if deferred:
                schedules.not_before(session, claim.connection_id, now + pause)
            if more:
                sync_runs.go_on(session, claim, now, now + pause if deferred else None)
            return True

        return self._store.transact(work)

    def _told(self, claim: Claim, state: RunState, reason: str | None, outcome: Outcome, began: float) -> SyncResult:
        duration_ms = int((clock.monotonic() - began) * 1000)
        log.info(
            "sync ended",
            extra=_facts(claim) | {"state": state.value, "reason": reason, "duration_ms": duration_ms},
        )
        return SyncResult(claim.run_id, claim.connection_id, state, reason, tuple(outcome.tallies), duration_ms)


def _kept(outcome: Outcome) -> Checkpoint | None:
    """What the next run goes on from. Only a run that was cut short leaves its checkpoint: what failed by itself must
    not make the next run skip the parts that went well, they are due again as well.
    """
    if outcome.reason == "page_budget":  # the chain that was too long goes on, the others are read anew
        return {name: value for name, value in outcome.checkpoint.items() if name != "done"}
    if outcome.state is not RunState.DEFERRED and outcome.reason not in CUT_SHORT:
        return None
    in_a_row = outcome.checkpoint.get(IN_A_ROW, 0) + 1
    return {**outcome.checkpoint, IN_A_ROW: in_a_row} if in_a_row < MOST_IN_A_ROW else None


def _further(checkpoint: Checkpoint, before: Checkpoint) -> bool:
    """Whether a run has read anything: one that gets nowhere is not followed by another at once."""
    return any(checkpoint.get(name) and checkpoint.get(name) != before.get(name) for name in _READ)


def _facts(claim: Claim) -> dict[str, Any]:
    """What a log line about a run may say."""
    return {
        "run_id": str(claim.run_id),
        "connection_id": str(claim.connection_id),
        "trigger": claim.trigger.value,
        "attempt": claim.attempt,
    }
