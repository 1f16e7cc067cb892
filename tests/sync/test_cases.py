"""Cases beside rows: written with the page, once, by the practice's own words; never over what people said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.appointment import Client
from app.domain.cases import CaseStatus, CaseType, Visibility, WordKind
from app.domain.status import Status
from app.errors import InvalidInput
from app.store import case_pages, case_words, cases
from app.store.models import Case
from app.store.models.sync import RunState
from tests.fakes.clinic import Clinic
from tests.fakes.house import FakeClock, House, furnished, statements, writes_to
from tests.fakes.pms import IN_PERSON, TODAY, FakePms, patient

CLIENT = Client("cl-9", "Jordan Example", phone="0491 570 157", email="jordan@example.com")


@pytest.fixture
def clinic(house: House) -> Clinic:
    return Clinic.of(house)


def books_biscuit(clinic: Clinic, id_: str = "a1") -> None:
    biscuit = patient(id_, full_name="Biscuit", species="Canine", breed="Kelpie", phone=None, email=None)
    clinic.pms.offers("exam").books(id_, type="exam")
    clinic.pms.changes(id_, patients=(biscuit,), client=CLIENT, room="Room 2", comment="Limping")


def test_a_case_says_who_and_what_for(clinic: Clinic) -> None:
    books_biscuit(clinic)
    assert clinic.sync().state is RunState.SUCCESS
    facts, row = clinic.facts("a1"), clinic.row("a1")
    assert (facts.patient_name, facts.species, facts.breed) == ("Biscuit", "Canine", "Kelpie")
    assert (facts.client_id, facts.client_name) == ("cl-9", "Jordan Example")
    assert (facts.client_phone, facts.client_email) == ("+61491570157", "jordan@example.com")
    assert (facts.provider, facts.room, facts.reason, facts.type_name) == ("Dr Kim", "Room 2", "Limping", "Exam")
    assert (facts.status, facts.case_type, facts.visibility, facts.origin) == ("draft", "checkup", "private", "sync")
    assert (facts.appointment_id, facts.scheduled_at) == (row.id, row.starts_at)
    assert clinic.results[-1].tallies[1].details["cases"] == {"created": 1, "updated": 0, "unchanged": 0}


def test_of_people_the_patient_is_the_client(clinic: Clinic) -> None:
    clinic.pms.books("a1")
    clinic.sync()
    assert (clinic.facts("a1").client_name, clinic.facts("a1").client_phone) == ("Patient A1", "+61491570156")


def test_a_connection_that_keeps_none_has_none_and_asks_nothing_more(house: House) -> None:
    """Gentu's way: not a statement of it is about cases."""
    house.pms.books("a1", "a2")
    with statements(house.store) as told:
        assert house.sync().state is RunState.SUCCESS
    assert [one for one in told if " cases" in one or "case_" in one] == []
    assert house.count(Case) == 0


def test_a_second_sweep_writes_no_case(clinic: Clinic) -> None:
    clinic.pms.books("a1", "a2", "a3")
    clinic.sync()
    with statements(clinic.store) as told:
        result = clinic.sync()
    assert writes_to(told, "cases", "case_consultations") == []
    assert result.tallies[1].details["cases"] == {"created": 0, "updated": 0, "unchanged": 3}


@pytest.mark.parametrize("full", [False, True])
def test_what_changed_is_written_and_nothing_else(clinic: Clinic, full: bool) -> None:
    clinic.pms.books("a1", "a2")
    clinic.sync()
    before = clinic.cases()
    clinic.pms.changes("a2", room="Theatre")
    result = clinic.sync(full=full)
    after = clinic.cases()
    assert after["a2"].room == "Theatre"
    assert (after["a2"].id, after["a2"].created_at) == (before["a2"].id, before["a2"].created_at)
    assert after["a1"].updated_at == before["a1"].updated_at
    assert result.tallies[1].details["cases"] == {"created": 0, "updated": 1, "unchanged": 1}
    assert result.tallies[1].updated == 0  # a room is no part of the run sheet's row


