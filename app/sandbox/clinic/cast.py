"""Who works at each clinic, what it offers, and who comes: everything of a practice but its appointments."""

from __future__ import annotations

from dataclasses import dataclass

from app.sandbox.clinic import original, people
from app.sandbox.clinic.model import Contact, Patient, Practitioner, Site, Tenant, VisitType
from app.sandbox.ids import stable_id


@dataclass(frozen=True, slots=True)
class Cast:
    """A practice as it stands before its first appointment. The first site is the rooms, the second the video one."""

    tenant: Tenant
    practitioners: tuple[Practitioner, ...]
    types: tuple[VisitType, ...]
    patients: tuple[Patient, ...]
    sites: tuple[Site, Site]


#: (given, family, prefix, active, shown): with the document's two, eight are shown in the appointment book.
_DEMO_STAFF = (
    ("Odette May", "Quillfeather", "Dr", True, True),
    ("Caspian", "Marramgate", "Dr", True, True),
    ("Juniper", "Wattlewren", None, True, True),
    ("Thaddeus", "Kookaburrow", "Prof", True, True),
    ("Briony", "Pademelborn", "Ms", True, True),
    ("Lorcan", "Saltbushby", "Dr", True, True),
    ("Tansy", "Cockatwood", "Nurse", True, False),
)

_DEMO_PATIENTS = 260


def _sites(tenant_id: str) -> tuple[Site, Site]:
    return (
        Site(stable_id(tenant_id, "site", "rooms"), "Consulting rooms"),
        Site(stable_id(tenant_id, "site", "video"), "Video rooms"),
    )


def _practitioner(tenant_id: str, key: str, given: str, family: str, prefix: str | None = "Dr") -> Practitioner:
    mail = f"{given.split(maxsplit=1)[0]}.{family}@example.com".lower()
    return Practitioner(
        id=stable_id(tenant_id, key),
        family=family,
        given=given,
        prefix=prefix,
        contacts=(Contact("email", "work", None, mail), Contact("phone", "work", None, None)),
    )


def document() -> Cast:
    """The original document's practice and nobody else: small enough to know by heart, for tests."""
    tenant = original.TENANT
    return Cast(tenant, original.PRACTITIONERS, original.TYPES, original.PATIENTS, _sites(tenant.id))


def demo() -> Cast:
    """The document's practice with colleagues, a few more kinds of visit and enough patients for full days."""
    tenant = original.TENANT
    staff = []
    for number, (given, family, prefix, active, shown) in enumerate(_DEMO_STAFF, start=4):
        member = _practitioner(tenant.id, f"prac-{number:03}", given, family, prefix)
        staff.append(
            Practitioner(
                id=member.id,
                family=family,
                given=given,
                prefix=prefix,
                contacts=member.contacts,
                active=active,
                shown=shown,
            )
        )
    extra = (
        VisitType(id=stable_id(tenant.id, "type-006"), text="Phone Review", minutes=None, online=True),
        VisitType(id=stable_id(tenant.id, "type-007"), text="Group Session - Video", minutes=60, colour="#673AB7"),
        VisitType(id=stable_id(tenant.id, "type-008"), text="Care Plan Review", minutes=20, colour="#00897B"),
    )
    crowd = tuple(people.patient(tenant.id, number) for number in range(_DEMO_PATIENTS))
    return Cast(
        tenant,
        original.PRACTITIONERS + tuple(staff),
        original.TYPES + extra,
        original.PATIENTS + crowd,
        _sites(tenant.id),
    )


def big(practitioners: int, per_day: int) -> Cast:
    """A practice of any size, everybody shown in the book; a patient for each appointment of a day, up to 20,000."""
    tenant = Tenant(
        id=stable_id("tenant", "big"), number="70001", name="Endless Plain Clinics", zone="Australia/Melbourne"
    )
    staff = tuple(
        _practitioner(
            tenant.id,
            f"prac-{number:05}",
            people.GIVEN[number % len(people.GIVEN)],
            f"{people.FAMILY[number % len(people.FAMILY)]}-{number:03}",
        )
        for number in range(practitioners)
    )
    crowd = tuple(people.patient(tenant.id, number) for number in range(max(50, min(20_000, practitioners * per_day))))
    return Cast(tenant, staff, _types(tenant.id), crowd, _sites(tenant.id))


#: Names and zones of the further practices; one lies where clocks move by half an hour, one tells no zone at all.
_FURTHER = (
    ("Banksia Ridge Specialists", "Australia/Brisbane"),
    ("Saltbush Family Practice", "Australia/Adelaide"),
    ("Coolabah Health", "Australia/Perth"),
    ("Muttonbird Island Clinic", "Australia/Lord_Howe"),
    ("Nowhere in Particular", None),
)


def further(number: int) -> Cast:
    """Practice `number` (from 2): two practitioners, four types, some patients and an empty book."""
    name, zone = _FURTHER[(number - 2) % len(_FURTHER)]
    tenant_id = stable_id("tenant", number)
    tenant = Tenant(id=tenant_id, number=str(70_400 + number), name=name, zone=zone)
    staff = tuple(
        _practitioner(
            tenant_id,
            f"prac-{index:03}",
            people.GIVEN[(number * 3 + index) % len(people.GIVEN)],
            people.FAMILY[(number * 5 + index) % len(people.FAMILY)],
        )
        for index in (1, 2)
    )
    crowd = tuple(people.patient(tenant_id, index) for index in range(20))
    return Cast(tenant, staff, _types(tenant_id), crowd, _sites(tenant_id))


def _types(tenant_id: str) -> tuple[VisitType, ...]:
    return (
        VisitType(
            id=stable_id(tenant_id, "type-001"), text="Review - Video", minutes=20, colour="#3F8EFC", online=True
        ),
        VisitType(id=stable_id(tenant_id, "type-002"), text="Telehealth Consultation", minutes=30, online=True),
        VisitType(id=stable_id(tenant_id, "type-003"), text="Rooms - Standard", minutes=15, colour="#9E9E9E"),
        VisitType(id=stable_id(tenant_id, "type-004"), text="Rooms - Long", minutes=45),
    )
