"""Patients found by a discovery, over HTTP from the simulated IntakeQ to the practice's list (E10, S7)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app.domain.discovery import Person
from app.store import organizations, reviews, set_aside
from app.store.models import Patient, PatientExternalId
from app.store.models.sync import RunState
from app.sync.engine import Wish
from tests.fakes.house import shared_postgresql, shared_sqlite, statements, store, writes_to
from tests.features.household import Household, household, intakeq_process, opened

__all__ = ["household", "intakeq_process", "shared_postgresql", "shared_sqlite", "store"]

TABLES = ("patients", "patient_external_ids", "discovery_reviews", "quarantined_records")


@pytest.mark.feature("E10", "S09")
def test_whoever_has_an_appointment_within_ninety_days_becomes_an_unaffiliated_patient(household: Household) -> None:
    early = household.books("Mara", "Quill", -90, email="Mara.Quill@example.com", phone="(0491) 570-156")
    late = household.books("Bo", "Saltmarshe", 90, email="bo@example.com", born=None)
    household.books("Too", "Early", -91, email="early@example.com")
    household.books("Too", "Late", 91, email="late@example.com")
    tally = household.discovers()
    assert (tally.created, tally.updated, tally.unchanged, tally.skipped.total()) == (2, 0, 0, 0)
    people = household.people()
    assert set(people) == {"Mara Quill", "Bo Saltmarshe"}
    mara = people["Mara Quill"]
    assert (mara.email, mara.phone, mara.birth_date) == ("Mara.Quill@example.com", "+61491570156", date(1987, 4, 9))
    assert not any(one.affiliated for one in people.values())
    assert household.ids() == {str(early): mara.id, str(late): people["Bo Saltmarshe"].id}
    assert people["Bo Saltmarshe"].birth_date is None


@pytest.mark.feature("E10")
@pytest.mark.promise("P4")
def test_three_discoveries_are_as_one(household: Household) -> None:
    for number in range(30):
        household.books("Quinn", f"Fernhollow{number}", 6 * number - 87, email=f"q{number}@example.com")
    household.books("Bo", "Fernhollow0", email="q0@example.com")  # shares an address
    assert household.discovers().created == 30
    before = household.people(), household.ids(), [one.review.id for one in household.questions()]
    changed = {name: one.created_at for name, one in before[0].items()}
    for _ in range(2):
        with statements(household.store) as told:
            tally = household.discovers()
        assert (tally.created, tally.updated, tally.unchanged) == (0, 0, 30)
        assert not [one for one in writes_to(told, *TABLES) if one.startswith("INSERT")]
    assert household.ids() == before[1]
    assert [one.review.id for one in household.questions()] == before[2]
    assert {name: one.created_at for name, one in household.people().items()} == changed


@pytest.mark.feature("E10")
@pytest.mark.fault("S7")
def test_a_family_with_one_address_never_overwrites_the_first(household: Household) -> None:
    address = {"email": "The.Quills@example.com"}
    mara = household.books("Mara", "Quill", 3, **address)
    household.discovers()
    first = household.people()["Mara Quill"]
    others = [household.books(name, "Quill", day, **address) for day, name in enumerate(("Bo", "Ann", "Mara"))]
    tally = household.discovers()
    assert (tally.created, tally.updated, tally.unchanged, dict(tally.skipped)) == (0, 0, 1, {"review": 3})
    (again,) = household.people().values()
    assert (again.name, again.phone, again.birth_date, again.email) == (
        first.name,
        first.phone,
        first.birth_date,
        first.email,
    )
    assert household.ids() == {str(mara): first.id}
    questions = household.questions()
    assert {one.review.external_id: one.review.doubt for one in questions} == dict.fromkeys(
        map(str, others), "other_id"
    )
    assert all([two.id for two in one.candidates] == [first.id] for one in questions)
    assert household.discovers().details["patientsToReview"] == 3, "the same questions, asked once"


@pytest.mark.feature("E10")
@pytest.mark.fault("S7")
def test_a_family_that_comes_on_one_page_is_asked_about_as_well(household: Household) -> None:
    """Nobody of them is known before: the page's own first must not take in the rest."""
    for name in ("Mara", "Bo", "Ann"):
        household.books(name, "Quill", email="the.quills@example.com")
    tally = household.discovers()
    assert (tally.created, dict(tally.skipped)) == (1, {"review": 2})
    assert len(household.people()) == 1


