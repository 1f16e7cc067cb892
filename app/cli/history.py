"""`runsheet history`: the diary of syncs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, table, tell
from app.store import connections
from app.store import history as history_store
from app.store.models import SyncRun


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="How many.")
@json_option
def history(connection_id: UUID, limit: int, as_json: bool) -> None:
    """The last syncs of CONNECTION, newest first."""
    with house() as here:
        with here.store.read() as session:
            connection = connections.get(session, connection_id)
            runs = history_store.recent(session, connection.practice_id, connection_id, limit)
        told = [_run(run) for run in runs]
        headings = {"startedAt": "started", "status": "status", "reason": "reason", "trigger": "trigger"}
        headings |= {name: name for name in ("fetched", "created", "updated", "unchanged", "removed", "skipped")}
        tell(told, as_json, lambda: table(told, headings) if told else ["Never synced."])


def _run(run: SyncRun) -> dict[str, Any]:
    return {
        "syncId": str(run.id),
        "status": run.state,
        "reason": run.reason,
        "trigger": run.trigger,
        "phases": run.phases,
        "from": run.window_from.isoformat(),
        "to": run.window_to.isoformat(),
        "requestedAt": instant(run.requested_at),
        "startedAt": instant(run.started_at),
        "completedAt": instant(run.completed_at),
        "fetched": run.appointments_fetched,
        "created": run.appointments_created,
        "updated": run.appointments_updated,
        "unchanged": run.appointments_unchanged,
        "skipped": run.appointments_skipped,
        "removed": run.appointments_removed,
        "quarantined": run.appointments_quarantined,
        "attempt": run.attempt,
    }
