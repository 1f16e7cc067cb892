"""Vetspire as far as it is public. Written from that page alone; it shares no code with the adapter."""

#: Below the simulator's address: what VETSPIRE_BASE_URL would be.
BASE = "/vetspire"
#: Opens nothing but this simulator: it is public on purpose and no vendor knows it.
API_KEY = "vetspire-demo-key-0000000000"
LOCATION = "7"

ENVIRONMENT = {"VETSPIRE_BASE_URL": "{address}/vetspire"}
CREDENTIALS = {"api_key": API_KEY, "location_id": LOCATION}
