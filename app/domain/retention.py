"""How long a practice keeps what only a repair or a look back needs (A29). Pure.

Wiped after so many days are the payload of a record that was set aside (the record itself stays, with its place and
the reason), what a row's events say of a person (that something changed, and when, stays), and, only where the practice
decided so, the notes of a visit (its case stays; the notes themselves are in the PMS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from app.errors import InvalidInput

SETTING = "retention"
PAYLOAD_DAYS, EVENT_DAYS = 30, 365
LEAST, MOST = 1, 3650

#: Columns whose old and new values in an event tell of a person: who they are, how to reach them, what was written.
PERSONAL = frozenset(
    {
        *("patient_name", "patient_phone", "patient_email", "patient_dob", "patients", "pms_patient_id"),
        *("pms_comment", "staff_note", "telehealth_url"),
    }
)
#: In the changes of an event: the columns that changed, and whose values are gone.
WIPED = "wiped"


@dataclass(frozen=True, slots=True)
class Retention:
    """Whole days. `events` counts from the day of the sheet, `payloads` from when the payload came.

    notes: counts from the day of the visit; None: for good, since clinical notes go by a decision only.
    """

    payloads: int = PAYLOAD_DAYS
    events: int = EVENT_DAYS
    notes: int | None = None

    def payloads_before(self, now: datetime) -> datetime:
        return now - timedelta(days=self.payloads)

    def sheets_before(self, today: date) -> date:
        return today - timedelta(days=self.events)

    def notes_from(self, today: date) -> date | None:
        """The first day whose notes are kept; always before today, so that nothing of a sheet in use is touched."""
        return None if self.notes is None else today - timedelta(days=self.notes)

    def as_setting(self) -> dict[str, int | None]:
        return {"payloadDays": self.payloads, "eventDays": self.events, "noteDays": self.notes}


def retention_of(settings: Mapping[str, Any]) -> Retention:
    """As the practice set it; the defaults where it did not, or where what stands there makes no sense."""
    found = settings.get(SETTING)
    given = found if isinstance(found, Mapping) else {}
    return Retention(
        _days(given.get("payloadDays")) or PAYLOAD_DAYS,
        _days(given.get("eventDays")) or EVENT_DAYS,
        _days(given.get("noteDays")),
    )


def checked(name: str, days: int) -> int:
    """Raises InvalidInput."""
    if not LEAST <= days <= MOST:
        raise InvalidInput({name: f"Keep it from {LEAST} to {MOST} days (ten years); {days} is not."})
    return days


def without_persons(changes: Mapping[str, Any]) -> dict[str, Any]:
    """An event's changes with the values of PERSONAL columns taken out: which of them changed stays, under WIPED."""
    gone = sorted({*(name for name in changes if name in PERSONAL), *changes.get(WIPED, ())})
    kept = {name: value for name, value in changes.items() if name not in PERSONAL and name != WIPED}
    return kept | {WIPED: gone} if gone else kept


def _days(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and LEAST <= value <= MOST else None
