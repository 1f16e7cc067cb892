"""The simulated AVImark: see app/sandbox/onpremise."""

from app.sandbox.onpremise import PASSWORD, USER
from app.sandbox.onpremise.product import AVIMARK

#: Below the simulator's address: what AVIMARK_BASE_URL would be.
BASE = "/avimark/v2"

ENVIRONMENT = {"AVIMARK_BASE_URL": "{address}/avimark/v2"}
CREDENTIALS = {"source": AVIMARK.installation, "secret": PASSWORD, "username": USER}
