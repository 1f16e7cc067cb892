"""A furnished practice: `house.sync()`, `house.rows()["a1"]`, `house.sheet()`; every run's counts are added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, event, func, select, text

from app import clock
from app.domain.orphans import Answer
from app.domain.runsheet import Column, Filters, Sheet, build
from app.domain.status import Status
from app.domain.window import zone_of
from app.pms.registry import ADAPTERS
from app.security.vault import Vault
from app.store import catalogue, choices, connections, holds, practices, rows, runsheet, sync_runs
from app.store.db import Store, engine_options, prepare
from app.store.models import (
    Appointment,
    AppointmentEvent,
    PmsConnection,
    RunSheet,
    Sweep,
    SyncPhase,
    SyncRun,
    User,
)
from app.store.models.connection import Environment
from app.store.models.sync import RunState, Trigger
from app.store.rows import Act
from app.store.sync_runs import Ask, Claim
from app.sync.run import Opened, Runner, SyncResult
from tests.fakes.pms import IN_PERSON, NOW, TODAY, VIDEO, FakeAdapter, FakePms
from tests.fixtures.databases import KEY, Postgres, Sqlite

ALL_PHASES = ("catalogue", "inbound")
#: As a sync that nobody narrowed.
EVERY_PHASE = (*ALL_PHASES, "reconciliation")


class FakeClock:
    """The house's clock, standing still until somebody moves it. Waiting moves it."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self._passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.forward(seconds)

    def forward(self, seconds: float = 0, **more: float) -> None:
        by = timedelta(seconds=seconds, **more)
        self.at += by
        self._passed += by.total_seconds()


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    for name in ("now", "monotonic", "sleep"):
        monkeypatch.setattr(clock, name, getattr(made, name))
    return made


