"""A row of a file as an entry, and the small lists beside the schedule.

Source: pms/cornerstone-avimark.md §3.5 and §6 [assumed]. A row that went through a spreadsheet may have lost zeros, or
have an id in powers of ten: what can be told from that is set aside, never mended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from app.domain.appointment import AppointmentType, Client, Patient, Practitioner
from app.domain.names import clip, full_name
from app.domain.window import from_wall
from app.pms.onpremise.feed import UNKNOWN_PATIENT, Entry
from app.pms.onpremise.richtext import as_text
from app.pms.rows import RowFault

#: Of each group one heading has to be there.
SCHEDULE = (
    ("appointment_id",),
    ("start_local",),
    ("duration_min", "end_local"),
    ("client_id",),
    ("client_last",),
    ("patient_id",),
    ("patient_name",),
)
LIST = (("code",), ("name",))

_LONGEST_ID, LONGEST_MINUTES = 255, 60 * 24 * 366
FIRST_YEAR, LAST_YEAR = 1900, 2100
_POWERS_OF_TEN = re.compile(r"\d+([.,]\d+)?[eE]\+?\d+")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_SLASHES = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})[ ,]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AaPp])\.?[Mm]\.?)?")
_YES, _NO = frozenset({"y", "yes", "true", "1"}), frozenset({"", "n", "no", "false", "0"})


def entry(row: Mapping[str, str], dates: str, zone: ZoneInfo) -> Entry:
    """One row. dates: as of a Manifest. Raises RowFault with the column."""
    starts = wall(row["start_local"], dates, "$.start_local")
    if starts is None:
        raise RowFault("$.start_local", "missing")
    return Entry(
        external_id=ident(row, "appointment_id") or _missing("appointment_id"),
        starts=starts,
        zone=zone,
        minutes=minutes(row.get("duration_min", ""), "$.duration_min"),
        ends=wall(row.get("end_local", ""), dates, "$.end_local"),
        client=client(row),
        patient=patient(row),
        is_block=flag(row.get("is_block", ""), "$.is_block"),
        provider_code=ident(row, "provider_code"),
        provider_name=row.get("provider_name") or None,
        type_code=ident(row, "type_code"),
        type_name=row.get("type_name") or None,
        room=row.get("room") or None,
        status=row.get("status") or None,
        confirmed=_stamp(row, "confirmed_at", dates) is not None,
        arrived=_stamp(row, "checked_in_at", dates),
        why=clip(as_text(row.get("reason", ""))),
        notes=clip(as_text(row.get("notes", ""))),
        changed_at=_changed_at(row, dates, zone),
    )


def client(row: Mapping[str, str]) -> Client | None:
    """Who books and pays. A client without a number is kept by name. [assumed]"""
    first, last = row.get("client_first") or None, row["client_last"] or None
    found = ident(row, "client_id")
    if not found and not last:
        return None
    return Client(found or "", full_name(first, last), first, last, row.get("phone") or None, row.get("email") or None)


def patient(row: Mapping[str, str]) -> Patient | None:
    name, found = row["patient_name"], ident(row, "patient_id")
    if not found and not name:
        return None
    return Patient(
        found or "",
        name or UNKNOWN_PATIENT,
        first_name=name or None,
        species=row.get("species") or None,
        breed=row.get("breed") or None,
    )


# --- lists ------------------------------------------------------------------------------------------------------------


def practitioner(row: Mapping[str, str]) -> Practitioner:
    """Of a file of staff. Who is not said to have left works there. Raises RowFault."""
    code = ident(row, "code") or _missing("code")
    return Practitioner(code, row["name"] or code, row.get("email") or None, active=flag(row.get("active") or "y", "$"))


def kind(row: Mapping[str, str]) -> AppointmentType:
    """Of a file of types. Raises RowFault."""
    code = ident(row, "code") or _missing("code")
    return AppointmentType(code, row["name"] or code, minutes(row.get("minutes", ""), "$.minutes"))


# --- values -----------------------------------------------------------------------------------------------------------


def ident(row: Mapping[str, str], column: str) -> str | None:
    value = row.get(column, "")
    if len(value) > _LONGEST_ID:
        raise RowFault(f"$.{column}", "out_of_range")
    if _POWERS_OF_TEN.fullmatch(value):
        raise RowFault(f"$.{column}", "invalid")
    return value or None


def wall(text: str, dates: str, path: str) -> datetime | None:
    """A wall time. `2026-03-09 09:15` always; dates with slashes only in the order that the manifest names."""
    text = text.strip()
    if not text:
        return None
    try:
        if _ISO.fullmatch(text):
            found = datetime.fromisoformat(text)
        elif dates != "iso" and (parts := _SLASHES.fullmatch(text)):
            found = _of_slashes(parts, dates)
        else:
            raise RowFault(path, "invalid")
    except ValueError:
        raise RowFault(path, "invalid") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise RowFault(path, "out_of_range")
    return found


def _of_slashes(parts: re.Match[str], dates: str) -> datetime:
    first, second, year, hour, minute = (int(parts[number]) for number in range(1, 6))
    month, day = (first, second) if dates == "mdy" else (second, first)
    if half := parts[7]:
        if not 1 <= hour <= 12:
            raise ValueError("an hour beyond the half of a day")
        hour = hour % 12 + (12 if half in "pP" else 0)
    return datetime(year, month, day, hour, minute, int(parts[6] or 0))  # noqa: DTZ001 - a wall time


def minutes(text: str, path: str) -> int | None:
    """Whole minutes; none and zero say nothing."""
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}([.,]0+)?", text):
        raise RowFault(path, "invalid")
    found = int(re.split("[.,]", text)[0])
    if found > LONGEST_MINUTES:
        raise RowFault(path, "out_of_range")
    return found or None


def flag(text: str, path: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        raise RowFault(path, "invalid")
    return word in _YES


def _stamp(row: Mapping[str, str], column: str, dates: str) -> datetime | None:
    """A stamp that cannot be read is no reason to leave the visit out."""
    try:
        return wall(row.get(column, ""), dates, f"$.{column}")
    except RowFault:
        return None


def _changed_at(row: Mapping[str, str], dates: str, zone: ZoneInfo) -> datetime | None:
    found = _stamp(row, "modified_at", dates)
    return None if found is None else from_wall(found, zone)[0].astimezone(UTC)


def _missing(column: str) -> str:
    raise RowFault(f"$.{column}", "missing")
