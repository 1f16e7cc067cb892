"""ezyVet's JSON as it comes, checked. Unknown members are ignored; a wrong shape raises with its path.

Source: pms/ezyvet.md §1 and §2. Scalars are taken in any form (`coerce`); only shapes are checked here. Which names
are only assumed is said where they stand.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw

from app.pms import rows
from app.pms.errors import PmsMalformed
from app.pms.ezyvet.coerce import Scalar, number
from app.pms.rows import RowFault

Record = TypeVar("Record")


class _Wire(msgspec.Struct, gc=False):
    """Members as ezyVet writes them, in snake_case. The first is always there."""

    id: Scalar


class TokenReply(msgspec.Struct):
    access_token: Annotated[str, Meta(pattern=r"^[\x21-\x7e]+$")]
    expires_in: Scalar = None


class Claims(msgspec.Struct):
    """Of the token, a JWT (seen in code)."""

    site_uid: Scalar = None


class PageMeta(msgspec.Struct):
    """Often texts (seen in code). items_total is not needed, items_page_total is."""

    items_page_total: Scalar
    items_page: Scalar = None
    items_total: Scalar = None


class Envelope(msgspec.Struct):
    items: list[Raw]
    meta: PageMeta


class ErrorMessage(msgspec.Struct):
    text: str | None = None


class ErrorReply(msgspec.Struct):
    messages: list[ErrorMessage] = []


# --- appointments (§2.1) ----------------------------------------------------------------------------------------------


class ResourceRef(msgspec.Struct, gc=False):
    id: Scalar = None


class Appointment(_Wire):
    start_at: Scalar
    active: Scalar = None
    duration: Scalar = None
    type_id: Scalar = None
    status_id: Scalar = None
    description: Scalar = None
    animal_id: Scalar = None
    contact_id: Scalar = None
    consult_id: Scalar = None
    sales_resource: Scalar = None
    resources: list[ResourceRef | int | str] | str | None = None
    cancellation_reason_text: Scalar = None
    modified_at: Scalar = None


# --- who and what (§2.2, §2.3) ----------------------------------------------------------------------------------------


class Zone(msgspec.Struct):
    name: Scalar = None


class Site(msgspec.Struct):
    """v3/siteInformation: the zone is documented, the other names and its plain shape are assumed; v1/systemsetting,
    its older sister, has `timezone.name` (seen in code)."""

    uid: Scalar = None
    name: Scalar = None
    timezone: Zone | str | None = None


class Named(_Wire):
    """Species, breeds, statuses, types of contact details, products, presenting problems."""

    name: Scalar = None


class AppointmentType(Named):
    active: Scalar = None
    default_duration: Scalar = None


class Resource(Named):
    active: Scalar = None
    type: Scalar = None
    ownership_id: Scalar = None


class Animal(Named):
    species_id: Scalar = None
    breed_id: Scalar = None
    contact_id: Scalar = None
    date_of_birth: Scalar = None


class Contact(_Wire):
    first_name: Scalar = None
    last_name: Scalar = None
    business_name: Scalar = None


class ContactDetail(_Wire):
    contact_id: Scalar
    active: Scalar = None
    name: Scalar = None
    value: Scalar = None
    contact_detail_type_id: Scalar = None
    modified_at: Scalar = None


# --- consultations (§2.4) ---------------------------------------------------------------------------------------------


class Consult(_Wire):
    active: Scalar = None
    date: Scalar = None
    animal_id: Scalar = None
    created_at: Scalar = None
    modified_at: Scalar = None


class OfConsult(_Wire):
    """Everything that hangs on a consult."""

    consult_id: Scalar
    active: Scalar = None
    created_at: Scalar = None
    modified_at: Scalar = None
    timestamp: Scalar = None


class Note(OfConsult):
    """History has `comments` (documented); whether the others say `comments` or `notes` is assumed: both are read."""

    comments: str | None = None
    notes: str | None = None


class HealthStatus(OfConsult):
    """Weight and its unit are seen in code; the other names are assumed."""

    weight: Scalar = None
    weight_unit: Scalar = None
    temperature: Scalar = None
    temperature_unit: Scalar = None
    heart_rate: Scalar = None
    heart_rate_unit: Scalar = None
    respiratory_rate: Scalar = None
    respiratory_rate_unit: Scalar = None
    blood_pressure: Scalar = None


class ProblemLink(OfConsult):
    """The member's name is assumed."""

    presenting_problem_id: Scalar = None


