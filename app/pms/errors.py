"""What can go wrong with a vendor, grouped by what happens next.

`reason` is a word of a closed list (`domain.reasons`) that pages, logs and metrics may show. The text of an exception
is for the log: no patient data, no secret, no vendor body in it. They all end in one place, `sync/run.py`.
"""

from __future__ import annotations

from typing import ClassVar

from app.errors import RunsheetError


class PmsError(RunsheetError):
    """The root. A subclass says what follows from it; `reason` says what it was."""

    default_reason: ClassVar[str] = "unavailable"

    def __init__(self, text: str = "", *, reason: str | None = None) -> None:
        self.reason = reason or self.default_reason
        super().__init__(text or self.reason)


# --- it may work if tried again ---------------------------------------------------------------------------------------


class PmsRetryable(PmsError):
    """The same request may succeed in a moment.

    `retry_after_s` is how long the vendor told us to wait, None where it did not say. `status` is the HTTP status where
    there was one. `sent` is False only where the request certainly never left: then even a one-time code is unspent.
    """

    def __init__(
        self,
        text: str = "",
        *,
        reason: str | None = None,
        retry_after_s: float | None = None,
        status: int | None = None,
        sent: bool = True,
    ) -> None:
        self.retry_after_s = retry_after_s
        self.status = status
        self.sent = sent
        super().__init__(text, reason=reason)


class PmsUnavailable(PmsRetryable):
    """Nobody answered, or answered 5xx. Reasons: dns, connect, deadline, interrupted, server_error."""


class PmsRateLimited(PmsRetryable):
    """The vendor, or our own limiter, says wait. `retry_after_s` is None where nobody said how long."""

    default_reason = "rate_limited"


class PmsGivenUp(PmsError):
    """So many calls failed that no further one is made for the moment; the next run tries again."""

    default_reason = "given_up"


class PmsCancelled(PmsError):
    """Whoever started this wants it to stop; raised between two requests, never in the middle of one."""

    default_reason = "cancelled"


# --- a person has to do something: stop, and ask ----------------------------------------------------------------------


class PmsPaused(PmsError):
    """No request will help until somebody changes something; the connection needs attention."""

    default_reason = "auth_failed"


class PmsAuthFailed(PmsPaused):
    """The vendor refuses our credentials (or a token that was just issued)."""


class PmsForbidden(PmsPaused):
    """We are known, and not allowed: an un-paired practice, a missing grant."""

    default_reason = "forbidden"


class PmsNotProvisioned(PmsPaused):
    """The vendor has not finished setting our app up; only the vendor can."""

    default_reason = "not_provisioned"


class PmsUntrusted(PmsPaused):
    """The other end is not who it should be. Reasons: tls, redirect, address."""

    default_reason = "tls"


class PmsNotConfigured(PmsPaused):
    """The operator has not set what this vendor needs."""

    default_reason = "not_configured"


class PmsSecretsUnreadable(PmsPaused):
    """What is stored to sign our requests with cannot be decrypted; nothing was asked."""

    default_reason = "secrets"


# --- the answer cannot be used ----------------------------------------------------------------------------------------


class PmsMalformed(PmsError):
    """A reply that is not what the vendor's page promises; the fetch failed, it is not an empty list.

    Reasons: bad_envelope, empty_body, too_large, depth, encoding, cursor_loop, page_budget.
    `path` says where in the reply, without the value.
    """

    default_reason = "bad_envelope"

    def __init__(self, text: str = "", *, path: str = "$", reason: str | None = None) -> None:
        self.path = path
        super().__init__(text, reason=reason)


class PmsNotFound(PmsError):
    """The vendor knows no such thing (404 for one id)."""

    default_reason = "not_found"


class PmsBadRequest(PmsError):
    """The vendor refuses what we asked (4xx that is none of the above): our mistake, or theirs."""

    default_reason = "refused"


class PairingRefused(PmsError):
    """What a person typed to connect was not accepted. Reasons: code_refused, code_maybe_used, credentials_refused."""

    default_reason = "code_refused"