@dataclass
class House:
    store: Store
    vault: Vault
    clock: FakeClock
    pms: FakePms
    practice_id: UUID
    connection_id: UUID
    user_id: UUID
    fetchers: int = 2
    results: list[SyncResult] = field(default_factory=list)

    # --- syncing --------------------------------------------------------------------------------------------------

    def ask(self, first: date = TODAY, last: date | None = None, **more: Any) -> Ask:
        given: dict[str, Any] = {"phases": ALL_PHASES, "trigger": Trigger.SCHEDULE}
        return Ask(
            practice_id=self.practice_id,
            connection_id=self.connection_id,
            window_from=first,
            window_to=last or first,
            **(given | more),
        )

    def request(self, *days: date, **more: Any) -> UUID:
        with self.store.write() as session:
            return sync_runs.request(session, self.ask(*days, **more), clock.now()).run_id

    def claim(self, run_id: UUID, host: str = "here", pid: int = 1) -> Claim | None:
        return self.store.transact(lambda s: sync_runs.claim(s, run_id, clock.now(), host, pid))

    def runner(self, **options: Any) -> Runner:
        def opened(_claim: Claim, cancelled: Callable[[], bool]) -> Opened:
            return Opened(FakeAdapter(self.pms, cancelled), self.fetchers)  # type: ignore[arg-type]

        return Runner(self.store, self.vault, opened, **options)

    def execute(self, claim: Claim, **options: Any) -> SyncResult:
        result = self.runner(**options).execute(claim)
        self.adds_up(result)
        self.results.append(result)
        assert self.pms.open_adapters == 0
        return result

    def sync(self, *days: date, runner: dict[str, Any] | None = None, **more: Any) -> SyncResult:
        """A run from asking to closing, by a worker. A second later on the clock, so that runs have an order."""
        self.clock.forward(1)
        claim = self.claim(self.request(*days, **more))
        assert claim is not None
        return self.execute(claim, **(runner or {}))

    def reconciles(self, *days: date, **more: Any) -> SyncResult:
        """As `sync`, with every phase."""
        return self.sync(*days, phases=EVERY_PHASE, **more)

    def removed(self) -> set[str]:
        return {id_ for id_, row in self.rows().items() if row.removed_at is not None}

    def adds_up(self, result: SyncResult) -> None:
        """P16, M12: whatever came is accounted for, in the phases and in the diary; no run is left running."""
        for tally in result.tallies:
            assert tally.adds_up, tally
        with self.store.read() as session:
            run = session.get_one(SyncRun, result.run_id)
            phases = session.scalars(select(SyncPhase).where(SyncPhase.sync_run_id == run.id)).all()
            assert {one.phase for one in phases} == {tally.phase for tally in result.tallies}
            told = run.appointments_created + run.appointments_updated + run.appointments_unchanged
            told += run.appointments_skipped + run.appointments_quarantined
            assert run.appointments_fetched == told
            assert run.state == result.state or result.reason == "fenced"
            if result.state is not RunState.QUEUED and result.reason != "fenced":
                assert run.lease_until is None
                assert run.completed_at is not None

    # --- looking --------------------------------------------------------------------------------------------------

    def rows(self) -> dict[str, Appointment]:
        """All rows of the PMS by the vendor's id, hidden ones too."""
        with self.store.read() as session:
            found = session.scalars(select(Appointment).where(Appointment.pms_connection_id == self.connection_id))
            return {str(row.pms_appointment_id): row for row in found}

    def row(self, id_: str) -> Appointment:
        return self.rows()[id_]

    def day_of(self, id_: str) -> date:
        with self.store.read() as session:
            return session.get_one(RunSheet, self.row(id_).run_sheet_id).day

    def version(self, day: date = TODAY) -> int:
        with self.store.read() as session:
            asked = select(RunSheet.version).where(RunSheet.day == day, RunSheet.practice_id == self.practice_id)
            return session.scalar(asked) or 0

    def sheet(self, day: date = TODAY) -> Sheet:
        with self.store.read() as session:
            found = runsheet.read_day(session, self.practice_id, day)
            columns: list[Column] = runsheet.columns_of(session, self.practice_id)
            zone = zone_of(practices.get(session, self.practice_id).timezone)
        return build(day=day, zone=zone, version=found.version, facts=found.facts, columns=columns, filters=Filters())

    def picture(self, day: date = TODAY) -> list[tuple[Any, ...]]:
        """The sheet as a person sees it, to be compared."""
        return [
            (
                group.column.name,
                row.facts.pms_appointment_id,
                row.facts.starts_at,
                row.facts.patient_name,
                row.status,
                row.facts.is_telehealth,
                row.facts.note,
                row.facts.removed_at,
            )
            for group in self.sheet(day).groups
            for row in group.rows
        ]

    def shown(self, day: date = TODAY) -> set[str]:
        return {str(row.facts.pms_appointment_id) for row in self.sheet(day).rows if row.facts.pms_appointment_id}

    def events(self, id_: str | None = None) -> list[AppointmentEvent]:
        with self.store.read() as session:
            query = select(AppointmentEvent).where(AppointmentEvent.practice_id == self.practice_id)
            query = query.order_by(AppointmentEvent.at)
            if id_ is not None:
                query = query.where(AppointmentEvent.appointment_id == self.row(id_).id)
            return list(session.scalars(query))

    def sweeps(self, day: date = TODAY) -> dict[str, Sweep]:
        with self.store.read() as session:
            mine = select(Sweep).where(Sweep.day == day, Sweep.pms_connection_id == self.connection_id)
            return {row.practitioner_id: row for row in session.scalars(mine)}

    def account_adds_up(self, day: date = TODAY) -> None:
        """Received = shown of the PMS + hidden by cause."""
        received, told_of = self.account(day)
        assert received == told_of

    def account(self, day: date = TODAY) -> tuple[int, int]:
        """(received, shown of the PMS + hidden by cause). A row whose removal waits for a person is not of the PMS."""
        with self.store.read() as session:
            account = runsheet.account_of(session, self.practice_id, day)
            standing = [one for one in holds.standing(session, self.connection_id) if one.day == day]
        waiting = {
            (self.connection_id, id_)
            for one in standing
            for id_, told in one.candidates.items()
            if told != Answer.THERE
        }
        of_pms = {  # two systems may call two visits by one id
            (one.facts.connection_id, one.facts.pms_appointment_id)
            for one in self.sheet(day).rows
            if one.facts.pms_appointment_id and not one.facts.removed_at
        }
        return account.received, len(of_pms - waiting) + account.hidden.total()

    def run(self, run_id: UUID) -> SyncRun:
        with self.store.read() as session:
            return session.get_one(SyncRun, run_id)

    def runs(self) -> list[SyncRun]:
        with self.store.read() as session:
            mine = select(SyncRun).where(SyncRun.pms_connection_id == self.connection_id)
            return list(session.scalars(mine.order_by(SyncRun.requested_at, SyncRun.created_at)))

    def connection(self) -> PmsConnection:
        with self.store.read() as session:
            return session.get_one(PmsConnection, self.connection_id)

    def count(self, table: Any) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    # --- doing ----------------------------------------------------------------------------------------------------

    def ticks(self, *types: str) -> choices.Chosen:
        """Exactly these types are telehealth."""
        with self.store.write() as session:
            connection = connections.get(session, self.connection_id)
            practice = practices.get(session, self.practice_id)
            known = catalogue.types_of(session, connection.id)
            on = {row.id for row in known if row.pms_type_id in types}
            return choices.set_telehealth(session, connection, practice, on, clock.now())

    def wants(self, practitioner: str, enabled: bool) -> choices.Chosen:
        with self.store.write() as session:
            connection = connections.get(session, self.connection_id)
            practice = practices.get(session, self.practice_id)
            row = next(
                one for one in catalogue.mappings_of(session, connection.id) if one.pms_practitioner_id == practitioner
            )
            return choices.set_practitioner(session, connection, practice, row, enabled=enabled, now=clock.now())

    def maps_everybody(self) -> tuple[int, int]:
        with self.store.write() as session:
            return catalogue.map_everybody(session, self.practice_id, self.connection_id)

    def act(self) -> Act:
        self.clock.forward(1)
        return Act(self.user_id, clock.now())

    def staff_sets(self, id_: str, to: Status) -> UUID:
        act = self.act()
        with self.store.write() as session:
            row = rows.locked(session, self.practice_id, self.row(id_).id)
            return rows.set_status(session, row, to, seen_version=row.row_version, act=act).id

    def staff_notes(self, id_: str, text: str) -> None:
        act = self.act()
        with self.store.write() as session:
            row = rows.locked(session, self.practice_id, self.row(id_).id)
            rows.set_note(session, row, text, seen_version=row.row_version, act=act)


