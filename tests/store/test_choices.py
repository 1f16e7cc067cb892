"""Toggles: what they hide comes back exactly, and the account of the day adds up throughout (M11, M12)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import clock
from app.domain.rules import Cause
from app.domain.status import Status
from app.store import choices, connections, practices, runsheet, schedules
from app.store.choices import Chosen, Impact
from app.store.models import Appointment, AppointmentType
from tests.fakes.house import House, furnished, statements, writes_to
from tests.fakes.pms import IN_PERSON, NOW, TODAY, VIDEO, FakePms

TOMORROW = TODAY + timedelta(days=1)


def hidden(house: House, day: Any = TODAY) -> dict[str, int]:
    with house.store.read() as session:
        return dict(runsheet.account_of(session, house.practice_id, day).hidden)


def impacts(house: House) -> dict[str, Impact]:
    with house.store.read() as session:
        connection = connections.get(session, house.connection_id)
        return choices.impacts(session, connection, practices.get(session, house.practice_id), house.clock.at)


def test_a_toggle_off_and_on_restores_the_exact_sheet(house: House) -> None:
    house.pms.books("a1", "a2").books("b1", with_="lee").books("c1", type=IN_PERSON)
    house.sync()
    house.staff_sets("a1", Status.ARRIVED)
    house.staff_notes("a2", "wheelchair")
    before = house.picture()
    assert house.ticks() == Chosen(hidden=3)
    assert house.picture() == []
    assert hidden(house) == {"type_off": 3, "not_telehealth": 1}
    house.account_adds_up()
    assert house.ticks(VIDEO) == Chosen(revived=3, brought_in=True)
    assert house.picture() == before
    assert hidden(house) == {"not_telehealth": 1}
    house.account_adds_up()
    house.sync()
    assert house.picture() == before


def test_a_sync_in_between_changes_nothing_of_that(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    before = house.picture()
    house.ticks()
    assert house.sync().tallies[-1].skipped == {Cause.NOT_TELEHEALTH: 2}
    house.account_adds_up()
    with statements(house.store) as told:
        house.sync()
    assert writes_to(told, "run_sheet_appointments", "appointment_events", "run_sheets") == []
    house.ticks(VIDEO)
    assert house.picture() == before
    house.account_adds_up()


def test_what_comes_back_is_what_the_pms_says_now_not_what_it_said_when_it_was_hidden(house: House) -> None:
    """The sweeps go on while a type is off; a row that was only kept as it was would come back with its old time."""
    house.pms.books("a1", "a2")
    house.sync()
    house.ticks()
    house.pms.moves("a1", minutes=60)
    house.pms.says("a2", Status.CANCELLED)
    house.sync()
    assert house.shown() == set()
    house.ticks(VIDEO)
    rows = {row.facts.pms_appointment_id: row for row in house.sheet().rows}
    assert rows["a1"].facts.starts_at == house.pms.book["a1"].starts_at
    assert rows["a2"].status is Status.CANCELLED
    assert all(row.facts.is_telehealth for row in rows.values())


def test_a_practitioner_switched_off_and_on(house: House) -> None:
    house.pms.books("a1").books("b1", "b2", with_="lee")
    house.sync()
    before = house.picture()
    assert house.wants("lee", False) == Chosen(hidden=2)
    assert house.shown() == {"a1"}
    assert hidden(house) == {"clinician_off": 2}
    house.account_adds_up()
    assert house.wants("lee", False) == Chosen()
    house.sync()
    assert "appointment" not in "".join(house.pms.asked)
    assert not any(one.startswith("lee/") for one in house.pms.asked[-3:])
    house.account_adds_up()
    assert house.wants("lee", True) == Chosen(revived=2, brought_in=True)
    assert house.picture() == before
    house.account_adds_up()


def test_what_two_choices_hide_comes_back_with_the_second(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.ticks()
    house.wants("kim", False)
    assert house.ticks(VIDEO).revived == 0
    house.account_adds_up()
    assert house.shown() == set()
    assert house.wants("kim", True).revived == 1
    assert house.shown() == {"a1"}
    house.account_adds_up()
    house.wants("kim", False)
    house.ticks()
    assert house.wants("kim", True).revived == 0, "its type is off"
    assert house.ticks(VIDEO).revived == 1


def test_a_type_of_several_stays_hidden_until_it_is_ticked_itself(house: House) -> None:
    house.pms.offers("phone").books("a1").books("p1", type="phone")
    house.sync()
    assert house.shown() == {"a1"}
    house.ticks(VIDEO, "phone")
    house.sync()
    assert house.shown() == {"a1", "p1"}
    house.ticks("phone")
    assert house.shown() == {"p1"}
    house.account_adds_up()


def test_past_days_keep_what_they_showed(house: House) -> None:
    yesterday = TODAY - timedelta(days=1)
    house.pms.books("y1", day=yesterday).books("a1").books("t1", day=TOMORROW)
    house.sync(yesterday, TOMORROW)
    assert house.ticks().hidden == 2
    assert (house.shown(yesterday), house.shown(TODAY), house.shown(TOMORROW)) == ({"y1"}, set(), set())
    for day in (yesterday, TODAY, TOMORROW):
        house.account_adds_up(day)


def test_where_everything_is_wanted_a_tick_only_marks(house: House) -> None:
    with house.store.write() as session:
        connections.get(session, house.connection_id).sync_telehealth_only = False
    house.pms.books("a1").books("c1", type=IN_PERSON)
    house.sync()
    assert {row.facts.pms_appointment_id: row.facts.is_telehealth for row in house.sheet().rows} == {
        "a1": True,
        "c1": False,
    }
    version = house.version()
    assert house.ticks(IN_PERSON) == Chosen(brought_in=True)
    assert {id_: row.is_telehealth for id_, row in house.rows().items()} == {"a1": False, "c1": True}
    assert house.version() > version
    assert [event.kind for event in house.events()] == ["rules", "rules"]
    house.account_adds_up()


def test_a_type_that_is_switched_off_altogether_is_not_brought_back_by_a_tick(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.ticks()
    with house.store.write() as session:
        for row in session.query(AppointmentType):
            row.sync_enabled = row.pms_type_id != VIDEO
    assert house.ticks(VIDEO).revived == 0
    assert house.sync().tallies[-1].skipped == {Cause.TYPE_OFF: 1}


def test_every_choice_is_told_as_a_rule_and_raises_the_sheets_it_touches(house: House) -> None:
    house.pms.books("a1").books("t1", day=TOMORROW)
    house.sync(TODAY, TOMORROW)
    before = house.version(TODAY), house.version(TOMORROW)
    house.ticks()
    assert (house.version(TODAY), house.version(TOMORROW)) == (before[0] + 1, before[1] + 1)
    (event,) = house.events("a1")
    assert (event.kind, event.sync_run_id, event.changes) == ("rules", None, {"hidden_cause": [None, "type_off"]})


def test_bringing_something_in_makes_the_connection_due(house: House) -> None:
    later = house.clock.at + timedelta(minutes=10)
    with house.store.write() as session:
        for row in schedules.of_connection(session, house.connection_id):
            row.next_due_at = later
    house.ticks()
    with house.store.read() as session:
        assert schedules.next_due(session, [house.connection_id])[house.connection_id] == later
    house.ticks(VIDEO)
    with house.store.read() as session:
        assert schedules.next_due(session, [house.connection_id])[house.connection_id] == house.clock.at


def test_the_impact_that_is_told_is_the_one_that_comes(house: House) -> None:
    house.pms.offers("phone").books("a1", "a2").books("p1", "p2", "p3", type="phone").books("t1", day=TOMORROW)
    house.sync(TODAY, TOMORROW)
    told = impacts(house)
    assert told[VIDEO] == Impact(shown_today=2, shown_week=3)
    assert told["phone"] == Impact(left_out_today=3, left_out_week=3)
    assert house.ticks().hidden == told[VIDEO].shown_week
    assert impacts(house)[VIDEO] == Impact(left_out_today=2, left_out_week=3)
    house.ticks(VIDEO, "phone")
    house.sync(TODAY, TOMORROW)
    assert len(house.shown()) == 2 + told["phone"].left_out_today
    assert impacts(house)["phone"] == Impact(shown_today=3, shown_week=3)


def test_a_choice_made_while_a_sync_is_on_its_way_is_kept(house: House) -> None:
    """The page was asked for under the old choice; it must not bring back what somebody has just switched off."""
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.before_page = lambda *_: house.ticks() if house.shown() else None  # type: ignore[assignment]
    result = house.sync()
    assert result.tallies[-1].skipped == {Cause.NOT_TELEHEALTH: 2}
    assert house.shown() == set()
    house.account_adds_up()


def test_switching_on_while_a_sync_is_on_its_way_brings_in(house: House) -> None:
    house.pms.books("a1", "a2")
    house.ticks()
    house.pms.before_page = lambda *_: house.ticks(VIDEO)  # type: ignore[assignment]
    assert house.sync().tallies[-1].created == 2
    assert house.shown() == {"a1", "a2"}
    house.account_adds_up()


def test_a_row_the_pms_no_longer_knows_is_in_no_account(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    house.pms.deletes("a1")
    house.reconciles()
    assert house.removed() == {"a1"}
    for types in ((), (VIDEO,)):
        house.ticks(*types)
        house.account_adds_up()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ticks"), st.sets(st.sampled_from(["video", "phone"]))),
        st.tuples(st.just("wants"), st.tuples(st.sampled_from(["kim", "lee"]), st.booleans())),
        st.tuples(st.just("sync"), st.booleans()),
        st.tuples(st.just("moves"), st.tuples(st.sampled_from(["a1", "p1", "b1"]), st.sampled_from([-1, 1]))),
        st.tuples(st.just("books"), st.sampled_from(["video", "phone", "in person"])),
    ),
    max_size=8,
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_account_adds_up_after_any_course_of_choices_and_syncs(house: House, steps: list[tuple[str, Any]]) -> None:
    here = furnished(house.store, house.clock, FakePms(), f"Practice {uuid4()}")
    here.pms.offers("phone").books("a1").books("p1", type="phone").books("b1", with_="lee").books("c1", type=IN_PERSON)
    days = (TODAY, TOMORROW)
    here.sync(*days)
    for number, (step, value) in enumerate(steps):
        if step == "ticks":
            here.ticks(*value)
        elif step == "wants":
            here.wants(*value)
        elif step == "moves" and NOW.date() + timedelta(days=value[1]) >= TODAY:
            here.pms.moves(value[0], days=value[1] if value[1] > 0 else 0)
        elif step == "books":
            here.pms.books(f"n{number}", type=value, at="15:00")
        elif step == "sync":
            here.sync(*days, full=value)
        for day in days:
            here.account_adds_up(day)
    assert here.count(Appointment) >= 1


def test_every_type_is_wanted_and_no_longer_whatever_is_ticked(house: House) -> None:
    house.pms.books("a1").books("c1", type=IN_PERSON)
    house.sync()
    assert house.shown() == {"a1"}
    assert every(house, True) == Chosen(brought_in=True)
    house.sync()
    assert house.shown() == {"a1", "c1"}
    assert every(house, True) == Chosen()
    assert every(house, False) == Chosen(hidden=1)
    assert house.shown() == {"a1"}
    assert house.row("c1").hidden_cause == "not_telehealth"
    house.account_adds_up()
    house.ticks()
    assert house.shown() == set()
    assert every(house, True) == Chosen(revived=2, brought_in=True)
    assert {row.facts.pms_appointment_id: row.facts.is_telehealth for row in house.sheet().rows} == {
        "a1": False,
        "c1": False,
    }
    house.account_adds_up()
    house.sync()
    house.account_adds_up()


def every(house: House, wanted: bool) -> Chosen:
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        practice = practices.get(session, house.practice_id)
        return choices.set_every_type(session, connection, practice, every=wanted, now=clock.now())
