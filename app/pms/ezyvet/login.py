"""ezyVet's log-in: OAuth client credentials of one site, no refresh token; and how it says “slow down”.

Source: pms/ezyvet.md §1.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime, timedelta

import msgspec

from app import clock
from app.pms import rows
from app.pms.errors import PmsMalformed
from app.pms.ezyvet import wire
from app.pms.ezyvet.coerce import Scalar, ident, number
from app.pms.ezyvet.settings import TOKEN_PATH, EzyvetSettings
from app.pms.http import PmsHttp
from app.pms.minting import ask_for_token
from app.pms.retry import retry_after
from app.pms.rows import RowFault
from app.pms.tokens import Token
from app.pms.transport import Reply

_READ = (
    *("appointment", "appointmenttype", "appointmentstatus", "resource", "systemsetting"),
    *("animal", "species", "breed", "contact", "contactdetail", "contactdetailtype"),
    *("consult", "history", "physicalexam", "assessment", "plan", "healthstatus"),
    *("presentingproblem", "presentingproblemlink", "therapeutic", "vaccination"),
    *("prescription", "prescriptionitem", "product", "invoiceline"),
)
#: All we ever read, and the one thing we may be asked to write. What the site did not grant answers 403 when it is
#: asked for (documented: DEV).
SCOPE = " ".join((*(f"read-{name}" for name in _READ), "write-appointment"))
#: A token lives 12 hours (documented: DEV) and is believed for 11, whatever it says of itself [assumed].
LONGEST_LIFE = timedelta(hours=11)
#: Above this a reset header is an instant, below it seconds from now [assumed].
_EPOCH_FROM = 1e6
#: After a 429 that says nothing usable (documented: limits are per minute).
_PAUSE_S = 60.0
_SECONDS = re.compile(r"(\d{1,6})\s*second", re.IGNORECASE)


def mint(http: PmsHttp, settings: EzyvetSettings) -> Token:
    """A new token. Its life is counted from before the request, so that it is never believed longer than it lives.

    Raises PmsAuthFailed where the client is refused, any other PmsError where nobody knows.
    """
    asked_at = clock.now()
    form = {
        "partner_id": settings.partner_id,
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "grant_type": "client_credentials",
        "scope": SCOPE,
        "site_uid": settings.site_uid,
    }
    body = ask_for_token(http, settings.token_url, TOKEN_PATH, form)
    answer, _ = rows.envelope(wire.token_reply, body)
    return Token(answer.access_token, asked_at, asked_at + life_of(answer.expires_in, asked_at))


def life_of(expires_in: Scalar, now: datetime) -> timedelta:
    """How long to believe a token. The vendor's own example reads like an instant: a figure beyond now is one.

    Raises PmsMalformed for a life that is over or no number.
    """
    try:
        said = number(expires_in, "$.expires_in")
    except RowFault:
        said = -1.0
    if said is None:
        return LONGEST_LIFE
    seconds = said - now.timestamp() if said > now.timestamp() else said
    if not seconds > 0:
        raise PmsMalformed("a token without a life", path="$.expires_in")
    return min(timedelta(seconds=min(seconds, 1e9)), LONGEST_LIFE)


def site_of(token: str) -> str | None:
    """The site a token names in its claims, where it can be read. Nothing is allowed on the strength of it."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = wire.claims.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return ident(claims.site_uid, "$.site_uid")
    except (binascii.Error, ValueError, msgspec.DecodeError, RowFault):
        return None


def pause_asked(reply: Reply, now: datetime) -> float:
    """Seconds a 429 asks for: Retry-After, else the reset header, else what its text says, else a minute."""
    asked = retry_after(reply.headers.get("retry-after"), reply.headers.get("date"))
    if asked is not None:
        return asked
    try:
        reset = number(reply.headers.get("x-ratelimit-reset"), "x-ratelimit-reset")
    except RowFault:
        reset = None
    if reset is not None and reset > 0:
        return max(0.0, reset - now.timestamp()) if reset > _EPOCH_FROM else reset
    try:
        text = " ".join(one.text or "" for one in wire.error_reply.decode(reply.body).messages)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = reply.body[:2000].decode("utf-8", "replace")
    said = _SECONDS.search(text)
    return float(said[1]) if said else _PAUSE_S
