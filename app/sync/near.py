"""The narrow sweep: between the ordinary ones, what is near now is read again every few minutes.

It reads whole local days: today, and tomorrow once the next 90 minutes reach into it. A stretch of a day would be
cheaper with some vendors, but a sweep proves what is *not* there any more only for the window it has read whole, and
sheets, ages and the account of the day are kept by the day. So it is the ordinary sweep of one day, without the
catalogue, at a price that is reckoned beforehand: as often as a quarter of the vendor's budget allows, and not at all
where that is hardly oftener than the practice's own interval. With a vendor that tells what changed since an instant
it reads just that: the sheet then says as ever when the day was last read whole, and that changes were read since.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.config import VendorSettings
from app.domain import schedule
from app.errors import InvalidInput
from app.pms.limits import Limits
from app.pms.registry import adapter_class
from app.store import connections, schedules
from app.store.db import Store

#: How far ahead “near” reaches.
REACH = timedelta(minutes=90)
#: Where the vendor tells what changed, that is read in between, and whole days at the practice's interval (P4).
WHOLE, CHANGED = ["inbound"], ["changes"]


def plan(store: Store, vendor: Callable[[str], VendorSettings]) -> int:
    """Give every connection that syncs the narrow sweep its budget allows, or none. How many changed.

    Three statements where nothing changed, which is nearly always.
    """
    with store.read() as session:
        changes = list(_changes(session, vendor))
    for connection_id, minutes in changes:
        store.transact(lambda session, id_=connection_id, every=minutes: _set(session, id_, every))  # type: ignore[misc]
    return len(changes)


def _changes(session: Session, vendor: Callable[[str], VendorSettings]) -> Iterator[tuple[UUID, int | None]]:
    found = schedules.nearable(session)
    alike = Counter((one.pms_type, one.environment) for one in found if one.syncs)
    for one in found:
        sharing = alike[one.pms_type, one.environment]
        minutes = minutes_for(one.pms_type, one.interval_minutes, one.practitioners, sharing, vendor(one.pms_type))
        if not one.syncs:
            minutes = None
        if minutes != one.near_minutes:
            yield one.connection_id, minutes


def minutes_for(
    pms_type: str, interval_minutes: int, practitioners: int, sharing: int, vendor: VendorSettings
) -> int | None:
    """Every how many minutes such a connection is read in between; None: not at all.

    One chain of pages a practitioner is the dearest way vendors have, so that is what it is reckoned with. sharing:
    connections of the same system; they spend one budget where nobody types credentials, each its own otherwise.
    """
    try:
        adapter = adapter_class(pms_type)
    except InvalidInput:
        return None
    limits = Limits.of(vendor, adapter.limits)
    return schedule.near_minutes(
        interval_minutes,
        max(1, practitioners),
        per_hour=limits.per_hour,
        per_day=limits.per_day,
        sharing=1 if adapter.credentials else sharing,
    )


def _set(session: Session, connection_id: UUID, minutes: int | None) -> None:
    connections.hold(session, connection_id)
    connection = connections.get(session, connection_id)
    phases = CHANGED if _tells_changes(connection.pms_type) else WHOLE
    schedules.set_near(session, connection, minutes, phases, clock.now())


def _tells_changes(pms_type: str) -> bool:
    try:
        return adapter_class(pms_type).capabilities.incremental
    except InvalidInput:
        return False
