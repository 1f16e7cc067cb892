"""Keeps a run's lease alive while its phases work, and notices when the run is no longer ours."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.store import sync_runs
from app.store.db import Store
from app.store.sync_runs import Claim, LeaseLost

BEAT_S = 10.0
log = logging.getLogger(__name__)


class Lease:
    """`lost` becomes true when the run has a new owner. Ask it at page boundaries; page transactions check anyway."""

    def __init__(self, store: Store, claim: Claim, beat_s: float = BEAT_S) -> None:
        self._store, self._claim, self._beat_s = store, claim, beat_s
        self._ended = threading.Event()
        self.lost = False

    @contextmanager
    def kept(self) -> Iterator[Lease]:
        thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s):
            try:
                with self._store.write() as session:
                    sync_runs.beat(session, self._claim, clock.now())
            except LeaseLost:
                self.lost = True
                return
            except SQLAlchemyError:
                # The database is away for a moment: the lease outlives twelve missed beats.
                log.warning("heartbeat missed", extra={"run_id": str(self._claim.run_id)})
