"""Names, telephone numbers and times of day as people read them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import phonenumbers

#: PMS fields hold free text; what is longer than this is cut, so that one poisoned record cannot fill a page.
MAX_TEXT = 10_000

_NBSP = "\u00a0"
#: Where a telephone number begins in what somebody typed, up to the first letter behind it.
_DIGITS = re.compile(r"\+?\d[\W\d_]*")


def full_name(*parts: str | None) -> str:
    """The parts that are there, in order, single spaces between them."""
    return " ".join(word for part in parts if part for word in part.split())


def initials(name: str) -> str:
    """“A. B.” of a full name, for places where the name itself must not stand."""
    return " ".join(f"{word[0].upper()}." for word in name.split() if word[0].isalnum())


def phone_e164(raw: str | None, region: str = "AU") -> str | None:
    """The number in E.164 (`+61491570156`), or None where it cannot be one.

    Extensions and words around the number are dropped; left in, the parser would dial them ("mum" is 686). A number
    that belongs to nobody's plan is still kept: numbers reserved for fiction and new ranges must not vanish from the
    page. One without its area code is none: nobody can call it from elsewhere.
    """
    found = _DIGITS.search(raw or "")
    if found is None:
        return None
    try:
        number = phonenumbers.parse(found[0], region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or _lacks_area_code(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _lacks_area_code(number: phonenumbers.PhoneNumber) -> bool:
    as_landline = phonenumbers.is_possible_number_for_type_with_reason(number, phonenumbers.PhoneNumberType.FIXED_LINE)
    local_only = as_landline == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY
    return local_only and not phonenumbers.is_valid_number(number)


def first_of(values: Iterable[str | None]) -> str | None:
    """The first value that says something."""
    return next((value.strip() for value in values if value and value.strip()), None)


def clip(text: str | None, limit: int = MAX_TEXT) -> str | None:
    """The text without NULs (PostgreSQL refuses them) and outer blanks, at most `limit` characters; None when empty.

    What was cut ends in “…”, so that nobody takes the half of a note for the whole.
    """
    if not text:
        return None
    cleaned = text.replace("\x00", "").strip()
    if len(cleaned) > limit:
        cleaned = cleaned[: limit - 1] + "…"
    return cleaned or None


def look_alikes(ids: Iterable[str]) -> list[list[str]]:
    """Ids that are written differently and look the same (“é” as one character or as two). They are never merged."""
    same: dict[str, set[str]] = {}
    for one in ids:
        if not one.isascii():
            same.setdefault(unicodedata.normalize("NFC", one), set()).add(one)
    return [sorted(group) for group in same.values() if len(group) > 1]


def time_of_day(instant: datetime, zone: ZoneInfo) -> str:
    """`9:05 am` in the practice's zone, held together by a no-break space."""
    local = instant.astimezone(zone)
    return f"{local.hour % 12 or 12}:{local.minute:02}{_NBSP}{'am' if local.hour < 12 else 'pm'}"


def clock_time(instant: datetime, zone: ZoneInfo) -> str:
    """`09:05` in the practice's zone: the run sheet's own column, where figures line up."""
    return instant.astimezone(zone).strftime("%H:%M")


def zone_label(instant: datetime, zone: ZoneInfo) -> str:
    """`AEDT`, or `UTC+05:45` where the zone has no letters of its own."""
    local = instant.astimezone(zone)
    label = local.tzname() or ""
    return label if label.isalpha() else f"UTC{local.isoformat()[-6:]}"


def duration_words(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 5 min`, `2 days`: an age somebody reads in passing."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 2 * 86400:
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{whole // 86400} days"
