"""One simulated vendor while it runs, and what stands before every one of its routes.

In this order: the log, the faults, wrong addresses, the vendor's own door, its limits. A vendor gives the words it
refuses with and the door; the rest is alike for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import msgspec
from flask import Flask, Response, current_app, g, request
from msgspec import Struct
from werkzeug.exceptions import MethodNotAllowed

from app import clock
from app.errors import InvalidInput
from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.handler import WIRE, Wire
from app.sandbox.options import Options
from app.sandbox.stage.book import Book
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.faults import Fault, Faults, no_answer
from app.sandbox.stage.journal import Journal
from app.sandbox.stage.limiter import Limiter
from app.sandbox.stage.tokens import Tokens

_EXTENSION = "runsheet.sandbox.stage"
_LONGEST_WAIT_S = 120.0


class Knobs(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the vendor behaves while nothing is broken; a vendor adds its own. Set by an order, gone at a restart."""

    #: (allowed, seconds) of each stretch that is counted.
    limits: tuple[tuple[int, float], ...] = ()
    #: Whether a 429 says how long.
    retry_after: bool = True
    token_ttl_s: float = 3600


class Entry(NamedTuple):
    """One request as it came in. `at` is in seconds since 1970; `query` as sent. Status 0: closed without an answer."""

    at: float
    method: str
    path: str
    query: str
    status: int


@dataclass(slots=True)
class Stage:
    """kind: the adapter's. base: the path its addresses begin with. refusal: (status, text) in the vendor's words.

    door: whether this request is let in; None, or the vendor's refusal. open_paths: below the base, where neither the
    door nor the limits stand, for example where tokens are made.
    """

    kind: str
    base: str
    book: Book
    knobs: Knobs
    refusal: Callable[[int, str], Response]
    door: Callable[[], Response | None]
    open_paths: frozenset[str] = frozenset()
    content_type: str = "application/json"
    limiter: Limiter = field(default_factory=Limiter)
    tokens: Tokens = field(default_factory=Tokens)
    faults: Faults = field(default_factory=Faults)
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=5000))
    _as_opened: Knobs = field(init=False)

    def __post_init__(self) -> None:
        self._as_opened = self.knobs

    def turn(self, changes: dict[str, object]) -> Knobs:
        """Set some knobs. Raises InvalidInput; nothing is set then."""
        try:
            self.knobs = msgspec.convert({**msgspec.to_builtins(self.knobs), **changes}, type(self.knobs), strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(str(error)) from error
        return self.knobs

    def reset(self) -> None:
        """As just started, and with an empty journal."""
        self.book.reset()
        self.knobs = self._as_opened
        self.limiter.forget()
        self.tokens.end_all()
        self.faults.clear()
        self.log.clear()


def open_book(setup: Setup, options: Options, clinic_clock: ClinicClock, home: Path | None) -> Book:
    """That vendor's clinic; only the demo's has a generated day. Raises SettingsError for a journal it cannot read."""
    journal = Journal(home / "sandbox" / f"{setup.vendor}.jsonl" if home else None)
    return Book(setup, options.seed if options.clinic == "demo" else None, clinic_clock, journal)


def put_on(app: Flask, stage: Stage) -> None:
    """Hang the vendor on the simulators' application and stand before its routes. Its blueprints are its own affair."""
    stages(app)[stage.kind] = stage

    def before() -> Response | None:
        return _before(stage) if request.path.startswith(f"{stage.base}/") else None

    def after(response: Response) -> Response:
        return _after(stage, response) if request.path.startswith(f"{stage.base}/") else response

    app.before_request(before)
    app.after_request(after)


def stages(app: Flask) -> dict[str, Stage]:
    """Every vendor on this application, by kind."""
    return cast(dict[str, Stage], app.extensions.setdefault(_EXTENSION, {}))


def current(kind: str) -> Stage:
    return cast(dict[str, Stage], current_app.extensions[_EXTENSION])[kind]


def _before(stage: Stage) -> Response | None:
    path = request.path.removeprefix(stage.base)
    g.stage_at = clock.now().timestamp()
    g.stage_fault = stage.faults.take(path, request.method)
    if g.stage_fault is not None and (spoilt := _early(stage, g.stage_fault)) is not None:
        return spoilt
    if request.url_rule is None:
        known = isinstance(request.routing_exception, MethodNotAllowed)
        return stage.refusal(405, "Method not allowed") if known else stage.refusal(404, "Not found")
    if path in stage.open_paths:
        return None
    return stage.door() or _too_many(stage)


def _early(stage: Stage, fault: Fault) -> Response | None:
    if fault.kind == "slow":
        clock.sleep(min(_LONGEST_WAIT_S, fault.ms / 1000))
    elif fault.kind == "expire":
        stage.tokens.end_all()
    elif fault.kind == "status":
        response = stage.refusal(fault.status, f"Status {fault.status}.")
        if fault.retry_after is not None:
            response.headers["Retry-After"] = str(fault.retry_after)
        return response
    return no_answer(fault.kind, stage.content_type)


def _too_many(stage: Stage) -> Response | None:
    wait_s = stage.limiter.wait_s(stage.knobs.limits)
    if not wait_s:
        return None
    response = stage.refusal(429, "Too many requests.")
    if stage.knobs.retry_after:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _after(stage: Stage, response: Response) -> Response:
    if "stage_at" not in g:
        return response
    found = request.environ.get(WIRE)
    wire = found if isinstance(found, Wire) else Wire()
    kind = g.stage_fault.kind if g.stage_fault is not None else ""
    if kind == "truncated":  # cut JSON in a complete answer
        response.set_data(response.get_data()[: max(1, len(response.get_data()) // 2)])
    elif kind == "cut_body":  # a body shorter than its header says
        wire.cut_at = 0.5
    elif kind == "hang_up":
        wire.hang_up = True
    status = 0 if kind == "hang_up" else response.status_code
    query = request.query_string.decode("latin-1")
    stage.log.append(Entry(g.stage_at, request.method, request.path.removeprefix(stage.base), query, status))
    return response
