"""S03: who has a place in an appointment, what is not told of them, what changed, and whom a discovery meets."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from app.domain.status import Status
from app.pms.errors import PmsNotFound
from app.pms.halaxy.adapter import HalaxyAdapter
from tests.pms.halaxy.conftest import Opened
from tests.pms.halaxy.practice import MONDAY, at, only, pages, rows
from tests.sandbox.halaxy import Caller
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S03")

# --- groups, blocks, several people -----------------------------------------------------------------------------------


def test_each_patient_of_a_group_is_a_row_with_a_status_of_its_own(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    one, two, three = clinic.state()["patients"][:3]
    id_ = clinic.book(at("10:00"), patient_id=one, also=[two, three])
    clinic.change(id_, word="confirmed|cancelled|did not attend")
    (page,) = pages(adapter)
    assert page.received == 3
    assert {row.external_id: row.status for row in page.appointments} == {
        f"{id_}/{one}": Status.CONFIRMED,
        f"{id_}/{two}": Status.CANCELLED,
        f"{id_}/{three}": Status.NO_SHOW,
    }
    assert all(len(row.patients) == 1 for row in page.appointments)
    assert adapter.appointment(f"{id_}/{two}").status is Status.CANCELLED
    clinic.change(id_, patient_ids=[one, three])
    with pytest.raises(PmsNotFound):
        adapter.appointment(f"{id_}/{two}")


def test_a_reason_cancels_a_lone_booking_and_says_nothing_of_a_group(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    one, two = clinic.state()["patients"][:2]
    group, lone, late = (
        clinic.book(at("10:00"), patient_id=one, also=[two]), clinic.book(at("11:00")),
        clinic.book(at("12:00"), state="no_show"),
    )  # fmt: skip
    for id_ in (group, lone, late):
        clinic.raw(id_, cancellationReason={"text": "Ill"})
    found = {(id_.split("/")[0], row.status) for id_, row in rows(adapter).items()}
    assert found == {(group, Status.BOOKED), (lone, Status.CANCELLED), (late, Status.NO_SHOW)}


def test_a_block_is_one_row_without_anybody(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    people = clinic.practitioners()
    id_ = clinic.book(at("13:00"), block=True, practitioner_ids=people[:2])
    one = only(adapter)
    assert (one.external_id, one.is_block, one.raw_status) == (id_, True, None)
    assert (one.practitioner_id, one.other_practitioner_ids) == (people[0], (people[1],))
    assert adapter.appointment(id_).is_block
    with pytest.raises(PmsNotFound):
        adapter.appointment(f"{id_}/300455012")
    booked = clinic.book(at("14:00"))
    with pytest.raises(PmsNotFound):
        adapter.appointment(booked)  # under that id alone there is no row any more


def test_of_several_practitioners_the_first_who_is_wanted_is_the_main_one(clinic: StagedClinic, opened: Opened) -> None:
    people = clinic.practitioners()
    clinic.book(at("13:00"), practitioner_ids=people)
    (one,) = rows(opened(clinic), people=(people[1], people[2])).values()
    assert (one.practitioner_id, one.other_practitioner_ids) == (people[1], (people[0], people[2]))


def test_a_role_that_bears_another_persons_number_is_not_taken_for_that_person(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    first, second = clinic.practitioners()[:2]
    id_ = clinic.book(at("10:00"), online=False, practitioner_ids=[first])
    sent = Caller(clinic).get(f"/Appointment/{id_}").json()
    assert sent["participant"][0]["actor"]["reference"].endswith(f"/PractitionerRole/{second}")
    one = only(adapter)
    assert (one.practitioner_id, one.practitioner_name, one.location_id) == (first, "Dr Wren Okafor", "CL-440021")


# --- what is not told -------------------------------------------------------------------------------------------------


def test_a_patient_who_may_not_be_retrieved_is_shown_without_a_name(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    who = clinic.state()["patients"][:3]
    for one in who:
        clinic.book(at("10:00"), patient_id=one)
    clinic.control("knobs", denied=["Patient", "HealthcareService"])
    found = rows(adapter).values()
    assert {one.patient.external_id for one in found if one.patient} == set(who)
    assert {(one.patient.full_name, one.type_name) for one in found if one.patient} == {("Unknown patient", "Unknown")}
    assert len(clinic.asked("/Patient")) == 1, "after the first refusal nobody is asked for"
    assert [one.clients for one in adapter.clients(MONDAY)] == [[]]


def test_a_patient_who_is_gone_and_a_role_that_is_keep_the_booking(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    id_ = clinic.book(at("10:00"))
    actors = (("PractitionerRole", "PR-1"), ("Patient", "99"))
    participants = [{"actor": {"reference": f"{kind}/{who}", "type": kind}} for kind, who in actors]
    clinic.raw(id_, participant=participants)
    one = only(adapter)
    assert (one.external_id, one.status, one.raw_status) == (f"{id_}/99", Status.UNKNOWN, None)
    assert one.patient is not None
    assert one.patient.full_name == "Unknown patient"
    assert (one.practitioner_id, one.practitioner_name) == ("PractitionerRole/PR-1", "Unknown practitioner")


def test_a_booking_without_a_type_has_none(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.raw(clinic.book(at("10:00")), drop=("supportingInformation",))
    one = only(adapter)
    assert (one.type_id, one.type_name) == (None, "Unspecified")


@pytest.mark.parametrize("form", ["supporting", "extension"])
def test_a_location_type_tells_whether_it_is_telehealth_where_one_comes(
    clinic: StagedClinic, adapter: HalaxyAdapter, form: str
) -> None:
    clinic.control("knobs", place_type=form)
    clinic.book(at("10:00"))
    clinic.book(at("11:00"), online=False)
    assert [one.telehealth_hint for one in rows(adapter).values()] == [True, None]
    assert {one.type_name for one in rows(adapter).values()} == {"Initial consult, video"}


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([{"use": "usual", "given": ["Bea"], "family": "Thorn"},
          {"use": "official", "given": ["Beatrix", "Joan"], "family": "Thornquist"}], "Beatrix Joan Thornquist"),
        ([{"given": ["Bea"]}, {"given": "Beatrix", "family": "Thornquist"}], "Beatrix Thornquist"),
        ([{"use": "usual", "given": ["Bea"]}], "Bea"),
        ([{"text": "B. Thornquist"}], "B. Thornquist"),
        ([], "Unknown patient"),
    ],
)  # fmt: skip
def test_the_official_name_is_shown_else_one_with_a_family(
    clinic: StagedClinic, adapter: HalaxyAdapter, names: list[dict[str, object]], shown: str
) -> None:
    who = clinic.state()["patients"][0]
    clinic.raw(who, name=names)
    assert adapter.patient(who).full_name == shown


def test_a_patients_own_record(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    who = clinic.state()["patients"][0]
    clinic.raw(who, telecom=[{"system": "phone", "value": "+61255501234"}], birthDate=None)
    one = adapter.patient(who)
    assert (one.external_id, one.phone, one.email, one.birth_date) == (who, "+61255501234", None, None)
    with pytest.raises(PmsNotFound):
        adapter.patient("1")


# --- what changed -----------------------------------------------------------------------------------------------------


@pytest.mark.feature("E07")
def test_what_was_booked_or_changed_since_is_told_of_whatever_day(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.book(at("09:00"))
    moved = clinic.book(at("10:00"))
    clinic.sandbox.control("clock", at=at("12:30"))
    clinic.change(moved, at=at("10:00", 20), state="confirmed")
    new = clinic.book(at("09:00", 25))
    since = datetime.fromisoformat(at("12:30"))
    found = [one for page in adapter.changes(since, ()) for one in page.appointments]
    assert [one.external_id.split("/")[0] for one in found] == [moved, new]
    assert found[0].changed_at == since
    assert [page.received for page in adapter.changes(since + timedelta(minutes=5), ())] == [0]


# --- discovery --------------------------------------------------------------------------------------------------------


@pytest.mark.feature("E10")
def test_discovery_meets_each_patient_of_the_window_once(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    one, two, three = clinic.state()["patients"][:3]
    clinic.control("book", at=at("08:00"), count=120, patient_id=one)
    clinic.book(at("12:00"), patient_id=two, also=[one])
    clinic.book(at("09:00", 8), patient_id=three)
    found = list(adapter.clients(MONDAY))
    assert sorted(who.external_id for page in found for who in page.clients) == sorted([one, two])
    assert sum(page.received for page in found) == 122
    assert all(who.phone for page in found for who in page.clients)
