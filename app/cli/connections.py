"""Connections to a PMS from the command line: pair, test, pause, map, choose types."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from app import clock
from app.cli.output import FAILED, IDENT, House, house, instant, json_option, pairs, table, tell
from app.errors import InvalidInput
from app.store import catalogue, choices, practices, schedules, sweeps
from app.store import connections as connections_store
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.sync import preview


def register(cli: click.Group) -> None:
    for group in (connections, clinicians, types):
        cli.add_command(group)


@click.group()
def connections() -> None:
    """Connections to practice management systems."""


@connections.command()
@click.argument("pms")
@click.option("--practice", "practice_id", type=IDENT, required=True)
@click.option("--name", help="What to call the connection.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A credential; secrets as KEY=@FILE or KEY=-."
)
@click.option("--pairing-code", help="The one-time code shown by the PMS.")
@json_option
def add(
    pms: str, practice_id: UUID, name: str | None, settings: tuple[str, ...], pairing_code: str | None, as_json: bool
) -> None:
    """Connect a practice to PMS and, with a pairing code, go live."""
    with house() as here:
        system = preview.system(pms.lower())
        given = pairs(settings)
        known = {field.name for field in system.credentials}
        if unknown := sorted(given.keys() - known):
            raise InvalidInput({"set": f"{system.label} does not take {', '.join(unknown)}."})
        connection = preview.new_connection(here.engine, practice_id, system.kind, name)
        if pairing_code is not None:
            try:
                preview.pair(here.engine, practice_id, connection.id, pairing_code)
            except Exception:
                _drop_unpaired(here, practice_id, connection.id)
                raise
            connection = preview.finish_pairing(here.engine, practice_id, connection.id)
        told = {"id": str(connection.id), "state": str(connection.state)}
        tell(told, as_json, lambda: [f"{connection.display_name} is connection {connection.id}, {connection.state}."])


@connections.command("list")
@click.option("--practice", "practice_id", type=IDENT)
@json_option
def list_(practice_id: UUID | None, as_json: bool) -> None:
    """All connections, or those of one practice."""
    with house() as here:
        with here.store.read() as session:
            found = (
                connections_store.of_practice(session, practice_id, gone=True)
                if practice_id
                else connections_store.everywhere(session)
            )
            ids = [one.id for one in found]
            swept, due = sweeps.latest(session, ids), schedules.next_due(session, ids)
        told = [
            {
                "id": str(one.id),
                "pms": one.pms_type,
                "name": one.display_name,
                "state": one.state,
                "environment": one.environment,
                "lastSweepAt": instant(swept.get(one.id)),
                "nextDueAt": instant(due.get(one.id)) if one.state == ConnectionState.ACTIVE else None,
            }
            for one in found
        ]
        headings = {"id": "id", "pms": "pms", "name": "name", "state": "state", "lastSweepAt": "last read"}
        tell(told, as_json, lambda: table(told, headings))


@connections.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
@click.pass_context
def test(ctx: click.Context, connection_id: UUID, as_json: bool) -> None:
    """Ask the PMS whether it answers for this connection. Saves nothing."""
    with house() as here:
        with here.store.read() as session:
            connection = connections_store.get(session, connection_id)
        health = preview.check(here.engine, connection)
    told = {"healthy": health.healthy, "message": health.message, "latencyMs": health.latency_ms}
    tell(told, as_json, lambda: [health.message])
    if not health.healthy:
        ctx.exit(FAILED)


@connections.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
def pause(connection_id: UUID, as_json: bool) -> None:
    """Stop syncing until somebody resumes it. Rows stay and show their age."""
    with house() as here:
        with here.store.write() as session:
            connection = connections_store.get(session, connection_id)
            connections_store.pause(session, connection, clock.now())
        _tell_state(connection, as_json)


@connections.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
def resume(connection_id: UUID, as_json: bool) -> None:
    """Sync again."""
    with house() as here:
        with here.store.write() as session:
            connection = connections_store.get(session, connection_id)
            practice = practices.get(session, connection.practice_id)
            connections_store.resume(session, connection, practice, clock.now())
        _tell_state(connection, as_json)


@click.group()
def clinicians() -> None:
    """Clinicians of the run sheet."""


@clinicians.command("map")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--all", "everybody", is_flag=True, required=True, help="Everybody shown in the appointment book.")
@json_option
def map_(connection_id: UUID, everybody: bool, as_json: bool) -> None:  # noqa: ARG001 - the flag is the consent
    """Give every practitioner shown in the appointment book a clinician, where they have none."""
    with house() as here:
        with here.store.write() as session:
            connection = connections_store.get(session, connection_id)
            practice = practices.get(session, connection.practice_id)
            mapped, created = catalogue.map_everybody(session, practice.id, connection.id)
            choices.regroup(session, practice, clock.now())
        told = {"mapped": mapped, "created": created}
        tell(told, as_json, lambda: [f"{mapped} mapped, {created} of them to a new clinician."])


@click.group()
def types() -> None:
    """Appointment types."""


@types.command("list")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
def list_types(connection_id: UUID, as_json: bool) -> None:
    """The types the PMS offers, and which of them are telehealth."""
    with house() as here:
        with here.store.read() as session:
            connections_store.get(session, connection_id)
            told = _types(catalogue.types_of(session, connection_id))
        tell(told, as_json, lambda: table(told, {"id": "id", "name": "name", "isTelehealth": "telehealth"}))


@types.command("set")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--telehealth", metavar="ID[,ID...]", help="Exactly these types are telehealth; ids of types list.")
@click.option("--all", "everything", is_flag=True, help="Every type is telehealth.")
@json_option
def set_types(connection_id: UUID, telehealth: str | None, everything: bool, as_json: bool) -> None:
    """Say which appointment types are telehealth."""
    if everything == (telehealth is not None):
        raise InvalidInput({"telehealth": "Give either --telehealth ID[,ID...] or --all."})
    with house() as here:
        with here.store.write() as session:
            connection = connections_store.get(session, connection_id)
            practice = practices.get(session, connection.practice_id)
            known = catalogue.types_of(session, connection.id)
            rows = known if everything else choices.types_by_id(session, connection.id, (telehealth or "").split(","))
            choices.set_telehealth(session, connection, practice, {row.id for row in rows}, clock.now())
            told = _types(catalogue.types_of(session, connection.id))
        ticked = sum(bool(row["isTelehealth"]) for row in told)
        tell(told, as_json, lambda: [f"{ticked} of {len(told)} types are telehealth."])


def _types(rows: Any) -> list[dict[str, Any]]:
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


def _tell_state(connection: PmsConnection, as_json: bool) -> None:
    told = {"id": str(connection.id), "state": str(connection.state)}
    tell(told, as_json, lambda: [f"{connection.display_name}: {connection.state}"])


def _drop_unpaired(here: House, practice_id: UUID, connection_id: UUID) -> None:
    """A draft whose code was refused leaves nothing behind; one that got its tenant stays, to be resumed."""
    with here.store.write() as session:
        connection = connections_store.one_of_practice(session, practice_id, connection_id)
        if connection.tenant_id is None:
            session.delete(connection)
