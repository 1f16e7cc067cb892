"""The jobs themselves, as RQ finds them by name. Each takes opaque ids and returns counts, never rows."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from app import logs
from app.errors import RunsheetError
from app.jobs import dispatch
from app.jobs.house import house
from app.jobs.stopping import stop_asked
from app.sync import telling

log = logging.getLogger(__name__)

Task = Callable[..., dict[str, Any]]


class JobFailed(RunsheetError):
    """What RQ may write into Redis about an error: its kind. The text of the error itself may hold values (X25)."""


class JobTimedOut(BaseException):
    """RQ's own limit struck. No Exception, so that nothing on the way can take it for one row's fault (F59)."""


def _wordless(task: Task) -> Task:
    @functools.wraps(task)
    def carried_out(*args: str) -> dict[str, Any]:
        try:
            return task(*args)
        except Exception as error:
            log.exception("job failed", extra={"kind": task.__name__})
            raise JobFailed(type(error).__name__) from None

    return carried_out


@_wordless
def tick() -> dict[str, Any]:
    """The clock's job."""
    here = house()
    return dispatch.tick(
        here.store,
        here.redis,
        timeout_s=here.timeout_s,
        dispatches=here.dispatches,
        vendor=here.engine.vendor,
    )


@_wordless
def run_sync(run_id: str) -> dict[str, Any]:
    """Carry out a run, where it is still to be had. Whoever waits behind it is nudged when the job has ended."""
    here = house()
    with logs.bound(run_id=run_id):
        claim = here.engine.claim(UUID(run_id))
        if claim is None:
            return {"claimed": False}
        try:
            result = here.engine.execute(claim, timeout=timedelta(milliseconds=here.timeout_ms), stop_asked=stop_asked)
        except JobTimedOut:
            # Beyond the run's own limit: something hangs. Close the run here and now, not when its lease runs out.
            dispatch.abandon_held_by(here.store, here.engine.host, os.getpid())
            raise
    return {"claimed": True, "state": result.state.value, "durationMs": result.duration_ms}


@_wordless
def tell_pms(connection_id: str) -> dict[str, Any]:
    """Tell a PMS what reception said of its visits, as far as it is due (R49)."""
    told = telling.tell(house().engine, UUID(connection_id))
    return {"told": told.told, "failed": told.failed}
