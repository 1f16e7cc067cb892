"""What IntakeQ does not tell of an account, and what we take in its place: its zone, and an id of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from app.domain.window import zone_of
from app.pms import rows
from app.pms.errors import PmsNotConfigured
from app.pms.intakeq import wire
from app.pms.port import Site
from app.pms.rows import RowFault


def account_zone(site: Site) -> ZoneInfo:
    """The account's zone, which no answer names (assumed: it is the practice's own).

    It decides which dates are asked for, with a day to spare at either end, and how a wall time without offset is
    read; instants come in milliseconds and need none.
    """
    return zone_of(site.timezone)


def account_of(staff: Iterable[bytes], known: str | None = None) -> str:
    """What stands for the account: the id of the practitioner who was there first. [assumed]

    There is no "who am I", and the account's own number comes in webhooks only. A practitioner's id is no secret,
    belongs to one account, and outlives a change of the key, which a digest of the key would not. known: what the
    connection was bound to; it stands as long as that practitioner is listed. staff: the list's records, raw.
    Raises PmsNotConfigured where nobody is listed.
    """
    listed = list(_readable(staff))
    if not listed:
        raise PmsNotConfigured("This IntakeQ account lists no practitioner yet, so there is nothing to tell it by.")
    if known is not None and any(str(one.id) == known for one in listed):
        return known
    first = min(listed, key=lambda one: (one.date_created is None, one.date_created or 0, str(one.id)))
    return str(first.id)


def _readable(staff: Iterable[bytes]) -> Iterator[wire.Practitioner]:
    for record in staff:
        try:
            yield rows.read(wire.practitioner, record)
        except RowFault:
            continue
