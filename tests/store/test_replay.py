"""A day as it stood: rows that came, went and moved; who may see them; and what it costs (M14)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.replay import digest
from app.domain.runsheet import RowFacts
from app.domain.status import Status
from app.store import catalogue, connections, practices, replay, retention, row_words, rows, runsheet
from app.store.models import Appointment, RunSheet
from tests.fakes.house import House, furnished, statements
from tests.fakes.pms import IN_PERSON, TODAY, VIDEO, FakePms

TOMORROW = TODAY + timedelta(days=1)


def then(house: House, at: datetime, day: Any = TODAY) -> dict[str, RowFacts]:
    """The rows of the day as they stood, by the vendor's id or the walk-in's name."""
    with house.store.read() as session:
        facts = replay.day_at(session, house.practice_id, day, at).facts
    return {one.pms_appointment_id or one.patient_name: one for one in facts}


def now(house: House, day: Any = TODAY) -> dict[str, RowFacts]:
    with house.store.read() as session:
        facts = runsheet.rows_of(session, house.practice_id, day)
        whole = [runsheet.row_of(session, house.practice_id, one.id) for one in facts]
    return {one.pms_appointment_id or one.patient_name: one for one in whole if one is not None}


def moment(house: House) -> datetime:
    """This instant; what is done from here on is later."""
    at = house.clock.at
    house.clock.forward(1)
    return at


def test_every_kind_of_change_is_undone(house: House) -> None:
    house.maps_everybody()
    house.pms.books("a1", "a2", "a3", "gone", "late").books("b1", with_="lee")
    house.pms.deletes("late")
    house.sync(TODAY, TOMORROW)
    house.staff_sets("a1", Status.ARRIVED)
    house.staff_notes("a2", "wheelchair")
    before, at = now(house), moment(house)
    house.staff_sets("a1", Status.IN_PROGRESS)
    house.staff_notes("a2", "no wheelchair")
    house.pms.says("a3", Status.ARRIVED)
    house.pms.changes("b1", patients=house.pms.book["a1"].patients, practitioner_id="kim", comment="with kim now")
    house.pms.books("late", at="16:00", patients=3)
    house.pms.deletes("gone")
    house.reconciles(TODAY, TOMORROW)
    changed = now(house)
    assert {id_ for id_ in before if changed[id_] != before[id_]} == {"a1", "a2", "a3", "b1", "gone"}
    assert "late" in changed
    assert then(house, at) == before
    assert then(house, house.clock.at) == changed


def test_a_row_stands_on_the_day_it_stood_on(house: House) -> None:
    house.pms.books("moved", "stays").books("comes", day=TOMORROW)
    house.sync(TODAY, TOMORROW)
    before = now(house), now(house, TOMORROW)
    at = moment(house)
    house.pms.moves("moved", days=1)
    house.pms.moves("comes", days=-1)
    house.sync(TODAY, TOMORROW)
    between = moment(house)
    house.pms.moves("moved", days=-1)
    house.sync(TODAY, TOMORROW)
    assert (then(house, at), then(house, at, TOMORROW)) == before
    assert (set(then(house, between)), set(then(house, between, TOMORROW))) == ({"comes", "stays"}, {"moved"})
    assert set(then(house, house.clock.at)) == {"moved", "stays", "comes"}


def test_a_corrected_zone_moves_a_row_and_the_replay_knows_where_it_was(house: House) -> None:
    """The PMS says nothing new: only the day changes, and that is told too."""
    house.pms.books("early", at="00:30")
    house.sync()
    at = moment(house)
    with house.store.write() as session:
        practices.get(session, house.practice_id).timezone = "Australia/Perth"
    house.sync(TODAY - timedelta(days=1), TODAY)
    assert house.day_of("early") == TODAY - timedelta(days=1)
    assert set(then(house, at)) == {"early"}
    assert then(house, at, TODAY - timedelta(days=1)) == {}


def test_what_a_choice_hid_was_there_before_and_not_in_between(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    shown = moment(house)
    house.ticks()
    hidden = moment(house)
    house.ticks(VIDEO)
    assert [set(then(house, at)) for at in (shown, hidden, house.clock.at)] == [{"a1"}, set(), {"a1"}]


def test_a_mark_of_telehealth_is_undone_whoever_changed_it(house: House) -> None:
    """By a tick where everything is wanted, and by the PMS giving the visit another type."""
    with house.store.write() as session:
        connections.get(session, house.connection_id).sync_telehealth_only = False
    house.pms.books("a1", "a2")
    house.sync()
    before, at = now(house), moment(house)
    house.pms.changes("a2", type_id=IN_PERSON, type_name="In person")
    house.sync()
    house.clock.forward(1)
    house.ticks()
    assert not any(one.is_telehealth for one in now(house).values())
    assert then(house, at) == before


def test_walk_ins_are_there_from_when_they_were_added(house: House) -> None:
    house.maps_everybody()
    before = moment(house)
    act = house.act()
    with house.store.write() as session:
        clinician = catalogue.clinicians_of(session, house.practice_id)[0].id
        new = rows.WalkIn(clinician, "Wanda Walk", act.at, 15, None, "first note")
        row = rows.add_walk_in(session, house.practice_id, TODAY, new, act=act)
    added = now(house)
    later = house.act()
    with house.store.write() as session:
        row = rows.locked(session, house.practice_id, row.id)
        rows.set_status(session, row, Status.ARRIVED, seen_version=1, act=later)
    assert then(house, before) == {}
    assert then(house, act.at) == added
    assert then(house, act.at)["Wanda Walk"].clinician_id == clinician


def test_a_row_is_with_the_clinician_its_practitioner_of_then_is_mapped_to(house: House) -> None:
    house.maps_everybody()
    house.pms.books("a1")
    house.sync()
    before, at = now(house), moment(house)
    house.pms.moves("a1", with_="lee")
    house.sync()
    assert now(house)["a1"].clinician_id != before["a1"].clinician_id
    assert then(house, at) == before


def test_nothing_is_there_before_the_first_record_nor_of_another_practice(house: House) -> None:
    began = house.clock.at - timedelta(days=1)
    house.pms.books("a1")
    house.sync()
    other = furnished(house.store, house.clock, FakePms(), f"Practice {uuid4()}")
    other.pms.books("x1")
    other.sync()
    assert then(house, began) == {}
    assert then(house, house.clock.at, TOMORROW) == {}
    assert set(then(house, house.clock.at)) == {"a1"}
    assert set(then(other, house.clock.at)) == {"x1"}


@pytest.mark.parametrize("count", [1, 40])
def test_a_replay_takes_three_statements_whatever_happened(house: House, count: int) -> None:
    ids = [f"a{number}" for number in range(count)]
    house.pms.books(*ids, every=5)
    house.sync(TODAY, TOMORROW)
    at = moment(house)
    for id_ in ids:
        house.pms.says(id_, Status.CONFIRMED)
        house.pms.moves(id_, days=1)
    house.sync(TODAY, TOMORROW)
    with statements(house.store) as told, house.store.read() as session:
        assert len(replay.day_at(session, house.practice_id, TODAY, at).facts) == count
    assert len(told) == 3


@pytest.mark.feature("A29")
def test_a_day_past_the_limit_is_replayed_without_what_was_wiped_and_says_so(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    at = moment(house)
    house.pms.changes("a1", comment="with a carer")
    house.pms.says("a1", Status.CONFIRMED)
    house.sync()
    house.staff_notes("a1", "wheelchair")
    with house.store.read() as session:
        assert not replay.day_at(session, house.practice_id, TODAY, at).wiped
    with house.store.write() as session:
        practice = practices.get(session, house.practice_id)
        assert retention.wipe(session, practice, house.clock.at + timedelta(days=400)).sheets == 1
    with house.store.read() as session:
        past = replay.day_at(session, house.practice_id, TODAY, at)
    assert past.wiped
    (row,) = past.facts
    assert (row.pms_status, row.comment, row.note) == (Status.BOOKED, "with a carer", "wheelchair")


def test_a_run_that_changed_something_keeps_the_digest_of_the_days_it_changed(house: House) -> None:
    house.pms.books("a1", "a2").books("t1", day=TOMORROW)
    first = house.sync(TODAY, TOMORROW).tallies[-1].details["digests"]
    assert set(first) == {TODAY.isoformat(), TOMORROW.isoformat()}
    house.clock.forward(1)
    house.staff_notes("a1", "wheelchair")
    assert "digests" not in house.sync(TODAY, TOMORROW).tallies[-1].details
    house.pms.deletes("a2")
    second = house.reconciles(TODAY, TOMORROW).tallies[-1].details["digests"]
    assert set(second) == {TODAY.isoformat()}
    house.pms.moves("a1", days=1)
    third = house.sync(TODAY, TOMORROW).tallies[-1].details["digests"]
    assert set(third) == {TODAY.isoformat(), TOMORROW.isoformat()}
    for kept in (first, second, third):
        for day, told in kept.items():
            at = datetime.fromisoformat(told["at"])
            with house.store.read() as session:
                past = replay.day_at(session, house.practice_id, type(TODAY).fromisoformat(day), at)
            assert past.digest == told["digest"]
    assert len({told["digest"] for kept in (first, second, third) for told in kept.values()}) == 5


def test_every_column_is_remembered_or_listed_with_a_reason() -> None:
    columns = {column.name for column in Appointment.__table__.columns}
    assert set(row_words.FORGOTTEN) <= columns
    assert {name for name in columns if name not in row_words.FORGOTTEN} >= {
        "run_sheet_id", "is_telehealth", "hidden_cause", "removed_at", "staff_note_by", "row_version",
    }  # fmt: skip


#: What a wording could get wrong: quotes, escapes, what both databases take for their own signs, a list of people.
NASTY = [
    "it's",
    '"said"',
    "\\ \\n",
    "a\nb\tc",
    "\x1f\x01\x7f",
    "é e\u0301 😀",
    "null",
    "NULL",
    "%Q %s",
    "{}",
    "[1,2]",
    "'',''",
]


@pytest.mark.parametrize("people", [1, 3])
def test_the_database_words_a_row_as_we_do(house: House, people: int) -> None:
    """Letter by letter, or a digest would call a true replay a lie."""
    house.maps_everybody()
    house.clock.at = house.clock.at.replace(microsecond=120_300)
    for number, words in enumerate(NASTY):
        house.pms.books(f"a{number}", comment=words, location_id=words, patients=people)
    house.sync(TODAY, TOMORROW)
    for number, words in enumerate(NASTY):
        house.staff_notes(f"a{number}", words)
    house.staff_sets("a0", Status.ARRIVED)
    house.pms.deletes("a1")
    house.clock.at = house.clock.at.replace(microsecond=0) + timedelta(seconds=5)
    house.reconciles(TODAY, TOMORROW)
    with house.store.read() as session:
        sheet_ids = runsheet_ids(session)
        kept = replay.digests(session, sheet_ids, house.clock.at)[TODAY.isoformat()]
        past = replay.day_at(session, house.practice_id, TODAY, house.clock.at)
        theirs = [
            *session.connection().execute(row_words.STATEMENTS[house.store.dialect], {"sheet": sheet_ids[0]}).scalars()
        ]
    assert len(set(theirs)) == len(NASTY)
    assert past.digest == kept["digest"] == digest(theirs)


def runsheet_ids(session: Session) -> list[UUID]:
    return list(session.scalars(select(RunSheet.id).where(RunSheet.day == TODAY)))
