"""Cursors: each names a place in one query's rows, and is good for that query and for one continuation of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

#: Behind which row a page begins: (start, id) of the last one seen; None is the beginning.
Position = tuple[datetime, str] | None
#: Everything that makes a query what it is, the cursor left out.
Query = tuple[object, ...]

_KEPT = 20_000


@dataclass(slots=True)
class _Cursor:
    query: Query
    position: Position
    used: int = 0
    endless: bool = False


class Cursors:
    def __init__(self) -> None:
        self._issued: OrderedDict[str, _Cursor] = OrderedDict()
        self._rings: dict[Query, list[str]] = {}
        self._lock = threading.Lock()

    def issue(self, query: Query, position: Position) -> str:
        with self._lock:
            return self._issue(_Cursor(query, position))

    def redeem(self, text: str, query: Query, uses: int) -> Position:
        """Where the page begins. Raises KeyError for a cursor that is unknown, used up, or another query's.

        uses: how often one cursor is honoured; 0 is always.
        """
        with self._lock:
            cursor = self._issued[text]
            if cursor.query != query or (uses and cursor.used >= uses and not cursor.endless):
                raise KeyError(text)
            cursor.used += 1
            return cursor.position

    def in_a_ring(self, query: Query, position: Position, length: int, after: str | None) -> str:
        """The next cursor of a query that goes round `length` cursors for ever (the fault `cursor_loop`)."""
        with self._lock:
            ring = self._rings.setdefault(query, [])
            if len(ring) < max(1, length):
                ring.append(self._issue(_Cursor(query, position, endless=True)))
                return ring[-1]
            place = ring.index(after) + 1 if after in ring else 0
            return ring[place % len(ring)]

    def forget(self) -> None:
        """Every cursor that is out is refused from now on."""
        with self._lock:
            self._issued.clear()
            self._rings.clear()

    def _issue(self, cursor: _Cursor) -> str:
        text = str(uuid4())
        self._issued[text] = cursor
        while len(self._issued) > _KEPT:
            self._issued.popitem(last=False)
        return text
