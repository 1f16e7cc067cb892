"""Every switch of the fault board, as a client on the other side of the wire meets it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import requests

from tests.jobs.processes import eventually

from .client import Client
from .process import RunningSandbox

NINE = "2026-03-09T09:00:00+11:00"


@pytest.fixture
def twelve(sandbox: RunningSandbox) -> list[str]:
    return sandbox.control("appointments", starts_at=NINE, count=12, type="Video Follow-up")["ids"]


def test_an_outage_hangs_up_without_a_word(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("outage", next=1)
    with pytest.raises(requests.ConnectionError):
        gentu.get("/tenants")
    assert gentu.get("/tenants").status_code == 200
    assert [entry["status"] for entry in sandbox.state()["log"]][-2:] == [0, 200]


def test_an_outage_may_also_answer_503(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("outage", mode="503", retry_after=7)
    response = gentu.get("/tenants")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")


@pytest.mark.parametrize("status", [400, 403, 404, 408, 500, 502, 504])
def test_any_error_status_can_be_had(gentu: Client, sandbox: RunningSandbox, status: int) -> None:
    sandbox.break_("error", status=status)
    assert gentu.ask_token().status_code == status
    gentu.token = "any"
    assert gentu.get("/tenants").status_code == status


def test_slow_waits_before_it_answers(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("slow", ms=250, next=1)
    began = time.monotonic()
    assert gentu.get("/tenants").status_code == 200
    assert time.monotonic() - began >= 0.25


@pytest.mark.parametrize("retry_after", [None, "120", "Wed, 21 Oct 2037 07:28:00 GMT", "soon", "-5", ""])
def test_429_with_and_without_retry_after(gentu: Client, sandbox: RunningSandbox, retry_after: str | None) -> None:
    gentu.sign()
    sandbox.break_("rate_limited", retry_after=retry_after)
    response = gentu.get("/tenants")
    assert response.status_code == 429
    assert response.json()["fault"]["detail"]["errorcode"] == "policies.ratelimit.QuotaViolation"
    assert response.headers.get("Retry-After") == retry_after


def test_credentials_can_be_refused_while_tokens_stay_good(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("refuse_credentials")
    assert gentu.ask_token().status_code == 401
    assert gentu.get("/tenants").status_code == 200


def test_an_unprovisioned_app_gets_tokens_and_nothing_else(gentu: Client, sandbox: RunningSandbox) -> None:
    sandbox.break_("unprovisioned")
    assert gentu.ask_token().status_code == 200
    response = gentu.get("T/practitioners")
    assert response.status_code == 500
    assert response.json()["fault"] == {
        "faultstring": "Unresolved variable : app.partnerId",
        "detail": {"errorcode": "entities.UnresolvedVariable"},
    }
    gentu.token = "expired"
    assert gentu.get("T/practitioners").status_code == 401


def test_a_sign_in_page_instead_of_json(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("html")
    response = gentu.get("T/practitioners")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(("kind", "body"), [("envelope", b"{}"), ("empty_body", b"")])
def test_a_200_without_content(gentu: Client, sandbox: RunningSandbox, kind: str, body: bytes) -> None:
    gentu.sign()
    sandbox.break_(kind)
    response = gentu.get("T/practitioners")
    assert (response.status_code, response.content) == (200, body)


def test_truncated_json_is_a_complete_answer(gentu: Client, sandbox: RunningSandbox) -> None:
    whole = gentu.get("T/practitioners").content
    sandbox.break_("truncated")
    response = gentu.get("T/practitioners")
    assert response.status_code == 200
    assert response.content == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        json.loads(response.content)


def test_a_cut_body_is_shorter_than_its_header_says(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("cut_body", next=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        gentu.get("T/practitioners")
    assert gentu.get("T/practitioners").status_code == 200


def test_a_drip_sends_byte_by_byte(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("drip", ms=20)
    began = time.monotonic()
    assert gentu.get("T/status").text == "Hello world!"
    assert time.monotonic() - began >= 11 * 0.02


def test_a_redirect_to_another_host(gentu: Client, sandbox: RunningSandbox) -> None:
    gentu.sign()
    sandbox.break_("redirect", to="https://elsewhere.example/v1")
    response = gentu.send("GET", "/tenants", allow_redirects=False)
    assert (response.status_code, response.headers["Location"]) == (302, "https://elsewhere.example/v1")


class TestPages:
    def ids(self, gentu: Client, **query: object) -> list[list[str]]:
        """The ids of at most six pages, following the cursors."""
        pages, cursor = [], None
        for _ in range(6):
            body = gentu.page(limit=5, cursor=cursor, **query).json()
            pages.append([row["id"] for row in body["appointments"]])
            cursor = body["pagination"]["next"]
            if cursor is None:
                break
        return pages

    def test_an_empty_list_where_there_were_rows(
        self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]
    ) -> None:
        sandbox.break_("empty_list")
        assert self.ids(gentu) == [[]]

    def test_an_empty_page_in_the_middle_loses_nothing(
        self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]
    ) -> None:
        sandbox.break_("empty_page", skip=1, next=1)
        assert self.ids(gentu) == [twelve[:5], [], twelve[5:10], twelve[10:]]

    def test_a_short_page_loses_nothing(self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]) -> None:
        sandbox.break_("short_page", next=1)
        assert self.ids(gentu) == [twelve[:2], twelve[2:7], twelve[7:]]

    def test_a_cut_page_claims_to_be_the_last(self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]) -> None:
        sandbox.break_("cut_page", next=1)
        assert self.ids(gentu) == [twelve[:2]]

    def test_the_same_page_twice(self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]) -> None:
        sandbox.break_("same_page", next=1)
        assert self.ids(gentu) == [twelve[:5], twelve[:5], twelve[5:10], twelve[10:]]

    def test_endless_fresh_cursors(self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]) -> None:
        sandbox.break_("same_page")
        cursors, cursor = [], None
        for _ in range(8):
            cursor = gentu.page(limit=5, cursor=cursor).json()["pagination"]["next"]
            cursors.append(cursor)
        assert len(set(cursors)) == 8

    @pytest.mark.parametrize("length", [1, 3])
    def test_cursors_in_a_ring(self, gentu: Client, sandbox: RunningSandbox, twelve: list[str], length: int) -> None:
        sandbox.break_("cursor_loop", length=length)
        cursors, cursor = [], None
        for _ in range(7):
            response = gentu.page(limit=5, cursor=cursor)
            assert response.status_code == 200
            cursor = response.json()["pagination"]["next"]
            cursors.append(cursor)
        assert len(set(cursors)) == length
        assert cursors[:length] == cursors[length : 2 * length]

    @pytest.mark.parametrize(
        ("record", "sign"),
        [
            ("no_start", lambda row: "startAt" not in row),
            ("null_start", lambda row: row["startAt"] is None),
            ("naive_start", lambda row: row["startAt"] == "2026-03-09T09:00:00.000"),
            ("no_id", lambda row: "id" not in row),
            ("number_id", lambda row: row["id"] == 123),
            ("not_an_object", lambda row: isinstance(row, str)),
            ("unknown_status", lambda row: row["status"] == "triaged"),
            ("lone_surrogate", lambda row: row["comment"] == "\ud800"),
            ("nul", lambda row: "\x00" in row["comment"]),
            ("nan", lambda row: row["minutesDuration"] != row["minutesDuration"]),
            ("html", lambda row: "<script>" in row["comment"]),
            ("long_comment", lambda row: len(row["comment"]) == 100_000),
        ],
    )
    def test_one_record_is_poisoned(
        self, gentu: Client, sandbox: RunningSandbox, twelve: list[str], record: str, sign
    ) -> None:
        clean = gentu.page().json()["appointments"]
        sandbox.break_("poison", record=record)
        first, *rest = gentu.page().json()["appointments"]
        assert sign(first)
        assert rest == clean[1:]

    def test_poison_json_cannot_write(self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]) -> None:
        for record, sign in (("huge_number", "9" * 5000), ("deep", "[" * 100_000), ("infinity", "Infinity")):
            sandbox.break_("poison", record=record, next=1)
            assert sign in gentu.page().text, record
        sandbox.break_("poison", record="same_key_twice", next=1, index=3)
        row = gentu.page().text.split(twelve[3])[1].split(twelve[4])[0]
        assert row.count('"status"') == 2

    def test_page_faults_spare_the_other_routes(
        self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]
    ) -> None:
        sandbox.break_("empty_list", path="/tenants", next=1)
        assert gentu.get("T/practitioners").status_code == 200
        assert gentu.get(f"T/appointments/{twelve[0]}").status_code == 200
        assert gentu.page().json()["appointments"] == []
        assert len(gentu.page().json()["appointments"]) == 12


class TestAim:
    def test_only_the_next_requests_are_hit(self, gentu: Client, sandbox: RunningSandbox) -> None:
        gentu.sign()
        sandbox.break_("error", status=502, skip=1, next=2)
        assert [gentu.get("/tenants").status_code for _ in range(5)] == [200, 502, 502, 200, 200]
        assert sandbox.state()["faults"] == []

    def test_only_paths_below_the_prefix_are_hit(self, gentu: Client, sandbox: RunningSandbox) -> None:
        gentu.sign()
        sandbox.break_("error", path=f"/tenants/{gentu.tenant}/practitioners")
        assert gentu.get("T/practitioners").status_code == 503
        assert gentu.get("T/practitioners/nobody").status_code == 503
        assert gentu.get("T/appointment-types").status_code == 200
        assert gentu.ask_token().status_code == 200

    def test_a_pattern_and_a_query_hit_one_practitioner(self, gentu: Client, sandbox: RunningSandbox) -> None:
        smith, jones = (person["id"] for person in gentu.practitioners())
        sandbox.break_("error", status=403, path="/tenants/*/appointments", query=f"practitionerId={smith}")
        assert gentu.page(smith).status_code == 403
        assert gentu.page(jones).status_code == 200

    def test_a_fault_is_cleared_by_id_by_kind_or_all(self, gentu: Client, sandbox: RunningSandbox) -> None:
        first = sandbox.break_("slow", ms=1)
        sandbox.break_("slow", ms=2)
        sandbox.break_("html")
        sandbox.break_("envelope")
        assert sandbox.control("faults/clear", id=first)["cleared"] == 1
        assert sandbox.control("faults/clear", kind="html")["cleared"] == 1
        assert [fault["kind"] for fault in sandbox.state()["faults"]] == ["slow", "envelope"]
        sandbox.mend()
        assert sandbox.state()["faults"] == []

    @pytest.mark.parametrize(
        "order", [{"kind": "plague"}, {"kind": "poison", "record": "arsenic"}, {"kind": "slow", "seconds": 3}, {}]
    )
    def test_nonsense_is_refused(self, sandbox: RunningSandbox, http: requests.Session, order: dict) -> None:
        response = http.post(f"{sandbox.control_url}faults", json=order, timeout=20)
        assert response.status_code == 422
        assert sandbox.state()["faults"] == []


class TestRateLimit:
    def test_it_is_off_unless_set(self, gentu: Client) -> None:
        assert {gentu.get("T/status").status_code for _ in range(80)} == {200}

    @pytest.mark.parametrize("tells", [True, False])
    def test_what_goes_over_the_limit_answers_429(self, gentu: Client, sandbox: RunningSandbox, tells: bool) -> None:
        gentu.sign()
        sandbox.control("knobs", rate_limit_per_minute=3, rate_limit_retry_after=tells)
        answers = [gentu.get("T/status") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        waits = [answer.headers.get("Retry-After") for answer in answers[3:]]
        assert all(0 < int(wait) <= 60 for wait in waits) if tells else waits == [None, None]
        sandbox.control("knobs", rate_limit_per_minute=None)
        assert gentu.get("T/status").status_code == 200


class TestTraffic:
    def test_requests_are_counted_and_timed_by_route(self, gentu: Client, sandbox: RunningSandbox) -> None:
        gentu.sign()
        gentu.page()
        gentu.page(limit=3)
        state = sandbox.state()
        assert state["token_requests"] == 1
        assert state["requests"] == {
            "POST /oauth2/token": 1,
            "GET /tenants/{tenant_id}/practitioners": 2,
            "GET /tenants/{tenant_id}/appointments": 2,
        }
        assert state["statuses"] == {"200": 4, "400": 1}
        times = state["times"]["GET /tenants/{tenant_id}/appointments"]
        assert all(earlier <= later for earlier, later in pairwise(times))
        assert all(abs(state["now"] - at) < 30 for at in times)
        assert state["total"] == state["busiest_minute"] == 5
        last = state["log"][-1]
        assert last["accept"] == "application/json"
        assert "%2B11%3A00" in last["query"]

    def test_the_high_water_mark_of_open_requests(self, gentu: Client, sandbox: RunningSandbox) -> None:
        token = gentu.sign()
        sandbox.control("traffic/reset")
        sandbox.break_("slow", ms=300)

        def ask(_number: int) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return requests.get(f"{gentu.base}/tenants", headers=headers, timeout=20).status_code

        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(ask, range(3))) == [200, 200, 200]
        assert sandbox.state()["open_high_water"] == 3
        eventually(lambda: sandbox.state()["open_now"] == 0, "all are closed")  # the answer is out a moment earlier

    def test_control_is_not_traffic(self, sandbox: RunningSandbox) -> None:
        sandbox.state()
        assert sandbox.state()["total"] == 0


def test_a_connection_serves_many_requests(gentu: Client, sandbox: RunningSandbox) -> None:
    """Keep-alive, also after answers that did not read the request's body."""
    gentu.sign()
    connections = set()
    for path in ("/tenants", "T/nothing", "T/status"):
        response = gentu.send("PUT" if "nothing" in path else "GET", path, data=b"x" * 100_000, stream=True)
        connections.add(id(response.raw.connection.sock) if response.raw.connection else None)
        connections.add(response.raw._fp.fp.raw._sock.getsockname())
        assert response.content is not None
    assert len([peer for peer in connections if isinstance(peer, tuple)]) == 1
