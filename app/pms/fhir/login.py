"""SMART backend services: where to log in is discovered, then a signed assertion buys a short token.

Source: pms/fhir-r4.md §1 (documented: SMART App Launch 2.2, backend-services). There is no refresh token.
"""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from urllib.parse import urlsplit

from app import clock
from app.pms import rows
from app.pms.body import json_body
from app.pms.errors import (
    PmsBadRequest,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotFound,
    PmsUntrusted,
)
from app.pms.fhir import wire
from app.pms.fhir.settings import FhirSettings, Smart
from app.pms.http import Call, PmsHttp
from app.pms.minting import ask_for_token
from app.pms.tokens import Token, TokenManager
from app.pms.tools import Tools

WELL_KNOWN = "/.well-known/smart-configuration"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: All we ever read.
RESOURCES = (
    "Appointment",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "HealthcareService",
    "Schedule",
    "Organization",
)
#: A token that does not say how long it lives is believed for the five minutes SMART recommends; none for over a day.
_UNSAID_LIFE_S, _LONGEST_LIFE_S = 300.0, 24 * 3600.0
_READS_APPOINTMENTS = re.compile(r"(system|user|patient)/(Appointment|\*)\.(read|\*|[cud]*r[uds]*)(\?\S*)?")


class Login:
    """One run's. `find` is asked before a token is: minting is a lease of seconds, and has none to spare for it."""

    def __init__(self, http: PmsHttp, settings: FhirSettings, smart: Smart, tools: Tools) -> None:
        self._http, self._settings, self._smart, self._tools = http, settings, smart, tools
        self._scope = smart.scope or scope_of(None)
        self._token_url = smart.token_url
        self._found = False
        self._other: PmsHttp | None = None
        self._lock = threading.Lock()
        self.tokens = TokenManager(
            tools.tokens.connection(), lambda _before: self._mint(), sleep=tools.sleep, cancelled=tools.cancelled
        )

    def find(self) -> None:
        """Read once where to log in. Raises PmsNotConfigured where that cannot be learnt, or our key is of no use."""
        with self._lock:
            if self._found:
                return
            if self._token_url is None:
                self._discover()
            self._found = True

    def close(self) -> None:
        if self._other is not None:
            self._other.close()

    def _discover(self) -> None:
        try:
            reply = self._http.send(Call("GET", WELL_KNOWN, WELL_KNOWN, signed=False))
            body = json_body(reply.body, reply.headers.get("content-type", ""))
            found, _ = rows.envelope(wire.smart_configuration, body)
        except (PmsNotFound, PmsBadRequest, PmsForbidden, PmsMalformed) as error:
            text = "This server does not publish where to log in. An admin can type its token address."
            raise PmsNotConfigured(text) from error
        accepted, ours = found.token_endpoint_auth_signing_alg_values_supported, self._smart.signer.algorithm
        if accepted and ours not in accepted:
            text = f"This server does not accept log-ins signed with {ours}, which is what this private key makes."
            raise PmsNotConfigured(f"{text} Register {'an elliptic' if ours == 'RS384' else 'an RSA'} key instead.")
        self._token_url = self._trusted(found.token_endpoint)
        self._scope = self._smart.scope or scope_of(found)

    def _trusted(self, url: str) -> str:
        """The address as published, to the letter: it is the assertion's audience. Only https, or the server's own."""
        if urlsplit(url).scheme != "https" and _origin(url) != _origin(self._settings.base_url):
            raise PmsUntrusted("the log-in's address is not https", reason="address")
        return url

    def _mint(self) -> Token:
        """A new token. Its life is counted from before the request: it is never believed longer than it lives."""
        self.find()
        url, asked_at = self._token_url, clock.now()
        assert url is not None, "found before"
        form = {
            "grant_type": "client_credentials",
            "scope": self._scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._smart.signer.assertion(self._smart.client_id, url, asked_at.timestamp()),
        }
        body = ask_for_token(self._door(url), url, "token", form, {"Accept": "application/json"})
        answer, _ = rows.envelope(wire.token_reply, body)
        if answer.scope and not any(_READS_APPOINTMENTS.fullmatch(one) for one in answer.scope.split()):
            raise PmsForbidden("the granted scopes do not let us read appointments")
        return Token(answer.access_token, asked_at, asked_at + timedelta(seconds=_life_s(answer.expires_in)))

    def _door(self, url: str) -> PmsHttp:
        """Who asks there: the log-in often stands on a host of its own."""
        if _origin(url) == _origin(self._settings.base_url):
            return self._http
        if self._other is None:
            self._other = PmsHttp(
                url,
                self._tools,
                limits=self._settings.limits,
                limit_key=self._settings.limit_key,
                public_only=self._settings.typed,
            )
        return self._other


def scope_of(found: wire.SmartConfiguration | None) -> str:
    """What to ask for, in the spelling the server understands: `.rs` of version 2 unless it only knows version 1."""
    knows = set(found.capabilities or ()) if found else set()
    suffix = ".read" if "permission-v1" in knows and "permission-v2" not in knows else ".rs"
    wanted = [f"system/{name}{suffix}" for name in RESOURCES]
    listed = set(found.scopes_supported or ()) if found else set()
    if wanted[0] in listed:  # a server that lists each of its scopes refuses those it does not
        wanted = [one for one in wanted if one in listed]
    return " ".join(wanted)


def _life_s(said: float | str | None) -> float:
    """Raises PmsMalformed for a life that is over or no number."""
    try:
        life_s = min(_UNSAID_LIFE_S if said is None else float(said), _LONGEST_LIFE_S)
    except ValueError:
        life_s = -1.0
    if not life_s > 0:
        raise PmsMalformed("a token without a life", path="$.expires_in")
    return life_s


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ("", "")
    return (parts.scheme, parts.netloc.lower())
