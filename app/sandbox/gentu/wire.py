"""The clinic's people and visits as the vendor's records.

Member names are the vendor's: `participant` and `contact` are arrays with singular names, a type's name is `text`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.sandbox.clinic.model import Contact, Patient, Practitioner, Site, Tenant, Visit, VisitType
from app.sandbox.clinic.practice import Practice
from app.sandbox.clinic.progress import progress
from app.sandbox.gentu.dates import say

Record = dict[str, object]


def tenant(row: Tenant) -> Record:
    return {"tenantId": row.id, "tenantNumber": row.number, "tenantName": row.name, "timezone": row.zone}


def practitioner(practice: Practice, row: Practitioner) -> Record:
    return _said(practice, row.id, {
        "id": row.id,
        "name": {"family": row.family, "given": row.given, "prefix": row.prefix},
        "contact": [_contact(contact) for contact in row.contacts],
        "active": row.active,
        "shownInAppointmentBook": row.shown,
    })  # fmt: skip


def user(practice: Practice, row: Practitioner) -> Record:
    """Practitioners and office staff alike; what else the vendor tells of them is not public."""
    record = practitioner(practice, row)
    record.pop("shownInAppointmentBook", None)
    return record


def site(row: Site) -> Record:
    return {"id": row.id, "name": row.name}


def appointment_type(practice: Practice, row: VisitType) -> Record:
    return _said(practice, row.id, {
        "id": row.id,
        "text": row.text,
        "duration": row.minutes,
        "colour": row.colour,
        "onlineBookable": row.online,
    })  # fmt: skip


def patient(practice: Practice, row: Patient) -> Record:
    texts = (("firstname", row.first_name), ("middlename", row.middle_name), ("pronouns", row.pronouns))
    return _said(practice, row.id, {
        "id": row.id,
        "name": {"family": row.family, "given": row.given, "prefix": row.prefix},
        "birthDate": row.born.isoformat() if row.born else None,
        "gender": row.gender,
        "address": None if row.address is None else list(row.address),
        "contact": [_contact(contact) for contact in row.contacts],
        "identifier": [],
        "deceased": row.deceased,
        "occupation": None,
        "indigenousStatus": None,
        "emailEnabled": True,
        "smsEnabled": row.sms_enabled,
        "extension": [{"system": system, "valueString": text} for system, text in texts if text],
    })  # fmt: skip


def appointment(practice: Practice, visit: Visit, at: datetime) -> Record:
    """The visit as the book shows it at `at`."""
    zone, now = practice.zone, progress(visit, at)
    ends_at = visit.starts_at + timedelta(minutes=visit.minutes)
    cancelled = now.cancelled_at and {"system": "cancelled-at", "valueDateTime": say(now.cancelled_at, zone)}
    return _said(practice, visit.id, {
        "id": visit.id,
        "startAt": say(visit.starts_at, zone),
        "endAt": None if "no_end" in visit.odd else say(ends_at, zone),
        "status": now.status,
        "minutesDuration": None if "no_minutes" in visit.odd else visit.minutes,
        "comment": visit.comment,
        "description": visit.description,
        "participant": _participants(visit, now.arrived_at, zone),
        "appointmentType": {"reference": visit.type_id},
        "extension": [cancelled] if cancelled else [],
    })  # fmt: skip


def _participants(visit: Visit, arrived_at: datetime | None, zone: ZoneInfo) -> list[Record]:
    arrival = {"arrivedAt": say(arrived_at, zone)} if arrived_at else {}
    rows: list[Record] = [
        {"referenceType": "patient", "referenceId": person, **arrival} for person in visit.patient_ids
    ]
    rows += [{"referenceType": "provider", "referenceId": person} for person in visit.practitioner_ids]
    if visit.location_id:
        rows.append({"referenceType": "location", "referenceId": visit.location_id})
    return rows


def _contact(row: Contact) -> Record:
    return {"system": row.system, "use": row.use, "rank": row.rank, "value": row.value}


def _said(practice: Practice, record_id: str, record: Record) -> Record:
    """The record, or what somebody at the control page has made of it."""
    overlay = practice.raw.get(record_id)
    return overlay.over(record) if overlay else record
