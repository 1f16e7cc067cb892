"""`runsheet cases …`: the cases of a connection without anything clinical, and the words it reads them by."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, table, tell
from app.domain.cases import WordKind
from app.domain.names import clock_time
from app.domain.window import Window, day_of, parse_day, zone_of
from app.errors import InvalidInput
from app.store import case_words, choices, connections, practices
from app.store import cases as cases_store
from app.store.cases import CaseFacts

_MOST = 2_000


@click.command("list")
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--from", "first", metavar="DAY", help="First day; today unless given.")
@click.option("--to", "last", metavar="DAY", help="Last day, included; the first unless given.")
@click.option("--gone", is_flag=True, help="Also cases whose appointment is gone.")
@json_option
def list_(connection_id: UUID, first: str | None, last: str | None, gone: bool, as_json: bool) -> None:
    """The cases of CONNECTION on a day, or from one day to another; without notes, which are for clinicians."""
    with house() as here:
        with here.store.read() as session:
            connection = connections.get(session, connection_id)
            zone = zone_of(practices.get(session, connection.practice_id).timezone)
            today = day_of(clock.now(), zone)
            begins = parse_day(first or last or "today", today)
            window = Window(begins, parse_day(last, today) if last else begins, zone)
            found = cases_store.listed(
                session,
                connection.practice_id,
                connection_id=connection.id,
                start=window.start,
                end=window.end,
                gone=gone,
                limit=_MOST,
            )
        told = [_case(one) for one in found]
        lines = [row | {"at": clock_time(one.scheduled_at, zone)} for row, one in zip(told, found, strict=True)]
        columns = {"id": "id", "at": "at", "patientName": "patient", "species": "species", "clientName": "client"}
        columns |= {"status": "status", "caseType": "type", "enrichment": "consultation"}
        tell(told, as_json, lambda: table(lines, columns) if told else ["No cases in these days."])


@click.command()
@click.argument("case_id", metavar="CASE", type=IDENT)
@json_option
def show(case_id: UUID, as_json: bool) -> None:
    """One CASE: who, when, what for, and how its consultation stands; without the notes themselves."""
    with house() as here:
        with here.store.read() as session:
            told = _case(cases_store.get(session, case_id))
        tell(told, as_json, lambda: [f"{name}: {value}" for name, value in told.items() if value is not None])


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--status", "statuses", metavar="WORD=STATUS", multiple=True, help="A status word of the PMS.")
@click.option("--type", "types", metavar="WORD=TYPE", multiple=True, help="A word of an appointment type's name.")
@json_option
def words(connection_id: UUID, statuses: tuple[str, ...], types: tuple[str, ...], as_json: bool) -> None:
    """How CONNECTION's words become a case's status and type; changes lines, or takes them back (WORD=)."""
    edits = [(kind, *_line(one)) for kind, given in _kinds(statuses, types) for one in given]
    with house() as here:
        with here.store.write() as session:
            connection = connections.get(session, connection_id)
            for kind, word, value in edits:
                case_words.put(session, connection, kind, word, value, clock.now())
            told = _words(session, connection.id)
        columns = {"kind": "kind", "word": "word", "value": "becomes", "own": "own"}
        tell(told, as_json, lambda: table(told, columns))


@click.command()
@click.argument("connection_id", metavar="CONNECTION", type=IDENT)
@click.option("--keep/--no-keep", default=None, help="Whether appointments have cases from now on.")
@click.option("--at-a-time", type=click.IntRange(1, 100), help="How many consultations are fetched at a time.")
@click.option(
    "--every-type/--telehealth-only", default=None, help="Whether appointments of every type are read, or telehealth."
)
@json_option
def settings(
    connection_id: UUID, keep: bool | None, at_a_time: int | None, every_type: bool | None, as_json: bool
) -> None:
    """Show or change what CONNECTION keeps of cases. What is kept already stays."""
    with house() as here:
        with here.store.write() as session:
            connection = connections.get(session, connection_id)
            connections.hold(session, connection.id)
            if keep is not None:
                connection.keeps_cases = keep
            if at_a_time is not None:
                connection.parallel_batch_size = at_a_time
            if every_type is not None:
                practice = practices.get(session, connection.practice_id)
                choices.set_every_type(session, connection, practice, every=every_type, now=clock.now())
            if keep is not None:
                connection.choices += 1  # what is on its way is sorted by the new choice
            told = {
                "keepsCases": connection.keeps_cases,
                "parallelBatchSize": connection.parallel_batch_size,
                "telehealthOnly": connection.sync_telehealth_only,
            }
        tell(told, as_json, lambda: [f"{name}: {value}" for name, value in told.items()])


def _kinds(
    statuses: tuple[str, ...], types: tuple[str, ...]
) -> tuple[tuple[WordKind, tuple[str, ...]], tuple[WordKind, tuple[str, ...]]]:
    return (WordKind.STATUS, statuses), (WordKind.TYPE, types)


def _line(text: str) -> tuple[str, str | None]:
    """`exam=checkup`; `exam=` takes the practice's own line away."""
    word, equals, value = text.rpartition("=")
    if not equals:
        raise InvalidInput({"word": "Give a line as WORD=VALUE, for example dental=surgery; WORD= takes it back."})
    return word, value.strip().lower() or None


def _words(session: Session, connection_id: UUID) -> list[dict[str, Any]]:
    return [
        {"kind": line.kind.value, "word": line.word, "value": line.value, "own": line.own}
        for line in case_words.lines_of(session, connection_id)
    ]


def _case(facts: CaseFacts) -> dict[str, Any]:
    return {
        "id": str(facts.id),
        "externalId": facts.external_id,
        "appointmentId": str(facts.appointment_id) if facts.appointment_id else None,
        "origin": facts.origin,
        "scheduledAt": instant(facts.scheduled_at),
        "patientName": facts.patient_name,
        "species": facts.species,
        "breed": facts.breed,
        "clientName": facts.client_name,
        "provider": facts.provider,
        "room": facts.room,
        "reason": facts.reason,
        "status": facts.status,
        "caseType": facts.case_type,
        "visibility": facts.visibility,
        "consultationId": facts.consultation_id,
        "consultationAt": instant(facts.consultation_at),
        "enrichment": facts.enrichment_state,
        "enrichmentReason": facts.enrichment_reason,
        "enrichedAt": instant(facts.enriched_at),
        "deletedAt": instant(facts.deleted_at),
        "deleteReason": facts.delete_reason,
    }
