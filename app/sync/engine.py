"""The orchestrator (E06): today, a day, a range; in the foreground or for a worker; one run per connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock, logs
from app.config import VendorSettings
from app.domain.window import day_of, zone_of
from app.errors import InvalidInput, Unreadable
from app.pms.errors import PmsNotConfigured, PmsSecretsUnreadable, PmsUntrusted
from app.pms.factory import Tools, environment_for, open_adapter
from app.pms.limits import Limiter
from app.pms.port import PmsAdapter, Site
from app.pms.registry import adapter_class
from app.pms.trial import PassingTokens
from app.security.vault import Vault
from app.store import catalogue, connections, credentials, history, out_of_memory, practices, sync_runs
from app.store.db import Store
from app.store.models import PmsConnection, Practice, SyncPhase, SyncRun
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Answer, Ask, Claim
from app.store.tokens import SqlTokenStores
from app.sync.context import Progress
from app.sync.phases import chosen, own_windows
from app.sync.run import Opened, Runner, SyncResult
from app.sync.tally import Tally

DEFAULT_CONCURRENCY = 4
_FOLLOW_S = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants synced, before it is checked. Days are the practice's own, both included.

    begins_anew: a run that has begun already is no answer to it.
    """

    connection_id: UUID
    first: date | None = None
    last: date | None = None
    phases: tuple[str, ...] = ()
    full: bool = False
    trigger: Trigger = Trigger.COMMAND
    requested_by: UUID | None = None
    begins_anew: bool = False