@pytest.mark.feature("E10")
@pytest.mark.fault("S7")
def test_somebody_written_down_by_hand_gets_their_id_and_keeps_what_was_written(household: Household) -> None:
    """By a name that is only written otherwise, or by the birth date of somebody who married."""
    named = household.writes_down("mara", "QUILL", email=" Mara.Quill@Example.com", phone="0491 570 158")
    born = household.writes_down("Ann", "Larkmoor", email="ann@example.com", birth_date=date(1990, 5, 1))
    ids = (
        household.books("Mara", "Quill", email="mara.quill@example.com"),
        household.books("Ann", "Mossbank", email="ANN@example.com", born="1990-05-01"),
    )
    tally = household.discovers()
    assert (tally.created, tally.updated) == (0, 2)
    assert household.ids() == {str(ids[0]): named, str(ids[1]): born}
    people = {one.id: one for one in household.people().values()}
    assert (people[named].name, people[named].phone) == ("mara QUILL", "+61491570158"), "a person's word stands"
    assert people[named].birth_date == date(1987, 4, 9), "and its gaps are filled"
    assert people[born].name == "Ann Larkmoor"


@pytest.mark.feature("E10")
@pytest.mark.fault("S7")
@pytest.mark.parametrize(
    ("by_hand", "client", "doubt"),
    [
        ([("Mara", None)], {"first": "Bo"}, "disagree"),
        ([("Mara", "1950-01-01")], {"first": "Mara", "born": "1980-01-01"}, "contradict"),  # mother and daughter
        ([("Ann", "1987-04-09")], {"first": "Bo"}, "contradict"),  # twins
        ([("Mara", None), ("Bo", None)], {"first": "Mara"}, "several"),
    ],
)
def test_whoever_shares_an_address_and_is_not_the_same_for_certain_is_for_a_person(
    household: Household, by_hand: list[tuple[str, str | None]], client: dict[str, str], doubt: str
) -> None:
    for first, born in by_hand:
        birth_date = date.fromisoformat(born) if born else None
        household.writes_down(first, "Quill", email="quill@example.com", birth_date=birth_date)
    household.books(**({"last": "Quill", "email": "quill@example.com"} | client))
    before = household.people()
    tally = household.discovers()
    assert (tally.created, tally.updated, dict(tally.skipped)) == (0, 0, {"review": 1})
    assert household.people() == before
    assert household.ids() == {}
    (question,) = household.questions()
    assert (question.review.doubt, question.person.first_name) == (doubt, client["first"])


@pytest.mark.feature("E10")
def test_a_person_settles_a_question_and_no_discovery_asks_it_again(household: Household) -> None:
    mara = household.books("Mara", "Quill", 3, email="quills@example.com")  # the newest is met first
    twice, other = (household.books(name, "Quill", email="quills@example.com") for name in ("Mara", "Bo"))
    household.discovers()
    questions = {one.review.external_id: one for one in household.questions()}
    first = household.people()["Mara Quill"]
    with household.store.write() as session:
        mine = household.house.practice_id
        reviews.same(session, mine, questions[str(twice)].review.id, first.id, household.act)
        made = reviews.another(session, mine, questions[str(other)].review.id, household.act)
    assert household.ids() == {str(mara): first.id, str(twice): first.id, str(other): made}
    assert household.questions() == []
    with household.store.read() as session:
        decided = {one.review.decision: one.review for one in reviews.listed(session, mine, decided=True)}
    assert {word: (one.decided_by, one.patient_id) for word, one in decided.items()} == {
        "same": (household.house.user_id, first.id),
        "another": (household.house.user_id, made),
    }
    household.client("Bo", "Quill", id=other, email="quills@example.com", phone="0491 570 159")
    household.client("Mari", "Quill", id=twice, email="quills@example.com", phone="0491 570 157")
    for _ in range(2):
        household.discovers()
        people = household.people()
        assert set(people) == {"Mara Quill", "Bo Quill"}, "the second record of one patient overwrites nothing"
        assert (people["Mara Quill"].phone, people["Bo Quill"].phone) == ("+61491570156", "+61491570159")
        assert household.questions() == []


