"""`runsheet quarantine`: records that could not be read, for the operator; and how long a practice keeps them."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import click

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, INCOMPLETE, instant, json_option, table, tell
from app.domain import unreadable
from app.errors import InvalidInput
from app.parts import Parts
from app.store import connections, practices, retention, set_aside
from app.store.models import QuarantinedRecord
from app.store.quarantine import CLIENT

log = logging.getLogger(__name__)

_PATIENT_DATA = "This is patient data: it was sent by the PMS as it stands. Mind who can read this screen or file."
_HEADINGS = {"id": "id", "externalId": "vendor id", "path": "where", "reason": "why", "openedAt": "open since"}


@click.command("list")
@click.option("--connection", "connection_id", metavar="ID", type=IDENT, help="Only those of this connection.")
@click.option("--resolved", is_flag=True, help="Those that are settled, instead of the open ones.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 5000), help="How many.")
@json_option
def list_(connection_id: UUID | None, resolved: bool, limit: int, as_json: bool) -> None:
    """Records that could not be read, the newest first. Nothing of what they hold."""
    with house() as here:
        with here.store.read() as session:
            if connection_id is not None:
                connections.get(session, connection_id)
            found = set_aside.listed(session, None, connection_id=connection_id, resolved=resolved, limit=limit)
            told = [_told(record) for record in found]
        headings = _HEADINGS | ({"resolution": "settled"} if resolved else {"seen": "syncs"})
        nothing = "Nothing was settled yet." if resolved else "Every record can be read."
        tell(told, as_json, lambda: table(told, headings) if told else [nothing])


@click.command()
@click.argument("record_id", metavar="ID", type=IDENT)
@click.option("--payload", "with_payload", is_flag=True, help="Also print what the PMS sent. It is patient data.")
@json_option
def show(record_id: UUID, with_payload: bool, as_json: bool) -> None:
    """One record: where, why, since when and how often. What the PMS sent only with --payload."""
    with house() as here:
        with here.store.read() as session:
            record = set_aside.get(session, record_id)
            told = _told(record) | {"why": unreadable.why(record.reason)}
            wiped = bool(set_aside.wiped(session, [record_id]))
            if with_payload:
                told["payload"] = _opened(here, record)
        if with_payload:
            click.echo("It was wiped by the practice's limit." if wiped else _PATIENT_DATA, err=True)
        tell(told | {"wiped": wiped}, as_json, lambda: _lines(told))


@click.command()
@click.argument("record_id", metavar="ID", type=IDENT)
@json_option
@click.pass_context
def retry(ctx: click.Context, record_id: UUID, as_json: bool) -> None:
    """Sync now, in the foreground, and ask for the record by its id. Exit code 3 where it still cannot be read."""
    from app.cli.sync import cancelled_by_ctrl_c  # noqa: PLC0415 - needs the adapters, which are slow to import
    from app.sync.engine import Wish  # noqa: PLC0415
    from app.sync.preview import system  # noqa: PLC0415

    with house() as here:
        with here.store.read() as session:
            record = set_aside.get(session, record_id)
            connection = connections.get(session, record.pms_connection_id)
            of_client = record.kind == CLIENT
            by_id = of_client or (record.external_id and system(connection.pms_type).capabilities.lookup_by_id)
            first, last = (None if by_id else set_aside.days_of(session, record)) or (None, None)
        phases = ("discovery",) if of_client else ()
        wish = Wish(connection.id, first, last, phases=phases, begins_anew=True)
        here.engine.ask_for(wish)  # what cannot be synced is told before anything is written
        here.store.transact(lambda session: set_aside.ask_again(set_aside.get(session, record_id), clock.now()))
        with cancelled_by_ctrl_c(here):
            result = here.engine.sync(wish)
        with here.store.read() as session:
            told = _told(set_aside.get(session, record_id))
    told |= {"syncId": str(result.run_id), "status": result.state.value}
    tell(told, as_json, lambda: [f"{told['state']}: sync {told['syncId']} ended as {told['status']}."])
    ctx.exit(0 if told["state"] == "resolved" else INCOMPLETE)


@click.command()
@click.argument("record_id", metavar="ID", type=IDENT)
@click.option("--because", required=True, help="Why, for whoever looks at it later. Name no patient.")
@json_option
def resolve(record_id: UUID, because: str, as_json: bool) -> None:
    """Settle a record: it is ignored while it comes again unchanged."""
    with house() as here:

        def work(session: Any) -> dict[str, Any]:
            record = set_aside.get(session, record_id)
            set_aside.ignore(session, record, because, None, clock.now())
            return _told(record)

        told = here.store.transact(work)
        tell(told, as_json, lambda: ["Resolved. It stays so while it comes again unchanged."])


@click.command("retention")
@click.argument("practice_id", metavar="ID", type=IDENT)
@click.option("--payload-days", type=int, help="Days that the payload of a record set aside is kept (default 30).")
@click.option("--event-days", type=int, help="Days that rows' earlier names and notes are kept (default 365).")
@click.option("--note-days", type=int, help="Days that notes of visits are kept (for good unless set).")
@click.option("--keep-notes", is_flag=True, help="Keep the notes of visits for good again.")
@json_option
def change_retention(
    practice_id: UUID,
    payload_days: int | None,
    event_days: int | None,
    note_days: int | None,
    keep_notes: bool,
    as_json: bool,
) -> None:
    """How long practice ID keeps what only a repair or a look back needs; without options, how it is now.

    After so many days the payload of a record that was set aside is wiped; the record, its place and the reason stay.
    So are, that long after the day of a sheet, the earlier and later names, phone numbers, e-mails, birth dates,
    comments, notes and links in the story of its rows; that they changed, when and by whom stays, and replay of such
    a day says that it no longer knows them. The notes of a visit go only where --note-days was set, that long after
    its day: its case stays, and the notes themselves stand in the PMS.
    """
    if keep_notes and note_days is not None:
        raise InvalidInput({"keep-notes": "Give either --note-days or --keep-notes, not both."})
    with house() as here:
        if (payload_days, event_days, note_days, keep_notes) == (None, None, None, False):
            with here.store.read() as session:
                limit = retention.of(session, practice_id)
        else:
            with here.store.write() as session:
                limit = retention.change(
                    session,
                    practice_id,
                    payloads=payload_days,
                    events=event_days,
                    notes=note_days,
                    keep_notes=keep_notes,
                )
                name = practices.get(session, practice_id).name
            log.info("limits changed", extra={"practice_id": str(practice_id), "event": "retention"})
            click.echo(f"{name}: in force within ten minutes.", err=True)
        told = {"id": str(practice_id), **limit.as_setting()}
        tell(
            told,
            as_json,
            lambda: [
                f"Payloads are kept {limit.payloads} days, the details of events {limit.events} days, notes of visits "
                + ("for good." if limit.notes is None else f"{limit.notes} days.")
            ],
        )


def _opened(here: Parts, record: QuarantinedRecord) -> str | None:
    """What the PMS sent, and a line in the log that somebody looked."""
    with here.store.read() as session:
        opened = set_aside.payload_of(session, here.vault, record)
    log.info("a record set aside was opened", extra={"event": "quarantine_opened", "record_id": str(record.id)})
    return opened


def _told(record: QuarantinedRecord) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "connectionId": str(record.pms_connection_id),
        "kind": record.kind,
        "externalId": record.external_id,
        "path": record.path,
        "reason": record.reason,
        "state": "open" if record.resolved_at is None else "resolved",
        "resolution": record.resolution,
        "because": record.resolved_because,
        "firstSeenAt": instant(record.first_seen_at),
        "lastSeenAt": instant(record.last_seen_at),
        "openedAt": instant(record.opened_at),
        "resolvedAt": instant(record.resolved_at),
        "seen": record.seen,
        "lastSyncId": str(record.last_run_id),
    }


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{name}: {value}" for name, value in told.items() if value is not None and name != "payload"]
    return [*lines, "", told["payload"]] if told.get("payload") else lines
