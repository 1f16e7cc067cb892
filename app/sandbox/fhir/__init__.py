"""An HL7 FHIR R4 server as the standard describes it. Written from it alone; it shares no code with the adapter."""

from app.sandbox.fhir.keys import CLIENT_ID, private_jwk

#: Below the simulator's address: what FHIR_BASE_URL would be.
BASE = "/fhir/r4"

ENVIRONMENT = {"FHIR_BASE_URL": "{address}/fhir/r4"}
#: Opens nothing but this simulator. The server's address comes from the setting above, whatever is typed for it.
CREDENTIALS = {"server": "https://fhir.example/r4", "client_id": CLIENT_ID, "private_key": private_jwk()}
