"""A case: what a clinic keeps beside an appointment. How a PMS's own words become its status and type; pure.

The words are a table a practice can edit. What it has not said is read by the defaults below, which are part of the
same table: a line of the practice's own for the same word takes their place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.status import Status


class CaseStatus(StrEnum):
    DRAFT = "draft"
    ONGOING = "ongoing"
    COMPLETED = "completed"
    REVIEWED = "reviewed"


class CaseType(StrEnum):
    CHECKUP = "checkup"
    EMERGENCY = "emergency"
    SURGERY = "surgery"
    FOLLOW_UP = "follow_up"


class Visibility(StrEnum):
    PRIVATE = "private"
    PUBLIC = "public"


class Origin(StrEnum):
    """Who made a case: a sync, or a browser extension's quick one, which no reconciliation touches."""

    SYNC = "sync"
    QUICK = "quick"


class WordKind(StrEnum):
    """What a line of the table is about."""

    STATUS = "status"
    TYPE = "type"


#: Stands for every word that no other line names.
ANY = "*"

#: The PMS's raw word first, then ours for it. A cancelled visit is still a draft: that it is off, its appointment says.
DEFAULT_STATUSES: Mapping[str, CaseStatus] = {
    "scheduled": CaseStatus.DRAFT,
    "booked": CaseStatus.DRAFT,
    "confirmed": CaseStatus.DRAFT,
    "arrived": CaseStatus.ONGOING,
    "in progress": CaseStatus.ONGOING,
    "completed": CaseStatus.COMPLETED,
    "cancelled": CaseStatus.DRAFT,
    "no show": CaseStatus.DRAFT,
    ANY: CaseStatus.DRAFT,
}

#: By words of a type's name. Of several that fit the first counts: an “emergency exam” is an emergency.
DEFAULT_TYPES: Mapping[str, CaseType] = {
    "emergency": CaseType.EMERGENCY,
    "urgent": CaseType.EMERGENCY,
    "follow up": CaseType.FOLLOW_UP,
    "followup": CaseType.FOLLOW_UP,
    "recheck": CaseType.FOLLOW_UP,
    "revisit": CaseType.FOLLOW_UP,
    "review": CaseType.FOLLOW_UP,
    "surgery": CaseType.SURGERY,
    "surgical": CaseType.SURGERY,
    "desexing": CaseType.SURGERY,
    "spay": CaseType.SURGERY,
    "neuter": CaseType.SURGERY,
    "exam": CaseType.CHECKUP,
    "examination": CaseType.CHECKUP,
    "checkup": CaseType.CHECKUP,
    "check up": CaseType.CHECKUP,
    "consult": CaseType.CHECKUP,
    "consultation": CaseType.CHECKUP,
    "vaccination": CaseType.CHECKUP,
    ANY: CaseType.CHECKUP,
}

_BETWEEN_WORDS = re.compile(r"[\W_]+")


def normal(word: str | None) -> str:
    """The word as the table holds it: small letters, single blanks, no punctuation. `*` stays."""
    text = (word or "").strip()
    return ANY if text == ANY else _BETWEEN_WORDS.sub(" ", text.casefold()).strip()


@dataclass(frozen=True, slots=True)
class CaseWords:
    """A practice's own lines, by normal word; the defaults stand behind them."""

    statuses: Mapping[str, CaseStatus] = field(default_factory=dict)
    types: Mapping[str, CaseType] = field(default_factory=dict)

    def status_of(self, raw_status: str | None, status: Status | str) -> CaseStatus:
        """By the PMS's own word, else by ours for it, else by the line for any."""
        table = {**DEFAULT_STATUSES, **self.statuses}
        for word in (normal(raw_status), normal(str(status))):
            if word and word in table:
                return table[word]
        return table[ANY]

    def type_of(self, type_name: str | None) -> CaseType:
        """By the whole name, else by the longest word of the practice's in it, else by the first default in it."""
        name = normal(type_name)
        table = {**DEFAULT_TYPES, **self.types}
        if name in table:
            return table[name]
        own = sorted(self.types, key=len, reverse=True)
        for word in (*own, *DEFAULT_TYPES):
            if word != ANY and f" {word} " in f" {name} ":
                return table[word]
        return table[ANY]