def test_statements_for_a_page_do_not_grow_with_it(clinic: Clinic) -> None:
    def written(n: int) -> int:
        clinic.pms.books(*(f"x{n}-{k}" for k in range(n)), every=1)
        with statements(clinic.store) as told:
            clinic.sync()
        return len(told)

    written(1)  # makes the day's sheet
    assert written(3) == written(40)


def test_a_row_the_practice_does_not_want_has_no_case(clinic: Clinic) -> None:
    clinic.set(sync_telehealth_only=True)
    clinic.pms.books("a1").books("a2", type=IN_PERSON, at="10:00").books("b1", patients=0, at="11:00")
    clinic.sync()
    assert set(clinic.cases()) == {"a1"}


def test_a_row_found_elsewhere_by_its_id_takes_its_case_along(clinic: Clinic) -> None:
    clinic.pms.books("a1")
    clinic.sync()
    clinic.pms.moves("a1", days=30)
    clinic.sync()
    assert clinic.facts("a1").scheduled_at == clinic.row("a1").starts_at


def test_what_people_said_stands(clinic: Clinic) -> None:
    clinic.pms.books("a1")
    clinic.sync()
    with clinic.store.write() as session:
        cases.edit(
            session,
            clinic.practice_id,
            clinic.cases()["a1"].id,
            clinic.act(),
            status=CaseStatus.REVIEWED,
            case_type=CaseType.SURGERY,
            visibility=Visibility.PUBLIC,
        )
    clinic.pms.says("a1", Status.COMPLETED)
    clinic.pms.changes("a1", room="Theatre")
    clinic.sync(full=True)
    facts = clinic.facts("a1")
    assert (facts.status, facts.case_type, facts.visibility) == ("reviewed", "surgery", "public")
    assert facts.room == "Theatre"
    assert clinic.cases()["a1"].status == "completed"  # what the PMS says is known as well


def test_saying_nothing_of_a_case_is_refused(clinic: Clinic) -> None:
    clinic.pms.books("a1")
    clinic.sync()
    with clinic.store.write() as session, pytest.raises(InvalidInput):
        cases.edit(session, clinic.practice_id, clinic.cases()["a1"].id, clinic.act())


# --- the table of words -----------------------------------------------------------------------------------------------


def test_an_edit_of_the_table_acts_on_what_is_stored_and_on_what_comes(clinic: Clinic) -> None:
    clinic.pms.offers("dental", "exam").books("a1", type="dental").books("a2", type="exam", at="10:00")
    clinic.sync()
    assert clinic.facts("a1").case_type == "checkup"  # by the line for any
    assert clinic.maps(WordKind.TYPE, "Dental", "surgery") == 1
    assert (clinic.facts("a1").case_type, clinic.facts("a2").case_type) == ("surgery", "checkup")
    clinic.pms.books("a3", type="dental", at="11:00")
    clinic.sync()
    assert clinic.facts("a3").case_type == "surgery"
    assert clinic.maps(WordKind.TYPE, "dental", None) == 2
    assert clinic.facts("a1").case_type == "checkup"


def test_an_edit_of_a_status_word(clinic: Clinic) -> None:
    clinic.pms.books("a1", "a2")
    clinic.pms.says("a1", Status.UNKNOWN, "Ready to go home")
    clinic.sync()
    assert clinic.maps(WordKind.STATUS, "ready to go home", "completed") == 1
    assert {id_: one.status for id_, one in clinic.cases().items()} == {"a1": "completed", "a2": "draft"}
    assert clinic.maps(WordKind.STATUS, "*", "reviewed") == 0  # the other's word has a line


