"""A sweep of six pages, and the ways to end it at one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.store.models.sync import RunState
from app.sync.context import Progress
from app.sync.run import SyncResult
from tests.fakes.house import House

MINUTE = timedelta(minutes=1)


class Cut:
    """Counts the steps of a sweep once they are committed (pages, and the end of each chain); at the n-th, `then`."""

    def __init__(self, steps: int, then: Callable[[], None] = lambda: None) -> None:
        self.steps, self.then = steps, then
        if steps == 0:
            then()

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "inbound":
            self.steps -= 1
            if self.steps == 0:
                self.then()

    @property
    def reached(self) -> bool:
        return self.steps <= 0


def cut_off(house: House, steps: int, **more: Any) -> SyncResult:
    """A run whose time is up at that step."""
    cut = Cut(steps)
    late = lambda progress: (cut(progress), house.clock.forward(120) if cut.reached else None)  # noqa: E731
    return house.sync(runner={"timeout": MINUTE, "on_progress": late}, **more)


def six_pages(house: House) -> None:
    """Three of Dr Kim, three of Dr Lee, read one after the other."""
    house.fetchers = 1
    house.pms.page_size = 2
    house.pms.books(*(f"k{n}" for n in range(6))).books(*(f"l{n}" for n in range(6)), with_="lee")


def chains_read(house: House, **more: Any) -> list[str]:
    house.pms.asked.clear()
    assert house.sync(**more).state is RunState.SUCCESS
    return [one.split("/")[0] + one[-2:] for one in house.pms.asked if "#" in one]
