"""Two connections of one practice, and two practices, to which the vendor gave the same ids: nobody meets anybody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import clock
from app.domain.status import Status
from app.store import catalogue, connections
from app.store.models import Appointment, Practice
from app.store.models.connection import Environment
from app.store.models.sync import RunState
from tests.fakes.house import FakeClock, House, furnished
from tests.fakes.pms import TODAY, VIDEO, FakePms


def beside(house: House) -> House:
    """A second connection of the same practice; its system uses the very same ids."""
    other = FakePms().employs("kim", "lee").offers(VIDEO)
    with house.store.write() as session:
        practice = session.get_one(Practice, house.practice_id)
        made = connections.create(session, practice, "fake", "Second", Environment.SIMULATOR)
        connections.bind_tenant(session, made, "another tenant")
        connections.activate(session, made, practice, clock.now())
        catalogue.keep_practitioners(session, made.id, other.people.values())
        catalogue.keep_types(session, made.id, other.types.values())
    second = replace(house, pms=other, connection_id=made.id, results=[])
    second.ticks(VIDEO)
    return second


def far(house: House, clock_at: FakeClock) -> House:
    return furnished(house.store, clock_at, FakePms(), "Elsewhere")


@pytest.mark.parametrize("where", ["beside", "far"])
def test_the_same_ids_are_other_rows(house: House, clock_at: FakeClock, where: str) -> None:
    other = beside(house) if where == "beside" else far(house, clock_at)
    for one, comment in ((house, "ours"), (other, "theirs")):
        one.pms.books("a1", "a2", comment=comment)
        assert one.sync().tallies[-1].created == 2
    assert house.count(Appointment) == 4
    assert {row.pms_comment for row in house.rows().values()} == {"ours"}
    other.pms.says("a1", Status.CANCELLED)
    other.pms.deletes("a2")
    before = house.row("a1").row_version, house.row("a2").row_version
    assert other.reconciles().state is RunState.SUCCESS
    assert (house.row("a1").row_version, house.row("a2").row_version) == before
    assert (house.row("a1").pms_status, house.row("a2").removed_at) == ("booked", None)
    assert other.row("a2").removed_at is not None


@pytest.mark.parametrize("where", ["beside", "far"])
def test_a_choice_about_one_is_none_about_the_other(house: House, clock_at: FakeClock, where: str) -> None:
    other = beside(house) if where == "beside" else far(house, clock_at)
    for one in (house, other):
        one.pms.books("a1")
        one.sync()
    assert other.ticks().hidden == 1
    assert (house.row("a1").hidden_cause, other.row("a1").hidden_cause) == (None, "type_off")
    other.wants("kim", False)
    assert house.sync().tallies[-1].unchanged == 1
    assert other.sync().state is RunState.SUCCESS
    assert (house.sweeps()["kim"].received, "kim" in other.sweeps()) == (1, True)
    assert house.row("a1").hidden_cause is None


def test_both_connections_stand_on_one_sheet_each_row_once(house: House) -> None:
    other = beside(house)
    for one, at in ((house, "09:00"), (other, "10:00")):
        one.pms.books("a1", at=at)
        one.sync()
    assert [row.facts.connection_id for row in house.sheet(TODAY).rows] == [house.connection_id, other.connection_id]
    house.account_adds_up(TODAY)
    waiting = house.request(), other.request()
    assert house.claim(waiting[0]) is not None
    assert other.claim(waiting[1]) is not None, "one sync at a time is per connection"
