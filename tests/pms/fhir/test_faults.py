"""What goes wrong between a FHIR server and us, on request; and the two ways in."""

from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.fhir.adapter import FhirAdapter
from tests.pms.conftest import Limiter as Remembering
from tests.pms.conftest import MemoryStores, Waits
from tests.pms.fhir.conftest import Opened
from tests.pms.fhir.test_against_simulator import LIST, MONDAY, at, pages, rows
from tests.pms.scripted import Scripted, answer
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S11")


# --- refusals and outages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"), [(403, PmsForbidden), (400, PmsBadRequest), (410, PmsNotFound), (422, PmsBadRequest)]
)
def test_a_refusal_ends_the_sweep(
    clinic: StagedClinic, adapter: FhirAdapter, status: int, error: type[PmsError]
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=status, path=LIST)
    with pytest.raises(error):
        pages(adapter)


@pytest.mark.fault("F7")
@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    clinic: StagedClinic, adapter: FhirAdapter, status: int
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=status, path=LIST, next=2)
    assert len(rows(adapter)) == 1
    clinic.fault("status", status=status, path=LIST)
    with pytest.raises(PmsUnavailable):
        pages(adapter)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("html", "bad_envelope"),
        ("garbage", "encoding"),
        ("empty", "empty_body"),
        ("object", "bad_envelope"),
        ("truncated", "bad_envelope"),
    ],
)
def test_an_answer_that_is_no_bundle_is_never_an_empty_one(
    clinic: StagedClinic, opened: Opened, kind: str, reason: str
) -> None:
    clinic.book(at("09:00"))
    adapter = opened(clinic)
    adapter.authenticate()
    adapter._server()
    clinic.fault(kind)
    asks = (lambda: pages(adapter), lambda: list(adapter.clients(MONDAY)), adapter.practitioners, adapter.identity)
    for ask in asks:
        with pytest.raises(PmsMalformed) as raised:
            ask()
        assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"issue": [{"severity": "error", "code": "exception"}]}, PmsUnavailable),
        ({"issue": [{"severity": "fatal", "code": "login"}]}, PmsAuthFailed),
        ({"issue": [{"severity": "error", "code": "throttled"}]}, PmsRateLimited),
        ({"issue": [{"severity": "error", "code": "invalid"}]}, PmsMalformed),
        ({"issue": [{"severity": "warning", "code": "exception"}]}, PmsMalformed),
        ({}, PmsMalformed),
    ],
)
def test_an_outcome_with_status_200_is_an_error_too(
    server: Scripted, opened: Opened, body: dict[str, Any], error: type[PmsError]
) -> None:
    standing(server)
    server.stand("/r4/Appointment", answer(200, {"resourceType": "OperationOutcome", **body}))
    with pytest.raises(error):
        pages(opened(f"{server.url}/r4"))


def test_an_outcome_tells_more_than_its_status_and_its_words_are_never_repeated(
    server: Scripted, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")  # a command run before may have quieted it
    standing(server)
    issue = {"severity": "error", "code": "forbidden", "diagnostics": "Orla Venn may not be read"}
    server.stand("/r4/Appointment", answer(400, {"resourceType": "OperationOutcome", "issue": [issue]}))
    with pytest.raises(PmsForbidden) as raised:
        pages(opened(f"{server.url}/r4"))
    assert "Orla" not in str(raised.value) + caplog.text


def test_a_redirect_is_not_followed(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    clinic.fault("redirect", path=LIST)
    with pytest.raises(PmsUntrusted):
        pages(adapter)


def test_a_page_that_fails_leaves_the_pages_before_it(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    clinic.control("book", at=at("06:00"), count=150)
    clinic.fault("html", path=LIST, skip=1)
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    assert next(reading).received == 100
    with pytest.raises(PmsMalformed):
        next(reading)


def test_a_gateways_page_does_not_say_that_an_appointment_is_gone(server: Scripted, opened: Opened) -> None:
    standing(server)
    server.stand("/r4/Appointment/ap-1", answer(404, b"<html>nothing here</html>", kind="text/html"))
    with pytest.raises(PmsMalformed):
        opened(f"{server.url}/r4").appointment("ap-1")


def test_a_wrong_address_and_another_version_are_told_as_such(
    clinic: StagedClinic, opened: Opened, server: Scripted
) -> None:
    with pytest.raises(PmsMalformed):
        opened(server.url).practitioners()
    clinic.control("knobs", fhir_version="3.0.2")
    with pytest.raises(PmsNotConfigured, match=r"3\.0\.2"):
        opened(clinic).practitioners()


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "drop", "path"),
    [
        ({"start": "2026-03-09T10:30:00"}, [], "$.start"),
        ({"start": "2026-03-09T10:30+11:00"}, [], "$.start"),
        ({"start": "0026-03-09T10:30:00Z"}, [], "$.start"),
        ({}, ["start"], "$.start"),
        ({}, ["status"], "$.status"),
        ({"status": 7}, [], "$.status"),
        ({}, ["participant"], "$.participant"),
        ({"participant": [{"actor": "Patient/1"}]}, [], "$.participant[0].actor"),
        ({"minutesDuration": "40"}, [], "$.minutesDuration"),
        ({"minutesDuration": -5}, [], "$.minutesDuration"),
        ({"end": "later"}, [], "$.end"),
        ({"end": "2030-03-09T10:30:00Z"}, [], "$.end"),
        ({"resourceType": 3}, [], "$.resourceType"),
    ],
)
def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    clinic: StagedClinic, adapter: FhirAdapter, fields: dict[str, Any], drop: list[str], path: str
) -> None:
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, drop=tuple(drop), **fields)
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [good]
    assert [(one.external_id, one.path) for one in page.rejected] == [(bad, path)]
    assert page.received == 2
    assert json.loads(page.rejected[0].payload)["id"] == bad
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(bad)
    assert raised.value.path == path


