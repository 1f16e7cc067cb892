"""`runsheet sheet DAY`: the run sheet as a program or a terminal reads it, now or as it stood (M14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, tell
from app.domain.names import clock_time
from app.domain.runsheet import Filters, Group, Row, RowFacts, Sheet, build
from app.domain.window import day_of, parse_day, parse_instant, zone_of
from app.errors import InvalidInput
from app.store import practices, replay, runsheet
from app.store.models import Practice

_WIPED = (
    "Earlier names, contacts, comments and notes of this day were wiped by the practice's limit: later ones are shown."
)


@dataclass(frozen=True, slots=True)
class _Read:
    """A day as it is or as it stood, and what is told of it besides its rows."""

    made: Sheet
    more: dict[str, Any]
    said: str  # the heading's end, for a person
    wiped: bool = False


@click.command()
@click.argument("day")
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, required=True, help="Whose run sheet.")
@click.option("--at", "at_text", metavar="INSTANT", help="As it stood then: 2026-03-09T10:42, the practice's own time.")
@json_option
def sheet(day: str, practice_id: UUID, at_text: str | None, as_json: bool) -> None:
    """The run sheet of DAY (2026-03-09, or today, tomorrow, yesterday).

    With --at it is told from the record of changes. That remembers rows, not settings: clinicians, and who is mapped
    to whom, are as they are now; the version, the age and what was left out are not known.
    """
    with house() as here:
        with here.store.read() as session:
            practice = practices.get(session, practice_id)
            zone = zone_of(practice.timezone)
            wanted = parse_day(day, day_of(clock.now(), zone))
            at = None if at_text is None else _instant(at_text, practice, zone)
            read = _now(session, practice, wanted) if at is None else _then(session, practice, wanted, at)
        told = {
            "day": wanted.isoformat(),
            "timezone": practice.timezone,
            **read.more,
            "groups": [_group(group) for group in read.made.groups],
        }
        if read.wiped and not as_json:
            click.echo(_WIPED, err=True)
        tell(told, as_json, lambda: _lines(read))


def _instant(text: str, practice: Practice, zone: ZoneInfo) -> datetime:
    """Raises InvalidInput where nobody can know: what is still to come, and what lies before the first record."""
    at = parse_instant(text, zone)
    if at > clock.now():
        raise InvalidInput({"at": f"{text} lies in the future; nobody knows yet how the sheet will stand."})
    if at < practice.created_at:
        began = practice.created_at.astimezone(zone)
        raise InvalidInput({"at": f"Nothing is recorded before {began:%Y-%m-%dT%H:%M}, when this practice was set up."})
    return at


def _now(session: Session, practice: Practice, day: date) -> _Read:
    stamp = runsheet.stamp_of(session, practice.id, day)
    facts = runsheet.rows_of(session, practice.id, day)
    hidden = runsheet.account_of(session, practice.id, day).hidden
    more = {"version": stamp.version, "lastSweepAt": instant(stamp.swept_at), "hidden": dict(hidden)}
    return _Read(_built(session, practice, day, facts, stamp.version), more, "")


def _then(session: Session, practice: Practice, day: date, at: datetime) -> _Read:
    past = replay.day_at(session, practice.id, day, at)
    more: dict[str, Any] = {"version": None, "lastSweepAt": None, "hidden": None}
    more |= {"at": instant(at), "digest": past.digest, "wiped": past.wiped}
    local = at.astimezone(zone_of(practice.timezone))
    said = f", as it stood at {local:%H:%M:%S} on {local.day} {local:%B %Y}"
    return _Read(_built(session, practice, day, past.facts, 0), more, said, past.wiped)


def _built(session: Session, practice: Practice, day: date, facts: Sequence[RowFacts], version: int) -> Sheet:
    columns = runsheet.columns_of(session, practice.id)
    zone = zone_of(practice.timezone)
    return build(day=day, zone=zone, version=version, facts=facts, columns=columns, filters=Filters())


def _group(group: Group) -> dict[str, Any]:
    column = group.column
    clinician = None if column.id is None else {"id": str(column.id), "name": column.name}
    return {"clinician": clinician, "name": column.name, "rows": [_row(row) for row in group.rows]}


def _row(row: Row) -> dict[str, Any]:
    facts = row.facts
    return {
        "id": str(facts.id),
        "pmsAppointmentId": facts.pms_appointment_id,
        "startsAt": instant(facts.starts_at),
        "endsAt": instant(facts.ends_at),
        "minutes": facts.minutes,
        "timeDoubt": facts.time_doubt,
        "patientName": facts.patient_name,
        "status": row.status.value,
        "pmsStatus": facts.pms_status_raw,
        "staffStatus": facts.staff_status,
        "typeName": facts.type_name,
        "isTelehealth": facts.is_telehealth,
        "removedAt": instant(facts.removed_at),
    }


def _lines(read: _Read) -> list[str]:
    made = read.made
    lines = [made.day.strftime("%A %-d %B %Y") + read.said]
    for group in made.groups:
        lines += ["", group.column.name if group.column.id else f"Not yet assigned: {group.column.name}"]
        lines += [
            f"  {clock_time(row.facts.starts_at, made.zone)}  {row.facts.patient_name:<32}"
            f"  {row.status.value.replace('_', ' '):<12}  {row.facts.type_name or ''}"
            for row in group.rows
        ]
    return [*lines, "", f"{made.total} appointments"]
