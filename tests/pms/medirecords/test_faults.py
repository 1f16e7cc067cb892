"""What goes wrong between MediRecords and us, on request; records nobody can read; what is kept out of logs."""

from __future__ import annotations

import json
import logging

import pytest

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
from app.pms.medirecords.adapter import MedirecordsAdapter
from tests.pms.conftest import Limiter as Remembering
from tests.pms.conftest import Waits
from tests.pms.medirecords.conftest import CLIENT, MONDAY, Opened, at, only, pages, rows
from tests.pms.scripted import Scripted, answer
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S02")

PRACTICE = "/v1/practices/6f1d7a52-4b3e-4c8e-9a77-1d0c5e2b9f10"
LIST = f"{PRACTICE}/appointments"
CODES = "/v1/code-system"


@pytest.mark.parametrize(
    ("status", "error"), [(401, PmsAuthFailed), (403, PmsForbidden), (400, PmsBadRequest), (404, PmsMalformed)]
)
def test_a_refusal_is_asked_once_and_ends_the_sweep(
    clinic: StagedClinic, adapter: MedirecordsAdapter, status: int, error: type[PmsError]
) -> None:
    clinic.fault("status", status=status, path=LIST)
    with pytest.raises(error):
        pages(adapter)
    assert len(clinic.asked()) == 1


@pytest.mark.fault("F7")
@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    clinic: StagedClinic, adapter: MedirecordsAdapter, status: int
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
def test_an_answer_that_is_no_list_is_never_an_empty_one(
    clinic: StagedClinic, adapter: MedirecordsAdapter, kind: str, reason: str
) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.fault(kind)
    asks = (lambda: pages(adapter), adapter.practitioners, adapter.appointment_types, adapter.identity)
    for ask in (*asks, lambda: adapter.appointment(id_)):
        with pytest.raises(PmsMalformed) as raised:
            ask()
        assert raised.value.reason == reason


@pytest.mark.parametrize("path", [CODES, f"{PRACTICE}/providers", f"{PRACTICE}/appointment-types", "/v1/patients"])
def test_what_is_joined_and_cannot_be_read_ends_the_sweep_and_is_asked_for_again(
    clinic: StagedClinic, adapter: MedirecordsAdapter, path: str
) -> None:
    clinic.book(at("09:00"))
    for kind, more in (("html", {}), ("status", {"status": 503})):
        clinic.fault(kind, path=path, **more)
        with pytest.raises((PmsMalformed, PmsUnavailable)):
            pages(adapter)
        clinic.mend()
    one = only(adapter)
    assert (one.minutes, one.practitioner_name, one.type_name) == (40, "Wren Okafor", "Initial consult, video")


@pytest.mark.parametrize("status", [403, 404])
def test_without_the_list_of_codes_the_types_length_stands_in(
    clinic: StagedClinic, adapter: MedirecordsAdapter, status: int
) -> None:
    clinic.book(at("09:00"), minutes=75)
    clinic.fault("status", status=status, path=CODES)
    assert [only(adapter).minutes, only(adapter).minutes] == [40, 40]
    assert len(clinic.asked(CODES)) == 1


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(
    clinic: StagedClinic, adapter: MedirecordsAdapter
) -> None:
    clinic.fault("redirect", path=LIST)
    with pytest.raises(PmsUntrusted):
        pages(adapter)


def test_a_page_that_fails_leaves_the_pages_before_it(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=150)
    clinic.fault("html", path=LIST, skip=1)
    reading = adapter.appointments(*adapter.partitions(MONDAY, ()))
    assert next(reading).received == 100
    with pytest.raises(PmsMalformed):
        next(reading)


@pytest.mark.fault("F36")
def test_pages_that_never_end_are_noticed_at_the_second(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=130)
    clinic.control("knobs", stuck=True)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"
    assert len(clinic.asked(LIST)) == 2


def test_a_row_that_was_stepped_over_is_noticed_by_its_number(server: Scripted, opened: Opened) -> None:
    """The order is not public: another booking may push a row from one page to one that was read already."""

    def page(number: int, ids: tuple[int, ...], **more: object) -> list[object]:
        data = [{"id": str(id_), "scheduleTime": "2026-03-08T09:00", "appointmentStatus": 2} for id_ in ids]
        return answer(200, {"data": data, "page": number, "totalElements": 4, **more})  # type: ignore[return-value]

    adapter = scripted_adapter(server, opened)
    server.queue(LIST, page(0, (1, 2), last=False), page(1, (2, 3), last=True))  # type: ignore[arg-type]
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.path == "$.totalElements"
    server.queue(LIST, page(0, (), last=True))  # type: ignore[arg-type]
    with pytest.raises(PmsMalformed):
        pages(adapter)
    server.queue(LIST, page(5, (1, 2, 3, 4), last=True))  # type: ignore[arg-type]
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"


def test_a_web_page_does_not_say_that_an_appointment_is_gone(server: Scripted, opened: Opened) -> None:
    adapter = scripted_adapter(server, opened)
    server.stand(f"{LIST}/1", answer(404, "<html>nothing here</html>", kind="text/html"))
    with pytest.raises(PmsMalformed):
        adapter.appointment("1")
    with pytest.raises(PmsNotFound):
        adapter.appointment("a/../b?c")
    assert server.asked[-1].target == f"{LIST}/a%2F..%2Fb%3Fc"


def test_nothing_of_another_practice_comes_in(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, practiceId="00000000-4b3e-4c8e-9a77-1d0c5e2b9f10")
    for ask in (lambda: pages(adapter), lambda: adapter.appointment(id_)):
        with pytest.raises(PmsMalformed) as raised:
            ask()
        assert raised.value.path == "$.practiceId"


