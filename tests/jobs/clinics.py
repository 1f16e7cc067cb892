"""Several practices over no PMS at all, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update

from app import clock
from app.config import Settings
from app.domain.timetable import line_of
from app.jobs import dispatch
from app.parts import Parts
from app.store import connections, practices, schedules, timetables
from app.store.models import ScheduleConfig, SyncRun, SyncSchedule
from app.store.models.connection import Environment
from app.store.models.sync import RunState
from app.sync.timetable import follow_edits, why_not
from tests.jobs.living import environment


class Clinics:
    """`clinics.opens("Adelaide", "Australia/Adelaide")` makes a practice with a live connection: their ids.

    Nothing comes due by itself but what a test plans.
    """

    def __init__(self, parts: Parts, patch: pytest.MonkeyPatch) -> None:
        self.parts, self.store = parts, parts.store
        self._at = clock.now()
        patch.setattr(clock, "now", lambda: self._at)

    # --- the clock ------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self._at

    def at(self, instant: datetime) -> None:
        self._at = instant

    def forward(self, **by: float) -> None:
        self._at += timedelta(**by)

    # --- practices ------------------------------------------------------------------------------------------------

    def opens(self, name: str, zone: str = "Australia/Melbourne", connected: int = 1) -> tuple[UUID, UUID]:
        with self.store.write() as session:
            practice = practices.create(session, name, zone)
            for number in range(connected):
                made = connections.create(session, practice, "gentu", f"{name} {number}", Environment.SIMULATOR)
                made.tenant_id = f"{name} {number}"
                connections.activate(session, made, practice, self.now)
            session.execute(update(SyncSchedule).where(SyncSchedule.practice_id == practice.id).values(enabled=False))
            return practice.id, made.id if connected else uuid4()

    def plans(self, practice_id: UUID, cron: str, type_: str = "inbound", *, on: bool = True) -> None:
        """As `runsheet schedule set`."""
        with self.store.write() as session:
            practice = practices.get(session, practice_id)
            timetables.set_line(session, practice, line_of(type_, cron, on), self.now, why_not)

    def by_sql(self, practice_id: UUID, value: str) -> None:
        """As in the documents: an UPDATE of the column, whatever it says."""
        with self.store.write() as session:
            on_postgres = self.store.dialect == "postgresql"
            statement = "UPDATE clinic_schedule_configs SET sync_schedules = {} WHERE practice_id = :id"
            given = practice_id if on_postgres else practice_id.hex
            session.execute(
                text(statement.format("CAST(:value AS jsonb)" if on_postgres else ":value")),
                {"value": value, "id": given},
            )

    def zone_by_sql(self, practice_id: UUID, zone: str) -> None:
        with self.store.write() as session:
            given = practice_id if self.store.dialect == "postgresql" else practice_id.hex
            session.execute(text("UPDATE practices SET timezone = :zone WHERE id = :id"), {"zone": zone, "id": given})

    # --- what a tick does without Redis ---------------------------------------------------------------------------

    def ticks(self) -> int:
        """What became a run. Edits are followed first."""
        follow_edits(self.store)
        return dispatch.dispatch_due(self.store)

    def all_done(self) -> None:
        """Whatever waits has run."""
        with self.store.write() as session:
            waiting = update(SyncRun).where(SyncRun.state.in_((RunState.QUEUED, RunState.RUNNING)))
            session.execute(waiting.values(state=RunState.SUCCESS, completed_at=self.now))

    def runs(self, connection_id: UUID | None = None) -> list[SyncRun]:
        with self.store.read() as session:
            wanted = select(SyncRun).order_by(SyncRun.slot_utc, SyncRun.id)
            if connection_id is not None:
                wanted = wanted.where(SyncRun.pms_connection_id == connection_id)
            return list(session.scalars(wanted))

    def rows(self, connection_id: UUID, *, cron: bool = True) -> dict[str, SyncSchedule]:
        """By kind; the derived ones only, unless asked otherwise."""
        with self.store.read() as session:
            found = schedules.of_connection(session, connection_id)
        return {row.kind: row for row in found if not cron or row.kind.startswith("cron:")}

    def problems(self, practice_id: UUID) -> Any:
        with self.store.read() as session:
            return session.get_one(ScheduleConfig, practice_id).problems


@pytest.fixture
def clinics(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinics]:
    with Parts(Settings.from_env(environment(tmp_path / "home", database_url))) as parts:
        yield Clinics(parts, monkeypatch)
