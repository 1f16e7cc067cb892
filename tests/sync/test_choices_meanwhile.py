"""Somebody of the practice chooses while a sync is on its way: no choice is lost, none is undone, nobody is missed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.rules import Cause
from app.store.models.sync import RunState, Trigger
from app.sync.context import Progress
from tests.fakes.house import House, skipped
from tests.fakes.pms import TODAY, VIDEO

R = RunState
YESTERDAY = TODAY - timedelta(days=1)


def after(steps: int, then: Callable[[], object]) -> Callable[[Progress], None]:
    """Once, when so many steps of the sweep (pages, ends of chains) have been committed."""
    told: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        if progress.phase == "inbound":
            told.append(progress)
            if len(told) == steps:
                then()

    return on_progress


def kim_before_lee(house: House) -> None:
    house.fetchers = 1
    house.pms.offers("phone").books("a1").books("p1", type="phone", at="11:00").books("b1", with_="lee")


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.MANUAL])
def test_what_is_switched_on_behind_the_back_of_a_run_is_read_by_one_of_its_own(house: House, trigger: Trigger) -> None:
    """The pages before were sorted by the old choice: who asks after the choice may not be told “on its way”."""
    kim_before_lee(house)
    asked = []

    def chooses() -> None:
        house.ticks(VIDEO, "phone")
        asked.append(house.request(trigger=trigger))

    house.sync(runner={"on_progress": after(2, chooses)})
    assert house.shown() == {"a1", "b1"}, "too late for this run"
    (waiting,) = [run for run in house.runs() if run.state == R.QUEUED]
    assert asked == [waiting.id]
    claim = house.claim(waiting.id)
    assert claim is not None
    house.execute(claim)
    assert house.shown() == {"a1", "p1", "b1"}
    house.account_adds_up()


def test_a_request_still_joins_where_nobody_chose_anything(house: House) -> None:
    kim_before_lee(house)
    asked = []
    then = after(2, lambda: asked.append(house.request(trigger=Trigger.MANUAL)))
    result = house.sync(runner={"on_progress": then})
    assert asked == [result.run_id]


def test_a_choice_made_before_the_cut_counts_for_the_pages_before_it_as_well(house: House) -> None:
    """Dr Kim is read, somebody ticks, a page of Dr Lee is written by the new choice, then the worker shuts down."""
    kim_before_lee(house)
    house.pms.page_size = 2
    house.pms.books("b2", "b3", with_="lee", at="12:00")
    stopping: list[bool] = []
    chooses, stops = after(2, lambda: house.ticks(VIDEO, "phone")), after(3, lambda: stopping.append(True))
    both = lambda progress: (chooses(progress), stops(progress))  # noqa: E731
    cut = house.sync(runner={"on_progress": both, "stop_asked": lambda: bool(stopping)})
    assert (cut.state, house.shown()) == (R.QUEUED, {"a1", "b1", "b2"})
    claim = house.claim(cut.run_id)
    assert claim is not None
    house.execute(claim)
    assert house.shown() == {"a1", "p1", "b1", "b2", "b3"}


def test_past_days_keep_what_they_showed_though_they_are_read_again(house: House) -> None:
    """The nightly sweep goes a week back; a choice made today must not empty the days before."""
    house.pms.books("y1", "y2", day=YESTERDAY).books("a1")
    house.sync(YESTERDAY, TODAY)
    house.ticks()
    for full in (False, True):
        result = house.sync(YESTERDAY, TODAY, full=full)
        assert (house.shown(YESTERDAY), house.shown(TODAY)) == ({"y1", "y2"}, set())
        assert skipped(result) == {"not_telehealth": 1}
        house.account_adds_up(YESTERDAY)
    house.pms.changes("y1", comment="Paid later")
    house.sync(YESTERDAY, TODAY)
    assert house.row("y1").pms_comment == "Paid later"
    assert house.shown(YESTERDAY) == {"y1", "y2"}
    house.account_adds_up(YESTERDAY)


def test_an_answer_about_one_row_does_not_undo_a_choice_made_while_it_was_asked_for(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.forgets_to_list("a1")
    house.pms.before_question = lambda _: house.ticks()  # type: ignore[assignment]
    result = house.reconciles()
    assert house.shown() == set()
    assert house.row("a1").hidden_cause == Cause.TYPE_OFF
    assert result.tallies[-1].adds_up
    house.account_adds_up()
