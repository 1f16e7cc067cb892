"""What breaks on request: which kind, on which path, from which request on and for how many."""

from __future__ import annotations

import threading
from typing import Literal

import msgspec
from msgspec import Struct

from app.errors import InvalidInput
from app.sandbox.ezyvet.cast import Record

EarlyKind = Literal[
    "outage", "error", "slow", "rate_limited", "redirect", "html", "envelope", "empty_body", "garbage",
    "refuse_credentials"
]  # fmt: skip
#: 401: the token is not taken. forbidden: its scope is not.
LateKind = Literal["unauthorised", "forbidden"]
BodyKind = Literal["truncated", "cut_body"]
ListKind = Literal["empty_list", "short_list", "same_page", "poison"]
LIST_KINDS = ("empty_list", "short_list", "same_page", "poison")
Poison = Literal["no_start", "bad_start", "no_id", "bad_animal", "not_an_object", "nan", "same_key_twice", "new_field"]


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    """`path`: below the base address ("/v1/history"), with what lies below it; empty: everywhere.

    `next`: how many requests are hit; None: all, until it is cleared.
    """

    kind: EarlyKind | LateKind | BodyKind | ListKind
    path: str = ""
    skip: int = 0
    next: int | None = None
    status: int = 503  # error
    ms: int = 500  # slow
    #: rate_limited: how the wait is told; all are left out where None.
    retry_after: str | int | None = None
    reset: str | int | None = None
    text: str = "Too many requests."
    record: Poison = "no_start"  # poison
    index: int = 0


class FaultBoard:
    """The faults that are on. A request takes those that hit it, once, when it arrives."""

    def __init__(self) -> None:
        self._on: list[Fault] = []
        self._lock = threading.Lock()

    def switch_on(self, wanted: dict[str, object]) -> Fault:
        """Raises InvalidInput."""
        try:
            fault = msgspec.convert(wanted, Fault, strict=False)
        except msgspec.ValidationError as wrong:
            raise InvalidInput(f"This fault cannot be switched on: {wrong}") from wrong
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

    def take(self, path: str) -> list[Fault]:
        hit = []
        with self._lock:
            for fault in self._on:
                if fault.path and path != fault.path and not path.startswith(f"{fault.path}/"):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                hit.append(fault)
                if fault.next is not None:
                    fault.next -= 1
            self._on = [fault for fault in self._on if fault.next is None or fault.next > 0]
        return hit


_NAN, _TWICE = "@nan@", "@twice@"
#: Put into the text after encoding: no JSON writer agrees to write these.
AFTERWARDS = {f'"{_NAN}"': "NaN", f'"{_TWICE}":1': '"start_at":1'}


def poisoned(record: Record, kind: Poison) -> object:
    """One record made bad."""
    without = {"no_start": "start_at", "no_id": "id"}.get(kind)
    if without:
        return {name: value for name, value in record.items() if name != without}
    if kind == "not_an_object":
        return "an appointment"
    more: Record = {
        "bad_start": {"start_at": "soon"},
        "bad_animal": {"date_of_birth": "long ago"},
        "nan": {"duration": _NAN},
        "same_key_twice": {_TWICE: 1},
        "new_field": {"something_new": {"nested": [1, 2]}},
    }[kind]  # type: ignore[assignment]
    return {**record, **more}
