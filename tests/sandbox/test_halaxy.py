"""The simulated Halaxy against what is known of the real one (pms/halaxy.md). A bare HTTP client asks."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.halaxy import Caller, status_codes
from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S03")

NOON = "2026-03-09T12:00:00+11:00"
DAY = (("date", "ge2026-03-09T00:00:00+11:00"), ("date", "lt2026-03-10T00:00:00+11:00"))
INCLUDED = (("_include", "Appointment:patient"), ("_include", "Appointment:practitioner-role"))


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


@pytest.fixture
def clinic(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "halaxy").fresh(NOON)


@pytest.fixture
def caller(clinic: StagedClinic) -> Caller:
    return Caller(clinic)


def code(answer: requests.Response) -> str:
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    return str(body["issue"][0]["code"])


# --- the door ---------------------------------------------------------------------------------------------------------


def test_a_token_says_an_hour_and_is_asked_for_in_json(clinic: StagedClinic, caller: Caller) -> None:
    told = caller.ask_token().json()
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
    assert clinic.state()["knobs"]["token_ttl_s"] == 900
    form = requests.post(
        f"{clinic.url}/oauth/token",
        data={"grant_type": "client_credentials", **clinic.credentials},
        headers={"User-Agent": "A (a@example.com)"},
        timeout=20,
    )
    assert form.status_code == 400
    refused = caller.ask_token(client_secret="another")
    assert (refused.status_code, refused.json()["error_description"]) == (401, "Client authentication failed")


@pytest.mark.parametrize("agent", ["", "python-requests/2", "Somebody"])
def test_who_does_not_say_whom_to_write_to_stays_outside(caller: Caller, agent: str) -> None:
    caller.sign()
    caller.headers["User-Agent"] = agent
    assert (caller.get("/metadata").status_code, caller.ask_token().status_code) == (403, 403)


def test_a_token_ends_and_another_format_is_not_spoken(clinic: StagedClinic, caller: Caller) -> None:
    assert caller.get("/metadata").json()["resourceType"] == "CapabilityStatement"
    clinic.end_tokens()
    ended = caller.get("/Appointment")
    assert (ended.status_code, code(ended)) == (401, "expired")
    caller.sign()
    caller.headers["Accept"] = "text/html"
    assert caller.get("/Appointment").status_code == 406
    caller.headers |= {"Accept": "application/fhir+json", "Authorization": "Basic abc"}
    assert (caller.get("/Appointment").status_code, code(caller.get("/Appointment"))) == (401, "login")


def test_a_resource_that_is_switched_off_is_forbidden_and_not_included(clinic: StagedClinic, caller: Caller) -> None:
    clinic.book(NOON)
    clinic.control("knobs", denied=["Patient"])
    assert (caller.get("/Patient").status_code, code(caller.get("/Patient"))) == (403, "forbidden")
    kinds = {row["resourceType"] for row in caller.rows("/Appointment", *DAY, *INCLUDED)}
    assert kinds == {"Appointment", "PractitionerRole"}


def test_every_answer_counts_down_and_the_limit_says_how_long(clinic: StagedClinic, caller: Caller) -> None:
    caller.sign()
    clinic.control("knobs", limits=[[2, 60]])
    answers = [caller.get("/metadata") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert [one.headers["x-ratelimit-remaining"] for one in answers] == ["1", "0", "0"]
    assert {one.headers["x-ratelimit-limit"] for one in answers} == {"2"}
    assert (code(answers[-1]), 0 < int(answers[-1].headers["Retry-After"]) <= 60) == ("throttled", True)


def test_a_verb_nobody_offers_answers_nothing_at_all(clinic: StagedClinic, caller: Caller) -> None:
    caller.sign()
    answer = requests.delete(f"{clinic.url}/Appointment/1", headers=caller.headers, timeout=20)
    assert (answer.status_code, answer.content) == (405, b"")
    assert (caller.get("/Nothing").status_code, code(caller.get("/Appointment/1"))) == (404, "not-found")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_pages_count_from_one_and_name_the_next_and_the_last(clinic: StagedClinic, caller: Caller) -> None:
    clinic.control("book", at=at("08:00"), count=65)
    body = caller.get("/Appointment", *DAY).json()
    links = {one["relation"]: one["url"] for one in body["link"]}
    assert (len(body["entry"]), body["total"], sorted(links)) == (30, 65, ["last", "next", "self"])
    assert "page=2" in links["next"]
    assert "page=3" in links["last"]
    last = requests.get(links["last"], headers=caller.headers, timeout=20).json()
    assert (len(last["entry"]), [one["relation"] for one in last["link"]]) == (5, ["self", "last"])
    assert "total" not in caller.get("/Appointment", *DAY, ("_total", "none")).json()
    assert "entry" not in caller.get("/Appointment", *DAY, ("page", 9)).json()


@pytest.mark.parametrize("query", [("_count", 101), ("_count", 0), ("page", 0), ("date", "soon"), ("_include", "Slot")])
def test_what_cannot_be_asked_is_refused(caller: Caller, query: tuple[str, Any]) -> None:
    answer = caller.get("/Appointment", query)
    assert (answer.status_code, code(answer)) == (422, "invalid")


def test_a_plus_sign_that_was_not_written_out_is_a_blank_and_refused(clinic: StagedClinic, caller: Caller) -> None:
    caller.sign()
    url = f"{clinic.url}/Appointment?date=ge2026-03-09T00:00:00+11:00"
    assert requests.get(url, headers=caller.headers, timeout=20).status_code == 422


def test_a_filter_nobody_knows_is_left_out_with_a_warning_among_the_entries(
    clinic: StagedClinic, caller: Caller
) -> None:
    id_ = clinic.book(NOON)
    first, second = caller.rows("/Appointment", *DAY, ("actor", "PR-1"))
    assert (first["id"], second["resourceType"], second["id"]) == (id_, "OperationOutcome", "warning")


# --- searching --------------------------------------------------------------------------------------------------------


def test_a_day_is_cut_by_its_bounds_and_a_bare_one_is_the_clinics(clinic: StagedClinic, caller: Caller) -> None:
    first, last = clinic.book(at("00:00")), clinic.book(at("23:59"))
    clinic.book(at("23:59", 8))
    clinic.book(at("00:00", 10))
    assert caller.ids("/Appointment", *DAY) == [first, last]
    assert caller.ids("/Appointment", ("date", "eq2026-03-09")) == [first, last]
    assert caller.ids("/Appointment", ("date", "gte2026-03-09"), ("date", "lte2026-03-09")) == [first, last]
    assert caller.ids("/Appointment", *DAY, ("_sort", "-date")) == [last, first]


def test_cancelled_ones_come_and_deleted_ones_are_gone_for_good(clinic: StagedClinic, caller: Caller) -> None:
    off, gone = clinic.book(NOON), clinic.book(NOON)
    clinic.cancel(off, "Cannot make it")
    clinic.delete(gone)
    (row,) = caller.rows("/Appointment", *DAY)
    assert (row["id"], status_codes(row), "status" in row) == (off, ["cancelled"], False)
    assert caller.get(f"/Appointment/{gone}").status_code == 404
    assert caller.ids("/Appointment", ("part-status", "cancelled"), *DAY) == [off]


def test_what_changed_since_is_told_by_the_stamp_of_the_record(clinic: StagedClinic, caller: Caller) -> None:
    old, new = clinic.book(at("09:00", 20)), clinic.book(at("10:00", 20))
    clinic.sandbox.control("clock", at="2026-03-09T13:00:00+11:00")
    clinic.change(new, state="arrived")
    (row,) = caller.rows("/Appointment", ("_lastUpdated", "gt2026-03-09T12:30:00+11:00"))
    assert (row["id"], row["meta"]["lastUpdated"]) == (new, "2026-03-09T02:00:00+00:00")
    assert len(caller.ids("/Appointment", ("_lastUpdated", "ge2026-03-09T12:00:00+11:00"))) == 2
    assert caller.ids("/Appointment", ("_id", old)) == [old]


def test_a_booking_points_to_a_role_and_the_role_to_a_person(clinic: StagedClinic, caller: Caller) -> None:
    clinic.book(NOON)
    iterated = (
        ("_include:iterate", "PractitionerRole:practitioner"),
        ("_include:iterate", "PractitionerRole:organization"),
    )
    appointment, *beside = caller.rows("/Appointment", *DAY, *INCLUDED, *iterated)
    by_kind = {row["resourceType"]: row for row in beside}
    assert set(by_kind) == {"Patient", "PractitionerRole", "Practitioner", "Organization"}
    role = by_kind["PractitionerRole"]
    assert appointment["participant"][0]["actor"]["reference"].endswith(f"/PractitionerRole/{role['id']}")
    assert role["practitioner"]["reference"] == f"Practitioner/{clinic.practitioners()[0]}"
    assert by_kind["Patient"]["name"][0] == {"use": "usual", "given": [by_kind["Patient"]["name"][1]["given"][0][:3]]}
    assert by_kind["Patient"]["telecom"][0] == {"system": "sms", "value": "+61491570156", "use": "mobile"}


def test_everybody_has_two_roles_whose_ids_are_other_peoples(clinic: StagedClinic, caller: Caller) -> None:
    people = caller.ids("/Practitioner", ("_count", 100))
    roles = caller.rows("/PractitionerRole", ("_count", 100))
    own = [row for row in roles if row["id"].startswith("PR-")]
    assert len(own) == 8
    assert {row["id"] for row in own} & set(people), "a role may bear the number of a practitioner"
    assert {row["organization"]["reference"].split("/")[-1][:3] for row in roles} == {"CL-", "SP-"}
    assert [id_ for id_ in people if id_.startswith("EP-")] == ["EP-501", "EP-502"]


def test_each_patient_of_a_group_has_a_status_and_a_block_has_nobody(clinic: StagedClinic, caller: Caller) -> None:
    one, two = clinic.state()["patients"][:2]
    clinic.change(clinic.book(NOON, patient_id=one, also=[two]), word="confirmed|cancelled")
    clinic.book(at("13:00"), block=True)
    group, block = caller.rows("/Appointment", *DAY)
    assert status_codes(group) == ["confirmed", "cancelled"]
    assert [one["actor"]["type"] for one in block["participant"]] == ["PractitionerRole"]
    assert "description" not in block


def test_booked_becomes_attended_by_itself_where_the_practice_lets_it(clinic: StagedClinic, caller: Caller) -> None:
    clinic.book(at("11:30"))
    clinic.book(at("12:30"))
    clinic.control("knobs", auto_attend=True)
    assert [status_codes(row) for row in caller.rows("/Appointment", *DAY)] == [["attended"], ["booked"]]


def test_the_group_its_clinics_and_what_is_none_of_them(caller: Caller) -> None:
    rows = caller.rows("/Organization")
    assert [row["id"][:3] for row in rows] == ["FD-", "CL-", "CL-", "PG-"]
    service = caller.rows("/HealthcareService")[0]
    assert service["extension"][-1]["valueQuantity"] == {"value": 40, "unit": "minute"}


def test_a_day_moves_with_the_clock(demo: RunningSandbox) -> None:
    clinic = StagedClinic(demo, "halaxy").fresh(NOON)
    caller = Caller(clinic)
    before = {row["id"]: status_codes(row) for row in caller.rows("/Appointment", *DAY, ("_count", 100))}
    assert len(before) == 24
    clinic.sandbox.control("clock", at="2026-03-10T12:00:00+11:00")
    after = {row["id"]: status_codes(row) for row in caller.rows("/Appointment", *DAY, ("_count", 100))}
    assert {word for words in after.values() for word in words} <= {"attended", "cancelled", "did not attend"}
    assert before.keys() == after.keys()


def test_a_search_can_be_answered_by_something_that_looks_well(clinic: StagedClinic, caller: Caller) -> None:
    clinic.control("knobs", instead="forbidden")
    answer = caller.get("/Appointment", *DAY)
    assert (answer.status_code, code(answer)) == (200, "forbidden")
