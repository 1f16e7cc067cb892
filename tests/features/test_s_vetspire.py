"""Vetspire whole (S08): a key typed, a day swept through the engine, cases with their notes, what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.domain.cases import CaseStatus
from app.store.db import Store
from app.store.models import Case
from app.store.models.sync import RunState
from tests.fakes.house import fake_is_registered, pms, shared_postgresql, shared_sqlite, store
from tests.features.over_stage import DAY, NOON, Practice, at, counts
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

__all__ = ["fake_is_registered", "pms", "shared_postgresql", "shared_sqlite", "store"]

pytestmark = pytest.mark.feature("S08")


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def practice(store: Store, _empty: RunningSandbox) -> Practice:
    return Practice(store, StagedClinic(_empty, "vetspire").fresh(NOON), keeps_cases=True).learns()


def statuses(practice: Practice) -> dict[str, str]:
    return {str(row.facts.pms_appointment_id): row.status.value for row in practice.house.sheet(DAY).rows}


def cases(practice: Practice) -> dict[str, Case]:
    with practice.store.read() as session:
        mine = select(Case).where(Case.practice_id == practice.house.practice_id)
        return {str(one.external_id): one for one in session.scalars(mine)}


def test_a_day_of_animals_stands_on_the_sheet(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    states = ("booked", "confirmed", "arrived", "in_progress", "completed", "cancelled", "no_show")
    booked = {clinic.book(at(f"{9 + hour:02}:00"), state=state): state for hour, state in enumerate(states)}
    strange = clinic.book(at("17:00"), word="GONE_FOR_A_WALK")
    clinic.book(at("18:00"), block=True)
    clinic.book(at("23:59", DAY - timedelta(days=1)))
    result = practice.sync()
    assert (result.state, result.reason) == (RunState.PARTIAL, "unknown_status")
    assert counts(result) == (8, 0, 0)
    assert statuses(practice) == booked | {strange: "unknown"}
    row = house.row(strange)
    assert (row.patient_name, row.patient_phone) == ("Biscuit", "+61491570156")
    house.account_adds_up(DAY)
    assert counts(practice.sync()) == (0, 0, 8)


def test_a_finished_visit_becomes_a_case_with_its_notes(practice: Practice) -> None:
    clinic = practice.clinic
    done, begun = clinic.book(at("09:00"), state="completed"), clinic.book(at("10:00"), state="in_progress")
    result = practice.sync()
    assert result.state is RunState.SUCCESS
    found = cases(practice)
    assert (found[done].species, found[done].breed, found[done].client_name) == (
        "Canine",
        "Kelpie",
        "Wilhelmina Quandongley",
    )
    assert (found[done].status, found[done].enrichment_state) == (CaseStatus.COMPLETED, "enriched")
    assert found[done].consultation_id == f"9{done}"
    assert found[begun].consultation_id is None, "its visit is not over"


def test_what_happens_to_a_booking_reaches_its_row(practice: Practice) -> None:
    """What was deleted is told by a list of its own; what is on none is gone only after a second reading."""
    clinic, house = practice.clinic, practice.house
    stays, moved, gone = (clinic.book(at(time)) for time in ("09:00", "10:00", "11:00"))
    practice.sync()
    clinic.change(stays, state="arrived")
    clinic.change(moved, at=at("10:00", DAY + timedelta(days=3)))
    clinic.delete(gone)
    practice.sync(DAY, DAY + timedelta(days=3))
    assert house.day_of(moved) == DAY + timedelta(days=3)
    assert statuses(practice) == {stays: "arrived", gone: "cancelled"}
    clinic.change(moved, at=at("10:00", DAY + timedelta(days=30)))
    result = practice.sync(DAY, DAY + timedelta(days=3))
    assert result.tallies[-1].details["retired"] == [moved]
    assert house.removed() == {moved}


def test_a_refusal_that_comes_as_a_success_removes_nobody(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    booked = {clinic.book(at("09:00")), clinic.book(at("10:00"))}
    practice.sync()
    before = house.version(DAY)
    for says in ("Something went wrong", "Cannot query field"):
        clinic.control("knobs", says=says)
        assert practice.sync().state is RunState.FAILED
        assert (house.shown(DAY), house.removed(), house.version(DAY)) == (booked, set(), before)


def test_a_record_that_cannot_be_read_is_set_aside_and_comes_back_when_it_can(practice: Practice) -> None:
    clinic, house = practice.clinic, practice.house
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, duration="half an hour")
    practice.sync()
    assert set(house.rows()) == {good}
    clinic.raw(bad, duration=30)
    assert practice.sync().state is RunState.SUCCESS
    assert set(house.rows()) == {good, bad}
