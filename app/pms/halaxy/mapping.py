"""Halaxy's records in the house's words. Pure: what an appointment refers to is handed in.

Source: pms/halaxy.md §3 and §4. What is [assumed] there stands behind one name here, so that it can be put right in one
place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment, AppointmentType, Client, Patient, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.status import Status
from app.domain.window import from_wall
from app.pms.halaxy import wire
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
#: An appointment type is optional (seen in code).
NO_TYPE = "Unspecified"
#: The practice's own people and groups; EP- and SP- are contacts from outside (documented: DEV/practitioner).
OWN, GROUP = "PR-", "PG-"

#: Codes of a patient's own status (pms/halaxy.md §2.4 says of each where it was seen).
STATUSES: dict[str, Status] = {
    "booked": Status.BOOKED,
    "confirmed": Status.CONFIRMED,
    "arrived": Status.ARRIVED,
    "cancelled": Status.CANCELLED,
    "cancelled (no charge)": Status.CANCELLED,
    "did not attend": Status.NO_SHOW,
    "rejected": Status.CANCELLED,
    "tentative": Status.BOOKED,
    "accepted": Status.CONFIRMED,
    "check response": Status.BOOKED,
    "pending": Status.BOOKED,
}
ATTENDED = "attended"
#: What a cancellation's reason overrules, where it is the only patient's [assumed].
_STILL_EXPECTED = frozenset({Status.BOOKED, Status.CONFIRMED, Status.UNKNOWN})
_STATUS_URL, _PLACE_URL = "/appointment-participant-status", "location-type"
#: Values of a location type (documented: REVIEW); how it reads is [assumed].
_TELEHEALTH_PLACES = frozenset({"telehealth", "online", "phone"})
_MINUTES = frozenset({"minute", "minutes", "min"})
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_LONGEST_MINUTES = 60 * 24 * 366


class Role(NamedTuple):
    """A person at a clinic: what appointments point to. None: the role does not say."""

    practitioner_id: str | None
    organization_id: str | None
    active: bool = True


class Member(NamedTuple):
    """A patient of an appointment, with the status that is this patient's own."""

    patient_id: str
    code: str | None


@dataclass(slots=True)
class Context:
    """What appointments refer to, by id. None, or nothing: nobody could tell. patients: a RowFault where the patient's
    record could not be read. now: decides what `attended` means.
    """

    zone: ZoneInfo
    now: datetime
    roles: Mapping[str, Role | None] = field(default_factory=dict)
    practitioners: Mapping[str, Practitioner | None] = field(default_factory=dict)
    patients: Mapping[str, Patient | RowFault | None] = field(default_factory=dict)
    types: Mapping[str, AppointmentType | None] = field(default_factory=dict)
    sync_set: Collection[str] = ()
    status_words: Mapping[str, str] = field(default_factory=dict)


def external_id(appointment_id: str, member: Member | None) -> str:
    """Each patient is a row, because each has a status; a block is one by itself."""
    return appointment_id if member is None else f"{appointment_id}/{member.patient_id}"


def appointment(row: wire.Appointment, member: Member | None, context: Context) -> Appointment:
    """One patient's place; member None: a block of time. Raises RowFault where a value cannot stand."""
    starts_at, doubt = instant(row.start, context.zone, "$.start")
    ends_at, minutes = _length(row, starts_at, context.zone)
    main, others, place = practitioners(row, context)
    code = member.code if member else None
    type_id = type_of(row)
    kind = context.types.get(type_id) if type_id else None
    return Appointment(
        external_id(row.id, member),
        starts_at,
        ends_at,
        minutes,
        status_of(row, member, ends_at or starts_at, context) if member else Status.BOOKED,
        code,
        main.external_id,
        main.full_name,
        (_patient_of(member, context),) if member else (),
        others,
        type_id,
        kind.name if kind else (UNKNOWN if type_id else NO_TYPE),
        clip(row.description or row.comment),
        location_id=place,
        telehealth_hint=is_online(row),
        time_doubt=doubt,
        changed_at=None if _by_the_clock(code) else _changed_at(row, context.zone),
    )


def _patient_of(member: Member, context: Context) -> Patient:
    found = context.patients.get(member.patient_id)
    if isinstance(found, RowFault):
        raise found
    return found or Patient(member.patient_id, UNKNOWN_PATIENT)


def members(row: wire.Appointment) -> list[Member]:
    """The patients, each once, in order. Raises RowFault for a patient whom nobody could find again."""
    found: dict[str, Member] = {}
    for number, one in enumerate(row.participant):
        if one.actor is None:
            continue
        id_ = wire.target(one.actor.reference, "Patient")
        if id_ is None and one.actor.type == "Patient":
            raise RowFault(f"$.participant[{number}].actor.reference", "invalid")
        if id_ is not None:
            found.setdefault(id_, Member(id_, _code_of(one)))
    return list(found.values())


