"""Who works at an invented clinic, what can be booked there, and who comes. The same at every start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from app.sandbox.ids import stable_id
from app.sandbox.stage.model import Kind, Owner, Patient, Person, Place

#: (what it is, names that lead to it) -> the id as the vendor would write it.
IdMaker = Callable[..., str]

PATIENTS = 90
_GIVEN_NAMES = "Wilhelmina Ossian Tamsin Leander Pippa Corvin Isaura Benno Maribel Fitz Odalys Jory"
_FAMILY_NAMES = (
    "Quandongley Mallowmere Saltmarshe Wrenfield Bluegumby Tidewater Emberlight Fernhollow Larkmoor Peppertree "
    "Sandpiperson Cloudberry Harrowgate Mossbank Thistledown Kelpwright"
)
_ANIMAL_NAMES = "Biscuit Tilly Mango Ziggy Pepper Olive Rusty Clementine Pickle Juno Waffles Nimbus"
_GIVEN, _FAMILY, _ANIMALS = _GIVEN_NAMES.split(), _FAMILY_NAMES.split(), _ANIMAL_NAMES.split()
_BREEDS = (
    ("Canine", "Kelpie"),
    ("Feline", "Domestic Shorthair"),
    ("Canine", "Labrador Retriever"),
    ("Lagomorph", "Mini Lop"),
    ("Feline", "Burmese"),
)
#: The Australian regulator's numbers for fiction, written the ways people write them.
_PHONES = ("0491 570 156", "0491570157", "+61 491 570 158", "(0491) 570-159", None)
#: The last has left.
_STAFF = (("Wren", "Okafor"), ("Isolde", "Marchetti"), ("Rafi", "Nightingale"), ("Una", "Gone"))
_KINDS = (
    ("Initial consult, video", 40, True, "#3F8EFC"),
    ("Review, video", 20, True, "#00897B"),
    ("Standard visit, rooms", 30, False, "#9E9E9E"),
    ("Review by telephone", 20, True, None),
)


@dataclass(frozen=True, slots=True)
class Setup:
    """How one vendor's clinic differs from another's. id_of("patient", 3): the id as this vendor writes ids."""

    vendor: str
    name: str
    zone: str = "Australia/Melbourne"
    vet: bool = False
    id_of: IdMaker = stable_id


@dataclass(frozen=True, slots=True)
class Cast:
    people: tuple[Person, ...]
    kinds: tuple[Kind, ...]
    places: tuple[Place, ...]
    patients: tuple[Patient, ...]


def cast_of(setup: Setup) -> Cast:
    def id_of(what: str, number: int) -> str:
        return setup.id_of(setup.vendor, what, number)

    people = tuple(
        Person(
            id=id_of("person", number),
            given=given,
            family=family,
            email=f"{given}@example.com".lower(),
            active=number < len(_STAFF) - 1,
        )
        for number, (given, family) in enumerate(_STAFF)
    )
    kinds = tuple(
        Kind(id=id_of("kind", number), name=name, minutes=minutes, online=online, colour=colour)
        for number, (name, minutes, online, colour) in enumerate(_KINDS)
    )
    places = (Place(id=id_of("place", 0), name="Harbour Rooms"), Place(id=id_of("place", 1), name="Telehealth"))
    return Cast(people, kinds, places, tuple(_patient(setup, number) for number in range(PATIENTS)))


def _patient(setup: Setup, number: int) -> Patient:
    """Patient `number` (from 0): always the same. Some have no telephone, no address or no date of birth."""
    house = number // 3
    family, given = _FAMILY[house % len(_FAMILY)], _GIVEN[(number * 5 + house) % len(_GIVEN)]
    species, breed = _BREEDS[number % len(_BREEDS)] if setup.vet else (None, None)
    owner = Owner(id=setup.id_of(setup.vendor, "owner", house), given=_GIVEN[house % len(_GIVEN)], family=family)
    born = date(2012, 4, 2) + timedelta(days=(number * 97) % 4_500) if setup.vet else _born(number)
    return Patient(
        id=setup.id_of(setup.vendor, "patient", number),
        given=_ANIMALS[number % len(_ANIMALS)] if setup.vet else given,
        family=family,
        born=None if number % 23 == 22 else born,
        sex=("female", "male", "unknown")[number % 3],
        phone=_PHONES[house % len(_PHONES)],
        email=None if number % 29 == 28 else f"{given}.{family}{number}@example.com".lower(),
        owner=owner if setup.vet else None,
        species=species,
        breed=breed,
    )


def _born(number: int) -> date:
    return date(1941, 3, 9) + timedelta(days=(number * 4_421) % 27_000)
