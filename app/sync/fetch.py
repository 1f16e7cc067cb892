"""Many chains of pages at once, inside the vendor's limit, handed over one page at a time.

Threads fetch and map; the one consumer decides and writes. The queue between them is short, so memory does not grow
with the window: a fetcher that is ahead waits.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app import clock
from app.pms.errors import (
    PmsAuthFailed,
    PmsError,
    PmsGivenUp,
    PmsNotConfigured,
    PmsNotProvisioned,
    PmsRateLimited,
    PmsSecretsUnreadable,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.port import Page, Partition, PmsAdapter

#: Errors that every other chain would meet as well: the rest is not worth asking for.
HOPELESS = (
    PmsAuthFailed,
    PmsNotProvisioned,
    PmsNotConfigured,
    PmsSecretsUnreadable,
    PmsUntrusted,
    PmsRateLimited,
    PmsGivenUp,
)
#: Chains that may fail for want of an answer, with none that succeeded since, before the rest is left alone.
UNANSWERED = 2
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page of a chain whose first request went out at `began`; earlier where what was read is older than that."""

    partition: Partition
    page: Page
    began: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """The chain came to its end: everything it holds was handed over."""

    partition: Partition
    began: datetime


@dataclass(frozen=True, slots=True)
class Broken:
    """The chain failed; pages before the failure were handed over."""

    partition: Partition
    error: PmsError


@dataclass(frozen=True, slots=True)
class Crashed:
    """A fetcher met an error that is not the vendor's: a mistake of ours."""

    error: BaseException


Event = Fetched | Finished | Broken


class Fetcher:
    """Fetches partitions with a few threads. Use as a context manager: leaving it stops and joins the threads."""

    def __init__(
        self, adapter: PmsAdapter, partitions: Sequence[Partition], cursors: Mapping[str, str], threads: int
    ) -> None:
        self._adapter = adapter
        self._cursors = cursors
        self._todo: queue.SimpleQueue[Partition] = queue.SimpleQueue()
        for partition in partitions:
            self._todo.put(partition)
        self._left = len(partitions)
        count = max(1, min(threads, len(partitions)))
        self._events: queue.Queue[Event | Crashed] = queue.Queue(maxsize=count * 2)
        self._stop = threading.Event()
        self._given_up = threading.Event()
        self._unanswered = 0
        self._threads = [
            # Each in a copy of our context: its log lines then bear the run's id as ours do.
            threading.Thread(
                target=contextvars.copy_context().run, args=(self._work,), name=f"fetch-{number}", daemon=True
            )
            for number in range(count)
        ]

    def __enter__(self) -> Fetcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        while self._working:
            self._drain()
            for thread in self._threads:
                thread.join(timeout=_WAIT_S / len(self._threads))

    @property
    def _working(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def events(self, while_waiting: Callable[[], None]) -> Iterator[Event]:
        """Pages, ends and failures as they come, until every chain has ended, or the rest is not worth asking for and
        those that were under way have ended.

        while_waiting: called while nothing has come for a moment; may raise to end everything.
        """
        while self._left:
            try:
                event = self._events.get(timeout=_WAIT_S)
            except queue.Empty:
                while_waiting()
                if not self._working and self._events.empty():
                    return
                continue
            if isinstance(event, Crashed):
                raise event.error
            yield event
            self._left -= not isinstance(event, Fetched)

    def _work(self) -> None:
        while not self._stop.is_set() and not self._given_up.is_set():
            try:
                partition = self._todo.get_nowait()
            except queue.Empty:
                return
            try:
                began = clock.now()
                for page in self._adapter.appointments(partition, self._cursors.get(partition.key)):
                    if page.as_of is not None:  # the truth is as old as what told it, whenever we read that
                        began = min(began, page.as_of)
                    if not self._hand_over(Fetched(partition, page, began)):
                        return
                self._unanswered = 0
                self._hand_over(Finished(partition, began))
            except PmsError as error:
                self._weigh(error)
                self._hand_over(Broken(partition, error))
            except BaseException as error:  # noqa: BLE001 - the consumer raises it again, in its own thread
                self._hand_over(Crashed(error))
                return

    def _weigh(self, error: PmsError) -> None:
        """Whether to begin further chains. Of two that fail at once one may go uncounted: then one more is begun."""
        if isinstance(error, PmsUnavailable):
            self._unanswered += 1
        if isinstance(error, HOPELESS) or self._unanswered >= UNANSWERED:
            self._given_up.set()

    def _hand_over(self, event: Event | Crashed) -> bool:
        while not self._stop.is_set():
            try:
                self._events.put(event, timeout=_WAIT_S)
            except queue.Full:
                continue
            return True
        return False

    def _drain(self) -> None:
        while True:
            try:
                self._events.get_nowait()
            except queue.Empty:
                return
