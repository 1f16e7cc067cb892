"""Serving: a loopback port, a file that says when it is ready, and an end that comes at once."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from werkzeug.serving import make_server

from app.errors import SettingsError
from app.sandbox import vendors
from app.sandbox.handler import KeepAliveHandler
from app.sandbox.options import Options
from app.sandbox.web import create_sandbox


def serve(
    host: str,
    port: int,
    home: Path | None,
    clinic: str | None = None,
    *,
    options: Options | None = None,
    ready_file: Path | None = None,
    watch_stdin: bool = False,
) -> None:
    """Run the simulators until SIGTERM, SIGINT or (with `watch_stdin`) the end of standard input.

    port: 0 takes a free one. home: where the journal of edits lives; None keeps it in memory. `clinic` stands in
    for `options.clinic`. `ready_file` gets `{port, pid, gentu_base_url, control_url, vendors}`, the last with
    a base_url, environment and credentials for each kind, once connections are accepted, and is removed at the end.
    Raises SettingsError before anything is opened.
    """
    _refuse_production(os.environ.get("RUNSHEET_ENV"))
    _refuse_the_world(host)
    chosen = options or Options()
    if clinic is not None:
        chosen = replace(chosen, clinic=clinic)
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)
    application = create_sandbox(chosen, home)
    server = make_server(host, port, application, threaded=True, request_handler=KeepAliveHandler)
    ended = threading.Event()
    _end_on_signals(ended)
    if watch_stdin:
        threading.Thread(target=_wait_for_eof, args=(ended,), daemon=True).start()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        if ready_file is not None:
            _announce(ready_file, host, server.port)
        ended.wait()
    finally:
        server.shutdown()
        server.server_close()
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


def _refuse_production(environment: str | None) -> None:
    # The one reading of the environment outside app.config: the simulator shares nothing else with the house.
    if environment == "production":
        raise SettingsError("The simulator never runs with RUNSHEET_ENV=production.")


def _refuse_the_world(host: str) -> None:
    with suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    raise SettingsError(f"The simulator serves this machine only; “{host}” is not a loopback address.")


def _end_on_signals(ended: threading.Event) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())


def _wait_for_eof(ended: threading.Event) -> None:
    """The pipe's other end is held by whoever started us: however that process dies, this ends."""
    # The descriptor itself, not sys.stdin: a buffered reader held by this thread would abort the interpreter's end.
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    ended.set()


def _announce(path: Path, host: str, port: int) -> None:
    """Written whole under another name first: a reader sees all of it or nothing."""
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    ready = {
        "port": port,
        "pid": os.getpid(),
        "gentu_base_url": f"{address}/gentu/v1",
        "control_url": f"{address}/control/",
        "vendors": {
            kind: {
                "base_url": f"{address}{vendors.base(kind)}",
                "environment": vendors.environment(kind, address),
                "credentials": vendors.credentials(kind),
            }
            for kind in vendors.VENDORS
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(ready))
    draft.replace(path)
