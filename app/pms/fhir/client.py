"""Asking one FHIR server: each call signed the way this server wants it, and the base address kept to."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from app.pms.body import json_body
from app.pms.errors import PmsUntrusted
from app.pms.fhir.login import Login
from app.pms.fhir.outcome import classify
from app.pms.fhir.settings import FhirSettings
from app.pms.http import Call, PmsHttp
from app.pms.tools import Tools

#: Some gateways know plain JSON only [assumed].
_ACCEPT = {"Accept": "application/fhir+json, application/json;q=0.9"}


class FhirClient:
    """For one adapter and one run. Safe to share between threads; close it when done."""

    def __init__(self, settings: FhirSettings, tools: Tools) -> None:
        self._settings = settings
        self._http = PmsHttp(
            settings.base_url,
            tools,
            limits=settings.limits,
            limit_key=settings.limit_key,
            classify=classify,
            public_only=settings.typed,
        )
        self.login = Login(self._http, settings, settings.smart, tools) if settings.smart else None
        if self.login is not None:
            self._http.sign_with(self.login.tokens)
        self._headers = dict(_ACCEPT)
        if settings.token:
            self._headers["Authorization"] = f"Bearer {settings.token}"

    def get(self, path: str, *, route: str) -> bytes:
        """The body as checked JSON bytes. path: below the base with its query, or a whole address. Raises PmsError."""
        if self.login is not None:
            self.login.find()
        return self._sent(Call("GET", path, route, headers=self._headers, signed=self.login is not None))

    def get_openly(self, path: str) -> bytes:
        """The same without showing who we are."""
        return self._sent(Call("GET", path, path, headers=_ACCEPT, signed=False))

    def close(self) -> None:
        if self.login is not None:
            self.login.close()
        self._http.close()

    def follow(self, link: str, here: str) -> str:
        """The address a `next` link means, on the configured host and below the base whatever it says.

        link: opaque and verbatim, but for its host: behind a load balancer or a TLS proxy it names another, or http.
        The path must be one below our base [assumed]; what goes elsewhere is refused, with our credentials kept.
        here: the path that was asked, for links that are relative to it.
        """
        base = urlsplit(self._settings.base_url)
        root = f"{base.path}/"
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc and link.startswith("/") and not link.startswith(root):
            link = root + link[1:]  # relative to the base, as one server writes it (documented: CANVAS)
        target = urlsplit(urljoin(f"{self._settings.base_url}{here}", link))
        if target.scheme not in ("http", "https") or not f"{target.path}/".startswith(root) or ".." in target.path:
            raise PmsUntrusted("a next page that is not below the server's address", reason="address")
        return target._replace(scheme=base.scheme, netloc=base.netloc, fragment="").geturl()

    def _sent(self, call: Call) -> bytes:
        reply = self._http.send(call)
        return json_body(reply.body, reply.headers.get("content-type", ""))
