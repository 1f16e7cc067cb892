"""What the server says it offers, and what a search may ask. pms/fhir-r4.md §2."""

from __future__ import annotations

from flask import Response

from app.sandbox.fhir.door import KIND, knobs_of
from app.sandbox.fhir.knobs import FhirKnobs
from app.sandbox.fhir.replies import answer
from app.sandbox.stage.stage import current

#: (name, type) of each search parameter, by resource.
PARAMS: dict[str, dict[str, str]] = {
    "Appointment": {
        "date": "date",
        "status": "token",
        "actor": "reference",
        "patient": "reference",
        "practitioner": "reference",
        "location": "reference",
        "service-type": "token",
    },
    "Patient": {"name": "string", "family": "string", "birthdate": "date", "active": "token"},
    "Practitioner": {"name": "string", "active": "token"},
    "PractitionerRole": {"practitioner": "reference", "active": "token"},
    "HealthcareService": {"name": "string", "active": "token"},
    "Location": {"name": "string", "status": "token"},
    "Organization": {"name": "string", "active": "token"},
    "Schedule": {"actor": "reference", "active": "token"},
}
INCLUDES = {
    "Appointment": ("Appointment:patient", "Appointment:practitioner", "Appointment:location"),
    "PractitionerRole": ("PractitionerRole:practitioner",),
}


def params_of(resource: str, knobs: FhirKnobs) -> dict[str, str]:
    """Those it offers, the ones of every resource included."""
    return PARAMS[resource] | {"_id": "token"} | ({"_lastUpdated": "date"} if knobs.last_updated else {})


def capability() -> Response:
    """`/metadata`, open to all."""
    stage = current(KIND)
    knobs = knobs_of(stage)
    offered = [name for name in PARAMS if name not in knobs.without]
    return answer(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2026-01-05",
            "kind": "instance",
            "fhirVersion": knobs.fhir_version,
            "format": ["json"],
            "software": {"name": "Simulated FHIR server", "version": "1"},
            "implementation": {"description": stage.book.setup.name},
            "rest": [{"mode": "server", "resource": [_resource(name, knobs) for name in offered]}],
        }
    )


def _resource(name: str, knobs: FhirKnobs) -> dict[str, object]:
    made: dict[str, object] = {
        "type": name,
        "versioning": "versioned",
        "interaction": [{"code": "read"}, *([] if name in knobs.read_only else [{"code": "search-type"}])],
    }
    if knobs.quiet or name in knobs.read_only:
        return made
    if knobs.includes and name in INCLUDES:
        made["searchInclude"] = list(INCLUDES[name])
    return made | {"searchParam": [{"name": one, "type": type_} for one, type_ in params_of(name, knobs).items()]}
