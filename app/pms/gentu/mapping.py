"""Gentu's records in the house's words. Pure: what has to be fetched for it is handed in.

Source: pms/gentu.md §3. What is [assumed] there stands behind one name here, so that it can be put right in one place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.status import Status
from app.domain.window import from_wall, zone_of
from app.errors import InvalidInput
from app.pms.gentu import wire
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"

#: The words are seen in code (a copy of the sandbox spec); what they mean to us is [assumed], but for the last two.
STATUSES: dict[str, Status] = {
    "none": Status.BOOKED,
    "confirmed": Status.CONFIRMED,
    "in_waiting_room": Status.ARRIVED,
    "with_doctor": Status.IN_PROGRESS,
    "completed": Status.COMPLETED,
    "invoiced": Status.COMPLETED,
    "cancelled": Status.CANCELLED,
    "did_not_arrive": Status.NO_SHOW,
}
CANCELLED_AT = "cancelled-at"
#: Minutes beyond this are a slip of somebody's finger; our column would not hold them.
_LONGEST_MINUTES = 60 * 24 * 366
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_UNRANKED, _WORST = 1e9, float("inf")


@dataclass(slots=True)
class Context:
    """What a page needs beside itself. The mappings may fetch what they miss; a type they do not know is None.

    asked: whose chain of pages it is ("" for a single look-up). zone: reads times that carry no offset.
    """

    zone: ZoneInfo
    types: Mapping[str, AppointmentType | None]
    patients: Mapping[str, Patient]
    practitioners: Mapping[str, str]
    asked: str = ""
    sync_set: Collection[str] = ()
    status_words: Mapping[str, str] = field(default_factory=dict)


def appointment(row: wire.Appointment, context: Context) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand, and whatever a look-up in `context` raises."""
    patient_ids, providers, arrived, location = _participants(row.participant)
    reference = row.appointment_type.reference if row.appointment_type else None
    type_id = None if reference is None else _text(reference)
    kind = context.types[type_id] if type_id is not None else None
    starts_at, doubt = _placed(row.start_at, context.zone, "$.startAt")
    ends_at, minutes = _length(row, starts_at, kind, context.zone)
    practitioner_id, others = _practitioner(providers, context)
    arrived_at = None if arrived is None else _instant(arrived, context.zone, "$.participant[].arrivedAt")
    cancelled_at = _cancelled_at(row, context.zone) if row.extension else None
    return Appointment(
        _text(row.id),
        starts_at,
        ends_at,
        minutes,
        status_of(row.status, arrived_at, cancelled_at, context.status_words),
        row.status,
        practitioner_id,
        context.practitioners[practitioner_id],
        tuple([context.patients[patient_id] for patient_id in patient_ids]),
        others,
        type_id,
        kind.name if kind else UNKNOWN,
        clip(row.comment) or clip(row.description),
        arrived_at,
        cancelled_at,
        location,
        time_doubt=doubt,
    )


def status_of(
    raw: str | None, arrived_at: datetime | None, cancelled_at: datetime | None, words: Mapping[str, str]
) -> Status:
    """Our word. A word nobody knows stays UNKNOWN, arrived or not, unless the practice has explained it.

    [assumed] Someone who arrived is at least `arrived`; a row with a cancellation time is cancelled whatever it says.
    """
    status = Status.BOOKED if raw is None else STATUSES.get(raw) or STATUSES.get(raw.lower()) or _explained(raw, words)
    if cancelled_at is not None:
        return Status.CANCELLED
    if arrived_at is not None and (status is Status.BOOKED or status is Status.CONFIRMED):
        return Status.ARRIVED
    return status


def _explained(raw: str, words: Mapping[str, str]) -> Status:
    try:
        return Status(words.get(raw, Status.UNKNOWN))
    except ValueError:
        return Status.UNKNOWN


def _participants(
    participants: list[wire.Participant],
) -> tuple[list[str], list[str], datetime | None, str | None]:
    """Patient ids, provider ids, when the first patient arrived, the location's id; each id once, in order."""
    patients: list[str] = []
    providers: list[str] = []
    arrived: datetime | None = None
    location: str | None = None
    for one in participants:
        kind, reference = one.reference_type, one.reference_id
        if kind == "patient":
            if reference is None:  # without its id it would look like a block of time, and a patient would vanish
                raise RowFault("$.participant[].referenceId", "missing")
            if _text(reference) not in patients:
                patients.append(_text(reference))
            arrived = arrived or one.arrived_at
        elif reference is not None:
            if kind == "provider":
                if _text(reference) not in providers:
                    providers.append(_text(reference))
            elif kind == "location":
                location = location or _text(reference)
    return patients, providers, arrived, location


def _practitioner(providers: list[str], context: Context) -> tuple[str, tuple[str, ...]]:
    """The main practitioner and the others. [assumed]

    The first of the payload who is in the sync set, so that the row does not change groups between two sweeps; else
    the one whose pages were asked for; else, in a single look-up, the first named.
    """
    if len(providers) == 1 and (providers[0] in context.sync_set or not context.asked):
        return providers[0], ()
    main = next((one for one in providers if one in context.sync_set), "") or context.asked
    main = main or (providers[0] if providers else "")
    return main, tuple([one for one in providers if one != main])


