"""What a PMS lists, kept: practitioners, types, status words, and the clinicians they are mapped to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from app.domain.appointment import AppointmentType, Practitioner
from app.errors import InvalidInput
from app.store import catalogue, quarantine
from app.store.appointments import Source
from app.store.models import Clinician, ClinicianMapping, PmsStatus
from app.store.quarantine import Bad
from tests.fakes.house import House
from tests.fakes.pms import NOW, VIDEO

LONG = "x" * 400


def keep(house: House, *people: Practitioner) -> catalogue.Tally:
    with house.store.write() as session:
        return catalogue.keep_practitioners(session, house.connection_id, people)


def mappings(house: House) -> dict[str, ClinicianMapping]:
    with house.store.read() as session:
        return {row.pms_practitioner_id: row for row in catalogue.mappings_of(session, house.connection_id)}


def test_new_people_appear_and_nobody_is_mapped(bare_house: House) -> None:
    told = keep(bare_house, Practitioner("k", "Dr Kim", "k@example.com"), Practitioner("l", "Dr Lee", active=False))
    assert (told.fetched, told.created, told.updated, told.unchanged) == (2, 2, 0, 0)
    assert all(row.run_sheet_clinician_id is None and row.sync_enabled for row in mappings(bare_house).values())
    told = keep(bare_house, Practitioner("k", "Dr Kim-Lee", "k@example.com"), Practitioner("l", "Dr Lee", active=False))
    assert (told.created, told.updated, told.unchanged) == (0, 1, 1)


def test_who_is_no_longer_listed_is_inactive_with_the_mapping_kept(house: House) -> None:
    house.maps_everybody()
    before = mappings(house)["lee"].run_sheet_clinician_id
    keep(house, Practitioner("kim", "Dr Kim"))
    row = mappings(house)["lee"]
    assert (row.active, row.run_sheet_clinician_id) == (False, before)
    with house.store.read() as session:
        assert catalogue.swept_practitioners(session, house.connection_id) == {"kim"}
    keep(house, Practitioner("kim", "Dr Kim"), Practitioner("lee", "Dr Lee"))
    assert mappings(house)["lee"].active


def test_a_record_nobody_can_read_renames_nobody_and_brings_nobody_back(house: House) -> None:
    """One bad record in a list must not call Dr Kim “Unknown” on every page, nor set Dr Lee to work again."""
    keep(house, Practitioner("kim", "Dr Kim"), Practitioner("lee", "Dr Lee", active=False))
    bad = [Practitioner(who, "Unknown practitioner", readable=False) for who in ("kim", "lee", "new")]
    told = keep(house, *bad)
    assert (told.fetched, told.created, told.updated, told.unchanged) == (3, 1, 0, 2)
    found = {who: (row.pms_practitioner_name, row.active) for who, row in mappings(house).items()}
    assert found == {"kim": ("Dr Kim", True), "lee": ("Dr Lee", False), "new": ("Unknown practitioner", True)}
    with house.store.write() as session:
        before = {row.pms_type_id: row.pms_type_name for row in catalogue.types_of(session, house.connection_id)}
        kinds = [AppointmentType(id_, "Unknown", readable=False) for id_ in before]
        assert catalogue.keep_types(session, house.connection_id, kinds).unchanged == len(before)
        after = {row.pms_type_id: row.pms_type_name for row in catalogue.types_of(session, house.connection_id)}
    assert after == before


def test_an_empty_list_sets_nobody_inactive(house: House) -> None:
    assert keep(house).fetched == 0
    with house.store.write() as session:
        catalogue.keep_types(session, house.connection_id, [])
    with house.store.read() as session:
        assert all(row.active for row in catalogue.types_of(session, house.connection_id))
    assert all(row.active for row in mappings(house).values())


def test_a_new_type_is_off_and_a_ticked_one_stays_ticked(house: House) -> None:
    types = [AppointmentType(VIDEO, "Video, renamed", 15, "#fff"), AppointmentType("phone", "Phone")]
    with house.store.write() as session:
        told = catalogue.keep_types(session, house.connection_id, types)
    assert (told.created, told.updated) == (1, 1)
    with house.store.read() as session:
        found = {row.pms_type_id: row for row in catalogue.types_of(session, house.connection_id)}
    assert (found[VIDEO].is_telehealth, found[VIDEO].pms_type_name) == (True, "Video, renamed")
    assert (found["phone"].is_telehealth, found["in person"].active) == (False, False)


def test_text_that_is_too_long_or_holds_a_nul_is_kept_the_same_by_both_databases(house: House) -> None:
    """SQLite takes anything; PostgreSQL would refuse the whole page, run after run."""
    keep(house, Practitioner("kim", f"Dr\0 {LONG}", f"{LONG}@example.com"), Practitioner("lee", "\0"))
    with house.store.write() as session:
        catalogue.keep_types(session, house.connection_id, [AppointmentType("t", f"\0{LONG}", 30, LONG)])
        quarantine.keep(
            session,
            house.vault,
            Source(house.practice_id, house.connection_id, uuid4(), NOW),
            [Bad(f"\0{LONG}", LONG, LONG, b"{\0}")],
        )
    assert len(mappings(house)["kim"].pms_practitioner_name) == 255
    assert mappings(house)["lee"].pms_practitioner_name == "lee"


def test_everybody_gets_a_column_the_suggested_one_or_a_new_one(house: House) -> None:
    with house.store.write() as session:
        known = catalogue.new_clinician(session, house.practice_id, "Dr Kim")
        catalogue.new_clinician(session, house.practice_id, "Anna Lee")  # the same family name is no proof
        kim = known.id
    keep(house, *house.pms.people.values(), Practitioner("x", "Gone", active=False), Practitioner("y", "Dr Lee"))
    assert house.maps_everybody() == (3, 2)
    found = mappings(house)
    assert found["kim"].run_sheet_clinician_id == kim
    assert not found["kim"].auto_created
    assert found["lee"].auto_created
    assert found["x"].run_sheet_clinician_id is None
    assert house.maps_everybody() == (0, 0)
    with house.store.read() as session:
        people = catalogue.clinicians_of(session, house.practice_id)
    assert [person.name for person in people] == ["Dr Kim", "Anna Lee", "Dr Lee", "Dr Lee (2)"]
    assert {found["lee"].run_sheet_clinician_id, found["y"].run_sheet_clinician_id} == {people[2].id, people[3].id}


def test_a_button_pressed_twice_makes_nobody_twice(house: House) -> None:
    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(lambda _: house.store.transact(mapped(house)), range(2)))
    assert told == [(0, 0), (2, 2)]
    assert house.count(Clinician) == 2


def mapped(house: House) -> Any:
    return lambda session: catalogue.map_everybody(session, house.practice_id, house.connection_id)


def test_a_clinicians_name_is_made_unique_and_never_empty(house: House) -> None:
    with house.store.write() as session:
        names = [catalogue.new_clinician(session, house.practice_id, " Ann  Lee ").name for _ in range(3)]
        assert names == ["Ann Lee", "Ann Lee (2)", "Ann Lee (3)"]
        assert len(catalogue.new_clinician(session, house.practice_id, LONG).name) <= 255
        with pytest.raises(InvalidInput):
            catalogue.new_clinician(session, house.practice_id, "  ")


def test_a_word_nobody_knows_is_kept_until_somebody_explains_it(house: House) -> None:
    with house.store.write() as session:
        catalogue.note_unknown_statuses(session, house.connection_id, {"late_cancel": 2})
        catalogue.note_unknown_statuses(session, house.connection_id, {"late_cancel": 5, "bumped": 1})
        catalogue.note_unknown_statuses(session, house.connection_id, {})
    with house.store.write() as session:
        words = {row.raw_status: row for row in catalogue.unknown_words(session, house.connection_id)}
        assert set(words) == {"late_cancel", "bumped"}
        assert catalogue.explained_words(session, house.connection_id) == {}
        words["late_cancel"].status = "cancelled"
    with house.store.read() as session:
        assert catalogue.explained_words(session, house.connection_id) == {"late_cancel": "cancelled"}
        assert len(catalogue.unknown_words(session, house.connection_id)) == 1
    assert house.count(PmsStatus) == 2
