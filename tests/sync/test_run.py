"""One run from its claim to its closing: cut short, put back, lost, resumed; whoever owns it by then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app import clock
from app.pms.errors import PmsAuthFailed, PmsCancelled, PmsNotConfigured, PmsRateLimited, PmsUnavailable
from app.store import appointments, connections, history, sweeps, sync_runs
from app.store.models import SyncPhase, SyncRun
from app.store.models.sync import RunState, Trigger
from app.sync.context import Progress
from app.sync.lease import Lease
from app.sync.run import Opened, Runner, SyncResult
from tests.fakes.house import House
from tests.fakes.pms import IN_PERSON, NOW, TODAY, VIDEO, FakeAdapter

R = RunState
MINUTE = timedelta(minutes=1)
WEEK = (TODAY, TODAY + timedelta(days=6))


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


# --- cut short --------------------------------------------------------------------------------------------------------


#: Six pages and the ends of two chains: page, page, page, end; the same once more.
PAGES_WRITTEN = {1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 5, 7: 6}


@pytest.mark.parametrize("steps", PAGES_WRITTEN)
def test_a_run_that_uses_up_its_time_ends_at_a_page_and_another_goes_on_there(house: House, steps: int) -> None:
    six_pages(house)
    first = cut_off(house, steps)
    assert (first.state, first.reason) == (R.PARTIAL, "timeout")
    stored = len(house.rows())
    assert stored == 2 * PAGES_WRITTEN[steps]
    house.pms.pages_given = 0
    (follower,) = [run for run in house.runs() if run.state == R.QUEUED]
    claim = house.claim(follower.id)
    assert claim is not None
    assert claim.checkpoint == house.run(first.run_id).checkpoint
    second = house.execute(claim)
    assert (second.state, second.tallies[-1].created) == (R.SUCCESS, 12 - stored)
    assert len(house.rows()) == 12
    assert house.pms.pages_given <= 6 - PAGES_WRITTEN[steps] + 1, "no more than one page is read twice"
    house.account_adds_up()


def test_a_run_that_reads_nothing_is_not_followed_by_another_at_once(house: House) -> None:
    six_pages(house)
    house.pms.before_page = lambda *_: house.clock.forward(120)
    assert house.sync(runner={"timeout": MINUTE}).reason == "timeout"
    assert [run.state for run in house.runs()] == [R.PARTIAL]


def test_what_was_read_before_the_cut_is_as_old_as_its_first_page(house: House) -> None:
    """A chain that goes on behind its first page is not fresher than that page."""
    six_pages(house)
    house.wants("lee", False)
    began = house.clock.at + timedelta(seconds=1)
    cut_off(house, 2)
    assert house.sweeps() == {}
    house.clock.forward(60)
    assert house.sync().state is R.SUCCESS
    assert house.sweeps()["kim"].completed_at == began
    assert house.sweeps()["kim"].received == 6
    house.account_adds_up()


def test_a_cursor_that_is_too_old_is_not_used_but_what_is_done_is_done(house: House) -> None:
    six_pages(house)
    cut_off(house, 5)
    house.clock.forward(11 * 60)
    assert chains_read(house) == ["lee#0", "lee#1", "lee#2"]
    house.account_adds_up()


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_cursor_the_vendor_forgot_begins_its_chain_anew_and_nothing_is_counted_twice(
    house: House, steps: int
) -> None:
    six_pages(house)
    house.pms.books("x1", "x2", type=IN_PERSON, at="07:00").books("x3", type=IN_PERSON, with_="lee", at="07:00")
    cut_off(house, steps)
    house.pms.forgets_cursors = True
    assert house.sync().state is R.SUCCESS
    assert len(house.shown()) == 12
    house.account_adds_up()
    assert sum(one.received for one in house.sweeps().values()) == 15


def test_a_chain_that_was_begun_anew_is_whole_and_what_it_lacks_is_asked_for(house: House) -> None:
    six_pages(house)
    house.sync()
    cut_off(house, 1)
    house.pms.forgets_cursors = True
    house.pms.deletes("k0")
    house.sync()
    assert house.row("k0").absent_since is not None


def chains_read(house: House, **more: Any) -> list[str]:
    house.pms.asked.clear()
    assert house.sync(**more).state is R.SUCCESS
    return [one.split("/")[0] + one[-2:] for one in house.pms.asked if "#" in one]


def test_what_was_read_by_other_rules_is_read_again(house: House) -> None:
    """Somebody ticks a type between the two halves of a sweep: the first half left it out and is due again."""
    six_pages(house)
    house.pms.offers("phone").books("p1", type="phone")
    cut_off(house, 5)
    assert "kim/2026-03-09/2026-03-09" in (house.runs()[0].checkpoint or {})["done"]
    house.ticks(VIDEO, "phone")
    house.sync()
    assert "p1" in house.shown()
    house.account_adds_up()


def test_an_absence_in_a_resumed_chain_proves_nothing(house: House) -> None:
    six_pages(house)
    house.sync()
    cut_off(house, 1)
    house.sync()
    assert not any(one.startswith("appointment ") for one in house.pms.asked)


def test_what_failed_by_itself_makes_the_next_run_skip_nothing(house: House) -> None:
    six_pages(house)
    house.pms.fails(PmsUnavailable("x", reason="connect"), practitioner="lee")
    first = house.sync()
    assert (first.state, house.run(first.run_id).checkpoint) == (R.PARTIAL, None)
    house.pms.heals()
    house.pms.asked.clear()
    house.sync()
    assert len([one for one in house.pms.asked if "#" in one]) == 6


def test_a_full_re_read_goes_on_from_nothing(house: House) -> None:
    six_pages(house)
    cut_off(house, 5)
    assert len(chains_read(house, full=True)) == 6


def test_a_command_that_is_cut_short_leaves_no_run_behind(house: House) -> None:
    six_pages(house)
    cut_off(house, 3, trigger=Trigger.COMMAND)
    assert [run.state for run in house.runs()] == [R.PARTIAL]


# --- deferred ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "waits"), [(1200.0, 1200), (None, 300)])
def test_a_rate_limit_defers_the_run_and_moves_what_is_due(house: House, asked: float | None, waits: int) -> None:
    six_pages(house)
    house.pms.fails(PmsRateLimited("429", retry_after_s=asked), practitioner="lee", after_pages=1)
    result = house.sync()
    assert (result.state, result.reason) == (R.DEFERRED, "rate_limited")
    due = house.clock.at + timedelta(seconds=waits)
    with house.store.read() as session:
        from app.store import schedules  # noqa: PLC0415

        assert schedules.next_due(session, [house.connection_id]) == {house.connection_id: due}
        assert sync_runs.waiting(session, clock.now()) == []
    (follower,) = [run for run in house.runs() if run.state == R.QUEUED]
    assert follower.not_before == due
    assert (house.connection().state, house.connection().failures) == ("active", 0)
    house.pms.heals()
    house.clock.forward(waits)
    house.pms.asked.clear()
    claim = house.claim(follower.id)
    assert claim is not None
    assert house.execute(claim).state is R.SUCCESS
    read = [one.split("/")[0] + one[-2:] for one in house.pms.asked if "#" in one]
    assert read == (["lee#1", "lee#2"] if waits == 300 else ["lee#0", "lee#1", "lee#2"])
    assert len(house.shown()) == 12
    house.account_adds_up()


# --- put back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", PAGES_WRITTEN)
def test_a_worker_that_shuts_down_puts_its_run_back_and_the_diary_tells_the_whole(house: House, steps: int) -> None:
    six_pages(house)
    run_id = house.request()
    claim = house.claim(run_id)
    assert claim is not None
    cut = Cut(steps)
    first = house.execute(claim, on_progress=cut, stop_asked=lambda: cut.reached)
    assert (first.state, first.reason, house.run(run_id).state) == (R.QUEUED, "stopped", R.QUEUED)
    again = house.claim(run_id)
    assert again is not None
    second = house.execute(again)
    assert second.state is R.SUCCESS
    twice = 2 * (steps in (3, 7))  # the last page of a chain that was not closed yet
    told = second.tallies[-1]
    assert (second.run_id, told.created, told.fetched, told.unchanged) == (run_id, 12, 12 + twice, twice)
    assert house.run(run_id).appointments_created == 12
    with house.store.read() as session:
        phases = session.scalars(select(SyncPhase).where(SyncPhase.sync_run_id == run_id)).all()
        assert {phase.phase: (phase.created, phase.complete) for phase in phases} == {
            "catalogue": (0, True),
            "inbound": (12, True),
        }
    house.account_adds_up()


def test_being_told_to_stop_while_the_vendor_is_asked_is_no_failure(house: House) -> None:
    """The adapter hears of it before the run does; “somebody stopped this sync” would be a lie."""
    house.pms.books("a1")
    house.pms.fails(PmsCancelled("asked to stop"), practitioner="practitioners")
    claim = house.claim(house.request())
    assert claim is not None
    result = house.execute(claim, stop_asked=lambda: True)
    assert (result.state, result.reason) == (R.QUEUED, "stopped")
    assert house.connection().last_sync_status is None


def test_where_another_run_waits_the_one_that_is_stopped_ends(house: House) -> None:
    six_pages(house)
    claim = house.claim(house.request())
    assert claim is not None
    waiting = house.request(*WEEK)
    cut = Cut(2)
    result = house.execute(claim, on_progress=cut, stop_asked=lambda: cut.reached)
    assert (result.state, result.reason) == (R.ABANDONED, "stopped")
    assert house.run(claim.run_id).state == R.ABANDONED
    assert house.claim(waiting) is not None


# --- lost -------------------------------------------------------------------------------------------------------------


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
