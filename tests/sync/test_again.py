"""Records set aside that the sweep does not bring: who is asked for, how often, and what comes of the answer (P15)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app import clock
from app.pms.errors import PmsBadRequest, PmsError, PmsMalformed, PmsRateLimited, PmsUnavailable
from app.store import quarantine, set_aside, sync_runs
from app.store.appointments import Source
from app.store.models import QuarantinedRecord
from app.store.models.sync import RunState, Trigger
from app.store.quarantine import Bad, Kept
from app.sync import again
from tests.fakes.house import House, skipped
from tests.fakes.pms import IN_PERSON, TODAY

LATER = TODAY + timedelta(days=30)


def records(house: House) -> dict[str | None, QuarantinedRecord]:
    with house.store.read() as session:
        mine = select(QuarantinedRecord).where(QuarantinedRecord.pms_connection_id == house.connection_id)
        return {row.external_id: row for row in session.scalars(mine)}


def sets_aside(house: House, *ids: str) -> None:
    """Met once by a sync of today, and never again: their day is another one."""
    house.pms.garbles(*ids)
    house.sync()
    house.pms.rejects.clear()  # from now on it lies on a day that no sync here reads
    assert set(ids) <= records(house).keys()


def wants_again(house: House, *ids: str) -> None:
    with house.store.write() as session:
        for id_ in ids:
            set_aside.ask_again(set_aside.get(session, records(house)[id_].id), clock.now())


def upgrades(house: House) -> None:
    """What is set aside was so by another mapper."""
    with house.store.write() as session:
        session.execute(update(QuarantinedRecord).values(read_by="0.0"))


def asked(house: House) -> list[str]:
    return sorted(one.removeprefix("appointment ") for one in house.pms.asked if one.startswith("appointment "))


def test_without_a_reason_nobody_is_asked_for(house: House) -> None:
    sets_aside(house, "a1", "a2")
    house.sync()
    assert asked(house) == []


def test_one_that_can_be_read_gets_its_row_on_its_own_day(house: House) -> None:
    sets_aside(house, "a1")
    house.pms.books("a1", day=LATER)
    wants_again(house, "a1")
    result = house.sync()
    assert (result.state, result.tallies[-1].created, result.tallies[-1].fetched) == (RunState.SUCCESS, 1, 1)
    assert result.tallies[-1].details["triedAgain"] == {"read": 1}
    assert house.shown(LATER) == {"a1"}
    assert records(house)["a1"].resolution == "read"
    house.sync(LATER)
    house.account_adds_up(LATER)


def test_one_the_practice_does_not_want_is_resolved_without_a_row(house: House) -> None:
    sets_aside(house, "a1")
    house.pms.books("a1", day=LATER, type=IN_PERSON)
    wants_again(house, "a1")
    assert skipped(house.sync()) == {"not_telehealth": 1}
    assert house.rows() == {}
    assert records(house)["a1"].resolution == "read"


def test_one_that_has_a_row_is_brought_up_to_date(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    before = house.row("a1").row_version
    house.pms.deletes("a1")
    sets_aside(house, "a1")
    house.pms.books("a1", at="16:00", day=LATER)
    wants_again(house, "a1")
    result = house.sync()
    assert (result.tallies[-1].updated, result.tallies[-1].unchanged) == (1, 1)
    assert house.row("a1").row_version == before + 1
    assert house.day_of("a1") == LATER


@pytest.mark.parametrize("error", [PmsUnavailable("503"), PmsRateLimited("429")])
def test_an_outage_ends_the_asking_and_what_was_not_asked_stays_due(house: House, error: PmsError) -> None:
    sets_aside(house, "a1", "a2", "a3")
    house.pms.books("a1", "a2", "a3", day=LATER)
    wants_again(house, "a1", "a2", "a3")
    for id_ in ("a1", "a2", "a3"):
        house.pms.fails(error, practitioner=f"appointment {id_}")
    result = house.sync()
    assert (result.state, result.tallies[-1].details["triedAgainError"]) == (RunState.SUCCESS, error.reason)
    assert len(asked(house)) == 1
    house.pms.heals()
    house.sync()
    assert {row.resolution for row in records(house).values()} == {"read"}


@pytest.mark.parametrize("error", [PmsBadRequest("400"), PmsMalformed("bad")])
def test_what_still_cannot_be_read_is_not_asked_for_by_itself_again(house: House, error: PmsError) -> None:
    sets_aside(house, "a1")
    upgrades(house)
    house.pms.fails(error, practitioner="appointment a1")
    for _ in range(3):
        house.sync()
    assert asked(house) == ["a1"]
    row = records(house)["a1"]
    assert (row.resolved_at, row.asked_again_at) == (None, None)
    assert row.tried_at is not None


def test_an_upgrade_asks_for_a_few_in_each_run_and_a_person_for_many(house: House) -> None:
    ids = [f"a{number}" for number in range(again.MOST_ASKED + 3)]
    sets_aside(house, *ids)
    upgrades(house)
    house.sync()
    assert len(asked(house)) == again.MOST_BY_ITSELF
    house.pms.asked.clear()
    left = [id_ for id_, row in records(house).items() if row.resolved_at is None and id_]
    wants_again(house, *left[:10])
    house.sync()
    assert set(asked(house)) == set(left[:10]), "those a person waits for come first"


def test_one_the_sweep_has_just_met_is_not_asked_for(house: House) -> None:
    house.pms.garbles("a1")
    house.sync()
    upgrades(house)
    wants_again(house, "a1")
    house.sync()
    assert asked(house) == []
    assert records(house)["a1"].asked_again_at is None, "the sweep has tried it"


@pytest.mark.fault("F34")
def test_a_row_whose_record_cannot_be_read_is_not_taken_for_missing(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.deletes("a1")
    house.pms.garbles("a1")
    for _ in range(2):
        house.sync()
    assert asked(house) == [], "it is there, only unreadable"
    assert house.row("a1").removed_at is None
    assert house.shown() == {"a1", "a2"}
    house.account_adds_up()


@pytest.mark.fault("F30")
def test_two_forms_of_a_record_in_one_run_are_one_record_and_stay_settled(house: House) -> None:
    def run() -> Kept:
        source = Source(house.practice_id, house.connection_id, house.request(), house.clock.at)
        with house.store.write() as session:
            first = quarantine.keep(session, house.vault, source, [Bad("a1", "$", "x", b"one")])
            second = quarantine.keep(session, house.vault, source, [Bad("a1", "$", "x", b"two")])
        with house.store.write() as session:
            for row in session.scalars(select(sync_runs.SyncRun)):
                row.state = RunState.SUCCESS
        return Kept(first.new + second.new, first.known + second.known, first.ignored + second.ignored)

    assert run() == Kept(new=1, known=1)
    with house.store.write() as session:
        set_aside.ignore(session, set_aside.get(session, records(house)["a1"].id), "x", None, house.clock.at)
    for _ in range(2):
        assert run() == Kept(ignored=2)
    assert (records(house)["a1"].seen, records(house)["a1"].resolution) == (3, "ignored")


@pytest.mark.fault("F29")
def test_ids_that_differ_by_a_blank_are_two_records(house: House) -> None:
    sets_aside(house, "a1", "a1 ")
    assert records(house).keys() == {"a1", "a1 "}


def test_more_than_ten_that_are_settled_make_no_run_fail(house: House) -> None:
    ids = [f"a{number}" for number in range(11)]
    house.pms.garbles(*ids)
    assert house.sync().state is RunState.FAILED
    with house.store.write() as session:
        for row in records(house).values():
            set_aside.ignore(session, set_aside.get(session, row.id), "settled", None, house.clock.at)
    result = house.sync()
    assert (result.state, result.tallies[-1].quarantined) == (RunState.SUCCESS, 11)


def test_who_wants_something_tried_again_is_not_answered_by_what_has_begun_or_just_ended(house: House) -> None:
    running = house.request(trigger=Trigger.MANUAL)
    assert house.claim(running) is not None
    assert house.request(trigger=Trigger.MANUAL) == running
    other = house.request(trigger=Trigger.MANUAL, begins_anew=True)
    assert other != running
    with house.store.write() as session:
        for row in session.scalars(select(sync_runs.SyncRun)):
            row.state, row.completed_at = RunState.SUCCESS, clock.now()
    assert house.request(trigger=Trigger.MANUAL) in (running, other)
    assert house.request(trigger=Trigger.MANUAL, begins_anew=True) not in (running, other)
