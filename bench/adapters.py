"""What decoding and mapping cost, adapter by adapter: a sweep over answers that were recorded at the simulator, beside
a bare JSON decode of the same answers. Nothing is sent while it is timed.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from app.pms.registry import ADAPTERS, adapter_class
from app.pms.transport import Reply, Transport
from bench.progress import say
from tests.contract.every import CASES
from tests.contract.meeting import MONDAY, NOON, Meeting, at, clinic_of
from tests.sandbox.process import RunningSandbox, running_sandbox

#: (method, address, body) -> what came back.
Recorded = dict[tuple[str, str, bytes | None], Reply]


def compare(count: int, rounds: int) -> dict[str, float]:
    """By label: rows a second, as a share of the bare decode's."""
    found = {}
    with running_sandbox("empty", paired=True) as sandbox:
        for kind in sorted(ADAPTERS):
            if CASES[kind].list_path is not None:
                say(f"adapters: {kind}")
                found[adapter_class(kind).label] = _of(kind, sandbox, count, rounds)
    return found


def _of(kind: str, sandbox: RunningSandbox, count: int, rounds: int) -> float:
    case = CASES[kind]
    clinic = clinic_of(case, sandbox).fresh(NOON)
    meeting = Meeting(case, clinic, getattr(clinic, "tenant", None))
    meeting.practice = meeting.practice or meeting.open().identity().external_id
    clinic.books(at("00:30"), count=count)
    recorded: Recorded = {}
    staff = meeting.staff

    def sweep() -> int:
        adapter = meeting.open()
        parts = adapter.partitions(MONDAY, staff)
        return sum(len(page.appointments) for part in parts for page in adapter.appointments(part))

    with _answers(_recording(recorded)):
        rows = sweep()
    assert rows >= count, f"{rows} of {count}"
    bodies = [reply.body for reply in recorded.values()]
    ours, bare = [], []
    with _answers(_replaying(recorded)):
        for _ in range(rounds):
            bare.append(_timed(lambda: [msgspec.json.decode(body) for body in bodies if body]))
            ours.append(_timed(sweep))
    meeting.close()
    return statistics.median(bare) / statistics.median(ours)


@contextmanager
def _answers(exchange: Callable[..., Reply]) -> Iterator[None]:
    """The house's transport asks this instead of the network."""
    kept = Transport.exchange
    Transport.exchange = exchange  # type: ignore[method-assign]
    try:
        yield
    finally:
        Transport.exchange = kept  # type: ignore[method-assign]


def _recording(recorded: Recorded) -> Callable[..., Reply]:
    ask = Transport.exchange

    def exchange(transport: Transport, method: str, url: str, **more: Any) -> Reply:
        reply = ask(transport, method, url, **more)
        recorded[method, url, more.get("body")] = reply
        return reply

    return exchange


def _replaying(recorded: Recorded) -> Callable[..., Reply]:
    return lambda _, method, url, **more: recorded[method, url, more.get("body")]


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began
