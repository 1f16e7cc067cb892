"""What differs between the two: names, ids as each writes them, the words on the schedule."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from app.sandbox.stage.model import State

#: Staff go by initials or short codes, in the order of the clinic's cast.
_STAFF = ("WOK", "IMA", "RNI", "UGO")
_KINDS = ("VIDNEW", "VIDREV", "ROOM", "PHONE")


@dataclass(frozen=True, slots=True)
class Product:
    """kind: the adapter's. per_patient: several animals at one time are a row each; else a count in the note."""

    kind: str
    name: str
    installation: str
    words: Mapping[State, str]
    per_patient: bool


CORNERSTONE = Product(
    "cornerstone",
    "Cornerstone",
    "6f0d9a52-4c1e-4b7a-9d2e-0c5a7e1b3f48",
    {
        "booked": "Scheduled",
        "confirmed": "Confirmed",
        "arrived": "Checked in",
        "in_progress": "In exam",
        "completed": "Checked out",
        "cancelled": "Cancelled",
        "no_show": "No show",
    },
    per_patient=True,
)
AVIMARK = Product(
    "avimark",
    "AVImark",
    "a3c85e17-92b4-4f60-8e1d-5b7c2f9d6041",
    {
        "booked": "Booked",
        "confirmed": "Confirmed",
        "arrived": "Waiting",
        "in_progress": "With doctor",
        "completed": "Discharged",
        "cancelled": "Cancelled",
        "no_show": "Missed",
    },
    per_patient=False,
)


def id_of(vendor: str, what: str, *names: object) -> str:
    """Numbers for visits and clients, the client's number with another behind it for animals, short codes for staff."""
    first = names[0] if names else 0
    if what == "person" and isinstance(first, int):
        return _STAFF[first]
    if what == "kind" and isinstance(first, int):
        return _KINDS[first]
    if what == "owner" and isinstance(first, int):
        return str(8800 + first)
    if what == "patient" and isinstance(first, int):
        return f"{8800 + first // 3}-{first % 3 + 1}"
    if what == "place":
        return f"EX{first}"
    digest = hashlib.sha256("/".join(str(one) for one in (vendor, what, *names)).encode()).digest()
    number = 10_000_000 + int.from_bytes(digest[:6], "big") % 89_000_000_000
    return f"{what[0].upper()}{number}" if what in ("person", "kind") else str(number)
