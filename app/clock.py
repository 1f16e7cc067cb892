"""The only clock of the house. Everything else is handed a time or asks here, so that a test can set it."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only ever grow: for durations, which a corrected wall clock must not bend."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait; here, so that a test with its own clock can count waits instead of sitting through them."""
    time.sleep(seconds)
