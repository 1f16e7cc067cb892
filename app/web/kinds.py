"""Appointment types as an admin sees them, and what ticking one would do before it is done (A25, A26)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.suggest import telehealth_reason
from app.store import catalogue, choices, practices
from app.store.choices import Impact
from app.store.models import AppointmentType, PmsConnection
from app.web.words import minutes_words, plural

#: A colour of the vendor's ends up in a page: nothing but a plain hex colour passes.
_COLOUR = re.compile(r"^#[0-9a-fA-F]{3}(?:[0-9a-fA-F]{3})?$")


@dataclass(frozen=True, slots=True)
class TypeView:
    id: UUID
    name: str
    length: str
    colour: str
    on: bool
    reason: str  # why it may be telehealth; "" where nothing says so
    today: int | None  # None: nobody counted yet
    week: int | None
    gone: bool  # the PMS no longer lists it


@dataclass(frozen=True, slots=True)
class Effect:
    """What switching one type would do. id None: reading every type, whatever is ticked."""

    id: UUID | None
    on: bool
    sentence: str


def listed(
    session: Session,
    connection: PmsConnection,
    now: datetime,
    *,
    ticked: Collection[str] | None = None,
    counts: Mapping[str, int] | None = None,
) -> list[TypeView]:
    """All types: what may be telehealth first. ticked: as a form says it. counts: today's, where nothing is stored."""
    practice = practices.get(session, connection.practice_id)
    found = choices.impacts(session, connection, practice, now)
    rows = catalogue.types_of(session, connection.id)
    draft = connection.last_sync_at is None
    shown = [_view(row, None if draft else found.get(row.pms_type_id, Impact()), ticked, counts) for row in rows]
    return sorted(shown, key=lambda one: (one.gone, not one.on, not one.reason, one.name.casefold()))


def _view(
    row: AppointmentType, impact: Impact | None, ticked: Collection[str] | None, counts: Mapping[str, int] | None
) -> TypeView:
    today = week = None
    if impact is not None:
        today, week = impact.shown_today + impact.left_out_today, impact.shown_week + impact.left_out_week
    elif counts is not None:
        today = int(counts.get(row.pms_type_id, 0))
    colour = row.colour or ""
    return TypeView(
        id=row.id,
        name=row.pms_type_name,
        length=minutes_words(row.default_duration_minutes) if row.default_duration_minutes else "no length",
        colour=colour if _COLOUR.match(colour) else "",
        on=row.is_telehealth if ticked is None else str(row.id) in ticked,
        reason=telehealth_reason(row.pms_type_name) or "",
        today=today,
        week=week,
        gone=not row.active,
    )


def offers_every(connection: PmsConnection) -> bool:
    """Whether it is asked at all: where cases are kept, somebody may want those of every visit."""
    return connection.keeps_cases or not connection.sync_telehealth_only


def effects(
    session: Session, connection: PmsConnection, wanted: Collection[str], every: bool, now: datetime
) -> list[Effect]:
    """What it would do to make exactly these types telehealth; nothing for those that stay as they are.

    every: whether appointments of every type are wanted, ticked or not.
    """
    practice = practices.get(session, connection.practice_id)
    found = choices.impacts(session, connection, practice, now)
    told, unticked = [], []
    for row in catalogue.types_of(session, connection.id):
        on, impact = str(row.id) in wanted, found.get(row.pms_type_id, Impact())
        if not on:
            unticked.append(impact)
        if on != row.is_telehealth:
            told.append(Effect(row.id, on, f"{row.pms_type_name} {_effect(impact, on, every=every)}"))
    if every is connection.sync_telehealth_only:
        told.append(Effect(None, every, f"Every type, ticked or not, {_effect(_sum(unticked), every, every=False)}"))
    return sorted(told, key=lambda one: (one.id is None, not one.on, one.sentence))


def _sum(impacts: Sequence[Impact]) -> Impact:
    return Impact(*(sum(counts) for counts in zip(*map(astuple, impacts), strict=True))) if impacts else Impact()


def _effect(impact: Impact, on: bool, *, every: bool) -> str:
    if every:
        return f"{'on' if on else 'off'}: no row comes or goes, the sheet shows every type."
    if on:
        if not impact.left_out_week:
            return "on: nothing more in the days read so far."
        return f"on: {impact.left_out_today} more today, {impact.left_out_week} in 7 days."
    if not impact.shown_week:
        return "off: no row leaves the sheet."
    leaves = "row leaves" if impact.shown_today == 1 else "rows leave"
    return f"off: {impact.shown_today} {leaves} today's sheet, {impact.shown_week} in 7 days."


def apply(
    session: Session,
    connection: PmsConnection,
    on: Sequence[str],
    off: Sequence[str],
    now: datetime,
    *,
    every: bool | None = None,
) -> choices.Chosen:
    """Switch just these; what others switched meanwhile stays. Raises InvalidInput for a type of somewhere else.

    every: whether appointments of every type are wanted; None: as it is.
    """
    practice = practices.get(session, connection.practice_id)
    put_on = {row.id for row in choices.types_by_id(session, connection.id, on)}
    put_off = {row.id for row in choices.types_by_id(session, connection.id, off)}
    present = {row.id for row in catalogue.types_of(session, connection.id) if row.is_telehealth}
    ticked = choices.set_telehealth(session, connection, practice, (present | put_on) - put_off, now)
    if every is None:
        return ticked
    read = choices.set_every_type(session, connection, practice, every=every, now=now)
    return choices.Chosen(
        ticked.hidden + read.hidden, ticked.revived + read.revived, ticked.brought_in or read.brought_in
    )


def happened(chosen: choices.Chosen) -> str:
    told = []
    if chosen.revived:
        told.append(f"{plural(chosen.revived, 'row')} came back to the sheet.")
    if chosen.hidden:
        told.append(f"{plural(chosen.hidden, 'row')} left the sheet; they come back when the type is on again.")
    if chosen.brought_in:
        told.append("A sync reads what was left out until now.")
    return " ".join(told) or "Saved. No row came or went."
