"""The bridge's two ways in: user and password with every call, or a token for them (pms/cornerstone-avimark.md §2).

Both were seen in public code; which one an account has, Covetrus says. What a token request needs beside them comes
from onboarding and is the operator's setting.
"""

from __future__ import annotations

import base64
from datetime import timedelta

from app import clock
from app.pms import rows
from app.pms.http import PmsHttp
from app.pms.minting import ask_for_token
from app.pms.onpremise import odata
from app.pms.onpremise.settings import BridgeSettings
from app.pms.tokens import Token

_GRANT = "http://auth0.com/oauth/grant-type/password-realm"
#: A token is believed no longer, whatever it says of itself. [assumed]
_LONGEST = timedelta(hours=24)


def basic(settings: BridgeSettings) -> dict[str, str]:
    """The header that opens the bridge where there is no token."""
    pair = f"{settings.username}:{settings.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def mint(http: PmsHttp, settings: BridgeSettings) -> Token:
    """A new token, its life counted from before the request. Raises PmsAuthFailed, or any other PmsError."""
    asked_at = clock.now()
    assert settings.token_url is not None, "a token where none is used"
    form = {
        "grant_type": _GRANT,
        "client_id": settings.client_id,
        "audience": settings.audience,
        "username": settings.username,
        "password": settings.password,
        "realm": settings.realm,
    }
    answer, _ = rows.envelope(odata.token, ask_for_token(http, settings.token_url, "/oauth/token", form))
    life = min(_LONGEST, timedelta(seconds=min(answer.expires_in, 1e9)))
    return Token(answer.access_token, asked_at, asked_at + life)
