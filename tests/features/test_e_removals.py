"""E08, A20, M03: what the PMS no longer has is struck through, never more, and never on the word of half an answer.

Against the simulated Gentu over HTTP, on both databases.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.domain.status import Status
from app.pms.gentu.adapter import GentuAdapter
from app.pms.limits import LocalLimiter
from app.store import connections, holds, sync_runs
from app.store.models import Appointment, RemovalHold
from app.store.models.sync import HoldState, RunState
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.house import EVERY_PHASE, shared_postgresql, shared_sqlite, store
from tests.features.surgery import DAY, Surgery, opened, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]

pytestmark = pytest.mark.feature("E08")
ANY_LIST = "/tenants/*/appointments"


def held(surgery: Surgery, *states: HoldState) -> list[RemovalHold]:
    with surgery.store.read() as session:
        found = holds.of_practice(session, surgery.practice_id, surgery.connection_id)
    return [one for one in found if one.state in (states or (HoldState.OPEN,))]


def forty(surgery: Surgery) -> list[str]:
    """Forty video visits of two practitioners, read once."""
    first, second, *_ = surgery.in_book()
    ids = surgery.books(count=20, every_minutes=10, time="09:00", practitioner_id=first)
    ids += surgery.books(count=20, every_minutes=10, time="09:00", practitioner_id=second)
    assert surgery.reconciles(DAY).state is RunState.SUCCESS
    return ids


def delete(surgery: Surgery, *ids: str) -> None:
    for id_ in ids:
        surgery.sandbox.control(f"appointments/{id_}/delete")


# --- P6: what is deleted is found -------------------------------------------------------------------------------------


@pytest.mark.feature("M03")
@pytest.mark.feature("A20")
@pytest.mark.promise("P6")
def test_a_single_deletion_is_struck_through_within_one_sync_with_time_cause_and_run(surgery: Surgery) -> None:
    ids = forty(surgery)
    version = surgery.version(DAY)
    delete(surgery, ids[3])
    before = clock.now()
    result = surgery.reconciles(DAY)
    assert (result.state, result.tallies[-1].removed) == (RunState.SUCCESS, 1)
    row = surgery.row(ids[3])
    assert row.removed_at is not None
    assert before <= row.removed_at <= clock.now()
    assert (row.removed_cause, row.removed_by_run) == ("gone", result.run_id)
    assert result.tallies[-1].details["retired"] == [ids[3]]
    assert surgery.run(result.run_id).appointments_removed == 1
    assert surgery.shown(DAY) == set(ids), "the row stays"
    assert surgery.count(Appointment) == 40
    assert surgery.version(DAY) == version + 1
    assert [event.sync_run_id for event in surgery.events(ids[3])] == [result.run_id]
    assert surgery.reconciles(DAY).tallies[-1].removed == 0
    surgery.account_adds_up(DAY)


@pytest.mark.feature("A20")
@pytest.mark.promise("P6")
def test_a_cancellation_is_no_removal_and_both_are_told_apart(surgery: Surgery) -> None:
    ids = forty(surgery)
    surgery.sandbox.control(f"appointments/{ids[0]}/cancel")
    delete(surgery, ids[1])
    surgery.reconciles(DAY)
    assert surgery.removed() == {ids[1]}
    assert surgery.row(ids[0]).pms_status == "cancelled"


def test_what_staff_wrote_survives_removal_and_revival(surgery: Surgery) -> None:
    ids = surgery.books(count=4)
    surgery.reconciles(DAY)
    surgery.staff_sets(ids[0], Status.ARRIVED)
    surgery.staff_notes(ids[0], "is in the waiting room")
    delete(surgery, ids[0])
    surgery.reconciles(DAY)
    assert surgery.removed() == {ids[0]}
    (again,) = surgery.books(id=ids[0])
    assert again == ids[0]
    assert surgery.reconciles(DAY).state is RunState.SUCCESS
    row = surgery.row(ids[0])
    assert (row.removed_at, row.removed_cause, row.removed_by_run) == (None, None, None)
    assert (row.staff_status, row.staff_note) == ("arrived", "is in the waiting room")
    told = [event.changes["removed_at"] for event in surgery.events(ids[0]) if "removed_at" in event.changes]
    assert [(old is None, new is None) for old, new in told] == [(True, False), (False, True)]
    surgery.stands_as_at_the_vendor()


# --- half an answer ---------------------------------------------------------------------------------------------------


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("truncated", {}),
    ("cut_body", {}),
    ("error", {"status": 500}),
    ("error", {"status": 403}),
    ("html", {}),
    ("envelope", {}),
    ("empty_body", {}),
]


@pytest.mark.promise("P7")
@pytest.mark.parametrize(("kind", "more"), BROKEN)
@pytest.mark.parametrize("phases", [EVERY_PHASE, ("reconciliation",)])
def test_an_answer_that_fails_for_one_practitioner_removes_nobody_of_anybody(
    surgery: Surgery, kind: str, more: dict[str, Any], phases: tuple[str, ...]
) -> None:
    ids = forty(surgery)
    delete(surgery, ids[0], ids[25])
    second = surgery.in_book()[1]
    surgery.sandbox.break_(kind, path=ANY_LIST, query=f"practitionerId={second}", **more)
    before = surgery.picture(DAY)
    result = surgery.sync(DAY, phases=phases)
    assert result.state is RunState.PARTIAL
    assert not result.tallies[-1].complete
    assert (surgery.removed(), held(surgery)) == (set(), [])
    assert surgery.picture(DAY) == before
    surgery.sandbox.mend()
    assert surgery.sync(DAY, phases=phases).state is RunState.SUCCESS
    assert surgery.removed() == {ids[0], ids[25]}


@pytest.mark.promise("P7")
@pytest.mark.parametrize("status", [403, 500])
def test_only_a_plain_no_such_appointment_confirms(surgery: Surgery, status: int) -> None:
    ids = forty(surgery)
    delete(surgery, ids[0])
    surgery.sandbox.break_("error", status=status, path=f"/tenants/*/appointments/{ids[0]}")
    result = surgery.reconciles(DAY)
    assert result.state is RunState.PARTIAL
    assert surgery.removed() == set()
    surgery.sandbox.mend()
    surgery.reconciles(DAY)
    assert surgery.removed() == {ids[0]}


@pytest.mark.fault("F38")
@pytest.mark.promise("P7")
@pytest.mark.parametrize("phases", [EVERY_PHASE, ("reconciliation",)])
def test_a_row_that_moves_between_pages_is_moved_and_never_struck_out(
    surgery: Surgery, monkeypatch: pytest.MonkeyPatch, phases: tuple[str, ...]
) -> None:
    """It stood on the last page while the first was read, and on the first while the last was: no page brought it."""
    first = surgery.in_book()[0]
    ids = surgery.books(count=150, every_minutes=4, time="08:00", practitioner_id=first)
    surgery.sync(DAY)
    moved, read = ids[-1], GentuAdapter._page

    def page(adapter: GentuAdapter, query: dict[str, str], *more: Any) -> Any:
        if "cursor" in query:
            surgery.sandbox.control(f"appointments/{moved}/move", day=DAY.isoformat(), time="07:00")
        return read(adapter, query, *more)

    with monkeypatch.context() as patched:
        patched.setattr(GentuAdapter, "_page", page)
        surgery.sandbox.control("traffic/reset")
        assert surgery.sync(DAY, phases=phases).state is RunState.SUCCESS
    asked = [one["path"] for one in surgery.sandbox.state(log=1000)["log"]]
    assert any(path.endswith(f"/appointments/{moved}") for path in asked), "no page brought it"
    assert (surgery.removed(), held(surgery)) == (set(), [])
    assert surgery.row(moved).starts_at.astimezone(surgery.pms.zone).hour == 7
    surgery.reconciles(DAY)
    surgery.stands_as_at_the_vendor()


# --- the valve --------------------------------------------------------------------------------------------------------


@pytest.mark.feature("M03")
@pytest.mark.promise("P7")
@pytest.mark.fault("F17")
@pytest.mark.parametrize("phases", [EVERY_PHASE, ("reconciliation",)])
def test_an_empty_list_where_there_were_forty_removes_nothing_raises_one_hold_and_the_next_good_reply_clears_it(
    surgery: Surgery, phases: tuple[str, ...]
) -> None:
    ids = forty(surgery)
    before = surgery.picture(DAY)
    surgery.sandbox.break_("empty_list")
    for _ in range(2):
        result = surgery.sync(DAY, phases=phases)
        assert (result.state, result.reason) == (RunState.PARTIAL, "removal_held")
        assert surgery.picture(DAY) == before
    (hold,) = held(surgery)
    assert (hold.day, hold.vanished, hold.of_rows, set(hold.candidates)) == (DAY, 40, 40, set(ids))
    assert surgery.connection().state == "active"
    surgery.sandbox.mend()
    assert surgery.sync(DAY, phases=phases).state is RunState.SUCCESS
    assert (held(surgery), len(held(surgery, HoldState.CLEARED))) == ([], 1)
    assert surgery.picture(DAY) == before
    surgery.stands_as_at_the_vendor()


@pytest.mark.feature("M03")
@pytest.mark.promise("P7")
def test_a_list_cut_short_without_a_word_is_held_like_an_empty_one(surgery: Surgery) -> None:
    """Valid JSON, no next page, half of the rows missing: nobody can tell it from a day that was cleared."""
    ids = forty(surgery)
    surgery.sandbox.break_("cut_page")
    before = surgery.picture(DAY)
    assert surgery.reconciles(DAY).reason == "removal_held"
    (hold,) = held(surgery)
    assert (hold.vanished, hold.of_rows, len(ids)) == (20, 40, 40)
    assert surgery.picture(DAY) == before
    surgery.sandbox.mend()
    assert surgery.reconciles(DAY).state is RunState.SUCCESS
    assert held(surgery) == []


def test_what_was_really_cleared_waits_for_a_person_and_goes_when_released(surgery: Surgery) -> None:
    ids = forty(surgery)
    delete(surgery, *ids[:20])
    assert surgery.reconciles(DAY).reason == "removal_held"
    assert surgery.removed() == set()
    (hold,) = held(surgery)
    assert set(hold.candidates.values()) == {"gone"}, "the PMS was asked about each: the person sees its answer"
    act = holds.Act(surgery.user_id, clock.now())
    with surgery.store.write() as session:
        assert holds.release(session, surgery.practice_id, hold.id, act) == 20
    assert surgery.removed() == set(ids[:20])
    assert {row.removed_cause for row in surgery.rows().values()} == {None, "released"}
    assert surgery.reconciles(DAY).state is RunState.SUCCESS
    assert held(surgery) == []


def test_what_was_kept_stays_and_nobody_is_asked_twice_until_it_came_back_in_between(surgery: Surgery) -> None:
    ids = forty(surgery)
    surgery.sandbox.break_("empty_list")
    surgery.reconciles(DAY)
    (hold,) = held(surgery)
    with surgery.store.write() as session:
        holds.keep(session, surgery.practice_id, hold.id, holds.Act(surgery.user_id, clock.now()))
    for _ in range(2):
        assert surgery.reconciles(DAY).state is RunState.SUCCESS
    assert (surgery.removed(), held(surgery)) == (set(), [])
    surgery.sandbox.mend()
    surgery.reconciles(DAY)
    delete(surgery, ids[0])
    surgery.reconciles(DAY)
    assert surgery.removed() == {ids[0]}, "it came back, and was deleted after that: the old decision is spent"


# --- not others' ------------------------------------------------------------------------------------------------------


@pytest.mark.promise("P7")
def test_another_practice_and_what_no_pms_knows_are_not_touched(surgery: Surgery) -> None:
    engine = Engine(surgery.store, surgery.vault, surgery.engine.vendor, LocalLimiter())
    tenants = surgery.sandbox.state(log=0)["tenants"]
    ids = forty(surgery)
    other = opened(engine, surgery.sandbox, "Elsewhere", tenants[1]["tenantId"])
    with surgery.store.write() as session:
        connections.get(session, other.connection_id).sync_telehealth_only = False
    order = {"tenant_id": tenants[1]["tenantId"], "day": DAY.isoformat(), "time": "09:00"}
    theirs = other.sandbox.control("appointments", **order, type=tenants[1]["types"][0]["text"])["ids"]
    assert other.reconciles(DAY).state is RunState.SUCCESS
    before = other.contents(), other.version(DAY)
    assert set(other.rows()) == set(theirs)
    delete(surgery, *ids[:25])
    surgery.reconciles(DAY)
    delete(surgery, *ids[25:])
    surgery.reconciles(DAY)
    assert (other.contents(), other.version(DAY), held(other)) == (before[0], before[1], [])


# --- killed -----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As SIGKILL: nobody closes anything."""


