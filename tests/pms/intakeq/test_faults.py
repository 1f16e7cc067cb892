"""What goes wrong between IntakeQ and us, on request; and the two budgets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from app.domain.window import Window
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
from app.pms.intakeq.adapter import IntakeqAdapter
from app.pms.limits import Limiter, LocalLimiter
from app.pms.redis_limiter import RedisLimiter
from tests.pms.conftest import Limiter as Remembering
from tests.pms.conftest import Waits
from tests.pms.intakeq.conftest import Opened
from tests.pms.intakeq.test_against_simulator import LIST, MONDAY, at, pages, rows
from tests.pms.scripted import Scripted, answer
from tests.sandbox.intakeq import Account

pytestmark = pytest.mark.feature("S09")


# --- refusals and outages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "error"), [(401, PmsAuthFailed), (403, PmsForbidden), (400, PmsBadRequest)])
def test_a_refusal_is_asked_once_and_ends_the_sweep(
    account: Account, adapter: IntakeqAdapter, status: int, error: type[PmsError]
) -> None:
    account.control("faults", kind="status", status=status)
    with pytest.raises(error):
        pages(adapter)
    assert len(account.asked()) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.fault("F7")
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    account: Account, adapter: IntakeqAdapter, status: int
) -> None:
    account.book(at("09:00"))
    account.control("faults", kind="status", status=status, next=2)
    assert len(rows(adapter)) == 1
    account.control("faults", kind="status", status=status)
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
    account: Account, adapter: IntakeqAdapter, kind: str, reason: str
) -> None:
    account.book(at("09:00"))
    account.control("faults", kind=kind)
    for ask in (lambda: pages(adapter), lambda: list(adapter.clients(MONDAY)), adapter.practitioners):
        with pytest.raises(PmsMalformed) as raised:
            ask()
        assert raised.value.reason == reason


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else(account: Account, adapter: IntakeqAdapter) -> None:
    account.control("faults", kind="redirect")
    with pytest.raises(PmsUntrusted):
        pages(adapter)


def test_a_page_that_fails_leaves_the_pages_before_it(account: Account, adapter: IntakeqAdapter) -> None:
    account.control("book", at=at("08:00"), count=150)
    account.control("faults", kind="html", path="/appointments", skip=1)
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    assert next(reading).received == 100
    with pytest.raises(PmsMalformed):
        next(reading)


def test_a_wrong_address_does_not_say_that_an_appointment_is_gone(account: Account, opened: Opened) -> None:
    id_ = account.book(at("09:00"))["Id"]
    elsewhere = opened(f"{account.url}/old")
    elsewhere._gone = frozenset()  # the bin was read before the address went wrong
    with pytest.raises(PmsMalformed):
        elsewhere.appointment(id_)


def test_a_bin_that_cannot_be_read_says_nothing_about_anybody(account: Account, adapter: IntakeqAdapter) -> None:
    id_ = account.book(at("09:00"))["Id"]
    account.control("faults", kind="html")
    with pytest.raises(PmsMalformed):
        adapter.appointment(id_)
    account.control("faults/clear")
    assert adapter.appointment(id_).external_id == id_


@pytest.mark.fault("F36")
def test_a_vendor_that_always_sends_the_first_page_is_noticed_at_the_second(
    account: Account, adapter: IntakeqAdapter
) -> None:
    account.control("book", at=at("08:00"), count=130)
    account.control("knobs", ignores_page=True)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"
    assert len(account.asked(LIST)) == 2


def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    account: Account, adapter: IntakeqAdapter
) -> None:
    good, bad = account.book(at("09:00"))["Id"], account.book(at("10:00"))["Id"]
    account.control("raw", id=bad, drop=["StartDate", "StartDateIso", "StartDateLocal"])
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [good]
    assert [(one.external_id, one.path, one.reason) for one in page.rejected] == [(bad, "$.StartDate", "missing")]
    assert page.received == 2
    (clients,) = adapter.clients(MONDAY)
    assert ([one.path for one in clients.rejected], clients.received) == (["$.StartDate"], 2)
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(bad)
    assert raised.value.path == "$.StartDate"


# --- the budgets ------------------------------------------------------------------------------------------------------


def test_a_429_that_names_no_time_shuts_the_key_for_a_minute(
    account: Account, adapter: IntakeqAdapter, limiter: Remembering, waits: Waits
) -> None:
    account.control("faults", kind="status", status=429, next=1)
    assert pages(adapter)[0].received == 0
    assert limiter.told == [60.0]
    assert waits.total == pytest.approx(60, abs=2)


def test_a_429_that_names_a_time_is_waited_for_as_told(
    account: Account, adapter: IntakeqAdapter, limiter: Remembering, waits: Waits
) -> None:
    account.control("faults", kind="status", status=429, next=1, retry_after=7)
    pages(adapter)
    assert limiter.told == [7.0]
    assert 7 <= waits.total <= 10


def test_ten_calls_a_minute_are_kept_to_without_anybody_counting_for_us(
    account: Account, opened: Opened, waits: Waits
) -> None:
    """A long sweep by a lone background run: eight calls, then the rest of the minute is waited for, never more."""
    account.control("book", at=at("08:00"), count=1010)
    now = [0.0]

    def sleep(seconds: float) -> None:
        waits(seconds)
        now[0] += seconds

    paced = LocalLimiter(sleep=sleep, monotonic=lambda: now[0])
    found = pages(
        opened(account, limiter=paced, sleep=sleep),
        Window(date(2026, 3, 9), date(2026, 3, 10), ZoneInfo("Australia/Melbourne")),
    )
    assert sum(page.received for page in found) == 1010
    assert len(account.asked(LIST)) == 11
    assert waits.total == 61.0


@pytest.fixture(params=["redis", "local"])
def counting(request: pytest.FixtureRequest) -> Iterator[Limiter]:
    if request.param == "local":
        yield LocalLimiter()
        return
    with Redis.from_url(request.getfixturevalue("redis_url")) as connection:
        yield RedisLimiter(connection)


def test_a_days_budget_that_is_used_up_is_not_waited_for(
    account: Account, opened: Opened, counting: Limiter, waits: Waits
) -> None:
    account.book(at("09:00"))
    daily = {"requests_per_day": 5, "requests_per_minute": 1000}
    background = opened(account, limiter=counting, vendor=daily)
    for _ in range(4):
        pages(background)
    with pytest.raises(PmsRateLimited) as raised:
        pages(background)
    assert raised.value.retry_after_s == pytest.approx(86_400, abs=60)
    assert waits.total == 0
    person = opened(account, limiter=counting, vendor=daily, manual=True)
    assert len(rows(person)) == 1, "a fifth of the day is kept for people"
    with pytest.raises(PmsRateLimited):
        pages(person)
    assert len(account.asked()) == 5


def test_unless_the_operator_says_otherwise_it_is_the_vendors_own_figures(account: Account, opened: Opened) -> None:
    limits = opened(account)._settings.limits
    assert (limits.per_minute, limits.per_day, limits.background, limits.day(manual=False)) == (10, 500, 8, 400)


# --- byte for byte ----------------------------------------------------------------------------------------------------


def test_the_key_goes_in_its_header_and_in_no_address(server: Scripted, opened: Opened) -> None:
    server.stand("/api/v1/appointments", answer(200, []))
    assert pages(opened(f"{server.url}/api/v1", key="a-key-of-somebody"))[0].received == 0
    (asked,) = server.asked
    assert asked.headers["X-Auth-Key"] == "a-key-of-somebody"
    assert "a-key-of-somebody" not in asked.target
    assert "Authorization" not in asked.headers
    assert asked.query == {"startDate": "2026-03-08", "endDate": "2026-03-10", "page": "1"}


def test_an_id_stays_one_segment_of_its_address(server: Scripted, opened: Opened) -> None:
    server.stand("/api/v1/appointments", answer(200, []))
    adapter = opened(f"{server.url}/api/v1")
    with pytest.raises(PmsNotFound):
        adapter.appointment("a/../b?c")
    assert server.asked[-1].target == "/api/v1/appointments/a%2F..%2Fb%3Fc"
