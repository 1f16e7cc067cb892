"""Systems on a clinic's own server as others see them: a bridge's OData list, and files that an exporter leaves.

Written from pms/cornerstone-avimark.md alone; it shares no code with the adapters.
"""

#: Open nothing but this simulator: they are public on purpose and no vendor knows them.
USER, PASSWORD = "runsheet-demo", "bridge-demo-password"
CLIENT_ID, AUDIENCE, REALM = "bridge-demo-client", "https://bridge.example", "partners"
SITE = "1"