def test_a_patient_who_cannot_be_read_takes_the_booking_along_with_the_place(
    clinic: StagedClinic, opened: Opened
) -> None:
    people = clinic.state()["patients"]
    good, bad = (clinic.book(at(f"{9 + number:02}:00"), patient_id=people[number]) for number in range(2))
    clinic.raw(people[1], telecom="0491 570 156")
    for knobs in ({"includes": True}, {"includes": False}):
        clinic.control("knobs", **knobs)
        (page,) = pages(opened(clinic))
        assert [one.external_id for one in page.appointments] == [good]
        ((kept),) = page.rejected
        assert (kept.external_id, kept.path) == (bad, "patient.telecom")
        assert json.loads(kept.payload)["beside"]["id"] == people[1]
    with pytest.raises(PmsMalformed) as raised:
        opened(clinic).patient(people[1])
    assert raised.value.path == "$.telecom"


def test_a_practitioner_or_service_that_cannot_be_read_keeps_its_id(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    state = clinic.state()
    who, code = state["practitioners"][0]["id"], state["types"][0]["id"].rpartition("|")[2]
    clinic.raw(who, name="Wren")
    clinic.raw(f"svc-{code}", type="video")
    assert [one.external_id for one in adapter.practitioners() if not one.readable] == [who]
    assert [one.external_id for one in adapter.appointment_types() if not one.readable] == [
        f"HealthcareService/svc-{code}"
    ]


def test_an_entry_that_is_no_record_is_counted(server: Scripted, opened: Opened) -> None:
    standing(server)
    body = (
        b'{"resourceType":"Bundle","type":"searchset","entry":[{"fullUrl":"x"},'
        b'{"resource":{"resourceType":"Appointment","id":"ap-1","status":"\\ud800"}},'
        b'{"resource":{"resourceType":"OperationOutcome","issue":[]}}]}'
    )
    server.stand("/r4/Appointment", answer(200, body))
    (page,) = pages(opened(f"{server.url}/r4"))
    assert [(one.path, one.reason) for one in page.rejected] == [("$.resource", "missing"), ("$", "not_json")]
    assert page.received == 2


# --- the log-in -------------------------------------------------------------------------------------------------------


def test_a_token_is_bought_once_with_a_signed_assertion(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    rows(adapter)
    adapter.practitioners()
    assert [one["status"] for one in clinic.asked("/token")] == [200]
    assert len(clinic.asked("/metadata")) == 1
    assert len(clinic.asked("/.well-known")) == 1


def test_a_token_that_ends_in_the_middle_of_a_sweep_is_renewed(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    clinic.control("book", at=at("06:00"), count=250)
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    assert next(reading).received == 100
    assert clinic.end_tokens() == 1
    assert [page.received for page in reading] == [100, 50]
    assert len(clinic.asked("/token")) == 2


@pytest.mark.parametrize("kind", ["pem", "jwk", "small jwk"])
def test_an_rsa_key_signs_as_well(clinic: StagedClinic, opened: Opened, kind: str) -> None:
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.private_numbers()
    public = {"kty": "RSA", "kid": "rsa-1", "n": b64(numbers.public_numbers.n), "e": b64(numbers.public_numbers.e)}
    clinic.control("knobs", jwks=[public], algorithms=["RS384"])
    typed = json.dumps(public | {"d": b64(numbers.d), "p": b64(numbers.p), "q": b64(numbers.q)})
    if kind == "small jwk":
        typed = json.dumps({"keys": [public | {"d": b64(numbers.d)}]})
    if kind == "pem":  # as an input field leaves it
        typed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().replace("\n", "")
    given = {"client_id": clinic.credentials["client_id"], "private_key": typed, "key_id": "rsa-1"}
    assert opened(clinic, given).validate_connection()
    with pytest.raises(PmsNotConfigured, match="RSA key"):
        opened(clinic).authenticate()


def b64(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_the_spelling_of_the_scopes_follows_the_server(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("knobs", version_1=True)
    assert opened(clinic).validate_connection()
    given = clinic.credentials | {"scope": "system/Appointment.rs"}
    with pytest.raises(PmsAuthFailed):
        opened(clinic, given, tokens=MemoryStores()).authenticate()


def test_scopes_that_do_not_reach_appointments_are_told_at_once(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("knobs", granted=["system/Patient.rs"])
    with pytest.raises(PmsForbidden, match="scopes"):
        opened(clinic).authenticate()


def test_a_server_that_does_not_publish_its_log_in_needs_the_address_typed(
    clinic: StagedClinic, opened: Opened
) -> None:
    clinic.control("knobs", discovery=False)
    with pytest.raises(PmsNotConfigured, match="token address"):
        opened(clinic).authenticate()
    assert opened(clinic, vendor={"token_url": f"{clinic.url}/token"}).validate_connection()


def test_a_refused_client_is_tried_twice_and_never_again(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic, clinic.credentials | {"client_id": "somebody-else"})
    for _ in range(3):
        assert not adapter.validate_connection()
    assert [one["status"] for one in clinic.asked("/token")] == [401, 401]


def test_a_fixed_token_and_no_token(clinic: StagedClinic, opened: Opened) -> None:
    clinic.book(at("09:00"))
    clinic.control("knobs", auth="token")
    adapter = opened(clinic, {"token": "fhir-demo-fixed-token"})
    assert len(rows(adapter)) == 1
    assert adapter.identity().name == "Harbour Telehealth"
    refused = opened(clinic, {"token": "another"})
    assert not refused.validate_connection()
    with pytest.raises(PmsAuthFailed):
        refused.identity()
    clinic.control("knobs", auth="open")
    assert len(rows(opened(clinic, {}))) == 1
    assert clinic.asked("/token") == []


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [7, "date"])
def test_a_429_is_waited_for_as_told(
    clinic: StagedClinic, adapter: FhirAdapter, limiter: Remembering, waits: Waits, after: int | str
) -> None:
    clinic.fault("status", status=429, path=LIST, next=1, retry_after=7 if after == 7 else in_seconds(60))
    assert pages(adapter)[0].received == 0
    assert limiter.told == [7.0] if after == 7 else 0 < (limiter.told[0] or 0) <= 60
    assert waits.total >= (limiter.told[0] or 0)


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def test_a_servers_own_limit_ends_a_run_that_would_wait_too_long(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic)
    adapter.authenticate()
    clinic.control("knobs", limits=[[1, 3600]])
    with pytest.raises(PmsRateLimited) as raised:
        for _ in range(3):
            pages(adapter)
    assert (raised.value.retry_after_s or 0) > 60


# --- nothing that should not be told ----------------------------------------------------------------------------------


@pytest.mark.security("X27")
def test_no_secret_and_no_patient_in_logs_or_addresses(
    clinic: StagedClinic, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")  # a command run before may have quieted it
    clinic.book(at("09:00"))
    clinic.control("knobs", includes=False)
    adapter = opened(clinic)
    (one,) = rows(adapter).values()
    secret = json.loads(clinic.credentials["private_key"])["d"]
    told = caplog.text + repr(adapter._settings) + "".join(one["path"] + one["query"] for one in clinic.asked())
    assert one.patients[0].full_name == "Wilhelmina Quandongley"
    for word in (secret, "Quandongley", "0491 570 156", "wilhelmina", "eyJ"):
        assert word not in told
    assert "asked the PMS" in caplog.text


def standing(server: Scripted) -> None:
    """A server that says nothing about itself but that it is one."""
    server.stand("/r4/metadata", answer(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}))
