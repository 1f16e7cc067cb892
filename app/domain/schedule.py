"""When something is due. Pure: a caller hands in the slot, the zone and the time.

Cron lines are read in the practice's zone by cronsim, which fires each local slot once on both clock-change days;
rq-scheduler's own cron does not (faults §4.2), so it carries nothing but a tick.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.errors import InvalidInput

#: A thousand connections due at the same minute are spread over this long, each always by the same offset.
SPREAD_S = 300
#: Missed slots that are counted one by one; after a longer silence the count stands still, the next slot does not.
_MOST_COUNTED = 10_000


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


def next_interval(last_due: datetime, minutes: int, now: datetime) -> tuple[datetime, int]:
    """The first slot after `now` on the grid that `last_due` lies on, and how many slots were missed on the way.

    Missed slots are not made up one by one: one run catches up for all of them.
    """
    step = timedelta(minutes=minutes)
    if now < last_due:
        return last_due, 0
    passed = int((now - last_due) / step)
    return last_due + step * (passed + 1), passed


def next_cron(line: str, zone: ZoneInfo, after: datetime) -> datetime:
    """The first instant after `after` at which the line is due in `zone`, in UTC."""
    return next(CronSim(line, after.astimezone(zone))).astimezone(UTC)


def next_cron_after(line: str, zone: ZoneInfo, last_due: datetime, now: datetime) -> tuple[datetime, int]:
    """As next_interval, for a cron line."""
    missed, due = -1, last_due
    while due <= now and missed < _MOST_COUNTED:
        missed, due = missed + 1, next_cron(line, zone, due)
    return (due if due > now else next_cron(line, zone, now)), max(0, missed)
