"""The simulated ezyVet by itself, over HTTP, held to what the vendor's pages say. No code of the adapter."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from .process import RunningSandbox, running_sandbox

pytestmark = pytest.mark.feature("S05")
LOG_IN = {
    "partner_id": "runsheet-partner",
    "client_id": "runsheet-ezyvet-client",
    "client_secret": "runsheet-ezyvet-secret",
    "grant_type": "client_credentials",
}
SCOPE = "read-appointment,read-animal read-consult read-history read-resource read-systemsetting read-contactdetail"
NOON = "2026-03-09T12:00:00+11:00"


class Client:
    """Signs on first use. Answers are never judged here."""

    def __init__(self, sandbox: RunningSandbox, session: requests.Session) -> None:
        self.sandbox, self.session, self.base = sandbox, session, sandbox.ezyvet_url
        self.token: str | None = None

    def ask_token(self, version: int = 1, **changes: Any) -> requests.Response:
        form = {name: value for name, value in {**LOG_IN, "scope": SCOPE, **changes}.items() if value is not None}
        return self.session.post(f"{self.base}/v{version}/oauth/access_token", data=form, timeout=20)

    def get(self, path: str, **query: Any) -> requests.Response:
        if self.token is None:
            self.token = self.ask_token().json()["access_token"]
        asked = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in query.items()}
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.session.get(self.base + path, params=asked, headers=headers, timeout=20)

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.ok, answer.text
        return [next(iter(item.values())) for item in answer.json()["items"]]

    def tell(self, order: str, **body: Any) -> dict[str, Any]:
        return self.sandbox.control(f"ezyvet/{order}", **body)


def _client(sandbox: RunningSandbox, http: requests.Session) -> Client:
    made = Client(sandbox, http)
    made.tell("reset")
    made.tell("clock", at=NOON)
    return made


@pytest.fixture
def hospital(sandbox: RunningSandbox, http: requests.Session) -> Client:
    """Nobody is booked."""
    return _client(sandbox, http)


@pytest.fixture
def busy(demo: RunningSandbox, http: requests.Session) -> Client:
    return _client(demo, http)


# --- getting in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("partner", [LOG_IN["partner_id"], None])
def test_a_token_for_twelve_hours_with_claims(hospital: Client, version: int, partner: str | None) -> None:
    answer = hospital.ask_token(version, partner_id=partner).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 43_200)
    body = answer["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["exp"] - claims["iat"] == 43_200
    assert "read-animal" in claims["scopes"]


def test_a_log_in_as_json_is_taken_too(hospital: Client) -> None:
    answer = hospital.session.post(f"{hospital.base}/v1/oauth/access_token", json=LOG_IN, timeout=20)
    assert answer.status_code == 200


@pytest.mark.parametrize("wrong", ["partner_id", "client_id", "client_secret", "site_uid"])
def test_a_wrong_credential_is_refused(hospital: Client, wrong: str) -> None:
    assert hospital.ask_token(**{wrong: "another"}).status_code == 401
    assert hospital.ask_token(grant_type="password").status_code == 400


def test_no_token_an_ended_one_and_a_missing_scope(hospital: Client) -> None:
    hospital.token = "none"
    assert hospital.get("/v1/animal").status_code == 401
    hospital.token = None
    assert hospital.get("/v1/animal").status_code == 200
    refused = hospital.get("/v1/plan")
    assert refused.status_code == 403
    assert refused.json()["messages"][0]["level"] == "error"
    hospital.tell("tokens/expire")
    assert hospital.get("/v1/animal").status_code == 401


def test_a_new_token_may_end_the_one_before(hospital: Client) -> None:
    hospital.get("/v1/animal")
    hospital.ask_token()
    assert hospital.get("/v1/animal").status_code == 200
    hospital.tell("knobs", one_token=True)
    hospital.ask_token()
    assert hospital.get("/v1/animal").status_code == 401


# --- lists ------------------------------------------------------------------------------------------------------------


def test_version_one_says_everything_as_text_and_version_two_does_not(busy: Client) -> None:
    (old,), (new,) = (busy.items(f"/v{version}/animal/801") for version in (1, 2))
    assert (old["id"], old["active"], old["is_hostile"]) == ("801", "1", "0")
    assert (new["id"], new["active"], new["is_hostile"]) == (801, True, False)


def test_ten_records_a_page_unless_more_are_asked_for(busy: Client) -> None:
    first = busy.get("/v1/animal").json()
    assert len(first["items"]) == 10
    assert (first["meta"]["items_page"], first["meta"]["items_page_total"], first["meta"]["items_total"]) == (
        *("1", "3"),
        "24",
    )
    ids = [one["id"] for page in (1, 2, 3) for one in busy.items("/v1/animal", page=page)]
    assert len(set(ids)) == 24
    assert len(busy.items("/v1/animal", limit=500)) == 24
    assert busy.get("/v1/animal", name="Nobody").json()["meta"]["items_page_total"] == "0"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "Biscuit"}, {"Biscuit"}),
        ({"name": {"eq": "biscuit"}}, set()),  # case counts
        ({"name": {"like": "%isc%"}}, {"Biscuit"}),
        ({"id": {"in": ["801", 802]}}, {"Biscuit", "Tamburlaine"}),
        ({"id": {"gt": 801, "lte": 803}}, {"Tamburlaine", "Pudding"}),
        ({"id": {">": 801, "<": 803}}, {"Tamburlaine"}),
        ({"species_id": {"eq": 3}, "id": {"lt": 805}}, {"Sir Hops"}),
        ({"id": {"lt": 803}, "name": {"neq": "Biscuit"}}, {"Tamburlaine"}),
    ],
)
def test_filters(busy: Client, query: dict[str, Any], names: set[str]) -> None:
    assert {one["name"] for one in busy.items("/v1/animal", limit=200, **query)} == names


@pytest.mark.parametrize(
    "query",
    [
        {"id": {"in": list(range(101))}},
        {"id": {"in": 5}},
        {"id": {"between": 5}},
        {"id": "{not json"},
        {"no_such_field": "1"},
        {"page": "0"},
        {"limit": "many"},
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(busy: Client, query: dict[str, Any]) -> None:
    answer = busy.get("/v1/animal", **query)
    assert answer.status_code == 400
    assert answer.json()["messages"][0]["text"]


def test_what_nobody_knows(hospital: Client) -> None:
    for path in ("/v1/animal/4711", "/v1/nonsense", "/v3/animal", "/v1/appointment"):
        assert hospital.get(path).status_code == 404


def test_appointments_by_day_and_by_what_changed(busy: Client) -> None:
    day = {"gte": 1_772_974_800, "lt": 1_773_061_200}  # 9 March 2026 in Melbourne
    found = busy.items("/v2/appointment", start_at=day, limit=200)
    truth = busy.sandbox.read("ezyvet/book", day="2026-03-09")["appointments"]
    assert found == truth
    assert any(not one["active"] for one in found)
    assert any(len(one["resources"]) > 1 for one in found)
    changed = busy.items("/v2/appointment", start_at=day, modified_at={"gt": 1_773_010_800}, limit=200)
    assert {one["id"] for one in changed} < {one["id"] for one in found}
    assert all(one["modified_at"] > 1_773_010_800 for one in changed)


def test_the_clock_alone_moves_the_day_and_consults_come_with_it(busy: Client) -> None:
    def consults(at: str) -> set[str]:
        busy.tell("clock", at=at)
        day = {"gte": 1_772_974_800, "lt": 1_773_061_200}
        return {one["id"] for one in busy.items("/v1/consult", date=day, limit=200)}

    morning, evening = consults("2026-03-09T07:00:00+11:00"), consults("2026-03-09T23:59:00+11:00")
    assert morning < evening
    (one, *_) = morning
    (history,) = busy.items("/v1/history", consult_id={"in": [one]})
    assert history["consult_id"] == one
    assert "<p>" in history["comments"]


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knobs", [{"per_endpoint": 3}, {"overall": 3}])
def test_too_many_are_sent_away_with_the_seconds_in_words(hospital: Client, knobs: dict[str, int]) -> None:
    hospital.tell("knobs", **knobs)
    left = [hospital.get("/v1/animal").headers["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = hospital.get("/v1/animal")
    assert refused.status_code == 429
    assert "Retry-After" not in refused.headers
    assert f"{refused.headers['x-ratelimit-reset']} seconds" in refused.json()["messages"][0]["text"]
    other = hospital.get("/v1/resource").status_code
    assert other == (200 if "per_endpoint" in knobs else 429)
    hospital.tell("knobs", retry_after=True, reset_is_instant=True)
    again = hospital.get("/v1/animal")
    assert 0 < int(again.headers["Retry-After"]) <= 60
    assert int(again.headers["x-ratelimit-reset"]) > 1_000_000


# --- control ----------------------------------------------------------------------------------------------------------


def test_book_move_cancel_write_remove(hospital: Client) -> None:
    made = hospital.tell("book", at=NOON, room=41, fields={"description": "Limping"})
    path = f"/v2/appointment/{made['id']}"
    (found,) = hospital.items(path)
    assert (found["description"], found["resources"]) == ("Limping", [{"id": 21}, {"id": 41}])
    hospital.tell("move", id=made["id"], at="2026-03-10T12:00:00+11:00")
    hospital.tell("cancel", id=made["id"], reason="Rang")
    hospital.tell("write", resource="appointment", id=made["id"], fields={"status_id": 3})
    (found,) = hospital.items(path)
    assert (found["start_at"], found["active"], found["cancellation_reason_text"], found["status_id"]) == (
        *(made["start_at"] + 86_400, False),
        *("Rang", 3),
    )
    hospital.tell("remove", id=made["id"])
    assert hospital.get(path).status_code == 404


def test_an_order_that_cannot_be_carried_out_is_refused(hospital: Client) -> None:
    for order, body, status in (
        ("move", {"id": 4711, "at": NOON}, 404),
        ("move", {"id": 4711, "at": "2026-03-09T12:00:00"}, 422),
        ("write", {"resource": "nonsense", "fields": {}}, 404),
        ("faults", {"kind": "nonsense"}, 422),
        ("knobs", {"nonsense": 1}, 422),
        ("book", {"when": NOON}, 422),
    ):
        answer = hospital.session.post(f"{hospital.sandbox.control_url}ezyvet/{order}", json=body, timeout=20)
        assert answer.status_code == status, (order, answer.text)


def test_only_pages_of_this_simulator_may_give_orders(hospital: Client) -> None:
    url, elsewhere = f"{hospital.sandbox.control_url}ezyvet/reset", {"Origin": "https://elsewhere.example"}
    assert hospital.session.post(url, json={}, headers=elsewhere, timeout=20).status_code == 403


def test_what_breaks_breaks_where_and_as_often_as_asked(hospital: Client) -> None:
    hospital.tell("faults", kind="error", path="/v1/animal", status=500, skip=1, next=1)
    assert [hospital.get("/v1/animal").status_code for _ in range(3)] == [200, 500, 200]
    hospital.tell("faults", kind="error", path="/v1/animal", status=500)
    assert hospital.get("/v1/resource").status_code == 200
    hospital.tell("faults/clear")
    assert hospital.get("/v1/animal").status_code == 200


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with running_sandbox("empty", home=tmp_path) as sandbox:
        made = sandbox.control("ezyvet/book", at=NOON)
        sandbox.control("ezyvet/cancel", id=made["id"])
        sandbox.kill()
    with running_sandbox("empty", home=tmp_path) as sandbox:
        yield str(made["id"]), sandbox.read("ezyvet/book", day="2026-03-09")["appointments"]


def test_a_restart_finds_the_book_as_it_was_left(restarted: tuple[str, list[dict[str, Any]]]) -> None:
    id_, (found,) = restarted
    assert (str(found["id"]), found["active"]) == (id_, False)
