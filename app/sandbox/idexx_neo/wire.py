"""The clinic as Neo's JSON: numbers for ids, wall times without a zone, one telephone number, names instead of ids.

`book.said` has the last word of each record, so that a test can make any of them say anything.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from app.sandbox.idexx_neo.clinic import consultation_of, numeric
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Patient, Person, Visit

Json = dict[str, object]

_WORDS = {
    "booked": "not arrived",
    "confirmed": "not arrived",
    "arrived": "arrived",
    "in_progress": "in progress",
    "completed": "finalized",
    "cancelled": "cancelled",
    "no_show": "no show",
}
#: Minutes of one slot of the book, by which it counts how long a type takes.
SLOT = 10
_SPECIES = {"Canine": "1", "Feline": "2", "Lagomorph": "3"}
#: The older write-up's names for the same.
_OLD = {
    "appointment_id": "id",
    "consultation_id": "consultationId",
    "start": "start",
    "end": "end",
    "patient_id": "patientId",
    "patient_name": "patientName",
    "client_id": "clientId",
    "provider": "providerName",
    "type_description": "appointmentType",
    "reason": "reason",
    "current_status": "status",
    "is_block": "isBlock",
}


def stamp(at: datetime | None, book: Book, between: str = " ") -> str | None:
    """`2026-03-09 09:15:00`, by the clinic's wall clock."""
    return None if at is None else at.astimezone(book.zone).strftime(f"%Y-%m-%d{between}%H:%M:%S")


def has_consultation(visit: Visit) -> bool:
    return bool(visit.patient_ids) and visit.state in ("in_progress", "completed")


def word(visit: Visit, now: datetime) -> str:
    """Who has not come yet is `upcoming` in the last hour and `late` after it."""
    if visit.word is not None:
        return visit.word
    if visit.state in ("booked", "confirmed") and now > visit.starts_at:
        return "late"
    if visit.state in ("booked", "confirmed") and now > visit.starts_at - timedelta(hours=1):
        return "upcoming"
    return _WORDS[visit.state]


def row(book: Book, visit: Visit) -> Json:
    """One row of the calendar. Several animals of one client are several rows, so a visit has one."""
    animal = book.patients[visit.patient_ids[0]] if visit.patient_ids else None
    person, kind = book.people[visit.practitioner_ids[0]], book.kinds.get(visit.type_id or "")
    place, now = book.places.get(visit.place_id or ""), book.clock.now()
    told = None if animal is None else word(visit, now)
    room = numeric(place.id) if place else None
    known: Json = {
        "id": numeric(visit.id),
        "appointment_id": numeric(visit.id),
        "consultation_id": numeric(consultation_of(visit.id)) if has_consultation(visit) else None,
        "start": stamp(visit.starts_at, book),
        "end": stamp(visit.starts_at + timedelta(minutes=visit.minutes), book),
        "arrival_date_time": stamp(visit.arrived_at, book),
        **_people(animal),
        "provider": person.name,
        "popup_title_text": person.name,
        "title": f"{animal.given} ; {animal.family}" if animal else visit.note or "Lunch",
        "type_description": kind.name if kind and animal else None,
        "reason": visit.reason or visit.note if animal else None,
        "current_status": told,
        "status_label": told.capitalize() if told else None,
        "status_class": told.replace(" ", "-") if told else None,
        "confirmed_status": "confirmed" if visit.state == "confirmed" else None,
        "resourceId": str(room),
        "appointment_room_id": room,
        "appointment_room_name": place.name if place else None,
        "is_block": animal is None,
        "is_roster": False,
        "recurring": None,
        "booked_by": "Wren Okafor",
        "last_updated_at": stamp(visit.modified_at, book),
        "is_unmatched": False,
        "estimate_id": None,
        "backgroundColor": "#aabbcc",
        "darkFont": True,
    }
    return book.said(visit.id, known)


