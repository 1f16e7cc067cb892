"""Connections as they stand: list, pause, resume, what they tell. Pairing and testing are in pairing.py."""

from __future__ import annotations

from uuid import UUID

import click

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, table, tell
from app.domain.telling import TELLABLE
from app.store import connections, outbox, practices, schedules, sweeps
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState


@click.command("list")
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, help="Only those of this practice.")
@json_option
def list_(practice_id: UUID | None, as_json: bool) -> None:
    """All connections, or those of one practice."""
    with house() as here:
        with here.store.read() as session:
            if practice_id is None:
                found = connections.everywhere(session)
            else:
                found = connections.of_practice(session, practices.get(session, practice_id).id, gone=True)
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
        tell(told, as_json, lambda: table(told, headings) if told else ["There is no connection yet."])


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.argument("statuses", nargs=-1, metavar="[STATUS]...", type=click.Choice([one.value for one in TELLABLE]))
@json_option
def tells(connection_id: UUID, statuses: tuple[str, ...], as_json: bool) -> None:
    """Tell CONNECTION's system what reception sets here: each STATUS that is named, and nothing else.

    With no STATUS it is told nothing, as it is unless somebody wants it.
    """
    from app.pms.registry import adapter_class  # noqa: PLC0415 - the adapters are slow to import

    with house() as here:
        with here.store.write() as session:
            connection = connections.get(session, connection_id)
            told = outbox.choose(connection, statuses, adapter_class(connection.pms_type).capabilities.writes)
            name = connection.display_name
        tell(
            {"id": str(connection_id), "tells": told},
            as_json,
            lambda: [f"{name} is told {', '.join(told) if told else 'nothing'}."],
        )


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
def pause(connection_id: UUID, as_json: bool) -> None:
    """Stop syncing CONNECTION until somebody resumes it. Rows stay and show their age."""
    with house() as here:
        with here.store.write() as session:
            connection = connections.get(session, connection_id)
            connections.pause(session, connection, clock.now())
        _tell_state(connection, as_json)


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@json_option
def resume(connection_id: UUID, as_json: bool) -> None:
    """Sync CONNECTION again, or finish a pairing that was broken off after its code was accepted."""
    with house() as here:
        with here.store.read() as session:
            connection = connections.get(session, connection_id)
        if connection.state == ConnectionState.DRAFT and connection.tenant_id is not None:
            from app.cli.pairing import finish  # noqa: PLC0415 - needs the adapters, which are slow to import

            connection = finish(here, connection)
        else:
            with here.store.write() as session:
                connection = connections.get(session, connection_id)
                practice = practices.get(session, connection.practice_id)
                connections.resume(session, connection, practice, clock.now())
        _tell_state(connection, as_json)


def _tell_state(connection: PmsConnection, as_json: bool) -> None:
    told = {"id": str(connection.id), "state": str(connection.state)}
    tell(told, as_json, lambda: [f"{connection.display_name}: {connection.state}"])
