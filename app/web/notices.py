"""What on this day needs a person: sick connections, people nobody assigned, words we do not know. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.freshness import age_of
from app.domain.health import Facts, Health, HealthWord, health_of
from app.domain.reasons import Action
from app.domain.rules import CAUSE_WORDS, Cause
from app.domain.runsheet import Group, Row
from app.domain.status import Status
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.store.runsheet import Connected
from app.sync import preview
from app.web.words import plural, pms_name, since

#: The address of a page for this person, "" where it is not for them.
Link = Callable[..., str]


class Level(StrEnum):
    BAD = "bad"  # a person must act before this gets better
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing, why it matters, and one thing to press: a page to open, or a sync to start."""

    key: str
    level: Level
    title: str
    text: str
    action: str = ""
    href: str = ""
    syncs: bool = False


#: So long a record that was set aside is news.
NEWS_FOR = timedelta(hours=24)
_LEVELS = {
    HealthWord.NEEDS_YOU: Level.BAD,
    HealthWord.PAUSED: Level.WARN,
    HealthWord.HEALING: Level.WARN,
    HealthWord.PARTIAL: Level.WARN,
    HealthWord.WAITING: Level.INFO,
}


def alive(connections: Iterable[Connected]) -> list[Connected]:
    """Those that should bring appointments."""
    gone = (ConnectionState.DRAFT, ConnectionState.DISCONNECTED)
    return [one for one in connections if one.state not in gone]


def health(connection: Connected | PmsConnection, now: datetime) -> Health:
    """How the connection does. Its own last read counts here, whatever day the page shows."""
    return health_of(
        Facts(
            pms=pms_name(connection.pms_type),
            state=connection.state,
            state_reason=connection.state_reason,
            last_status=connection.last_sync_status,
            last_reason=connection.last_sync_error,
            age=age_of(_last_read(connection), connection.sync_frequency_minutes * 60, now),
            typed=preview.is_typed(connection.pms_type),
        )
    )


def of_connection(connection: Connected, zone: ZoneInfo, now: datetime, link: Link) -> Notice | None:
    """None where it is well, or merely late: the page says that by itself as time goes on."""
    told = health(connection, now)
    level = _LEVELS.get(told.word)
    if level is None or (told.word is HealthWord.PARTIAL and told.action is Action.SEE_RECORDS):
        return None  # records that could not be read have a notice of their own
    good = f" Last good read: {since(connection.last_good_at, zone, now)}." if connection.last_good_at else ""
    href = link("connections.show", connection_id=connection.id)
    return Notice(
        key=f"connection-{connection.id}",
        level=level,
        title=f"{pms_name(connection.pms_type)}: {told.word.value}",
        text=told.sentence + good,
        action="Open" if href else ("Sync now" if told.action is Action.SYNC_NOW else ""),
        href=href,
        syncs=not href and told.action is Action.SYNC_NOW,
    )


def of_unreadable(connection: Connected, zone: ZoneInfo, now: datetime, link: Link) -> Notice | None:
    """Records set aside: a warning while there is news, afterwards a line as long as one is open (F34)."""
    if not connection.unreadable or connection.unreadable_since is None or connection.unreadable_newest_at is None:
        return None
    pms, count = pms_name(connection.pms_type), connection.unreadable
    first = "" if count == 1 else "the first "
    href = link("quarantine.index", connection=connection.id)
    return Notice(
        key=f"unreadable-{connection.id}",
        level=Level.WARN if now - connection.unreadable_newest_at < NEWS_FOR else Level.INFO,
        title=f"{plural(count, 'record')} of {pms} cannot be read",
        text=f"Set aside, {first}since {since(connection.unreadable_since, zone, now)}. Appointments may be missing or "
        f"old on the sheet; all others are as {pms} has them."
        + ("" if href else f" Compare with {pms} itself; an admin can see which."),
        action="See which" if href else "",
        href=href,
    )


def of_hold(connection: Connected, zone: ZoneInfo, now: datetime, link: Link) -> Notice | None:
    """Much of this day vanished at once: nothing was removed, and somebody is to look."""
    if connection.held is None:
        return None
    pms = pms_name(connection.pms_type)
    stay = "It stays" if connection.held == 1 else "They stay"
    href = link("holds.index")
    return Notice(
        key=f"held-{connection.id}",
        level=Level.BAD,
        title=f"{plural(connection.held, 'appointment')} vanished from {pms} at {since(connection.held_at, zone, now)}",
        text=f"{stay} until somebody looks{'' if href else ': an admin keeps or removes them'}.",
        action="Look" if href else "",
        href=href,
    )


def says_it_twice(connection: Connected) -> bool:
    """Whether all that ails a connection is the hold this page tells of already."""
    partial = connection.state == ConnectionState.ACTIVE and connection.last_sync_status == "partial"
    return partial and connection.last_sync_error == "removal_held" and connection.held is not None


def of_unassigned(groups: Sequence[Group], link: Link) -> Notice | None:
    """Practitioners without a column: their patients are on the page, but under nobody."""
    found = [group for group in groups if group.column.id is None]
    if not found:
        return None
    names = ", ".join(f"{group.column.name} ({len(group.rows)})" for group in found)
    count = sum(len(group.rows) for group in found)
    connection_id = next((row.facts.connection_id for group in found for row in group.rows), None)
    href = link("mapping.clinicians", connection_id=connection_id) if connection_id else ""
    return Notice(
        key="unassigned",
        level=Level.WARN,
        title=f"{plural(count, 'appointment')} not yet assigned to a clinician",
        text=f"{names}. {'They stand at the end of the sheet.' if href else 'An admin can assign them.'}",
        action="Assign" if href else "",
        href=href,
    )


def of_unknown_words(rows: Iterable[Row], names: dict[UUID, str], link: Link) -> Notice | None:
    words: Counter[str] = Counter()
    first: UUID | None = None
    for row in rows:
        if row.status is Status.UNKNOWN:
            words[row.facts.pms_status_raw or "no word at all"] += 1
            first = first or row.facts.connection_id
    if not words:
        return None
    href = link("mapping.statuses", connection_id=first) if first else ""
    told = ", ".join(f"“{word}” ({count})" for word, count in words.most_common(5))
    return Notice(
        key="unknown-words",
        level=Level.WARN,
        title=f"{names.get(first, 'The PMS') if first else 'The PMS'} uses a status word we do not know",
        text=f"{told}. Those rows show it as it is. {'' if href else 'An admin can say what it means.'}".strip(),
        action="Explain" if href else "",
        href=href,
    )


def hidden_words(hidden: Counter[str]) -> str:
    """`3 not telehealth, 1 of a clinician who is switched off`."""
    causes = [cause for cause in Cause if hidden.get(cause.value)]
    return ", ".join(CAUSE_WORDS[cause].format(n=hidden[cause.value]) for cause in causes)


def _last_read(connection: Connected | PmsConnection) -> datetime | None:
    good = connection.last_sync_status in ("success", "partial")
    times = [at for at in (connection.last_good_at, connection.last_sync_at if good else None) if at is not None]
    return max(times, default=None)
