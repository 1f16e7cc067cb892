"""What a phase is given: the adapter, the window, the store, and a way to prove that the run is still ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.window import Window
from app.errors import RunsheetError
from app.pms.port import PmsAdapter
from app.security.vault import Vault
from app.store import sync_runs
from app.store.appointments import Source
from app.store.db import Store
from app.store.sync_runs import Claim
from app.sync.mapper import DataMapper

#: A cursor of the vendor's is worth going on from for this long; after that its chain starts anew.
CURSOR_FRESH = timedelta(minutes=10)


#: How far a run has come, as JSON: committed with every page, never changed in place.
Checkpoint = dict[str, Any]
Result = TypeVar("Result")


class StopRun(RunsheetError):
    """End the run at this page boundary, checkpoint kept. Reasons: timeout, stopped, cancelled, fenced."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase has come; `total` is None where nobody can know."""

    phase: str
    done: int
    total: int | None

    def as_json(self) -> dict[str, Any]:
        percent = None if not self.total else round(100 * self.done / self.total)
        return {"phase": self.phase, "done": self.done, "total": self.total, "percent": percent}


@dataclass(slots=True)
class SyncContext:
    """One run's view of the world. Phases share it; nothing in it outlives the run."""

    claim: Claim
    store: Store
    vault: Vault
    adapter: PmsAdapter
    window: Window
    mapper: DataMapper
    fetchers: int
    should_stop: Callable[[], str | None]
    on_progress: Callable[[Progress], None]
    checkpoint: Checkpoint = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)  # the run's, as of the last page
    swept_whole: bool = False  # inbound came to the end of every chain
    #: (day, practitioner) -> up to when its changes were read, before this run reads it whole.
    changes_read: dict[tuple[date, str], datetime] = field(default_factory=dict)
    touched: set[UUID] = field(default_factory=set)  # the sheets the present phase has written on

    @property
    def practice_id(self) -> UUID:
        return self.claim.practice_id

    @property
    def connection_id(self) -> UUID:
        return self.claim.connection_id

    @property
    def run_id(self) -> UUID:
        return self.claim.run_id

    def source(self, at: datetime | None = None) -> Source:
        """On whose word a phase writes: this run's, now (or as of `at`)."""
        return Source(self.practice_id, self.connection_id, self.run_id, at or clock.now())

    def write(
        self,
        work: Callable[[Session], Result],
        *,
        prepare: Callable[[Session], Checkpoint] | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """One page's write transaction. Before it writes anything it proves that the run is ours; the checkpoint rides
        along with the proof, so that page and checkpoint are committed together or not at all. So do the counts of the
        pages before, for the diary of a run that is lost.

        prepare: reads what the page depends on and tells the checkpoint as it will be once the page is written.
        Both are called again where the database asks for another attempt, so neither may change anything outside.
        Raises LeaseLost, with everything rolled back, when somebody else owns the run.
        """
        told: dict[str, Any] = self.counts if progress is None else {**self.counts, "progress": progress.as_json()}

        def transaction(session: Session) -> tuple[Checkpoint, Result]:
            checkpoint = self.checkpoint if prepare is None else prepare(session)
            sync_runs.beat(session, self.claim, clock.now(), checkpoint=checkpoint, **told)
            return checkpoint, work(session)

        self.checkpoint, result = self.store.transact(transaction)
        if progress is not None:
            self.on_progress(progress)
        return result

    def halt_if_asked(self) -> None:
        """Call at page boundaries. Raises StopRun when the run should end here."""
        reason = self.should_stop()
        if reason is not None:
            raise StopRun(reason)