@pytest.mark.promise("P7")
@pytest.mark.promise("P17")
def test_killed_between_the_answer_and_the_write_nothing_is_lost(
    surgery: Surgery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = forty(surgery)
    delete(surgery, ids[0], ids[1])
    claim = surgery.claim(surgery.request(DAY, phases=EVERY_PHASE))
    assert claim is not None

    def die(*_: object, **__: object) -> list[str]:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("app.store.removals.remove", die)
        with pytest.raises(Killed):
            surgery.engine.execute(claim)
    assert surgery.removed() == set()
    with surgery.store.write() as session:
        lost = sync_runs.running_of(session, surgery.connection_id)
        assert lost is not None
        successor = sync_runs.abandon(session, lost, clock.now() + timedelta(seconds=1))
    assert successor is not None
    surgery.sandbox.control("traffic/reset")
    again = surgery.claim(successor)
    assert again is not None
    assert surgery.execute(again).state is RunState.SUCCESS
    assert surgery.removed() == {ids[0], ids[1]}
    lists = [one for one in surgery.sandbox.state(log=1000)["log"] if one["path"].endswith("/appointments")]
    assert lists == [], "what the lost run had read is not read again"


# --- by itself --------------------------------------------------------------------------------------------------------


def test_by_itself_it_looks_back_seven_days(surgery: Surgery) -> None:
    today = clock.now().astimezone(surgery.pms.zone).date()
    ids = {back: surgery.books(day=(today - timedelta(days=back)).isoformat())[0] for back in (0, 7, 8)}
    surgery.sync(today - timedelta(days=8), today)
    delete(surgery, *ids.values())
    result: SyncResult = surgery.engine.sync(Wish(surgery.connection_id, phases=("reconcile",)))
    surgery.adds_up(result)
    assert [tally.phase for tally in result.tallies] == ["reconciliation"]
    assert (result.state, result.as_json()["phases"]["reconciliation"]["removed"]) == (RunState.SUCCESS, 2)
    assert surgery.removed() == {ids[0], ids[7]}