def places(row: wire.Appointment) -> Sequence[Member | None]:
    """What becomes a row each: the patients, or the block as a whole. Raises RowFault as `members` does."""
    return members(row) or [None]


def _code_of(one: wire.Participant) -> str | None:
    """In `modifierExtension`, and nowhere else (seen in code)."""
    said = (ext.value_coding for ext in one.modifier_extension or () if (ext.url or "").endswith(_STATUS_URL))
    return first_of(coding.code for coding in said if coding is not None)


def status_of(row: wire.Appointment, member: Member, ends_at: datetime, context: Context) -> Status:
    """Our word. One that nobody knows stays UNKNOWN unless the practice has explained it.

    A reason for a cancellation is a sign of one, if an unreliable one (seen in code); of a group nobody knows whose.
    """
    code = (member.code or "").lower()
    if _by_the_clock(member.code):
        return Status.COMPLETED if context.now >= ends_at else Status.BOOKED
    found = STATUSES.get(code) or _explained(member.code, context.status_words)
    alone = len(members(row)) == 1
    return Status.CANCELLED if row.cancellation_reason and alone and found in _STILL_EXPECTED else found


def _by_the_clock(code: str | None) -> bool:
    """Halaxy turns booked into attended by itself when it is time (documented: HELP), so that the word proves neither
    arrival nor completion: before the end it is read as booked, behind it as completed. [assumed]
    """
    return (code or "").lower() == ATTENDED


def _explained(raw: str | None, words: Mapping[str, str]) -> Status:
    try:
        return Status(words.get(raw or "", Status.UNKNOWN))
    except ValueError:
        return Status.UNKNOWN


# --- who with, and what -----------------------------------------------------------------------------------------------


def role_ids(row: wire.Appointment) -> list[str]:
    found = (wire.target(one.actor.reference, "PractitionerRole") for one in row.participant if one.actor)
    return list(dict.fromkeys(id_ for id_ in found if id_))


def practitioners(row: wire.Appointment, context: Context) -> tuple[Practitioner, tuple[str, ...], str | None]:
    """The main practitioner, the others' ids, and the clinic of the main one's role.

    The first who is in the sync set, so that a colleague who is switched off does not take the row along; else the
    first. A role that nobody could look up stands for a person of its own: hiding a patient is worse. [assumed]
    """
    found: dict[str, tuple[Practitioner, str | None]] = {}
    for one in row.participant:
        if one.actor is None:
            continue
        told = _person_of(one.actor, context)
        if told is not None:
            found.setdefault(told[0].external_id, told)
    if not found:
        return Practitioner("", UNKNOWN_PRACTITIONER), (), None
    main_id = next((id_ for id_ in found if id_ in context.sync_set), next(iter(found)))
    main, place = found.pop(main_id)
    return main, tuple(found), place


def _person_of(actor: wire.Reference, context: Context) -> tuple[Practitioner, str | None] | None:
    role_id, shown = wire.target(actor.reference, "PractitionerRole"), first_of((actor.display,))
    role = context.roles.get(role_id) if role_id else None
    person_id = role.practitioner_id if role else wire.target(actor.reference, "Practitioner")
    if person_id is None:
        unknown = (
            None if role_id is None else Practitioner(f"PractitionerRole/{role_id}", shown or UNKNOWN_PRACTITIONER)
        )
        return None if unknown is None else (unknown, role.organization_id if role else None)
    known = context.practitioners.get(person_id) or Practitioner(person_id, shown or UNKNOWN_PRACTITIONER)
    return known, role.organization_id if role else None


def type_of(row: wire.Appointment) -> str | None:
    said = (wire.target(one.reference, "HealthcareService") for one in row.supporting_information or ())
    return next((id_ for id_ in said if id_), None)


def is_online(row: wire.Appointment) -> bool | None:
    """Whether a location type says so; None otherwise, never False: none has been seen on a read. [assumed] forms."""
    told: list[str | None] = []
    for one in row.supporting_information or ():
        if any((said or "").endswith(_PLACE_URL) for said in (one.type, one.url, one.name)):
            coding = one.value_coding.code if one.value_coding else None
            told += [one.value, one.value_code, one.value_string, coding, one.reference, one.display]
    for ext in row.extension or ():
        if (ext.url or "").endswith(_PLACE_URL):
            told += [ext.value_code, ext.value_string, ext.value_coding.code if ext.value_coding else None]
    return True if any((said or "").strip().lower() in _TELEHEALTH_PLACES for said in told) else None


