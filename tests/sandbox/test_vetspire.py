"""The simulated Vetspire against what is public of it (pms/vetspire.md). A bare HTTP client asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S08")

NOON = "2026-03-09T12:00:00+11:00"
KEY = "vetspire-demo-key-0000000000"
DAY = 'locationId: "7", start: "2026-03-08T13:00:00Z", end: "2026-03-09T13:00:00Z", includeCompleted: true'


class Caller:
    """`caller.data("{ org { name } }")`, `caller.refusal("…")`."""

    def __init__(self, clinic: StagedClinic, session: requests.Session) -> None:
        self.clinic, self.session = clinic, session

    def post(self, query: str, key: str | None = KEY, form: bool = False, **variables: Any) -> requests.Response:
        headers = {"Authorization": key} if key is not None else {}
        body = {"query": query, "variables": json.dumps(variables) if form else variables}
        sent: dict[str, Any] = {"data": body} if form else {"json": body}
        return self.session.post(f"{self.clinic.url}/graphql", headers=headers, timeout=20, **sent)

    def data(self, query: str, **variables: Any) -> Any:
        answer = self.post(query, **variables)
        assert answer.status_code == 200
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    def refusal(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = self.post(query, **variables)
        assert answer.status_code == 200, "a refusal comes as a success"
        assert answer.json()["data"] is None
        return answer.json()["errors"][0]

    def ids(self, more: str = "") -> set[str]:
        return {one["id"] for one in self.data(f"{{ appointments({DAY}{more}) {{ id }} }}")["appointments"]}


@pytest.fixture
def clinic(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "vetspire").fresh(NOON)


@pytest.fixture
def caller(clinic: StagedClinic, http: requests.Session) -> Caller:
    return Caller(clinic, http)


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


@pytest.mark.parametrize(("key", "status"), [(None, 403), ("another", 401), (f"Bearer {KEY}", 401), (KEY, 200)])
def test_the_raw_key_and_nothing_else_opens(caller: Caller, key: str | None, status: int) -> None:
    assert caller.post("{ org { id } }", key=key).status_code == status


def test_a_question_comes_as_json_or_as_a_form(caller: Caller) -> None:
    query = "query Named($id: ID!) { patient(id: $id) { id } }"
    who = caller.clinic.state()["patients"][0]
    for form in (False, True):
        assert caller.post(query, form=form, id=who).json() == {"data": {"patient": {"id": who}}}
    assert caller.session.get(f"{caller.clinic.url}/graphql").status_code == 405


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("{ org { id }", "Syntax error"),
        ("{ nothing { id } }", 'Cannot query field "nothing"'),
        ("{ org { phone } }", 'Cannot query field "phone" on type "Org"'),
        ("{ org }", "must have a selection"),
        ("{ org { id { x } } }", "must not have a selection"),
        ("{ appointments(start: null) { id } }", 'In argument "locationId"'),
        ('{ appointments(locationId: "7", day: "today") { id } }', 'Unknown argument "day"'),
        ('{ appointments(locationId: "7", start: "2026-03-09T00:00:00") { id } }', 'In argument "start"'),
        ('{ appointments(locationId: "7", updatedAtStart: "2026-03-09T00:00:00Z") { id } }', "NaiveDateTime"),
        ('{ appointments(locationId: "7", limit: "ten") { id } }', 'In argument "limit"'),
        ("{ patient(id: $id) { id } }", "Variable $id is not declared"),
        ('{ encounter(id: "1") { sections { data { value } } } }', "without an inline fragment"),
    ],
)
def test_what_the_schema_does_not_know_is_refused_in_a_success(caller: Caller, query: str, said: str) -> None:
    assert said in caller.refusal(query)["message"]


def test_a_question_deeper_than_eight_is_refused_with_its_code(caller: Caller) -> None:
    deep = "appointment { encounters { appointment { encounters { appointment { encounters { patient { id } } } } } } }"
    told = caller.refusal(f'{{ encounter(id: "1") {{ {deep} }} }}')
    assert (told["code"], "depth" in told["message"]) == ("query_depth_limit", True)


def test_finished_ones_are_left_out_unless_one_asks(caller: Caller) -> None:
    done, open_ = caller.clinic.book(at("09:00"), state="completed"), caller.clinic.book(at("09:00"))
    assert caller.ids() == {done, open_}
    told = caller.data(f"{{ appointments({DAY.replace('true', 'false')}) {{ id }} }}")
    assert {one["id"] for one in told["appointments"]} == {open_}


def test_deleted_ones_are_told_alone(caller: Caller) -> None:
    kept, gone = caller.clinic.book(at("09:00")), caller.clinic.book(at("09:00"))
    caller.clinic.delete(gone)
    assert (caller.ids(), caller.ids(", onlyDeleted: true")) == ({kept}, {gone})


def test_pages_go_by_offset_and_two_hundred_is_all_there_ever_is(caller: Caller) -> None:
    caller.clinic.control("book", at=at("08:00"), count=250)
    assert len(caller.ids(", limit: 1000")) == 200
    assert len(caller.ids(", limit: 100, offset: 200")) == 50
    caller.clinic.control("knobs", loop=True)
    assert caller.ids(", limit: 100, offset: 100") == caller.ids(", limit: 100")


def test_what_was_touched_since_is_asked_in_utc_without_a_zone(caller: Caller) -> None:
    caller.clinic.book(at("09:00"))
    caller.clinic.sandbox.control("clock", at=at("13:00"))
    new = caller.clinic.book(at("09:00"))
    told = caller.data('{ appointments(locationId: "7", updatedAtStart: "2026-03-09T02:00:00") { id updatedAt } }')
    assert told == {"appointments": [{"id": new, "updatedAt": "2026-03-09T02:00:00"}]}


def test_another_location_has_nothing(caller: Caller) -> None:
    caller.clinic.book(at("09:00"))
    assert caller.data('{ appointments(locationId: "8") { id } }') == {"appointments": []}
    assert caller.data("{ locations { id timezone } }")["locations"] == [{"id": "7", "timezone": "Australia/Melbourne"}]


def test_an_appointment_in_the_vendors_shape_and_only_what_was_asked_for(caller: Caller) -> None:
    id_ = caller.clinic.book(at("10:30"), state="confirmed")
    fields = "id start duration status isConfirmed patient { name species client { phoneNumbers { value preferred } } }"
    (one,) = caller.data(f"{{ appointments({DAY}) {{ {fields} }} }}")["appointments"]
    assert one == {
        "id": id_,
        "start": "2026-03-08T23:30:00Z",
        "duration": 40,
        "status": "PLANNED",
        "isConfirmed": True,
        "patient": {
            "name": "Biscuit",
            "species": "Canine",
            "client": {
                "phoneNumbers": [
                    {"value": "0491 570 110", "preferred": False},
                    {"value": "0491 570 156", "preferred": True},
                ]
            },
        },
    }
    assert isinstance(caller.data("{ providers { id } }")["providers"][0]["id"], int)


@pytest.mark.parametrize(
    ("state", "word"),
    [("arrived", "CHECKED_IN"), ("in_progress", "IN_PROGRESS"), ("completed", "CHECKED_OUT"), ("no_show", "NO_SHOW")],
)
def test_each_state_has_its_word(caller: Caller, state: str, word: str) -> None:
    caller.clinic.book(at("09:00"), state=state)
    assert caller.data(f"{{ appointments({DAY}) {{ status }} }}") == {"appointments": [{"status": word}]}


def test_an_encounter_is_signed_when_the_visit_is_over(caller: Caller) -> None:
    id_ = caller.clinic.book(at("09:00"), state="completed")
    fields = "id signed sections { name data { ... on FieldDatum { value } ... on ValuesetDatum { label } } }"
    told = caller.data(f'{{ encounter(id: "9{id_}") {{ {fields} }} }}')["encounter"]
    assert (told["signed"], told["sections"][1]["data"]) == (
        True,
        [{"value": "Rest for 10 days", "label": "Home care"}],
    )
    assert caller.data('{ encounter(id: "1") { id } }') == {"encounter": None}
    caller.clinic.control("knobs", says="Something went wrong", code="oops")
    half = caller.post(f"{{ appointments({DAY}) {{ id }} }}").json()
    assert (half["data"], half["errors"][0]["code"]) == ({"appointments": [{"id": id_}]}, "oops")
