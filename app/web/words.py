"""What things are called on a page: statuses, steps, shapes, vendors, ages."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

from app.domain.freshness import Age, Freshness
from app.domain.names import duration_words
from app.domain.status import Status

#: The word of a status; its shape in templates/_shapes.html has the status's own name.
STATUS_WORDS = {
    Status.BOOKED: "Booked",
    Status.CONFIRMED: "Confirmed",
    Status.ARRIVED: "Waiting",
    Status.IN_PROGRESS: "In call",
    Status.COMPLETED: "Completed",
    Status.CANCELLED: "Cancelled",
    Status.NO_SHOW: "No-show",
    Status.UNKNOWN: "Unknown",
}
#: What the one button says, by the status it sets.
STEP_WORDS = {Status.ARRIVED: "Arrived", Status.IN_PROGRESS: "Start call", Status.COMPLETED: "Complete"}
#: What the menu says, by the status it sets.
MOVE_WORDS = STEP_WORDS | {
    Status.BOOKED: "Back to booked",
    Status.CONFIRMED: "Confirmed",
    Status.NO_SHOW: "No-show",
    Status.CANCELLED: "Cancelled",
}
#: The word for the same status where the PMS says it.
PMS_WORDS = STATUS_WORDS | {Status.ARRIVED: "Arrived", Status.IN_PROGRESS: "In progress"}

_VENDORS = {
    "medirecords": "MediRecords",
    "idexx_neo": "IDEXX Neo",
    "ezyvet": "ezyVet",
    "avimark": "AVImark",
    "intakeq": "IntakeQ",
    "fhir": "FHIR server",
}


def pms_name(kind: str) -> str:
    """What people call that PMS."""
    return _VENDORS.get(kind, kind.replace("_", " ").title())


def move_word(current: Status, to: Status) -> str:
    """What the menu calls that move: a step back says so."""
    if current is Status.IN_PROGRESS and to is Status.ARRIVED:
        return "Back to waiting"
    if current is Status.COMPLETED and to is Status.IN_PROGRESS:
        return "Back in call"
    if current is Status.ARRIVED and to is Status.CONFIRMED:
        return "Not here yet"
    return MOVE_WORDS[to]


def hhmm(instant: datetime, zone: ZoneInfo) -> str:
    """`09:05`, the run sheet's own way of writing a time. As `names.clock_time`, without going through strftime."""
    local = instant.astimezone(zone)
    return f"{local.hour:02}:{local.minute:02}"


def since(at: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """`10:42`, or `10:42 on 3 March` where that was another day."""
    if at is None:
        return "an unknown time"
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return hhmm(at, zone)
    return f"{hhmm(at, zone)} on {local.day} {local:%B}"


def minutes_words(minutes: int | None) -> str:
    return "open-ended" if minutes is None else f"{minutes} min"


def age_words(age: Age) -> str:
    """`Live, 40 s ago`. The script in sheet.js says the same as time goes on."""
    if age.seconds is None:
        return "Never read" if age.word is Freshness.NEVER else "Broken, never read"
    read = "" if age.word is Freshness.LIVE else "read "
    return f"{age.word.value.capitalize()}, {read}{ago_words(age.seconds)}"


def ago_words(seconds: float) -> str:
    if seconds < 10:
        return "just now"
    if seconds < 60:
        return f"{int(seconds // 10) * 10} s ago"
    return f"{duration_words(seconds)} ago"


def phone_words(number: str | None, region: str) -> str:
    """`0491 570 006` for a number of the practice's own country, `+64 9 555 0100` for another's."""
    if not number:
        return ""
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return number
    at_home = phonenumbers.country_code_for_region(region) == parsed.country_code
    form = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(parsed, form.NATIONAL if at_home else form.INTERNATIONAL)


def epoch(instant: datetime | None) -> int | str:
    return "" if instant is None else int(instant.timestamp())


def day_words(day: Any, today: Any) -> str:
    """`Friday 20 November`, with the year where it is another one."""
    words = f"{day:%A} {day.day} {day:%B}"
    return words if day.year == today.year else f"{words} {day.year}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 appointment`, `3 appointments`."""
    return f"{count} {one if count == 1 else many or one + 's'}"
