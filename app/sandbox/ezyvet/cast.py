"""Who and what the invented hospital consists of, in the vendor's own records (native types; v1 says them as texts).

Wattle Creek Animal Hospital never closes, so that something moves at any hour. Its site has a second division, which
another practice may be connected to. Status and type ids are this site's own, as everywhere.
"""

from __future__ import annotations

from datetime import date

Record = dict[str, object]
Tables = dict[str, list[Record]]

ZONE = "Australia/Melbourne"
SINCE = 1_700_000_000  # when all of this was set up

HERE, NORTH = 1, 2
#: Vets by division, with the hours of the local day they see animals in.
VETS: tuple[tuple[int, int, tuple[int, int]], ...] = (
    (21, HERE, (0, 9)),
    (22, HERE, (8, 17)),
    (23, HERE, (15, 24)),
    (31, NORTH, (9, 17)),
)
ROOMS = {21: 41, 22: 42, 23: 41, 31: 51}
XRAY = 44

CONSULTATION, VACCINATION, SURGERY, VIDEO, REVISIT, BLOCK = 11, 12, 13, 14, 15, 2
NO_STATUS, CONFIRMED, ARRIVED, IN_ROOM, TO_CHECK_OUT, COMPLETED, WAIT_LIST = 1, 2, 3, 4, 5, 6, 7

_RESOURCES = (
    (21, "Dr Imogen Thistledown", "user", HERE, True),
    (22, "Dr Rafael Quill", "user", HERE, True),
    (23, "Dr Wren Ashdown", "user", HERE, True),
    (29, "Dr Basil Longgone", "user", HERE, False),
    (31, "Dr Percy Northwood", "user", NORTH, True),
    (41, "Consult Room 1", "facility", HERE, True),
    (42, "Consult Room 2", "facility", HERE, True),
    (43, "Theatre", "facility", HERE, True),
    (XRAY, "X-ray", "equipment", HERE, True),
    (51, "North Room", "facility", NORTH, True),
)
_TYPES = (
    (CONSULTATION, "Consultation", 30),
    (VACCINATION, "Vaccination", 15),
    (SURGERY, "Surgery", 60),
    (VIDEO, "Video consult", 20),
    (REVISIT, "Revisit", 15),
    (BLOCK, "Block Off", 30),
)
_STATUSES = (
    (NO_STATUS, "No Status"),
    (CONFIRMED, "Confirmed"),
    (ARRIVED, "Arrived"),
    (IN_ROOM, "In Consult Room"),
    (TO_CHECK_OUT, "OK to Check Out"),
    (COMPLETED, "Completed"),
    (WAIT_LIST, "On Wait List"),
)
_SPECIES = ((1, "Canine"), (2, "Feline"), (3, "Lapine"))
_BREEDS = ((71, "Kelpie", 1), (72, "Whippet", 1), (73, "Labradoodle", 1), (74, "Moggie", 2), (75, "Burmese", 2))
_MORE_BREEDS = ((76, "Dwarf Lop", 3),)
#: Name, breed, weight in kg.
_ANIMALS = (
    ("Biscuit", 71, 18.4), ("Tamburlaine", 74, 4.1), ("Pudding", 73, 24.0), ("Sir Hops", 76, 2.2),
    ("Nimbus", 72, 12.9), ("Marzipan", 75, 3.8), ("Gherkin", 71, 20.1), ("Waffles", 73, 27.5),
    ("Doctor Paws", 74, 5.0), ("Clementine", 75, 4.4), ("Rocket", 72, 14.2), ("Turnip", 76, 1.9),
    ("Barnaby", 73, 30.3), ("Saffron", 74, 3.5), ("Muddles", 71, 17.7), ("Figaro", 75, 4.9),
    ("Dumpling", 73, 22.2), ("Zephyr", 72, 13.3), ("Inkblot", 74, 4.7), ("Thimble", 76, 2.0),
    ("Professor", 71, 19.6), ("Custard", 75, 4.0), ("Bramble", 73, 26.1), ("Quasar", 72, 12.2),
)  # fmt: skip
_PEOPLE = (
    ("Marigold", "Underhill"), ("Cuthbert", "Fernleaf"), ("Ottoline", "Brackenbury"), ("Jasper", "Nettlefold"),
    ("Philippa", "Dewdrop"), ("Barnabus", "Otterly"), ("Saskia", "Moonpenny"), ("Leopold", "Quincefield"),
    ("Tabitha", "Wrenshaw"), ("Ignatius", "Pondlily"), ("Clover", "Hedgerow"), ("Rufus", "Applegarth"),
)  # fmt: skip
PROBLEMS = ((901, "Lameness"), (902, "Otitis externa"), (903, "Gastroenteritis"), (904, "Dental disease"))
PRODUCTS = ((801, "Meloxicam oral suspension"), (802, "C5 vaccine"), (803, "F3 vaccine"), (804, "Ear cleanser"))

