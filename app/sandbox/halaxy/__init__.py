"""Halaxy's public API as its documents and public integrations tell of it. It shares no code with the adapter."""

#: Below the simulator's address: what HALAXY_BASE_URL would be.
BASE = "/halaxy/main"
# These open nothing but this simulator: they are public on purpose and no vendor knows them.
CLIENT_ID = "halaxy-demo-client"
CLIENT_SECRET = "halaxy-demo-secret-0000000000"  # noqa: S105

ENVIRONMENT = {"HALAXY_BASE_URL": "{address}/halaxy/main"}
CREDENTIALS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "contact_email": "desk@example.com"}
