"""The log-in of SMART backend services, and the door it opens. pms/fhir-r4.md §1."""

from __future__ import annotations

import threading
from collections import deque
from typing import cast

from flask import Response, request

from app import clock
from app.sandbox.fhir import keys
from app.sandbox.fhir.knobs import FhirKnobs
from app.sandbox.fhir.replies import answer, refusal
from app.sandbox.stage.stage import Stage, current

KIND = "fhir"
TOKEN = "/token"  # noqa: S105 - a path
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds ahead at most (documented: SMART).
_LONGEST_LIFE_S = 300


class Seen:
    """Assertions that were used: none is good twice. And what each token was granted."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(maxlen=10_000)
        self._granted: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def first_time(self, jti: str) -> bool:
        with self._lock:
            if jti in self._ids:
                return False
            self._ids.append(jti)
            return True

    def grant(self, token: str, scopes: tuple[str, ...]) -> None:
        with self._lock:
            self._granted[token] = scopes

    def granted(self, token: str) -> tuple[str, ...]:
        return self._granted.get(token, ())


seen = Seen()


def knobs_of(stage: Stage) -> FhirKnobs:
    return cast(FhirKnobs, stage.knobs)


def door() -> Response | None:
    """Whether this request is let in, and may read this resource."""
    stage = current(KIND)
    knobs = knobs_of(stage)
    accepted = request.headers.get("Accept", "*/*")
    if "json" not in accepted and "*/*" not in accepted:
        return refusal(406, "This server speaks JSON only.")
    if knobs.auth == "open":
        return None
    bearer = request.headers.get("Authorization", "").partition("Bearer ")[2]
    if knobs.auth == "token":
        return None if bearer == knobs.fixed_token else refusal(401, "The token is not known.")
    if not stage.tokens.is_good(bearer):
        return refusal(401, "Log in first, or again.")
    name = request.path.removeprefix(f"{stage.base}/").partition("/")[0]
    if not any(_allows(scope, name) for scope in seen.granted(bearer)):
        return refusal(403, f"The granted scopes do not reach {name}.")
    return None


def token() -> Response:
    """Buys a token with a signed assertion; errors are OAuth's own."""
    stage = current(KIND)
    knobs, form = knobs_of(stage), request.form
    if request.mimetype != "application/x-www-form-urlencoded":
        return _refused("invalid_request", "The body must be form-encoded.")
    if form.get("grant_type") != "client_credentials":
        return _refused("unsupported_grant_type", "grant_type must be client_credentials.")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        return _refused("invalid_request", "client_assertion_type is missing or another.")
    try:
        claims = keys.claims_of(form.get("client_assertion", ""), [keys.public_jwk(), *knobs.jwks], knobs.algorithms)
        _check(claims)
    except keys.BadAssertion as error:
        return _refused("invalid_client", str(error), 401)
    wanted = tuple(form.get("scope", "").split())
    spelling = ".read" if knobs.version_1 else ".rs"
    if not wanted or not all(one.startswith("system/") and one.endswith(spelling) for one in wanted):
        return _refused("invalid_scope", f"Scopes are spelt system/Appointment{spelling}.")
    granted = wanted if knobs.granted is None else tuple(one for one in wanted if one in knobs.granted)
    made = stage.tokens.mint(knobs.token_ttl_s)
    seen.grant(made, granted)
    body = {"access_token": made, "token_type": "bearer", "expires_in": round(knobs.token_ttl_s)}
    return _uncached(body | {"scope": " ".join(granted)}, 200)


def configuration() -> Response:
    """`.well-known/smart-configuration`, open to all."""
    knobs = knobs_of(current(KIND))
    if not knobs.discovery:
        return refusal(404, "Not found")
    return answer(
        {
            "token_endpoint": token_url(),
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(knobs.algorithms),
            "grant_types_supported": ["client_credentials"],
            "capabilities": ["client-confidential-asymmetric", f"permission-v{1 if knobs.version_1 else 2}"],
        }
    )


def token_url() -> str:
    return f"{request.host_url.rstrip('/')}{current(KIND).base}{TOKEN}"


def _check(claims: dict[str, object]) -> None:
    """Raises BadAssertion."""
    stage = current(KIND)
    at = stage.book.clock.now() if knobs_of(stage).clock == "clinic" else clock.now()
    now, exp, jti = at.timestamp(), claims.get("exp"), claims.get("jti")
    if not claims.get("iss") == claims.get("sub") == keys.CLIENT_ID:
        raise keys.BadAssertion("iss and sub must both be the client's id")
    if claims.get("aud") != token_url():
        raise keys.BadAssertion("aud must be the token address")
    if not isinstance(exp, int) or not now < exp <= now + _LONGEST_LIFE_S:
        raise keys.BadAssertion("exp must lie at most five minutes ahead")
    if not isinstance(jti, str) or not jti or not seen.first_time(jti):
        raise keys.BadAssertion("jti is missing, or was used before")


def _allows(scope: str, resource: str) -> bool:
    return scope.removeprefix("system/").partition(".")[0] in (resource, "*")


def _refused(error: str, text: str, status: int = 400) -> Response:
    return _uncached({"error": error, "error_description": text}, status)


def _uncached(body: dict[str, object], status: int) -> Response:
    response = answer(body, status)
    response.content_type = "application/json"
    response.headers["Cache-Control"] = "no-store"
    return response
