"""What goes wrong between Vetspire and us, on request; and what is sent, byte for byte."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from app.domain.consultation import ConsultationRef
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.vetspire.adapter import VetspireAdapter
from tests.pms.conftest import Limiter, Waits
from tests.pms.scripted import Scripted, answer
from tests.pms.vetspire.conftest import MONDAY, Opened, at, pages, rows
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S08")


# --- errors that come as a success ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "code", "error"),
    [
        ("Invalid API key", None, PmsAuthFailed),
        ("oops", "UNAUTHENTICATED", PmsAuthFailed),
        ("You do not have permission to do that", None, PmsForbidden),
        ("oops", "forbidden", PmsForbidden),
        ("Patient not found", None, PmsNotFound),
        ("Rate limit exceeded", None, PmsRateLimited),
        ("Internal server error", None, PmsUnavailable),
        ("request timed out", None, PmsUnavailable),
        ('Cannot query field "room" on type "Appointment".', None, PmsBadRequest),
        ("too deep", "query_depth_limit", PmsBadRequest),
    ],
)
@pytest.mark.fault("F16")
def test_errors_in_a_success_are_errors_whatever_data_come_with_them(
    clinic: StagedClinic, adapter: VetspireAdapter, says: str, code: str | None, error: type[PmsError]
) -> None:
    clinic.book(at("09:00"))
    clinic.control("knobs", says=says, code=code)
    for ask in (lambda: pages(adapter), adapter.practitioners, adapter.appointment_types, adapter.identity):
        with pytest.raises(error) as raised:
            ask()
        assert says not in str(raised.value), "an error's text may name somebody"
        assert code is None or code in str(raised.value)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"data": None}, "$.data.appointments"),
        ({"data": {"appointment": []}}, "$.data.appointments"),
        ({"data": {"appointments": None}}, "$"),
        ({"data": {"appointments": {}}}, "$"),
        ({"data": []}, "$.data"),
        ({"errors": []}, "$.data.appointments"),
        ([], "$"),
    ],
)
def test_an_answer_of_another_shape_is_no_empty_list(
    server: Scripted, opened: Opened, clinic: StagedClinic, body: Any, path: str
) -> None:
    server.stand("/graphql", answer(200, body))
    with pytest.raises(PmsMalformed) as raised:
        pages(opened(clinic, vendor={"base_url": server.url}))
    assert (raised.value.reason, raised.value.path) == ("bad_envelope", path)


# --- refusals and outages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "error"), [(401, PmsAuthFailed), (403, PmsForbidden), (400, PmsBadRequest)])
def test_a_refusal_is_asked_once_and_ends_the_sweep(
    clinic: StagedClinic, adapter: VetspireAdapter, status: int, error: type[PmsError]
) -> None:
    clinic.fault("status", status=status)
    with pytest.raises(error):
        pages(adapter)
    assert len(clinic.asked()) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.fault("F11")
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    clinic: StagedClinic, adapter: VetspireAdapter, status: int
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=status, next=2)
    assert len(rows(adapter)) == 1
    clinic.fault("status", status=status)
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
@pytest.mark.fault("F16")
@pytest.mark.parametrize("skip", [0, 1])  # of the second list, too
def test_an_answer_that_is_none_is_never_an_empty_list(
    clinic: StagedClinic, adapter: VetspireAdapter, kind: str, reason: str, skip: int
) -> None:
    clinic.book(at("09:00"))
    clinic.fault(kind, skip=skip)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == reason


def test_a_redirect_is_not_followed_with_a_key_that_opens_everything(
    clinic: StagedClinic, adapter: VetspireAdapter
) -> None:
    clinic.fault("redirect")
    with pytest.raises(PmsUntrusted):
        pages(adapter)


@pytest.mark.fault("F36")
def test_a_vendor_that_always_sends_the_first_page_is_noticed_at_the_second(
    clinic: StagedClinic, adapter: VetspireAdapter
) -> None:
    clinic.control("book", at=at("08:00"), count=130)
    clinic.control("knobs", loop=True)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"
    assert len(clinic.asked()) == 2


def test_a_429_is_waited_for_as_told_and_else_for_half_a_minute(
    clinic: StagedClinic, adapter: VetspireAdapter, limiter: Limiter, waits: Waits
) -> None:
    clinic.fault("status", status=429, next=1, retry_after=7)
    pages(adapter)
    clinic.fault("status", status=429, next=1)
    pages(adapter)
    assert limiter.told == [7.0, 30.0]
    assert waits.total == pytest.approx(37, abs=2)


def test_consultations_end_where_no_further_call_makes_sense(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    wanted = [ConsultationRef(str(n), str(n), None, MONDAY.start) for n in range(3)]
    clinic.fault("status", status=401)
    with pytest.raises(PmsAuthFailed):
        list(adapter.consultations(wanted))
    clinic.mend()
    clinic.control("knobs", says="Encounter schema has changed")
    assert [one.reason for one in adapter.consultations(wanted)] == ["refused"] * 3


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "drop", "path", "reason"),
    [
        ({}, ("start",), "$.start", "missing"),
        ({"start": None}, (), "$.start", "wrong_type"),
        ({"start": ""}, (), "$.start", "missing"),
        ({"start": "the other day"}, (), "$.start", "invalid"),
        ({"start": "1850-01-01T00:00:00Z"}, (), "$.start", "out_of_range"),
        ({"duration": 1e9}, (), "$.duration", "out_of_range"),
        ({"duration": "30"}, (), "$.duration", "wrong_type"),
        ({"status": 4}, (), "$.status", "wrong_type"),
        ({"patient": {"id": "7", "client": {"id": "8", "phoneNumbers": "none"}}}, (), "", "wrong_type"),
        ({"provider": {"name": "Dr Wren"}}, (), "$.provider.id", "missing"),
    ],
)
@pytest.mark.fault("F31")
def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    clinic: StagedClinic,
    adapter: VetspireAdapter,
    fields: dict[str, Any],
    drop: tuple[str, ...],
    path: str,
    reason: str,
) -> None:
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, drop, **fields)
    page = pages(adapter)[0]
    assert [one.external_id for one in page.appointments] == [good]
    wanted = path or "$.patient.client.phoneNumbers"
    assert [(one.external_id, one.path, one.reason) for one in page.rejected] == [(bad, wanted, reason)]
    assert page.received == 2


@pytest.mark.parametrize("duration", [None, 0, -5])
def test_nobody_guesses_how_long_it_takes(clinic: StagedClinic, adapter: VetspireAdapter, duration: Any) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, duration=duration)
    assert (rows(adapter)[id_].minutes, rows(adapter)[id_].ends_at) == (None, None)


@pytest.mark.fault("F27")
def test_a_doubled_member_does_not_hide_behind_one_that_is_missing(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    start = '"start":"2026-03-09T00:00:00Z"'
    whole = f'{{"id":"1",{start},"provider":{{"id":"7","name":"x"}}}}'
    doubled = f'{{"id":"8","id":"9","id":"3","id":"2",{start}}}'
    server.stand("/graphql", answer(200, f'{{"data":{{"appointments":[{whole},{doubled}]}}}}'))
    first, _ = pages(opened(clinic, vendor={"base_url": server.url}))
    assert [one.external_id for one in first.appointments] == ["1"]
    assert [(one.path, one.reason) for one in first.rejected] == [("$..id", "dup_key")]


@pytest.mark.fault("F22")
def test_a_name_that_is_no_text_sets_aside_its_record_alone(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    start = '"start":"2026-03-09T00:00:00Z"'
    records = f'[{{"id":"1",{start},"reason":"\\ud800"}},{{"id":"2",{start}}}]'
    server.stand("/graphql", answer(200, f'{{"data":{{"appointments":{records}}}}}'))
    first, _ = pages(opened(clinic, vendor={"base_url": server.url}))
    assert ([one.external_id for one in first.appointments], [one.reason for one in first.rejected]) == (
        ["2"],
        ["not_json"],
    )


# --- byte for byte ----------------------------------------------------------------------------------------------------


def test_the_raw_key_stands_in_its_header_and_every_value_in_a_variable(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    server.stand("/graphql", answer(200, {"data": {"appointments": []}}))
    pages(opened(clinic, vendor={"base_url": server.url}))
    there, gone = server.asked
    assert there.headers["Authorization"] == clinic.credentials["api_key"]
    assert (there.method, there.target, there.headers["Content-Type"]) == ("POST", "/graphql", "application/json")
    told = json.loads(there.body)
    assert told["variables"] == {
        "loc": "7",
        "from": "2026-03-08T13:00:00Z",
        "to": "2026-03-09T13:00:00Z",
        "gone": False,
        "n": 100,
        "o": 0,
    }
    assert "includeCompleted: true" in told["query"]
    assert json.loads(gone.body)["variables"]["gone"] is True


def test_an_id_cannot_become_part_of_a_question(server: Scripted, opened: Opened, clinic: StagedClinic) -> None:
    server.stand("/graphql", answer(200, {"data": {"patient": None}}))
    with pytest.raises(PmsNotFound):
        opened(clinic, vendor={"base_url": server.url}).patient('1") { id } org(id: "')
    (asked,) = server.asked
    told = json.loads(asked.body)
    assert (told["variables"]["id"], "org" in told["query"]) == ('1") { id } org(id: "', False)


@pytest.mark.security("X27")
def test_neither_people_nor_keys_are_logged(
    clinic: StagedClinic, adapter: VetspireAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")  # a command run before may have quieted it
    id_ = clinic.book(at("09:00"), state="completed")
    one = rows(adapter)[id_]
    assert one.patient is not None
    assert one.client is not None
    list(adapter.consultations([ConsultationRef(id_, one.consultation_id, one.patient.external_id, one.starts_at)]))
    clinic.control("knobs", says=f"{one.client.full_name} is not a number")
    with pytest.raises(PmsBadRequest) as raised:
        pages(adapter)
    said = " ".join([str(raised.value), *(f"{line.getMessage()} {line.__dict__}" for line in caplog.records)])
    planted = (one.client.full_name, one.client.phone, one.client.email, clinic.credentials["api_key"], "Limping")
    for secret in (*planted, id_, one.patient.external_id):
        assert secret
        assert secret not in said
    assert "/graphql appointments" in said
