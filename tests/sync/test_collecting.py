"""While a sync runs Python looks for cycles less often; afterwards, however it ended, as before."""

from __future__ import annotations

import gc

import pytest

from app.store.models.sync import RunState
from app.sync.collecting import SELDOM
from app.sync.context import Progress
from tests.fakes.house import House


@pytest.mark.parametrize("fails", [False, True])
def test_the_search_for_cycles_is_rare_only_while_a_sync_runs(house: House, fails: bool) -> None:
    usual, during = gc.get_threshold(), set()

    def on_progress(_: Progress) -> None:
        during.add(gc.get_threshold())
        if fails:
            raise RuntimeError("a mistake of ours")

    house.pms.books("a1")
    result = house.sync(runner={"on_progress": on_progress})
    assert result.state is (RunState.FAILED if fails else RunState.SUCCESS)
    assert during == {SELDOM}
    assert (gc.get_threshold(), gc.get_freeze_count()) == (usual, 0)
