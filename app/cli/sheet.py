"""`runsheet sheet DAY`: the run sheet as a program or a terminal reads it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, tell
from app.domain.names import clock_time
from app.domain.runsheet import Filters, Group, Row, Sheet, build
from app.domain.window import day_of, parse_day, zone_of
from app.store import practices, runsheet


@click.command()
@click.argument("day")
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, required=True, help="Whose run sheet.")
@json_option
def sheet(day: str, practice_id: UUID, as_json: bool) -> None:
    """The run sheet of DAY (2026-03-09, or today, tomorrow, yesterday)."""
    with house() as here:
        with here.store.read() as session:
            practice = practices.get(session, practice_id)
            zone = zone_of(practice.timezone)
            wanted = parse_day(day, day_of(clock.now(), zone))
            stamp = runsheet.stamp_of(session, practice_id, wanted)
            facts = runsheet.rows_of(session, practice_id, wanted)
            columns = runsheet.columns_of(session, practice_id)
            hidden = runsheet.account_of(session, practice_id, wanted).hidden
        made = build(day=wanted, zone=zone, version=stamp.version, facts=facts, columns=columns, filters=Filters())
        told = {
            "day": wanted.isoformat(),
            "timezone": practice.timezone,
            "version": stamp.version,
            "lastSweepAt": instant(stamp.swept_at),
            "groups": [_group(group) for group in made.groups],
            "hidden": dict(hidden),
        }
        tell(told, as_json, lambda: _lines(made))


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
        "patientName": facts.patient_name,
        "status": row.status.value,
        "pmsStatus": facts.pms_status_raw,
        "staffStatus": facts.staff_status,
        "typeName": facts.type_name,
        "isTelehealth": facts.is_telehealth,
        "removedAt": instant(facts.removed_at),
    }


def _lines(made: Sheet) -> list[str]:
    lines = [made.day.strftime("%A %-d %B %Y")]
    for group in made.groups:
        lines += ["", group.column.name if group.column.id else f"Not yet assigned: {group.column.name}"]
        lines += [
            f"  {clock_time(row.facts.starts_at, made.zone)}  {row.facts.patient_name:<32}"
            f"  {row.status.value.replace('_', ' '):<12}  {row.facts.type_name or ''}"
            for row in group.rows
        ]
    return [*lines, "", f"{made.total} appointments"]
