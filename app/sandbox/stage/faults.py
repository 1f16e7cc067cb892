"""What breaks on request: on which paths, from which request on and for how many."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec
from flask import Response
from msgspec import Struct

from app.errors import InvalidInput

#: status: an answer with that status in the vendor's words. expire: the log-in this request bears ends first.
#: The next are 200s that are no answer; the last three spoil the true answer on its way out.
FaultKind = Literal[
    "status", "redirect", "expire", "html", "garbage", "empty", "object", "slow", "truncated", "cut_body", "hang_up"
]
HTML = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    """One thing that is broken.

    `path` is a prefix below the base address; `method` any where empty. The first `skip` matching requests are spared;
    `next` is how many are hit after them (None: until it is cleared).
    """

    kind: FaultKind
    path: str = ""
    method: str = ""
    skip: int = 0
    next: int | None = None
    status: int = 503
    retry_after: str | int | None = None
    ms: int = 500  # slow


class Faults:
    """The faults that are on. A request takes the first that hits it, once, when it arrives."""

    def __init__(self) -> None:
        self._on: list[Fault] = []
        self._lock = threading.Lock()

    def switch_on(self, wanted: dict[str, object]) -> Fault:
        """Raises InvalidInput with what is wrong with the order."""
        try:
            fault = msgspec.convert(wanted, Fault, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"This fault cannot be switched on: {error}") from error
        with self._lock:
            self._on.append(fault)
        return fault

    def clear(self) -> int:
        with self._lock:
            gone = len(self._on)
            self._on = []
        return gone

    def on(self) -> list[Fault]:
        with self._lock:
            return list(self._on)

    def take(self, path: str, method: str) -> Fault | None:
        """The fault that hits this request, counted down."""
        with self._lock:
            for fault in self._on:
                if not path.startswith(fault.path) or fault.method not in ("", method):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.next is not None:
                    fault.next -= 1
                    if fault.next <= 0:
                        self._on.remove(fault)
                return fault
        return None


def no_answer(kind: FaultKind, content_type: str) -> Response | None:
    """A 200 (or a redirect) that is not what was asked for; None for the other kinds."""
    match kind:
        case "redirect":
            return Response("", 302, {"Location": "https://elsewhere.example/"})
        case "html":
            return Response(HTML, content_type="text/html; charset=utf-8")
        case "garbage":
            return Response(b'{"half": "a rec\xff', content_type=content_type)
        case "empty":
            return Response(b"", content_type=content_type)
        case "object":
            return Response(b'{"something": "else"}', content_type=content_type)
        case _:
            return None
