"""The simulated FHIR server by itself: as strict and as odd as the standard and its servers are. A bare client asks."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S11")

NOON = "2026-03-09T12:00:00+11:00"
DAY = {"date": ["ge2026-03-08T13:00:00Z", "lt2026-03-09T13:00:00Z"]}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def clinic(_empty: RunningSandbox) -> StagedClinic:
    """Open to all, unless a test shuts it."""
    return StagedClinic(_empty, "fhir").fresh(NOON, auth="open")


def get(clinic: StagedClinic, path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
    return requests.get(clinic.url + path, params=query, headers=headers, timeout=10)


def found(answer: requests.Response, mode: str = "match") -> list[str]:
    """Ids of the matches, or of what came along."""
    assert answer.status_code == 200, answer.text
    return [one["resource"]["id"] for one in answer.json().get("entry", []) if one["search"]["mode"] == mode]


def refused(answer: requests.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert [one["code"] for one in answer.json()["issue"]] == [code]


# --- the log-in -------------------------------------------------------------------------------------------------------


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def assertion(clinic: StagedClinic, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Signed with the demo's key; `claims` instead of the right ones."""
    jwk = json.loads(clinic.credentials["private_key"])
    secret = int.from_bytes(base64.urlsafe_b64decode(jwk["d"] + "=="), "big")
    me, now = clinic.credentials["client_id"], int(time.time())
    right = {"iss": me, "sub": me, "aud": f"{clinic.url}/token", "exp": now + 200, "jti": str(uuid4())}
    told = [{"alg": "ES384", "typ": "JWT", "kid": jwk["kid"], **(header or {})}, right | claims]
    signed = ".".join(b64(json.dumps(part).encode()) for part in told)
    der = ec.derive_private_key(secret, ec.SECP384R1()).sign(signed.encode(), ec.ECDSA(hashes.SHA384()))
    return f"{signed}.{b64(b''.join(one.to_bytes(48, 'big') for one in decode_dss_signature(der)))}"


def log_in(clinic: StagedClinic, signed: str, **form: str) -> requests.Response:
    body = {
        "grant_type": "client_credentials",
        "scope": "system/Appointment.rs",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed,
    }
    return requests.post(f"{clinic.url}/token", data=body | form, timeout=10)


