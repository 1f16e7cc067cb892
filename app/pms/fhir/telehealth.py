"""Whether an appointment is online, and the link its patient may have. Pure.

Source: pms/fhir-r4.md §4; the order of looking is [assumed] there. What only the clinician may open never leaves here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from app.domain.names import first_of
from app.pms import rows
from app.pms.fhir import wire
from app.pms.fhir.references import Target
from app.pms.rows import RowFault

#: HL7's own way to say R5's Appointment.virtualService in R4 (documented: XVER), and per person in Austria's guide.
_VIRTUAL_SERVICE = ("extension-Appointment.virtualService", "virtual-service-detail")
_ADDRESS = frozenset({"address", "address[x]"})
#: Denmark's (documented: DK).
_MEETING_URL = "ehealth-meeting-url"
#: Oracle's two contained services, told apart by this text and never by their order (documented: ORACLE).
_GUESTS_ROOM = "patient virtual meeting room"
_HOSTS_ROOM = "provider virtual meeting room"
#: (system, code) that say online without a link (documented: USCORE, AU). A telephone visit is one too.
_CODES = frozenset(
    {
        ("http://snomed.info/sct", "448337001"),
        ("http://terminology.hl7.org.au/CodeSystem/v3-ActCode", "VIDEO"),
        ("http://terminology.hl7.org.au/CodeSystem/v3-ActCode", "PHONE"),
    }
)
_CLINICIANS = frozenset({"Practitioner", "PractitionerRole"})


def signal(row: wire.Appointment, targets: list[Target | None]) -> tuple[bool | None, str | None]:
    """(True where the record says online, else None; the guest's link). Never False: most servers say nothing.

    targets: whom each participant means.
    """
    hosts = set(_of_participants(row, targets, clinicians=True))
    rooms = list(_contained_rooms(row))
    hosts |= {url for text, url in rooms if text == _HOSTS_ROOM}
    shared = [
        *_of_participants(row, targets, clinicians=False),
        *(url for text, url in rooms if text == _GUESTS_ROOM),
        *(url for one in row.virtual_service or () for url in (one.address_url, one.address_string) if url),
        *_addresses(row.extension or ()),
    ]
    link = next((url.strip() for url in shared if url not in hosts and _is_link(url)), None)
    says_so = bool(shared or hosts or row.virtual_service) or _coded(row)
    return (True if says_so else None), link


def _of_participants(row: wire.Appointment, targets: list[Target | None], *, clinicians: bool) -> Iterator[str]:
    """Links that hang on a person: the clinicians' own, or everybody else's."""
    for one, target in zip(row.participant, targets, strict=True):
        if (target is not None and target.type in _CLINICIANS) == clinicians:
            yield from _addresses(one.extension or ())


def _addresses(extensions: Iterable[wire.Extension]) -> Iterator[str]:
    """The addresses of one level; of a nested virtual service its `address`, of a single-valued one its value."""
    for one in extensions:
        url = one.url or ""
        if url.endswith(_VIRTUAL_SERVICE):
            inner = [part for part in one.extension or () if part.url in _ADDRESS]
            yield from (value for part in (one, *inner) if (value := _value(part)))
        elif url.endswith(_MEETING_URL) and (value := _value(one)):
            yield value


def _value(one: wire.Extension) -> str | None:
    return first_of((one.value_url, one.value_uri, one.value_string))


def _contained_rooms(row: wire.Appointment) -> Iterator[tuple[str, str]]:
    """(what the room is called, its address), of contained services."""
    for raw in row.contained or ():
        try:
            service = rows.read(wire.service, bytes(raw))
        except RowFault:
            continue  # something else that is contained
        if service.resource_type != "HealthcareService":
            continue
        names = {(concept.text or "").strip().lower() for concept in service.type or ()}
        for text in names & {_GUESTS_ROOM, _HOSTS_ROOM}:
            yield from ((text, one.value) for one in service.telecom or () if one.system == "url" and one.value)


def _coded(row: wire.Appointment) -> bool:
    concepts = [*(row.service_type or ()), *(row.service_category or ()), *filter(None, (row.appointment_type,))]
    return any((one.system, one.code) in _CODES for concept in concepts for one in concept.coding or ())


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname)
