"""When something is due. Pure: a caller hands in the slot, the zone and the time.

Cron lines are read in the practice's zone by cronsim, which fires each local slot once on both clock-change days;
rq-scheduler's own cron does not (faults §4.2), so it carries nothing but a tick.
"""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.errors import InvalidInput

#: A thousand connections due at the same minute are spread over this long, each always by the same offset.
SPREAD_S = 300
#: Missed slots that are counted one by one; after a longer silence the count stands still, the next slot does not.
_MOST_COUNTED = 10_000
#: Today is read at most every so many minutes between the ordinary sweeps, and for at most this part of a budget.
NEAR_QUICKEST, NEAR_SHARE = 2, 0.25
#: No two zones differ by more than this.
_MOST_APART = timedelta(hours=27)


def check_cron(line: str) -> str:
    """The line, when it can ever fire. Raises InvalidInput with a sentence.

    Five fields: cronsim would read a sixth as seconds, and nobody means to sync each second.
    """
    try:
        if len(line.split()) != 5:
            raise CronSimError("Wrong number of fields")
        next(CronSim(line, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise InvalidInput({"cron": f"“{line}” is not a cron line that ever comes due."}) from None
    return line


def offset_s(connection_id: UUID, spread_s: int = SPREAD_S) -> int:
    """How many seconds after its slot a connection starts: stable, so that its own interval stays even."""
    return int.from_bytes(hashlib.blake2b(connection_id.bytes, digest_size=4).digest(), "big") % max(1, spread_s)


def offset_of(connection_id: UUID, kind: str) -> timedelta:
    """How long after its slot a cron schedule starts: its connection's seconds, and a few microseconds of its own.

    Two lines of one connection that fall on one minute are taken up together; yet their slots differ, so that the one
    is never taken for a repetition of the other.
    """
    apart = int.from_bytes(hashlib.blake2b(kind.encode(), digest_size=4).digest(), "big") % 900_000
    return timedelta(seconds=offset_s(connection_id), microseconds=apart + 1)


def next_interval(last_due: datetime, minutes: int, now: datetime) -> tuple[datetime, int]:
    """The first slot after `now` on the grid that `last_due` lies on, and how many slots were missed on the way.

    Missed slots are not made up one by one: one run catches up for all of them.
    """
    step = timedelta(minutes=minutes)
    if now < last_due:
        return last_due, 0
    passed = int((now - last_due) / step)
    return last_due + step * (passed + 1), passed


def near_minutes(
    interval_minutes: int, calls: int, *, per_hour: int, per_day: int | None = None, sharing: int = 1
) -> int | None:
    """Every how many minutes today is read between the ordinary sweeps; None where that would not be worth it.

    calls: what one such reading costs. sharing: connections that spend the same budget, all of them doing this. No
    more than a quarter of it goes here, so that ordinary sweeps, a day's nightly one and people keep theirs; a vendor
    that allows few calls a day is simply read at the practice's own interval.
    """
    hourly = per_hour if per_day is None else min(per_hour, per_day / 24)
    minutes = max(NEAR_QUICKEST, math.ceil(60 * max(1, calls) * max(1, sharing) / (hourly * NEAR_SHARE)))
    return minutes if 2 * minutes <= interval_minutes else None


def next_cron(line: str, zone: ZoneInfo, after: datetime) -> datetime:
    """The first instant after `after` at which the line is due in `zone`, in UTC."""
    return next(CronSim(line, after.astimezone(zone))).astimezone(UTC)


def next_cron_after(line: str, zone: ZoneInfo, last_due: datetime, now: datetime) -> tuple[datetime, int]:
    """As next_interval, for a cron line."""
    missed, due = -1, last_due
    while due <= now and missed < _MOST_COUNTED:
        missed, due = missed + 1, next_cron(line, zone, due)
    return (due if due > now else next_cron(line, zone, now)), max(0, missed)


def local_of(slot: datetime, zone: ZoneInfo) -> str:
    """A slot as the clock on the practice's wall shows it: 2026-03-09T06:00."""
    return slot.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def is_fixed(line: str) -> bool:
    """Whether the line names its hours and minutes. One with a star there counts elapsed time, and repeats anyhow."""
    minute, hour = line.split()[:2]
    return "*" not in minute and "*" not in hour


def next_cron_anew(line: str, zone: ZoneInfo, now: datetime, last_local: str | None) -> datetime:
    """The next slot of a line that is reckoned anew because somebody edited it or corrected the zone.

    Where the wall clock was set back by that, a fixed local time it has come due for already does not come again.
    """
    due = next_cron(line, zone, now)
    if last_local is None or not is_fixed(line):
        return due
    first, farthest = due, now + _MOST_APART
    while local_of(due, zone) <= last_local and due < farthest:
        due = next_cron(line, zone, due)
    return due if local_of(due, zone) > last_local else first
