"""FHIR clients and model libraries that are not ours, run in their own environment; the answer is JSON on standard
output. `python clients.py WHAT BASE TOKEN`, with the work as JSON on standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import jwt
from fhir.resources import R4B
from fhirclient import client as smart_client
from fhirclient.models import fhirelementfactory
from fhirclient.models.appointment import Appointment
from fhirclient.models.patient import Patient
from fhirpy import SyncFHIRClient


def with_fhirpy(base: str, token: str, work: dict[str, Any]) -> Any:
    """Ids of a day's appointments, page by page; the patients that come along; one read; what is refused."""
    client = SyncFHIRClient(base, authorization=f"Bearer {token}")
    day = client.resources("Appointment").search(date__ge=work["from"], date__lt=work["to"])
    whole = day.limit(20).fetch_all()
    raw = day.include("Appointment", "patient").limit(20).fetch_raw()
    one = client.reference("Appointment", whole[0].id).to_resource()
    try:
        client.reference("Appointment", "nobody").to_resource()
        refused = None
    except Exception as error:  # noqa: BLE001 - whatever the library makes of it is what we want to see
        refused = type(error).__name__
    along = [entry["resource"]["id"] for entry in raw.entry if entry["search"]["mode"] == "include"]
    return {
        "ids": [found.id for found in whole],
        "along": along,
        "one": one.serialize(),
        "refused": refused,
        "staff": [found.id for found in client.resources("Practitioner").fetch_all()],
    }


def with_fhirclient(base: str, token: str, work: dict[str, Any]) -> Any:
    """The same with SMART's own client, whose strict R4 models read every record; and the server's statement."""
    smart = smart_client.FHIRClient(settings={"app_id": "runsheet-foreign", "api_base": base})
    smart.server.session.headers["Authorization"] = f"Bearer {token}"
    smart.prepare()
    asked = Appointment.where({"date": {"$and": [f"ge{work['from']}", f"lt{work['to']}"]}, "_count": "20"})
    found = list(asked.perform_resources_iter(smart.server))
    patient = Patient.read(found[0].participant[0].actor.reference.partition("/")[2], smart.server)
    return {
        "ids": [one.id for one in found],
        "starts": [one.start.as_json() for one in found],
        "patient": smart.human_name(patient.name[-1]),
        "version": smart.server.capabilityStatement.fhirVersion,
    }


def with_models(_base: str, _token: str, work: dict[str, Any]) -> Any:
    """What is wrong with each resource, by fhir.resources (R4B) and by fhirclient's models (R4)."""
    wrong = []
    for resource in work["resources"]:
        kind = resource["resourceType"]
        checks: list[tuple[str, Callable[[Any], Any]]] = [
            ("fhir.resources", lambda one: R4B.get_fhir_model_class(one["resourceType"]).model_validate(one)),
            ("fhirclient", lambda one: fhirelementfactory.FHIRElementFactory.instantiate(one["resourceType"], one)),
        ]
        for library, check in checks:
            try:
                check(resource)
            except Exception as error:  # noqa: BLE001 - the libraries' own kinds
                wrong.append(f"{library}: {kind}: {error}")
    return {"wrong": wrong, "libraries": [import_module("fhirclient.models.appointment").__name__]}


def with_pyjwt(_base: str, _token: str, work: dict[str, Any]) -> Any:
    """Read an assertion of ours by a public key; or make one with a private key."""
    if "assertion" in work:
        key = jwt.PyJWK(work["jwk"], algorithm=work["algorithm"]).key
        claims = jwt.decode(
            work["assertion"],
            key,
            algorithms=[work["algorithm"]],
            audience=work["audience"],
            options={"require": ["exp", "iss", "sub", "aud", "jti"]},
        )
        return {"claims": claims, "header": jwt.get_unverified_header(work["assertion"])}
    key = jwt.PyJWK(work["jwk"], algorithm=work["algorithm"]).key
    return {"made": jwt.encode(work["claims"], key, work["algorithm"], headers={"kid": work["jwk"]["kid"]})}


WAYS = {"fhirpy": with_fhirpy, "fhirclient": with_fhirclient, "models": with_models, "pyjwt": with_pyjwt}

if __name__ == "__main__":
    what, base, token = sys.argv[1:4]
    print(json.dumps(WAYS[what](base, token, json.load(sys.stdin))))
