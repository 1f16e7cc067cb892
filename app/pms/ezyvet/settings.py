"""What is typed for one ezyVet site, and where it is asked. Credentials belong to a practice's own site (database)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured
from app.pms.limits import Limits
from app.pms.port import CredentialField

#: pms/ezyvet.md §1, "Base URL" (documented: DEV).
BASE_URL = "https://api.ezyvet.com"
TOKEN_PATH = "/v1/oauth/access_token"  # noqa: S105 - a path
#: Over everything, and of one endpoint, counted per site and partner (documented: DEV). No hourly figure is published.
LIMITS, PER_ENDPOINT = Limits(per_minute=180, per_hour=180 * 60), 60

#: Where to find them is told by how they come: ezyVet issues them, its screens do not show them (documented: DEV).
CREDENTIALS = (
    CredentialField(
        "partner_id",
        "Partner ID",
        "ezyVet issues it to the integration partner, together with the client ID. Leave it empty where none was.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "client_id",
        "Client ID",
        "ezyVet issues it for your site when it approves the integration; ask ezyVet support where you do not have it.",
        secret=False,
    ),
    CredentialField("client_secret", "Client secret", "ezyVet issues it together with the client ID."),
    CredentialField(
        "site_uid",
        "Site UID",
        "Newer credentials come with the UID of your site; leave it empty where yours came without.",
        secret=False,
        required=False,
    ),
    CredentialField(
        "division_id",
        "Division ID",
        "Only where several clinics share one ezyVet site: the id of your clinic's division. Without it every division "
        "of the site is read.",
        secret=False,
        required=False,
    ),
)


@dataclass(frozen=True, slots=True)
class EzyvetSettings:
    """One site's log-in. `division_id` None: the whole site."""

    base_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    partner_id: str | None = None
    site_uid: str | None = None
    division_id: str | None = None

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> EzyvetSettings:
        """The settings. Raises PmsNotConfigured with a sentence that names everything missing."""
        typed = {one.name: credentials.get(one.name, "").strip() for one in CREDENTIALS}
        missing = [one.label for one in CREDENTIALS if one.required and not typed[one.name]]
        if missing:
            raise PmsNotConfigured(
                f"ezyVet's {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set for this connection. "
                "An admin of the practice types what ezyVet issued."
            )
        base = base_url(vendor)
        return cls(
            base,
            vendor.token_url or base + TOKEN_PATH,
            typed["client_id"],
            typed["client_secret"],
            typed["partner_id"] or None,
            typed["site_uid"] or None,
            typed["division_id"] or None,
        )

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: a partner's at one site. A digest, since keys are written to Redis."""
        whose = "\x00".join((self.partner_id or "", self.client_id, self.site_uid or ""))
        return f"ezyvet {urlsplit(self.base_url).netloc} {hashlib.sha256(whose.encode()).hexdigest()[:16]}"


def base_url(vendor: VendorSettings) -> str:
    """The address ezyVet is asked at; the versions belong to the resources."""
    return (vendor.base_url or BASE_URL).rstrip("/")


def endpoint_limits(vendor: VendorSettings) -> Limits:
    """Of one endpoint: never more than all of them together may have."""
    whole = Limits.of(vendor, LIMITS)
    return replace(whole, per_minute=min(PER_ENDPOINT, whole.per_minute))
