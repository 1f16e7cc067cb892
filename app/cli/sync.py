"""`runsheet sync`: a sync in the foreground, without a worker."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType
from uuid import UUID

import click
from redis import RedisError

from app import clock
from app.cli.house import house
from app.cli.output import FAILED, IDENT, INCOMPLETE, json_option, tell
from app.domain.names import duration_words
from app.domain.reasons import explain
from app.domain.window import day_of, parse_day, zone_of
from app.parts import Parts
from app.store import connections, practices, sync_runs
from app.store.models.sync import RunState
from app.sync.context import Progress as Step
from app.sync.engine import Wish
from app.sync.preview import system
from app.sync.run import SyncResult

#: Ctrl-C, being told to stop, and the moment later.
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
_A_MOMENT_S = 0.02
#: Modules whose work is not broken off half-way.
_LEFT_ALONE = frozenset({"sqlalchemy", "psycopg", "psycopg_binary", "redis"})
_EXIT = {RunState.SUCCESS: 0, RunState.PARTIAL: INCOMPLETE, RunState.DEFERRED: INCOMPLETE}


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--from", "first", metavar="DAY", help="First day, practice-local; by default today.")
@click.option("--to", "last", metavar="DAY", help="Last day, included; by default today.")
@click.option("--phase", "phases", metavar="PHASE", multiple=True, help="Only this phase; may be repeated.")
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
    """Sync CONNECTION now, in the foreground. Needs no worker.

    A DAY is 2026-03-09, or today, tomorrow, yesterday. Where a worker is syncing the same days already, its run is
    followed and its result told. Exit codes: 0 done, 3 partial or deferred, 4 failed.
    """
    with house() as here:
        wish = Wish(connection_id, *_days(here, connection_id, first, last), phases=phases, full=full)
        with here.store.read() as session:
            found = system(connections.get(session, connection_id).pms_type)
        here.engine.ask_for(wish)  # bad input is told before anything else is said
        _say_who_keeps_the_limit(here)
        with cancelled_by_ctrl_c(here), _bars(shown=not as_json) as on_progress:
            result = here.engine.sync(wish, on_progress)
    tell(result.as_json(), as_json, lambda: _lines(result, found.label))
    if not result.success:
        told = explain(result.reason, found.label, typed=bool(found.credentials))
        click.echo(f"{result.state.value}: {told.sentence}", err=True)
    ctx.exit(_EXIT.get(result.state, FAILED))


def _days(here: Parts, connection_id: UUID, first: str | None, last: str | None) -> tuple[date | None, date | None]:
    with here.store.read() as session:
        practice = practices.get(session, connections.get(session, connection_id).practice_id)
    today = day_of(clock.now(), zone_of(practice.timezone))
    return (parse_day(first, today) if first else None), (parse_day(last, today) if last else None)


def _say_who_keeps_the_limit(here: Parts) -> None:
    if here.queue.hasty is None:
        click.echo("No Redis: the vendor's limit is kept by this process alone.", err=True)
        return
    try:
        here.queue.hasty.ping()
    except RedisError:
        click.echo("Redis does not answer: this process keeps to its own small part of the vendor's limit.", err=True)


@contextmanager
def cancelled_by_ctrl_c(here: Parts) -> Iterator[None]:
    """Ctrl-C, or SIGTERM, ends the run as cancelled: nobody has to wait for its lease, and nobody takes it up."""

    before = {number: signal.signal(number, _interrupt) for number in _INTERRUPTS}
    try:
        yield
    except KeyboardInterrupt:
        with here.store.write() as session:
            for run in sync_runs.held_by(session, here.engine.host, os.getpid()):
                sync_runs.finish(session, sync_runs.claim_of(run), clock.now(), RunState.CANCELLED, "cancelled")
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Not in the middle of a statement: its connection could be neither rolled back nor closed. A moment later."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _LEFT_ALONE:
            signal.setitimer(signal.ITIMER_REAL, _A_MOMENT_S)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _lines(result: SyncResult, label: str) -> list[str]:
    lines = []
    for tally in result.tallies:
        if tally.phase == "reconciliation":
            moved = f", {tally.updated} moved or changed" if tally.updated else ""
            lines.append(f"{tally.phase}: {tally.removed} removed{moved}")
            continue
        skipped = ", ".join(f"{count} {cause.replace('_', ' ')}" for cause, count in tally.skipped.items())
        counts = f"{tally.fetched} fetched, {tally.created} new, {tally.updated} changed, {tally.unchanged} the same"
        counts += f", left out: {skipped}" if skipped else ""
        counts += f", {tally.quarantined} set aside" if tally.quarantined else ""
        lines.append(f"{tally.phase}: {counts}")
    took = duration_words(result.duration_ms / 1000)
    return [*lines, f"{label}: {result.state.value} in {took}" + (" (joined a running sync)" if result.joined else "")]


@contextmanager
def _bars(*, shown: bool) -> Iterator[Callable[[Step], None]]:
    """A progress bar per phase where a person looks; nothing in a pipe or for a program."""
    if not shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only for people, and slow to import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def show(step: Step) -> None:
            if step.phase not in tasks:
                tasks[step.phase] = bars.add_task(step.phase, total=step.total)
            bars.update(tasks[step.phase], completed=step.done, total=step.total)

        yield show
