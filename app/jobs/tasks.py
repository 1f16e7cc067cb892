"""The jobs themselves, as RQ finds them by name. Each takes opaque ids and returns counts, never rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from rq.timeouts import JobTimeoutException

from app import logs
from app.jobs import dispatch
from app.jobs.house import house
from app.jobs.stopping import stop_asked


def tick() -> dict[str, int]:
    """The clock's job."""
    here = house()
    return dispatch.tick(here.store, here.redis, timeout_s=here.timeout_s, dispatches=here.dispatches)


def run_sync(run_id: str) -> dict[str, Any]:
    """Carry out a run, where it is still to be had; then make way for the one that waited behind it."""
    here = house()
    with logs.bound(run_id=run_id):
        claim = here.engine.claim(UUID(run_id))
        if claim is None:
            return {"claimed": False}
        result = here.engine.execute(
            claim,
            timeout=timedelta(milliseconds=here.timeout_ms),
            stop_asked=stop_asked,
            # RQ's own limit lies beyond ours. Should it ever strike, the lease runs out and the sweeper goes on.
            passes_through=(JobTimeoutException,),
        )
        dispatch.nudge_waiting(here.store, here.redis, timeout_s=here.timeout_s)
    return {"claimed": True, "state": result.state.value, "durationMs": result.duration_ms}