# --- time -------------------------------------------------------------------------------------------------------------


def instant(text: str, zone: ZoneInfo, path: str) -> tuple[datetime, str | None]:
    """UTC, and why it may be wrong. Halaxy writes offsets; a time without one is the practice's wall time. [assumed]"""
    try:
        at = datetime.fromisoformat(text.strip())
        if len(text.strip()) < len("2026-03-09T09:00"):
            raise ValueError("a day is no instant")
        found, doubt = (at.astimezone(UTC), None) if at.tzinfo else from_wall(at, zone)
    except (ValueError, OverflowError):
        raise RowFault(path, "invalid") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return found, doubt


def _length(row: wire.Appointment, starts_at: datetime, zone: ZoneInfo) -> tuple[datetime | None, int | None]:
    """End and minutes, each filled from the other where it is missing or no length at all."""
    ends_at = instant(row.end, zone, "$.end")[0] if row.end else None
    said = row.minutes_duration
    if ends_at is not None and ends_at > starts_at:
        minutes = round((ends_at - starts_at).total_seconds() / 60)
        if minutes > _LONGEST_MINUTES:
            raise RowFault("$.end", "out_of_range")
        return ends_at, minutes
    if said is None or not 0 < said <= _LONGEST_MINUTES:
        return None, None
    return starts_at + timedelta(minutes=said), round(said)


def _changed_at(row: wire.Appointment, zone: ZoneInfo) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the booking out."""
    try:
        return instant(row.meta.last_updated, zone, "$.meta")[0] if row.meta and row.meta.last_updated else None
    except RowFault:
        return None


# --- people, types, places --------------------------------------------------------------------------------------------


def patient(row: wire.Patient) -> Patient:
    name, first, last = person_name(row.name)
    return Patient(
        row.id,
        name or UNKNOWN_PATIENT,
        first,
        last,
        reach(row.telecom, "sms") or reach(row.telecom, "phone"),
        reach(row.telecom, "email"),
        _birth_date(row.birth_date),
    )


def client(one: Patient) -> Client:
    return Client(one.external_id, one.full_name, one.first_name, one.last_name, one.phone, one.email, one.birth_date)


def practitioner(row: wire.Practitioner, in_book: bool = True) -> Practitioner:
    """in_book: has a role at one of the practice's clinics; who only runs the place is listed too (documented)."""
    name, _, _ = person_name(row.name, prefixed=True)
    email = reach(row.telecom, "email")
    return Practitioner(row.id, name or UNKNOWN_PRACTITIONER, email, row.active is not False, in_book)


def role(row: wire.Role) -> Role:
    return Role(
        wire.target(row.practitioner.reference, "Practitioner") if row.practitioner else None,
        wire.target(row.organization.reference, "Organization") if row.organization else None,
        row.active is not False,
    )


def service(row: wire.Service) -> AppointmentType:
    """An archived type as well: old appointments still point to it."""
    lengths = (ext.value_quantity for ext in row.extension or ())
    said = (one.value for one in lengths if one is not None and (one.unit or "").lower() in _MINUTES)
    minutes = next((value for value in said if value and 0 < value <= _LONGEST_MINUTES), None)
    return AppointmentType(row.id, first_of((row.name,)) or UNKNOWN, None if minutes is None else round(minutes))


def person_name(names: Iterable[wire.Name] | None, *, prefixed: bool = False) -> tuple[str, str | None, str | None]:
    """Shown, first and last name: of the official one, else of the first with a family name, else of the first (seen in
    code: the usual one may hold a given name only).
    """
    listed = list(names or ())
    ranked = sorted(listed, key=lambda one: (one.use != "official", not first_of((one.family,))))
    if not ranked:
        return "", None, None
    best = ranked[0]
    given, family = full_name(*_strings(best.given)) or None, first_of((best.family,))
    prefix = full_name(*_strings(best.prefix)) if prefixed else None
    return full_name(prefix, given, family) or full_name(best.text), given, family


def _strings(value: wire.Strings) -> list[str]:
    """FHIR has a list; a text alone is taken as well. [assumed]"""
    return [value] if isinstance(value, str) else list(value or ())


def reach(telecom: Iterable[wire.Telecom] | None, system: str) -> str | None:
    """The first value of a system: `sms` is a mobile telephone, `phone` a landline (documented: DEV/patient)."""
    return first_of(one.value for one in telecom or () if one.system == system)


def _birth_date(text: str | None) -> date | None:
    """What is no day is as good as none; a booking is not set aside for it."""
    try:
        found = date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None
