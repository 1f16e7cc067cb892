"""A practice's cron lines become schedule rows, one for each line and connection.

`clinic_schedule_configs.sync_schedules` is what people edit, here or by SQL; the rows follow it, at once where it was
edited here, and at the next tick wherever else. A hash of what the rows were derived from tells that something changed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import flag_modified

from app.domain import timetable
from app.domain.timetable import Line, Problem
from app.domain.window import zone_of
from app.errors import InvalidInput
from app.store import connections, schedules, zones
from app.store.models import PmsConnection, Practice, ScheduleConfig, SyncSchedule
from app.store.models.connection import ConnectionState

#: Why a connection's system cannot serve a phase, as a sentence; None where it can: (pms_type, phase).
WhyNot = Callable[[str, str], str | None]
_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
#: Rows deleted with one statement.
_AT_ONCE = 500


def config_of(session: Session, practice_id: UUID) -> ScheduleConfig:
    """The practice's configuration, made where it is missing. Needs a write transaction."""
    found = session.get(ScheduleConfig, practice_id)
    if found is None:
        make = _INSERT[session.get_bind().dialect.name](ScheduleConfig).values(practice_id=practice_id)
        session.execute(make.on_conflict_do_nothing(index_elements=["practice_id"]))
        found = session.get_one(ScheduleConfig, practice_id)
    return found


def set_line(session: Session, practice: Practice, line: Line, now: datetime, why_not: WhyNot) -> ScheduleConfig:
    """Make this the practice's one line of its type, and let the rows follow at once.

    Entries that cannot be read stay as somebody wrote them. Raises InvalidInput where no connection of the practice
    can serve the line.
    """
    config = _alone(session, practice.id)
    whys = [why_not(one.pms_type, line.phase) for one in _live(session, practice.id)]
    if line.enabled and whys and all(whys):
        raise InvalidInput({"type": str(whys[0])})
    stands = config.sync_schedules if isinstance(config.sync_schedules, list) else []
    kept = [entry for entry in stands if not _is_of(entry, line.type)]
    if len(kept) >= timetable.MOST_LINES:
        raise InvalidInput({"type": f"A practice has at most {timetable.MOST_LINES} lines."})
    config.sync_schedules = [*kept, line.as_json()]
    flag_modified(config, "sync_schedules")
    session.flush()
    derive(session, config, practice, now, why_not)
    return config


def _is_of(entry: Any, type_: str) -> bool:
    try:
        return isinstance(entry, dict) and timetable.type_of(entry.get("type")) == type_
    except InvalidInput:
        return False


# --- the rows follow --------------------------------------------------------------------------------------------------


def edited(session: Session, world: str) -> Sequence[UUID]:
    """Practices whose lines or zone are not those their rows were derived from. One statement.

    world: whatever else the rows depend on, such as the phases this release knows.
    """
    rows = session.execute(
        select(
            ScheduleConfig.practice_id,
            cast(ScheduleConfig.sync_schedules, Text),
            Practice.timezone,
            ScheduleConfig.derived_from,
        ).join(Practice, Practice.id == ScheduleConfig.practice_id)
    )
    return [row[0] for row in rows if row[3] != _hash(row[1], row[2], world)]


