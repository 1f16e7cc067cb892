"""What goes wrong between Halaxy and us, on request; its limit, and its tokens."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

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
from app.pms.halaxy.adapter import HalaxyAdapter
from tests.pms.conftest import Limiter as Remembering
from tests.pms.conftest import MemoryStores, Waits
from tests.pms.halaxy.conftest import Opened
from tests.pms.halaxy.practice import LIST, MONDAY, TOKEN, at, only, pages, rows, scripted_adapter
from tests.pms.scripted import Scripted, answer
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S03")


def asked(clinic: StagedClinic, path: str = LIST) -> int:
    return len(clinic.asked(path))


# --- refusals and outages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "error"), [(403, PmsForbidden), (400, PmsBadRequest), (422, PmsBadRequest)])
def test_a_refusal_is_asked_once_and_ends_the_sweep(
    clinic: StagedClinic, adapter: HalaxyAdapter, status: int, error: type[PmsError]
) -> None:
    clinic.fault("status", status=status, path=LIST)
    with pytest.raises(error):
        pages(adapter)
    assert asked(clinic) == 1


@pytest.mark.fault("F7")
@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    clinic: StagedClinic, adapter: HalaxyAdapter, status: int
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
    clinic: StagedClinic, adapter: HalaxyAdapter, kind: str, reason: str
) -> None:
    id_ = clinic.book(at("09:00"))
    adapter.authenticate()
    clinic.fault(kind)
    for ask in (
        lambda: pages(adapter),
        lambda: list(adapter.clients(MONDAY)),
        lambda: list(adapter.changes(MONDAY.start, ())),
        adapter.practitioners,
        adapter.appointment_types,
        adapter.identity,
        lambda: adapter.appointment(id_),
    ):
        with pytest.raises(PmsMalformed) as raised:
            ask()
        assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("forbidden", PmsForbidden),
        ("login", PmsAuthFailed),
        ("expired", PmsAuthFailed),
        ("throttled", PmsRateLimited),
        ("transient", PmsUnavailable),
        ("not-found", PmsMalformed),
        ("processing", PmsMalformed),
    ],
)
def test_an_outcome_in_place_of_a_bundle_is_an_error_though_its_status_is_200(
    clinic: StagedClinic, adapter: HalaxyAdapter, code: str, error: type[PmsError]
) -> None:
    clinic.book(at("09:00"))
    clinic.control("knobs", instead=code)
    with pytest.raises(error):
        pages(adapter)


def test_a_warning_among_the_entries_is_no_record_and_an_error_there_ends_the_sweep(
    server: Scripted, opened: Opened
) -> None:
    def page(severity: str) -> dict[str, object]:
        issue = [{"severity": severity, "code": "not-supported"}]
        entry = [{"resource": {"resourceType": "OperationOutcome", "id": "warning", "issue": issue}}]
        return {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": entry}

    adapter = scripted_adapter(server, opened)
    server.queue(LIST, answer(200, page("warning")), answer(200, page("error")))
    assert [one.received for one in pages(adapter)] == [0]
    with pytest.raises(PmsMalformed):
        pages(adapter)


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Bundle", "type": "history", "entry": []},
        {"resourceType": "Patient", "id": "1"},
        {"resourceType": "Bundle", "type": "searchset", "total": 3},
        {"resourceType": "Bundle", "entry": {"resource": {}}},
        [],
    ],
)
def test_what_only_looks_like_an_empty_search_is_none(server: Scripted, opened: Opened, body: object) -> None:
    adapter = scripted_adapter(server, opened)
    server.stand(LIST, answer(200, body))
    with pytest.raises(PmsMalformed):
        pages(adapter)


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    clinic.fault("redirect", path=LIST)
    with pytest.raises(PmsUntrusted):
        pages(adapter)


def test_a_page_that_fails_leaves_the_pages_before_it(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=150)
    clinic.fault("html", path=LIST, skip=1)
    reading = adapter.appointments(*adapter.partitions(MONDAY, ()))
    assert next(reading).received == 100
    with pytest.raises(PmsMalformed):
        next(reading)


@pytest.mark.fault("F36")
@pytest.mark.parametrize("stuck", ["link", "rows"])
def test_pages_that_never_end_are_noticed_at_the_second(
    clinic: StagedClinic, adapter: HalaxyAdapter, stuck: str
) -> None:
    clinic.control("book", at=at("08:00"), count=130)
    clinic.control("knobs", stuck=stuck)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"
    assert asked(clinic) == {"link": 1, "rows": 2}[stuck]


def test_an_end_before_as_many_as_were_announced_is_no_end(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=120)
    reading = adapter.appointments(*adapter.partitions(MONDAY, ()), cursor="2/60")
    with pytest.raises(PmsMalformed) as raised:
        next(reading)
    assert raised.value.path == "$.total"


def test_a_web_page_does_not_say_that_an_appointment_is_gone(clinic: StagedClinic, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"))
    adapter = opened(clinic)
    adapter.authenticate()
    clinic.fault("html", path=f"{LIST}/")
    with pytest.raises(PmsMalformed):
        adapter.appointment(f"{id_}/1")


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_believed_for_a_quarter_of_what_it_says(clinic: StagedClinic, opened: Opened) -> None:
    store = MemoryStores()
    opened(clinic, tokens=store).authenticate()
    row = store.connection().row
    assert row.issued_at is not None
    assert row.expires_at == row.issued_at + timedelta(minutes=15)


@pytest.mark.parametrize("said", [0, -5])
def test_a_token_without_a_life_is_none(clinic: StagedClinic, adapter: HalaxyAdapter, said: int) -> None:
    clinic.control("knobs", says_expires_in=said)
    with pytest.raises(PmsMalformed):
        adapter.authenticate()


@pytest.mark.parametrize("status", [401, 400, 403, 422])
def test_a_token_that_ends_in_the_middle_of_a_sweep_is_renewed_once(
    clinic: StagedClinic, adapter: HalaxyAdapter, status: int
) -> None:
    """It is told by a 401, or by another refusal whose outcome says `expired`."""
    clinic.control("knobs", expired_status=status)
    clinic.control("book", at=at("08:00"), count=150)
    clinic.fault("expire", path=LIST, skip=1, next=1)
    assert [page.received for page in pages(adapter)] == [100, 50]
    assert asked(clinic, TOKEN) == 2


def test_a_token_that_is_refused_however_new_ends_the_sweep(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.control("knobs", expired_status=403, token_ttl_s=0)
    with pytest.raises(PmsAuthFailed):
        pages(adapter)
    assert asked(clinic, TOKEN) == 2


# --- the limit --------------------------------------------------------------------------------------------------------


def test_a_429_that_names_a_time_is_waited_for_as_told(
    clinic: StagedClinic, adapter: HalaxyAdapter, limiter: Remembering, waits: Waits
) -> None:
    clinic.fault("status", status=429, path=LIST, next=1, retry_after=7)
    pages(adapter)
    assert limiter.told == [7.0]
    assert 7 <= waits.total <= 10


def test_the_vendors_own_limiter_is_met_and_told_of(
    clinic: StagedClinic, adapter: HalaxyAdapter, limiter: Remembering
) -> None:
    clinic.control("book", at=at("08:00"), count=350)
    clinic.control("knobs", limits=[[2, 3600]])
    with pytest.raises(PmsRateLimited) as raised:
        pages(adapter)
    assert raised.value.retry_after_s is not None
    assert raised.value.retry_after_s > 3500
    assert len(limiter.told) == 1


def test_unless_the_operator_says_otherwise_it_is_the_vendors_own_figure(clinic: StagedClinic, opened: Opened) -> None:
    limits = opened(clinic)._settings.limits
    assert (limits.per_minute, limits.per_hour, limits.per_day) == (500, 30_000, None)
    assert opened(clinic, vendor={"requests_per_minute": 9})._settings.limits.per_minute == 9


# --- byte for byte ----------------------------------------------------------------------------------------------------


def test_the_secret_goes_as_json_and_every_request_says_whom_to_write_to(server: Scripted, opened: Opened) -> None:
    adapter = scripted_adapter(server, opened)
    server.stand(LIST, answer(200, {"resourceType": "Bundle", "type": "searchset", "total": 0}))
    assert [page.received for page in pages(adapter)] == [0]
    log_in, search = server.asked
    assert json.loads(log_in.body) == {
        "grant_type": "client_credentials",
        "client_id": "a-client",
        "client_secret": "a secret+of&somebody",
    }
    for one in (log_in, search):
        assert one.headers["User-Agent"] == "Runsheet (desk@example.com)"
        assert one.headers["Accept"] == "application/fhir+json"
        assert one.headers["Content-Type"] == "application/json"
    assert (log_in.headers["Authorization"], search.headers["Authorization"]) == (None, "Bearer a-token-of-somebody")
    assert search.target == (
        "/Appointment?date=ge2026-03-09T00%3A00%3A00%2B11%3A00&date=lt2026-03-10T00%3A00%3A00%2B11%3A00"
        "&_include=Appointment%3Apatient&_include=Appointment%3Apractitioner-role"
        "&_include%3Aiterate=PractitionerRole%3Apractitioner&_sort=date&_count=100&page=1"
    )


def test_a_web_page_with_a_404_does_not_say_that_an_appointment_is_gone(server: Scripted, opened: Opened) -> None:
    adapter = scripted_adapter(server, opened)
    server.stand(f"{LIST}/1", answer(404, "<html>no such address</html>", kind="text/html"))
    server.stand(f"{LIST}/2", answer(410, {"resourceType": "OperationOutcome", "issue": [{"code": "deleted"}]}))
    with pytest.raises(PmsMalformed):
        adapter.appointment("1/7")
    with pytest.raises(PmsNotFound):
        adapter.appointment("2/7")


def test_an_id_stays_one_segment_of_its_address(server: Scripted, opened: Opened) -> None:
    with pytest.raises(PmsNotFound):
        scripted_adapter(server, opened).patient("a/../b?c")
    assert server.asked[-1].target == "/Patient/a%2F..%2Fb%3Fc"


def test_the_log_holds_no_secret_no_token_and_nobody(
    clinic: StagedClinic, adapter: HalaxyAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")
    bad = clinic.book(at("09:00"))
    clinic.book(at("10:00"), note="Anxious about flying")
    clinic.raw(bad, ("start",))
    clinic.control("knobs", denied=["HealthcareService"])
    one = only(adapter)
    adapter.appointment(one.external_id)
    told = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "/Appointment/{id}" in told
    assert one.patient is not None
    secrets = [clinic.credentials["client_secret"], clinic.credentials["contact_email"], "Bearer", "Anxious"]
    people = [one.patient.full_name, one.patient.phone, one.patient.external_id, one.external_id, bad]
    assert [word for word in (*secrets, *people) if word and word in told] == []
