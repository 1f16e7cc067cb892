"""A discovery that is cut short, killed, merged or deferred, over HTTP from the simulated IntakeQ (E10)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app import clock
from app.config import VendorSettings
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import sync_runs
from app.store.models import Appointment, SyncRun
from app.store.models.sync import DAILY, RunState, Trigger
from app.store.sync_runs import Ask, Claim
from app.sync.context import Progress
from app.sync.engine import Engine
from app.sync.run import SyncResult
from tests.fakes.house import shared_postgresql, shared_sqlite, store
from tests.features.household import Household, household, intakeq_process
from tests.fixtures.databases import KEY

__all__ = ["household", "intakeq_process", "shared_postgresql", "shared_sqlite", "store"]

#: Steps of `a_quarter`: its pages, and the end of each of its seven stretches; the last tells that all is done.
STEPS = 16


class Died(BaseException):
    """What a killed process leaves behind: nothing is closed, nothing is put right."""


class Dies:
    """Counts what a discovery has committed; dies behind the n-th."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, _: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise Died


def a_quarter(household: Household) -> None:
    """Ten new clients over seven stretches, one of them with two pages; one to ask about; and one who cannot be read
    and is sent with two stretches: a day either side is asked for.
    """
    for number in range(9):
        household.books("Quinn", f"Peppertree{number}", 10 * number, email=f"q{number}@example.com")
    household.books("Bo", "Peppertree0", email="q0@example.com")
    bad = household.visits(household.client("Fennick", "Kelpwright"), 42)
    household.account.control("raw", id=bad, fields={"StartDate": "at noon"})
    busy = household.client("Busy", "Mallowmere", email="busy@example.com")
    household.account.control("book", at=at(household, 40), count=120, client_id=busy)


def at(household: Household, day: int) -> str:
    return f"{household.today + timedelta(days=day)}T10:00:00+10:00"


def queued(household: Household, **more: Any) -> Claim:
    first, last = household.today, household.today + timedelta(days=90)
    with household.store.write() as session:
        ask = Ask(
            household.house.practice_id,
            household.house.connection_id,
            ("discovery",),
            first,
            last,
            Trigger.SCHEDULE,
            **({"own_windows": {"discovery": (first, last)}, "daily": True} | more),
        )
        run_id = sync_runs.request(session, ask, clock.now()).run_id
    return claimed(household, run_id)


def claimed(household: Household, run_id: UUID) -> Claim:
    found = household.engine.claim(run_id)
    assert found is not None
    return found


def stands(household: Household, result: SyncResult) -> dict[str, Any]:
    """Everything a discovery leaves, without what is different each time."""
    questions = {(one.review.external_id, one.review.doubt) for one in household.questions()}
    people = {
        (name, one.email, one.phone, one.birth_date, tuple(id_.external_id for id_ in one.known_as))
        for name, one in household.people().items()
    }
    told = {name: value for name, value in household.details(result.run_id).items() if name in EXPECTED}
    return {"people": people, "questions": len(questions), "told": told}


EXPECTED = {
    "totalPatients": 10,
    "newPatientsDiscovered": 10,
    "unaffiliatedPatientsSynced": 10,
    "patientsProcessed": 10,
    "patientsFailed": 1,
    "patientsToReview": 1,
    "organizationsProcessed": 0,
    "appointments": {"new": 0, "updated": 0, "unchanged": 0},
}


@pytest.mark.feature("E10", "E12")
@pytest.mark.parametrize("steps", range(1, STEPS + 1))
def test_a_discovery_killed_at_any_page_ends_as_one_that_never_was(household: Household, steps: int) -> None:
    a_quarter(household)
    claim = queued(household)
    with pytest.raises(Died):
        household.engine.execute(claim, on_progress=Dies(steps))
    before = household.asked()
    with household.store.write() as session:
        follower = sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())
    assert follower is not None
    result = household.engine.execute(claimed(household, follower))
    household.house.adds_up(result)
    found = stands(household, result)
    assert found["told"] == EXPECTED
    assert (len(found["people"]), found["questions"]) == (10, 1)
    assert household.asked() - before <= 9 - done_before(steps), "no more than one stretch is read twice"
    assert household.house.run(follower).sync_type == DAILY, "the rest of a night's discovery is one"


