"""What a run tells: its progress, its result, its mark on the connection."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app import clock
from app.pms.errors import PmsAuthFailed
from app.store import connections, history, sweeps
from app.store.models import SyncRun
from app.store.models.sync import RunState
from app.sync.context import Progress
from app.sync.run import SyncResult
from tests.fakes.house import House
from tests.fakes.pms import NOW, FakeAdapter
from tests.sync.steps import six_pages

R = RunState


# --- what it tells ----------------------------------------------------------------------------------------------------


def test_progress_is_told_after_each_page_and_kept_for_whoever_looks(house: House) -> None:
    six_pages(house)
    told: list[Progress] = []
    house.sync(runner={"on_progress": told.append})
    steps = [(step.phase, step.done, step.total) for step in told]
    assert steps == [
        ("catalogue", 1, 1),
        *[("inbound", 0, 2)] * 3,
        ("inbound", 1, 2),
        *[("inbound", 1, 2)] * 3,
        ("inbound", 2, 2),
    ]
    assert [step.as_json()["percent"] for step in told] == [100, 0, 0, 0, 50, 50, 50, 50, 100]
    assert Progress("x", 1, None).as_json() == {"phase": "x", "done": 1, "total": None, "percent": None}


def test_a_result_has_the_shape_other_programs_read(house: House) -> None:
    house.pms.books("a1").books("a2", type="in person")
    told = house.sync().as_json()
    assert set(told) == {"success", "status", "reason", "syncId", "connectionId", "phases", "durationMs"}
    assert (told["success"], told["status"], told["reason"]) == (True, "success", None)
    inbound = told["phases"]["inbound"]
    assert (inbound["fetched"], inbound["created"], inbound["skipped"]) == (2, 1, {"not_telehealth": 1})
    assert list(told["phases"]) == ["catalogue", "inbound"]


def test_only_the_phases_that_were_asked_for_run(house: House) -> None:
    house.pms.books("a1")
    result = house.sync(phases=("inbound",))
    assert [tally.phase for tally in result.tallies] == ["inbound"]
    assert "practitioners" not in house.pms.asked
    assert house.shown() == {"a1"}
    result = house.sync(phases=("catalogue",))
    assert [tally.phase for tally in result.tallies] == ["catalogue"]


def test_a_run_shut_out_in_the_middle_is_partial_and_needs_somebody(house: House) -> None:
    six_pages(house)
    house.pms.fails(PmsAuthFailed("401"), practitioner="lee", after_pages=1)
    result = house.sync()
    assert (result.state, result.reason) == (R.PARTIAL, "auth_failed")
    assert len(house.rows()) == 8
    assert (house.connection().state, house.connection().state_reason) == ("needs_attention", "auth_failed")
    house.sync()
    assert house.connection().state == "needs_attention", "reading a part again proves nothing"
    house.pms.heals()
    house.sync()
    assert house.connection().state == "active"


def test_the_practices_pause_is_kept_by_a_run_that_was_under_way(house: House) -> None:
    house.pms.books("a1")

    def pause(*_: object) -> None:
        with house.store.write() as session:
            connections.pause(session, connections.get(session, house.connection_id), clock.now())

    house.pms.before_page = pause  # type: ignore[assignment]
    house.pms.fails(PmsAuthFailed("401"), practitioner="kim", after_pages=1)
    house.wants("lee", False)
    house.sync()
    assert house.connection().state == "paused"


def test_a_result_told_again_is_the_same(house: House) -> None:
    from app.sync.engine import told_again  # noqa: PLC0415

    house.pms.books("a1").books("a2", type="in person").garbles("bad")
    result = house.sync()
    with house.store.read() as session:
        again: SyncResult = told_again(
            session.get_one(SyncRun, result.run_id), history.phases_of(session, result.run_id)
        )
    assert again.as_json() == result.as_json() | {"joined": True}


def test_a_sweep_is_as_old_as_its_first_request(house: House) -> None:
    """Whatever the vendor changed while we read is not claimed to be known."""
    six_pages(house)
    began: dict[str, datetime] = {}

    def slow(partition: Any, number: int) -> None:
        if number == 0:
            began[partition.practitioner_id] = house.clock.at
        house.clock.forward(7)

    house.pms.before_page = slow  # type: ignore[assignment]
    house.sync()
    assert {who: one.completed_at for who, one in house.sweeps().items()} == began
    with house.store.read() as session:
        assert sweeps.latest(session, [house.connection_id])[house.connection_id] == max(began.values())
    assert began["kim"] >= NOW
    assert FakeAdapter.kind == "fake"
