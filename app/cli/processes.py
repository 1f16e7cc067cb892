"""The processes: web, worker, scheduler, sandbox, redis, all of them at once (demo), and doctor."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from app import create_app
from app.cli import demo as demo_
from app.cli import doctor as doctor_
from app.cli.output import House, house, json_option
from app.config import Settings
from app.errors import RunsheetError
from app.jobs import lifeline
from app.jobs.embedded import Embedded
from app.jobs.house import House as JobHouse

#: Two processes serve a practice; threads wait, they do not work, so many cost nothing (stack notes, §5).
WEB_WORKERS, WEB_THREADS = 2, 200


def register(cli: click.Group) -> None:
    for command in (web, worker, scheduler, sandbox, redis, demo_.demo, doctor_.doctor):
        cli.add_command(command)


class Gunicorn(BaseApplication):  # type: ignore[misc] # gunicorn is untyped
    """gunicorn without its command line. Each worker makes its own application, so nothing is shared by a fork."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._options: dict[str, Any] = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": workers,
            "worker_class": "gthread",
            "threads": WEB_THREADS,
            "graceful_timeout": 3,
            "timeout": 60,
            "keepalive": 30,
            "control_socket_disable": True,
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "proc_name": "runsheet web",
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self._settings)


@click.command()
@click.option("--workers", default=WEB_WORKERS, show_default=True, type=click.IntRange(1, 32))
@json_option
def web(workers: int, as_json: bool) -> None:  # noqa: ARG001
    """Serve the pages."""
    settings = Settings.from_env()
    with house(quiet=False) as here:  # refuses to start on a pending migration
        if here.queue.patient is None:
            raise RunsheetError(here.queue.why)
    lifeline.hold()
    Gunicorn(settings, workers).run()


@click.command()
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
@json_option
def worker(burst: bool, as_json: bool) -> None:  # noqa: ARG001
    """Carry out syncs."""
    from app.jobs.worker import work  # noqa: PLC0415 - rq is slow to import, and only workers need it

    with house(quiet=False) as here:
        work(_job_house(here), burst=burst)


@click.command()
@json_option
def scheduler(as_json: bool) -> None:  # noqa: ARG001
    """Tick: see what is due every 30 seconds."""
    from app.jobs.scheduler import run  # noqa: PLC0415

    with house(quiet=False) as here:
        if not here.settings.enable_scheduler:
            click.echo("ENABLE_SCHEDULER is off: nothing is scheduled by this process.")
            return
        run(_job_house(here).redis)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def sandbox(options: tuple[str, ...]) -> None:
    """Serve the simulated practice management systems; `runsheet sandbox --help` lists the options."""
    from app.sandbox.__main__ import main  # noqa: PLC0415

    main(args=list(options), standalone_mode=True)


@click.command(hidden=True)
def redis() -> None:
    """Guard the embedded Redis: start it, stop it with this process."""
    settings = Settings.from_env()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    lifeline.hold(ended.set)
    with Embedded(Path(settings.home) / "redis", announce_in=settings.runtime) as server:
        while not ended.wait(1.0):
            if not server.alive():
                raise RunsheetError("The embedded Redis ended.")


def _job_house(here: House) -> JobHouse:
    if here.queue.patient is None:
        raise RunsheetError(here.queue.why)
    return JobHouse(here.engine, here.queue.patient, here.settings.sync_timeout_ms, here.settings.enable_scheduler)