def old_row(book: Book, visit: Visit) -> Json:
    """The same row as the older write-up has it."""
    known = row(book, visit)
    told = {new: known[old] for old, new in _OLD.items() if old in known}
    for name in ("start", "end"):
        told[name] = str(told[name]).replace(" ", "T")
    names = (known.get("first_name"), known.get("last_name"))
    told |= {"clientName": " ".join(str(one) for one in names if one) or None, "clientPhone": known.get("phone_number")}
    return told | {"className": known.get("status_class"), "resourceId": "room-1"}


def _people(animal: Patient | None) -> Json:
    owner = animal.owner if animal else None
    return {
        "patient_id": numeric(animal.id) if animal else None,
        "patient_name": animal.given if animal else None,
        "client_id": numeric(owner.id) if owner else None,
        "client_title": "Ms" if owner else None,
        "first_name": owner.given if owner else None,
        "last_name": owner.family if owner else None,
        "email": animal.email if animal else None,
        "phone_number": animal.phone if animal else None,
        "phone_label": "Mobile" if animal else None,
        "is_valid_mobile_phone": bool(animal and animal.phone),
    }


def roster(book: Book, person: Person, day: date) -> Json:
    """A working shift: among the appointments, and none."""
    id_ = numeric(book.setup.id_of(book.setup.vendor, "roster", person.id, day))
    return {
        **dict.fromkeys(("consultation_id", "patient_id", "patient_name", "client_id", "current_status")),
        "id": id_,
        "appointment_id": id_,
        "start": f"{day} 08:00:00",
        "end": f"{day} 18:00:00",
        "title": f"Roster {person.name}",
        "provider": person.name,
        "resourceId": "1",
        "is_block": False,
        "is_roster": True,
    }


def detail(book: Book, visit: Visit) -> Json:
    """One appointment by itself: its id is a text here."""
    animal = book.patients[visit.patient_ids[0]] if visit.patient_ids else None
    person, kind = book.people[visit.practitioner_ids[0]], book.kinds.get(visit.type_id or "")
    place = book.places.get(visit.place_id or "")
    known: Json = {
        "id": visit.id,
        "status": word(visit, book.clock.now()),
        "startAtLocal": stamp(visit.starts_at, book, "T"),
        "endAtLocal": stamp(visit.starts_at + timedelta(minutes=visit.minutes), book, "T"),
        "createdAt": stamp(visit.created_at, book, "T"),
        "notes": visit.reason or visit.note,
        "deleted": visit.deleted_at is not None,
        "block": animal is None,
        "bookedBy": "Wren Okafor",
        "patient": _animal(animal) if animal else None,
        "appointmentType": appointment_type(book, kind.id) if kind else None,
        "appointmentRoom": {"id": numeric(place.id), "name": place.name, "position": 1} if place else None,
        "provider": {"id": numeric(person.id), "name": person.name},
        "cancelledReason": visit.cancel_reason if visit.state == "cancelled" else None,
    }
    return book.said(f"detail {visit.id}", known)


def _animal(animal: Patient) -> Json:
    owner = animal.owner
    species = animal.species or "Canine"
    return {
        "id": numeric(animal.id),
        "formattedId": f"P-{animal.id[-5:]}",
        "name": animal.given,
        "breed": {"id": "12", "name": animal.breed},
        "species": {"id": _SPECIES.get(species, "9"), "name": species},
        "gender": {"id": "2", "name": animal.sex.capitalize(), "neutered": None},
        "status": "a",
        "alive": True,
        "active": True,
        "client": {
            "id": numeric(owner.id) if owner else None,
            "firstName": owner.given if owner else None,
            "lastName": owner.family if owner else None,
            "email": animal.email,
            "homePhone": None,
            "mobilePhone": animal.phone,
        },
    }


def found(book: Book, animal: Patient) -> Json:
    return book.said(animal.id, _animal(animal))


# --- the book's own settings ------------------------------------------------------------------------------------------


