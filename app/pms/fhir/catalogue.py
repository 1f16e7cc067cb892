"""Who works at a practice and what can be booked there, as a FHIR server lists them."""

from __future__ import annotations

from collections.abc import Iterable

from app import clock
from app.domain.appointment import AppointmentType, Practitioner
from app.domain.names import first_of
from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsForbidden, PmsMalformed
from app.pms.fhir import mapping, people, wire
from app.pms.fhir.references import target_of
from app.pms.fhir.search import Params, Searches
from app.pms.fhir.server import Server
from app.pms.rows import RowFault


def practitioners(searches: Searches, server: Server) -> list[Practitioner]:
    """Everybody; nobody where the server says that it does not list them. A record that cannot be read keeps its id, so
    that its appointments are still read.

    Raises PmsMalformed where not even that can be read.
    """
    in_book = _with_a_schedule(searches, server)
    now = clock.now()
    found = []
    for raw in searches.all("Practitioner") if server.searchable("Practitioner") else ():
        try:
            row = rows.read(wire.person, raw)
            if not row.id:
                raise RowFault("$.id", "missing")
        except RowFault:
            found.append(Practitioner(_id_at_least(raw), people.UNKNOWN_PRACTITIONER, readable=False))
        else:
            found.append(people.practitioner(row, now, in_book=not in_book or row.id in in_book))
    return found


def types(searches: Searches, server: Server) -> list[AppointmentType]:
    """What the active services offer, each once; none where the server does not list services to us."""
    found: dict[str, AppointmentType] = {}
    params: Params = [("active", "true")] if server.takes("HealthcareService", "active") else []
    for raw in _if_offered(searches, server, "HealthcareService", params):
        try:
            row = rows.read(wire.service, raw)
            if not row.id:
                raise RowFault("$.id", "missing")
        except RowFault:
            id_ = f"HealthcareService/{_id_at_least(raw)}"
            found[id_] = AppointmentType(id_, mapping.UNKNOWN, readable=False)
        else:
            for one in mapping.service_types(row):
                found.setdefault(one.external_id, one)
    return list(found.values())


def name_of(searches: Searches, server: Server) -> str | None:
    """The practice's, where the server names an organization."""
    params: Params = [("active", "true")] if server.takes("Organization", "active") else []
    names = []
    for raw in _if_offered(searches, server, "Organization", params):
        try:
            names.append(rows.read(wire.organization, raw).name)
        except RowFault:
            continue
    return first_of(names)


def _with_a_schedule(searches: Searches, server: Server) -> set[str]:
    """Ids of practitioners who have an active schedule, themselves or in a role; empty where none are kept."""
    targets = set()
    for raw in _if_offered(searches, server, "Schedule", ()):
        try:
            row = rows.read(wire.schedule, raw)
        except RowFault:
            return set()  # whose it is nobody knows: better to show all than to miss one
        if row.active is not False:
            targets |= {target for one in row.actor if (target := target_of(one, {})) and target.id}
    roles = {one.id for one in targets if one.type == "PractitionerRole"}
    found = {one.id for one in targets if one.type == "Practitioner"}
    return found | (_led_by(searches, server, roles) if roles else set())


def _led_by(searches: Searches, server: Server, role_ids: Iterable[str]) -> set[str]:
    found = set()
    batched = server.takes("PractitionerRole", "_id")
    for raw in searches.by_ids("PractitionerRole", role_ids, batched=batched):
        try:
            target = target_of(rows.read(wire.role, raw).practitioner, {})
        except RowFault:
            continue
        if target and target.type == "Practitioner":
            found.add(target.id)
    return found


def _if_offered(searches: Searches, server: Server, resource: str, params: Params) -> list[bytes]:
    """All of a resource that can be done without: none where it is not offered, not granted, or not searchable so."""
    if not server.searchable(resource):
        return []
    try:
        return searches.all(resource, params)
    except (PmsForbidden, PmsBadRequest):
        return []


def _id_at_least(raw: bytes) -> str:
    try:
        found = rows.read(wire.kind, raw).id
    except RowFault:
        found = None
    if not found:
        raise PmsMalformed("a record without an id", path="$.id")
    return found
