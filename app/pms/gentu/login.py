"""Gentu's log-in: OAuth client credentials, no refresh token; and what its gateway's faults mean.

Source: pms/gentu.md §1 (token request and answer documented: SPEC; faults seen in code: cotwo).
"""

from __future__ import annotations

import base64
from datetime import timedelta

import msgspec

from app import clock
from app.pms import rows
from app.pms.errors import PmsError, PmsMalformed, PmsNotProvisioned
from app.pms.gentu import wire
from app.pms.gentu.settings import GentuSettings
from app.pms.http import PmsHttp
from app.pms.minting import ask_for_token
from app.pms.tokens import Token
from app.pms.transport import Reply

#: No token is believed to live longer than this, whatever it says.
_LONGEST_LIFE_S = 24 * 3600
_UNRESOLVED = "entities.UnresolvedVariable"
_PARTNER = "app.partnerId"


def mint(http: PmsHttp, settings: GentuSettings) -> Token:
    """A new token. Its life is counted from before the request, so that it is never believed longer than it lives.

    Raises PmsAuthFailed where the client is refused, any other PmsError where nobody knows.
    """
    asked_at = clock.now()
    basic = base64.b64encode(f"{settings.client_id}:{settings.client_secret}".encode()).decode()
    body = ask_for_token(
        http,
        settings.token_url,
        "/oauth2/token",
        {"grant_type": "client_credentials"},
        {"Authorization": f"Basic {basic}"},
    )
    answer, _ = rows.envelope(wire.token_reply, body)
    life_s = min(float(answer.expires_in), _LONGEST_LIFE_S)
    if not life_s > 0:
        raise PmsMalformed("a token without a life", path="$.expires_in")
    return Token(answer.access_token, asked_at, asked_at + timedelta(seconds=life_s))


def classify(reply: Reply) -> PmsError | None:
    """The one fault of Gentu's that reads like an outage and is none: our app is not set up at their end.

    HTTP 500 `Unresolved variable : app.partnerId`; asking again does not help, only Magentus can.
    """
    if reply.status != 500:
        return None
    try:
        fault = wire.fault_reply.decode(reply.body).fault
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    text = fault.faultstring or ""
    code = fault.errorcode or (fault.detail.errorcode if fault.detail else None)
    if _PARTNER in text or (not text and code == _UNRESOLVED):
        return PmsNotProvisioned("the app is registered, but Magentus has not finished setting it up")
    return None