def appointment_type(book: Book, kind_id: str) -> Json:
    kind = book.kinds[kind_id]
    known: Json = {
        "id": numeric(kind.id),
        "name": kind.name,
        "duration": max(1, kind.minutes // SLOT),
        "color": kind.colour,
    }
    return book.said(kind.id, known)


def provider(book: Book, person: Person) -> Json:
    return book.said(person.id, {"id": numeric(person.id), "name": person.name, "provider": True})


def user(book: Book, person: Person) -> Json:
    known: Json = {"id": numeric(person.id), "name": person.name, "email": person.email, "active": person.active}
    return book.said(person.id, known)


def view(book: Book) -> Json:
    """Those who have left are not among the providers here."""
    rooms = [{"id": numeric(one.id), "name": one.name, "position": at} for at, one in enumerate(book.places.values())]
    known: Json = {
        "slotInterval": SLOT,
        "businessHours": [
            {"daysOfWeek": [1, 2, 3, 4, 5], "startTime": "08:00", "endTime": "18:00"},
            {"daysOfWeek": [6], "startTime": "09:00", "endTime": "13:00"},
        ],
        "appointmentTypes": [appointment_type(book, id_) for id_ in book.kinds],
        "appointmentRooms": rooms,
        "providers": [provider(book, one) for one in book.people.values() if one.active],
        "deputyEnabled": False,
    }
    return book.said("view", known)


def old_settings(book: Book) -> Json:
    known: Json = {
        "businessHours": {"start": "08:00", "end": "17:30", "daysOfWeek": [1, 2, 3, 4, 5]},
        "slotDuration": 15,
        "minTime": "07:00",
        "maxTime": "19:00",
        "providers": [
            {"id": numeric(one.id), "name": one.name, "color": "#123456"} for one in book.people.values() if one.active
        ],
        "rooms": [{"id": numeric(one.id), "name": one.name} for one in book.places.values()],
    }
    return book.said("old settings", known)


# --- a consultation ---------------------------------------------------------------------------------------------------


def consultation(book: Book, visit: Visit) -> Json:
    """What is written of a visit; Draft until it is over. Orders change any of its members by the consultation's id."""
    id_, over = consultation_of(visit.id), visit.state == "completed"
    animal = book.patients[visit.patient_ids[0]]
    about = animal.given
    staff = [
        {"id": numeric(one.id), "name": one.name, "email": one.email, "licenseNumber": "X", "userType": "Vet"}
        for one in book.people.values()
    ]
    written = (
        f"<p><b>S:</b> Limping since Tuesday ({about}).</p><p><b>O:</b> Left fore warm &amp; swollen.</p>"
        "<ul><li><b>A:</b> Sprain suspected</li></ul><p><b>P:</b> Rest for ten days.</p>"
    )
    owner = animal.owner
    known: Json = {
        "consultation": {
            "id": numeric(id_),
            "reason": visit.reason or "Limping",
            "notes": "<p>Typed at the desk.</p>",
            "dischargeSummary": "<p>Keep quiet for 10&nbsp;days.</p>" if over else None,
            "date": stamp(visit.started_at or visit.starts_at, book),
            "status": "Completed" if over else "Draft",
        },
        "patient": {
            "id": numeric(animal.id),
            "name": animal.given,
            "species": animal.species,
            "breed": animal.breed,
            "weight": 12.4,
            "weightUnit": "kg",
        },
        "client": {"id": numeric(owner.id) if owner else None, "firstName": owner.given if owner else None},
        "pageData": {"providers": staff, "canEditPriceExcTax": False},
        "consultationNotes": {"notes": written},
        "clientBranch": {"id": 1, "name": "Main"},
        "vitalSignGroup": {
            "temperature": 38.6,
            "temperatureUnit": "C",
            "pulse": 96,
            "respiration": 24,
            "weight": 12.4,
            "weightUnit": "kg",
        },
        "consultationLines": [
            {"id": 1, "productService": "Exam", "quantity": 1, "isDeclined": False},
            {"id": 2, "productService": "X-ray, 2 views", "quantity": 1.0, "isDeclined": True},
            {"id": 3, "productService": "Carprofen 50 mg", "quantity": 2.5, "isDeclined": None},
        ],
    }
    return book.said(id_, known)