def furnish(store: Store, name: str = "Smith Medical Centre", *, pms_type: str = "fake") -> tuple[UUID, UUID, UUID]:
    """A practice with a live connection and somebody at reception: (practice, connection, user)."""
    with store.write() as session:
        practice = practices.create(session, name, "Australia/Melbourne")
        connection = connections.create(session, practice, pms_type, "Fake", Environment.SIMULATOR)
        connections.bind_tenant(session, connection, f"tenant of {name}")
        connections.activate(session, connection, practice, clock.now())
        user = User(id=uuid4(), email=f"{uuid4().hex}@example.com", name="Robin Reception", password_hash="x")
        session.add(user)
        session.flush()
        return practice.id, connection.id, user.id


def furnished(store: Store, clock_at: FakeClock, pms: FakePms, name: str = "Smith Medical Centre") -> House:
    """With Dr Kim and Dr Lee in the book and video visits ticked as telehealth."""
    made = House(store, Vault(KEY), clock_at, pms, *furnish(store, name))
    pms.employs("kim", "lee").offers(VIDEO, IN_PERSON)
    with store.write() as session:
        catalogue.keep_practitioners(session, made.connection_id, pms.people.values())
        catalogue.keep_types(session, made.connection_id, pms.types.values())
    made.ticks(VIDEO)
    return made


#: Leaving with these, everything else leaves.
_ROOTS = ("run_sheet_appointments", "practices", "users", "pms_app_tokens", "encryption_keys", "login_attempts")


def _opened(url: str) -> Store:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return Store(engine)


@pytest.fixture(scope="session")
def shared_sqlite(sqlite_databases: Sqlite) -> Iterator[Store]:
    """One database for all tests that only need it empty: emptying is cheaper than making."""
    url = sqlite_databases.fresh()
    yield (store := _opened(url))
    store.engine.dispose()
    sqlite_databases.drop(url)


@pytest.fixture(scope="session")
def shared_postgresql(postgres_databases: Postgres) -> Iterator[Store]:
    url = postgres_databases.fresh()
    yield (store := _opened(url))
    store.engine.dispose()
    postgres_databases.drop(url)


@pytest.fixture
def store(request: pytest.FixtureRequest, db_kind: str) -> Store:
    """A store over an empty, migrated database, without the rest of the application."""
    found: Store = request.getfixturevalue(f"shared_{db_kind}")
    return emptied(found)


def emptied(store: Store) -> Store:
    with store.write() as session:
        for table in _ROOTS:
            session.execute(text(f"DELETE FROM {table}"))
    return store


@pytest.fixture
def pms() -> FakePms:
    return FakePms()


@pytest.fixture(autouse=True)
def fake_is_registered(pms: FakePms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ADAPTERS, "fake", "tests.fakes.pms:FakeAdapter")
    monkeypatch.setattr(FakeAdapter, "system", pms, raising=False)


@pytest.fixture
def bare_house(store: Store, clock_at: FakeClock, pms: FakePms) -> House:
    """A live connection that was never synced and whose types nobody ticked."""
    return House(store, Vault(KEY), clock_at, pms, *furnish(store))


@pytest.fixture
def house(store: Store, clock_at: FakeClock, pms: FakePms) -> House:
    return furnished(store, clock_at, pms)


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The SQL sent while the block runs, in order; BEGIN and the like left out."""
    told: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")):
            told.append(" ".join(statement.split()))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield told
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def writes_to(told: list[str], *tables: str) -> list[str]:
    """Which of these statements write to one of the tables."""
    verbs = ("INSERT INTO", "UPDATE", "DELETE FROM")
    return [one for one in told if any(one.startswith(f"{verb} {table} ") for verb in verbs for table in tables)]


def skipped(result: SyncResult) -> Counter[str]:
    return Counter({str(cause): count for cause, count in result.tallies[-1].skipped.items()})
