"""A run that is cut short, deferred or put back, and what the next one goes on from."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.pms.errors import PmsCancelled, PmsMalformed, PmsRateLimited, PmsUnavailable
from app.store import turns
from app.store.models import SyncPhase
from app.store.models.sync import RunState, Trigger
from app.sync.run import MOST_IN_A_ROW
from tests.fakes.house import House
from tests.fakes.pms import IN_PERSON, TODAY, VIDEO
from tests.sync.steps import MINUTE, Cut, chains_read, cut_off, six_pages

R = RunState
WEEK = (TODAY, TODAY + timedelta(days=6))


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
    house.reconciles()
    assert house.removed() == {"k0"}


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


@pytest.mark.fault("F37")
def test_a_chain_with_more_pages_than_a_run_reads_goes_on_in_the_next_and_others_begin_anew(
    house: House,
) -> None:
    six_pages(house)
    house.pms.fails(PmsMalformed("x", reason="page_budget"), practitioner="lee", after_pages=2)
    first = house.sync()
    assert (first.state, first.reason, len(house.rows())) == (R.PARTIAL, "page_budget", 10)
    assert [run.state for run in house.runs()] == [R.PARTIAL], "pages without end are not run after"
    house.pms.heals()
    assert chains_read(house) == ["kim#0", "kim#1", "kim#2", "lee#2"]
    house.account_adds_up()


@pytest.mark.fault("F37")
def test_pages_without_end_do_not_keep_the_others_from_being_read_again(house: House) -> None:
    """Each run is cut short in Dr Lee's pages and followed by another; Dr Kim's day must be asked for again in time."""
    six_pages(house)
    house.pms.page_size = 1
    house.pms.books(*(f"l{n}" for n in range(30)), with_="lee", every=5)
    cut_off(house, 7)
    for _ in range(MOST_IN_A_ROW - 2):
        (follower,) = [run for run in house.runs() if run.state == R.QUEUED]
        claim = house.claim(follower.id)
        assert claim is not None
        assert "kim/2026-03-09/2026-03-09" in claim.checkpoint["done"]
        cut = Cut(1)
        late = lambda progress, cut=cut: (cut(progress), house.clock.forward(120) if cut.reached else None)  # noqa: E731
        assert house.execute(claim, timeout=MINUTE, on_progress=late).reason == "timeout"
    claim = house.claim(next(run.id for run in house.runs() if run.state == R.QUEUED))
    assert claim is not None
    cut = Cut(1)
    late = lambda progress: (cut(progress), house.clock.forward(120) if cut.reached else None)  # noqa: E731
    last = house.execute(claim, timeout=MINUTE, on_progress=late)
    assert (last.reason, house.run(last.run_id).checkpoint) == ("timeout", None)
    assert [run for run in house.runs() if run.state == R.QUEUED] == []
    assert "kim#0" in chains_read(house)


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
        assert turns.due(session, clock.now()) == []
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
