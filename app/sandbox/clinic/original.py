"""The practice of the original document: its people, types and four appointments a day.

Names, birth dates, types and times of day are the document's. Ids are uuid5 of its short ids, telephone numbers and
addresses are ones kept for fiction, the offset is the zone's real one, and `none` stands for its "booked".
"""

from __future__ import annotations

from datetime import date

from app.sandbox.clinic.model import Contact, Patient, Practitioner, Tenant, VisitType
from app.sandbox.ids import stable_id

TENANT = Tenant(
    id="3aef91c0-ff22-47e6-942d-182cb65cbf20",
    number="12345",
    name="Smith Medical Centre",
    zone="Australia/Melbourne",
)


def _id(name: str) -> str:
    return stable_id(TENANT.id, name)


PRACTITIONERS = (
    Practitioner(
        id=_id("prac-001"),
        family="Smith",
        given="John",
        contacts=(
            Contact("email", "work", 1, "john.smith@example.com"),
            Contact("phone", "work", 2, "0491 570 156"),
        ),
    ),
    Practitioner(
        id=_id("prac-002"),
        family="Jones",
        given="Sarah",
        contacts=(Contact("email", "work", 1, "sarah.jones@example.com"),),
    ),
    Practitioner(id=_id("prac-003"), family="Williams", given="Michael", active=False, shown=False),
)

TELEHEALTH = VisitType(id=_id("type-001"), text="Telehealth Consultation", minutes=30, colour="#4CAF50", online=True)
VIDEO = VisitType(id=_id("type-002"), text="Video Follow-up", minutes=15, colour="#2196F3", online=True)
STANDARD = VisitType(id=_id("type-003"), text="Standard Consultation", minutes=30, colour="#9E9E9E")
NEW_PATIENT = VisitType(id=_id("type-004"), text="New Patient", minutes=45, colour="#FF9800")
PROCEDURE = VisitType(id=_id("type-005"), text="Procedure", minutes=60, colour="#F44336")
TYPES = (TELEHEALTH, VIDEO, STANDARD, NEW_PATIENT, PROCEDURE)

PATIENTS = (
    Patient(
        id=_id("patient-001"),
        family="Brown",
        given="Alice",
        prefix="Ms",
        born=date(1985, 3, 15),
        gender="female",
        contacts=(
            Contact("phone", "mobile", 1, "0491 570 157"),
            Contact("email", "home", 2, "alice.brown@example.com"),
        ),
    ),
    Patient(
        id=_id("patient-002"),
        family="Davis",
        given="Robert",
        prefix="Mr",
        born=date(1972, 8, 22),
        gender="male",
        contacts=(Contact("phone", "mobile", 1, "0491 570 158"),),
    ),
)

#: (short id, minute of the day, minutes, practitioner, patient, type, status at first, description)
APPOINTMENTS = (
    ("appt-001", 540, 30, 0, 0, TELEHEALTH, "none", "Telehealth follow-up"),
    ("appt-002", 570, 15, 0, 1, VIDEO, "confirmed", "Quick video check-in"),
    ("appt-003", 600, 30, 1, 0, STANDARD, "none", "In-person consultation"),
    ("appt-004", 660, 30, 1, 1, TELEHEALTH, "none", "Telehealth consultation"),
)
