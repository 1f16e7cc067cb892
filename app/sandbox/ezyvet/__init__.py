"""The simulated ezyVet: the vendor's HTTP API as far as it is known from outside, over an invented animal hospital."""

#: Everything of this vendor lies below this path; the host stands for the vendor's own.
BASE = "/ezyvet"

# These open nothing but this simulator: they are public on purpose and no vendor knows them.
PARTNER_ID = "runsheet-partner"
CLIENT_ID = "runsheet-ezyvet-client"
CLIENT_SECRET = "runsheet-ezyvet-secret"  # noqa: S105
SITE_UID = "wattle-creek-uid"

ENVIRONMENT = {"EZYVET_BASE_URL": "{address}/ezyvet", "EZYVET_TOKEN_URL": "{address}/ezyvet/v1/oauth/access_token"}
CREDENTIALS = {
    "partner_id": PARTNER_ID,
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "site_uid": SITE_UID,
}
