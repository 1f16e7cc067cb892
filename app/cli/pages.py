"""`runsheet web`: the pages, served by gunicorn."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any

import click
from gunicorn import glogging, util
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker

from app import create_app
from app.cli.house import house
from app.cli.output import Refused, json_option
from app.config import Settings
from app.jobs import lifeline

#: Two processes serve a practice; threads wait, they do not work, so many cost nothing (stack notes, §5).
WORKERS, THREADS = 2, 200


@click.command()
@click.option("--workers", default=WORKERS, show_default=True, type=click.IntRange(1, 32), help="Processes.")
@json_option
def web(workers: int, as_json: bool) -> None:  # noqa: ARG001 - it says nothing on standard output
    """Serve the pages on HOST and PORT until told to stop. Refuses to start on a pending migration."""
    with house(quiet=False) as here:
        settings = here.settings
        if here.queue.patient is None:
            raise Refused(here.queue.why)
    import_module("app.web")  # loaded once, here, instead of in each worker
    lifeline.hold()
    Gunicorn(settings, workers).run()


class Gunicorn(BaseApplication):  # type: ignore[misc] # gunicorn is untyped
    """gunicorn without its command line. Each worker makes its own application, so nothing is shared by a fork."""

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._options: dict[str, Any] = {
            "bind": f"{host}:{settings.port}",
            "workers": workers,
            "worker_class": Worker,
            "threads": THREADS,
            "graceful_timeout": 3,
            "timeout": 60,
            "keepalive": 30,
            "control_socket_disable": True,
            "accesslog": None,  # an address may hold what nobody should keep; our own lines name the route
            "logger_class": OurLog,
            "loglevel": "warning",
            "proc_name": "runsheet web",
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self._settings)


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn is untyped
    """Refuses what is no HTTP without gunicorn's own words, which repeat the request with any key in it (X20)."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("a request that is no HTTP was refused")
        with suppress(OSError):
            util.write_error(client, 400, "Bad Request", "That request could not be read.")


class OurLog(glogging.Logger):  # type: ignore[misc] # gunicorn is untyped
    """gunicorn's log lines through our formatter, and only from warnings on."""

    def setup(self, cfg: Any) -> None:
        self.loglevel = self.LOG_LEVELS[cfg.loglevel]
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
            log.setLevel(self.loglevel)
