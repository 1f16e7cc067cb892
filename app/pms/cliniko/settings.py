"""What is set for Cliniko: a user's own API key, whose suffix names the host, and whom Cliniko may write to."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.limits import Limits
from app.pms.port import CredentialField

#: pms/cliniko.md §1 (documented: URLS). A key without a suffix belongs to the first shard (documented: SHARD).
BASE_URL, FIRST_SHARD = "https://api.{shard}.cliniko.com/v1", "au1"
#: Of one user (documented: INTRO). No hourly figure is published; there is a fair-use limit nobody knows.
LIMITS = Limits(per_minute=200, per_hour=200 * 60)

API_KEY = CredentialField(
    "api_key",
    "API key",
    "In Cliniko: My Info > Manage API keys. The key may read what its user may: take an administrator's, or that of a "
    "user made for Runsheet. Copy all of it, with the letters behind the last hyphen: they name the region your "
    "account is kept in.",
)
CONTACT_EMAIL = CredentialField(
    "contact_email",
    "Contact e-mail",
    "Cliniko asks every integration for an address it may write to if something goes wrong, and may block one without. "
    "Take one that somebody at your practice reads.",
    secret=False,
)

#: Two word characters and one or two digits, no fixed list (documented: URLS).
_SHARD = re.compile(r"[a-z]{2}[0-9]{1,2}")
#: What can be a user name of HTTP Basic: no colon, no blank, nothing beyond ASCII.
_KEY = re.compile(r"[\x21-\x39\x3b-\x7e]{8,500}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True, slots=True)
class ClinikoSettings:
    base_url: str
    limits: Limits
    contact_email: str
    api_key: str = field(repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> ClinikoSettings:
        """The settings. Raises PmsNotConfigured with a sentence that names what is missing, never a value."""
        key, email = (credentials.get(one.name, "").strip() for one in (API_KEY, CONTACT_EMAIL))
        for one, typed in ((API_KEY, key), (CONTACT_EMAIL, email)):
            if not typed:
                raise PmsNotConfigured(f"Cliniko needs this practice's {one.label} ({one.name}). {one.help}")
        if not _KEY.fullmatch(key):
            raise PmsNotConfigured(
                f"This cannot be a Cliniko API key ({API_KEY.name}): it is too short, or has letters no key has. "
                "Copy it once more."
            )
        if not _EMAIL.fullmatch(email):
            raise PmsNotConfigured(f"That is not an e-mail address Cliniko could write to ({CONTACT_EMAIL.name}).")
        return cls(base_url(vendor, shard_of(key)), Limits.of(vendor, LIMITS), email, key)

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: a user's, of whom the key is all we know. Shows no key."""
        digest = hashlib.blake2b(self.api_key.encode(), digest_size=12, person=b"cliniko limit").hexdigest()
        return f"cliniko {urlsplit(self.base_url).netloc} {digest}"

    @property
    def headers(self) -> dict[str, str]:
        """What every call bears. The key is a user name, the password is empty (documented: INTRO)."""
        pair = base64.b64encode(f"{self.api_key}:".encode()).decode()
        return {
            "Authorization": f"Basic {pair}",
            "Accept": "application/json",
            "User-Agent": f"Runsheet ({self.contact_email})",
        }


def shard_of(key: str) -> str:
    """What stands behind the key's last hyphen, where that can be a shard; else the first one.

    [assumed] The last: the vendor's own sample splits at every hyphen, and would refuse a key with one inside.
    """
    suffix = key.rpartition("-")[2].lower() if "-" in key else ""
    return suffix if _SHARD.fullmatch(suffix) else FIRST_SHARD


def base_url(vendor: VendorSettings, shard: str = FIRST_SHARD) -> str:
    """The address Cliniko is asked at, its /v1 included; what the operator has set wins over the key's shard."""
    return (vendor.base_url or BASE_URL.format(shard=shard)).rstrip("/")
