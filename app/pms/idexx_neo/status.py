"""What Neo's status words mean to us. The full list is not public: the order below follows what was seen.

Source: pms/idexx-neo.md §2.1 and §3. Words the practice has explained to us come before all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.status import Status

#: Compared whole, lower-cased and trimmed, before any part of a word is looked at: “not arrived” contains “arrived”.
_WORDS: dict[str, Status] = {
    "": Status.BOOKED,
    "scheduled": Status.BOOKED,
    "not arrived": Status.BOOKED,
    "upcoming": Status.BOOKED,
    "late": Status.BOOKED,
    "arrived": Status.ARRIVED,
    "checked_in": Status.ARRIVED,
    "checked in": Status.ARRIVED,
    "in progress": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    # Clinical work is over, only the bill is open. [assumed]
    "ready to pay": Status.COMPLETED,
    "completed": Status.COMPLETED,
    "finished": Status.COMPLETED,
    "done": Status.COMPLETED,
    "finalized": Status.COMPLETED,
    "finalised": Status.COMPLETED,
    "no show": Status.NO_SHOW,
    "no-show": Status.NO_SHOW,
    "no_show": Status.NO_SHOW,
}
#: Parts that decide about a word that is not listed (seen in code: odis/sync).
_PARTS = (("cancel", Status.CANCELLED), ("final", Status.COMPLETED), ("progress", Status.IN_PROGRESS))
#: Beside the status and apart from it; its values are assumed.
_CONFIRMED = frozenset({"confirmed", "true", "yes", "1"})


def status_of(word: str | None, confirmed: str | bool | None, explained: Mapping[str, str]) -> Status:
    """Our word; `unknown` for one we do not know, also where it denies one that we do (“not finalized”)."""
    if word is not None and word in explained:
        try:
            return Status(explained[word])
        except ValueError:
            return Status.UNKNOWN
    plain = " ".join((word or "").lower().split())
    found = _WORDS.get(plain) or _by_part(plain)
    if found is Status.BOOKED and (confirmed is True or str(confirmed or "").strip().lower() in _CONFIRMED):
        return Status.CONFIRMED
    return found


def _by_part(plain: str) -> Status:
    if plain.startswith(("not ", "un")):
        return Status.UNKNOWN
    return next((status for part, status in _PARTS if part in plain), Status.UNKNOWN)
