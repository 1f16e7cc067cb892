"""The clinic as this vendor's records: links in place of names, three ways to say nothing, ids as long texts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from flask import request

from app.sandbox.cliniko import BASE
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Kind, Patient, Person, Place, Visit

Record = dict[str, object]
_WEB = "https://harbour.au4.cliniko.example"


def address(path: str) -> str:
    return f"{request.host_url.rstrip('/')}{BASE}/{path}"


def link(path: str) -> Record:
    return {"links": {"self": address(path)}}


def text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def kind_of(visit: Visit) -> str:
    """Several people make a class, nobody a block."""
    if not visit.patient_ids:
        return "unavailable_blocks"
    return "individual_appointments" if len(visit.patient_ids) == 1 else "group_appointments"


def attendee_id(visit: Visit, patient_id: str) -> str:
    digest = hashlib.sha256(f"{visit.id}/{patient_id}".encode()).digest()
    return str(10**18 + int.from_bytes(digest[:8]) % (8 * 10**18))


def booking(book: Book, visit: Visit) -> Record:
    """What all three kinds say."""
    what = kind_of(visit)
    gone = text(visit.deleted_at)
    record: Record = {
        "id": visit.id,
        "starts_at": text(visit.starts_at),
        "ends_at": text(visit.starts_at + timedelta(minutes=visit.minutes)),
        "business": link(f"businesses/{visit.place_id or next(iter(book.places))}"),
        "practitioner": link(f"practitioners/{visit.practitioner_ids[0]}"),
        "notes": visit.note,
        "repeat_rule": {},
        "repeats": None,
        "deleted_at": gone,
        "created_at": text(visit.created_at),
        "updated_at": text(visit.modified_at),
        "links": {"self": address(f"{what}/{visit.id}")},
    }
    if what != "unavailable_blocks":
        record |= _attended(visit, what) | {"archived_at": gone}
    if what == "individual_appointments":
        record |= _of_one(book, visit)
    elif what == "group_appointments":
        record |= {"max_attendees": 12, "patient_ids": list(visit.patient_ids)}
    return record


def _attended(visit: Visit, what: str) -> Record:
    return {
        "appointment_type": link(f"appointment_types/{visit.type_id}"),
        "attendees": link(f"{what}/{visit.id}/attendees"),
        "conflicts": link(f"{what}/{visit.id}/conflicts"),
        # Filled for every visit, telehealth or not, and the practitioner's own (documented: TELE).
        "telehealth_url": visit.host_link or f"{_WEB}/appointments/{visit.id}/connect",
    }


def _of_one(book: Book, visit: Visit) -> Record:
    """Marks instead of a status. Both false when new, both null once marked and unmarked (documented: #153)."""
    patient, off = book.patient(visit.patient_ids[0]), visit.state == "cancelled"
    came = visit.state in ("arrived", "in_progress", "completed")
    nobody = visit.state == "no_show"
    unmarked = None if visit.state == "confirmed" else False
    return {
        "patient": link(f"patients/{patient.id}"),
        "patient_name": patient.name,
        "patient_case": None,
        "patient_arrived": came or (False if nobody else unmarked),
        "did_not_arrive": nobody or (False if came else unmarked),
        "cancelled_at": text(visit.cancelled_at or visit.modified_at) if off else None,
        "cancellation_reason": 50 if off else None,
        "cancellation_reason_description": "Other" if off else "",
        "cancellation_note": visit.cancel_reason if off else None,
        "booking_ip_address": None,
        "email_reminder_sent": True,
        "sms_reminder_sent": False,
        "online_booking_policy_accepted": None,
        "has_patient_appointment_notes": False,
        "invoice_status": None,
        "treatment_note_status": None,
    }


def attendees(visit: Visit) -> list[Record]:
    return [_attendee(visit, who) for who in visit.patient_ids]


def _attendee(visit: Visit, patient_id: str) -> Record:
    id_, gone = attendee_id(visit, patient_id), text(visit.deleted_at)
    alone, off = len(visit.patient_ids) == 1, visit.state == "cancelled"
    came = visit.state in ("arrived", "in_progress", "completed")
    return {
        "id": id_,
        "arrived": True if came else False if visit.state == "no_show" else None,
        "booking": link(f"bookings/{visit.id}"),
        "patient": link(f"patients/{patient_id}"),
        "invoices": link(f"attendees/{id_}/invoices"),
        "telehealth_url": visit.link if alone and visit.link else f"{_WEB}/c/{id_[::-1]}",
        "cancellation_url": f"{_WEB}/cancel/{id_[::-1]}",
        "cancelled_at": text(visit.cancelled_at or visit.modified_at) if off else None,
        "cancellation_reason": 50 if off else None,
        "cancellation_reason_description": "Other" if off else "",
        "cancellation_note": None,
        "archived_at": gone,
        "deleted_at": gone,
        "notes": None,
        "created_at": text(visit.created_at),
        "updated_at": text(visit.modified_at),
        "links": {"self": address(f"attendees/{id_}")},
    }


def patient(one: Patient) -> Record:
    """The number stands behind a landline, and "" is said where newer records say null (documented: GH)."""
    phones = []
    if one.phone:
        digits = "".join(filter(str.isdigit, one.phone))
        phones = [
            {"number": "03 5550 0101", "phone_type": "Home", "normalized_number": "61355500101"},
            {"number": one.phone, "phone_type": "Mobile", "normalized_number": digits},
        ]
    return {
        "id": one.id,
        "title": "",
        "first_name": one.given,
        "last_name": one.family,
        "preferred_first_name": None,
        "label": one.name,
        "date_of_birth": one.born and one.born.isoformat(),
        "email": one.email,
        "patient_phone_numbers": phones,
        "time_zone": None,
        "appointment_notes": "",
        "notes": "Kept by the practice alone.",
        "medicare": None,
        "custom_fields": {},
        "archived_at": "",
        "deleted_at": None,
        "merged_at": None,
        "merged_with_patient": None,
        "created_at": "2024-01-05T01:02:03Z",
        "updated_at": "2024-01-05T01:02:03Z",
        "links": {"self": address(f"patients/{one.id}")},
    }


def person(one: Person) -> Record:
    return {
        "id": one.id,
        "title": one.prefix,
        "first_name": one.given,
        "last_name": one.family,
        "label": f"{one.given} {one.family}",
        "display_name": one.name,
        "designation": None,
        "description": None,
        "active": one.active,
        "show_in_online_bookings": True,
        "user": link(f"users/{one.id}"),
        "created_at": "2024-01-05T01:02:03Z",
        "updated_at": "2024-01-05T01:02:03Z",
        "links": {"self": address(f"practitioners/{one.id}")},
    }


def appointment_type(one: Kind) -> Record:
    return {
        "id": one.id,
        "name": one.name,
        "color": one.colour or "#9E9E9E",
        "duration_in_minutes": one.minutes,
        "max_attendees": 1,
        "telehealth_enabled": True if one.online and "telephone" not in one.name else None,
        "category": None,
        "description": None,
        "deposit_price": None,
        "archived_at": None,
        "show_in_online_bookings": True,
        "created_at": "2024-01-05T01:02:03Z",
        "updated_at": "2024-01-05T01:02:03Z",
        "links": {"self": address(f"appointment_types/{one.id}")},
    }


def business(book: Book, one: Place) -> Record:
    return {
        "id": one.id,
        "business_name": one.name,
        "display_name": None,
        "label": one.name,
        "country_code": "AU",
        "time_zone": book.setup.zone.rpartition("/")[2],
        "time_zone_identifier": book.setup.zone,
        "archived_at": None,
        "deleted_at": None,
        "created_at": "2024-01-05T01:02:03Z",
        "updated_at": "2024-01-05T01:02:03Z",
        "links": {"self": address(f"businesses/{one.id}")},
    }
