"""FHIR's patients and practitioners in the house's words. Pure.

Source: pms/fhir-r4.md §3. Which name and which number is taken is [assumed] there and decided here alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from app.domain.appointment import Client, Patient, Practitioner
from app.domain.names import first_of, full_name
from app.pms.fhir import wire

UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"

_NAME_USES = {"official": 0, "usual": 1}
#: What no one should be called, or be reached at, any more.
_FORMER = frozenset({"old", "maiden"})
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_YEAR, _LAST_YEAR = 1850, 2100


def patient(row: wire.Person, now: datetime, display: str | None = None) -> Patient:
    """display: what the appointment called them, for a record without a usable name."""
    name = _best_name(row.name or (), now)
    first, last = (_given(name), first_of((name.family,))) if name else (None, None)
    shown = (full_name(name.text) or full_name(first, last)) if name else ""
    return Patient(
        row.id or "",
        shown or full_name(display) or UNKNOWN_PATIENT,
        first,
        last,
        _reach(row.telecom, ("phone", "sms"), now),
        _reach(row.telecom, ("email",), now),
        birth_date(row.birth_date),
    )


def named_only(patient_id: str, display: str | None) -> Patient:
    """Somebody of whom only the appointment tells: a patient must not vanish for want of a record."""
    return Patient(patient_id, full_name(display) or UNKNOWN_PATIENT)


def client(one: Patient) -> Client:
    """Who books and pays is the patient."""
    return Client(one.external_id, one.full_name, one.first_name, one.last_name, one.phone, one.email, one.birth_date)


def practitioner(row: wire.Person, now: datetime, *, in_book: bool = True) -> Practitioner:
    """Not said counts as active [assumed]."""
    name = _best_name(row.name or (), now)
    shown = ""
    if name:
        shown = full_name(name.text) or full_name(*(name.prefix or ()), _given(name), name.family)
    return Practitioner(
        row.id or "",
        shown or UNKNOWN_PRACTITIONER,
        _reach(row.telecom, ("email",), now),
        active=row.active is not False,
        shown_in_book=in_book,
    )


def birth_date(text: str | None) -> date | None:
    """A whole date only. The standard allows a year alone, and nobody was born on its first day for that."""
    if text is None or not _DAY.fullmatch(text.strip()):
        return None
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _best_name(names: Iterable[wire.HumanName], now: datetime) -> wire.HumanName | None:
    """Official, else usual, else the first that is not a former one."""
    kept = [one for one in names if one.use not in _FORMER and not _over(one.period, now)]
    said = [one for one in kept if full_name(one.text, _given(one), one.family)]
    return min(said, key=lambda one: _NAME_USES.get(one.use or "", 2), default=None)


def _given(name: wire.HumanName) -> str | None:
    return full_name(*(name.given or ())) or None


def _reach(points: Iterable[wire.ContactPoint] | None, systems: tuple[str, ...], now: datetime) -> str | None:
    """A mobile first, then by rank; what is old or over is none."""
    kept = [
        one
        for one in points or ()
        if one.system in systems and one.use not in _FORMER and not _over(one.period, now) and first_of((one.value,))
    ]
    kept.sort(key=lambda one: (one.use != "mobile", one.rank if one.rank else 1_000))
    return first_of(one.value for one in kept)


def _over(period: wire.Period | None, now: datetime) -> bool:
    """Whether a period has ended. Its end may be a year, a month, a day or an instant: a stretch that is not over
    before the whole of it has passed.
    """
    end = (period.end or "").strip() if period else ""
    if not end:
        return False
    day = end[:10]
    return day < now.astimezone(UTC).date().isoformat()[: len(day)]
