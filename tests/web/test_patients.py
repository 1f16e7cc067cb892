"""Patients in front of a person: found, assigned, asked about (E10)."""

from __future__ import annotations

import re
from datetime import date

import pytest

from app import clock
from app.domain.discovery import Person
from app.store import history, organizations, patients, reviews, sync_runs
from app.store.db import Store
from app.store.models import Affiliation
from app.store.models.sync import Trigger
from app.store.patients import Facts, Wanted
from app.store.sync_runs import Ask
from tests.factories import Clinic
from tests.web.pages import Visit, statements

pytestmark = pytest.mark.feature("E10")
MARA = Person("Mara", "Quill", "quills@example.com", "+61491570156", date(1987, 4, 9))
BO = Person("Bo", "Quill", "quills@example.com", None, date(1990, 5, 1))
ANN = Person("Ann", "Larkmoor", "ann@example.com")


def people(store: Store, clinic: Clinic, **wanted: object) -> dict[str, Facts]:
    with store.read() as session:
        return {one.name: one for one in patients.listed(session, clinic.id, Wanted(**wanted), limit=1000)}  # type: ignore[arg-type]


def many(count: int) -> list[Person]:
    return [Person("Quinn", f"Fernhollow{n:03}", f"q{n}@example.com", None, date(1950, 1, 1)) for n in range(count)]


def test_everybody_finds_a_patient_by_part_of_a_name_and_the_address_tells_nobody(
    clinic: Clinic, reception: Visit
) -> None:
    clinic.finds(MARA, ANN)
    page = reception.page("/patients")
    assert "2 patients" in page.text
    assert page.text.index("Ann Larkmoor") < page.text.index("Mara Quill"), "by name as it is written"
    assert "0491 570 156" in page.text
    answer = reception.post("/patients/search", {"q": "QUI", "who": ""})
    assert answer.status_code == 200
    assert ("Mara Quill" in answer.text, "Ann Larkmoor" in answer.text) == (True, False)
    part = reception.post("/patients/search", {"q": "nobody%"}, htmx=True)
    assert part.text.strip().startswith('<div id="list"')
    assert "Nobody like that" in part.text


@pytest.mark.security("X28")
def test_a_search_travels_in_the_body_alone(clinic: Clinic, reception: Visit) -> None:
    clinic.finds(*many(60))
    page = reception.page("/patients")
    assert re.findall(r'<form[^>]* method="get"', page.html) == []
    answer = reception.post("/patients/search", {"q": "fernhollow", "page": "2"})
    assert answer.text.count("<h2><a href=") == 10
    assert not [one for one in re.findall(r'(?:href|action|hx-post)="([^"]*)"', answer.text) if "hollow" in one]


def test_an_admin_assigns_several_in_one_go_and_takes_one_out_again(clinic: Clinic, owner: Visit, store: Store) -> None:
    clinic.finds(MARA, ANN, Person("Cy", "Mossbank", "cy@example.com"))
    known = people(store, clinic)
    page = owner.page("/patients/unaffiliated")
    assert page.html.count('name="patient"') == 3
    ids = [str(known[name].id) for name in ("Mara Quill", "Ann Larkmoor")]
    answer = owner.post("/patients/assign", {"patient": ids, "new": "Harbour Clinic"})
    assert (answer.status_code, answer.location) == (303, "/patients/unaffiliated")
    page = owner.page("/patients/unaffiliated")
    assert "2 patients now of Harbour Clinic." in page.text
    assert set(people(store, clinic, affiliated=False)) == {"Cy Mossbank"}
    with store.read() as session:
        ((made, count),) = organizations.listed(session, clinic.id)
        told = {(one.added_by, one.ended_at) for one in session.query(Affiliation)}
    assert (made.name, count, told) == ("Harbour Clinic", 2, {(clinic.people["owner"].id, None)})
    shown = owner.page(f"/patients/{ids[0]}")
    assert "Harbour Clinic since 09:42, by Owner Ash" in shown.text
    answer = owner.post("/patients/remove", {"patient": ids[0], "organization": str(made.id), "back": ids[0]})
    assert answer.location == f"/patients/{ids[0]}"
    assert not people(store, clinic)["Mara Quill"].affiliated
    with store.read() as session:
        (ended,) = [one for one in session.query(Affiliation) if one.ended_at]
    assert ended.ended_by == clinic.people["owner"].id, "that they belonged there stays on record"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"new": "Harbour Clinic"}, "Tick at least one patient."),
        ({"patient": "somebody", "new": "Harbour Clinic"}, "There is no such patient"),
        ({"patient": "{mara}"}, "Choose an organisation"),
        ({"patient": "{mara}", "new": "x" * 300}, "Use at most 255 characters"),
    ],
)
def test_what_cannot_be_assigned_is_told_and_nothing_is_written(
    clinic: Clinic, owner: Visit, store: Store, form: dict[str, str], said: str
) -> None:
    clinic.finds(MARA)
    mara = str(people(store, clinic)["Mara Quill"].id)
    answer = owner.post("/patients/assign", {name: value.format(mara=mara) for name, value in form.items()})
    assert answer.status_code == 303
    assert said in owner.page("/patients/unaffiliated").text
    with store.read() as session:
        assert organizations.listed(session, clinic.id) == []


