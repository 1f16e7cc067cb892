"""Who is let in: a name to write to, the format asked for, a token of the last 15 minutes, a right to the resource."""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec
from flask import Response, request

from app.sandbox.halaxy import BASE, CLIENT_ID, CLIENT_SECRET
from app.sandbox.halaxy.outcome import JSON, answer, refusal
from app.sandbox.stage.stage import Knobs, current

#: `NAME (EMAIL)` is documented; that something else is refused like nothing at all is [assumed].
_AGENT = re.compile(r".+ \([^()\s]+@[^()\s]+\)")


class HalaxyKnobs(Knobs, kw_only=True, forbid_unknown_fields=True):
    """A token says that it lives an hour and lives 15 minutes.

    expired_status: with which status an ended token is told of. denied: resources this key may not retrieve.
    links: which of `next` and `last` a page has. stuck: a longer list's `next` leads back, or all its pages are the
    first.
    instead: the code of an OperationOutcome that every search answers with, as if all were well.
    auto_attend: whoever is booked has attended once it is time. place_type: where an appointment tells its location
    type, if anywhere. administrator: somebody without a clinic is among the people. total: whether pages say it.
    """

    limits: tuple[tuple[int, float], ...] = ((500, 60),)
    token_ttl_s: float = 900
    says_expires_in: int = 3600
    expired_status: int = 401
    denied: tuple[str, ...] = ()
    links: Literal["both", "last", "none"] = "both"
    stuck: Literal["no", "link", "rows"] = "no"
    instead: str = ""
    total: bool = True
    auto_attend: bool = False
    place_type: Literal["no", "supporting", "extension"] = "no"
    administrator: bool = False


def knobs() -> HalaxyKnobs:
    return cast(HalaxyKnobs, current("halaxy").knobs)


def door() -> Response | None:
    """None: come in."""
    if not _AGENT.fullmatch(request.headers.get("User-Agent", "")):
        return Response(b'{"message":"Forbidden"}', 403, content_type="application/json")
    if JSON not in request.headers.get("Accept", ""):
        return refusal(406, f"Accept must be {JSON}.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        return refusal(401, "No token.")
    if not current("halaxy").tokens.is_good(token):
        return refusal(knobs().expired_status, "The token has expired.", "expired")
    resource = request.path.removeprefix(f"{BASE}/").partition("/")[0]
    return refusal(403, "This key may not retrieve that.") if resource in knobs().denied else None


def token() -> Response:
    """`POST /oauth/token`, with a body in JSON."""
    if not _AGENT.fullmatch(request.headers.get("User-Agent", "")):
        return Response(b'{"message":"Forbidden"}', 403, content_type="application/json")
    try:
        asked = msgspec.json.decode(request.get_data(), type=dict[str, str])
    except msgspec.DecodeError:
        asked = {}
    if request.mimetype != "application/json" or asked.get("grant_type") != "client_credentials":
        return answer({"error": "unsupported_grant_type", "message": "client_credentials, as JSON."}, 400)
    if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        return answer({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
    good = current("halaxy").tokens.mint(knobs().token_ttl_s)
    return answer({"token_type": "Bearer", "expires_in": knobs().says_expires_in, "access_token": good})


def count_down(response: Response) -> Response:
    """Every answer says how much of the minute is left."""
    if request.path.startswith(f"{BASE}/"):
        stage = current("halaxy")
        allowed, left = stage.limiter.left(stage.knobs.limits)
        response.headers["x-ratelimit-limit"] = str(allowed)
        response.headers["x-ratelimit-remaining"] = str(left)
    return response
