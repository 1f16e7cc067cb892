"""A run that was out of memory: tried once more in smaller pages, then failed (F58)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.store import connections, sync_runs
from app.store.models import SyncRun
from app.store.models.sync import RunState
from app.store.sync_runs import Claim

#: In a checkpoint: pages are asked for that are half as large.
_HALF_PAGES = "halfPages"


def half_pages(claim: Claim) -> bool:
    return bool(claim.checkpoint.get(_HALF_PAGES))


def give_up(session: Session, run: SyncRun, now: datetime) -> UUID | None:
    """A page needed more memory than there was. Once, a successor tries with pages half as large; its id. After that,
    or after the last attempt, the run has failed, and None.

    Cursors are not kept: they count pages of the old size. Chains that came to their end are not read again.
    """
    connections.hold(session, run.pms_connection_id)
    halved = bool((run.checkpoint or {}).get(_HALF_PAGES))
    if not halved and run.attempt < sync_runs.MAX_ATTEMPTS:
        kept = {name: value for name, value in (run.checkpoint or {}).items() if name != "cursors"}
        run.checkpoint = {**kept, _HALF_PAGES: True}
        session.flush()
        return sync_runs.abandon(session, run, now, "memory_page")
    if sync_runs.finish(session, sync_runs.claim_of(run), now, RunState.FAILED, "memory", checkpoint=None):
        connections.after_run(
            session,
            connections.get(session, run.pms_connection_id),
            state=RunState.FAILED,
            reason="memory",
            needs_a_person=False,
            now=now,
        )
    return None
