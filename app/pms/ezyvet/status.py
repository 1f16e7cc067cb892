"""What a practice's status names mean to us. Names and ids are each site's own (documented: HELP), so names decide.

The rules and their order are [assumed]; words the practice has explained to us come before all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.domain.status import Status

#: The built-in name for none (documented: HELP).
NO_STATUS = "no status"

#: Of an appointment that was taken out, by its reason.
_DID_NOT_COME = re.compile(r"\bno[ -]?show|\bdid(n't| not) (attend|show|arrive|come)|\bfailed to attend")
#: “Not confirmed”, “awaiting confirmation”, “wait list”: what is denied or only hoped for is left to the practice.
_DENIED = re.compile(
    r"\bnot\b|\bun(confirmed|paid)|\bawaiting\b|\bpending\b|\bto be\b|\bwait(ing)?[ -]?list|\bin ?complete"
)
_RULES: tuple[tuple[re.Pattern[str], Status], ...] = (
    (_DID_NOT_COME, Status.NO_SHOW),
    (re.compile(r"\bcancel"), Status.CANCELLED),
    (_DENIED, Status.UNKNOWN),
    (re.compile(r"\bcheck(ed|ing)?[ -]?out|\bcomplete|\bdischarg|\bpaid\b|\bfinish"), Status.COMPLETED),
    (re.compile(r"\barriv|\bcheck(ed|ing)?[ -]?in|\bwait|\blobby"), Status.ARRIVED),
    (
        re.compile(r"\bexam|room\b|\bconsult|\bprogress|\binpatient|\bin-patient|\badmitted|\bready\b"),
        Status.IN_PROGRESS,
    ),
    (re.compile(r"\bconfirm"), Status.CONFIRMED),
)


def status_of(name: str | None, active: bool, reason: str | None, words: Mapping[str, str]) -> Status:
    """Our word for a status name; of an appointment that is not active, for why it was taken out."""
    if not active:
        told = f"{reason or ''} {name or ''}".lower()
        return Status.NO_SHOW if _DID_NOT_COME.search(told) else Status.CANCELLED
    if name is None:
        return Status.BOOKED
    if name in words:
        try:
            return Status(words[name])
        except ValueError:
            return Status.UNKNOWN
    plain = " ".join(name.lower().split())
    if plain == NO_STATUS:
        return Status.BOOKED
    return next((status for rule, status in _RULES if rule.search(plain)), Status.UNKNOWN)
