"""`runsheet schedule`: when a practice syncs, when it is open, and what is free on a day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, table, tell
from app.domain import opening, timetable
from app.domain.opening import Opening
from app.domain.slots import Slot
from app.domain.window import day_of, parse_day, zone_of
from app.errors import InvalidInput
from app.store import openings, practices, timetables
from app.store.models import Practice, SyncSchedule
from app.store.openings import FreeDay
from app.sync.timetable import why_not

_PRACTICE = click.argument("practice_id", metavar="PRACTICE", type=IDENT)


@click.command()
@_PRACTICE
@json_option
def show(practice_id: UUID, as_json: bool) -> None:
    """The cron lines of PRACTICE, what comes due when, its hours, rooms and providers."""
    with house() as here:
        with here.store.write() as session:  # the configuration is made where it is missing
            told = _told(session, practices.get(session, practice_id))
        tell(told, as_json, lambda: _lines(told))


@click.command("set")
@_PRACTICE
@click.option("--type", "type_", required=True, metavar="TYPE", help=f"One of {', '.join(timetable.TYPES)}.")
@click.option(
    "--cron", help='Five fields, in the practice\'s time zone, such as "0 6 * * *"; discovery has a usual one.'
)
@click.option("--off", is_flag=True, help="Keep the line, but switched off.")
@json_option
def set_(practice_id: UUID, type_: str, cron: str | None, off: bool, as_json: bool) -> None:
    """Give PRACTICE its one cron line of that type. It takes effect at once."""
    if cron is None and timetable.type_of(type_) not in timetable.USUAL_CRON:
        raise InvalidInput({"cron": 'Say when: --cron with five fields, such as "0 6 * * *".'})
    line = timetable.line_of(type_, cron, not off)
    with house() as here:
        with here.store.write() as session:
            practice = practices.get(session, practice_id)
            timetables.set_line(session, practice, line, clock.now(), why_not)
            told = _told(session, practice)
        tell(told, as_json, lambda: _lines(told))


@click.command()
@_PRACTICE
@click.option("--day", "days", multiple=True, metavar="DAY=HOURS", help="mon=09:00-12:30,13:30-17:00 or sun=closed.")
@click.option("--slot", "slot", type=int, metavar="MINUTES", help="How long a slot is.")
@click.option("--room", "rooms", multiple=True, metavar="NAME", help="A room; all of them, each with its own --room.")
@click.option("--provider", "providers", multiple=True, type=IDENT, metavar="ID", help="A clinician who provides.")
@click.option("--every-provider", is_flag=True, help="Every active clinician provides.")
@json_option
def hours(
    practice_id: UUID,
    days: Sequence[str],
    slot: int | None,
    rooms: Sequence[str],
    providers: Sequence[UUID],
    every_provider: bool,
    as_json: bool,
) -> None:
    """Change when PRACTICE is open, its slot length, rooms and providers. What is not given stays."""
    changed = _days(days)
    with house() as here:
        with here.store.write() as session:
            made = openings.change(
                session,
                practices.get(session, practice_id),
                hours=changed or None,
                slot_minutes=slot,
                rooms=rooms or None,
                providers=providers or None,
                everybody=every_provider,
            )
        told = _opening(made)
        tell(told, as_json, lambda: _opening_lines(told))


@click.command()
@_PRACTICE
@click.option("--day", required=True, help="2026-03-09, or today, tomorrow, yesterday.")
@json_option
def slots(practice_id: UUID, day: str, as_json: bool) -> None:
    """The free slots of a day of PRACTICE, by clinician and by room, as far as the run sheet knows."""
    with house() as here:
        with here.store.read() as session:
            practice = practices.get(session, practice_id)
            zone = zone_of(practice.timezone)
            found = openings.free_on(session, practice, parse_day(day, day_of(clock.now(), zone)))
        told = _free(found, practice)
        tell(told, as_json, lambda: _free_lines(told))


@click.command("timezone")
@_PRACTICE
@click.argument("zone")
@json_option
def timezone(practice_id: UUID, zone: str, as_json: bool) -> None:
    """Correct the time zone of PRACTICE: slots are reckoned anew, sheets from today on follow, a sync is due."""
    zone_of(zone)
    with house() as here:
        with here.store.write() as session:
            practices.hold(session, practice_id)
            practice = practices.get(session, practice_id)
            practice.timezone = zone
            session.flush()
            timetables.derive(session, timetables.config_of(session, practice.id), practice, clock.now(), why_not)
        told = {"id": str(practice.id), "timezone": practice.timezone}
        tell(told, as_json, lambda: [f"{practice.name}: {practice.timezone}"])


# --- what is told -----------------------------------------------------------------------------------------------------


def _told(session: Session, practice: Practice) -> dict[str, Any]:
    config = timetables.config_of(session, practice.id)
    lines, problems = timetable.read(config.sync_schedules)
    told: dict[str, Any] = {
        "practice": str(practice.id),
        "timezone": practice.timezone,
        "syncSchedules": [line.as_json() for line in lines],
        "problems": [problem.as_json() for problem in problems],
        "schedules": [_row(row) for row in timetables.told(session, practice.id)],
    }
    try:
        return told | _opening(openings.of(session, practice.id))
    except InvalidInput as error:
        told["problems"].append({"position": 0, "reason": str(error)})
        return told


def _row(row: SyncSchedule) -> dict[str, Any]:
    when = row.cron if row.interval_minutes is None else f"every {row.interval_minutes} min"
    return {
        "connection": str(row.pms_connection_id),
        "kind": row.kind,
        "when": when,
        "enabled": row.enabled,
        "nextDueAt": instant(row.next_due_at) if row.enabled else None,
        "missedSlots": row.missed_slots,
        "reason": row.off_reason,
    }


def _opening(made: Opening) -> dict[str, Any]:
    return {
        "hours": opening.as_json(made.hours),
        "slotMinutes": made.slot_minutes,
        "rooms": list(made.rooms),
        "providers": None if made.providers is None else [str(one) for one in made.providers],
    }


def _lines(told: dict[str, Any]) -> list[str]:
    headings = {"kind": "what", "when": "when", "nextDueAt": "next", "missedSlots": "missed", "reason": "why not"}
    rows = told["schedules"]
    off = [row | {"nextDueAt": row["nextDueAt"] or "off"} for row in rows]
    lines = table(off, headings) if rows else ["Nothing comes due: no connection is live."]
    lines += [f"Line {one['position']} does not count. {one['reason']}" for one in told["problems"]]
    return [f"Times of {told['timezone']}", *lines, *(_opening_lines(told) if "hours" in told else [])]


def _opening_lines(told: dict[str, Any]) -> list[str]:
    lines = [
        f"{day}  " + (", ".join("-".join(one) for one in told["hours"].get(day, ())) or "closed")
        for day in opening.WEEKDAYS
    ]
    rooms = ", ".join(told["rooms"]) or "none"
    return [*lines, f"Slots of {told['slotMinutes']} minutes; rooms: {rooms}"]


def _free(found: FreeDay, practice: Practice) -> dict[str, Any]:
    zone = zone_of(practice.timezone)

    def slot(one: Slot) -> dict[str, Any]:
        local = one.starts_at.astimezone(zone)
        return {
            "startsAt": instant(one.starts_at),
            "endsAt": instant(one.ends_at),
            "local": local.isoformat(timespec="minutes"),
        }

    return {
        "day": found.day.isoformat(),
        "timezone": practice.timezone,
        "slotMinutes": found.opening.slot_minutes,
        "readAt": instant(found.read_at),
        "notKept": found.left_out,
        "unassigned": found.unassigned,
        "slots": len(found.free.slots),
        "providers": [
            {"id": str(who), "name": found.names[who], "slots": [slot(one) for one in free]}
            for who, free in found.free.providers.items()
        ],
        "rooms": [{"name": room, "slots": [slot(one) for one in free]} for room, free in found.free.rooms.items()],
    }


def _free_lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['day']}, {told['slots']} slots of {told['slotMinutes']} minutes"]
    for one in (*told["providers"], *told["rooms"]):
        times = " ".join(slot["local"][11:16] for slot in one["slots"])
        lines.append(f"{one['name']}: {times or 'nothing is free'}")
    if told["readAt"] is None:
        lines.append("The day was never read from the PMS, so nothing is known of its bookings there.")
    if told["notKept"]:
        lines.append(f"{told['notKept']} bookings of the PMS are not kept here; their times may be taken.")
    if told["unassigned"]:
        lines.append(f"{told['unassigned']} bookings belong to practitioners without a clinician.")
    return lines


def _days(given: Sequence[str]) -> dict[str, list[opening.Period]]:
    found = {}
    for text in given:
        day, equals, periods = text.partition("=")
        if not equals:
            raise InvalidInput({"hours": "Give a day as mon=09:00-17:00, or sun=closed."})
        day = opening.weekday(day)
        found[day] = opening.parse_periods(day, periods)
    return found
