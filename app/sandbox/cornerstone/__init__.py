"""The simulated Cornerstone: see app/sandbox/onpremise."""

from app.sandbox.onpremise import PASSWORD, USER
from app.sandbox.onpremise.product import CORNERSTONE

#: Below the simulator's address: what CORNERSTONE_BASE_URL would be.
BASE = "/cornerstone/v2"

ENVIRONMENT = {"CORNERSTONE_BASE_URL": "{address}/cornerstone/v2"}
CREDENTIALS = {"source": CORNERSTONE.installation, "secret": PASSWORD, "username": USER}
