"""Cliniko as its reference describes it. Written from that alone; it shares no code with the adapter."""

#: Below the simulator's address: what CLINIKO_BASE_URL would be.
BASE = "/cliniko/v1"
#: Opens nothing but this simulator: it is public on purpose and no vendor knows it.
API_KEY = "MS-runsheet-demo-key-0000000000-au4"

ENVIRONMENT = {"CLINIKO_BASE_URL": "{address}/cliniko/v1"}
CREDENTIALS = {"api_key": API_KEY, "contact_email": "frontdesk@example.com"}
