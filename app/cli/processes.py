"""The processes beside the pages: worker, scheduler, sandbox, and the guard of the embedded Redis."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.house import house, read_settings
from app.cli.output import Refused, json_option
from app.jobs import lifeline

if TYPE_CHECKING:
    from redis import Redis

    from app.jobs.redis import Queue


@click.command()
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
@json_option
def worker(burst: bool, as_json: bool) -> None:  # noqa: ARG001 - it says nothing on standard output
    """Carry out syncs until told to stop. Any number may run, on any number of hosts.

    SIGTERM once: the running sync is put back at its next page, to be taken up by another worker.
    """
    from app.jobs.house import House  # noqa: PLC0415 - rq is slow to import
    from app.jobs.worker import work  # noqa: PLC0415

    with house(quiet=False) as here:
        redis, settings = _patient(here.queue), here.settings
        work(House(here.engine, redis, settings.sync_timeout_ms, settings.enable_scheduler), burst=burst)


@click.command()
@click.option("--tick", "tick_s", default=30, hidden=True, type=click.IntRange(1, 60))
@click.option("--look", "look_s", default=5, hidden=True, type=click.IntRange(1, 30))
@click.option("--watch", "watch_s", default=15.0, hidden=True, type=click.FloatRange(0.1, 60))
@json_option
def scheduler(tick_s: int, look_s: int, watch_s: float, as_json: bool) -> None:  # noqa: ARG001 - likewise
    """Tick: every 30 seconds a worker sees what is due. With ENABLE_SCHEDULER=false it ends at once."""
    from app.jobs.redis import connect  # noqa: PLC0415
    from app.jobs.scheduler import run  # noqa: PLC0415

    settings = read_settings(quiet=False)
    if not settings.enable_scheduler:
        click.echo("ENABLE_SCHEDULER is off: nothing is scheduled by this process.", err=True)
        return
    queue = connect(settings.redis_url, settings.runtime)
    try:
        run(_patient(queue), tick_s, look_s, watch_s)
    finally:
        queue.close()


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}, options_metavar="")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def sandbox(options: tuple[str, ...]) -> None:
    """Serve the simulated practice management systems; `python -m app.sandbox --help` lists the options.

    With --json it prints its addresses as one JSON value once it serves.
    """
    from app.sandbox.__main__ import main  # noqa: PLC0415

    words = [word for word in options if word != "--json"]
    if len(words) == len(options):
        main(args=words, standalone_mode=False)
        return
    with tempfile.TemporaryDirectory(prefix="runsheet-") as folder:
        ready = Path(folder) / "ready.json"
        threading.Thread(target=_print_when_there, args=(ready,), daemon=True).start()
        main(args=[*words, "--ready-file", str(ready)], standalone_mode=False)


@click.command(hidden=True)
def redis() -> None:
    """Guard the embedded Redis: start it, stop it with this process."""
    from app.jobs.embedded import Embedded  # noqa: PLC0415

    settings = read_settings(quiet=False)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    lifeline.hold(ended.set)
    with Embedded(settings.home / "redis", announce_in=settings.runtime) as server:
        while not ended.wait(1.0):
            if not server.alive():
                raise Refused("The embedded Redis ended.")


def _patient(queue: Queue) -> Redis:
    """Raises Refused where there is no Redis."""
    if queue.patient is None:
        raise Refused(queue.why)
    return queue.patient


def _print_when_there(ready: Path) -> None:
    while not ready.exists():
        time.sleep(0.05)
    click.echo(ready.read_text())
