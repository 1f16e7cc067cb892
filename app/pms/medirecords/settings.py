"""What is set for MediRecords: a practice's id and a token that was handed to it; the address by the operator."""

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

#: pms/medirecords.md §1 (documented: REVIEW).
BASE_URL = "https://api.medirecords.com"
#: [assumed] One integrator used it, and later went over to a fixed token.
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
#: “Recommended API thresholds” exist (documented: FAQ); their figures are not public. [assumed]
LIMITS = Limits(per_minute=60, per_hour=1000)

_ASK = "MediRecords gives it to customers of its Connect API: ask your Customer Success Manager"
CREDENTIALS = (
    CredentialField(
        "practice_id",
        "Practice ID",
        f"The practice's own id, 32 digits and letters in five groups. {_ASK}, together with the token.",
        secret=False,
    ),
    CredentialField(
        "access_token",
        "Access token",
        f"The token for the REST API; one for FHIR does not do. {_ASK}. Leave it empty where you were given a client "
        "ID and a client secret instead.",
        required=False,
    ),
    CredentialField(
        "client_id",
        "Client ID",
        "Only where MediRecords gave you a client ID and a client secret instead of a token.",
        secret=False,
        required=False,
    ),
    CredentialField("client_secret", "Client secret", "It comes together with the client ID.", required=False),
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: What can stand in a header: no blank, no line break, no letter beyond ASCII.
_TOKEN = re.compile(r"[\x21-\x7e]{8,4000}")


@dataclass(frozen=True, slots=True)
class MedirecordsSettings:
    """access_token: fixed, sent as it is; None where one is made for the client."""

    base_url: str
    token_url: str
    limits: Limits
    practice_id: str
    access_token: str | None = field(default=None, repr=False)
    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, vendor: VendorSettings, credentials: Mapping[str, str]) -> MedirecordsSettings:
        """The settings. Raises PmsNotConfigured with a sentence that names what is missing, never a value."""
        typed = {one.name: credentials.get(one.name, "").strip() for one in CREDENTIALS}
        if not typed["practice_id"]:
            raise PmsNotConfigured(f"MediRecords needs this practice's Practice ID (practice_id). {_ASK}.")
        if not _UUID.fullmatch(typed["practice_id"]):
            raise PmsNotConfigured("This cannot be a MediRecords Practice ID (practice_id). Copy it once more.")
        token = without_scheme(typed["access_token"])
        if not token and not (typed["client_id"] and typed["client_secret"]):
            raise PmsNotConfigured(
                "MediRecords needs an Access token (access_token), or a Client ID and a Client secret (client_id, "
                f"client_secret). {_ASK}."
            )
        if token and not _TOKEN.fullmatch(token):
            raise PmsNotConfigured("This cannot be a MediRecords Access token (access_token). Copy it once more.")
        base = base_url(vendor)
        return cls(
            base,
            vendor.token_url or base + TOKEN_PATH,
            Limits.of(vendor, LIMITS),
            typed["practice_id"].lower(),
            token or None,
            None if token else typed["client_id"],
            None if token else typed["client_secret"],
        )

    @property
    def limit_key(self) -> str:
        """Whose budget a call uses: one token's, or one client's [assumed]. A digest: keys are written to Redis."""
        whose = (self.access_token or self.client_id or "").encode()
        digest = hashlib.blake2b(whose, digest_size=12, person=b"medirec limit").hexdigest()
        return f"medirecords {urlsplit(self.base_url).netloc} {digest}"


def without_scheme(token: str) -> str:
    """Some copy the word in front of it along (seen in code): it goes out exactly once."""
    scheme, _, rest = token.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else token


def base_url(vendor: VendorSettings) -> str:
    """The address MediRecords is asked at; the versions belong to the paths."""
    return (vendor.base_url or BASE_URL).rstrip("/")
