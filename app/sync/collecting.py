"""Python's search for cycles, made rarer while a sync runs.

A page makes thousands of objects that are gone with the page and form no cycles, and each of them counts towards the
next search through everything the process holds. What is there already is left out of it, and it comes less often.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: New objects before the young are searched, and rounds of these before older ones are (Python's own: 700, 10, 10).
SELDOM = (10_000, 20, 20)


@contextmanager
def seldom() -> Iterator[None]:
    """Until it is left; then all is as it was."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
