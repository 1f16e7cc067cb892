"""P12: a PMS that is down is not hammered, and is swept again as soon as it answers."""

from __future__ import annotations

import pytest

from app.store.models.sync import RunState
from app.sync import run
from tests.fakes.house import shared_postgresql, shared_sqlite, store
from tests.features.surgery import DAY, Surgery, opened, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


@pytest.mark.promise("P12")
def test_after_five_failed_runs_one_small_question_goes_ahead_and_other_practices_are_untouched(
    surgery: Surgery,
) -> None:
    surgery.books(count=3)
    mine = surgery.sandbox.tenant_id
    other = opened(
        surgery.engine, surgery.sandbox, "Other Practice", surgery.sandbox.state(log=0)["tenants"][1]["tenantId"]
    )
    surgery.sandbox.break_("outage", mode="503", path=f"/tenants/{mine}*")
    for _ in range(run.PROBE_AFTER):
        result = surgery.sync(DAY)
        assert (result.state, result.reason) == (RunState.FAILED, "server_error")
    surgery.sandbox.control("traffic/reset")
    result = surgery.sync(DAY)
    assert (result.state, result.reason, result.tallies) == (RunState.FAILED, "server_error", ())
    asked = {one["path"].removeprefix("/gentu/v1") for one in surgery.sandbox.state(log=100)["log"]}
    assert asked == {f"/tenants/{mine}"}, "nothing but who they are"
    assert other.sync(DAY).state is RunState.SUCCESS
    surgery.sandbox.mend()
    assert surgery.sync(DAY).state is RunState.SUCCESS, "the question was answered, so the same run sweeps"
    surgery.stands_as_at_the_vendor()
    assert surgery.connection().failures == 0
