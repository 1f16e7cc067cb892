"""The simulated Cliniko against what its reference says (pms/cliniko.md). A bare HTTP client asks."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S10")

NOON = "2026-03-09T12:00:00+11:00"
KEY = "MS-runsheet-demo-key-0000000000-au4"
AGENT = "A test (test@example.com)"
DAY = ("starts_at:>=2026-03-08T13:00:00Z", "starts_at:<2026-03-09T13:00:00Z")
VISITS = "/individual_appointments"


class Caller:
    """`caller.get("/user")`; `caller.rows(VISITS, *filters)`."""

    def __init__(self, clinic: StagedClinic, session: requests.Session) -> None:
        self.clinic, self.session = clinic, session

    def get(
        self, path: str, *filters: str, auth: Any = (KEY, ""), agent: str | None = AGENT, **query: Any
    ) -> requests.Response:
        headers = {"User-Agent": agent, "Accept": query.pop("accept", "application/json")}
        return self.session.get(
            path if path.startswith("http") else self.clinic.url + path,
            params=[*(("q[]", one) for one in filters), *query.items()],
            headers=headers,
            auth=auth,
            timeout=20,
        )

    def rows(self, path: str, *filters: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, *filters, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()[path.rpartition("/")[2]]

    def ids(self, *filters: str, path: str = VISITS) -> set[str]:
        return {one["id"] for one in self.rows(path, *filters, per_page=100)}


@pytest.fixture
def clinic(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "cliniko").fresh(NOON)


@pytest.fixture
def caller(clinic: StagedClinic, http: requests.Session) -> Caller:
    return Caller(clinic, http)


def at(time_: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time_}:00+11:00"


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [None, ("another-au4", ""), (KEY, "a password"), ("", KEY)])
def test_without_the_key_as_a_user_name_nothing_is_told(caller: Caller, auth: Any) -> None:
    assert caller.get("/user", auth=auth).status_code == 401


def test_the_key_opens_with_and_without_its_suffix(caller: Caller) -> None:
    assert [caller.get("/user", auth=(key, "")).status_code for key in (KEY, KEY[:-4])] == [200, 200]


@pytest.mark.parametrize("agent", ["python-requests/2.32", "Runsheet", "Runsheet (nobody)", "(a@example.com)"])
def test_whoever_does_not_say_whom_to_write_to_is_blocked(caller: Caller, agent: str) -> None:
    assert caller.get("/user", agent=agent).status_code == 403
    caller.clinic.control("knobs", names_itself=False)
    assert caller.get("/user", agent=agent).status_code == 200


def test_it_wants_to_hear_json_and_knows_its_addresses(caller: Caller) -> None:
    assert caller.get("/user", accept="text/html").status_code == 406
    assert [caller.get(path).status_code for path in ("/nothing", "/patients/1", f"{VISITS}/1")] == [404] * 3


def test_two_hundred_a_minute_and_then_the_second_at_which_it_goes_on(caller: Caller) -> None:
    caller.clinic.control("reset")
    assert caller.clinic.state()["knobs"]["limits"] == [[200, 60.0]]
    caller.clinic.control("knobs", limits=[[2, 60]])
    answers = [caller.get("/user") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["X-RateLimit-Reset"]) - time.time() <= 62
    assert "Retry-After" not in answers[-1].headers
    caller.clinic.control("knobs", reset_header=False)
    silent = caller.get("/user")
    assert (silent.status_code, "X-RateLimit-Reset" in silent.headers) == (429, False)


# --- filters and pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        (("recall_at:>2026-03-09T00:00:00Z",), "recall_at is not filterable"),
        (("practitioner_id:=Wren",), "Filter value for practitioner_id must be a number"),
        (("starts_at:=2026-03-09T00:00:00Z",), "Filter operator = is not allowed for starts_at"),
        (("starts_at:>2026-03-09",), "Filter value for starts_at must be a datetime"),
        (("starts_at:>2026-03-09T00:00:00+11:00",), "Filter value for starts_at must be a datetime"),
        (("did_not_arrive:=perhaps",), "Filter value for did_not_arrive must be a boolean"),
        (("starts_at",), "Filter starts_at is not understood"),
    ],
)
def test_a_filter_it_does_not_know_is_refused_with_a_sentence(
    caller: Caller, filters: tuple[str, ...], sentence: str
) -> None:
    answer = caller.get(VISITS, *filters)
    assert (answer.status_code, answer.text) == (400, sentence)


def test_a_class_has_no_cancellation_to_ask_for(caller: Caller) -> None:
    assert caller.get("/group_appointments", "cancelled_at:*").status_code == 400
    assert caller.get("/group_appointments", *DAY).status_code == 200


@pytest.mark.parametrize("query", [{"page": 0}, {"per_page": "many"}, {"sort": "colour"}, {"from": "today"}])
def test_a_parameter_it_does_not_know_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    assert caller.get(VISITS, **query).status_code == 400


def test_all_filters_hold_at_once_and_lists_of_ids_are_taken(caller: Caller) -> None:
    people = caller.clinic.practitioners()
    ids = [caller.clinic.book(at("09:00"), practitioner_ids=[one]) for one in people]
    caller.clinic.book(at("09:00", 10))
    assert caller.ids(*DAY) == set(ids)
    assert caller.ids(*DAY, f"practitioner_id:={people[0]},{people[2]}") == {ids[0], ids[2]}
    assert caller.ids(*DAY, f"practitioner_id:!={people[0]}") == set(ids[1:])
    assert caller.ids(*DAY, f"id:={ids[1]}") == {ids[1]}


def test_what_is_cancelled_or_archived_is_hidden_unless_one_asks(caller: Caller) -> None:
    stays, off, gone = (caller.clinic.book(at("09:00")) for _ in range(3))
    caller.clinic.cancel(off)
    caller.clinic.delete(gone)
    assert caller.ids(*DAY) == {stays}
    assert caller.ids(*DAY, "cancelled_at:*") == {stays, off}
    assert caller.ids(*DAY, "cancelled_at:?") == {off}
    assert caller.ids(*DAY, "archived_at:*") == {stays, gone}
    assert caller.get(f"{VISITS}/{off}").status_code == 404
    assert caller.get(f"{VISITS}/{off}", "cancelled_at:*").json()["id"] == off


def test_pages_lead_to_the_next_and_keep_the_question(caller: Caller) -> None:
    ids = caller.clinic.control("book", at=at("08:00"), count=120)["ids"]
    answer = caller.get(VISITS, *DAY)
    first = answer.json()
    assert (len(first["individual_appointments"]), first["total_entries"]) == (50, 120)
    second = caller.get(first["links"]["next"]).json()
    third = caller.get(second["links"]["next"]).json()
    assert set(third["links"]) == {"self", "previous"}
    told = [one["id"] for page in (first, second, third) for one in page["individual_appointments"]]
    assert sorted(told) == sorted(ids)
    assert len(caller.rows(VISITS, *DAY, per_page=500)) == 100
    caller.clinic.control("knobs", loop=True)
    assert "next" in caller.get(second["links"]["next"]).json()["links"]


def test_what_was_touched_since_is_told_its_cancellation_too(caller: Caller) -> None:
    old, new = caller.clinic.book(at("09:00")), caller.clinic.book(at("09:00"))
    caller.clinic.sandbox.control("clock", at=at("13:00"))
    caller.clinic.cancel(new)
    assert caller.ids("updated_at:>=2026-03-09T02:00:00Z", "cancelled_at:*") == {new}
    assert caller.ids("updated_at:>=2026-03-09T01:00:00Z", "cancelled_at:*") == {old, new}


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_visit_in_the_vendors_shape(caller: Caller) -> None:
    id_ = caller.clinic.book(at("10:30"), note="Bring referral")
    (one,) = caller.rows(VISITS, *DAY)
    assert (one["id"], one["starts_at"], one["ends_at"]) == (id_, "2026-03-08T23:30:00Z", "2026-03-09T00:10:00Z")
    assert id_.isdigit()
    assert len(id_) == 19
    assert one["patient"]["links"]["self"].startswith(f"{caller.clinic.url}/patients/")
    assert (one["patient_arrived"], one["did_not_arrive"], one["cancelled_at"]) == (False, False, None)
    assert (one["cancellation_reason_description"], one["repeat_rule"]) == ("", {})
    assert one["telehealth_url"] == f"https://video.example/host/{id_}"


@pytest.mark.parametrize(
    ("state", "marks"),
    [
        ("booked", (False, False)),
        ("confirmed", (None, None)),
        ("arrived", (True, False)),
        ("completed", (True, False)),
        ("no_show", (False, True)),
    ],
)
def test_marks_stand_where_others_have_a_status(caller: Caller, state: str, marks: tuple[Any, Any]) -> None:
    caller.clinic.book(at("09:00"), state=state)
    (one,) = caller.rows(VISITS, *DAY)
    assert (one["patient_arrived"], one["did_not_arrive"]) == marks


def test_a_link_is_there_for_every_visit_and_the_patients_own_at_the_attendee(caller: Caller) -> None:
    rooms = caller.clinic.state()["types"][2]["id"]
    id_ = caller.clinic.book(at("09:00"), type_id=rooms, online=False)
    (one,) = caller.rows(VISITS, *DAY)
    (who,) = caller.rows("/attendees", f"booking_id:={id_}")
    assert one["telehealth_url"].endswith("/connect")
    assert who["telehealth_url"] != one["telehealth_url"]
    assert who["id"] != id_
    assert caller.rows(f"{VISITS}/{id_}/attendees") == [who]
    (kind,) = (one for one in caller.rows("/appointment_types") if one["id"] == rooms)
    assert kind["telehealth_enabled"] is None


def test_a_class_tells_its_people_by_their_attendees(caller: Caller) -> None:
    who = caller.clinic.state()["patients"][:3]
    id_ = caller.clinic.book(at("09:00"), patient_id=who[0], also=who[1:])
    block = caller.clinic.book(at("10:00"), block=True)
    (one,) = caller.rows("/group_appointments", *DAY)
    assert (one["id"], one["patient_ids"]) == (id_, who)
    assert not {"patient", "patient_name", "patient_arrived", "cancelled_at"} & set(one)
    told = caller.rows("/attendees", f"booking_id:={id_},{block}")
    assert len(told) == 3
    caller.clinic.raw(told[0]["id"], cancelled_at="2026-03-08T00:00:00Z")
    assert len(caller.rows("/attendees", f"booking_id:={id_}")) == 2
    assert caller.rows(VISITS, *DAY) == []
    assert [row["id"] for row in caller.rows("/unavailable_blocks", *DAY)] == [block]


def test_who_left_is_on_a_list_of_their_own(caller: Caller) -> None:
    here, gone = caller.rows("/practitioners"), caller.get("/practitioners/inactive").json()["practitioners"]
    assert (len(here), [one["last_name"] for one in gone]) == (3, ["Gone"])
    assert "email" not in here[0]


def test_patients_come_by_their_ids_and_say_nothing_in_two_ways(caller: Caller) -> None:
    who = caller.clinic.state()["patients"][:3]
    rows = caller.rows("/patients", f"id:={','.join(who)}")
    assert {one["id"] for one in rows} == set(who)
    assert (rows[0]["archived_at"], rows[0]["deleted_at"]) == ("", None)
    assert caller.get("/patients", "archived_at:*").status_code == 400
    assert caller.get(f"/patients/{who[0]}").json()["id"] == who[0]


def test_the_account_and_its_businesses(caller: Caller) -> None:
    account = caller.get("/settings/public").json()["account"]
    assert (account["name"], account["time_zone"]) == ("Harbour Allied Health", "Melbourne")
    assert {one["time_zone_identifier"] for one in caller.rows("/businesses")} == {"Australia/Melbourne"}
