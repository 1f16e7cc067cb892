"""`runsheet sync` and `runsheet history`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from app import clock
from app.cli.output import FAILED, IDENT, INCOMPLETE, House, house, instant, json_option, table, tell
from app.domain.names import duration_words
from app.domain.reasons import explain
from app.domain.window import day_of, parse_day, zone_of
from app.store import connections, history, practices
from app.store.models import SyncRun
from app.store.models.sync import RunState
from app.sync.context import Progress as Step
from app.sync.engine import Wish
from app.sync.preview import system
from app.sync.run import SyncResult

_EXIT = {RunState.SUCCESS: 0, RunState.PARTIAL: INCOMPLETE, RunState.DEFERRED: INCOMPLETE}


def register(cli: click.Group) -> None:
    cli.add_command(sync)
    cli.add_command(history_)


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--from", "first", metavar="DAY", help="First day, practice-local; by default today.")
@click.option("--to", "last", metavar="DAY", help="Last day, included; by default today.")
@click.option("--phase", "phases", multiple=True, help="Only this phase; may be repeated.")
@click.option("--full", is_flag=True, help="Read and compare everything, whatever is remembered.")
@json_option
@click.pass_context
def sync(
    ctx: click.Context,
    connection_id: UUID,
    first: str | None,
    last: str | None,
    phases: tuple[str, ...],
    full: bool,
    as_json: bool,
) -> None:
    """Sync CONNECTION now, in the foreground. Needs no worker."""
    with house() as here:
        wish = Wish(connection_id, *_days(here, connection_id, first, last), phases=phases, full=full)
        if here.queue.patient is None and not as_json:
            click.echo("No Redis: the vendor's limit is kept by this process alone.", err=True)
        with _bars(shown=not as_json) as on_progress:
            result = here.engine.sync(wish, on_progress)
        with here.store.read() as session:
            label = system(connections.get(session, connection_id).pms_type).label
    tell(result.as_json(), as_json, lambda: _lines(result, label))
    if not result.success:
        click.echo(_why(result, label), err=True)
    ctx.exit(_EXIT.get(result.state, FAILED))


@click.command("history")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500))
@json_option
def history_(connection_id: UUID, limit: int, as_json: bool) -> None:
    """The last syncs of CONNECTION, newest first."""
    with house() as here:
        with here.store.read() as session:
            connection = connections.get(session, connection_id)
            runs = history.recent(session, connection.practice_id, connection_id, limit)
        told = [_run(run) for run in runs]
        headings = {"startedAt": "started", "status": "status", "reason": "reason", "trigger": "trigger"}
        headings |= {name: name for name in ("fetched", "created", "updated", "unchanged", "skipped")}
        tell(told, as_json, lambda: table(told, headings))


def _days(here: House, connection_id: UUID, first: str | None, last: str | None) -> tuple[date | None, date | None]:
    with here.store.read() as session:
        practice = practices.get(session, connections.get(session, connection_id).practice_id)
    today = day_of(clock.now(), zone_of(practice.timezone))
    return (parse_day(first, today) if first else None), (parse_day(last, today) if last else None)


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


def _lines(result: SyncResult, label: str) -> list[str]:
    lines = []
    for tally in result.tallies:
        skipped = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in tally.skipped.items())
        counts = f"{tally.fetched} fetched, {tally.created} new, {tally.updated} changed, {tally.unchanged} the same"
        counts += f", left out: {skipped}" if skipped else ""
        counts += f", {tally.quarantined} set aside" if tally.quarantined else ""
        lines.append(f"{tally.phase}: {counts}")
    took = duration_words(result.duration_ms / 1000)
    return [*lines, f"{label}: {result.state.value} in {took}" + (" (joined a running sync)" if result.joined else "")]


def _why(result: SyncResult, label: str) -> str:
    return f"{result.state.value}: {explain(result.reason, label).sentence}"


@contextmanager
def _bars(*, shown: bool) -> Iterator[Callable[[Step], None]]:
    """A progress bar per phase where a person looks; nothing in a pipe or for a program."""
    if not shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def show(step: Step) -> None:
            if step.phase not in tasks:
                tasks[step.phase] = bars.add_task(step.phase, total=step.total)
            bars.update(tasks[step.phase], completed=step.done, total=step.total)

        yield show
