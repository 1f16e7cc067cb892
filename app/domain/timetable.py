"""A practice's own cron lines: what `clinic_schedule_configs.sync_schedules` says, read and checked. Pure.

The column is JSON that a person or an SQL statement edits, so anything may stand there: what cannot be read is told
by its place and a sentence, and the other lines count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.domain.schedule import check_cron
from app.errors import InvalidInput

#: What a line is for -> the phase that serves it, and how many days before and after today such a run reads.
_SERVED_BY: dict[str, tuple[str, int, int]] = {
    "inbound": ("inbound", 0, 7),
    "cases": ("enrichment", 7, 0),
    "reconciliation": ("reconciliation", 7, 0),
    "discovery": ("discovery", 90, 90),
}
#: Where somebody names no time.
USUAL_CRON = {"discovery": "0 3 * * *"}
#: The other spellings in use.
_ALSO = {"enrichment": "cases", "reconcile": "reconciliation", "appointments": "inbound"}
TYPES = tuple(_SERVED_BY)
#: A cron line is kept in a column this wide.
_LONGEST = 120
#: Lines one practice may have; more is a mistake.
MOST_LINES = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `type` is one of TYPES, `cron` has five fields and comes due some day."""

    type: str
    cron: str
    enabled: bool = True

    @property
    def phase(self) -> str:
        return _SERVED_BY[self.type][0]

    @property
    def days_before(self) -> int:
        return _SERVED_BY[self.type][1]

    @property
    def days_after(self) -> int:
        return _SERVED_BY[self.type][2]

    def as_json(self) -> dict[str, Any]:
        return {"type": self.type, "cron": self.cron, "enabled": self.enabled}


@dataclass(frozen=True, slots=True)
class Problem:
    """An entry that does not count: its place in the list from 1 (0: the whole list), and why."""

    position: int
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"position": self.position, "reason": self.reason}


def type_of(word: object) -> str:
    """The type of that name, in either spelling. Raises InvalidInput."""
    name = word.strip().lower() if isinstance(word, str) else ""
    name = _ALSO.get(name, name)
    if name not in _SERVED_BY:
        raise InvalidInput({"type": f"{_quoted(word)} is not something to schedule. Use one of {', '.join(TYPES)}."})
    return name


def line_of(type_: object, cron: object, enabled: object = True) -> Line:
    """A line from what somebody typed; cron None: the usual one, where its type has one. Raises InvalidInput."""
    name = type_of(type_)
    cron = USUAL_CRON.get(name) if cron is None else cron
    if not isinstance(cron, str) or not cron.strip():
        raise InvalidInput({"cron": "A line needs a cron line of five fields, such as 0 6 * * *."})
    cleaned = " ".join(cron.split())
    if len(cleaned) > _LONGEST:
        raise InvalidInput({"cron": f"Use at most {_LONGEST} characters for a cron line."})
    if not isinstance(enabled, bool):
        raise InvalidInput({"enabled": "“enabled” is true or false."})
    return Line(name, check_cron(cleaned), enabled)


def read(value: object) -> tuple[list[Line], list[Problem]]:
    """The lines that count and the entries that do not. Raises nothing."""
    if value is None:
        return [], []
    if not isinstance(value, list):
        return [], [Problem(0, "sync_schedules is not a JSON list, so nothing of it counts.")]
    lines: list[Line] = []
    problems: list[Problem] = []
    for position, entry in enumerate(value, 1):
        try:
            if position > MOST_LINES:
                raise InvalidInput(f"More than {MOST_LINES} lines: this one is left out.")
            if not isinstance(entry, dict):
                raise InvalidInput('An entry is an object such as {"type": "inbound", "cron": "0 6 * * *"}.')
            lines.append(line_of(entry.get("type"), entry.get("cron"), entry.get("enabled", True)))
        except InvalidInput as error:
            problems.append(Problem(position, str(error)))
    return lines, problems


def kinds(lines: Iterable[Line]) -> dict[str, Line]:
    """Each line under the name its schedule row has: `cron:inbound`, a second one of that phase `cron:inbound:2`."""
    seen = Counter[str]()
    named = {}
    for line in lines:
        seen[line.phase] += 1
        number = seen[line.phase]
        named[f"{CRON}{line.phase}" if number == 1 else f"{CRON}{line.phase}:{number}"] = line
    return named


#: How the kind of every derived row begins.
CRON = "cron:"


def _quoted(word: object) -> str:
    text = str(word) if isinstance(word, str | int | float) else "That"
    return f"“{text[:40]}”" if text else "Nothing"
