"""The orchestrator: what may be asked for; one run per connection, followed, joined, relieved (E06)."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app import clock
from app.config import VendorSettings
from app.errors import InvalidInput, NotFound
from app.pms.limits import LocalLimiter
from app.pms.port import Capabilities
from app.store import connections, practices, sync_runs
from app.store.models import SyncRun
from app.store.models.connection import ConnectionState, Environment
from app.store.models.sync import RunState, Trigger
from app.sync import preview
from app.sync.context import Progress
from app.sync.engine import DEFAULT_CONCURRENCY, Engine, Wish
from app.sync.phases import PHASES, chosen, named
from tests.fakes.house import EVERY_PHASE, House, furnish
from tests.fakes.pms import TODAY

R = RunState
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)


@pytest.fixture
def engine(house: House) -> Engine:
    made = Engine(house.store, house.vault, lambda _: VendorSettings(concurrency=2), LocalLimiter())
    made.host = "here"
    return made


# --- asking -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (None, None, (TODAY, TODAY)),
        (YESTERDAY, None, (YESTERDAY, TODAY)),
        (TOMORROW, None, (TOMORROW, TOMORROW)),
        (None, TOMORROW, (TODAY, TOMORROW)),
        (None, YESTERDAY, (YESTERDAY, YESTERDAY)),
        (YESTERDAY, TOMORROW, (YESTERDAY, TOMORROW)),
        (TODAY, TODAY + timedelta(days=366), (TODAY, TODAY + timedelta(days=366))),
    ],
)
def test_days_are_the_practices_own_and_both_included(
    house: House, engine: Engine, first: date | None, last: date | None, days: tuple[date, date]
) -> None:
    asked = engine.ask_for(Wish(house.connection_id, first, last))
    assert (asked.window_from, asked.window_to) == days
    assert asked.phases == ("catalogue", "inbound", "reconciliation")


@pytest.mark.parametrize("name", ["reconciliation", "reconcile", "Reconcile"])
def test_reconciliation_by_itself_looks_back_seven_days_or_as_far_as_it_is_told(
    house: House, engine: Engine, name: str
) -> None:
    def days(**more: Any) -> tuple[int, int]:
        asked = engine.ask_for(Wish(house.connection_id, phases=(name,), **more))
        assert asked.phases == ("reconciliation",)
        return (TODAY - asked.window_from).days, (asked.window_to - TODAY).days

    assert days() == (7, 0)
    assert days(last=TOMORROW) == (7, 1)
    assert days(first=YESTERDAY) == (1, 0)
    with house.store.write() as session:
        connections.get(session, house.connection_id).lookback_days = 30
    assert days() == (30, 0)
    both = engine.ask_for(Wish(house.connection_id, phases=("inbound", name)))
    assert both.window_from == TODAY


def test_today_is_where_the_practice_is(house: House, engine: Engine) -> None:
    with house.store.write() as session:
        practices.get(session, house.practice_id).timezone = "Pacific/Honolulu"
    assert engine.ask_for(Wish(house.connection_id)).window_from == YESTERDAY


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"first": TOMORROW, "last": TODAY}, "before the first"),
        ({"first": TODAY, "last": TODAY + timedelta(days=367)}, "a year"),
        ({"phases": ("polishing",)}, "not a phase"),
    ],
)
def test_what_cannot_be_synced_is_refused_with_a_sentence(
    house: House, engine: Engine, wish: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        engine.ask_for(Wish(house.connection_id, **wish))


@pytest.mark.parametrize("state", [ConnectionState.DRAFT, ConnectionState.DISCONNECTED])
def test_what_is_not_paired_cannot_be_synced(house: House, engine: Engine, state: ConnectionState) -> None:
    with house.store.write() as session:
        connections.get(session, house.connection_id).state = state
    with pytest.raises(InvalidInput, match="not paired"):
        engine.ask_for(Wish(house.connection_id))
    with pytest.raises(NotFound):
        engine.ask_for(Wish(uuid4()))


def test_a_phase_has_its_names_and_its_order() -> None:
    assert chosen(("appointments", " Catalogue "), Capabilities()) == ("catalogue", "inbound")
    assert chosen((), Capabilities()) == ("catalogue", "inbound", "reconciliation")
    everything = Capabilities(consultations=True, incremental=True, discovery=True)
    assert chosen((), everything) == ("catalogue", "inbound", "enrichment", "reconciliation")
    every = [phase.name for phase in PHASES]  # changes and half a year of patients too, but only where they are named
    assert chosen(reversed(every), everything) == tuple(every)
    assert chosen(("patients",), everything) == ("discovery",)
    assert named("INBOUND").name == "inbound"
    with pytest.raises(InvalidInput, match="catalogue, inbound"):
        named("nonsense")


# --- carrying out -----------------------------------------------------------------------------------------------------


def test_today_a_day_and_a_range_in_the_foreground(house: House, engine: Engine) -> None:
    days = [TODAY + timedelta(days=n) for n in range(4)]
    for day in days:
        house.pms.books(f"on {day}", day=day)
    assert engine.sync_today(house.connection_id).tallies[1].created == 1
    assert engine.sync_day(house.connection_id, days[1]).tallies[1].created == 1
    assert engine.sync_range(house.connection_id, days[0], days[3]).tallies[1].created == 2
    assert [house.shown(day) for day in days] == [{f"on {day}"} for day in days]
    assert {(run.trigger, run.sync_type, run.host, run.pid) for run in house.runs()} == {
        (Trigger.COMMAND, "manual", "here", os.getpid())
    }
    assert house.pms.open_adapters == 0


def test_a_manual_sync_is_known_to_the_limiter_as_one(house: House, engine: Engine) -> None:
    assert engine.concurrency("fake") == 2
    plain = Engine(house.store, house.vault, lambda _: VendorSettings(), LocalLimiter())
    assert plain.concurrency("fake") == DEFAULT_CONCURRENCY
    for trigger, manual in ((Trigger.MANUAL, True), (Trigger.COMMAND, True), (Trigger.SCHEDULE, False)):
        claim = house.claim(house.request(trigger=trigger))
        assert claim is not None
        assert claim.manual == manual
        engine.execute(claim)
        house.clock.forward(60)


def in_steps(house: House, *steps: Any) -> None:
    """Do one thing each time somebody waits."""
    left = list(steps)
    real = house.clock.sleep

    def sleep(seconds: float) -> None:
        real(seconds)
        assert left, "it waits for ever"
        left.pop(0)()

    clock.sleep = sleep


@pytest.fixture(autouse=True)
def _clock_as_before(clock_at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "sleep", clock.sleep)  # so that in_steps is undone


def test_a_run_elsewhere_that_covers_the_wish_is_followed_and_told_as_joined(house: House, engine: Engine) -> None:
    house.pms.books("a1")
    claim = house.claim(house.request(TODAY, TOMORROW, phases=EVERY_PHASE), "there", 1)
    assert claim is not None
    told: list[Progress] = []

    def page() -> None:
        with house.store.write() as session:
            step = {"phase": "inbound", "done": 1, "total": 2, "percent": 50}
            sync_runs.beat(session, claim, clock.now(), progress=step)

    in_steps(house, page, lambda: house.execute(claim))
    result = engine.sync(Wish(house.connection_id), told.append)
    assert (result.run_id, result.joined, result.state) == (claim.run_id, True, R.SUCCESS)
    assert result.as_json()["joined"] is True
    assert result.tallies[1].created == 1
    assert told == [Progress("inbound", 1, 2)]
    assert len(house.runs()) == 1


def test_a_run_elsewhere_that_does_not_cover_it_is_waited_for(house: House, engine: Engine) -> None:
    house.pms.books("a1").books("t1", day=TOMORROW)
    claim = house.claim(house.request(), "there", 1)
    assert claim is not None
    in_steps(house, lambda: house.execute(claim))
    result = engine.sync(Wish(house.connection_id, TODAY, TOMORROW))
    assert (result.joined, result.state) == (False, R.SUCCESS)
    assert result.run_id != claim.run_id
    assert house.shown(TOMORROW) == {"t1"}


def test_a_holder_on_this_host_whose_process_is_dead_is_relieved_at_once(house: House, engine: Engine) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    house.pms.books("a1")
    claim = house.claim(house.request(), "here", gone.pid)
    assert claim is not None
    in_steps(house)
    result = engine.sync(Wish(house.connection_id))
    assert (result.state, result.joined) == (R.SUCCESS, False)
    assert (house.run(claim.run_id).state, house.run(claim.run_id).reason) == (R.ABANDONED, "lost")


@pytest.mark.parametrize("host", ["here", "there"])
def test_any_other_holder_is_waited_for_until_its_lease_is_over(house: House, engine: Engine, host: str) -> None:
    """A process of this host that lives, or any of another host, about which nobody here can know."""
    claim = house.claim(house.request(), host, os.getpid() if host == "here" else 2**22 + 1)
    assert claim is not None
    in_steps(house, lambda: None, lambda: house.clock.forward(sync_runs.LEASE.total_seconds()))
    result = engine.sync(Wish(house.connection_id))
    assert (result.state, result.joined) == (R.SUCCESS, False)
    assert house.run(claim.run_id).state == R.ABANDONED


def test_a_followed_run_that_is_put_back_is_not_waited_for_there_may_be_no_worker(house: House, engine: Engine) -> None:
    claim = house.claim(house.request(), "there", 1)
    assert claim is not None

    def shut_down() -> None:
        with house.store.write() as session:
            sync_runs.put_back(session, claim, clock.now(), {})

    in_steps(house, shut_down)
    result = engine.sync(Wish(house.connection_id))
    assert (result.state, result.joined) == (R.SUCCESS, False)
    assert house.run(claim.run_id).state == R.QUEUED


def test_a_followed_run_that_fails_is_told_as_it_ended(house: House, engine: Engine) -> None:
    claim = house.claim(house.request(phases=EVERY_PHASE), "there", 1)
    assert claim is not None

    def fail() -> None:
        with house.store.write() as session:
            sync_runs.finish(session, claim, clock.now(), R.FAILED, "dns")

    in_steps(house, fail)
    result = engine.sync(Wish(house.connection_id))
    assert (result.state, result.reason, result.joined) == (R.FAILED, "dns", True)


def test_a_worker_takes_up_what_is_queued_once(house: House, engine: Engine) -> None:
    run_id = house.request()
    claim = engine.claim(run_id)
    assert claim is not None
    assert engine.claim(run_id) is None
    assert engine.execute(claim).state is R.SUCCESS
    assert engine.claim(run_id) is None
    assert engine.claim(uuid4()) is None


def test_two_connections_sync_side_by_side(house: House, engine: Engine) -> None:
    house.pms.books("a1")
    _, other, _ = furnish(house.store, "Other")
    claim = house.claim(house.request(), "there", 1)
    assert claim is not None
    in_steps(house)
    assert engine.sync(Wish(other)).state is R.SUCCESS
    assert house.run(claim.run_id).state == R.RUNNING
    with house.store.read() as session:
        assert session.get_one(SyncRun, claim.run_id).completed_at is None


# --- live, or simulated -----------------------------------------------------------------------------------------------

HERE, ELSEWHERE = "https://api.pm.magentus.com/v1", "http://127.0.0.1:1/v1"


@pytest.mark.parametrize(("environment", "address"), [("simulator", HERE), ("live", ELSEWHERE)])
def test_what_was_paired_in_one_world_is_never_asked_for_in_another(
    house: House, environment: str, address: str
) -> None:
    """No patient of a simulator on a live sheet, and no simulated id sent to the live vendor."""
    extra = {"app_id": "a", "client_id": "b", "client_secret": "c"}
    engine = Engine(house.store, house.vault, lambda _: VendorSettings(address, extra=extra), LocalLimiter())
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        connection.pms_type, connection.environment = "gentu", environment
    result = engine.sync_today(house.connection_id)
    assert (result.state, result.reason) == (R.FAILED, "address")
    assert (house.connection().state, house.connection().state_reason) == ("needs_attention", "address")
    with pytest.raises(preview.Refused), preview.in_words("gentu"):
        preview.pair(engine, house.practice_id, house.connection_id, "ABCD1234")
    assert not preview.check(engine, house.connection()).healthy


def test_a_draft_belongs_to_the_world_its_code_was_spent_in(house: House, engine: Engine) -> None:
    draft = preview.new_connection(engine, house.practice_id, "fake")
    with house.store.write() as session:
        connections.get(session, draft.id).environment = Environment.LIVE  # when that was still the address
    preview.pair(engine, house.practice_id, draft.id, "ABCD1234")
    with house.store.read() as session:
        assert connections.get(session, draft.id).environment == "simulator"