@pytest.mark.feature("E10")
def test_affiliated_and_unaffiliated_patients_are_both_refreshed_and_the_record_tells_how_many(
    household: Household,
) -> None:
    ids = [household.books(name, "Mossbank", email=f"{name}@example.com") for name in ("Ann", "Bo", "Cy")]
    household.discovers()
    with household.store.write() as session:
        mine, act = household.house.practice_id, household.act
        made = organizations.create(session, mine, "Harbour Clinic", act)
        organizations.create(session, mine, "Nobody's", act)
        organizations.assign(session, mine, [household.people()["Ann Mossbank"].id], made.id, act)
    assert set(household.people(affiliated=False)) == {"Bo Mossbank", "Cy Mossbank"}
    for id_, name in zip(ids, ("Ann", "Bo", "Cy"), strict=True):
        household.client(name, "Mossbank", id=id_, email=f"{name}@example.com", phone="0491 570 159")
    household.books("Di", "Mossbank", email="di@example.com")
    result = household.sync("inbound", "discovery")
    assert {one.phone for one in household.people().values()} == {"+61491570159", "+61491570156"}
    told = household.details(result.run_id)
    assert {name: told[name] for name in told if name not in ("appointments", "errors")} == {
        "totalPatients": 4,
        "newPatientsDiscovered": 1,
        "unaffiliatedPatientsSynced": 3,
        "patientsProcessed": 4,
        "patientsFailed": 0,
        "patientsToReview": 0,
        "organizationsProcessed": 1,
    }
    inbound = next(one for one in result.tallies if one.phase == "inbound")
    assert told["appointments"] == {
        "new": inbound.created,
        "updated": inbound.updated,
        "unchanged": inbound.unchanged,
    }
    assert told["errors"] == []
    with household.store.read() as session:
        refreshed = {one.refreshed_at for one in session.query(Patient)}
    assert len(refreshed) == 1


@pytest.mark.feature("E10")
def test_the_newest_appointment_tells_who_somebody_is_and_an_older_one_fills_gaps(household: Household) -> None:
    """Though they lie in other stretches: nobody's number goes to and fro each night."""
    one = household.books("Mara", "Quill", 60, email="mara@example.com", phone="0491 570 159", born=None)
    older = household.visits(one, -60)
    told = {"ClientPhone": "0491 570 158", "ClientEmail": "old@example.com", "ClientDateOfBirth": "1987-04-09"}
    household.account.control("raw", id=older, fields=told)
    tally = household.discovers()
    assert (tally.created, tally.updated, dict(tally.skipped)) == (1, 1, {})
    for _ in range(2):
        mara = household.people()["Mara Quill"]
        assert (mara.phone, mara.email, mara.birth_date) == ("+61491570159", "mara@example.com", date(1987, 4, 9))
        tally = household.discovers()
        assert (tally.updated, tally.unchanged, dict(tally.skipped)) == (0, 1, {"duplicate": 1})


@pytest.mark.feature("E10")
@pytest.mark.fault("F34")
def test_a_client_that_cannot_be_read_is_set_aside_and_the_others_are_found(household: Household) -> None:
    bad = household.visits(household.client("Fennick", "Quandongley", email="f@example.com"), -30)
    household.books("Mara", "Quill", -30, email="mara@example.com")
    household.account.control("raw", id=bad, fields={"StartDate": "Fennick at noon"})
    for _ in range(2):
        result = household.sync("discovery")
        assert (result.state, result.reason) == (RunState.PARTIAL, "quarantined")
        assert set(household.people()) == {"Mara Quill"}
        told = household.details(result.run_id)
        assert (told["patientsFailed"], told["patientsProcessed"]) == (1, 1)
        assert [(one["record"], one["reason"]) for one in told["errors"]] == [(bad, "wrong_type")]
        assert "ennick" not in str(told)
    household.account.control("raw", id=bad, fields={})
    assert household.discovers().created == 1
    assert set(household.people()) == {"Mara Quill", "Fennick Quandongley"}
    with household.store.read() as session:
        (record,) = set_aside.listed(session, household.house.practice_id, resolved=None)
    assert (record.kind, record.seen, record.resolution) == ("client", 2, "read")


