"""Halaxy's log-in: client credentials as JSON, no refresh token; and what its refusals mean.

Source: pms/halaxy.md §1 (documented: DEV/authentication; the codes of an OperationOutcome seen in code).
"""

from __future__ import annotations

from datetime import timedelta

from app import clock
from app.pms import rows
from app.pms.errors import (
    PmsAuthFailed,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
)
from app.pms.halaxy import wire
from app.pms.halaxy.settings import TOKEN_PATH, HalaxySettings
from app.pms.http import PmsHttp
from app.pms.minting import ask_for_token
from app.pms.tokens import Token
from app.pms.transport import Reply

#: A token says that it lives an hour and lives 15 minutes (documented: DEV/authentication).
LONGEST_LIFE = timedelta(minutes=15)

#: The first issue's code -> what follows. What is not here is told as an answer that cannot be used.
_BY_CODE: dict[str, type[PmsError]] = {
    "login": PmsAuthFailed,
    "forbidden": PmsForbidden,
    "security": PmsForbidden,
    "suppressed": PmsForbidden,
    "not-found": PmsNotFound,
    "deleted": PmsNotFound,
    "throttled": PmsRateLimited,
    "transient": PmsUnavailable,
    "timeout": PmsUnavailable,
    "exception": PmsUnavailable,
}


class TokenEnded(PmsAuthFailed):
    """The token is over, told in another way than by a 401: a new one may do."""


def mint(http: PmsHttp, settings: HalaxySettings) -> Token:
    """A new token. Its life is counted from before the request, so that it is never believed longer than it lives.

    Raises PmsAuthFailed where the key is refused, any other PmsError where nobody knows.
    """
    asked_at = clock.now()
    said = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
    }
    body = ask_for_token(http, settings.token_url, TOKEN_PATH, said, settings.headers, as_json=True)
    answer, _ = rows.envelope(wire.token, body)
    seconds = LONGEST_LIFE.total_seconds() if answer.expires_in is None else float(answer.expires_in)
    if not seconds > 0:
        raise PmsMalformed("a token without a life", path="$.expires_in")
    return Token(answer.access_token, asked_at, asked_at + min(timedelta(seconds=min(seconds, 1e6)), LONGEST_LIFE))


def classify(reply: Reply) -> PmsError | None:
    """Refusals that the status alone does not tell. A 401 is answered by a new token before anybody asks here."""
    if reply.status == 410:
        return PmsNotFound("answered 410")
    if reply.status == 404 and "html" in reply.headers.get("content-type", "").lower():
        return PmsMalformed("a web page instead of an answer: there is no such address", reason="bad_envelope")
    if reply.status in (400, 403, 422) and _code(reply.body) == "expired":
        return TokenEnded("the token has ended")
    return None


def refuse_outcome(body: bytes) -> None:
    """Raises the error an OperationOutcome tells of where it stands in place of an answer; nothing for an answer."""
    code = _code(body)
    if code is None:
        return
    if code == "expired":
        raise TokenEnded("the token has ended")
    raise _BY_CODE.get(code, PmsMalformed)("an OperationOutcome instead of an answer")


def _code(body: bytes) -> str | None:
    """The first issue's code of an OperationOutcome, "" where it says none; None for any other body."""
    if b'"OperationOutcome"' not in body[:2000]:  # a page is not decoded twice
        return None
    issues = wire.issues(body)
    return None if issues is None else next((one.code or "" for one in issues), "")
