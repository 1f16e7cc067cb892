"""What is set for Halaxy: a practice group's own key, typed by a person; the address and the limits by the operator."""

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

#: By region (seen in code: clinically-au/laravel-halaxy); Australia stands for the rest of the world too.
BASE_URLS = {"au": "https://au-api.halaxy.com/main", "eu": "https://eu-api.halaxy.com/main"}
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
#: 500 in any 60 seconds (documented: DEV/authentication). The vendor counts no hours.
LIMITS = Limits(per_minute=500, per_hour=500 * 60)

CREDENTIALS = (
    CredentialField(
        "client_id",
        "Client ID",
        "In Halaxy's Settings an administrator of the practice group makes an API key (that needs the paid API "
        "subscription) and switches on Retrieve for appointments, patients, practitioners, appointment types and "
        "organisations. The client ID is shown with the key.",
        secret=False,
    ),
    CredentialField("client_secret", "Client secret", "Shown together with the client ID when the API key is made."),
    CredentialField(
        "contact_email",
        "Contact e-mail",
        "Halaxy wants every request to name somebody it can write to. Use an address of your practice that is read.",
        secret=False,
    ),
    CredentialField(
        "region",
        "Region",
        "Write eu where your Halaxy is of the United Kingdom or Europe. Leave it empty for Australia and the rest of "
        "the world.",
        secret=False,
        required=False,
    ),
)
#: What can stand in a header, and between the brackets of `NAME (EMAIL)`.
_EMAIL = re.compile(r"[\x21-\x27\x2a-\x3f\x41-\x7e]{1,64}@[A-Za-z0-9.-]{1,190}")


@dataclass(frozen=True, slots=True)
class HalaxySettings:
    base_url: str
    limits: Limits
    client_id: str
    client_secret: str = field(repr=False)
    contact_email: str = field(repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> HalaxySettings:
        """The settings. Raises PmsNotConfigured with a sentence that names what is missing, never a value."""
        typed = {one.name: credentials.get(one.name, "").strip() for one in CREDENTIALS}
        missing = [one.label for one in CREDENTIALS if one.required and not typed[one.name]]
        if missing:
            raise PmsNotConfigured(
                f"Halaxy's {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set for this connection. "
                "An admin of the practice types what Halaxy shows with the API key."
            )
        if not _EMAIL.fullmatch(typed["contact_email"]):
            raise PmsNotConfigured("Halaxy's Contact e-mail does not look like an e-mail address.")
        region = typed["region"].lower() or "au"
        if region not in BASE_URLS:
            raise PmsNotConfigured("Halaxy's Region is au or eu; leave it empty for au.")
        return cls(
            base_url(vendor, region),
            Limits.of(vendor, LIMITS),
            typed["client_id"],
            typed["client_secret"],
            typed["contact_email"],
        )

    @property
    def token_url(self) -> str:
        return self.base_url + TOKEN_PATH

    @property
    def headers(self) -> dict[str, str]:
        """On every request; without the first Halaxy's gateway answers 403."""
        return {
            "User-Agent": f"Runsheet ({self.contact_email})",
            "Accept": "application/fhir+json",
            "Content-Type": "application/json",
        }

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: one key's. A digest, since keys are written to Redis."""
        digest = hashlib.blake2b(self.client_id.encode(), digest_size=12, person=b"halaxy limit").hexdigest()
        return f"halaxy {urlsplit(self.base_url).netloc} {digest}"


def base_url(vendor: VendorSettings, region: str = "au") -> str:
    """The address Halaxy is asked at, its /main included. What the operator has set stands for every region."""
    return (vendor.base_url or BASE_URLS[region]).rstrip("/")
