"""The appointments of the measurement, serialised once: what a Gentu would answer, page by page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Australia/Melbourne")
FIRST_DAY = date(2026, 3, 2)
DAYS = 7
PAGE = 100
TENANT = str(uuid5(NAMESPACE_URL, "bench tenant"))
TYPES = [str(uuid5(NAMESPACE_URL, f"bench type {number}")) for number in range(4)]


def practitioner(number: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"bench practitioner {number}"))


def cursor(number: int, page: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"bench cursor {number} {page}"))


@dataclass(frozen=True)
class Size:
    """How much there is: `appointments` in all, spread evenly over the practitioners and seven days."""

    appointments: int
    practitioners: int = 20

    @property
    def each(self) -> int:
        return self.appointments // self.practitioners

    @property
    def pages_each(self) -> int:
        return -(-self.each // PAGE)


def page(size: Size, number: int, index: int, *, changed: bool) -> bytes:
    """The body of one page. `changed`: one appointment in twenty is not what it was (its status, its comment)."""
    first = index * PAGE
    last = min(first + PAGE, size.each)
    rows = [_appointment(size, number, row, changed=changed and row % 20 == 7) for row in range(first, last)]
    more = cursor(number, index + 1) if last < size.each else None
    body = {
        "appointments": [appointment for appointment, _ in rows],
        "patients": [patient for _, patient in rows],
        "practitioners": [_practitioner(number)],
        "pagination": {"next": more, "limit": PAGE},
    }
    return json.dumps(body).encode()


def practitioners(size: Size) -> bytes:
    return json.dumps([_practitioner(number) for number in range(size.practitioners)]).encode()


def types() -> bytes:
    names = ("Telehealth Consultation", "Video Follow-up", "Phone Review", "Online Review")
    return json.dumps(
        [
            {"id": id_, "text": name, "duration": 20, "colour": "#2196F3", "onlineBookable": True}
            for id_, name in zip(TYPES, names, strict=True)
        ]
    ).encode()


def _practitioner(number: int) -> dict[str, object]:
    return {
        "id": practitioner(number),
        "name": {"family": f"Bench{number:02}", "given": "Dora", "prefix": "Dr"},
        "contact": [],
        "active": True,
        "shownInAppointmentBook": True,
    }


def _appointment(size: Size, number: int, row: int, *, changed: bool) -> tuple[dict[str, object], dict[str, object]]:
    id_ = str(uuid5(NAMESPACE_URL, f"bench appointment {number} {row}"))
    patient_id = str(uuid5(NAMESPACE_URL, f"bench patient {number} {row}"))
    day = FIRST_DAY + timedelta(days=row * DAYS // size.each)
    start = datetime(day.year, day.month, day.day, 8, tzinfo=ZONE) + timedelta(minutes=row % 600)
    end = start + timedelta(minutes=20)
    appointment = {
        "id": id_,
        "startAt": start.isoformat(timespec="milliseconds"),
        "endAt": end.isoformat(timespec="milliseconds"),
        "status": "in_waiting_room" if changed else ("confirmed" if row % 2 else "none"),
        "minutesDuration": 20,
        "comment": "Here already" if changed else (None if row % 3 else "Prefers captions on"),
        "description": None,
        "participant": [
            {"referenceType": "patient", "referenceId": patient_id},
            {"referenceType": "provider", "referenceId": practitioner(number)},
        ],
        "appointmentType": {"reference": TYPES[row % len(TYPES)]},
        "extension": [],
    }
    patient = {
        "id": patient_id,
        "name": {"family": f"Bench{row:05}", "given": "Paula May", "prefix": "Ms"},
        "birthDate": "1979-11-02",
        "gender": "female",
        "address": None,
        "contact": [
            {"system": "phone", "use": "mobile", "rank": 1, "value": f"0491 570 {row % 1000:03}"},
            {"system": "email", "use": "home", "rank": 2, "value": f"patient{row}@example.com"},
        ],
        "identifier": [],
        "deceased": None,
        "occupation": None,
        "indigenousStatus": None,
        "extension": [],
    }
    return appointment, patient
