"""What is set for IntakeQ: a practice's own key, typed by a person; the address and the limits by the operator."""

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

#: pms/intakeq.md §1 (documented: A204). The company was renamed; host and header kept the old name.
BASE_URL = "https://intakeq.com/api/v1"
#: The standard plan, of one account (documented: AE; seen in code: spec). The vendor counts no hours.
LIMITS = Limits(per_minute=10, per_hour=1_000_000, per_day=500)

API_KEY = CredentialField(
    name="api_key",
    label="API key",
    help="In PracticeQ, the owner of the main account finds it under More > Settings > Integrations > Developer API. "
    "Nobody else sees that page. If the account allows certain addresses only, add the one this Runsheet calls from.",
)
#: What can stand in a header: no blank, no line break, no letter beyond ASCII.
_KEY = re.compile(r"[\x21-\x7e]{8,500}")


@dataclass(frozen=True, slots=True)
class IntakeqSettings:
    base_url: str
    limits: Limits
    api_key: str = field(repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> IntakeqSettings:
        """The settings. Raises PmsNotConfigured with a sentence that names what is missing, never its value."""
        key = credentials.get(API_KEY.name, "").strip()
        if not key:
            raise PmsNotConfigured(f"IntakeQ needs this practice's API key ({API_KEY.name}). {API_KEY.help}")
        if not _KEY.fullmatch(key):
            raise PmsNotConfigured(
                f"This cannot be an IntakeQ API key ({API_KEY.name}): it has blanks or letters no key has, or is too "
                "short. Copy it once more."
            )
        return cls(base_url(vendor), Limits.of(vendor, LIMITS), key)

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: the account's, and one key is one account (documented: A204). Shows no key."""
        digest = hashlib.blake2b(self.api_key.encode(), digest_size=12, person=b"intakeq limit").hexdigest()
        return f"intakeq {urlsplit(self.base_url).netloc} {digest}"


def base_url(vendor: VendorSettings) -> str:
    """The address IntakeQ is asked at, its /api/v1 included."""
    return (vendor.base_url or BASE_URL).rstrip("/")