class Therapeutic(OfConsult):
    """All but the id is assumed."""

    name: Scalar = None
    comments: str | None = None


class Vaccination(OfConsult):
    product_id: Scalar = None
    qty: Scalar = None
    description: Scalar = None
    notes: str | None = None


class PrescriptionItem(_Wire):
    prescription_id: Scalar
    product_id: Scalar = None
    qty: Scalar = None
    instructions: str | None = None
    modified_at: Scalar = None


class InvoiceLine(OfConsult):
    name: Scalar = None
    quantity: Scalar = None


token_reply = msgspec.json.Decoder(TokenReply)
claims = msgspec.json.Decoder(Claims)
error_reply = msgspec.json.Decoder(ErrorReply)
site = msgspec.json.Decoder(Site)
named = msgspec.json.Decoder(Named)
appointment_type = msgspec.json.Decoder(AppointmentType)
resource = msgspec.json.Decoder(Resource)
animal = msgspec.json.Decoder(Animal)
contact = msgspec.json.Decoder(Contact)
contact_detail = msgspec.json.Decoder(ContactDetail)
consult = msgspec.json.Decoder(Consult)
of_consult = msgspec.json.Decoder(OfConsult)
note = msgspec.json.Decoder(Note)
health_status = msgspec.json.Decoder(HealthStatus)
problem_link = msgspec.json.Decoder(ProblemLink)
therapeutic = msgspec.json.Decoder(Therapeutic)
vaccination = msgspec.json.Decoder(Vaccination)
prescription_item = msgspec.json.Decoder(PrescriptionItem)
invoice_line = msgspec.json.Decoder(InvoiceLine)
_appointment = msgspec.json.Decoder(Appointment)
_envelope = msgspec.json.Decoder(Envelope)
_wrapped = msgspec.json.Decoder(dict[str, Raw])

_doubled = rows.DoubleKeys()


class ListPage(msgspec.Struct):
    """One page of a list: its records, unwrapped; how many pages there are, and how many records in all."""

    records: list[bytes]
    pages: int
    total: int | None
    number: int | None


def list_page(body: bytes) -> ListPage:
    """Raises PmsMalformed with the path where the envelope is not one: a missing list is never an empty one."""
    outer, mended = rows.envelope(_envelope, body)
    records = [mended.get(bytes(raw), bytes(raw)) for raw in outer.items]
    pages = _count(outer.meta.items_page_total, "$.meta.items_page_total")
    if pages is None:
        raise PmsMalformed("a list that does not say how long it is", path="$.meta.items_page_total")
    return ListPage(
        [_unwrapped(record) for record in records],
        pages,
        _count(outer.meta.items_total, "$.meta.items_total"),
        _count(outer.meta.items_page, "$.meta.items_page"),
    )


def appointment(raw: bytes) -> Appointment:
    """One appointment. Raises rows.RowFault."""
    found = rows.read(_appointment, raw)
    _doubled.refuse(raw, len(found.resources or ()))
    return found


def _unwrapped(record: bytes) -> bytes:
    """`{"appointment": {...}}` without its wrapping; one integrator met records that had none (seen in code)."""
    try:
        members = _wrapped.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record  # for whoever reads it to refuse
    if len(members) == 1 and (inner := bytes(next(iter(members.values())))).startswith(b"{"):
        return inner
    return record


def _count(value: Scalar, path: str) -> int | None:
    try:
        found = number(value, path)
    except RowFault:
        found = -1.0
    if found is not None and (found < 0 or found != int(found)):
        raise PmsMalformed("a count that is none", path=path)
    return None if found is None else int(found)
