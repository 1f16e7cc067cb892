"""Whose appointments and which types: mapping practitioners, choosing what is telehealth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import click

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, json_option, table, tell
from app.errors import InvalidInput
from app.store import catalogue, choices, connections, practices
from app.store.models import AppointmentType


@click.command("map")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--all", "everybody", is_flag=True, required=True, help="Everybody shown in the appointment book.")
@json_option
def map_(connection_id: UUID, everybody: bool, as_json: bool) -> None:  # noqa: ARG001 - the flag is the consent
    """Give every practitioner of CONNECTION shown in the appointment book a clinician, where they have none."""
    with house() as here:
        with here.store.write() as session:
            connection = connections.get(session, connection_id)
            practice = practices.get(session, connection.practice_id)
            mapped, created = catalogue.map_everybody(session, practice.id, connection.id)
            choices.regroup(session, practice, clock.now())
        told = {"mapped": mapped, "created": created}
        tell(told, as_json, lambda: [f"{mapped} mapped, {created} of them to a new clinician."])


@click.command("list")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
def list_types(connection_id: UUID, as_json: bool) -> None:
    """The types the PMS behind CONNECTION offers, and which of them are telehealth."""
    with house() as here:
        with here.store.read() as session:
            connections.get(session, connection_id)
            told = _types(catalogue.types_of(session, connection_id))
        tell(told, as_json, lambda: table(told, {"id": "id", "name": "name", "isTelehealth": "telehealth"}))


@click.command("set")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--telehealth", metavar="ID[,ID...]", help="Exactly these types are telehealth; ids of `types list`.")
@click.option("--all", "everything", is_flag=True, help="Every type is telehealth.")
@json_option
def set_types(connection_id: UUID, telehealth: str | None, everything: bool, as_json: bool) -> None:
    """Say which appointment types of CONNECTION are telehealth; all others are not. A sync follows."""
    if telehealth == "--all":  # both readings of `--telehealth ID,ID|--all` mean the same
        telehealth, everything = None, True
    if everything == (telehealth is not None):
        raise InvalidInput({"telehealth": "Give either --telehealth ID[,ID...] or --all."})
    with house() as here:
        with here.store.write() as session:
            connection = connections.get(session, connection_id)
            practice = practices.get(session, connection.practice_id)
            known = catalogue.types_of(session, connection.id)
            rows = known if everything else choices.types_by_id(session, connection.id, (telehealth or "").split(","))
            choices.set_telehealth(session, connection, practice, {row.id for row in rows}, clock.now())
            told = _types(catalogue.types_of(session, connection.id))
        ticked = sum(bool(row["isTelehealth"]) for row in told)
        tell(told, as_json, lambda: [f"{ticked} of {len(told)} types are telehealth."])


def _types(rows: Iterable[AppointmentType]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(row.id),
            "pmsTypeId": row.pms_type_id,
            "name": row.pms_type_name,
            "isTelehealth": row.is_telehealth,
            "syncEnabled": row.sync_enabled,
        }
        for row in rows
    ]