# --- records ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "drop", "path", "reason"),
    [
        ({}, ("scheduleTime",), "$.scheduleTime", "missing"),
        ({"scheduleTime": "soon"}, (), "$.scheduleTime", "invalid"),
        ({"scheduleTime": "2026-03-09"}, (), "$.scheduleTime", "invalid"),
        ({"scheduleTime": "2526-03-09T09:00"}, (), "$.scheduleTime", "out_of_range"),
        ({"appointmentStatus": None}, (), "$.appointmentStatus", "wrong_type"),
        ({"patientId": 7}, (), "$.patientId", "wrong_type"),
    ],
)
def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    clinic: StagedClinic,
    adapter: MedirecordsAdapter,
    fields: dict[str, object],
    drop: tuple[str, ...],
    path: str,
    reason: str,
) -> None:
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, drop, **fields)
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [good]
    assert [(one.external_id, one.path, one.reason) for one in page.rejected] == [(bad, path, reason)]
    assert page.received == 2
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(bad)
    assert raised.value.path == path


def test_a_patient_who_cannot_be_read_is_kept_with_the_booking(
    clinic: StagedClinic, adapter: MedirecordsAdapter
) -> None:
    one, two = clinic.state()["patients"][:2]
    good, bad = clinic.book(at("09:00"), patient_id=one), clinic.book(at("10:00"), patient_id=two)
    clinic.raw(two, lastName=["not", "a", "name"])
    (page,) = pages(adapter)
    assert [row.external_id for row in page.appointments] == [good]
    (told,) = page.rejected
    assert (told.external_id, told.path, told.reason) == (bad, "patient.lastName", "wrong_type")
    assert json.loads(told.payload)["beside"]["id"] == two


@pytest.mark.fault("F27")
def test_a_member_that_comes_twice_sets_the_record_aside(server: Scripted, opened: Opened) -> None:
    adapter = scripted_adapter(server, opened)
    record = '{"id":"1","scheduleTime":"2026-03-09T09:00","appointmentStatus":2,"appointmentStatus":8}'
    server.stand(LIST, answer(200, f'{{"data":[{record}],"last":true}}'))
    (page,) = pages(adapter)
    assert [(one.external_id, one.reason) for one in page.rejected] == [("1", "dup_key")]


# --- the limit --------------------------------------------------------------------------------------------------------


def test_a_429_is_waited_for_as_told_and_the_vendors_own_limiter_is_met(
    clinic: StagedClinic, adapter: MedirecordsAdapter, limiter: Remembering, waits: Waits
) -> None:
    clinic.fault("status", status=429, path=LIST, next=1, retry_after=7)
    pages(adapter)
    assert (limiter.told, 7 <= waits.total <= 10) == ([7.0], True)
    clinic.control("book", at=at("08:00"), count=350)
    clinic.control("knobs", limits=[[2, 3600]])
    with pytest.raises(PmsRateLimited) as raised:
        pages(adapter)
    assert raised.value.retry_after_s is not None
    assert raised.value.retry_after_s > 3500


def test_without_published_figures_it_is_our_guess(clinic: StagedClinic, opened: Opened) -> None:
    limits = opened(clinic)._settings.limits
    assert (limits.per_minute, limits.per_hour, limits.per_day) == (60, 1000, None)
    assert opened(clinic, vendor={"requests_per_minute": 9})._settings.limits.per_minute == 9


# --- byte for byte ----------------------------------------------------------------------------------------------------


def scripted_adapter(server: Scripted, opened: Opened) -> MedirecordsAdapter:
    return opened(server.url, typed={"practice_id": PRACTICE.rpartition("/")[2], "access_token": "a-token-of-somebody"})


def test_a_fixed_token_goes_in_its_header_and_in_no_address(server: Scripted, opened: Opened) -> None:
    server.stand(LIST, answer(200, {"data": [], "last": True, "totalElements": 0}))
    assert [page.received for page in pages(scripted_adapter(server, opened))] == [0]
    (asked,) = server.asked
    assert asked.headers["Authorization"] == "Bearer a-token-of-somebody"
    assert "a-token-of-somebody" not in asked.target


def test_a_client_is_told_in_a_form(server: Scripted, opened: Opened) -> None:
    server.stand("/oauth/token", answer(200, {"access_token": "made", "expires_in": 60}))
    server.stand(PRACTICE, answer(200, {"practiceName": "Saltbush"}))
    adapter = opened(server.url, typed={"practice_id": PRACTICE.rpartition("/")[2], **CLIENT})
    assert adapter.identity().name == "Saltbush"
    form, asked = server.asked
    assert form.body == (
        b"grant_type=client_credentials&client_id=medirecords-demo-client"
        b"&client_secret=medirecords-demo-secret-0000000000"
    )
    assert asked.headers["Authorization"] == "Bearer made"
    server.stand("/oauth/token", answer(200, {"access_token": "made", "expires_in": 0}))
    with pytest.raises(PmsMalformed):
        adapter.refresh_token()


def test_the_log_holds_no_token_and_nobody(
    clinic: StagedClinic, adapter: MedirecordsAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")
    bad = clinic.book(at("09:00"))
    clinic.book(at("10:00"), note="Anxious about flying")
    clinic.raw(bad, ("scheduleTime",))
    clinic.fault("status", status=403, path=CODES)
    one = only(adapter)
    adapter.appointment(one.external_id)
    told = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "/v1/practices/{id}/appointments/{id}" in told
    who = one.patients[0]
    never = [clinic.credentials["access_token"], clinic.credentials["practice_id"], "Bearer", "Anxious"]
    people = [who.full_name, who.phone, who.external_id, one.external_id, bad, one.telehealth_url]
    assert [word for word in (*never, *people) if word and word in told] == []
