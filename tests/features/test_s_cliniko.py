"""Cliniko whole (S10): a key typed, a day swept through the engine, what stands on the sheet and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from app import clock
from app.domain.rules import Cause
from app.store import catalogue
from app.store.db import Store
from app.store.models.sync import RunState
from app.sync.engine import Wish
from tests.fakes.house import fake_is_registered, pms, shared_postgresql, shared_sqlite, skipped, store
from tests.features.over_stage import DAY, NOON, Practice, at, counts
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

__all__ = ["fake_is_registered", "pms", "shared_postgresql", "shared_sqlite", "store"]

pytestmark = pytest.mark.feature("S10")


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def practice(store: Store, _empty: RunningSandbox) -> Practice:
    return Practice(store, StagedClinic(_empty, "cliniko").fresh(NOON)).learns()


def statuses(practice: Practice) -> dict[str, str]:
    return {str(row.facts.pms_appointment_id): row.status.value for row in practice.house.sheet(DAY).rows}


def test_a_day_of_visits_and_classes_stands_on_the_sheet(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    people, who = clinic.practitioners(), clinic.state()["patients"]
    waits = clinic.book(at("09:00"), state="arrived")
    absent = clinic.book(at("09:30"), practitioner_ids=people[1:2], state="no_show")
    off = clinic.book(at("10:00"), state="cancelled")
    group = clinic.book(at("11:00"), patient_id=who[3], also=who[4:7])
    block = clinic.book(at("12:00"), block=True)
    clinic.book(at("23:59", DAY - timedelta(days=1)))
    clinic.book(at("00:00", DAY + timedelta(days=1)))
    result = practice.sync()
    assert (result.state, result.reason, counts(result)) == (RunState.SUCCESS, None, (4, 0, 0))
    assert statuses(practice) == {waits: "arrived", absent: "no_show", off: "cancelled", group: "booked"}
    assert block not in house.rows()
    row = house.row(waits)
    assert (row.patient_name, row.patient_phone) == ("Wilhelmina Quandongley", "+61491570156")
    assert row.telehealth_url == f"https://video.example/join/{waits}"
    assert {one["id"] for one in house.row(group).patients or []} == set(who[3:7])
    assert house.row(group).telehealth_url is None
    house.account_adds_up(DAY)
    again = practice.sync()
    assert counts(again) == (0, 0, 4)


def test_everybody_and_every_type_is_in_the_catalogue(practice: Practice) -> None:
    with practice.store.read() as session:
        people = catalogue.mappings_of(session, practice.house.connection_id)
        kinds = catalogue.types_of(session, practice.house.connection_id)
    assert {row.pms_practitioner_name: row.active for row in people} == {
        "Dr Wren Okafor": True,
        "Dr Isolde Marchetti": True,
        "Dr Rafi Nightingale": True,
        "Dr Una Gone": False,
    }
    assert len(kinds) == 4


def test_what_happens_to_a_booking_reaches_its_row(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    stays, moved, off, gone = (clinic.book(at(time)) for time in ("09:00", "10:00", "11:00", "12:00"))
    practice.sync()
    clinic.change(stays, state="arrived")
    clinic.change(moved, at=at("10:00", DAY + timedelta(days=3)))
    clinic.cancel(off)
    clinic.delete(gone)
    result = practice.sync()
    assert result.tallies[-1].details["retired"] == [gone]
    assert house.removed() == {gone}
    assert house.day_of(moved) == DAY + timedelta(days=3)
    assert statuses(practice) == {stays: "arrived", off: "cancelled", gone: "booked"}
    house.account_adds_up(DAY)


def test_changes_alone_bring_what_changed(practice: Practice) -> None:
    """Told by the vendor since the days were read last; what nobody touched is not read again."""
    clinic = practice.clinic
    clinic.sandbox.control("clock", at=(clock.now() - timedelta(days=1)).isoformat())
    quiet, loud = clinic.book(at("09:00")), clinic.book(at("10:00"))
    practice.sync()
    clinic.sandbox.control("clock", at=clock.now().isoformat())
    clinic.cancel(loud)
    result = practice.sync(phases=("changes",))
    assert (result.state, counts(result, "changes")) == (RunState.SUCCESS, (0, 1, 0))
    assert statuses(practice) == {quiet: "booked", loud: "cancelled"}


def test_a_record_that_cannot_be_read_is_set_aside_and_comes_back_when_it_can(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, patient_arrived="perhaps")
    result = practice.sync()
    assert (next(one for one in result.tallies if one.phase == "inbound").quarantined, set(house.rows())) == (1, {good})
    clinic.raw(bad, patient_arrived=True)
    assert practice.sync().state is RunState.SUCCESS
    assert statuses(practice) == {good: "booked", bad: "arrived"}


def test_a_vendor_that_answers_with_a_page_removes_nobody(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    booked = {clinic.book(at("09:00")), clinic.book(at("10:00"))}
    practice.sync()
    for kind in ("html", "object", "empty", "truncated"):
        clinic.fault(kind, path="/group_appointments")
        result = practice.sync()
        assert result.state in (RunState.FAILED, RunState.PARTIAL)
        assert (house.shown(DAY), house.removed()) == (booked, set())
        clinic.mend()


def test_a_clinician_who_is_switched_off_hides_theirs_alone(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    people = clinic.practitioners()
    mine, theirs = clinic.book(at("09:00")), clinic.book(at("09:00"), practitioner_ids=people[1:2])
    practice.sync()
    house.wants(people[1], False)
    result = practice.sync(phases=("inbound",))
    assert house.shown(DAY) == {mine}
    assert skipped(result) == {Cause.CLINICIAN_OFF: 1}
    house.wants(people[1], True)
    practice.sync()
    assert house.shown(DAY) == {mine, theirs}


@pytest.mark.feature("E10")
def test_whoever_has_an_appointment_becomes_a_patient(practice: Practice) -> None:
    clinic = practice.clinic
    clinic.book((clock.now() + timedelta(days=3)).isoformat(), patient_id=clinic.state()["patients"][3])
    result = practice.engine.sync(Wish(practice.house.connection_id, phases=("discovery",)))
    assert (result.state, result.tallies[-1].created) == (RunState.SUCCESS, 1)
