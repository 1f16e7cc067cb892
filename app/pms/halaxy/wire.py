"""Halaxy's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/halaxy.md §1 and §2. FHIR in shape (R4B), but what matters stands in extensions, and an OperationOutcome may
come wherever something else was asked for, with a 200 as well: it is never an empty list.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Raw

from app.pms import rows
from app.pms.errors import PmsMalformed
from app.pms.rows import RowFault

Id = Annotated[str, Meta(min_length=1, max_length=120)]
Strings = list[str] | str | None


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """Members as FHIR writes them."""


# --- envelopes --------------------------------------------------------------------------------------------------------


class Token(msgspec.Struct, gc=False):
    access_token: Annotated[str, Meta(min_length=1)]
    expires_in: float | int | None = None


class Details(_Wire):
    text: str | None = None


class Issue(_Wire):
    severity: str | None = None
    code: str | None = None


class Outcome(_Wire):
    resource_type: str
    issue: list[Issue] = []


class Link(_Wire):
    relation: str | None = None
    url: str | None = None


class Bundle(_Wire):
    """FHIR leaves `entry` out where there is none; then `total`, where it is told, is 0."""

    resource_type: str
    type: str | None = None
    total: int | None = None
    link: list[Link] | None = None
    entry: list[Raw] | None = None


class Entry(_Wire):
    resource: Raw


class Kind(_Wire):
    resource_type: str


# --- references and extensions ----------------------------------------------------------------------------------------


class Reference(_Wire):
    reference: str | None = None
    type: str | None = None
    display: str | None = None


class Coding(_Wire):
    code: str | None = None


class Quantity(_Wire):
    value: float | int | None = None
    unit: str | None = None


class Extension(_Wire):
    """`url` says what it is; of the values one is there. The last four are met where a location type is looked for."""

    url: str | None = None
    value_coding: Coding | None = None
    value_quantity: Quantity | None = None
    value_code: str | None = None
    value_string: str | None = None


class Said(_Wire):
    """An item of `supportingInformation`: mostly a reference, perhaps a location type in one of many forms."""

    reference: str | None = None
    type: str | None = None
    url: str | None = None
    name: str | None = None
    display: str | None = None
    value: str | None = None
    value_code: str | None = None
    value_string: str | None = None
    value_coding: Coding | None = None


class Stamp(_Wire):
    last_updated: str | None = None


# --- appointments (§2.4) ----------------------------------------------------------------------------------------------


class Participant(_Wire):
    actor: Reference | None = None
    modifier_extension: list[Extension] | None = None


class Appointment(_Wire):
    id: Id
    start: str
    participant: list[Participant]
    end: str | None = None
    minutes_duration: float | int | None = None
    description: str | None = None
    comment: str | None = None
    supporting_information: list[Said] | None = None
    extension: list[Extension] | None = None
    cancellation_reason: Any = None
    meta: Stamp | None = None


class Skeleton(_Wire):
    """What is left of an appointment that cannot be read."""

    id: Id
    participant: list[Raw] | None = None


class Actor(_Wire):
    actor: Reference


# --- people, places, types (§2.1-2.3, §2.5) ---------------------------------------------------------------------------


class Name(_Wire):
    use: str | None = None
    family: str | None = None
    given: Strings = None
    prefix: Strings = None
    text: str | None = None


class Telecom(_Wire):
    system: str | None = None
    value: str | None = None


class Patient(_Wire):
    id: Id
    name: list[Name] | None = None
    telecom: list[Telecom] | None = None
    birth_date: str | None = None


class Practitioner(_Wire):
    id: Id
    name: list[Name] | None = None
    telecom: list[Telecom] | None = None
    active: bool | None = None


class Role(_Wire):
    id: Id
    practitioner: Reference | None = None
    organization: Reference | None = None
    active: bool | None = None


class Organization(_Wire):
    id: Id
    name: str | None = None


class Service(_Wire):
    id: Id
    name: str | None = None
    extension: list[Extension] | None = None


class OnlyId(_Wire):
    id: Id


token = msgspec.json.Decoder(Token)
outcome = msgspec.json.Decoder(Outcome)
kind = msgspec.json.Decoder(Kind)
patient = msgspec.json.Decoder(Patient)
practitioner = msgspec.json.Decoder(Practitioner)
role = msgspec.json.Decoder(Role)
organization = msgspec.json.Decoder(Organization)
service = msgspec.json.Decoder(Service)
only_id = msgspec.json.Decoder(OnlyId)
skeleton = msgspec.json.Decoder(Skeleton)
actor = msgspec.json.Decoder(Actor)
_bundle = msgspec.json.Decoder(Bundle)
_entry = msgspec.json.Decoder(Entry)
_appointment = msgspec.json.Decoder(Appointment)
_doubled = rows.DoubleKeys()


class Found(NamedTuple):
    """A page of a search. records: (resource type, its JSON), of the searched and the included; the type is "" where
    it cannot be told. pages: numbers of the next and of the last page, where the links name them.
    """

    records: list[tuple[str, bytes]]
    total: int | None
    links: dict[str, str]


def page(body: bytes) -> Found:
    """Raises PmsMalformed for anything that is no search's Bundle."""
    found, mended = rows.envelope(_bundle, body)
    if found.resource_type != "Bundle":
        raise PmsMalformed("no Bundle", path="$.resourceType")
    if found.type not in (None, "searchset"):
        raise PmsMalformed("a Bundle of another kind", path="$.type")
    records = [_resource(mended.get(bytes(raw), bytes(raw))) for raw in found.entry or ()]
    links = {one.relation: one.url for one in found.link or () if one.relation and one.url}
    return Found(records, found.total, links)


def _resource(entry: bytes) -> tuple[str, bytes]:
    try:
        resource = bytes(rows.read(_entry, entry).resource)
    except RowFault:
        return "", entry
    try:
        return rows.read(kind, resource).resource_type, resource
    except RowFault:
        return "", resource


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises RowFault."""
    found = rows.read(_appointment, raw)
    extensions = sum(len(one.modifier_extension or ()) for one in found.participant)
    _doubled.refuse(raw, len(found.participant), extensions, len(found.supporting_information or ()))
    return found


def id_of(record: bytes) -> str | None:
    """A record's id where that much can be read."""
    try:
        return rows.read(only_id, record).id
    except RowFault:
        return None


def issues(body: bytes) -> list[Issue] | None:
    """Of an OperationOutcome; None for any other answer."""
    try:
        found = outcome.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found.issue if found.resource_type == "OperationOutcome" else None


def target(reference: str | None, resource_type: str) -> str | None:
    """The id in a reference of that type: a whole address, `/main/Type/id` or `Type/id`. None where it is none."""
    parts = (reference or "").split("?")[0].split("#")[0].rstrip("/").split("/")
    if len(parts) < 2 or parts[-2] != resource_type or not 0 < len(parts[-1]) <= 120:
        return None
    return parts[-1]
