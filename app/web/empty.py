"""Why a day shows nothing, with the one control that changes it. Never “no appointments” for what was never read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.domain.rules import Cause
from app.domain.runsheet import Sheet
from app.store.runsheet import Connected, Day
from app.web.notices import Link
from app.web.words import plural


class _Age(Protocol):
    @property
    def old(self) -> bool: ...

    @property
    def at(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Empty:
    """One sentence, why, and what to press: a page or a sync. The filters have their button beside what they hide."""

    title: str
    text: str
    action: str = ""
    href: str = ""
    syncs: bool = False


def why_empty(
    sheet: Sheet,
    day: Day,
    live: Sequence[Connected],
    pms: str,
    hidden: str,
    fresh: _Age,
    to: Link,
    *,
    untyped: bool,
) -> Empty | None:
    """None where there is something to show."""
    if sheet.total > sheet.filtered_out:
        return None
    if sheet.total:
        return Empty(
            f"Your filters hide {_all(sheet.total)}",
            "Nothing on this day matches all of them.",
        )
    if not live:
        href = to("connections.index")
        who = "Connect one to see its appointments." if href else "An admin can connect one."
        return Empty(
            "No practice system is connected", f"Only walk-ins can stand here. {who}", "Connect" if href else "", href
        )
    if not day.swept:
        return Empty(
            f"This day has not been read from {pms} yet",
            "Whether there are appointments is not known.",
            "Read it now",
            syncs=True,
        )
    if untyped:
        href = to("mapping.types", connection_id=live[0].id)
        who = "Mark those that are by video." if href else "An admin can mark those that are by video."
        return Empty(
            "No appointment type is marked as telehealth",
            f"{_received(day, pms)} {who}",
            "Mark types" if href else "",
            href,
        )
    when = f" when {pms} was last read, {fresh.at}" if fresh.old and fresh.at else ""
    others = f"{_received(day, pms)} Not shown: {hidden}." if hidden else f"{pms} has none on this day."
    only_telehealth = day.account.hidden.get(Cause.NOT_TELEHEALTH.value, 0) > 0
    return Empty(f"No {'telehealth ' if only_telehealth else ''}appointments on this day{when}", others)


def _all(total: int) -> str:
    return "the only appointment" if total == 1 else f"all {total} appointments"


def _received(day: Day, pms: str) -> str:
    return f"{pms} has {plural(day.account.received, 'appointment')} on this day."
