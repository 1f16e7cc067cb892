"""Suggestions with their reason. A suggestion is shown, never ticked for anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

_TELEHEALTH = re.compile(r"tele-?\s?health|\bvideo|\bphone\b|\btelephone\b|\bcoviu\b|\bonline\b|\bvirtual\b", re.I)
_TITLES = frozenset({"dr", "prof", "a/prof", "mr", "mrs", "ms", "miss", "mx", "nurse", "sr"})


def telehealth_reason(type_name: str) -> str | None:
    """Why a type looks like telehealth, in words, or None where nothing says so."""
    found = _TELEHEALTH.search(type_name)
    return f"the name says “{found[0]}”" if found else None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clinician of the run sheet somebody could be mapped to."""

    id: UUID
    name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    clinician_id: UUID
    clinician_name: str
    reason: str


def bare_name(name: str) -> str:
    """The name without titles, case and doubled blanks: how two lists of people are compared."""
    words = re.sub(r"[.,]", " ", name.lower()).split()
    return " ".join(word for word in words if word not in _TITLES)


def clinician_for(name: str, email: str | None, candidates: Iterable[Candidate]) -> Suggestion | None:
    """The clinician a practitioner most likely is: same e-mail, else same name, else the only same family name."""
    people = list(candidates)
    if email:
        for person in people:
            if person.email and person.email.lower() == email.lower():
                return Suggestion(person.id, person.name, "same e-mail address")
    wanted = bare_name(name)
    for person in people:
        if wanted and bare_name(person.name) == wanted:
            return Suggestion(person.id, person.name, "same name")
    family = wanted.split()[-1] if wanted else ""
    relatives = [person for person in people if family and bare_name(person.name).split()[-1:] == [family]]
    if len(relatives) == 1:
        return Suggestion(relatives[0].id, relatives[0].name, "same family name")
    return None
