"""MediRecords' Connect REST API as public integrations tell of it. It shares no code with the adapter."""

#: Below the simulator's address: what MEDIRECORDS_BASE_URL would be.
BASE = "/medirecords"
# These open nothing but this simulator: they are public on purpose and no vendor knows them.
PRACTICE = "6f1d7a52-4b3e-4c8e-9a77-1d0c5e2b9f10"
TOKEN = "medirecords-demo-token-0000000000"  # noqa: S105
CLIENT_ID = "medirecords-demo-client"
CLIENT_SECRET = "medirecords-demo-secret-0000000000"  # noqa: S105

ENVIRONMENT = {"MEDIRECORDS_BASE_URL": "{address}/medirecords"}
CREDENTIALS = {"practice_id": PRACTICE, "access_token": TOKEN}