def _length(
    row: wire.Appointment, starts_at: datetime, kind: AppointmentType | None, zone: ZoneInfo
) -> tuple[datetime | None, int | None]:
    """End and minutes; each filled from the other, then from the type's length, else None. [assumed]

    An end before the start says nothing. Lengths are taken between UTC instants: a visit over a clock change lasts as
    long as it lasts.
    """
    ends_at = None if row.end_at is None else _instant(row.end_at, zone, "$.endAt")
    if ends_at is not None and ends_at < starts_at:
        ends_at = None
    minutes = _minutes(row.minutes_duration)
    if minutes is None and ends_at is not None:
        minutes = round((ends_at - starts_at).total_seconds() / 60)
    elif minutes is None and kind is not None:
        minutes = kind.minutes
    if ends_at is None and minutes is not None:
        ends_at = starts_at + timedelta(minutes=minutes)
    return ends_at, minutes


def _minutes(value: float | None, path: str = "$.minutesDuration") -> int | None:
    """Whole minutes; nothing and less than nothing are None. Raises RowFault for an absurd figure."""
    if value is None or value <= 0:
        return None
    if value > _LONGEST_MINUTES:
        raise RowFault(path, "out_of_range")
    return round(value)


def _placed(at: datetime, zone: ZoneInfo, path: str) -> tuple[datetime, str | None]:
    """UTC, and why that may be wrong. A time without offset is the practice's own."""
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return (at.astimezone(UTC), None) if at.tzinfo is not None else from_wall(at, zone)


def _instant(at: datetime, zone: ZoneInfo, path: str) -> datetime:
    return _placed(at, zone, path)[0]


def _cancelled_at(row: wire.Appointment, zone: ZoneInfo) -> datetime | None:
    for one in row.extension or ():
        if one.system == CANCELLED_AT and one.value_date_time is not None:
            return _instant(one.value_date_time, zone, "$.extension[].valueDateTime")
    return None


def patient(row: wire.Patient) -> Patient:
    """A person: displayed as given and family name, called by the `firstname` extension or the first given word."""
    given, family = row.name.given, row.name.family
    first = None
    for extension in row.extension or ():
        if extension.system == "firstname" and extension.value_string:
            first = extension.value_string.strip()
    if not first and given:
        first = next(iter(given.split()), None)
    phone, email = reach(row.contact) if row.contact else (None, None)
    return Patient(
        _text(row.id),
        full_name(given, family) or UNKNOWN_PATIENT,
        first or None,
        (family.strip() or None) if family else None,
        phone,
        email,
        row.birth_date,
    )


def unknown_patient(external_id: str) -> Patient:
    """Somebody Gentu no longer knows, but who has a booking. [assumed]"""
    return Patient(external_id, UNKNOWN_PATIENT)


def reach(contacts: list[wire.Contact]) -> tuple[str | None, str | None]:
    """Phone and e-mail, of contacts that have a value.

    Phone: mobile first, then the lowest rank. E-mail: the lowest rank. A contact without a rank comes last, equals in
    the order they were sent.
    """
    phone = email = None
    best_phone, best_email = (_WORST, _WORST), _WORST
    for one in contacts:
        value = one.value.strip() if one.value else ""
        if not value:
            continue
        rank = _UNRANKED if one.rank is None else one.rank
        if one.system == "phone":
            order = (0.0 if one.use == "mobile" else 1.0, rank)
            if order < best_phone:
                phone, best_phone = value, order
        elif one.system == "email" and rank < best_email:
            email, best_email = value, rank
    return phone, email


def practitioner(row: wire.Practitioner) -> Practitioner:
    """One of the staff, displayed with their title. What is not said counts as working and shown (seen in code)."""
    return Practitioner(
        _text(row.id),
        practitioner_name(row),
        reach(row.contact)[1] if row.contact else None,
        row.active is not False,
        row.shown_in_appointment_book is not False,
    )


def practitioner_name(row: wire.Practitioner) -> str:
    name = row.name or wire.Name()
    return full_name(name.prefix, name.given, name.family) or UNKNOWN_PRACTITIONER


def appointment_type(row: wire.AppointmentType) -> AppointmentType:
    """A practice's own kind of visit; its name is in `text`."""
    try:
        minutes = _minutes(row.duration, "$.duration")
    except RowFault:
        minutes = None
    return AppointmentType(_text(row.id), first_of((row.text,)) or UNKNOWN, minutes, row.colour)


def identity(row: wire.Tenant) -> PracticeIdentity:
    """Who the practice is. A zone nobody knows is as good as none: the practice's own is used then."""
    zone = row.timezone
    try:
        zone_of(zone or "")
    except InvalidInput:
        zone = None
    return PracticeIdentity(_text(row.tenant_id), first_of((row.tenant_name,)), zone)


def _text(value: str | int) -> str:
    return value if type(value) is str else str(value)
