"""Trying again: three attempts, full jitter, and never earlier than the vendor asked (E01).

A wait that would be longer than a minute is not sat out: it becomes PmsRateLimited with its length, so that the run
ends as `deferred` and the worker is free. Full jitter: with 200 clients retrying together the peak per 100 ms is 7
instead of 200 (faults P11).

Retry-After: RFC 9110 §10.2.3, read 2026-02.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from app import clock
from app.pms.errors import PmsCancelled, PmsRateLimited, PmsRetryable

Result = TypeVar("Result")

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
#: No vendor may send us away for longer than this: 1e9 seconds is a mistake, not a wish.
LONGEST_DEFERRAL_S = 6 * 3600.0
#: Whole seconds by the book; fractions and exponents are met as well.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?([eE][0-9]+)?")
#: How long a wait is slept in one piece; between the pieces somebody may call the whole thing off.
_SLICE_S = 1.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Seconds throughout. `attempts` counts all of them, the first included."""

    attempts: int = 3
    base_s: float = 1.0
    cap_s: float = 30.0
    longest_wait_s: float = 60.0


STANDARD = RetryPolicy()
#: For what must never be sent twice: a pairing code is spent by its first arrival.
ONCE = RetryPolicy(attempts=1)


def never() -> bool:
    """The hook of a call that nobody can cancel."""
    return False


def full_jitter(failures: int, policy: RetryPolicy = RetryPolicy()) -> float:
    """Seconds before the next attempt, after `failures` failed ones (1, 2, …): uniform(0, min(cap, base·2ⁿ))."""
    return random.uniform(0, min(policy.cap_s, policy.base_s * 2 ** (failures - 1)))  # noqa: S311 - jitter


def retry_after(header: str | None, date_header: str | None = None) -> float | None:
    """Seconds the vendor asks us to wait, at most six hours; None where it asks for nothing we can use (F9).

    Seconds and HTTP dates are both read. A date is taken against the reply's own Date header where there is one, so
    that a clock of ours that runs fast cannot make us early. Junk, a past date and a negative number are None.
    """
    text = (header or "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        seconds = float(text)  # of any length: what is too large for a float is infinite, and cut below
    else:
        at = _http_date(text)
        if at is None:
            return None
        seconds = (at - (_http_date(date_header) or clock.now())).total_seconds()
    return min(seconds, LONGEST_DEFERRAL_S) if seconds > 0 else None


def _http_date(text: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError, IndexError):  # it raises nearly anything on junk
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def pause(seconds: float, sleep: Callable[[float], None] | None = None, cancelled: Callable[[], bool] = never) -> None:
    """Wait, in slices, so that a run that is called off does not sit out the rest. Raises PmsCancelled."""
    nap = sleep or clock.sleep
    while seconds > 0:
        if cancelled():
            raise PmsCancelled()
        nap(min(seconds, _SLICE_S))
        seconds -= _SLICE_S


def with_retry(
    operation: Callable[[], Result],
    policy: RetryPolicy = RetryPolicy(),
    *,
    sleep: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] = never,
    on_retry: Callable[[PmsRetryable, float], None] | None = None,
) -> Result:
    """The operation's result, after as many attempts as the policy allows.

    Only PmsRetryable is tried again, and of answers only RETRYABLE_STATUSES. on_retry: told the error and the seconds
    about to be waited. Raises what the last attempt raised; PmsRateLimited where the wait would be too long for a run;
    PmsCancelled where somebody called it off between two attempts.
    """

    def wait_s(state: RetryCallState) -> float:
        error = _error_of(state)
        asked = error.retry_after_s or 0.0
        return max(asked, full_jitter(state.attempt_number, policy))

    def before_sleep(state: RetryCallState) -> None:
        error, seconds = _error_of(state), state.upcoming_sleep
        if seconds > policy.longest_wait_s:
            raise PmsRateLimited(
                f"asked to wait {seconds:.0f} s, longer than a run waits",
                retry_after_s=min(seconds, LONGEST_DEFERRAL_S),
                status=error.status,
            )
        if on_retry:
            on_retry(error, seconds)

    retrying = Retrying(
        stop=stop_after_attempt(policy.attempts),
        wait=wait_s,
        retry=retry_if_exception(_worth_another),
        before_sleep=before_sleep,
        sleep=lambda seconds: pause(seconds, sleep, cancelled),
        reraise=True,
    )
    return retrying(operation)


def _worth_another(error: BaseException) -> bool:
    if isinstance(error, PmsRateLimited) and error.status is None:
        return False  # our own limiter spoke: it has already waited as long as a run may
    return isinstance(error, PmsRetryable) and (error.status is None or error.status in RETRYABLE_STATUSES)


def _error_of(state: RetryCallState) -> PmsRetryable:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, PmsRetryable)
    return error
