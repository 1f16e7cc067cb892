"""What is set for Vetspire: an organisation's key, and which of its locations is meant."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.limits import Limits
from app.pms.port import CredentialField

#: pms/vetspire.md §1 (documented: DEV); the one path of it all is added by the adapter.
BASE_URL, PATH = "https://api2.vetspire.com", "/graphql"
#: [assumed] None are published; integrators keep to some five a second (seen in code), we to two.
LIMITS = Limits(per_minute=120, per_hour=120 * 60)

API_KEY = CredentialField(
    "api_key",
    "API key",
    "An administrator of your organisation creates it in Vetspire, where it can be taken back as well. It opens all of "
    "the organisation with an administrator's power: make one for Runsheet alone.",
)
LOCATION_ID = CredentialField(
    "location_id",
    "Location ID",
    "The key opens every location of your organisation. Leave this empty where there is one; where there are several, "
    "*Test* names them with their ids, and you type that of your clinic.",
    secret=False,
    required=False,
)

#: What can stand in a header alone: no blank, and so no “Bearer” before it, with which a good key fails.
_KEY = re.compile(r"[\x21-\x7e]{8,2000}")
_LOCATION = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class VetspireSettings:
    base_url: str
    limits: Limits
    location_id: str | None
    api_key: str = field(repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> VetspireSettings:
        """The settings. Raises PmsNotConfigured with a sentence that names what is missing, never a value."""
        key, location = (credentials.get(one.name, "").strip() for one in (API_KEY, LOCATION_ID))
        if not key:
            raise PmsNotConfigured(f"Vetspire needs this practice's {API_KEY.label} ({API_KEY.name}). {API_KEY.help}")
        if not _KEY.fullmatch(key):
            raise PmsNotConfigured(
                f"This cannot be a Vetspire API key ({API_KEY.name}): it is too short, or has blanks or letters no key "
                "has. Copy the key alone, without “Bearer”."
            )
        if location and not _LOCATION.fullmatch(location):
            raise PmsNotConfigured(f"That is not the id of a location ({LOCATION_ID.name}). {LOCATION_ID.help}")
        return cls(base_url(vendor), Limits.of(vendor, LIMITS), location or None, key)

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: the key's, and so the organisation's. Shows no key."""
        digest = hashlib.blake2b(self.api_key.encode(), digest_size=12, person=b"vetspire limit").hexdigest()
        return f"vetspire {urlsplit(self.base_url).netloc} {digest}"

    @property
    def headers(self) -> dict[str, str]:
        """The raw key, without “Bearer” (documented: DEV)."""
        return {"Authorization": self.api_key, "Content-Type": "application/json", "Accept": "application/json"}


def base_url(vendor: VendorSettings) -> str:
    """The address Vetspire is asked at, without its path."""
    return (vendor.base_url or BASE_URL).rstrip("/").removesuffix(PATH)
