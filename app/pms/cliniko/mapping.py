"""Cliniko's records in the house's words. Pure: what a booking refers to is handed in.

Source: pms/cliniko.md §3 and §4. What is [assumed] there stands behind one name here, so that it can be put right in
one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from app.domain.appointment import Appointment, AppointmentType, Patient, Practitioner
from app.domain.names import clip, first_of, full_name
from app.domain.status import Status
from app.pms.cliniko import wire
from app.pms.rows import RowFault

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
#: Cliniko has no status words, but marks; these stand for them where a raw word is kept.
CANCELLED, DID_NOT_ARRIVE, ARRIVED = "cancelled", "did not arrive", "arrived"

_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_LONGEST_MINUTES = 60 * 24 * 366


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of appointment, and whether its visits are by video: the only signal there is (documented: TELE)."""

    type: AppointmentType
    telehealth: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What bookings refer to, by id. A fault in place of a patient or an attendee: it was sent and cannot be read."""

    kinds: Mapping[str, Kind]
    practitioners: Mapping[str, str]
    patients: Mapping[str, Patient | RowFault] = field(default_factory=dict)
    attendees: Mapping[str, Sequence[wire.Attendee | RowFault]] = field(default_factory=dict)


def appointment(row: wire.Individual | wire.Group, context: Context) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand."""
    id_ = str(row.id)
    starts_at = _needed(row.starts_at, "$.starts_at")
    kind = context.kinds.get(type_id := wire.named(row.appointment_type, "$.appointment_type"))
    ends_at, minutes = length(starts_at, instant(row.ends_at, "$.ends_at"), kind)
    practitioner_id = wire.named(row.practitioner, "$.practitioner")
    come = coming(row, context.attendees.get(id_, ()))
    status, raw, cancelled_at = status_of(row, come)
    telehealth = kind is not None and kind.telehealth
    return Appointment(
        external_id=id_,
        starts_at=starts_at,
        ends_at=ends_at,
        minutes=minutes,
        status=status,
        raw_status=raw,
        practitioner_id=practitioner_id,
        practitioner_name=context.practitioners.get(practitioner_id, UNKNOWN_PRACTITIONER),
        patients=patients(row, come, context),
        type_id=type_id,
        type_name=kind.type.name if kind else UNKNOWN,
        comment=clip(row.notes),
        cancelled_at=cancelled_at,
        location_id=wire.named(row.business, "$.business") if row.business else None,
        telehealth_url=guest_link(come) if telehealth else None,
        telehealth_hint=telehealth if kind and kind.type.readable else None,
        changed_at=_stamp(row.updated_at),
    )


def coming(row: wire.Individual | wire.Group, told: Iterable[wire.Attendee | RowFault]) -> list[wire.Attendee]:
    """Who has not called off. Of a group an attendee that cannot be read is somebody missing; of one patient's own
    visit it only costs the link. Raises RowFault.
    """
    found = []
    for one in told:
        if not isinstance(one, RowFault):
            found.append(one)
        elif isinstance(row, wire.Group):
            raise one
    return [one for one in found if one.comes]


def status_of(
    row: wire.Individual | wire.Group, come: Sequence[wire.Attendee]
) -> tuple[Status, str | None, datetime | None]:
    """Our word, the mark it comes from, and since when it is off.

    [assumed] The order; and of a group, that it has arrived when the first has, and nobody came only if all stayed
    away. Cliniko knows neither confirmed nor in progress nor completed, and a visit whose time is over is not over.
    """
    if isinstance(row, wire.Group):
        marks = [one.arrived for one in come]
        arrived, away = any(mark is True for mark in marks), bool(marks) and all(mark is False for mark in marks)
    else:
        if row.cancelled_at:
            return Status.CANCELLED, CANCELLED, instant(row.cancelled_at, "$.cancelled_at")
        arrived, away = row.patient_arrived is True, row.did_not_arrive is True
    if away:
        return Status.NO_SHOW, DID_NOT_ARRIVE, None
    return (Status.ARRIVED, ARRIVED, None) if arrived else (Status.BOOKED, None, None)