@pytest.mark.security("X13")
def test_reception_sees_who_is_unaffiliated_and_has_no_form_for_it(
    clinic: Clinic, reception: Visit, doctor: Visit
) -> None:
    clinic.finds(MARA, BO)
    for visit in (reception, doctor):
        page = visit.page("/patients/unaffiliated")
        assert "Mara Quill" in page.text
        assert "/patients/assign" not in page.html
        assert "/patients/reviews" not in visit.page("/patients").html
        assert visit.get("/patients/reviews").status_code == 403
        assert visit.post("/patients/assign", {"new": "x"}).status_code == 403


def test_a_question_is_settled_either_way_and_only_once(clinic: Clinic, owner: Visit, store: Store) -> None:
    clinic.finds(MARA, BO, MARA)
    assert "2 doubtful matches wait" in owner.page("/patients").text
    page = owner.page("/patients/reviews")
    assert "born 1 May 1990" in page.text
    assert "another client of the same system" in page.text
    with store.read() as session:
        asked = {one.person.first_name: str(one.review.id) for one in reviews.listed(session, clinic.id)}
    mara = people(store, clinic)["Mara Quill"]
    owner.post(f"/patients/reviews/{asked['Bo']}/another")
    assert "Two persons." in owner.page("/patients/reviews").text
    assert set(people(store, clinic)) == {"Mara Quill", "Bo Quill"}
    owner.post(f"/patients/reviews/{asked['Mara']}/same", {"patient": str(people(store, clinic)["Bo Quill"].id)})
    assert "Choose one of the patients" in owner.page("/patients/reviews").text, "Bo was no candidate"
    owner.post(f"/patients/reviews/{asked['Mara']}/same", {"patient": str(mara.id)})
    page = owner.page("/patients/reviews")
    assert "One person." in page.text
    assert "Nothing is doubtful" in page.text
    assert "Owner Ash said 09:42: the same person." in page.text
    assert len(people(store, clinic)["Mara Quill"].known_as) == 2
    owner.post(f"/patients/reviews/{asked['Mara']}/another")
    assert "decided this already" in owner.page("/patients/reviews").text
    assert len(people(store, clinic)) == 2


def test_a_system_that_tells_of_nobody_is_not_looked_at(clinic: Clinic, owner: Visit) -> None:
    empty = owner.page("/patients").text
    assert "nobody comes here by itself" in empty
    assert "Nobody yet" not in empty, "nobody ever, from there"
    assert "/patients/discover" not in owner.page("/patients").html
    owner.post("/patients/discover")
    assert "No connected system tells who its clients are." in owner.page("/patients").text


@pytest.mark.parametrize("path", ["/patients", "/patients/unaffiliated", "/patients/reviews"])
def test_a_page_costs_the_same_statements_whatever_is_on_it(
    clinic: Clinic, owner: Visit, store: Store, path: str
) -> None:
    clinic.finds(*many(1), Person("Shares", "One", "q0@example.com"))
    owner.page(path)

    def cost() -> list[str]:
        with statements(store) as told:
            owner.page(path)
        return told

    few = cost()
    clinic.finds(*many(45)[1:], *(Person("Shares", f"Two{n}", f"q{n}@example.com") for n in range(10)))
    assert len(cost()) == len(few)
    assert len(few) <= 9


def test_three_hundred_are_shown_page_by_page(clinic: Clinic, owner: Visit) -> None:
    clinic.finds(*many(300))
    page = owner.page("/patients")
    assert page.html.count("<h2><a href=") == 50
    assert "300 patients" in page.text
    last = owner.post("/patients/search", {"page": "6"}).text
    assert "Fernhollow299" in last
    assert 'value="7"' not in last
    assert "The first 50 of 300; the others follow." in owner.page("/patients/unaffiliated").text


def test_a_run_tells_whom_its_discovery_met(clinic: Clinic, owner: Visit, store: Store) -> None:
    told = {
        "totalPatients": 12,
        "newPatientsDiscovered": 3,
        "unaffiliatedPatientsSynced": 7,
        "patientsProcessed": 11,
        "patientsFailed": 1,
        "patientsToReview": 2,
        "organizationsProcessed": 1,
    }
    with store.write() as session:
        assert clinic.connection_id is not None
        ask = Ask(clinic.id, clinic.connection_id, ("discovery",), clinic.today, clinic.today, Trigger.SCHEDULE)
        run = sync_runs.request(session, ask, clock.now()).run_id
        columns = {"details": told, "started_at": clock.now(), "completed_at": clock.now()}
        history.file_phase(session, run, "discovery", 0, **columns)
    page = owner.page(f"/sync-history/{run}")
    assert (
        "Patients: 11 patients met of 12, 3 new, 7 of no organisation, the others of 1 organisation, "
        "1 could not be read, 2 doubtful matches." in page.text
    )
