"""What can be asked for, and the strict reading of a question against it (pms/vetspire.md §2)."""

from __future__ import annotations

from app.sandbox.vetspire.language import BadQuery, Field, Query, Variable

DEEPEST = 8
_STAMPS = "insertedAt updatedAt"

#: Type -> field -> the type it leads to, "" for a plain value.
TYPES: dict[str, dict[str, str]] = {
    "Query": {
        "org": "Org",
        "locations": "Location",
        "providers": "Provider",
        "appointmentTypes": "AppointmentType",
        "appointments": "Appointment",
        "client": "Client",
        "patient": "Patient",
        "encounters": "Encounter",
        "encounter": "Encounter",
    },
    "Phone": dict.fromkeys(("value", "name", "preferred"), ""),
    "Value": {"value": ""},
    "ValuesetDatum": dict.fromkeys(("value", "label"), ""),
    "FieldDatum": dict.fromkeys(("value", "label"), ""),
    "Custom": dict.fromkeys(("name", "value"), ""),
    "Org": dict.fromkeys(("id", "name"), ""),
}
UNIONS = {"SectionDatum": {"ValuesetDatum", "FieldDatum"}}


def _type(name: str, plain: str, **objects: str) -> None:
    TYPES[name] = dict.fromkeys(plain.split(), "") | objects


_type("Location", "id name timezone email phoneNumber addressString isActive appointmentSlotMinutes")
_type(
    "Provider",
    "id name givenName familyName email title suffix isActive isVeterinarian isGroomer isRelief position " + _STAMPS,
)
_type(
    "AppointmentType",
    "id name duration color description deleted deletedAt encounterTypeId canBookOnline isBlockoff isDaycare isDefault "
    "isDropoff isExam isSurgery isTelemedicine isUniversal position scheduleName",
)
_type(
    "Client",
    "id givenName familyName name email secondaryEmail primaryLocationId historicalId isActive isMerged declineEmail "
    "declinePhone stopReminders notes",
    phoneNumbers="Phone",
)
_type(
    "Patient",
    "id name species breed color sex neutered birthDate age isEstimatedAge isActive isDeceased microchip clientId "
    "alerts notes historicalId " + _STAMPS,
    client="Client",
)
_type(
    "Appointment",
    "id start duration status isConfirmed confirmedAt deleted deletionReason reason note providerId scheduleId "
    "patientId room checkedInAt admittedAt waitedAt startedAt readyAt checkingOutAt checkedOutAt completedAt "
    "selfCheckedIn bookedOnline historicalId " + _STAMPS,
    type="AppointmentType",
    provider="Provider",
    patient="Patient",
    location="Location",
    encounters="Encounter",
    vitals="Vitals",
)
_type(
    "Encounter",
    "id start title category historicalId signed signedDatetime nextVisitDate nextVisitReason " + _STAMPS,
    appointment="Appointment",
    patient="Patient",
    provider="Provider",
    location="Location",
    subjective="Value",
    objective="Value",
    assessment="Value",
    plan="Value",
    sections="Section",
    vitals="Vitals",
)
_type("Section", "name isDischarge isFollowup isIntake isProblems isPrivate isRequired", data="SectionDatum")
_type(
    "Vitals",
    "id encounterId datetime temp heartRate respRate weight weightUnit pain " + _STAMPS,
    customs="Custom",
)

_PAGED = {"limit", "offset"}
_SINCE = {"updatedAtStart", "updatedAtEnd"}
#: Root field -> arguments it takes.
ARGUMENTS: dict[str, set[str]] = {
    "org": set(),
    "locations": _PAGED,
    "providers": _PAGED,
    "appointmentTypes": set(),
    "appointments": _PAGED | _SINCE | {"locationId", "start", "end", "includeCompleted", "onlyDeleted"},
    "client": {"id"},
    "patient": {"id"},
    "encounters": _PAGED | _SINCE | {"locationIds"},
    "encounter": {"id"},
}
NEEDED = {"appointments": {"locationId"}, "client": {"id"}, "patient": {"id"}, "encounter": {"id"}}


class TooDeep(BadQuery):
    """Has a code of its own."""


def check(query: Query, given: dict[str, object]) -> None:
    """Raises BadQuery for whatever the schema does not know; given: the variables' values."""
    if unknown := set(given) - query.declared:
        raise BadQuery(f"Variable ${sorted(unknown)[0]} is not declared.")
    if (deep := _depth(query.chosen)) > DEEPEST:
        raise TooDeep(f"Query has depth of {deep}, which exceeds max depth of {DEEPEST}")
    for one in query.chosen:
        known = ARGUMENTS.get(one.name)
        if known is None:
            raise BadQuery(f'Cannot query field "{one.name}" on type "RootQueryType".')
        if unknown := set(one.args) - known:
            raise BadQuery(f'Unknown argument "{sorted(unknown)[0]}" on field "{one.name}".')
        one.args = {name: _resolved(value, query, given) for name, value in one.args.items()}
        if missing := {name for name in NEEDED.get(one.name, ()) if one.args.get(name) is None}:
            raise BadQuery(f'In argument "{sorted(missing)[0]}": Expected type "ID!", found null.')
        _checked(one, "Query")


def _resolved(value: object, query: Query, given: dict[str, object]) -> object:
    if not isinstance(value, Variable):
        return value
    if value.name not in query.declared:
        raise BadQuery(f"Variable ${value.name} is not declared.")
    return given.get(value.name)


def _checked(one: Field, kind: str) -> None:
    target = TYPES[kind].get(one.name)
    if target is None:
        raise BadQuery(f'Cannot query field "{one.name}" on type "{kind}".')
    if bool(target) != bool(one.chosen):
        said = "must have a selection of subfields" if target else "must not have a selection"
        raise BadQuery(f'Field "{one.name}" {said}.')
    if target in UNIONS:
        if any(part.on not in UNIONS[target] for part in one.chosen):
            raise BadQuery(f'Cannot query fields on the union "{target}" without an inline fragment.')
        for part in one.chosen:
            _all(part.chosen, str(part.on))
    elif target:
        _all(one.chosen, target)


def _all(chosen: list[Field], kind: str) -> None:
    for one in chosen:
        if one.on is not None:
            raise BadQuery(f'Fragment cannot be spread here as objects of type "{kind}" can never be of "{one.on}".')
        _checked(one, kind)


def _depth(chosen: list[Field]) -> int:
    """Of the deepest plain value; an inline fragment is no level."""
    return max((_depth(one.chosen) + (one.on is None) for one in chosen), default=0)


def picked(value: object, chosen: list[Field]) -> object:
    """Of a record only what was asked for, in that order. What an order has put in a record's place stays as it is."""
    if isinstance(value, list):
        return [picked(one, chosen) for one in value]
    if not isinstance(value, dict) or not chosen:
        return value
    asked = [inner for one in chosen for inner in (one.chosen if one.on else [one])]
    return {one.name: picked(value[one.name], one.chosen) for one in asked if one.name in value}
