"""What goes wrong between Cliniko and us, on request; its limit; and what is sent, byte for byte."""

from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from app.pms.cliniko.adapter import ClinikoAdapter
from app.pms.cliniko.pause import pause_asked
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.transport import Reply
from tests.pms.cliniko.conftest import MONDAY, Opened, at, pages, rows
from tests.pms.conftest import Limiter, Waits
from tests.pms.scripted import Scripted, answer
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S10")

LISTS = ("/individual_appointments", "/group_appointments", "/attendees", "/patients", "/appointment_types")


# --- refusals and outages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, PmsAuthFailed), (403, PmsForbidden), (400, PmsBadRequest), (422, PmsBadRequest), (404, PmsNotFound)],
)
def test_a_refusal_is_asked_once_and_ends_the_sweep(
    clinic: StagedClinic, adapter: ClinikoAdapter, status: int, error: type[PmsError]
) -> None:
    clinic.fault("status", status=status)
    with pytest.raises(error):
        pages(adapter)
    assert len(clinic.asked()) == 1


@pytest.mark.parametrize("path", LISTS)
def test_whichever_list_fails_nobody_takes_the_rest_for_all(
    clinic: StagedClinic, adapter: ClinikoAdapter, path: str
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=403, path=path)
    with pytest.raises(PmsForbidden):
        pages(adapter)


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.fault("F11")
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    clinic: StagedClinic, adapter: ClinikoAdapter, status: int
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=status, next=2)
    assert len(rows(adapter)) == 1
    clinic.fault("status", status=status)
    with pytest.raises(PmsUnavailable):
        pages(adapter)


@pytest.mark.parametrize("path", LISTS)
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
def test_an_answer_that_is_no_list_is_never_an_empty_one(
    clinic: StagedClinic, adapter: ClinikoAdapter, path: str, kind: str, reason: str
) -> None:
    clinic.book(at("09:00"))
    clinic.fault(kind, path=path)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == reason


def test_an_account_that_moved_is_not_followed_with_its_key(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    clinic.fault("redirect")
    with pytest.raises(PmsUntrusted):
        pages(adapter)


def test_a_page_that_fails_leaves_the_pages_before_it(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=150)
    clinic.fault("html", path="/individual_appointments", skip=1)
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    assert next(reading).received == 100
    with pytest.raises(PmsMalformed):
        next(reading)


def test_an_id_is_called_unknown_only_when_both_kinds_deny_it(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.delete(id_)
    clinic.fault("status", status=403, path="/group_appointments")
    with pytest.raises(PmsForbidden):
        adapter.appointment(id_)
    clinic.mend()
    clinic.fault("html", path="/individual_appointments")
    with pytest.raises(PmsMalformed):
        adapter.appointment(id_)


@pytest.mark.fault("F36")
def test_pages_that_lead_back_are_noticed(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=130)
    clinic.control("knobs", loop=True)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"


@pytest.mark.fault("F40")
def test_a_next_page_elsewhere_is_not_asked_for(server: Scripted, opened: Opened, clinic: StagedClinic) -> None:
    body = {"individual_appointments": [], "links": {"next": "https://elsewhere.example/v1/individual_appointments"}}
    server.stand("/v1/individual_appointments", answer(200, body))
    with pytest.raises(PmsUntrusted) as raised:
        pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    assert raised.value.reason == "address"


@pytest.mark.fault("F39")
def test_an_empty_page_in_the_middle_is_not_the_end(server: Scripted, opened: Opened, clinic: StagedClinic) -> None:
    further = {"individual_appointments": [], "links": {"next": f"{server.url}/v1/further?page=2"}}
    server.stand("/v1/individual_appointments", answer(200, further))
    server.stand("/v1/further", answer(200, {"individual_appointments": [], "links": {}}))
    server.stand("/v1/group_appointments", answer(200, {"group_appointments": [], "links": {"next": None}}))
    assert len(pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))) == 3


