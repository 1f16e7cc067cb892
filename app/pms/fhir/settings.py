"""What is typed for one FHIR server: its address, and what opens it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.fhir.assertion import Signer
from app.pms.limits import Limits
from app.pms.port import CredentialField

#: The standard names none (pms/fhir-r4.md §1): our guess, which the operator may raise.
LIMITS = Limits()
_LONGEST_ADDRESS = 255

CREDENTIALS = (
    CredentialField(
        "server",
        "FHIR server address",
        "Your system's developer or integration page names it as FHIR base URL, R4 endpoint or service base URL, for "
        "example https://fhir.example.com/r4. Copy all of it, the practice's own part included. It begins with https.",
        secret=False,
    ),
    CredentialField(
        "client_id",
        "Client ID",
        "For SMART backend services: what your system shows after Runsheet was registered there as a backend or system "
        "app. Leave it empty for a server with a fixed token, or with none.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "private_key",
        "Private key",
        "The key whose public half was registered with the app: a JWK, or a PEM text, of an RSA key of at least 2048 "
        "bits or an elliptic key on P-384. It signs each log-in and is never sent.",
        required=False,
    ),
    CredentialField(
        "key_id",
        "Key ID",
        "The kid under which the public key is registered. Not needed where the private key is a JWK that names it.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "token_url",
        "Token address",
        "Only where the server does not publish it (under .well-known/smart-configuration): your system's integration "
        "page names it as token URL or token endpoint.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "scope",
        "Scopes",
        "Only where the app was registered for certain scopes: copy them, with blanks between. Otherwise Runsheet asks "
        "to read appointments, patients, practitioners, services and the organization.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "token",
        "Fixed access token",
        "Only for a server that issues a token which does not expire, instead of a client ID and a key.",
        required=False,
    ),
)


@dataclass(frozen=True, slots=True)
class Smart:
    """SMART backend services: who we are, and the key that proves it."""

    client_id: str
    signer: Signer = field(repr=False)
    token_url: str | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class FhirSettings:
    """smart and token None: the server is open. typed: somebody of the practice chose the address, not the operator."""

    base_url: str
    typed: bool
    limits: Limits
    smart: Smart | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> FhirSettings:
        """The settings. Raises PmsNotConfigured, naming what is missing or unusable and never its value."""
        given = {one.name: credentials.get(one.name, "").strip() for one in CREDENTIALS}
        base = base_url(vendor) or _address(given["server"], "FHIR server address")
        token_url = vendor.token_url or (_address(given["token_url"], "Token address") if given["token_url"] else None)
        typed = not base_url(vendor)
        smart = None
        if given["client_id"] or given["private_key"]:
            smart = _smart(given, token_url)
        if smart and given["token"]:
            raise PmsNotConfigured("Type a client ID with its private key, or a fixed access token, not both.")
        if not given["token"].isascii() or " " in given["token"]:
            raise PmsNotConfigured("The fixed access token holds a character no token has. Copy it once more.")
        return cls(base, typed, Limits.of(vendor, LIMITS), smart, given["token"] or None)

    @property
    def tenant(self) -> str:
        """Which practice this is: one base address is one practice (pms/fhir-r4.md §1, “Tenancy”, [assumed])."""
        parts = urlsplit(self.base_url)
        return f"{parts.netloc}{parts.path}"

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: a client's at one server. A digest, since keys are written to Redis."""
        whose = "\x00".join((self.base_url, self.smart.client_id if self.smart else "", self.token or ""))
        return f"fhir {urlsplit(self.base_url).netloc} {hashlib.sha256(whose.encode()).hexdigest()[:16]}"


def base_url(vendor: VendorSettings) -> str:
    """The one server the operator has set for all practices; "" where each types its own."""
    return (vendor.base_url or "").rstrip("/")


def _smart(given: Mapping[str, str], token_url: str | None) -> Smart:
    if not (given["client_id"] and given["private_key"]):
        raise PmsNotConfigured("SMART backend services need both the client ID and the private key.")
    signer = Signer.of(given["private_key"], given["key_id"] or None)
    return Smart(given["client_id"], signer, token_url, given["scope"] or None)


def _address(text: str, label: str) -> str:
    """An https address somebody typed, without a trailing slash; https:// may be left out.

    Raises PmsNotConfigured. Where the name leads is checked at each connection (`public_only`).
    """
    if not text:
        raise PmsNotConfigured(f"{label} is needed.")
    url = (text if "://" in text else f"https://{text}").rstrip("/")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise PmsNotConfigured(f"{label}: this is not an address.") from None
    if parts.scheme != "https" or port not in (None, 443):
        raise PmsNotConfigured(f"{label}: it must begin with https:// and name no other port.")
    if not parts.hostname or parts.username or parts.password or parts.query or parts.fragment:
        raise PmsNotConfigured(f"{label}: type the plain address, without a name, a password or a question mark in it.")
    if len(url) > _LONGEST_ADDRESS or not url.isascii() or not url.isprintable() or " " in url:
        raise PmsNotConfigured(f"{label}: this is not an address.")
    return url
