"""A run whose lease is lost or whose database fails: nothing half is kept, nobody else’s work is touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app import clock
from app.pms.errors import PmsNotConfigured
from app.store import appointments, sync_runs
from app.store.models import SyncRun
from app.store.models.sync import RunState
from app.sync.lease import Lease
from app.sync.run import Opened, Runner
from tests.fakes.house import House
from tests.fakes.pms import TODAY
from tests.sync.steps import Cut, six_pages

R = RunState
WEEK = (TODAY, TODAY + timedelta(days=6))


# --- lost -------------------------------------------------------------------------------------------------------------


@pytest.mark.promise("P8")
@pytest.mark.parametrize("steps", [0, 1, 4, 6])
def test_a_run_whose_lease_is_lost_writes_nothing_more(house: House, steps: int) -> None:
    six_pages(house)
    claim = house.claim(house.request())
    assert claim is not None
    kept: list[int] = []

    def usurp() -> None:
        with house.store.write() as session:
            run = session.get_one(SyncRun, claim.run_id)
            assert sync_runs.abandon(session, run, clock.now()) is not None
        kept.append(len(house.rows()))

    result = house.runner(on_progress=Cut(steps, usurp)).execute(claim)
    assert (result.state, result.reason) == (R.ABANDONED, "fenced")
    assert [len(house.rows())] == kept
    assert house.run(claim.run_id).reason == "lost"
    (heir,) = [run for run in house.runs() if run.state == R.QUEUED]
    taken = house.claim(heir.id)
    assert taken is not None
    assert house.execute(taken).state is R.SUCCESS
    assert len(house.rows()) == 12
    house.account_adds_up()


@pytest.mark.promise("P8")
def test_a_lease_lost_in_the_middle_of_a_page_rolls_the_page_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are written, the transaction is not committed: whoever owns the run by then must not find them."""
    house.pms.books("a1", "a2")
    claim = house.claim(house.request())
    assert claim is not None
    real = appointments.write_page

    def lose(session: Any, *given: Any) -> Any:
        real(session, *given)
        raise sync_runs.LeaseLost("gone")

    monkeypatch.setattr(appointments, "write_page", lose)
    result = house.runner().execute(claim)
    assert (result.state, result.reason) == (R.ABANDONED, "fenced")
    assert house.rows() == {}
    assert house.events() == []


def test_a_lost_runs_diary_tells_how_far_it_came(house: House) -> None:
    six_pages(house)
    claim = house.claim(house.request())
    assert claim is not None

    class PowerCut(BaseException):
        pass

    def cut() -> None:
        raise PowerCut

    with pytest.raises(PowerCut):
        house.runner(on_progress=Cut(3, cut)).execute(claim)
    run = house.run(claim.run_id)
    assert (run.state, len(house.rows())) == (R.RUNNING, 6)
    assert (run.appointments_created, run.appointments_fetched) == (4, 4), "the pages before the last one"


def test_what_is_no_exception_passes_through_and_nothing_calls_it_a_bug(house: House) -> None:
    """A job's own time limit (F59); Ctrl-C."""

    class JobTimedOut(BaseException):
        pass

    house.pms.books("a1")
    claim = house.claim(house.request())
    assert claim is not None

    def strike() -> bool:
        if house.pms.pages_given:
            raise JobTimedOut
        return False

    with pytest.raises(JobTimedOut):
        house.runner(stop_asked=strike).execute(claim)
    assert house.pms.open_adapters == 0
    run = house.run(claim.run_id)
    assert (run.state, run.reason) == (R.RUNNING, None)
    house.clock.forward(sync_runs.LEASE.total_seconds() + 1)
    with house.store.write() as session:
        (silent,) = sync_runs.silent(session, clock.now())
        assert sync_runs.abandon(session, silent, clock.now()) is not None


def test_the_lease_is_kept_while_a_page_takes_its_time(house: House) -> None:
    claim = house.claim(house.request())
    assert claim is not None
    with Lease(house.store, claim, beat_s=0.01).kept() as lease:
        house.clock.forward(100)
        _until(lambda: house.run(claim.run_id).heartbeat_at == house.clock.at)
        assert not lease.lost
        with house.store.write() as session:
            sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())
        _until(lambda: lease.lost)


