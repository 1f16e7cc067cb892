"""E01: three attempts, full jitter, the vendor's own wish respected, nothing waited for longer than a run may."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from app import clock
from app.pms import retry
from app.pms.errors import PmsAuthFailed, PmsCancelled, PmsError, PmsRateLimited, PmsRetryable, PmsUnavailable
from app.pms.http import Call, PmsHttp
from app.pms.retry import ONCE, RetryPolicy, full_jitter, retry_after, with_retry
from tests.pms.conftest import Limiter, Waits
from tests.pms.scripted import Scripted, answer

NOW = datetime(2026, 3, 9, 1, 0, 0, tzinfo=UTC)


def plain(path: str = "/x") -> Call:
    return Call("GET", path, "/x", signed=False)


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.mark.feature("E01")
@pytest.mark.fault("F11")
@pytest.mark.parametrize("status", sorted(retry.RETRYABLE_STATUSES))
def test_a_status_that_may_pass_is_tried_three_times_and_no_more(
    server: Scripted, http: PmsHttp, waits: Waits, status: int
) -> None:
    server.stand("/x", answer(status))
    with pytest.raises(PmsRetryable):
        http.send(plain())
    assert len(server.asked) == 3
    assert 0 < waits.total <= 1 + 2


@pytest.mark.feature("E01")
@pytest.mark.parametrize("status", sorted(retry.RETRYABLE_STATUSES))
def test_a_status_that_passes_is_forgotten(server: Scripted, http: PmsHttp, status: int) -> None:
    server.queue("/x", answer(status), answer(status), answer(200, {"here": 1}))
    assert http.send(plain()).body == b'{"here": 1}'


@pytest.mark.feature("E01")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 501, 505])
def test_a_status_that_will_not_pass_is_asked_once(server: Scripted, http: PmsHttp, status: int) -> None:
    server.stand("/x", answer(status))
    with pytest.raises(PmsError):
        http.send(plain())
    assert len(server.asked) == 1


@pytest.mark.feature("E01")
def test_what_must_not_be_sent_twice_is_sent_once(server: Scripted, http: PmsHttp) -> None:
    server.stand("/x", answer(503))
    with pytest.raises(PmsUnavailable):
        http.send(Call("PUT", "/x", "/x", signed=False, policy=ONCE))
    assert len(server.asked) == 1


@pytest.mark.feature("E01")
def test_the_jitter_fills_its_whole_range_and_stops_at_the_cap() -> None:
    for failures, upper in ((1, 1.0), (2, 2.0), (3, 4.0), (6, 30.0), (50, 30.0)):
        drawn = [full_jitter(failures) for _ in range(2000)]
        assert 0 <= min(drawn) < upper * 0.05
        assert upper * 0.95 < max(drawn) <= upper


@pytest.mark.promise("P11")
def test_two_hundred_clients_that_failed_together_come_back_one_by_one() -> None:
    """The most in any tenth of a second: all of them without jitter, 27 with a second of it added (faults.md P11)."""
    policy = RetryPolicy(base_s=8.0)
    for _ in range(20):
        slots = Counter(int(full_jitter(1, policy) * 10) for _ in range(200))
        assert max(slots.values()) <= 15
        assert max(slots) >= 70


@pytest.mark.feature("E01")
def test_a_wait_is_never_shorter_than_the_vendor_asked(server: Scripted, http: PmsHttp, waits: Waits) -> None:
    server.queue("/x", answer(503, Retry_After="7"), answer(200))
    http.send(plain())
    assert waits.total >= 7


@pytest.mark.feature("E01")
def test_a_date_is_waited_for_until_that_date_on_the_vendors_own_clock(
    server: Scripted, http: PmsHttp, waits: Waits
) -> None:
    their_now = NOW - timedelta(days=3)  # a clock far from ours
    server.queue(
        "/x",
        answer(
            503,
            Date=format_datetime(their_now, usegmt=True),
            Retry_After=format_datetime(their_now + timedelta(seconds=20), usegmt=True),
        ),
        answer(200),
    )
    http.send(plain())
    assert 20 <= waits.total < 21


@pytest.mark.feature("E01")
@pytest.mark.fault("F8")
def test_a_long_wait_is_handed_up_at_once_and_the_key_is_shut(
    server: Scripted, http: PmsHttp, waits: Waits, limiter: Limiter
) -> None:
    server.stand("/x", answer(429, Retry_After="120"))
    with pytest.raises(PmsRateLimited) as raised:
        http.send(plain())
    assert raised.value.retry_after_s == 120
    assert limiter.told == [120]
    assert (len(server.asked), waits.total) == (1, 0)


@pytest.mark.feature("E01")
@pytest.mark.fault("F9")
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0", None),
        ("1", 1.0),
        ("120", 120.0),
        ("Mon, 09 Mar 2026 01:02:00 GMT", 120.0),
        ("Monday, 09-Mar-26 01:02:00 GMT", 120.0),
        ("Mon, 09 Mar 2026 00:00:00 GMT", None),
        ("Mon, 09 Mar 2026 12:02:00 +1100", 120.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("   ", None),
        ("1e9", 6 * 3600.0),
        ("1e999", 6 * 3600.0),
        ("1.5", 1.5),
        ("²", None),
        ("1000000000", 6 * 3600.0),
        ("9" * 5000, 6 * 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 6 * 3600.0),
        ("Mon, 99 Mar 2026 01:02:00 GMT", None),
        ("Mon, 09 Mar 99999 01:02:00 GMT", None),
    ],
)
def test_every_spelling_of_retry_after_is_read_or_ignored(
    stopped_clock: None, header: str, expected: float | None
) -> None:
    assert retry_after(header) == expected


@pytest.mark.fault("F9")
@pytest.mark.parametrize("header", ["soon", "-5", "Mon, 99 Mar 2026 01:02:00 GMT"])
def test_a_429_with_junk_backs_off_as_usual_and_is_warned_of(
    server: Scripted, http: PmsHttp, waits: Waits, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    caplog.set_level(logging.WARNING, logger="app.pms.http")
    server.queue("/x", answer(429, Retry_After=header), answer(200))
    http.send(plain())
    assert waits.total <= 1
    assert [record.levelname for record in caplog.records].count("WARNING") >= 1


@pytest.mark.fault("F9")
def test_a_huge_wait_is_deferred_by_six_hours(server: Scripted, http: PmsHttp) -> None:
    server.stand("/x", answer(429, Retry_After="1000000000"))
    with pytest.raises(PmsRateLimited) as raised:
        http.send(plain())
    assert raised.value.retry_after_s == 6 * 3600


@pytest.mark.fault("F10")
def test_429_without_a_time_backs_off_shuts_the_key_meanwhile_and_gives_up(
    server: Scripted, http: PmsHttp, waits: Waits, limiter: Limiter
) -> None:
    server.stand("/x", answer(429))
    with pytest.raises(PmsRateLimited) as raised:
        http.send(plain())
    assert raised.value.retry_after_s is None
    assert len(server.asked) == 3
    assert limiter.told == pytest.approx([sum(waits.slept[:1]), sum(waits.slept[1:])], abs=1e-6)


@pytest.mark.feature("E01")
def test_a_run_that_is_called_off_stops_between_two_attempts(waits: Waits) -> None:
    asked: list[int] = []
    answers: Iterator[bool] = iter([False, False, True])

    def fails() -> None:
        asked.append(1)
        raise PmsUnavailable(reason="connect", retry_after_s=10)

    with pytest.raises(PmsCancelled):
        with_retry(fails, sleep=waits, cancelled=lambda: next(answers, True))
    assert (len(asked), waits.total) == (1, 2)


def test_what_is_no_passing_fault_is_not_tried_again(waits: Waits) -> None:
    asked: list[int] = []

    def refused() -> None:
        asked.append(1)
        raise PmsAuthFailed()

    with pytest.raises(PmsAuthFailed):
        with_retry(refused, RetryPolicy(attempts=9), sleep=waits)
    assert (len(asked), waits.slept) == (1, [])
