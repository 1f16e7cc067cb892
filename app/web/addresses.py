"""No key, token or password in an address (X20): histories, logs and proxies keep addresses, and none keeps a secret.

Refused before anything else looks at the request, on every path, whether or not the value is any good.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from flask import Flask, Response, request

from app.web.errors import Fault, answer

#: Names that carry a credential, however they are written: `api_key`, `X-API-Key` and `apikey` are the same here.
_NAMES = frozenset(
    {"auth", "authorization", "bearer", "code", "credential", "credentials", "jwt", "otp", "pairingcode", "passphrase"}
    | {"pass", "passwd", "pwd", "session", "sessionid", "sid", "sig", "signature"}
)
_ENDINGS = ("key", "token", "password", "secret")
#: What a field for a vendor's credential begins with, whatever the vendor calls it (web/credentials.py).
TYPED = "credential-"
#: A name with a value, also inside a value: a way back may hold an address of its own.
_NAMED = re.compile(r"(?:^|[?&;#])\s*([^=&;?#]{1,80})=")
_FAULT = Fault(
    "A key or password does not belong in an address",
    "Addresses are kept in histories and logs. Send it in a header or a form instead, and replace this one: others may"
    " have seen it. Nothing was done.",
)


def init(app: Flask) -> None:
    app.before_request(_refuse)


def names_a_credential(query: str) -> bool:
    """Whether a query string gives a value to anything that is called like a credential."""
    told = unquote_plus(query)
    return any(_is_one(name) for text in (query, told, unquote_plus(told)) for name in _NAMED.findall(text))


def _is_one(name: str) -> bool:
    told = unquote_plus(name).lower()
    plain = re.sub(r"[^a-z]", "", told)
    return plain in _NAMES or plain.endswith(_ENDINGS) or told.strip().startswith(TYPED)


def _refuse() -> Response | None:
    return answer(400, _FAULT) if names_a_credential(request.query_string.decode("latin-1")) else None