def test_a_database_that_is_away_for_a_moment_does_not_lose_the_lease(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = house.claim(house.request())
    assert claim is not None
    beaten: list[str] = []
    real = sync_runs.beat

    def flaky(*given: Any, **more: Any) -> None:
        beaten.append("x")
        if len(beaten) < 3:
            raise OperationalError("UPDATE", {}, Exception("away"))
        real(*given, **more)

    monkeypatch.setattr(sync_runs, "beat", flaky)
    with Lease(house.store, claim, beat_s=0.01).kept() as lease:
        _until(lambda: len(beaten) > 3)
        assert not lease.lost


def _until(true: Callable[[], bool]) -> None:
    from threading import Event  # noqa: PLC0415

    for _ in range(1000):
        if true():
            return
        Event().wait(0.005)
    raise AssertionError("it did not come true")


# --- the database -----------------------------------------------------------------------------------------------------


class Deadlock(Exception):
    sqlstate = "40P01"


@pytest.mark.fault("F48")
@pytest.mark.parametrize(("times", "state"), [(1, R.SUCCESS), (2, R.SUCCESS), (3, R.FAILED)])
def test_a_page_that_meets_a_deadlock_is_written_again_and_the_third_time_the_run_fails(
    house: House, monkeypatch: pytest.MonkeyPatch, times: int, state: RunState
) -> None:
    house.pms.books("a1", "a2", day=TODAY + timedelta(days=3))
    real, met = appointments.write_page, 0

    def unlucky(session: Any, source: Any, creates: Any, updates: Any) -> Any:
        nonlocal met
        written = real(session, source, creates, updates)
        if creates and met < times:
            met += 1
            raise OperationalError("INSERT", {}, Deadlock())
        return written

    monkeypatch.setattr(appointments, "write_page", unlucky)
    result = house.sync(*WEEK)
    assert result.state is state
    assert result.reason == (None if state is R.SUCCESS else "storage")
    assert result.tallies[-1].created == (2 if state is R.SUCCESS else 0)
    assert len(house.rows()) == (2 if state is R.SUCCESS else 0)
    assert house.sync(*WEEK).state is R.SUCCESS
    assert len(house.rows()) == 2
    house.account_adds_up(TODAY + timedelta(days=3))


def test_a_run_that_cannot_be_closed_is_left_to_the_sweeper(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = house.claim(house.request())
    assert claim is not None

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("UPDATE", {}, Exception("away"))

    monkeypatch.setattr(sync_runs, "finish", away)
    result = house.runner().execute(claim)
    assert (result.state, result.reason) == (R.FAILED, "storage")
    assert house.run(claim.run_id).state == R.RUNNING


def test_a_run_that_cannot_be_put_back_is_closed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    six_pages(house)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("UPDATE", {}, Exception("away"))

    monkeypatch.setattr(sync_runs, "put_back", away)
    claim = house.claim(house.request())
    assert claim is not None
    cut = Cut(2)
    result = house.execute(claim, on_progress=cut, stop_asked=lambda: cut.reached)
    assert (result.state, result.reason) == (R.PARTIAL, "stopped")
    assert house.run(claim.run_id).checkpoint is not None


@pytest.mark.parametrize("error", [SQLAlchemyError("x"), ValueError("x")])
def test_whatever_breaks_the_adapter_is_closed_and_the_run_too(house: House, error: Exception) -> None:
    house.pms.books("a1")

    def broken(*_: object) -> None:
        raise error

    house.pms.before_page = broken  # type: ignore[assignment]
    result = house.sync()
    assert (result.state, result.reason) == (R.FAILED, "storage" if isinstance(error, SQLAlchemyError) else "bug")
    assert house.connection().failures == 1


def test_an_adapter_that_cannot_be_opened_needs_a_person(house: House) -> None:
    def refused(*_: object) -> Opened:
        raise PmsNotConfigured("GENTU_CLIENT_ID is not set")

    claim = house.claim(house.request())
    assert claim is not None
    result = Runner(house.store, house.vault, refused).execute(claim)
    assert (result.state, result.reason, result.tallies) == (R.FAILED, "not_configured", ())
    assert house.connection().state == "needs_attention"
