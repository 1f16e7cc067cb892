"""All that one simulator holds while it runs, and how a view gets at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast

import msgspec
from flask import current_app
from msgspec import Struct

from app.errors import InvalidInput
from app.sandbox.faults import FaultBoard
from app.sandbox.gentu.attachments import Attachments, Outcome
from app.sandbox.gentu.cursors import Cursors
from app.sandbox.gentu.limiter import Limiter
from app.sandbox.gentu.tokens import Tokens
from app.sandbox.options import Options
from app.sandbox.traffic import Traffic
from app.sandbox.world import World

_EXTENSION = "runsheet.sandbox"


class Knobs(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the vendor behaves while nothing is broken. Set through the control API, gone at a restart."""

    token_ttl_s: float = 3599
    rate_limit_per_minute: int | None = None
    rate_limit_retry_after: bool = True
    #: Where the gateway puts `errorcode`: under `fault.detail`, or directly under `fault`. Both were seen.
    fault_shape: Literal["nested", "flat"] = "nested"
    #: How often one cursor is honoured; 0: always.
    cursor_uses: int = 1
    attachment_step_s: float = 2.0
    attachment_outcome: Outcome = "completed"


@dataclass(slots=True)
class Sandbox:
    options: Options
    world: World
    knobs: Knobs = field(init=False)
    traffic: Traffic = field(default_factory=Traffic)
    faults: FaultBoard = field(default_factory=FaultBoard)
    tokens: Tokens = field(default_factory=Tokens)
    cursors: Cursors = field(default_factory=Cursors)
    limiter: Limiter = field(default_factory=Limiter)
    attachments: Attachments = field(default_factory=Attachments)

    def __post_init__(self) -> None:
        self.default_knobs()

    def default_knobs(self) -> None:
        self.knobs = Knobs(
            token_ttl_s=self.options.token_ttl_s, rate_limit_per_minute=self.options.rate_limit_per_minute
        )

    def turn(self, changes: dict[str, object]) -> Knobs:
        """Set some knobs. Raises InvalidInput; nothing is set then."""
        try:
            self.knobs = msgspec.convert({**msgspec.to_builtins(self.knobs), **changes}, Knobs, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(str(error)) from error
        return self.knobs

    def reset(self) -> None:
        """As just started, and with an empty journal. Tokens stay good, so that a client need not log in again."""
        self.world.reset()
        self.default_knobs()
        self.faults.clear()
        self.cursors.forget()
        self.limiter.forget()
        self.attachments.forget()
        self.traffic.reset()


def install(app_extensions: dict[str, object], sandbox: Sandbox) -> None:
    app_extensions[_EXTENSION] = sandbox


def current() -> Sandbox:
    """The simulator this request is for."""
    return cast(Sandbox, current_app.extensions[_EXTENSION])
