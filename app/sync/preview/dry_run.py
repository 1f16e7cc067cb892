"""Today's sheet as it would be, with the present choices, without storing a thing (A03, M10)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID, uuid5

from app import clock
from app.domain.appointment import Appointment
from app.domain.rules import Cause, Rules
from app.domain.runsheet import Filters, RowFacts, Sheet, build
from app.domain.window import Window, day_of, zone_of
from app.pms.errors import PmsCancelled, PmsUnavailable
from app.store import catalogue, connections, practices, runsheet
from app.store.models import PmsConnection
from app.store.models.runsheet import RowKind
from app.sync.engine import Engine
from app.sync.fetch import Broken, Event, Fetched, Fetcher
from app.sync.mapper import DataMapper

DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class DryRun:
    """received = sheet.total + hidden + unreadable.

    `by_type`, `by_practitioner`: id of the vendor -> how many came of it today, wanted or not.
    """

    sheet: Sheet
    received: int
    hidden: Counter[str]
    by_type: Counter[str]
    by_practitioner: Counter[str]
    unreadable: int


def dry_run(engine: Engine, practice_id: UUID, connection_id: UUID) -> DryRun:
    """Fetch today as a sync would, decide as a sync would, write nothing.

    Raises PmsError: half a preview would lie, so one chain that fails fails the preview.
    """
    with engine.store.read() as session:
        connection = connections.one_of_practice(session, practice_id, connection_id)
        practice = practices.get(session, practice_id)
        swept = catalogue.swept_practitioners(session, connection.id)
        rules = catalogue.rules_of(session, connection, swept)
        words = catalogue.explained_words(session, connection.id)
        columns = runsheet.columns_of(session, practice_id)
        clinician_of = {
            row.pms_practitioner_id: row.run_sheet_clinician_id for row in catalogue.mappings_of(session, connection.id)
        }
    zone = zone_of(practice.timezone)
    today = day_of(clock.now(), zone)
    gathered = _Gathered(rules, Window(today, today, zone))
    deadline = Deadline()
    adapter = engine.open(connection, practice, manual=True, cancelled=deadline.passed, status_words=words)
    try:
        partitions = adapter.partitions(gathered.window, sorted(swept))
        with Fetcher(adapter, partitions, {}, engine.concurrency(connection.pms_type)) as fetcher:
            for event in fetcher.events(deadline.check):
                gathered.take(event)
    finally:
        adapter.close()
    mapper = DataMapper(zone, practice.region)
    facts = [
        _facts(connection, mapper, one, clinician_of.get(one.practitioner_id), rules.is_telehealth(one))
        for one in gathered.admitted.values()
    ]
    sheet = build(day=today, zone=zone, version=0, facts=facts, columns=columns, filters=Filters())
    return DryRun(
        sheet, gathered.received, gathered.hidden, gathered.by_type, gathered.by_practitioner, gathered.unreadable
    )


class _Gathered:
    """What the sweep brought, sorted by the practice's rules."""

    def __init__(self, rules: Rules, window: Window) -> None:
        self.rules, self.window = rules, window
        self.admitted: dict[str, Appointment] = {}
        self.hidden = Counter[str]()
        self.by_type, self.by_practitioner = Counter[str](), Counter[str]()
        self.received = self.unreadable = 0

    def take(self, event: Event) -> None:
        if isinstance(event, Broken):
            raise too_long() if isinstance(event.error, PmsCancelled) else event.error
        if not isinstance(event, Fetched):
            return
        self.received += event.page.received
        self.unreadable += len(event.page.rejected)
        for one in event.page.appointments:
            cause = self.rules.refusal(one, self.window, event.partition.practitioner_id)
            if cause not in (Cause.DUPLICATE, Cause.OUTSIDE_WINDOW) and one.external_id in self.admitted:
                del self.admitted[one.external_id]  # of two records of an id the later one counts, as in a sync
                self.hidden[Cause.DUPLICATE] += 1
            if cause not in (Cause.DUPLICATE, Cause.OUTSIDE_WINDOW, Cause.BLOCK):
                self.by_type[one.type_id or ""] += 1
                self.by_practitioner[one.practitioner_id] += 1
            if cause is None:
                self.admitted[one.external_id] = one
            else:
                self.hidden[cause.value] += 1


class Deadline:
    """Somebody waits at a page: `passed` is what an adapter asks between two requests."""

    def __init__(self) -> None:
        self._ends = clock.monotonic() + DEADLINE_S

    def passed(self) -> bool:
        return clock.monotonic() > self._ends

    def check(self) -> None:
        if self.passed():
            raise too_long()


def too_long() -> PmsUnavailable:
    return PmsUnavailable("what a person waits for took too long", reason="deadline")


#: RowFacts' names for what the mapper calls by its column.
_COLUMN_OF = {
    "minutes": "appointment_duration_minutes",
    "phone": "patient_phone",
    "email": "patient_email",
    "birth_date": "patient_dob",
    "practitioner_id": "pms_practitioner_id",
    "practitioner_name": "pms_practitioner_name",
    "type_id": "pms_type_id",
    "type_name": "pms_type_name",
    "comment": "pms_comment",
}


def _facts(
    connection: PmsConnection,
    mapper: DataMapper,
    appointment: Appointment,
    clinician_id: UUID | None,
    is_telehealth: bool,
) -> RowFacts:
    """The row a first sync would make, as the sheet reads it."""
    row, now = mapper.to_row(appointment, is_telehealth=is_telehealth).row, clock.now()
    told: dict[str, Any] = {field.name: row.get(_COLUMN_OF.get(field.name, field.name)) for field in fields(RowFacts)}
    return RowFacts(
        **told
        | {
            "id": uuid5(connection.id, appointment.external_id),
            "row_version": 1,
            "kind": RowKind.APPOINTMENT.value,
            "connection_id": connection.id,
            "clinician_id": clinician_id,
            "pms_status": appointment.status,
            "pms_status_changed_at": now,
            "created_at": now,
        }
    )
