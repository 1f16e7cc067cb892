"""What a FHIR server's refusal means: the status, and the issue's code where an OperationOutcome came along.

Source: pms/fhir-r4.md §1 (documented: R4, HTTP). Gateways answer with web pages, OAuth's JSON or nothing instead, so an
outcome is never required; its diagnostics may name a patient and are never read.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.pms.errors import (
    PmsAuthFailed,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
)
from app.pms.fhir import wire
from app.pms.transport import Reply

#: What follows from an issue's code where the status says less.
_BY_CODE: dict[str, Callable[[str], PmsError]] = {
    "throttled": lambda text: PmsRateLimited(text, status=429),
    "login": PmsAuthFailed,
    "expired": PmsAuthFailed,
    "forbidden": PmsForbidden,
    **dict.fromkeys(
        ("transient", "timeout", "exception", "lock-error", "no-store"),
        lambda text: PmsUnavailable(text, reason="server_error"),
    ),
}
#: Statuses that say by themselves what they mean.
_PLAIN = frozenset({401, 403, 404, 408, 429})


def classify(reply: Reply) -> PmsError | None:
    """The house's reading of a status, but for these: gone (410), a web page for a missing address, an issue's code.

    A 404 with a web page is a gateway's or a wrong address, and says nothing about the appointment asked for.
    """
    if reply.status == 410:
        return PmsNotFound("deleted")
    if reply.status == 404 and "html" in reply.headers.get("content-type", "").lower():
        return PmsMalformed("a web page instead of an answer: there is no such address", reason="bad_envelope")
    if reply.status in _PLAIN or reply.status >= 500:
        return None
    return error_of(reply.body)


def error_of(body: bytes) -> PmsError | None:
    """The error an OperationOutcome stands for; None where it is none, or says nothing that we know."""
    try:
        found = wire.outcome.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if found.resource_type != "OperationOutcome":
        return None
    for issue in found.issue or ():
        if issue.severity in ("fatal", "error") and issue.code in _BY_CODE:
            return _BY_CODE[issue.code](f"an outcome: {issue.code}")
    return None
