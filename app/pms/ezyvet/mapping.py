"""ezyVet's records in the house's words. Pure: what an appointment refers to is handed in.

Source: pms/ezyvet.md §3. What is [assumed] there stands behind one name here, so that it can be put right in one place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.domain.appointment import Appointment, AppointmentType, Client, Patient, PracticeIdentity, Practitioner
from app.domain.names import clip, full_name
from app.domain.status import Status
from app.domain.window import zone_of
from app.errors import InvalidInput
from app.pms.ezyvet import wire
from app.pms.ezyvet.coerce import Scalar, flag, ident, instant, needed_ident, number, words
from app.pms.ezyvet.status import status_of
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
#: The raw word of an appointment that was taken out and has no status name.
INACTIVE = "inactive"

#: Words in a resource's `type`: `facility` is documented for rooms; those for machines, and that everything else is a
#: person, is [assumed].
ROOMS = frozenset({"facility", "room"})
THINGS = ROOMS | {"equipment", "machine", "device"}
_LONGEST_MINUTES = 60 * 24 * 366

#: By the name of a contact detail's type, ids being each site's own [assumed]; the first kind that has a value is used.
_PHONES = (("mobile", "cell"), ("home", "phone"), ("work", "business"))
_EMAILS = ("email", "e-mail")


@dataclass(frozen=True, slots=True)
class Resource:
    """Whom or what an appointment occupies. `division` is where it stands, None where the site does not say."""

    external_id: str
    name: str
    active: bool = True
    is_person: bool = True
    is_room: bool = False
    division: str | None = None
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Animal:
    patient: Patient
    contact_id: str | None = None


@dataclass(slots=True)
class Context:
    """What appointments refer to, by id. `types` and `resources` may fetch what they miss; None: nobody knows it."""

    types: Mapping[str, AppointmentType | None]
    statuses: Mapping[str, str | None]
    resources: Mapping[str, Resource | None]
    animals: Mapping[str, Animal] = field(default_factory=dict)
    clients: Mapping[str, Client | None] = field(default_factory=dict)
    sync_set: Collection[str] = ()
    status_words: Mapping[str, str] = field(default_factory=dict)


def appointment(row: wire.Appointment, context: Context) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand, and whatever a look-up in `context` raises."""
    starts_at = start_of(row)
    type_id = ident(row.type_id, "$.type_id")
    kind = context.types[type_id] if type_id else None
    minutes = minutes_of(row.duration, "$.duration") or (kind.minutes if kind else None)
    status, raw_status = status_said(row, context.statuses, context.status_words)
    used = [context.resources[id_] or Resource(id_, UNKNOWN_PRACTITIONER, is_person=False) for id_ in used_by(row)]
    main, others = practitioners(used, row, context)
    patient, client = people(row, context)
    room = next((one for one in used if one.is_room), None)
    return Appointment(
        id_of(row),
        starts_at,
        None if minutes is None else starts_at + timedelta(minutes=minutes),
        minutes,
        status,
        raw_status,
        main.external_id if main else "",
        main.name if main else UNKNOWN_PRACTITIONER,
        (patient,) if patient else (),
        others,
        type_id,
        kind.name if kind else UNKNOWN,
        clip(words_kept(row.description)),
        location_id=next((one.division for one in used if one.division), None),
        client=client,
        consultation_id=ident(row.consult_id, "$.consult_id"),
        room=room.name if room else None,
        changed_at=_changed_at(row),
    )


def status_said(
    row: wire.Appointment, statuses: Mapping[str, str | None], explained: Mapping[str, str]
) -> tuple[Status, str | None]:
    """Our word and the site's. Raises RowFault. statuses: names by id; explained: what the practice told us of them."""
    status_id = ident(row.status_id, "$.status_id")
    name = (statuses[status_id] or None) if status_id else None
    if status_id and name is None:
        name = f"status {status_id}"  # not on the list: a word nobody knows, never read as booked
    active = flag(row.active, "$.active") is not False
    reason = words(row.cancellation_reason_text)
    return status_of(name, active, reason, explained), name if active else name or INACTIVE


def id_of(row: wire.Appointment) -> str:
    return needed_ident(row.id, "$.id")


def start_of(row: wire.Appointment) -> datetime:
    starts_at = instant(row.start_at, "$.start_at")
    if starts_at is None:
        raise RowFault("$.start_at", "missing")
    return starts_at


def _changed_at(row: wire.Appointment) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the booking out."""
    try:
        return instant(row.modified_at, "$.modified_at")
    except RowFault:
        return None


def used_by(row: wire.Appointment) -> list[str]:
    """Ids of the appointment's resources, each once, in order. Null, "" and bare ids are met beside objects."""
    if not row.resources or type(row.resources) is str:
        return []
    found = (ident(one.id if isinstance(one, wire.ResourceRef) else one, "$.resources[].id") for one in row.resources)
    return list(dict.fromkeys(id_ for id_ in found if id_))


def practitioners(
    used: Iterable[Resource], row: wire.Appointment, context: Context
) -> tuple[Resource | None, tuple[str, ...]]:
    """The main practitioner and the others' ids.

    The first person who is in the sync set, so that a colleague who is switched off does not take the row along; else
    the first person; else whoever sells; else the first resource that is on no list.
    """
    used = list(used)
    known = [one for one in used if one.is_person]
    main = next((one for one in known if one.external_id in context.sync_set), None) or (known[0] if known else None)
    if main is None:
        seller = ident(row.sales_resource, "$.sales_resource")
        found = context.resources[seller] if seller else None
        main = found if found and found.is_person else None
    if main is None:
        main = next((one for one in used if context.resources[one.external_id] is None), None)
    return main, tuple([one.external_id for one in known if main and one.external_id != main.external_id])


