"""One page of a query's rows, and the faults that pages have."""

from __future__ import annotations

from typing import NamedTuple

from app.sandbox.clinic.model import Visit
from app.sandbox.faults import Fault
from app.sandbox.gentu.cursors import Cursors, Position, Query


class Page(NamedTuple):
    visits: list[Visit]
    next: str | None


def page_after(
    position: Position,
    rows: list[Visit],
    limit: int,
    query: Query,
    used: str | None,
    cursors: Cursors,
    faults: list[Fault],
) -> Page:
    """The rows behind `position`, at most `limit`, and the cursor to go on with.

    rows: all rows of the query, in order. used: the cursor this page was asked with.
    """
    left = rows if position is None else [row for row in rows if (row.starts_at, row.id) > position]
    shown = left[:limit]
    follows = len(left) > limit
    for fault in faults:
        match fault.kind:
            case "empty_list":
                return Page([], None)
            case "empty_page":
                return Page([], cursors.issue(query, position))
            case "same_page":
                return Page(shown, cursors.issue(query, position))
            case "short_page" | "cut_page" if len(shown) > 1:
                shown = shown[: len(shown) // 2]
                follows = fault.kind == "short_page"
            case "cursor_loop":
                return Page(shown, cursors.in_a_ring(query, _behind(shown, position), fault.length, used))
            case _:
                pass
    return Page(shown, cursors.issue(query, _behind(shown, position)) if follows else None)


def _behind(shown: list[Visit], position: Position) -> Position:
    return (shown[-1].starts_at, shown[-1].id) if shown else position