@pytest.mark.feature("E10", "S09")
def test_every_ordinary_sweep_writes_the_ids_of_patients_who_are_known(household: Household) -> None:
    """Of those who are so for certain: nobody new is made, nobody is asked, and the half year is not read."""
    household.sync("catalogue")
    known = household.writes_down("Mara", "Quill", email="mara@example.com")
    household.writes_down("Ann", "Larkmoor", email="ann@example.com")
    mara = household.books("Mara", "Quill", email="mara@example.com")
    household.books("Bo", "Larkmoor", email="ann@example.com", born=None)
    household.books("Somebody", "New", email="new@example.com")
    before = household.asked()
    with statements(household.store) as first:
        household.sync()
    assert household.asked() - before == 1, "the window's one page"
    assert household.ids() == {str(mara): known}
    assert len(household.people()) == 2
    assert household.questions() == []
    with statements(household.store) as second:
        household.sync()
    assert (len(about_patients(first)), len(about_patients(second))) == (4, 2)
    assert writes_to(second, *TABLES) == []


def about_patients(told: list[str]) -> list[str]:
    return [one for one in told if "patient_external_ids" in one or "discovery_reviews" in one]


@pytest.mark.feature("E10")
def test_a_page_of_clients_costs_the_same_statements_whatever_is_on_it(household: Household) -> None:
    def page(count: int) -> int:
        for number in range(count):
            household.books("Quinn", f"Cloudberry{count}x{number}", email=f"q{count}x{number}@example.com")
        with statements(household.store) as told:
            household.discovers(first=household.today, last=household.today)
        return len(told)

    page(1)
    few = page(3)
    assert page(60) == few


@pytest.mark.feature("E10")
def test_another_practice_with_the_same_people_stays_by_itself(household: Household) -> None:
    other = opened(household.store, household.account, "Elsewhere")
    other.writes_down("Mara", "Quill", email="mara@example.com", phone="0491 570 158")
    household.books("Mara", "Quill", email="mara@example.com")
    assert household.discovers().created == 1
    assert other.ids() == {}
    assert other.discovers().updated == 1
    assert {one.phone for one in other.people().values()} == {"+61491570158"}
    assert not set(other.ids().values()) & set(household.ids().values())


@pytest.mark.feature("E10")
def test_a_discovery_reads_its_own_days_and_an_ordinary_sync_does_not_discover(household: Household) -> None:
    today, quarter = household.today, timedelta(days=90)
    ask = household.engine.ask_for(Wish(household.house.connection_id, phases=("discovery",)))
    assert (ask.window_from, ask.window_to) == (today - quarter, today + quarter)
    usual = household.engine.ask_for(Wish(household.house.connection_id))
    assert "discovery" not in usual.phases
    both = household.engine.ask_for(Wish(household.house.connection_id, phases=("inbound", "patients")))
    assert (both.window_from, both.window_to) == (today, today)
    assert both.own_windows == {"discovery": (today - quarter, today + quarter)}
    named = household.engine.ask_for(Wish(household.house.connection_id, today, today, phases=("discovery",)))
    assert named.own_windows == {"discovery": (today, today)}


@pytest.mark.feature("E10")
def test_nobody_known_by_another_spelling_of_an_address_is_made_twice(household: Household) -> None:
    household.writes_down("Zoë", "Quill", email="ZOË@example.com")
    household.books("zoe\u0308", "quill", email="zoe\u0308@EXAMPLE.com ")
    tally = household.discovers()
    assert (tally.created, tally.updated) == (0, 1)
    assert household.house.count(PatientExternalId) == 1
    assert Person("Zoë", "Quill").name_key == Person("zoe\u0308 ", " quill").name_key