def follow(session: Session, practice_id: UUID, now: datetime, why_not: WhyNot, world: str) -> bool:
    """Derive one practice's rows anew; False where somebody else is doing that at this moment."""
    config = session.scalars(
        select(ScheduleConfig)
        .where(ScheduleConfig.practice_id == practice_id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if config is None:
        return False
    derive(session, config, session.get_one(Practice, practice_id), now, why_not)
    text = select(cast(ScheduleConfig.sync_schedules, Text)).where(ScheduleConfig.practice_id == practice_id)
    config.derived_from = _hash(session.scalar(text), session.get_one(Practice, practice_id).timezone, world)
    return True


def derive(session: Session, config: ScheduleConfig, practice: Practice, now: datetime, why_not: WhyNot) -> None:
    """Make the rows say what the lines say. What cannot be read is filed in `problems` and holds up nothing else."""
    lines, problems = timetable.read(config.sync_schedules)
    config.derived_from = None  # a tick looks once more, and settles it
    try:
        zone_of(practice.timezone)
    except InvalidInput as error:
        config.problems = [Problem(0, str(error)).as_json()]
        return
    config.problems = [problem.as_json() for problem in problems]
    moved = config.zone is not None and config.zone != practice.timezone
    connections.hold_all(session, practice.id)
    if moved:
        zones.follow(session, practice, str(config.zone), now)
    config.zone = practice.timezone
    wanted = timetable.kinds(lines)
    known: dict[UUID, dict[str, SyncSchedule]] = defaultdict(dict)
    for row in told(session, practice.id):
        known[row.pms_connection_id][row.kind] = row
    gone = [row.id for rows in known.values() for row in rows.values() if is_line(row) and row.kind not in wanted]
    for start in range(0, len(gone), _AT_ONCE):
        session.execute(delete(SyncSchedule).where(SyncSchedule.id.in_(gone[start : start + _AT_ONCE])))
    for connection in _live(session, practice.id):
        rows = known[connection.id]
        for kind, line in wanted.items():
            row = rows.get(kind) or schedules.new_row(connection, kind)
            _follow_line(row, line, practice, now, why_not(connection.pms_type, line.phase), moved=moved)
            session.add(row)
        for row in rows.values():
            if not is_line(row):
                _try_again(row, practice, now, moved=moved)
    session.flush()


def is_line(row: SyncSchedule) -> bool:
    """Whether a row was derived from a line; the others are the connection's own."""
    return row.kind.startswith(timetable.CRON)


def _follow_line(
    row: SyncSchedule, line: Line, practice: Practice, now: datetime, reason: str | None, *, moved: bool
) -> None:
    """Make a row say what its line says. reason: why its connection cannot serve it."""
    enabled = line.enabled and reason is None
    anew = moved or row.cron != line.cron or (enabled and not row.enabled)
    row.cron, row.phases = line.cron, [line.phase]
    row.days_before, row.days_after = line.days_before, line.days_after
    if anew:
        schedules.reckon(row, practice, now)
    row.enabled, row.off_reason = enabled, reason if line.enabled else None


def _try_again(row: SyncSchedule, practice: Practice, now: datetime, *, moved: bool) -> None:
    """A row of the connection's own: what it could not read may be mended, and where the zone moved its slot did."""
    if row.off_reason is not None:
        row.enabled, row.off_reason, row.next_due_at = True, None, now
    if row.cron is not None and moved:
        schedules.reckon(row, practice, now)


def _live(session: Session, practice_id: UUID) -> list[PmsConnection]:
    """Connections that sync or may again, in the order everybody locks them."""
    found = connections.of_practice(session, practice_id)
    return sorted((one for one in found if one.state != ConnectionState.DRAFT), key=lambda one: one.id)


def _alone(session: Session, practice_id: UUID) -> ScheduleConfig:
    config_of(session, practice_id)
    return session.scalars(
        select(ScheduleConfig)
        .where(ScheduleConfig.practice_id == practice_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _hash(text: str | None, zone: str, world: str) -> str:
    return hashlib.sha256("\x00".join((text or "", zone, world)).encode("utf-8", "replace")).hexdigest()


def told(session: Session, practice_id: UUID) -> Sequence[SyncSchedule]:
    """Every schedule of a practice's connections."""
    return session.scalars(
        select(SyncSchedule)
        .where(SyncSchedule.practice_id == practice_id)
        .order_by(SyncSchedule.pms_connection_id, SyncSchedule.kind)
    ).all()


def switch_off(row: SyncSchedule, error: Exception) -> None:
    """A row that nobody can read comes due no more, and says why. Editing the lines or the zone tries it again."""
    row.enabled = False
    sentence = str(error) if isinstance(error, InvalidInput) else "Its cron line or its time zone cannot be read."
    row.off_reason = sentence[:255]
