"""The hospital as this vendor's records: stamps without a zone, ids now texts, now numbers, everything nullable."""

from __future__ import annotations

from datetime import UTC, datetime

from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Kind, Owner, Patient, Person, State, Visit
from app.sandbox.vetspire import LOCATION

Record = dict[str, object]

WORDS: dict[State, str] = {
    "booked": "PLANNED",
    "confirmed": "PLANNED",  # isConfirmed says it
    "arrived": "CHECKED_IN",
    "in_progress": "IN_PROGRESS",
    "completed": "CHECKED_OUT",
    "cancelled": "CANCELLED",
    "no_show": "NO_SHOW",
}
FINISHED = ("CHECKED_OUT", "COMPLETED")


def naive(at: datetime | None) -> str | None:
    """UTC that does not say so (seen in code)."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def location(book: Book) -> Record:
    return {
        "id": LOCATION,
        "name": "Harbour Vets",
        "timezone": book.setup.zone,
        "email": None,
        "isActive": True,
        "appointmentSlotMinutes": 10,
    }


def provider(one: Person) -> Record:
    """In their own list the id is a number."""
    return {
        "id": int(one.id) if one.id.isdigit() else one.id,
        "name": one.name,
        "givenName": one.given,
        "familyName": one.family,
        "title": one.prefix,
        "email": one.email,
        "isActive": one.active,
        "isVeterinarian": True,
    }


def appointment_type(one: Kind) -> Record:
    return {
        "id": one.id,
        "name": one.name,
        "duration": one.minutes,
        "color": one.colour,
        "deleted": False,
        "isBlockoff": False,
        "isTelemedicine": one.online,
        "isExam": True,
        "isSurgery": None,
    }


def client(one: Owner, phone: str | None, email: str | None) -> Record:
    """The preferred number stands second."""
    phones = [{"value": "0491 570 110", "name": "Old", "preferred": False}]
    return {
        "id": one.id,
        "givenName": one.given,
        "familyName": one.family,
        "name": f"{one.given} {one.family}",
        "email": email,
        "declineEmail": False,
        "declinePhone": None,
        "isMerged": False,
        "phoneNumbers": [*phones, {"value": phone, "name": "Mobile", "preferred": True}] if phone else [],
    }


def patient(book: Book, one: Patient) -> Record:
    record: Record = {
        "id": one.id,
        "name": one.given,
        "species": one.species,
        "breed": one.breed,
        "sex": one.sex.upper(),
        "birthDate": one.born and one.born.isoformat(),
        "isActive": True,
        "client": client(one.owner, one.phone, one.email) if one.owner else None,
    }
    return book.said(one.id, record)


def appointment(book: Book, visit: Visit) -> Record:
    who = book.patient(visit.patient_ids[0]) if visit.patient_ids else None
    doctor = book.person(visit.practitioner_ids[0])
    kind = appointment_type(book.kind(visit.type_id)) | ({} if who else {"name": "Block off", "isBlockoff": True})
    come = visit.state in ("arrived", "in_progress", "completed")
    record: Record = {
        "id": visit.id,
        "start": visit.starts_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration": visit.minutes,
        "status": visit.word or WORDS[visit.state],
        "isConfirmed": visit.state == "confirmed",
        "deleted": visit.deleted_at is not None,
        "deletionReason": "Booked twice" if visit.deleted_at else None,
        "reason": visit.reason,
        "note": visit.note,
        "room": None,
        "providerId": int(doctor.id) if doctor.id.isdigit() else None,
        "provider": provider(doctor) | {"id": doctor.id},
        "scheduleId": 3,
        "location": location(book),
        "type": kind,
        "patient": patient(book, who) if who else None,
        "encounters": [encounter(book, visit)] if has_encounter(visit) else [],
        "checkedInAt": naive(visit.arrived_at or visit.modified_at) if come else None,
        "startedAt": naive(visit.started_at),
        "checkedOutAt": naive(visit.ended_at),
        "completedAt": None,
        "insertedAt": naive(visit.created_at),
        "updatedAt": naive(visit.modified_at),
    }
    return book.said(visit.id, record)


def has_encounter(visit: Visit) -> bool:
    return bool(visit.patient_ids) and visit.state in ("in_progress", "completed")


def encounter_id(visit: Visit) -> str:
    return f"9{visit.id}"


def encounter(book: Book, visit: Visit) -> Record:
    """What was written down, already split; signed once the visit is over."""
    id_, over = encounter_id(visit), visit.state == "completed"
    record: Record = {
        "id": id_,
        "start": visit.starts_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "title": "Exam",
        "signed": over,
        "signedDatetime": naive(visit.ended_at),
        "appointment": {"id": visit.id},
        "patient": {"id": visit.patient_ids[0]},
        "location": {"id": LOCATION},
        "subjective": [{"value": "<p>Limping for two days</p>"}, {"value": "Eats well"}],
        "objective": [{"value": "Mild swelling, HR <120"}],
        "assessment": [{"value": "Sprain"}],
        "plan": [{"value": "Rest"}] if over else [],
        "sections": [
            {"name": "History", "isDischarge": False, "data": [{"value": "None", "label": "Allergies"}]},
            {"name": "Discharge", "isDischarge": None, "data": [{"value": "Rest for 10 days", "label": "Home care"}]},
        ],
        "vitals": {
            "id": f"5{visit.id}",
            "datetime": naive(visit.starts_at),
            "temp": 101.5,
            "heartRate": 96,
            "respRate": None,
            "weight": 27.3,
            "weightUnit": "LB",
            "customs": [{"name": "Blood pressure", "value": "130/80"}],
        },
        "updatedAt": naive(visit.modified_at),
    }
    return book.said(id_, record)
