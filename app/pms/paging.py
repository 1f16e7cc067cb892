"""Following cursors to the end: round in a circle and without end are both noticed (F36, F37, F39)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from app.pms.errors import PmsMalformed

#: Pages of one chain. Five hundred full pages of one practitioner's week are no appointment book any more.
PAGE_BUDGET = 500

Fetched = TypeVar("Fetched")


def chain(
    fetch: Callable[[str | None], tuple[Fetched, str | None]], start: str | None = None, budget: int = PAGE_BUDGET
) -> Iterator[Fetched]:
    """What `fetch` gives for each cursor, until it names no next one. An empty page in the middle does not end it.

    fetch: a cursor (None: the beginning) to what was fetched and the next cursor.
    Raises PmsMalformed: cursor_loop at the first cursor met twice, page_budget after `budget` pages.
    """
    seen = {start}
    cursor = start
    for _ in range(budget):
        fetched, cursor = fetch(cursor)
        yield fetched
        if cursor is None:
            return
        if cursor in seen:
            raise PmsMalformed("the pages lead back to one already read", reason="cursor_loop")
        seen.add(cursor)
    raise PmsMalformed(f"more than {budget} pages", reason="page_budget")
