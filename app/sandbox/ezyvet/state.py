"""All that the simulated ezyVet holds while it runs, and how a view gets at it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import msgspec
from flask import current_app
from msgspec import Struct

from app.errors import InvalidInput
from app.sandbox.ezyvet.faults import FaultBoard
from app.sandbox.ezyvet.limiter import Limiter
from app.sandbox.ezyvet.tokens import Tokens
from app.sandbox.ezyvet.world import World

_EXTENSION = "runsheet.sandbox.ezyvet"


class Knobs(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the vendor behaves while nothing is broken. Set through the control calls, gone at a restart."""

    token_ttl_s: float = 43_200
    #: How `expires_in` is told: seconds from now, an instant (as the vendor's own example), or as text.
    expires_in: str = "seconds"
    #: A new token ends the one before.
    one_token: bool = False
    per_endpoint: int = 60
    overall: int = 180
    retry_after: bool = False
    #: The reset header is an instant instead of seconds.
    reset_is_instant: bool = False
    #: Scopes the site grants whatever is asked for; None: all.
    granted: list[str] | None = None
    unwrapped: bool = False


class Entry(NamedTuple):
    """One request as it came in; `query` is still percent-encoded."""

    method: str
    route: str
    query: str
    status: int


@dataclass(slots=True)
class Ezyvet:
    world: World
    knobs: Knobs = field(default_factory=Knobs)
    faults: FaultBoard = field(default_factory=FaultBoard)
    tokens: Tokens = field(default_factory=Tokens)
    limiter: Limiter = field(default_factory=Limiter)
    log: deque[Entry] = field(default_factory=lambda: deque(maxlen=20_000))

    def turn(self, changes: dict[str, object]) -> Knobs:
        """Set some knobs. Raises InvalidInput; nothing is set then."""
        try:
            self.knobs = msgspec.convert({**msgspec.to_builtins(self.knobs), **changes}, Knobs, strict=False)
        except msgspec.ValidationError as wrong:
            raise InvalidInput(str(wrong)) from wrong
        return self.knobs

    def reset(self) -> None:
        """As just started, its journal empty. Tokens stay good."""
        self.world.reset()
        self.knobs = Knobs()
        self.faults.clear()
        self.limiter.forget()
        self.log.clear()


def install(extensions: dict[str, object], made: Ezyvet) -> None:
    extensions[_EXTENSION] = made


def current() -> Ezyvet:
    """The simulator this request is for."""
    return cast(Ezyvet, current_app.extensions[_EXTENSION])
