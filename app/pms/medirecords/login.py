"""MediRecords' log-in, where there is one, and what its refusals mean.

Source: pms/medirecords.md §1. Mostly a fixed token goes with every call; client credentials are [assumed].
"""

from __future__ import annotations

from datetime import timedelta

from app import clock
from app.pms import rows
from app.pms.errors import PmsError, PmsForbidden, PmsMalformed
from app.pms.http import PmsHttp
from app.pms.medirecords import wire
from app.pms.medirecords.settings import TOKEN_PATH, MedirecordsSettings
from app.pms.minting import ask_for_token
from app.pms.tokens import Token
from app.pms.transport import Reply

#: Of a token that does not say how long it lives. [assumed]
_USUAL_LIFE = timedelta(minutes=30)
_LONGEST_LIFE = timedelta(hours=24)
#: The heading of a fault (documented: FAQ): the token is good, but not for this practice. Its status is not public.
_NOT_ENTITLED = b"does not contain resource id"


def mint(http: PmsHttp, settings: MedirecordsSettings) -> Token:
    """A new token. Its life is counted from before the request, so that it is never believed longer than it lives.

    Raises PmsAuthFailed where the client is refused, any other PmsError where nobody knows.
    """
    asked_at = clock.now()
    form = {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
    }
    answer, _ = rows.envelope(wire.token, ask_for_token(http, settings.token_url, TOKEN_PATH, form))
    seconds = _USUAL_LIFE.total_seconds() if answer.expires_in is None else float(answer.expires_in)
    if not seconds > 0:
        raise PmsMalformed("a token without a life", path="$.expires_in")
    return Token(answer.access_token, asked_at, asked_at + min(timedelta(seconds=min(seconds, 1e6)), _LONGEST_LIFE))


def classify(reply: Reply) -> PmsError | None:
    """What the status alone does not tell."""
    if 400 <= reply.status < 500 and reply.status != 429 and _NOT_ENTITLED in reply.body[:5000].lower():
        return PmsForbidden("the token is not good for this practice")
    if reply.status == 404 and "html" in reply.headers.get("content-type", "").lower():
        return PmsMalformed("a web page instead of an answer: there is no such address", reason="bad_envelope")
    return None
