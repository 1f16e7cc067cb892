"""IDEXX Neo as public code has met it: a web application with a log-in page, and its private JSON. It is written from
pms/idexx-neo.md alone and shares no code with the adapter.
"""

#: Below the simulator's address: what IDEXX_NEO_BASE_URL would be.
BASE = "/idexx_neo"
#: These open nothing but this simulator: they are public on purpose and no vendor knows them.
USERNAME, PASSWORD, COMPANY = "runsheet.demo", "Neo-demo-0000!", "4711"

ENVIRONMENT = {"IDEXX_NEO_BASE_URL": "{address}/idexx_neo"}
#: By the form, because the demo's environment has no browser; `login_by` browser works as well.
CREDENTIALS = {"username": USERNAME, "password": PASSWORD, "company_id": COMPANY, "login_by": "form"}
