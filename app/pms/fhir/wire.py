"""FHIR R4's JSON as it comes, checked. Unknown elements are ignored; a wrong shape raises with its path.

Source: pms/fhir-r4.md §1 and §2 (documented: R4). Only elements we read are named. The standard allows no null outside
arrays of primitives; it is met, and means that the element is not there.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from app.pms import rows
from app.pms.rows import RowFault

Id = Annotated[str, Meta(min_length=1, max_length=255)]


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Elements in camelCase, as the standard writes them."""


# --- data types -------------------------------------------------------------------------------------------------------


class Coding(_Wire):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(_Wire):
    coding: list[Coding] | None = None
    text: str | None = None


class Reference(_Wire):
    reference: str | None = None
    type: str | None = None
    display: str | None = None


class Period(_Wire):
    start: str | None = None
    end: str | None = None


class ContactPoint(_Wire):
    system: str | None = None
    value: str | None = None
    use: str | None = None
    rank: int | None = None
    period: Period | None = None


class HumanName(_Wire):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: list[str | None] | None = None
    prefix: list[str | None] | None = None
    period: Period | None = None


class Extension(_Wire):
    """value[x] of the kinds a link is written in."""

    url: str | None = None
    value_url: str | None = None
    value_uri: str | None = None
    value_string: str | None = None
    extension: list[Extension] | None = None


class VirtualService(_Wire):
    """R5's VirtualServiceDetail, of servers between the versions."""

    address_url: str | None = None
    address_string: str | None = None


class RecordMeta(_Wire):
    last_updated: str | None = None


# --- resources --------------------------------------------------------------------------------------------------------


class Participant(_Wire):
    type: list[Concept] | None = None
    actor: Reference | None = None
    extension: list[Extension] | None = None


class Appointment(_Wire):
    resource_type: str
    id: Id
    status: Annotated[str, Meta(min_length=1, max_length=255)]
    participant: list[Participant]
    start: str | None = None
    end: str | None = None
    minutes_duration: int | None = None
    service_category: list[Concept] | None = None
    service_type: list[Concept] | None = None
    appointment_type: Concept | None = None
    description: str | None = None
    comment: str | None = None
    meta: RecordMeta | None = None
    extension: list[Extension] | None = None
    virtual_service: list[VirtualService] | None = None
    contained: list[Raw] | None = None


class Person(_Wire):
    """A Patient or a Practitioner. A contained one may have no id."""

    resource_type: str
    id: Id | None = None
    active: bool | None = None
    name: list[HumanName] | None = None
    telecom: list[ContactPoint] | None = None
    birth_date: str | None = None


class Role(_Wire):
    resource_type: str
    id: Id
    practitioner: Reference | None = None


class Service(_Wire):
    """A HealthcareService. A contained one has an id of its own only, and its type may be where a link hides."""

    resource_type: str
    id: Id | None = None
    name: str | None = None
    type: list[Concept] | None = None
    telecom: list[ContactPoint] | None = None


class Schedule(_Wire):
    resource_type: str
    actor: list[Reference]
    active: bool | None = None


class Organization(_Wire):
    resource_type: str
    name: str | None = None


class Kind(_Wire):
    """What any resource tells first."""

    resource_type: str
    id: str | None = None


# --- bundles, capabilities, tokens, outcomes --------------------------------------------------------------------------


class Link(_Wire):
    relation: str
    url: str


class Search(_Wire):
    mode: str | None = None


class Entry(_Wire):
    """resource: empty where there is none."""

    full_url: str | None = None
    resource: Raw = msgspec.field(default_factory=Raw)
    search: Search | None = None


class Bundle(_Wire):
    """`entry` is not there where nothing was found: the standard allows no empty list."""

    resource_type: str
    type: str | None = None
    total: int | None = None
    link: list[Link] | None = None
    entry: list[Raw] | None = None


class Named(_Wire):
    name: str


class Coded(_Wire):
    code: str


class Offered(_Wire):
    type: str
    interaction: list[Coded] | None = None
    search_param: list[Named] | None = None
    search_include: list[str] | None = None


class Rest(_Wire):
    mode: str | None = None
    resource: list[Offered] | None = None


class Implementation(_Wire):
    description: str | None = None


class Capability(_Wire):
    resource_type: str
    fhir_version: str | None = None
    rest: list[Rest] | None = None
    implementation: Implementation | None = None


class SmartConfiguration(msgspec.Struct):
    token_endpoint: str
    token_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    scopes_supported: list[str] | None = None
    capabilities: list[str] | None = None


class TokenReply(msgspec.Struct):
    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: float | str | None = None
    scope: str | None = None


class Issue(_Wire):
    severity: str | None = None
    code: str | None = None


class Outcome(_Wire):
    """An OperationOutcome. Its diagnostics may hold a patient's data and are never read."""

    resource_type: str
    issue: list[Issue] | None = None


bundle = msgspec.json.Decoder(Bundle)
entry = msgspec.json.Decoder(Entry)
kind = msgspec.json.Decoder(Kind)
capability = msgspec.json.Decoder(Capability)
smart_configuration = msgspec.json.Decoder(SmartConfiguration)
token_reply = msgspec.json.Decoder(TokenReply)
outcome = msgspec.json.Decoder(Outcome)
person = msgspec.json.Decoder(Person)
role = msgspec.json.Decoder(Role)
service = msgspec.json.Decoder(Service)
schedule = msgspec.json.Decoder(Schedule)
organization = msgspec.json.Decoder(Organization)
_appointment = msgspec.json.Decoder(Appointment)

_doubled = rows.DoubleKeys()


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises RowFault."""
    found = rows.read(_appointment, raw)
    if found.resource_type != "Appointment":
        raise RowFault("$.resourceType", "invalid")
    lists = (found.participant, found.service_type, found.service_category, found.extension, found.contained)
    _doubled.refuse(raw, *(len(one or ()) for one in lists))
    return found
