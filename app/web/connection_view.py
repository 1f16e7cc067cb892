"""A connection in sentences: how it does, whose fault it is, what is due, what wants sorting out, what to press."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import url_for
from sqlalchemy.orm import Session

from app.domain.health import Health, HealthWord
from app.domain.reasons import Action
from app.domain.suggest import telehealth_reason
from app.domain.window import day_of, zone_of
from app.store import catalogue, choices, holds, practices, set_aside
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState, Environment
from app.web import notices
from app.web.runs import OUTCOME_WORDS, minutes_long
from app.web.words import plural, pms_name, since

STATE_WORDS = {
    ConnectionState.DRAFT: "draft",
    ConnectionState.ACTIVE: "active",
    ConnectionState.PAUSED: "paused",
    ConnectionState.NEEDS_ATTENTION: "needs attention",
    ConnectionState.DISCONNECTED: "ended",
}
ENVIRONMENT_WORDS = {
    Environment.LIVE: "",
    Environment.VENDOR_SANDBOX: "Simulated data: the vendor's sandbox",
    Environment.SIMULATOR: "Simulated data: a simulator",
}
_MARKS = {
    HealthWord.HEALTHY: "good",
    HealthWord.WAITING: "run",
    HealthWord.PARTIAL: "part",
    HealthWord.HEALING: "wait",
    HealthWord.LATE: "wait",
    HealthWord.NEEDS_YOU: "bad",
    HealthWord.PAUSED: "off",
    HealthWord.DRAFT: "draft",
    HealthWord.DISCONNECTED: "off",
}
#: Reasons that say who may come in, not what was read (A05).
_ACCESS = frozenset(
    {
        *("auth_failed", "forbidden", "not_provisioned", "not_configured", "not_paired", "secrets"),
        *("code_refused", "code_maybe_used", "credentials_refused"),
    }
)
_SICK = (HealthWord.NEEDS_YOU, HealthWord.HEALING, HealthWord.PARTIAL)


@dataclass(frozen=True, slots=True)
class Press:
    """The one thing to press: a page to open (`href`), or a form to post (`post`). `syncs`: the press starts a sync."""

    label: str
    href: str = ""
    post: str = ""
    syncs: bool = False
    go: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """Everything a list or a head of a page says about a connection."""

    id: UUID
    name: str
    pms: str
    pms_called: str  # what the PMS calls the practice
    band: str
    state: str
    state_word: str
    health: HealthWord
    mark: str
    sentence: str
    fault: str  # whose fault: "Access fault", "Sync fault", or ""
    heals: str  # "Heals itself", "Needs a person", or "" where the health word says it
    press: Press | None
    last: str
    due: str
    every: str
    minutes: int


def view(connection: PmsConnection, due_at: datetime | None, zone: ZoneInfo, now: datetime) -> ConnectionView:
    told = notices.health(connection, now)
    state = ConnectionState(connection.state)
    return ConnectionView(
        id=connection.id,
        name=connection.display_name,
        pms=pms_name(connection.pms_type),
        pms_called=connection.pms_name or "",
        band=ENVIRONMENT_WORDS[Environment(connection.environment)],
        state=state.value,
        state_word=STATE_WORDS[state],
        health=told.word,
        mark=_MARKS[told.word],
        sentence=told.sentence,
        fault=_fault(connection, told),
        heals=_heals(told),
        press=press_for(connection, told),
        last=_last(connection, zone, now),
        due=_due(state, due_at, zone, now),
        every=f"every {minutes_long(connection.sync_frequency_minutes)}",
        minutes=connection.sync_frequency_minutes,
    )


def _fault(connection: PmsConnection, told: Health) -> str:
    if told.word not in _SICK:
        return ""
    sick = connection.state == ConnectionState.NEEDS_ATTENTION
    reason = connection.state_reason or connection.last_sync_error if sick else connection.last_sync_error
    return "Access fault" if reason in _ACCESS else "Sync fault"


def _heals(told: Health) -> str:
    if told.word is not HealthWord.PARTIAL:
        return ""
    return "Heals itself" if told.heals_itself else "Needs a person"


def press_for(connection: PmsConnection, told: Health) -> Press | None:
    """The one action: what mends it, else what one would want to do with it."""
    id_ = connection.id
    if connection.state == ConnectionState.DRAFT:
        return Press("Go on pairing", href=url_for("pairing.resume", connection_id=id_), go=True)
    if connection.state == ConnectionState.PAUSED:
        return Press("Resume", post=url_for("connections.resume", connection_id=id_), go=True)
    if connection.state == ConnectionState.DISCONNECTED:
        return None
    presses = {
        Action.PAIR_AGAIN: Press("Pair again", href=url_for("pairing.step", step="code", connection_id=id_), go=True),
        Action.CREDENTIALS: Press(
            "Enter new credentials", href=url_for("pairing.step", step="code", connection_id=id_), go=True
        ),
        Action.TEST: Press("Test it", post=url_for("connections.test", connection_id=id_), go=True),
        Action.READ_HISTORY: Press("See what happened", href=url_for("history.index", connection=id_)),
        Action.SEE_RECORDS: Press("See which records", href=url_for("quarantine.index", connection=id_)),
        Action.SYNC_NOW: Press("Sync now", post=url_for("sync.now"), syncs=True, go=told.word is HealthWord.LATE),
    }
    if told.word is HealthWord.WAITING or told.action is Action.WAIT:
        return None
    return presses[told.action or Action.SYNC_NOW]


def _last(connection: PmsConnection, zone: ZoneInfo, now: datetime) -> str:
    if connection.last_sync_at is None or connection.last_sync_status is None:
        return "never"
    word = next((word for state, word in OUTCOME_WORDS.items() if state == connection.last_sync_status), "")
    return f"{since(connection.last_sync_at, zone, now)}, {word}"


def _due(state: ConnectionState, due_at: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """When it reads next (A14)."""
    if state is ConnectionState.PAUSED:
        return "no next sync while it is paused"
    if state is ConnectionState.NEEDS_ATTENTION:
        return "no next sync until this is mended"
    if state is not ConnectionState.ACTIVE or due_at is None:
        return "no next sync"
    return "next sync due now" if due_at <= now else f"next sync {since(due_at, zone, now)}"


# --- what wants sorting out (A24) -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chore:
    """Something of the PMS that nobody decided about yet, with how much it is worth."""

    count: int
    what: str
    detail: str
    href: str
    action: str


def chores(session: Session, connection: PmsConnection, now: datetime) -> list[Chore]:
    """Practitioners, types and status words nobody sorted out, and records nobody could read."""
    found = [
        _unmapped(session, connection, now),
        _untyped(session, connection, now),
        _unknown(session, connection, now),
        _unreadable(session, connection, now),
        _held(session, connection),
    ]
    return [one for one in found if one is not None]


def _unmapped(session: Session, connection: PmsConnection, now: datetime) -> Chore | None:
    practice = practices.get(session, connection.practice_id)
    rows = choices.rows_of_practitioners(session, connection, practice, now)
    nobody = choices.Rows()
    left = [
        (row.pms_practitioner_name, rows.get(row.pms_practitioner_id, nobody).today)
        for row in catalogue.mappings_of(session, connection.id)
        if row.run_sheet_clinician_id is None and row.sync_enabled and row.active and row.shown_in_book
    ]
    if not left:
        return None
    left.sort(key=lambda one: (-one[1], one[0]))
    today = sum(count for _, count in left)
    return Chore(
        len(left),
        f"{plural(len(left), 'practitioner')} without a clinician",
        f"{_some([f'{name} ({count} today)' for name, count in left])}. "
        f"{plural(today, 'appointment')} of today {'stands' if today == 1 else 'stand'} under “Not yet assigned”.",
        url_for("mapping.clinicians", connection_id=connection.id),
        "Assign",
    )


def _untyped(session: Session, connection: PmsConnection, now: datetime) -> Chore | None:
    """Types that look like telehealth and are off, or none ticked at all."""
    practice = practices.get(session, connection.practice_id)
    types = [row for row in catalogue.types_of(session, connection.id) if row.active]
    today, _ = choices.left_out(session, connection.id, day_of(now, zone_of(practice.timezone)))
    likely = [row for row in types if not row.is_telehealth and telehealth_reason(row.pms_type_name)]
    href = url_for("mapping.types", connection_id=connection.id)
    if types and not any(row.is_telehealth for row in types) and connection.sync_telehealth_only:
        return Chore(
            len(types),
            "No appointment type is marked as telehealth",
            f"The sheet stays empty: {plural(sum(today.values()), 'appointment')} of today left out.",
            href,
            "Mark types",
        )
    if not likely:
        return None
    told = _some([f"{row.pms_type_name} ({today[row.pms_type_id]} today)" for row in likely])
    return Chore(
        len(likely),
        f"{plural(len(likely), 'type')} that may be telehealth, not marked",
        f"{told}.",
        href,
        "Look at types",
    )


def _unknown(session: Session, connection: PmsConnection, now: datetime) -> Chore | None:
    practice = practices.get(session, connection.practice_id)
    words = catalogue.unknown_words(session, connection.id)
    if not words:
        return None
    rows = choices.rows_of_words(session, connection, practice, now)
    told = _some([f"“{one.raw_status}” ({rows.get(one.raw_status, choices.Rows()).today} today)" for one in words])
    return Chore(
        len(words),
        f"{plural(len(words), 'status word')} we do not know",
        f"{told}. Rows show the word as it is.",
        url_for("mapping.statuses", connection_id=connection.id),
        "Explain",
    )


def _unreadable(session: Session, connection: PmsConnection, now: datetime) -> Chore | None:
    found = set_aside.counts(session, connection.id)
    if not found.open or found.since is None:
        return None
    zone = zone_of(practices.get(session, connection.practice_id).timezone)
    return Chore(
        found.open,
        f"{plural(found.open, 'record')} could not be read",
        f"Set aside, encrypted, {'' if found.open == 1 else 'the first '}since {since(found.since, zone, now)}; "
        "the rest of the day is not touched by it.",
        url_for("quarantine.index", connection=connection.id),
        "See which",
    )


def _held(session: Session, connection: PmsConnection) -> Chore | None:
    count = holds.open_count(session, connection.id)
    if not count:
        return None
    return Chore(
        count,
        f"{plural(count, 'day')} of which much vanished at once",
        "Nothing was removed; somebody has to say whether it should be.",
        url_for("holds.index"),
        "Look",
    )


def _some(told: list[str], most: int = 4) -> str:
    more = len(told) - most
    return ", ".join(told[:most]) + (f" and {more} more" if more > 0 else "")
