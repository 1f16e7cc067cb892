"""The clinic in MediRecords' records: wall times without an offset, numbers for words, ids to be joined."""

from __future__ import annotations

from datetime import datetime

from app.sandbox.ids import stable_id
from app.sandbox.medirecords import PRACTICE
from app.sandbox.medirecords.door import knobs
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Kind, Patient, Person, State, Visit

Record = dict[str, object]

#: 6 is At Billing. There is no number for somebody who did not come: staff cancel, with a reason.
NUMBERS: dict[State, int] = {
    "booked": 2,
    "confirmed": 3,
    "arrived": 4,
    "in_progress": 5,
    "completed": 7,
    "cancelled": 8,
    "no_show": 8,
}
#: Codes are opaque numbers; what they mean is in a list.
TITLES = {315890000: "Mr", 315890001: "Mrs", 315890004: "Dr", 315890012: "Mx"}
INTERVALS = {315891000 + step: step * 5 for step in range(1, 97)}
_CREATOR = stable_id("medirecords", "user", 1)


def lasting(minutes: int) -> str:
    """“25 mins”, “1 hr”, “1 hr 30 mins”, “4 hrs”."""
    hours, rest = divmod(minutes, 60)
    told = [f"{hours} hr{'s' if hours > 1 else ''}"] if hours else []
    return " ".join([*told, *([f"{rest} mins"] if rest else [])])


def code_list(name: str) -> list[Record] | None:
    lists = {
        "title-code": [{"code": code, "description": text} for code, text in TITLES.items()],
        "appointment-Interval-Code": [
            {"code": code, "description": lasting(minutes)} for code, minutes in INTERVALS.items()
        ],
    }
    found = lists.get(name)
    return None if found is None else [dict(one) for one in found]


def wall(at: datetime, book: Book) -> str:
    """Practice-local, without an offset."""
    return at.astimezone(book.zone).strftime("%Y-%m-%dT%H:%M:%S" if knobs().seconds else "%Y-%m-%dT%H:%M")


def stamp(at: datetime) -> str:
    """The offset has no colon."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}+0000"


def appointment(book: Book, visit: Visit) -> Record:
    """One patient and one provider at most; a link only where the type is telehealth."""
    number: int | str = NUMBERS[visit.state]
    if visit.word is not None:
        number = int(visit.word) if visit.word.isdigit() else visit.word
    called_off = visit.state in ("cancelled", "no_show")
    record: Record = {
        "id": visit.id,
        "practiceId": PRACTICE,
        "patientId": next(iter(visit.patient_ids), None),
        "providerId": next(iter(visit.practitioner_ids), None),
        "appointmentTypeId": visit.type_id,
        "scheduleTime": wall(visit.starts_at, book),
        "appointmentStatus": number,
        "appointmentIntervalCode": interval(visit.minutes),
        "roomId": None,
        "referralId": None,
        "notes": visit.note,
        "walkIn": False,
        "firstAvailableDoctor": None,
        "urgency": 1,
        "cancellationReason": 315892001 if called_off else None,
        "emailReminder": True,
        "reminderMethod": 1,
        "reminderType": 7,
        "confirmationLink": None,
        "telehealthLinkForProvider": visit.host_link,
        "telehealthLinkForPatient": visit.link,
        "createdBy": _CREATOR,
        "createdDateTime": stamp(visit.created_at),
        "updatedBy": _CREATOR,
        "updatedDateTime": stamp(visit.modified_at),
    }
    return book.said(visit.id, record)


def interval(minutes: int) -> int:
    return 315891000 + max(1, -(-minutes // 5))


def provider(book: Book, one: Person) -> Record:
    return book.said(
        one.id,
        {
            "id": one.id,
            "titleCode": "315890004",
            "firstName": one.given,
            "lastName": one.family,
            "status": "Active" if one.active else "Inactive",
        },
    )


def appointment_type(book: Book, one: Kind, order: int) -> Record:
    return book.said(
        one.id,
        {
            "id": one.id,
            "name": one.name,
            "duration": lasting(one.minutes),
            "colour": one.colour,
            "activeStatus": 1,
            "community": False,
            "telehealth": one.online,
            "description": None,
            "order": order,
        },
    )


def patient(book: Book, one: Patient) -> Record:
    """Numbers are national; a first name may be missing."""
    return book.said(
        one.id,
        {
            "id": one.id,
            "titleCode": 315890012,
            "firstName": one.given or None,
            "middleName": None,
            "lastName": one.family,
            "preferredName": None,
            "fullName": one.name,
            "dob": one.born.isoformat() if one.born else None,
            "estimated": False,
            "genderCode": 1,
            "email": one.email,
            "mobilePhone": one.phone,
            "homePhone": None,
            "workPhone": None,
            "patientStatusCode": 1,
            "defaultPracticeId": PRACTICE,
            "usualDoctorId": None,
            "updatedDateTime": "2026-01-04T23:15:00.000+0000",
        },
    )
