"""IntakeQ / PracticeQ as its help articles describe it. Written from them alone; it shares no code with the adapter."""

#: Below the simulator's address: what INTAKEQ_BASE_URL would be.
BASE = "/intakeq/api/v1"
CONTROL = "/control/intakeq"
#: Opens nothing but this simulator: it is public on purpose and no vendor knows it.
API_KEY = "intakeq-demo-key-0000000000"

ENVIRONMENT = {"INTAKEQ_BASE_URL": "{address}/intakeq/api/v1"}
CREDENTIALS = {"api_key": API_KEY}