def done_before(steps: int) -> int:
    """Stretches that were whole by then: a page and an end each, but for the one with two pages and the end of all."""
    return min(7, max(0, (steps - 1) // 2))


@pytest.mark.feature("E10")
def test_whole_it_takes_as_many_steps_as_it_is_killed_at(household: Household) -> None:
    a_quarter(household)
    told: list[Progress] = []
    result = household.engine.execute(queued(household), on_progress=told.append)
    assert stands(household, result)["told"] == EXPECTED
    assert len(told) == STEPS
    (tally,) = result.tallies
    assert (tally.created, tally.quarantined, dict(tally.skipped)) == (10, 1, {"review": 1, "duplicate": 1})
    assert [one.done for one in told if one.phase == "discovery"] == sorted(one.done for one in told)
    assert told[-1] == Progress("discovery", 7, 7)


@pytest.mark.feature("E10")
@pytest.mark.promise("P8")
def test_a_holder_that_comes_back_to_life_writes_nothing_more(household: Household) -> None:
    a_quarter(household)
    claim = queued(household)

    known: list[int] = []

    def overtaken(progress: Progress) -> None:
        if progress.done == 1 and not known:
            known.append(len(household.people()))
            with household.store.write() as session:
                sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())

    result = household.engine.execute(claim, on_progress=overtaken)
    assert (result.state, result.reason) == (RunState.ABANDONED, "fenced")
    assert [len(household.people())] == known


@pytest.mark.feature("E10")
def test_a_discovery_whose_time_is_up_goes_on_in_the_next_run_until_all_are_met(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run has time for one stretch; the runs that follow read the rest, and the last one tells of the whole."""
    a_quarter(household)
    passed = 0.0
    monkeypatch.setattr(clock, "monotonic", lambda: passed)

    def a_minute(progress: Progress) -> None:
        nonlocal passed
        passed += 60 * (progress.done > before)

    claim, runs = queued(household), 0
    while True:
        before = len(claim.checkpoint.get("discovery", {}).get("done", ()))
        result = household.engine.execute(claim, timeout=timedelta(seconds=30), on_progress=a_minute)
        runs += 1
        if result.reason != "timeout":
            break
        assert runs < 10
        claim = claimed(household, household.waiting().id)
    assert runs == 7
    assert stands(household, result)["told"] == EXPECTED


@pytest.mark.feature("E10", "E02")
def test_a_days_calls_used_up_defer_the_rest_and_nothing_is_read_twice(household: Household) -> None:
    a_quarter(household)
    vendor = VendorSettings(base_url=household.account.url, requests_per_minute=10_000, requests_per_day=5)
    engine = Engine(household.store, Vault(KEY), lambda _: vendor, LocalLimiter())
    result = engine.execute(queued(household))
    assert (result.state, result.reason) == (RunState.DEFERRED, "day_used_up")
    assert household.asked() == 4, "a fifth is left to people"
    waits = household.waiting()
    assert waits.not_before is not None
    assert waits.not_before > clock.now()
    with household.store.write() as session:
        session.get_one(SyncRun, waits.id).not_before = None
    result = household.engine.execute(claimed(household, waits.id))
    assert stands(household, result)["told"] == EXPECTED
    assert household.asked() <= 4 + 5


# --- merged -----------------------------------------------------------------------------------------------------------


@pytest.mark.feature("E10")
@pytest.mark.parametrize("first", ["inbound", "discovery"])
def test_a_discovery_and_a_sync_of_today_merged_read_their_own_days(household: Household, first: str) -> None:
    """Whichever waits first: no appointment beyond today is swept, and no client within ninety days is missed."""
    household.sync("catalogue")
    household.house.ticks(*household.account.state()["services"])
    household.books("Today", "Quill", email="today@example.com")
    household.books("Later", "Quill", 60, email="later@example.com")
    for asked in (first, {"inbound": "discovery", "discovery": "inbound"}[first]):
        if asked == "discovery":
            household.scheduled()
        else:
            household.house.request(household.today, phases=("inbound",))
    run = household.waiting()
    assert set(run.phases) == {"inbound", "discovery"}
    assert (run.window_from, run.window_to, run.sync_type) == (household.today, household.today, DAILY)
    result = household.engine.execute(claimed(household, run.id))
    household.house.adds_up(result)
    assert result.state is RunState.SUCCESS
    assert set(household.people()) == {"Today Quill", "Later Quill"}
    assert household.house.count(Appointment) == 1
    assert household.details(run.id)["appointments"] == {"new": 1, "updated": 0, "unchanged": 0}


@pytest.mark.feature("E10")
def test_a_sync_of_today_that_joins_the_rest_of_a_discovery_loses_nothing_of_it(household: Household) -> None:
    household.sync("catalogue")
    a_quarter(household)
    claim = queued(household)
    with pytest.raises(Died):
        household.engine.execute(claim, on_progress=Dies(9))
    with household.store.write() as session:
        sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())
    household.house.request(household.today, phases=("inbound",))
    run, before = household.waiting(), household.asked()
    result = household.engine.execute(claimed(household, run.id))
    assert stands(household, result)["told"] == EXPECTED | {"appointments": {"new": 0, "updated": 0, "unchanged": 0}}
    assert household.asked() - before <= 1 + 9 - done_before(9)


@pytest.mark.feature("E10")
def test_a_running_sync_of_today_is_no_answer_to_a_discovery(household: Household) -> None:
    household.house.request(household.today, phases=("inbound",))
    claimed(household, household.waiting().id)
    run = household.scheduled()
    assert (run.state, run.phases) == (RunState.QUEUED, ["discovery"])
    assert household.scheduled().id == run.id, "asked for twice, it waits once"