SITE: Record = {"id": 7, "name": "Wattle Creek Animal Hospital", "timezone": ZONE}


def tables() -> Tables:
    """Everything that does not belong to a day, by the vendor's resource names."""
    made: Tables = {
        "siteInformation": [dict(SITE)],
        "systemsetting": [{"id": 1, "timezone": {"name": ZONE}, "name": SITE["name"]}],
        "separation": [_row(HERE, name="Wattle Creek", type="Division"), _row(NORTH, name="North", type="Division")],
        "resource": [
            _row(id_, name=name, type=kind, ownership_id=division, access="all", active=active)
            for id_, name, kind, division, active in _RESOURCES
        ],
        "appointmenttype": [_row(id_, name=name, default_duration=minutes) for id_, name, minutes in _TYPES],
        "appointmentstatus": [_row(id_, name=name) for id_, name in _STATUSES],
        "species": [_row(id_, name=name) for id_, name in _SPECIES],
        "breed": [_row(id_, name=name, species_id=kind) for id_, name, kind in _BREEDS + _MORE_BREEDS],
        "sex": [_row(1, name="Male"), _row(2, name="Female")],
        "contactdetailtype": [_row(4, name="Mobile"), _row(5, name="Home phone"), _row(6, name="Email")],
        "presentingproblem": [_row(id_, name=name) for id_, name in PROBLEMS],
        "product": [_row(id_, name=name) for id_, name in PRODUCTS],
    }
    return made | _clients() | {"animal": [_animal(n, *facts) for n, facts in enumerate(_ANIMALS)]}


def _animal(number: int, name: str, breed: int, weight: float) -> Record:
    kinds = {id_: kind for id_, _, kind in _BREEDS + _MORE_BREEDS}
    born = date(2012 + number % 11, 1 + number % 12, 1 + number)
    return _row(
        801 + number,
        name=name,
        code=f"A{801 + number}",
        species_id=kinds[breed],
        breed_id=breed,
        sex_id=1 + number % 2,
        contact_id=401 + number % len(_PEOPLE),
        date_of_birth=(born - date(1970, 1, 1)).days * 86400,
        weight=weight,
        weight_unit="kg",
        is_dead=False,
        is_hostile=number == 8,
    )


def _clients() -> Tables:
    contacts, details = [], []
    for number, (first, last) in enumerate(_PEOPLE):
        id_ = 401 + number
        contacts.append(_row(id_, first_name=first, last_name=last, business_name=None, is_business=False))
        mobile = f"0491 570 15{number % 10}"
        mail = f"{first.lower()}.{last.lower()}@example.com"
        values = (("Home", "0491 570 110", 5), ("Mobile", mobile, 4), ("Email", mail, 6))
        details += [
            _row(id_ * 10 + n, name=name, value=value, contact_id=id_, contact_detail_type_id=kind)
            for n, (name, value, kind) in enumerate(values)
        ]
    return {"contact": contacts, "contactdetail": details}


def _row(id_: int, **fields: object) -> Record:
    return {"id": id_, "active": True, "created_at": SINCE, "modified_at": SINCE, **fields}