def test_the_table_as_it_acts(clinic: Clinic) -> None:
    clinic.maps(WordKind.TYPE, "exam", "emergency")
    with clinic.store.read() as session:
        lines = {(one.kind, one.word): one for one in case_words.lines_of(session, clinic.connection_id)}
    assert (lines[WordKind.TYPE, "exam"].value, lines[WordKind.TYPE, "exam"].own) == ("emergency", True)
    assert (lines[WordKind.STATUS, "scheduled"].value, lines[WordKind.STATUS, "scheduled"].own) == ("draft", False)


@pytest.mark.parametrize(("word", "value"), [("", "draft"), ("x", "checkup"), ("x", "gone"), ("y" * 300, "draft")])
def test_a_line_that_means_nothing_is_refused(clinic: Clinic, word: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        clinic.maps(WordKind.STATUS, word, value)


def test_an_edit_while_a_page_is_on_its_way_is_read_by_that_page(clinic: Clinic) -> None:
    """The page was fetched by the old table and is written by the new one."""
    clinic.pms.offers("dental").books("a1", type="dental")
    edits = iter([lambda: clinic.maps(WordKind.TYPE, "dental", "surgery")])
    clinic.pms.before_page = lambda *_: next(edits, lambda: 0)()
    clinic.sync()
    assert clinic.facts("a1").case_type == "surgery"


# --- tombstones, neighbours -------------------------------------------------------------------------------------------


def test_a_tombstone_is_apart_from_the_status_and_taken_back_when_the_id_comes_again(clinic: Clinic) -> None:
    clinic.pms.books("a1", "a2")
    clinic.pms.says("a1", Status.COMPLETED)
    clinic.sync()
    source = case_pages.Source(clinic.practice_id, clinic.connection_id, None, clinic.clock.at)
    with clinic.store.write() as session:
        assert case_pages.retire(session, source, ["a1"], "gone_at_vendor") == [clinic.cases()["a1"].id]
        assert case_pages.retire(session, source, ["a1"], "gone_at_vendor") == []
    gone = clinic.cases()["a1"]
    assert (gone.status, gone.delete_reason, gone.deleted_at) == ("completed", "gone_at_vendor", clinic.clock.at)
    clinic.sync()
    back = clinic.cases()["a1"]
    assert (back.deleted_at, back.delete_reason, back.deleted_by_run, back.id) == (None, None, None, gone.id)


def test_a_removal_that_is_undone_takes_its_tombstone_back(clinic: Clinic) -> None:
    clinic.pms.books("a1", "a2")
    clinic.sync()
    source = case_pages.Source(clinic.practice_id, clinic.connection_id, None, clinic.clock.at)
    first = clinic.cases()["a1"].id
    with clinic.store.write() as session:
        case_pages.retire(session, source, ["a1"], "gone_at_vendor")
        assert case_pages.restore(session, source, ["a1", "a2"]) == [first]
    assert clinic.cases()["a1"].deleted_at is None


def test_what_a_browser_extension_made_is_retired_by_no_sync(clinic: Clinic) -> None:
    clinic.pms.books("a1")
    clinic.sync()
    source = case_pages.Source(clinic.practice_id, clinic.connection_id, None, clinic.clock.at)
    with clinic.store.write() as session:
        session.get_one(Case, clinic.cases()["a1"].id).origin = "quick"
        session.flush()
        assert case_pages.retire(session, source, ["a1"], "gone_at_vendor") == []


def test_another_practice_with_the_same_ids_is_untouched(clinic: Clinic, clock_at: FakeClock) -> None:
    other = Clinic.of(furnished(clinic.store, clock_at, FakePms(), "Elsewhere"))
    for one in (clinic, other):
        one.pms.books("a1")
        one.sync()
    before = other.cases()["a1"]
    clinic.pms.changes("a1", room="Theatre")
    clinic.maps(WordKind.STATUS, "booked", "reviewed")
    clinic.sync(TODAY, TODAY + timedelta(days=1), full=True)
    after = other.cases()["a1"]
    assert (after.room, after.status, after.updated_at) == (None, "draft", before.updated_at)
    assert clinic.cases()["a1"].status == "reviewed"
