"""Asking for a token: the same careful post for every vendor with client credentials.

A log-in is not idempotent, and locked accounts are the price of insisting (F12): it is tried once more, no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from app.pms.body import json_body
from app.pms.errors import PmsAuthFailed, PmsBadRequest, PmsForbidden
from app.pms.http import Call, PmsHttp
from app.pms.retry import RetryPolicy
from app.pms.tokens import MINT_DEADLINE_S, MINT_WAIT_S

_TWICE = RetryPolicy(attempts=2, cap_s=1.0, longest_wait_s=MINT_WAIT_S)
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}


def ask_for_token(
    http: PmsHttp,
    url: str,
    route: str,
    form: Mapping[str, str | None],
    headers: Mapping[str, str] | None = None,
    *,
    as_json: bool = False,
) -> bytes:
    """The vendor's answer as checked JSON bytes.

    url: of the token endpoint; route: its name in the log. form: fields that are None are left out. as_json: where a
    vendor wants them as JSON instead of a form.
    Raises PmsAuthFailed where the client is refused, any other PmsError where nobody knows.
    """
    said = {name: value for name, value in form.items() if value is not None}
    call = Call(
        "POST",
        url,
        route,
        headers={**(headers or {}), **(_JSON if as_json else _FORM)},
        body=(json.dumps(said) if as_json else urlencode(said)).encode(),
        signed=False,
        urgent=True,
        policy=_TWICE,
        deadline_s=MINT_DEADLINE_S,
        max_wait_s=MINT_WAIT_S,
    )
    try:
        reply = http.send(call)
    except (PmsBadRequest, PmsForbidden) as error:
        raise PmsAuthFailed(f"the log-in was refused: {error}") from None
    return json_body(reply.body, reply.headers.get("content-type", ""))