def test_a_good_assertion_buys_a_short_token_for_what_was_granted(clinic: StagedClinic) -> None:
    clinic.control("knobs", auth="smart")
    refused(get(clinic, "/Appointment"), 401, "login")
    answer = log_in(clinic, assertion(clinic))
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/Appointment.rs",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert found(get(clinic, "/Appointment", bearer)) == []
    refused(get(clinic, "/Patient", bearer), 403, "forbidden")
    clinic.end_tokens()
    refused(get(clinic, "/Appointment", bearer), 401, "login")


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {"iss": "somebody"}),
        ({}, {"sub": "somebody"}),
        ({}, {"aud": "https://elsewhere.example/token"}),
        ({}, {"exp": 0}),
        ({}, {"exp": 4102444800}),
        ({}, {"jti": ""}),
        ({"alg": "none"}, {}),
        ({"alg": "HS256"}, {}),
        ({"alg": "RS384"}, {}),
        ({"kid": "another"}, {}),
        ({"typ": "JOSE"}, {}),
    ],
)
def test_an_assertion_that_proves_nothing(clinic: StagedClinic, header: dict[str, Any], claims: dict[str, Any]) -> None:
    answer = log_in(clinic, assertion(clinic, header, **claims))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_assertion_is_good_once_and_only_unchanged(clinic: StagedClinic) -> None:
    signed = assertion(clinic)
    head, body, mark = signed.split(".")
    other = b64(json.dumps({"iss": "x"}).encode())
    for spoilt in ("", "x", f"{head}.{body}", f"{head}.{other}.{mark}", f"{head}.{body}.{mark[:-8]}AAAAAAAA"):
        assert log_in(clinic, spoilt).status_code == 401
    assert [log_in(clinic, signed).status_code for _ in range(2)] == [200, 401]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "system/Appointment.read"}, "invalid_scope"),
    ],
)
def test_a_log_in_that_is_asked_for_wrongly(clinic: StagedClinic, form: dict[str, str], error: str) -> None:
    answer = log_in(clinic, assertion(clinic), **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


# --- the statement ----------------------------------------------------------------------------------------------------


def test_what_is_open_to_all(clinic: StagedClinic) -> None:
    clinic.control("knobs", auth="smart")
    statement = get(clinic, "/metadata").json()
    assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    offered = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert {"date", "actor", "_lastUpdated"} <= {one["name"] for one in offered["Appointment"]["searchParam"]}
    smart = get(clinic, "/.well-known/smart-configuration").json()
    assert smart["token_endpoint"] == f"{clinic.url}/token"
    assert "client-confidential-asymmetric" in smart["capabilities"]
    clinic.control("knobs", without=["Schedule"], last_updated=False, auth="open")
    offered = {one["type"]: one for one in get(clinic, "/metadata").json()["rest"][0]["resource"]}
    assert "Schedule" not in offered
    assert "_lastUpdated" not in {one["name"] for one in offered["Appointment"]["searchParam"]}
    refused(get(clinic, "/Schedule"), 404, "not-supported")


# --- searching --------------------------------------------------------------------------------------------------------


def test_dates_have_prefixes_repeated_ones_are_and_commas_are_or(clinic: StagedClinic) -> None:
    early, noon, late = (clinic.book(f"2026-03-09T{time}:00+11:00") for time in ("00:00", "12:00", "23:59"))
    clinic.book("2026-03-10T00:00:00+11:00")
    assert found(get(clinic, "/Appointment", **DAY)) == [early, noon, late]
    for asked, expected in (
        ("2026-03-09", [early, noon, late]),
        ("eq2026-03-09T01:00:00Z", [noon]),
        (["ge2026-03-09", "lt2026-03-09T12:00:00+11:00"], [early]),
        (["gt2026-03-09T12:00:00+11:00", "le2026-03-09"], [late]),
        ("eq2026-03-09T01:00:00Z,eq2026-03-09T12:59:00Z", [noon, late]),
        ("2026-03", [early, noon, late, "*"]),
    ):
        ids = found(get(clinic, "/Appointment", date=asked))
        assert [one if one in (early, noon, late) else "*" for one in ids] == expected, asked
    refused(get(clinic, "/Appointment", date="soon"), 400, "value")


def test_actors_statuses_and_ids(clinic: StagedClinic) -> None:
    state = clinic.state()
    staff, people = [one["id"] for one in state["practitioners"]], state["patients"]
    mine = clinic.book("2026-03-09T09:00:00+11:00", practitioner_ids=[staff[0]], patient_id=people[0])
    theirs = clinic.book(
        "2026-03-09T10:00:00+11:00", practitioner_ids=[staff[1]], patient_id=people[1], state="arrived"
    )
    for query, expected in (
        ({"practitioner": staff[0]}, [mine]),
        ({"practitioner": f"Practitioner/{staff[0]},Practitioner/{staff[1]}"}, [mine, theirs]),
        ({"actor": f"Practitioner/{staff[1]}"}, [theirs]),
        ({"patient": f"{clinic.url}/Patient/{people[0]}"}, [mine]),
        ({"status": "arrived,booked"}, [mine, theirs]),
        ({"status": "noshow"}, []),
        ({"_id": f"{mine},x"}, [mine]),
        ({"practitioner": staff[0], "status": "arrived"}, []),
    ):
        assert found(get(clinic, "/Appointment", **query)) == expected, query
    clinic.control("knobs", roles=True)
    assert found(get(clinic, "/Appointment", practitioner=staff[0])) == [], "a role is no practitioner"
    assert found(get(clinic, "/Appointment", actor=f"PractitionerRole/role-{staff[0]}")) == [mine]
    assert found(get(clinic, "/Practitioner", active="false")) == [staff[3]]
    assert found(get(clinic, "/Patient", family="Quandong", _count=3)) == people[:3]
    posted = requests.post(f"{clinic.url}/Appointment/_search", data={"_id": mine}, timeout=10)
    assert found(posted) == [mine]
    assert requests.post(f"{clinic.url}/Appointment/_search", json={"_id": mine}, timeout=10).status_code == 415


def test_an_unknown_parameter_is_ignored_unless_somebody_insists(clinic: StagedClinic) -> None:
    id_ = clinic.book("2026-03-09T09:00:00+11:00")
    answer = get(clinic, "/Appointment", wobble="1", **DAY)
    assert found(answer) == [id_]
    assert "wobble" not in answer.json()["link"][0]["url"]
    assert [
        one["resource"]["resourceType"] for one in answer.json()["entry"] if one["search"]["mode"] == "outcome"
    ] == ["OperationOutcome"]
    refused(get(clinic, "/Appointment", {"Prefer": "handling=strict"}, wobble="1"), 400, "not-supported")


def test_pages_are_a_snapshot_behind_opaque_addresses_that_expire(clinic: StagedClinic) -> None:
    ids = clinic.control("book", at="2026-03-09T06:00:00+11:00", count=45)["ids"]
    first = get(clinic, "/Appointment", _count=20, **DAY)
    links = {one["relation"]: one["url"] for one in first.json()["link"]}
    assert (first.json()["total"], found(first)) == (45, ids[:20])
    assert "date" not in links["next"]
    clinic.delete(ids[30])
    second = requests.get(links["next"], timeout=10)
    assert found(second) == ids[20:40]
    third = requests.get({one["relation"]: one["url"] for one in second.json()["link"]}["next"], timeout=10)
    assert found(third) == ids[40:]
    assert "next" not in {one["relation"] for one in third.json()["link"]}
    clinic.control("knobs", page_ttl_s=0)
    late = get(clinic, "/Appointment", _count=20, **DAY).json()["link"][1]["url"]
    refused(requests.get(late, timeout=10), 410, "processing")
    assert get(clinic, "/Appointment", _count=0, **DAY).json()["total"] == 44
    refused(get(clinic, "/Appointment", _count="many"), 400, "value")


def test_where_the_next_page_is_said_to_be(clinic: StagedClinic) -> None:
    clinic.control("book", at="2026-03-09T06:00:00+11:00", count=30)
    path = urlsplit(clinic.url).path
    for where, begins in (
        ("relative", "/Appointment?_page="),
        ("other_host", f"https://node-7.fhir.example{path}/Appointment?_page="),
        ("elsewhere", "https://elsewhere.example/"),
        ("none", ""),
    ):
        clinic.control("knobs", next_link=where)
        links = {one["relation"]: one["url"] for one in get(clinic, "/Appointment", **DAY).json()["link"]}
        assert links.get("next", "").startswith(begins)
        assert ("next" in links) is (where != "none")


def test_what_comes_along_is_marked_and_not_counted(clinic: StagedClinic) -> None:
    person = clinic.state()["patients"][0]
    ids = [clinic.book(f"2026-03-09T{hour}:00:00+11:00", patient_id=person) for hour in ("09", "10")]
    answer = get(clinic, "/Appointment", _include=["Appointment:patient", "Appointment:location"], **DAY)
    assert found(answer) == ids
    assert answer.json()["total"] == 2
    along = found(answer, "include")
    assert (len(along), person in along) == (2, True)
    clinic.control("knobs", includes=False)
    assert found(get(clinic, "/Appointment", _include="Appointment:patient", **DAY), "include") == []


def test_oracles_dialect_wants_one_actor_and_a_date(clinic: StagedClinic) -> None:
    who = clinic.state()["practitioners"][0]["id"]
    id_ = clinic.book("2026-03-09T09:00:00+11:00")
    clinic.control("knobs", needs_person=True)
    refused(get(clinic, "/Appointment", **DAY), 400, "required")
    refused(get(clinic, "/Appointment", practitioner=who), 400, "required")
    refused(get(clinic, "/Appointment", practitioner=who, patient="x", **DAY), 400, "required")
    assert found(get(clinic, "/Appointment", practitioner=who, **DAY)) == [id_]
    assert found(get(clinic, "/Appointment", _id=id_)) == [id_]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_versions_deletions_and_changes(clinic: StagedClinic) -> None:
    stays, goes = (clinic.book(f"2026-03-09T{hour}:00:00+11:00") for hour in ("09", "10"))
    answer = get(clinic, f"/Appointment/{stays}")
    assert answer.headers["ETag"] == f'W/"{answer.json()["meta"]["versionId"]}"'
    assert get(clinic, f"/Appointment/{stays}", {"If-None-Match": answer.headers["ETag"]}).status_code == 304
    clinic.sandbox.control("clock", at="2026-03-09T13:00:00+11:00")
    clinic.change(stays, state="arrived")
    assert get(clinic, f"/Appointment/{stays}", {"If-None-Match": answer.headers["ETag"]}).json()["status"] == "arrived"
    assert found(get(clinic, "/Appointment", _lastUpdated="ge2026-03-09T02:00:00Z")) == [stays]
    clinic.delete(goes)
    refused(get(clinic, f"/Appointment/{goes}"), 410, "deleted")
    refused(get(clinic, "/Appointment/nobody"), 404, "not-found")
    refused(get(clinic, "/Nothing"), 404, "not-found")
    refused(requests.delete(f"{clinic.url}/Appointment/{stays}", timeout=10), 405, "not-supported")
    refused(get(clinic, "/Patient", {"Accept": "application/fhir+xml"}), 406, "not-supported")
    assert found(get(clinic, "/Appointment", **DAY)) == [stays]


def test_a_limit_and_what_breaks_on_request(clinic: StagedClinic) -> None:
    clinic.control("knobs", limits=[[1, 60]])
    answers = [get(clinic, "/Appointment") for _ in range(2)]
    refused(answers[1], 429, "throttled")
    assert 0 < int(answers[1].headers["Retry-After"]) <= 60
    clinic.control("knobs", limits=[])
    clinic.fault("status", status=429, retry_after="Mon, 09 Mar 2026 02:00:00 GMT", next=1)
    assert get(clinic, "/Appointment").headers["Retry-After"].endswith("GMT")
