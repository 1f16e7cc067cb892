"""When a clinic is open, as its calendar in Neo is set up: hours, slot length, rooms. Pure.

Source: pms/idexx-neo.md §2.3. The older answer's shape was never verified.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.domain import opening
from app.domain.opening import WEEKDAYS, Opening
from app.errors import InvalidInput
from app.pms.idexx_neo import wire

#: (days, 0 is Sunday; start; end), as told.
Stretch = tuple[list[int], str, str]


def of_view(told: wire.View) -> Opening | None:
    """None where it says nothing of hours, or something that cannot be."""
    stretches = [(one.days_of_week, one.start_time, one.end_time) for one in told.business_hours or ()]
    return _opening(stretches, told.slot_interval, told.appointment_rooms)


def of_old(told: wire.OldConfig) -> Opening | None:
    hours = told.business_hours
    return _opening([(hours.days_of_week, hours.start, hours.end)], told.slot_duration, told.rooms)


def _opening(stretches: Sequence[Stretch], slot_minutes: int | None, rooms: list[wire.Named] | None) -> Opening | None:
    if not stretches:
        return None
    days: dict[str, list[tuple[str, str]]] = {}
    for numbers, start, end in stretches:
        for number in numbers:
            if not 0 <= number <= 6:
                return None
            days.setdefault(WEEKDAYS[(number - 1) % 7], []).append((start, end))
    try:
        named = [one.name for one in rooms or () if one.name and one.name.strip()]
        slot = Opening().slot_minutes if slot_minutes is None else opening.slot_of(slot_minutes)
        return Opening(opening.hours_of(days), slot, opening.rooms_of(named))
    except InvalidInput:
        return None
