"""Invented people. Names nobody bears, numbers the regulator keeps for fiction, addresses at example.com."""

from __future__ import annotations

from datetime import date, timedelta

from app.sandbox.clinic.model import Contact, Patient
from app.sandbox.ids import stable_id

_GIVEN_NAMES = (
    "Marlow Odette Fenwick Isolde Caspian Juniper Bram Tansy Orlo Perpetua Wilfa Dashiell Linnet Rufio Saffron Quill "
    "Ottoline Barnaby Clove Evander Hesper Ignatz Jessamy Kestrel Lorcan Minna Nettle Osric Primrose Roscoe Sable "
    "Thaddeus Ursa Vesper Winslow Yarrow Zephyr Ambrose Briony Corin"
)
_FAMILY_NAMES = (
    "Fennick Quillfeather Bramblewick Wattlewren Saltbushby Puddlecote Larkspindle Gumleafton Ottersby Mistlethwaite "
    "Thimbleforth Quokkaby Bilbyfield Numbatson Cockatwood Pobblebonk Kelpington Marramgate Driftwoodley Tumbleworth "
    "Sedgewarren Coolabark Possumthorpe Emberwattle Dunnartley Galahaven Kookaburrow Banksiaford Platypond Wombatherst "
    "Nightjarring Lyrebirch Tawnymouth Bandicourt Echidnay Pademelborn Quollington Bettongate Potoroosen Curlewick "
    "Brolgarth Jabirump Magpiety Currawonga Rosellano Lorikeetley Fantailor Whipbirdie Pardalotti Treecreeperson "
    "Silvereyeson Honeyeatham Spoonbillow Dotterelli Plovertide Gannetwell Ternbeck Petreleigh Shearwatney Albatrossi"
)
GIVEN = tuple(_GIVEN_NAMES.split())
FAMILY = tuple(_FAMILY_NAMES.split())

#: The Australian regulator's mobile numbers for fiction, written the ways people write them.
MOBILES = ("0491 570 156", "0491570157", "+61 491 570 158", "0491 570 159", "0491 570 006", "0491 570 110")
GENDERS = ("female", "male", "unspecified", "female", "male")
PREFIXES = ("Ms", "Mr", "Mx", "Mrs", None)
SUBURBS = (("Carlton", "3053"), ("Footscray", "3011"), ("Brunswick", "3056"), ("Geelong", "3220"))


def patient(tenant_id: str, number: int) -> Patient:
    """Patient `number` of a tenant: always the same person. Every odd habit of the vendor's records turns up."""
    family = FAMILY[number % len(FAMILY)]
    round_ = number // len(FAMILY)
    given = GIVEN[(number * 7 + round_ * 3) % len(GIVEN)]
    middle = GIVEN[(number * 11 + 5) % len(GIVEN)] if number % 7 == 0 else None
    return Patient(
        id=stable_id(tenant_id, "patient", number),
        family=family,
        given=None if number % 37 == 36 else f"{given} {middle}" if middle else given,
        prefix=PREFIXES[number % len(PREFIXES)],
        born=None if number % 29 == 28 else date(1938, 1, 3) + timedelta(days=(number * 7919) % 29_000),
        gender=None if number % 31 == 30 else GENDERS[number % len(GENDERS)],
        contacts=_contacts(number, given, family),
        address=_address(number),
        first_name=given if middle else None,
        middle_name=middle,
        pronouns="they/them" if number % 19 == 18 else None,
        deceased=_deceased(number),
        sms_enabled=(None, True, True, False)[number % 4],
    )


def _contacts(number: int, given: str, family: str) -> tuple[Contact, ...]:
    ranked = number % 11 != 10
    mobile = None if number % 9 == 8 else MOBILES[number % len(MOBILES)]
    email = None if number % 23 == 22 else f"{given}.{family}{number}@example.com".lower()
    home = Contact("phone", "home", 1 if ranked else None, f"(03) 5550 {1000 + number % 9000}")
    rest = (
        Contact("phone", "mobile", 2 if ranked else None, mobile),
        Contact("email", "home", 3 if ranked else None, email),
    )
    return (home, *rest) if number % 3 == 0 else rest


def _address(number: int) -> tuple[dict[str, object], ...] | None:
    if number % 3 == 0:
        return None
    suburb, code = SUBURBS[number % len(SUBURBS)]
    line = [f"{1 + number % 200} Imaginary Lane", None] if number % 5 == 0 else [f"{1 + number % 200} Imaginary Lane"]
    return ({"city": suburb, "line": line, "postalCode": code, "state": "VIC", "use": "home", "type": "both"},)


def _deceased(number: int) -> dict[str, object] | None:
    if number % 97 == 41:
        return {"date": "2020-02-29"}
    if number % 13 == 12:
        return {"deceasedBoolean": None if number % 2 else False}
    return None