def test_a_list_that_does_not_say_whether_it_goes_on_is_none(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    server.stand("/v1/individual_appointments", answer(200, {"individual_appointments": [], "total_entries": 0}))
    with pytest.raises(PmsMalformed) as raised:
        pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    assert raised.value.path == "$.links"


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "drop", "path", "reason"),
    [
        ({}, ("starts_at",), "$.starts_at", "missing"),
        ({"starts_at": None}, (), "$.starts_at", "wrong_type"),
        ({"starts_at": ""}, (), "$.starts_at", "missing"),
        ({"starts_at": "2026-03-09T09:00:00"}, (), "$.starts_at", "invalid"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, (), "$.starts_at", "invalid"),
        ({"starts_at": "1850-01-01T00:00:00Z"}, (), "$.starts_at", "out_of_range"),
        ({"ends_at": "2099-01-01T00:00:00Z"}, (), "$.ends_at", "out_of_range"),
        ({"cancelled_at": "this morning"}, (), "$.cancelled_at", "invalid"),
        ({}, ("patient",), "$.patient", "missing"),
        ({"patient": {}}, (), "$.patient.links", "missing"),
        ({"practitioner": {"links": {"self": "https://"}}}, (), "$.practitioner.links.self", "invalid"),
        ({"appointment_type": None}, (), "$.appointment_type", "wrong_type"),
        ({"patient_arrived": "yes"}, (), "$.patient_arrived", "wrong_type"),
        ({"id": ""}, (), "$.id", "invalid"),
    ],
)
@pytest.mark.fault("F31")
def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    clinic: StagedClinic,
    adapter: ClinikoAdapter,
    fields: dict[str, object],
    drop: tuple[str, ...],
    path: str,
    reason: str,
) -> None:
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, drop, **fields)
    page = pages(adapter)[0]
    assert good in {one.external_id for one in page.appointments}
    assert [(one.path, one.reason) for one in page.rejected] == [(path, reason)]
    assert page.received == len(page.appointments) + 1
    if "id" not in fields:
        assert page.rejected[0].external_id == bad
        with pytest.raises(PmsMalformed) as raised:
            adapter.appointment(bad)
        assert raised.value.path == path


def test_a_patient_that_cannot_be_read_is_kept_with_the_booking_that_is_set_aside(
    clinic: StagedClinic, adapter: ClinikoAdapter
) -> None:
    who = clinic.state()["patients"]
    bad, good = clinic.book(at("09:00"), patient_id=who[0]), clinic.book(at("10:00"), patient_id=who[1])
    clinic.raw(who[0], first_name={"given": "Wilhelmina"})
    page = pages(adapter)[0]
    assert [one.external_id for one in page.appointments] == [good]
    (set_aside,) = page.rejected
    assert (set_aside.external_id, set_aside.path, set_aside.reason) == (bad, "$.patient.first_name", "wrong_type")
    assert b'"record":' in set_aside.payload
    assert b'"given":"Wilhelmina"' in set_aside.payload
    with pytest.raises(PmsMalformed):
        adapter.patient(who[0])


@pytest.mark.fault("F27")
def test_a_member_named_twice_sets_its_record_aside(server: Scripted, opened: Opened, clinic: StagedClinic) -> None:
    link = '{"links":{"self":"https://x.example/1"}}'
    record = (
        f'{{"id":"1","starts_at":"2026-03-09T00:00:00Z","patient":{link},"practitioner":{link},'
        f'"appointment_type":{link},"id":"2","of":1,"a":1,"shape":1,"that":1,"no":1,"other":1,"test":1,"has":1}}'
    )
    server.stand("/v1/individual_appointments", answer(200, f'{{"individual_appointments":[{record}],"links":{{}}}}'))
    server.stand("/v1/group_appointments", answer(200, {"group_appointments": [], "links": {}}))
    first, _ = pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    assert [(one.path, one.reason) for one in first.rejected] == [("$..id", "dup_key")]


LINK = {"links": {"self": "https://x.example/1"}}
BOOKING = {"starts_at": "2026-03-09T00:00:00Z", "patient": LINK, "practitioner": LINK, "appointment_type": LINK}


def listing(server: Scripted, *records: str) -> None:
    """A server whose visits are these and that has nothing else."""
    body = f'{{"individual_appointments":[{",".join(records)}],"links":{{}}}}'
    server.stand("/v1/individual_appointments", answer(200, body))
    names = ("group_appointments", "attendees", "patients", "practitioners", "appointment_types")
    for name in names:
        server.stand(f"/v1/{name}", answer(200, {name: [], "links": {}}))
    server.stand("/v1/practitioners/inactive", answer(200, {"practitioners": [], "links": {}}))


