"""`runsheet holds`: removals that wait for a person. Ids and counts only; the page shows who it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, table, tell
from app.errors import Conflict, InvalidInput
from app.store import connections, holds, practices
from app.store.holds import Act
from app.store.models import RemovalHold


@click.command("list")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT, required=False)
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, help="Of all connections of this practice.")
@json_option
def list_(connection_id: UUID | None, practice_id: UUID | None, as_json: bool) -> None:
    """What vanished from CONNECTION at once and was not removed by itself, newest first.

    Without CONNECTION: of all connections of the practice, which need not be named where there is only one.
    """
    with house() as here:
        with here.store.read() as session:
            if connection_id is not None:
                practice_id = _practice_of(session, connection_id, practice_id)
            else:
                practice_id = practice_id or _only_practice(session)
                practices.get(session, practice_id)
            told = [_hold(one) for one in holds.of_practice(session, practice_id, connection_id)]
        headings = {name: name for name in ("id", "day", "state", "vanished", "of")}
        headings |= {} if connection_id else {"connectionId": "connection"}
        tell(told, as_json, lambda: table(told, headings) if told else ["Nothing was ever held."])


@click.command()
@click.argument("hold_id", metavar="HOLD", type=IDENT)
@json_option
def release(hold_id: UUID, as_json: bool) -> None:
    """Remove the rows of HOLD now. They stay on the sheet, struck through."""
    removed = _decide(holds.release, hold_id)
    tell({"state": "released", "removed": removed}, as_json, lambda: [f"{removed} removed."])


@click.command()
@click.argument("hold_id", metavar="HOLD", type=IDENT)
@json_option
def keep(hold_id: UUID, as_json: bool) -> None:
    """Let the rows of HOLD stay until the PMS brings them again."""
    _decide(holds.keep, hold_id)
    tell({"state": "kept"}, as_json, lambda: ["Kept."])


@click.command()
@click.argument("hold_id", metavar="HOLD", type=IDENT)
@json_option
def undo(hold_id: UUID, as_json: bool) -> None:
    """Take the decision about HOLD back, while it is the latest about its day."""
    back = _decide(holds.undo, hold_id)
    tell({"state": "open", "broughtBack": back}, as_json, lambda: [f"Taken back; {back} stand again."])


def _practice_of(session: Session, connection_id: UUID, practice_id: UUID | None) -> UUID:
    """Raises NotFound, also for a connection of another practice than the one that was named."""
    if practice_id is not None:
        return connections.one_of_practice(session, practice_id, connection_id).practice_id
    return connections.get(session, connection_id).practice_id


def _only_practice(session: Session) -> UUID:
    """Raises InvalidInput where nobody can know which is meant."""
    known = [practice.id for practice in practices.everyone(session)]
    if len(known) != 1:
        raise InvalidInput(
            {"practice": f"There are {len(known)} practices: name a connection, or one with --practice."}
        )
    return known[0]


def _decide(what: Callable[[Session, UUID, UUID, Act], int | None], hold_id: UUID) -> int:
    def work(session: Session) -> int:
        try:
            return what(session, holds.practice_of(session, hold_id), hold_id, Act(None, clock.now())) or 0
        except Conflict as error:
            raise InvalidInput(str(error)) from None

    with house() as here:
        return here.store.transact(work)


def _hold(hold: RemovalHold) -> dict[str, Any]:
    return {
        "id": str(hold.id),
        "connectionId": str(hold.pms_connection_id),
        "day": hold.day.isoformat(),
        "state": hold.state,
        "vanished": hold.vanished,
        "of": hold.of_rows,
        "openedAt": instant(hold.opened_at),
        "decidedAt": instant(hold.decided_at),
        "syncId": str(hold.sync_run_id),
        "candidates": hold.candidates,
    }