def people(row: wire.Appointment, context: Context) -> tuple[Patient | None, Client | None]:
    """The animal and who answers for it. An animal is reached through its client, so its row carries their phone."""
    animal_id = ident(row.animal_id, "$.animal_id")
    animal = context.animals[animal_id] if animal_id else None
    contact_id = ident(row.contact_id, "$.contact_id") or (animal.contact_id if animal else None)
    client = context.clients.get(contact_id) if contact_id else None
    if animal is None:
        return None, client
    return replace(
        animal.patient, phone=client.phone if client else None, email=client.email if client else None
    ), client


def minutes_of(value: Scalar, path: str) -> int | None:
    """Whole minutes; nothing and less than nothing are None. Raises RowFault for an absurd figure."""
    found = number(value, path)
    if found is None or found <= 0:
        return None
    if found > _LONGEST_MINUTES:
        raise RowFault(path, "out_of_range")
    return round(found)


def words_kept(value: Scalar) -> str | None:
    """A longer text, its lines kept."""
    return value if type(value) is str else words(value)


# --- who and what -----------------------------------------------------------------------------------------------------


def animal(row: wire.Animal, species: Mapping[str, str], breeds: Mapping[str, str]) -> Animal:
    """A patient. Species and breed stay unsaid where their lists could not be read."""
    name = words(row.name)
    born = instant(row.date_of_birth, "$.date_of_birth")
    patient = Patient(
        needed_ident(row.id, "$.id"),
        name or UNKNOWN_PATIENT,
        first_name=name,
        birth_date=born.date() if born else None,
        species=species.get(ident(row.species_id, "$.species_id") or ""),
        breed=breeds.get(ident(row.breed_id, "$.breed_id") or ""),
    )
    return Animal(patient, ident(row.contact_id, "$.contact_id"))


def unknown_animal(external_id: str) -> Animal:
    """An animal the vendor no longer knows, but which has a booking. [assumed]"""
    return Animal(Patient(external_id, UNKNOWN_PATIENT))


def client(row: wire.Contact, details: Iterable[wire.ContactDetail], kinds: Mapping[str, str]) -> Client:
    """Who books and pays: a person, else a business. `kinds`: names of the types of contact details by id."""
    first, last = words(row.first_name), words(row.last_name)
    phone, email = reach(details, kinds)
    return Client(
        needed_ident(row.id, "$.id"),
        full_name(first, last) or words(row.business_name) or UNKNOWN,
        first,
        last,
        phone,
        email,
    )


def reach(details: Iterable[wire.ContactDetail], kinds: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Phone and e-mail out of what is active; of equals the newest. Where the type is unknown its own name counts."""
    known: list[tuple[float, str, str]] = []
    for one in details:
        value = words(one.value)
        if value is None or flag(one.active, "$.active") is False:
            continue
        kind = kinds.get(ident(one.contact_detail_type_id, "$.contact_detail_type_id") or "") or words(one.name) or ""
        known.append((number(one.modified_at, "$.modified_at") or 0.0, kind.lower(), value))
    known.sort(key=lambda one: one[0], reverse=True)

    def first(kinds_of: tuple[str, ...]) -> str | None:
        return next((value for _, kind, value in known if any(word in kind for word in kinds_of)), None)

    email = first(_EMAILS) or next((value for _, _, value in known if "@" in value), None)
    no_mail = [(at, kind, value) for at, kind, value in known if "@" not in value and not _is_mail(kind)]
    known = no_mail
    phone = next((found for kinds_of in _PHONES if (found := first(kinds_of))), None)
    return phone, email


def _is_mail(kind: str) -> bool:
    return any(word in kind for word in _EMAILS)


def resource(row: wire.Resource) -> Resource:
    kind = (words(row.type) or "").lower()
    return Resource(
        needed_ident(row.id, "$.id"),
        words(row.name) or UNKNOWN_PRACTITIONER,
        active=flag(row.active, "$.active") is not False,
        is_person=kind not in THINGS,
        is_room=kind in ROOMS,
        division=ident(row.ownership_id, "$.ownership_id"),
    )


def practitioner(one: Resource) -> Practitioner:
    return Practitioner(one.external_id, one.name, active=one.active, readable=one.readable)


def appointment_type(row: wire.AppointmentType) -> AppointmentType:
    try:
        minutes = minutes_of(row.default_duration, "$.default_duration")
    except RowFault:
        minutes = None
    return AppointmentType(needed_ident(row.id, "$.id"), words(row.name) or UNKNOWN, minutes)


def identity(external_id: str, site: wire.Site, setting: wire.Site) -> PracticeIdentity:
    """Who the site is. A zone nobody knows is as good as none: the practice's own is used then."""
    zones = (one.timezone.name if isinstance(one.timezone, wire.Zone) else one.timezone for one in (site, setting))
    zone = next((found for one in zones if (found := _known_zone(words(one)))), None)
    return PracticeIdentity(external_id, words(site.name) or words(setting.name), zone)


def _known_zone(name: str | None) -> str | None:
    try:
        zone_of(name or "")
    except InvalidInput:
        return None
    return name