def patients(row: wire.Individual | wire.Group, come: Iterable[wire.Attendee], context: Context) -> tuple[Patient, ...]:
    """Who it is for, each once. One the list does not tell of (archived, say) is kept by name. Raises RowFault."""
    if isinstance(row, wire.Individual):
        return (_patient(wire.named(row.patient, "$.patient"), row.patient_name, context),)
    ids = dict.fromkeys(wire.named(one.patient, "$.attendees[].patient") for one in come)
    return tuple(_patient(id_, None, context) for id_ in ids)


def _patient(id_: str, name: str | None, context: Context) -> Patient:
    found = context.patients.get(id_)
    if isinstance(found, RowFault):
        raise found
    return found or Patient(id_, full_name(name) or UNKNOWN_PATIENT)


def guest_link(come: Sequence[wire.Attendee]) -> str | None:
    """The patient's own link, where there is one patient: each has their own, and nobody is handed another's."""
    if len(come) != 1:
        return None
    link = (come[0].telehealth_url or "").strip()
    return link if link.startswith("https://") else None


def length(starts_at: datetime, ends_at: datetime | None, kind: Kind | None) -> tuple[datetime | None, int | None]:
    """End and minutes. The type's own length only where nobody said when it ends. [assumed]"""
    if ends_at is not None and ends_at > starts_at:
        minutes = round((ends_at - starts_at).total_seconds() / 60)
        if minutes > _LONGEST_MINUTES:
            raise RowFault("$.ends_at", "out_of_range")
        return ends_at, minutes
    usual = kind.type.minutes if kind else None
    return (starts_at + timedelta(minutes=usual), usual) if usual else (None, None)


# --- who and what -----------------------------------------------------------------------------------------------------


def kind(row: wire.AppointmentType) -> Kind:
    minutes = row.duration_in_minutes
    usual = minutes if minutes is not None and 0 < minutes <= _LONGEST_MINUTES else None
    made = AppointmentType(str(row.id), first_of((row.name,)) or UNKNOWN, usual, first_of((row.color,)))
    return Kind(made, row.telehealth_enabled is True)


def practitioner(row: wire.Practitioner, *, active: bool) -> Practitioner:
    """active: on which of the two lists they stand. Their e-mail address is their user's, not told here."""
    name = full_name(row.title, row.first_name, row.last_name) or first_of((row.display_name, row.label))
    return Practitioner(str(row.id), name or UNKNOWN_PRACTITIONER, active=active and row.active is not False)


def patient(row: wire.Patient) -> Patient:
    """[assumed] The first mobile number, else the first at all."""
    phones = [one for one in row.patient_phone_numbers or () if first_of((one.number,))]
    mobile = (one.number for one in phones if (one.phone_type or "").strip().lower() == "mobile")
    name = full_name(row.first_name, row.last_name) or first_of((row.label,))
    return Patient(
        str(row.id),
        name or UNKNOWN_PATIENT,
        first_of((row.first_name,)),
        first_of((row.last_name,)),
        first_of((*mobile, *(one.number for one in phones))),
        first_of((row.email,)),
        birth_date(row.date_of_birth),
    )


def birth_date(text: str | None) -> date | None:
    """What is no date is as good as none: a booking is not set aside for it. [assumed]"""
    try:
        found = date.fromisoformat(text.strip()) if text else None
    except ValueError:
        return None
    return found if found and _FIRST_YEAR <= found.year <= _LAST_YEAR else None


# --- time -------------------------------------------------------------------------------------------------------------


def instant(text: str | None, path: str) -> datetime | None:
    """UTC; "" is none. Without its zone it is no instant: Cliniko's end in Z (documented: INTRO). Raises RowFault."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise RowFault(path, "invalid")
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowFault(path, "invalid") from None
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return at


def _needed(text: str, path: str) -> datetime:
    found = instant(text, path)
    if found is None:
        raise RowFault(path, "missing")
    return found


def _stamp(text: str | None) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the booking out."""
    try:
        return instant(text, "$.updated_at")
    except RowFault:
        return None
