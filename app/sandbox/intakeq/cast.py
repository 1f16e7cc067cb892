"""Who works at the invented account, what can be booked there, and its clients: households, many with one e-mail."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from app.sandbox.ids import stable_id
from app.sandbox.intakeq.model import Client, Location, Practitioner, Service

ZONE = "Australia/Melbourne"
FIRST_CLIENT, CLIENTS = 4101, 90

_GIVEN_NAMES = "Wilhelmina Ossian Tamsin Leander Pippa Corvin Isaura Benno Maribel Fitz Odalys Jory"
_FAMILY_NAMES = (
    "Quandongley Mallowmere Saltmarshe Wrenfield Bluegumby Tidewater Emberlight Fernhollow Larkmoor Peppertree "
    "Sandpiperson Cloudberry Harrowgate Mossbank Thistledown Kelpwright"
)
_GIVEN, _FAMILY = _GIVEN_NAMES.split(), _FAMILY_NAMES.split()
#: The Australian regulator's numbers for fiction, written the ways people write them.
_PHONES = ("0491 570 156", "0491570157", "+61 491 570 158", "(0491) 570-159", None)


def an_id(*names: object) -> str:
    """24 hexadecimal digits, as the vendor's ids look; the same at every start."""
    return stable_id("intakeq", *names).replace("-", "")[:24]


_STAFF = (("Wren", "Okafor"), ("Isolde", "Marchetti"), ("Rafi", "Nightingale"), ("Una", "Gone"))
#: The last has left.
PRACTITIONERS = tuple(
    Practitioner(
        id=an_id("practitioner", number),
        first=first,
        last=last,
        email=f"{first}@example.com".lower(),
        created_at=datetime(2021 + number, 2, 1, tzinfo=UTC),
        inactive=number == len(_STAFF) - 1,
    )
    for number, (first, last) in enumerate(_STAFF)
)
INITIAL, REVIEW, ROOMS, MEET = SERVICES = (
    Service(id=stable_id("intakeq", "service", 1), name="Initial consult, video", minutes=50, price=220.0),
    Service(id=stable_id("intakeq", "service", 2), name="Review, video", minutes=20, price=95.0),
    Service(id=stable_id("intakeq", "service", 3), name="Standard visit, rooms", minutes=30, price=120.0),
    Service(id=stable_id("intakeq", "service", 4), name="Review, own meeting link", minutes=30, price=95.0),
)
HARBOUR, ONLINE = LOCATIONS = (
    Location(id=1, name="Harbour Rooms", address="12 Imaginary Quay, Geelong"),
    Location(id=2, name="Telehealth"),
)


def client(number: int) -> Client:
    """Client `number` (from 0): always the same person. Three make a household; every other one shares an address."""
    house = number // 3
    family = _FAMILY[house % len(_FAMILY)]
    given = _GIVEN[(number * 5 + house) % len(_GIVEN)]
    own = f"{given}.{family}{number}@example.com".lower()
    shared = f"{family}.household{house}@example.com".lower()
    return Client(
        id=FIRST_CLIENT + number,
        first=given,
        last=family,
        email=None if number % 29 == 28 else shared if house % 2 == 0 else own,
        phone=_PHONES[number % len(_PHONES)],
        mobile=None if number % 4 else "0491 570 110",
        born=None if number % 23 == 22 else date(1941, 3, 9) + timedelta(days=(number * 4421) % 27_000),
    )


def clients() -> list[Client]:
    return [client(number) for number in range(CLIENTS)]


def household(client_id: int) -> list[int]:
    """The other members of somebody's household."""
    first = client_id - (client_id - FIRST_CLIENT) % 3
    return [one for one in range(first, first + 3) if one != client_id]
