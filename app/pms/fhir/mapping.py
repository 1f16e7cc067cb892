"""FHIR's appointments in the house's words. Pure: what an appointment refers to is handed in.

Source: pms/fhir-r4.md §3. What is [assumed] there stands behind one name here, so that it can be put right in one
place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.domain.appointment import Appointment, AppointmentType, Patient
from app.domain.names import clip, first_of
from app.domain.status import Status
from app.pms import rows
from app.pms.fhir import people, telehealth, wire
from app.pms.fhir.references import CONTAINED, Target, target_of
from app.pms.rows import RowFault

UNKNOWN = "Unknown"

#: The standard's ten words (documented: R4); what each means to a run sheet is [assumed]. `no-show` is a slip of the
#: standard's own text. `entered-in-error` is told apart before: such an appointment never was.
STATUSES: dict[str, Status] = {
    "proposed": Status.BOOKED,
    "pending": Status.BOOKED,
    "waitlist": Status.BOOKED,
    "booked": Status.BOOKED,
    "arrived": Status.ARRIVED,
    "checked-in": Status.ARRIVED,
    "fulfilled": Status.COMPLETED,
    "cancelled": Status.CANCELLED,
    "noshow": Status.NO_SHOW,
    "no-show": Status.NO_SHOW,
}
ENTERED_IN_ERROR = "entered-in-error"
#: Only these may lack a start (documented: R4): they are on nobody's day yet, or no more.
_UNSCHEDULED = frozenset({"proposed", "cancelled", "waitlist"})
#: Who of several leads the visit: primary performer, attender (pms/fhir-r4.md §3, [assumed]).
_LEADING = frozenset({"PPRF", "ATND"})

#: Seconds and offset are required (documented: R4).
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
_LONGEST_MINUTES = 60 * 24 * 366


@dataclass(slots=True)
class Context:
    """What the appointments of a page refer to. A look-up that finds nobody gives None.

    roles: a PractitionerRole's id -> its practitioner's. by_url: what the bundle's own addresses stand for.
    """

    patients: Mapping[str, Patient | None] = field(default_factory=dict)
    names: Mapping[str, str | None] = field(default_factory=dict)
    roles: Mapping[str, str | None] = field(default_factory=dict)
    by_url: Mapping[str, Target] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)


def is_gone(row: wire.Appointment) -> bool:
    """Entered in error: to be treated as removed [assumed]."""
    return row.status.strip().lower() == ENTERED_IN_ERROR


def is_unscheduled(row: wire.Appointment) -> bool:
    """Without a start, and rightly so."""
    return not row.start and row.status.strip().lower() in _UNSCHEDULED


def appointment(row: wire.Appointment, context: Context) -> Appointment:
    """One booking. Raises RowFault where a value cannot stand, and whatever a look-up in `context` raises."""
    starts_at = instant(row.start, "$.start")
    if starts_at is None:
        raise RowFault("$.start", "missing")
    ends_at, minutes = _length(row, starts_at)
    targets = [target_of(one.actor, context.by_url) for one in row.participant]
    (main_id, main_name), others = _practitioners(row, targets, context)
    type_id, type_name = type_of(row, targets)
    online, link = telehealth.signal(row, targets)
    return Appointment(
        external_id=row.id,
        starts_at=starts_at,
        ends_at=ends_at,
        minutes=minutes,
        status=status_of(row.status, context.words),
        raw_status=row.status,
        practitioner_id=main_id,
        practitioner_name=main_name,
        patients=_patients(row, targets, context),
        other_practitioner_ids=others,
        type_id=type_id,
        type_name=type_name,
        comment=clip(first_of((row.comment, row.description))),
        location_id=next((one.id for one in targets if one and one.type == "Location" and one.id), None),
        telehealth_url=link,
        telehealth_hint=online,
        changed_at=changed_at(row),
    )


def status_of(raw: str, words: Mapping[str, str]) -> Status:
    """Our word. One nobody knows stays UNKNOWN unless the practice has explained it.

    `booked` never becomes confirmed by a participant's `accepted`: many servers write that of everybody [assumed].
    """
    known = STATUSES.get(raw.strip().lower())
    if known is not None:
        return known
    try:
        return Status(words.get(raw, Status.UNKNOWN))
    except ValueError:
        return Status.UNKNOWN


# --- who --------------------------------------------------------------------------------------------------------------


def _patients(row: wire.Appointment, targets: list[Target | None], context: Context) -> tuple[Patient, ...]:
    """Everybody who comes, each once. Nobody at all: a stretch of time without a patient."""
    found: list[Patient] = []
    contained = _contained_people(row, context.now)
    for one, target in zip(row.participant, targets, strict=True):
        display = one.actor.display if one.actor else None
        person: Patient | None = None
        if target is not None and target.type == CONTAINED:
            person = contained.get(target.id)
        elif target is not None and target.type == "Patient":
            known = context.patients.get(target.id) if target.id else None
            person = known or people.named_only(target.id, display)
        if person and not (person.external_id and any(person.external_id == other.external_id for other in found)):
            found.append(person)
    return tuple(found)


def _contained_people(row: wire.Appointment, now: datetime) -> dict[str, Patient]:
    """Patients that exist within this appointment only: the server knows them by no id. Raises RowFault."""
    found = {}
    for number, raw in enumerate(row.contained or ()):
        if rows.read(wire.kind, bytes(raw)).resource_type != "Patient":
            continue
        try:
            one = rows.read(wire.person, bytes(raw))
        except RowFault as fault:
            raise RowFault(f"$.contained[{number}]{fault.path[1:]}", fault.reason) from None
        inner = one.id or ""
        one.id = None
        found[inner] = people.patient(one, now)
    return found


def _practitioners(
    row: wire.Appointment, targets: list[Target | None], context: Context
) -> tuple[tuple[str, str], tuple[str, ...]]:
    """(The main practitioner's id and name, the others' ids). Nobody: "" and a word for it."""
    found: dict[str, str | None] = {}
    leading: str | None = None
    for one, target in zip(row.participant, targets, strict=True):
        if target is None or target.type not in ("Practitioner", "PractitionerRole"):
            continue
        id_ = target.id if target.type == "Practitioner" else context.roles.get(target.id) if target.id else ""
        found.setdefault(id_ or "", one.actor.display if one.actor else None)
        if leading is None and _leads(one):
            leading = id_ or ""
    if not found:
        return ("", people.UNKNOWN_PRACTITIONER), ()
    main = leading if leading is not None else next(iter(found))
    listed = context.names.get(main) if main else None
    name = first_of((found[main], listed)) or people.UNKNOWN_PRACTITIONER
    return (main, name), tuple(id_ for id_ in found if id_ and id_ != main)


def _leads(one: wire.Participant) -> bool:
    return any(coding.code in _LEADING for concept in one.type or () for coding in concept.coding or ())


# --- what -------------------------------------------------------------------------------------------------------------


def type_of(row: wire.Appointment, targets: Iterable[Target | None]) -> tuple[str | None, str]:
    """Id and name: the first service type, else the appointment's type, the service that takes part, the category.

    The order is [assumed]. A concept's id is `system|code`.
    """
    concepts = [*(row.service_type or ())[:1], *filter(None, (row.appointment_type,))]
    for concept in concepts:
        if (id_ := concept_id(concept)) is not None:
            return id_, concept_name(concept)
    for one, target in zip(row.participant, targets, strict=True):
        if target is not None and target.type == "HealthcareService" and target.id:
            return f"HealthcareService/{target.id}", first_of((one.actor.display if one.actor else None,)) or UNKNOWN
    for concept in (row.service_category or ())[:1]:
        if (id_ := concept_id(concept)) is not None:
            return id_, concept_name(concept)
    return None, UNKNOWN


def concept_id(concept: wire.Concept) -> str | None:
    """`system|code` of the first coding that has a code; the text itself where there is none [assumed]."""
    coded = next((one for one in concept.coding or () if one.code), None)
    id_ = f"{coded.system or ''}|{coded.code}" if coded else first_of((concept.text,))
    return id_[:255] if id_ else None


def concept_name(concept: wire.Concept) -> str:
    coding = concept.coding or ()
    found = first_of((concept.text, *(one.display for one in coding), *(one.code for one in coding)))
    return found or UNKNOWN


def service_types(row: wire.Service) -> list[AppointmentType]:
    """What can be booked of a service: its types, under the ids appointments bear; else the service itself."""
    found = {id_: concept_name(one) for one in row.type or () if (id_ := concept_id(one))}
    if not found:
        return [AppointmentType(f"HealthcareService/{row.id}", first_of((row.name,)) or UNKNOWN)]
    return [AppointmentType(id_, name) for id_, name in found.items()]


# --- when -------------------------------------------------------------------------------------------------------------


def instant(text: str | None, path: str) -> datetime | None:
    """An `instant` in UTC. One without seconds or offset is none: nobody knows its zone. Raises RowFault."""
    if text is None:
        return None
    if not _INSTANT.fullmatch(text.strip()):
        raise RowFault(path, "invalid")
    try:
        found = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowFault(path, "invalid") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return found


def changed_at(row: wire.Appointment) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the booking out."""
    try:
        return instant(row.meta.last_updated, "$.meta.lastUpdated") if row.meta else None
    except RowFault:
        return None


def _length(row: wire.Appointment, starts_at: datetime) -> tuple[datetime | None, int | None]:
    """End and minutes: `minutesDuration`, which may be less than what is blocked; else what lies between [assumed]."""
    ends_at, minutes = instant(row.end, "$.end"), row.minutes_duration
    if minutes is not None and not 0 < minutes <= _LONGEST_MINUTES:
        raise RowFault("$.minutesDuration", "out_of_range")
    if ends_at is None or ends_at <= starts_at:
        return (starts_at + timedelta(minutes=minutes), minutes) if minutes else (None, None)
    between = round((ends_at - starts_at).total_seconds() / 60)
    if between > _LONGEST_MINUTES:
        raise RowFault("$.end", "out_of_range")
    return ends_at, minutes or between or None
