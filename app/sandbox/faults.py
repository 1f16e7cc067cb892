"""Faults on request: what breaks, on which paths, from which request on and for how many."""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from app.errors import InvalidInput

#: Said by the gateway, before the application has seen the request.
EarlyKind = Literal[
    "outage", "error", "slow", "rate_limited", "redirect", "html", "envelope", "empty_body", "refuse_credentials"
]
#: Needs a good token first.
LateKind = Literal["unprovisioned"]
#: Happens to the answer on its way out.
BodyKind = Literal["truncated", "cut_body", "drip"]
#: Happens to a page of appointments.
PageKind = Literal["empty_list", "empty_page", "short_page", "cut_page", "same_page", "cursor_loop", "poison"]
FaultKind = Literal[EarlyKind, LateKind, BodyKind, PageKind]

PAGE_KINDS = frozenset(get_args(PageKind))
LIST_PATH = "/tenants/*/appointments"
_HOME = {"refuse_credentials": "/oauth2/token", "unprovisioned": "/tenants"} | dict.fromkeys(PAGE_KINDS, LIST_PATH)


class Fault(Struct, kw_only=True):
    """One thing that is broken.

    `path` is a prefix of the path below the base address, or a pattern where it holds a `*`; empty means wherever
    that kind can happen. `query` must be part of the decoded query. The first `skip` matching requests are spared;
    `next` is how many are hit after them (None: until it is cleared).
    """

    kind: FaultKind
    path: str = ""
    query: str = ""
    skip: int = 0
    next: int | None = None
    #: outage: hang up without a word, or answer 503.
    mode: Literal["close", "503"] = "close"
    status: int = 503  # error
    message: str = "Internal error."  # error
    retry_after: str | int | None = None  # rate_limited, error, outage 503: sent as it stands
    ms: int = 500  # slow: before the answer; drip: between bytes
    to: str = "https://elsewhere.example/"  # redirect
    length: int = 1  # cursor_loop: how many cursors it goes round
    record: str = "no_start"  # poison: see `gentu/poison.py`
    index: int = 0  # poison: which row of the page
    id: int = 0

    def matches(self, path: str, query: str) -> bool:
        wanted = self.path or _HOME.get(self.kind, "")
        here = fnmatchcase(path, wanted) if "*" in wanted else path.startswith(wanted)
        return here and self.query in query and (self.kind not in PAGE_KINDS or fnmatchcase(path, LIST_PATH))


class FaultBoard:
    """The faults that are on. A request takes those that hit it, once, when it arrives."""

    def __init__(self) -> None:
        self._on: list[Fault] = []
        self._made = 0
        self._lock = threading.Lock()

    def switch_on(self, wanted: dict[str, object]) -> Fault:
        """Raises InvalidInput with what is wrong with the order."""
        try:
            fault = msgspec.convert({**wanted, "id": 0}, Fault, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"This fault cannot be switched on: {error}") from error
        if unknown := set(wanted) - set(Fault.__struct_fields__):
            raise InvalidInput(f"A fault has no {', '.join(sorted(unknown))}.")
        with self._lock:
            self._made += 1
            fault.id = self._made
            self._on.append(fault)
        return fault

    def clear(self, fault_id: int | None = None, kind: str | None = None) -> int:
        """Switch off one, a kind, or (neither given) all; returns how many."""
        with self._lock:
            kept = [f for f in self._on if (fault_id and f.id != fault_id) or (kind and f.kind != kind)]
            gone = len(self._on) - len(kept)
            self._on = kept
        return gone

    def on(self) -> list[Fault]:
        with self._lock:
            return list(self._on)

    def take(self, path: str, query: str) -> list[Fault]:
        """The faults that hit this request, counted down."""
        hit = []
        with self._lock:
            for fault in self._on:
                if not fault.matches(path, query):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                hit.append(fault)
                if fault.next is not None:
                    fault.next -= 1
            self._on = [fault for fault in self._on if fault.next is None or fault.next > 0]
        return hit
