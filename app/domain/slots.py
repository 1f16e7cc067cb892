"""The free slots of a day: opening hours cut into slots, without those that something takes. Pure.

A day is cut by elapsed time, so that it is right on a day of 23 or 25 hours: a skipped hour has no slot, a doubled one
has its slots twice, at different instants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.opening import DAY_MINUTES, WEEKDAYS, Opening, Period
from app.domain.status import Status
from app.domain.window import day_start

#: These appointments take no time any more.
FREES = frozenset({Status.CANCELLED, Status.NO_SHOW})


@dataclass(frozen=True, slots=True)
class Slot:
    """From `starts_at` to `ends_at`, both UTC, the end excluded."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that takes time: an appointment, a walk-in, a block. clinician_id, room: None where nobody said.

    A block that names neither a clinician nor a room closes the practice.
    """

    starts_at: datetime
    ends_at: datetime | None
    minutes: int | None
    clinician_id: UUID | None
    room: str | None
    is_block: bool = False
    status: Status | None = None
    gone: bool = False  # removed, or no longer in the PMS

    def takes(self) -> bool:
        return not self.gone and (self.is_block or self.status not in FREES)

    def end(self, slot_minutes: int) -> datetime:
        """Without an end or a length it is taken for one slot."""
        if self.ends_at is not None and self.ends_at > self.starts_at:
            return self.ends_at
        return self.starts_at + timedelta(minutes=self.minutes or slot_minutes)


@dataclass(frozen=True, slots=True)
class Free:
    """What is free on a day: by clinician and by room, each with its slots in order."""

    slots: Sequence[Slot]  # all of the day, taken or not
    providers: dict[UUID, list[Slot]]
    rooms: dict[str, list[Slot]]


def slots_of(day: date, zone: ZoneInfo, opening: Opening) -> list[Slot]:
    """Every slot of the day's opening hours; what is left at the end of a period and shorter than a slot is none."""
    length = timedelta(minutes=opening.slot_minutes)
    found = []
    for period in opening.hours.get(WEEKDAYS[day.weekday()], ()):
        start, end = _span(day, zone, period)
        while start + length <= end:
            found.append(Slot(start, start + length))
            start += length
    return found


def free_slots(day: date, zone: ZoneInfo, opening: Opening, providers: Sequence[UUID], taken: Iterable[Taken]) -> Free:
    """The slots of each provider and each room that nothing takes."""
    every = slots_of(day, zone, opening)
    busy = [one for one in taken if one.takes()]
    rooms = {room.casefold(): room for room in opening.rooms}
    for_all = list(_spans((one for one in busy if _closes_all(one)), opening))
    return Free(
        slots=every,
        providers={
            who: _left(every, [*for_all, *_spans((one for one in busy if one.clinician_id == who), opening)])
            for who in providers
        },
        rooms={
            room: _left(every, [*for_all, *_spans((one for one in busy if _is_in(one, folded)), opening)])
            for folded, room in rooms.items()
        },
    )


def _closes_all(one: Taken) -> bool:
    return one.is_block and one.clinician_id is None and one.room is None


def _is_in(one: Taken, folded_room: str) -> bool:
    return one.room is not None and " ".join(one.room.split()).casefold() == folded_room


def _spans(taken: Iterable[Taken], opening: Opening) -> Iterator[tuple[datetime, datetime]]:
    for one in taken:
        yield one.starts_at, one.end(opening.slot_minutes)


def _left(slots: Sequence[Slot], busy: Sequence[tuple[datetime, datetime]]) -> list[Slot]:
    return [one for one in slots if not any(start < one.ends_at and one.starts_at < end for start, end in busy)]


def _span(day: date, zone: ZoneInfo, period: Period) -> tuple[datetime, datetime]:
    """A period's instants, one unbroken stretch: a beginning in a doubled hour is its first one, an end there its
    second. An end or a beginning in a skipped hour is the moment at which the clock resumes.
    """
    return _instant(day, zone, period.start, last=False), _instant(day, zone, period.end, last=True)


def _instant(day: date, zone: ZoneInfo, minutes: int, *, last: bool) -> datetime:
    if minutes == DAY_MINUTES:
        return day_start(day + timedelta(days=1), zone)
    wall = datetime.combine(day, time(minutes // 60, minutes % 60), zone)
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if second < first:  # the wall never shows that time: of the two readings, one lies before the gap and one behind
        return _resumes(zone, second, first)
    return second if last else first


def _resumes(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The instant between the two at which the zone's offset changes."""
    old = before.astimezone(zone).utcoffset()
    while after - before > timedelta(minutes=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(second=0, microsecond=0)
