"""What we ask, as GraphQL. None is deeper than five; the vendor refuses more than eight.

Source: pms/vetspire.md §2. Names of lists, arguments and fields are seen in code; the arguments' types are [assumed],
and that `encounter` takes an id. One wrong name fails its whole question: put it right here.
"""

from __future__ import annotations

ORG = "query Org { org { id name } }"
LOCATIONS = "query Locations($n: Int, $o: Int) { locations(limit: $n, offset: $o) { id name timezone } }"
PROVIDERS = (
    "query Providers($n: Int, $o: Int) { providers(limit: $n, offset: $o) "
    "{ id name givenName familyName title email isActive } }"
)
TYPES = "query Types { appointmentTypes { id name duration color deleted isBlockoff isTelemedicine } }"

_CLIENT = "client { id givenName familyName email declineEmail declinePhone phoneNumbers { value preferred } }"
_PATIENT = f"id name species breed birthDate {_CLIENT}"
#: includeCompleted: without it the day's finished visits are missing, the very ones that have consultations.
_APPOINTMENT = (
    "id start duration status isConfirmed deleted deletionReason reason note room updatedAt "
    "checkedInAt startedAt checkedOutAt completedAt providerId provider { id name } location { id } "
    "type { id name isBlockoff isTelemedicine } "
    f"patient {{ {_PATIENT} }} encounters {{ id start }}"
)
APPOINTMENTS = (
    "query Appointments($loc: ID!, $from: DateTime, $to: DateTime, $n: Int, $o: Int, $gone: Boolean, "
    "$since: NaiveDateTime) { appointments(locationId: $loc, start: $from, end: $to, limit: $n, offset: $o, "
    f"includeCompleted: true, onlyDeleted: $gone, updatedAtStart: $since) {{ {_APPOINTMENT} }} }}"
)
PATIENT = f"query Patient($id: ID!) {{ patient(id: $id) {{ {_PATIENT} }} }}"

#: `data` is a union: without the inline fragments the whole question fails (seen in code).
ENCOUNTER = (
    "query Encounter($id: ID!) { encounter(id: $id) { id start signed appointment { id } "
    "subjective { value } objective { value } assessment { value } plan { value } "
    "sections { name isDischarge data { ... on ValuesetDatum { value label } ... on FieldDatum { value label } } } "
    "vitals { id datetime temp heartRate respRate weight weightUnit customs { name value } } } }"
)
