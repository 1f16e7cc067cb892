"""How the two systems differ: what they are called, and the words on their schedules.

Source: pms/cornerstone-avimark.md §4 and §5. Neither vendor publishes its status words: every one of these is
[assumed], and what a practice explains to us comes before them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.status import Status

_SHARED: dict[str, Status] = {
    **dict.fromkeys(("scheduled", "booked", "reserved"), Status.BOOKED),
    "confirmed": Status.CONFIRMED,
    **dict.fromkeys(("checked in", "arrived", "waiting", "lobby"), Status.ARRIVED),
    **dict.fromkeys(("in exam", "in room", "in progress", "with doctor", "hospital"), Status.IN_PROGRESS),
    **dict.fromkeys(("checked out", "invoiced", "completed", "discharged", "posted"), Status.COMPLETED),
    **dict.fromkeys(("no show", "missed"), Status.NO_SHOW),
    **dict.fromkeys(("cancelled", "canceled", "deleted"), Status.CANCELLED),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """kind: the adapter's. statuses: by the word in small letters, single blanks between its parts."""

    kind: str
    label: str
    statuses: Mapping[str, Status]


#: What is deleted goes to the Tickler File, to be booked again (documented: HUB).
CORNERSTONE = Preset("cornerstone", "Cornerstone", {**_SHARED, "tickler": Status.CANCELLED})
AVIMARK = Preset("avimark", "AVImark", _SHARED)


def plain(word: str) -> str:
    """A word as the table has it: case, hyphens and blanks do not matter."""
    return " ".join(word.replace("-", " ").replace("_", " ").lower().split())
