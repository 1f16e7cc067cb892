"""What breaks on request: on which paths, from which request on and for how many."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec
from flask import Response
from msgspec import Struct

from app.errors import InvalidInput

Kind = Literal["status", "html", "garbage", "empty", "object", "redirect", "truncated", "hang_up"]
HTML = "<!doctype html><html><head><title>PracticeQ</title></head><body><h1>Page not found</h1></body></html>"


class Fault(Struct, kw_only=True):
    """One thing that is broken.

    `path` is a prefix below the base address. The first `skip` matching requests are spared; `next` is how many are
    hit after them (None: until it is cleared). `status` and `retry_after` are for kind status: 401, 403, 429, 5xx.
    """

    kind: Kind
    path: str = ""
    skip: int = 0
    next: int | None = None
    status: int = 503
    retry_after: str | int | None = None


class Faults:
    def __init__(self) -> None:
        self._on: list[Fault] = []
        self._lock = threading.Lock()

    def switch_on(self, wanted: dict[str, object]) -> Fault:
        """Raises InvalidInput with what is wrong with the order."""
        try:
            fault = msgspec.convert(wanted, Fault, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"This fault cannot be switched on: {error}") from error
        if unknown := set(wanted) - set(Fault.__struct_fields__):
            raise InvalidInput(f"A fault has no {', '.join(sorted(unknown))}.")
        with self._lock:
            self._on.append(fault)
        return fault

    def clear(self) -> int:
        with self._lock:
            gone = len(self._on)
            self._on = []
        return gone

    def take(self, path: str) -> Fault | None:
        """The first fault that hits this request, counted down."""
        with self._lock:
            for fault in self._on:
                if not path.startswith(fault.path):
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


def answer_of(fault: Fault) -> Response | None:  # noqa: PLR0911 - one answer a kind
    """What is said instead of the answer; None where the answer itself is spoilt on its way out."""
    match fault.kind:
        case "status":
            response = message(f"Status {fault.status}.", fault.status)
            if fault.retry_after is not None:
                response.headers["Retry-After"] = str(fault.retry_after)
            return response
        case "html":
            return Response(HTML, content_type="text/html; charset=utf-8")
        case "garbage":
            return Response(b'[{"Id": "half a rec\xff', content_type="application/json")
        case "empty":
            return Response(b"", content_type="application/json")
        case "object":
            return message("An object where a list should be.", 200)
        case "redirect":
            return Response("", 302, {"Location": "https://elsewhere.example/"})
        case _:
            return None


def message(text: str, status: int) -> Response:
    """The vendor documents no shape of its errors; this one is assumed."""
    return Response(msgspec.json.encode({"Message": text}), status, content_type="application/json")