class Engine:
    """Everything a sync needs, wired once per process."""

    def __init__(self, store: Store, vault: Vault, vendor: Callable[[str], VendorSettings], limiter: Limiter) -> None:
        self.store = store
        self.vault = vault
        self.vendor = vendor
        self._limiter = limiter
        self.host = socket.gethostname()

    # --- asking ---------------------------------------------------------------------------------------------------

    def ask_for(self, wish: Wish) -> Ask:
        """Check a wish against the practice and the adapter. Raises InvalidInput or NotFound with a sentence."""
        with self.store.read() as session:
            connection = connections.get(session, wish.connection_id)
            practice = practices.get(session, connection.practice_id)
        if connection.state in (ConnectionState.DRAFT, ConnectionState.DISCONNECTED) or not connection.tenant_id:
            raise InvalidInput("This connection is not paired, so there is nothing to sync yet. Pair it first.")
        if connection.state == ConnectionState.PAUSED:
            raise InvalidInput("This connection is paused. Resume it first, then it can sync.")
        phases = chosen(wish.phases, adapter_class(connection.pms_type).capabilities)
        today = day_of(clock.now(), zone_of(practice.timezone))
        own = own_windows(phases, today, wish.first, wish.last)
        first = wish.first or min(today, wish.last or today) - _back(phases, connection)
        last = wish.last or max(today, first)
        if len(own) == len(phases):  # nothing reads the window: it says what the run is about
            first, last = min(days[0] for days in own.values()), max(days[1] for days in own.values())
        for begins, ends in ((first, last), *own.values()):
            if ends < begins:
                raise InvalidInput({"to": "The last day lies before the first day."})
            if (ends - begins).days > 366:
                raise InvalidInput({"to": "A sync reads at most a year at a time."})
        return Ask(
            practice_id=practice.id,
            connection_id=connection.id,
            phases=phases,
            window_from=first,
            window_to=last,
            trigger=wish.trigger,
            requested_by=wish.requested_by,
            full=wish.full,
            begins_anew=wish.begins_anew,
            own_windows=own,
        )

    def sync_today(self, connection_id: UUID, **more: object) -> SyncResult:
        """Today's run sheet, in the foreground."""
        return self.sync(Wish(connection_id, **more))  # type: ignore[arg-type]

    def sync_day(self, connection_id: UUID, day: date) -> SyncResult:
        return self.sync(Wish(connection_id, day, day))

    def sync_range(self, connection_id: UUID, first: date, last: date) -> SyncResult:
        return self.sync(Wish(connection_id, first, last))

    def sync(self, wish: Wish, on_progress: Callable[[Progress], None] = lambda _: None) -> SyncResult:
        """Sync in the foreground, without workers and without a time limit.

        A run elsewhere that covers the wish is followed and its result told as joined; one that does not is waited
        for. A holder on this host whose process is dead is relieved at once, any other when its lease runs out.
        """
        ask = self.ask_for(wish)
        while True:
            got = self.store.transact(lambda session: self._start(session, ask))
            if isinstance(got, Claim):
                return self._to_its_end(got, on_progress)
            ended = self._follow(got, on_progress)
            if got.joined and ended is not None:
                return ended

    def _to_its_end(self, claim: Claim, on_progress: Callable[[Progress], None]) -> SyncResult:
        """Carry out a run, and the one that tries again with smaller pages where it ran out of memory (F58)."""
        result = self.execute(claim, on_progress=on_progress)
        if (result.state, result.reason) != (RunState.ABANDONED, "memory_page"):
            return result
        with self.store.read() as session:
            successor = history.successor_of(session, claim.run_id)
        again = None if successor is None else self.claim(successor.id)  # a worker may have been quicker
        return result if again is None else self.execute(again, on_progress=on_progress)

    def _start(self, session: Session, ask: Ask) -> Claim | Answer:
        self._relieve_the_lost(session, sync_runs.running_of(session, ask.connection_id))
        return sync_runs.start(session, ask, clock.now(), self.host, os.getpid())

    def _follow(self, answer: Answer, on_progress: Callable[[Progress], None]) -> SyncResult | None:
        """Wait for a run that somebody else carries out, showing its progress; its lease bounds the wait.

        None where it was lost, or put back to wait for a worker: there may be none, so somebody else goes on.
        """
        while True:
            with self.store.read() as session:
                run = history.run(session, answer.run_id)
                assert run is not None
                if run.state in (RunState.QUEUED, RunState.ABANDONED):
                    return None
                if run.state != RunState.RUNNING:
                    return told_again(run, history.phases_of(session, run.id))
            if self._is_lost(run):
                self.store.transact(
                    lambda session: self._relieve_the_lost(session, history.run(session, answer.run_id))
                )
                continue
            if run.progress:
                on_progress(Progress(run.progress["phase"], run.progress["done"], run.progress["total"]))
            clock.sleep(_FOLLOW_S)

    def _relieve_the_lost(self, session: Session, run: SyncRun | None) -> None:
        """Close a run nobody carries out any more, so that nobody waits for it."""
        if run is not None and self._is_lost(run):
            sync_runs.abandon(session, run, clock.now())

    def _is_lost(self, run: SyncRun) -> bool:
        """Its process on this host is gone, or, wherever it is, it let its lease run out."""
        died = run.host == self.host and run.pid is not None and not _alive(run.pid)
        return died or (run.lease_until is not None and run.lease_until < clock.now())

    # --- carrying out ---------------------------------------------------------------------------------------------

    def claim(self, run_id: UUID) -> Claim | None:
        """Take up a queued run, for a worker. None when it is not to be had (any more, or yet)."""
        return self.store.transact(
            lambda session: sync_runs.claim(session, run_id, clock.now(), self.host, os.getpid())
        )

    def execute(
        self,
        claim: Claim,
        *,
        timeout: timedelta | None = None,
        stop_asked: Callable[[], bool] = lambda: False,
        on_progress: Callable[[Progress], None] = lambda _: None,
    ) -> SyncResult:
        """Carry out a claimed run. timeout: it then ends at a page boundary, as partial, its checkpoint kept."""
        runner = Runner(
            self.store,
            self.vault,
            self._open_claimed,
            timeout=timeout,
            stop_asked=stop_asked,
            on_progress=on_progress,
        )
        with logs.bound(run_id=str(claim.run_id), connection_id=str(claim.connection_id)):
            return runner.execute(claim)

    def open(
        self,
        connection: PmsConnection,
        practice: Practice,
        *,
        manual: bool,
        cancelled: Callable[[], bool] = lambda: False,
        status_words: dict[str, str] | None = None,
        half_pages: bool = False,
    ) -> PmsAdapter:
        """The adapter of a connection. Raises PmsNotConfigured where the operator has not set what it needs.

        PmsUntrusted where the connection was paired elsewhere than the address set now: a simulated patient must never
        stand on a live sheet, nor a real practice's id be sent to a simulator.
        """
        self._same_address(connection)
        vendor = self.vendor(connection.pms_type)
        site = Site(connection.tenant_id, connection.timezone or practice.timezone, status_words or {})
        tools = Tools(
            limiter=self._limiter,
            tokens=SqlTokenStores(self.store, self.vault, connection.id),
            connection=str(connection.id),
            manual=manual,
            cancelled=cancelled,
            credentials=self.typed(connection),
            half_pages=half_pages,
        )
        return open_adapter(connection.pms_type, vendor, site, tools)

    def open_trial(
        self,
        connection: PmsConnection,
        practice: Practice,
        given: Mapping[str, str],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> PmsAdapter:
        """An adapter with what somebody typed and nobody saved, and with tokens of its own. Raises as `open` does."""
        self._same_address(connection)
        site = Site(connection.tenant_id, connection.timezone or practice.timezone, {})
        tools = Tools(
            limiter=self._limiter,
            tokens=PassingTokens(),
            connection=str(connection.id),
            manual=True,
            cancelled=cancelled,
            credentials=given,
        )
        return open_adapter(connection.pms_type, self.vendor(connection.pms_type), site, tools)

    def typed(self, connection: PmsConnection) -> dict[str, str]:
        """What was typed for this connection, decrypted; nothing where the vendor asks for nothing.

        Raises PmsSecretsUnreadable; PmsNotConfigured where a required one is missing.
        """
        fields = adapter_class(connection.pms_type).credentials
        if not fields:
            return {}
        try:
            with self.store.read() as session:
                found = credentials.opened(session, self.vault, connection, [one.name for one in fields])
        except Unreadable as error:
            raise PmsSecretsUnreadable("The stored credentials cannot be decrypted.") from error
        missing = [one.label for one in fields if one.required and one.name not in found]
        if missing:
            text = f"This connection has no {', '.join(missing)}. An admin can enter it on the connection's page."
            raise PmsNotConfigured(text, reason="not_paired")
        return found

    def _same_address(self, connection: PmsConnection) -> None:
        vendor = self.vendor(connection.pms_type)
        if connection.tenant_id is not None and environment_for(connection.pms_type, vendor) != connection.environment:
            text = "The address that is set now is not the one this connection was paired with."
            raise PmsUntrusted(text, reason="address")

    def lacks(self, kind: str) -> str | None:
        """What the operator has not set for this vendor, as a sentence; None where an adapter can be opened."""
        # What each practice types for itself is none of the operator's settings: something stands in for it.
        stand_ins = {one.name: "a-stand-in-for-it" for one in adapter_class(kind).credentials if one.required}
        tools = Tools(self._limiter, SqlTokenStores(self.store, self.vault), "", credentials=stand_ins)
        try:
            open_adapter(kind, self.vendor(kind), Site(None, "UTC", {}), tools).close()
        except PmsNotConfigured as error:
            return str(error)
        return None

    def concurrency(self, kind: str) -> int:
        """How many chains of this vendor may be fetched at once."""
        return self.vendor(kind).concurrency or DEFAULT_CONCURRENCY

    def _open_claimed(self, claim: Claim, cancelled: Callable[[], bool]) -> Opened:
        with self.store.read() as session:
            connection = connections.get(session, claim.connection_id)
            practice = practices.get(session, claim.practice_id)
            words = catalogue.explained_words(session, connection.id)
        adapter = self.open(
            connection,
            practice,
            manual=claim.manual,
            cancelled=cancelled,
            status_words=words,
            half_pages=out_of_memory.half_pages(claim),
        )
        return Opened(adapter, self.concurrency(connection.pms_type))


def _back(phases: tuple[str, ...], connection: PmsConnection) -> timedelta:
    """How far back a run looks where nobody named a first day: reconciliation by itself has its own lookback (E08)."""
    alone = "reconciliation" in phases and "inbound" not in phases
    return timedelta(days=connection.lookback_days if alone else 0)


def told_again(run: SyncRun, phases: Iterable[SyncPhase]) -> SyncResult:
    """The result of a run from its record, for somebody who joined it."""
    tallies = tuple(Tally.of(phase) for phase in phases)
    took = (run.completed_at - run.started_at) if run.completed_at and run.started_at else timedelta(0)
    duration_ms = int(took.total_seconds() * 1000)
    state = RunState(run.state)
    return SyncResult(run.id, run.pms_connection_id, state, run.reason, tallies, duration_ms, joined=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process: alive
        return True
    return True