def test_what_was_archived_is_left_out_even_where_it_is_listed(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    marks: tuple[dict[str, object], ...] = ({}, {"archived_at": "2026-03-08T00:00:00Z"}, {"deleted_at": "x"})
    listing(server, *(json.dumps({"id": str(number), **BOOKING, **one}) for number, one in enumerate(marks)))
    first, _ = pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    assert ([one.external_id for one in first.appointments], first.rejected, first.received) == (["0"], [], 1)


@pytest.mark.fault("F27")
def test_a_doubled_member_does_not_hide_behind_one_that_is_missing(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    whole = json.dumps({"id": "1", **BOOKING, "business": LINK})
    doubled = json.dumps({"id": "2", **BOOKING}).replace('"id"', '"id": "7", "id": "8", "id": "9", "id"', 1)
    assert whole.count('":') == doubled.count('":')
    listing(server, whole, doubled)
    first, _ = pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    assert ([one.external_id for one in first.appointments], [one.path for one in first.rejected]) == (["1"], ["$..id"])


@pytest.mark.fault("F22")
def test_text_that_is_no_text_sets_aside_its_record_alone(
    server: Scripted, opened: Opened, clinic: StagedClinic
) -> None:
    records = '[{"id":"1","patient_name":"\\ud800"},{"id":"2","starts_at":NaN}]'
    server.stand("/v1/individual_appointments", answer(200, f'{{"individual_appointments":{records},"links":{{}}}}'))
    server.stand("/v1/group_appointments", answer(200, {"group_appointments": [], "links": {}}))
    first, _ = pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    assert [one.reason for one in first.rejected] == ["not_json", "not_json"]
    assert first.received == 2


# --- the limit --------------------------------------------------------------------------------------------------------


def test_the_limit_is_waited_out_as_its_header_says_and_nothing_is_lost(
    clinic: StagedClinic, opened: Opened, waits: Waits, limiter: Limiter
) -> None:
    clinic.control("book", at=at("08:00"), count=250)
    clinic.control("knobs", limits=[[4, 1]])
    wanted: list[float] = []

    def sleep(seconds: float) -> None:
        """As long as was asked, for real: the simulator counts by the real clock."""
        wanted.append(seconds)
        _truly(seconds)

    assert len(rows(opened(clinic, sleep=sleep))) == 250
    assert limiter.told, "the limit was met"
    assert all(told is not None and 0 < told <= 3 for told in limiter.told)
    assert 429 in {one["status"] for one in clinic.asked()}


def _truly(seconds: float) -> None:
    from app import clock  # noqa: PLC0415 - the house's, which tests may have replaced

    clock.sleep(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60.0),
        ({"x-ratelimit-reset": "1773018020"}, 20.0),
        ({"x-ratelimit-reset": "1773018020", "date": "Mon, 09 Mar 2026 01:00:10 GMT"}, 10.0),
        ({"x-ratelimit-reset": "1773018020", "retry-after": "45"}, 45.0),
        ({"x-ratelimit-reset": "1773018050", "retry-after": "45"}, 50.0),
        ({"x-ratelimit-reset": "1773017000"}, 60.0),
        ({"x-ratelimit-reset": "soon"}, 60.0),
        ({"x-ratelimit-reset": "999999999999"}, 6 * 3600.0),
        ({"retry-after": "-5"}, 60.0),
    ],
)
@pytest.mark.fault("F9")
def test_of_two_headers_the_later_moment_counts(headers: dict[str, str], seconds: float) -> None:
    now = datetime(2026, 3, 9, 1, tzinfo=UTC)
    assert now + timedelta(seconds=20) == datetime.fromtimestamp(1773018020, UTC)
    assert pause_asked(Reply(429, b"", headers), now) == seconds


# --- byte for byte ----------------------------------------------------------------------------------------------------


def test_what_is_sent_is_what_the_reference_asks_for(server: Scripted, opened: Opened, clinic: StagedClinic) -> None:
    for name in ("individual_appointments", "group_appointments"):
        server.stand(f"/v1/{name}", answer(200, {name: [], "links": {}}))
    pages(opened(clinic, vendor={"base_url": f"{server.url}/v1"}))
    visits, classes = server.asked
    key = clinic.credentials["api_key"]
    assert base64.b64decode(visits.headers["Authorization"].removeprefix("Basic ")) == f"{key}:".encode()
    assert visits.headers["User-Agent"] == "Runsheet (frontdesk@example.com)"
    assert visits.headers["Accept"] == "application/json"
    assert visits.target == (
        "/v1/individual_appointments?q%5B%5D=starts_at%3A%3E%3D2026-03-08T13%3A00%3A00Z"
        "&q%5B%5D=starts_at%3A%3C2026-03-09T13%3A00%3A00Z&q%5B%5D=cancelled_at%3A%2A&per_page=100&sort=created_at"
    )
    assert "cancelled_at" not in classes.target, "a class has no such mark: asking for it is refused"


def test_an_id_stays_one_segment_of_its_address(server: Scripted, opened: Opened, clinic: StagedClinic) -> None:
    with pytest.raises(PmsNotFound):
        opened(clinic, vendor={"base_url": f"{server.url}/v1"}).appointment("a/../b?c")
    assert server.asked[-1].target == "/v1/group_appointments/a%2F..%2Fb%3Fc"


@pytest.mark.security("X27")
def test_neither_patients_nor_keys_nor_links_are_logged(
    clinic: StagedClinic, adapter: ClinikoAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")  # a command run before may have quieted it
    id_ = clinic.book(at("09:00"))
    found = rows(adapter)[id_]
    clinic.fault("status", status=503)
    with pytest.raises(PmsUnavailable) as raised:
        pages(adapter)
    assert found.patient is not None
    said = " ".join([str(raised.value), *(f"{one.getMessage()} {one.__dict__}" for one in caplog.records)])
    planted = (found.patient.full_name, found.patient.phone, found.patient.email, found.telehealth_url)
    for secret in (*planted, id_, found.patient.external_id, clinic.credentials["api_key"]):
        assert secret
        assert secret not in said
    assert "/individual_appointments" in said
