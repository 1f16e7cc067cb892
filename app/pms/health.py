"""Whether a vendor answers, in one sentence and with the time it took: the same for every adapter."""

from __future__ import annotations

from collections.abc import Callable

from app import clock
from app.domain.reasons import explain
from app.pms.errors import PmsError
from app.pms.port import Health


def health_of(label: str, ask: Callable[[], object], log_in: Callable[[], object] | None = None) -> Health:
    """Log in where that is a step of its own, then ask one small question: a log-in alone proves little.

    The time told is the question's, or that of a log-in that failed. Does not raise PmsError.
    """
    began = clock.monotonic()
    try:
        if log_in is not None:
            log_in()
            began = clock.monotonic()
        ask()
    except PmsError as error:
        return Health(False, explain(error.reason, label).happened, _ms_since(began), error.reason)
    return Health(True, f"{label} answers.", _ms_since(began))


def _ms_since(began: float) -> int:
    return round((clock.monotonic() - began) * 1000)
