"""How many requests a typical practice costs a vendor in a day, counted at its simulator.

The practice is the simulated clinic with its day, every type of visit telehealth, nothing set by anybody: today and
tomorrow every 15 minutes, what is near in between as often as the budget allows, three weeks once a night. An hour at
noon is synced as the clock would have it, and the simulator's log counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import time_machine

from app import clock
from app.config import VendorSettings
from app.pms.limits import Limits, LocalLimiter
from app.pms.registry import adapter_class
from app.security.vault import Vault
from app.store import catalogue, choices, connections, practices
from app.store.db import Store
from app.store.models.sync import RunState
from app.sync import near, preview
from app.sync.engine import Engine, Wish
from tests.contract.case import Case
from tests.contract.meeting import Meeting, clinic_of
from tests.sandbox.process import RunningSandbox

INTERVAL_MINUTES, A_DAY_MINUTES = 15, 24 * 60
_NOON = datetime.fromisoformat("2026-03-09T12:00:00+11:00")
_TODAY = date(2026, 3, 9)
#: The vendor is not to slow a count down; the simulator's own limits are wide.
_UNHURRIED = {"requests_per_minute": 1_000_000, "requests_per_hour": 1_000_000, "requests_per_day": 1_000_000}


@dataclass(frozen=True, slots=True)
class Spending:
    """Requests. near_minutes: every how many minutes today is read in between; None: not at all."""

    pairing: int
    hour: int  # of ordinary syncs
    near: int
    near_minutes: int | None
    night: int

    @property
    def day(self) -> int:
        between = 0 if self.near_minutes is None else A_DAY_MINUTES // self.near_minutes
        return self.hour * 24 + self.near * between + self.night


def spent(case: Case, sandbox: RunningSandbox, store: Store, vault: Vault) -> Spending:
    """Pairs the vendor's clinic with a practice of its own in that database, and syncs it."""
    clinic = clinic_of(case, sandbox).fresh(_NOON.isoformat(), **case.frozen)
    settings = replace(Meeting(case, clinic, None).settings(), **_UNHURRIED)
    engine = Engine(store, vault, lambda _: settings, LocalLimiter())
    with time_machine.travel(_NOON, tick=True):
        connection_id = _paired(engine, store, case, clinic)
        pairing = _counted(clinic, lambda: _sync(engine, connection_id))
    hour = 0
    for minutes in range(INTERVAL_MINUTES, 61, INTERVAL_MINUTES):
        with _at(clinic, _NOON + timedelta(minutes=minutes)):
            hour += _counted(clinic, lambda: _sync(engine, connection_id))
    with _at(clinic, _NOON + timedelta(minutes=62)):
        incremental = adapter_class(case.kind).capabilities.incremental
        phases = tuple(near.CHANGED if incremental else near.WHOLE)
        between = _counted(clinic, lambda: _sync(engine, connection_id, _TODAY, _TODAY, phases))
    with _at(clinic, _NOON + timedelta(minutes=75)):
        week, fortnight = timedelta(days=7), timedelta(days=14)
        night = _counted(clinic, lambda: _sync(engine, connection_id, _TODAY - week, _TODAY + fortnight))
    every = near.minutes_for(case.kind, INTERVAL_MINUTES, len(clinic.practitioners()), 1, VendorSettings())
    return Spending(pairing, hour, between, every, night)


def budget(kind: str) -> tuple[int, str]:
    """What the vendor allows in a day for syncs nobody waits for, and of which figure that is."""
    limits: Limits = adapter_class(kind).limits
    if limits.per_day is not None:
        return limits.day(manual=False) or 0, f"{limits.per_day:,} a day, a fifth kept for people"
    hourly = min(limits.per_hour, limits.background * 60)
    return hourly * 24, f"{hourly:,} an hour"


def _paired(engine: Engine, store: Store, case: Case, clinic: Any) -> UUID:
    """A live connection: everybody has a clinician, everything is telehealth."""
    with store.write() as session:
        practice_id = practices.create(session, f"Practice of {case.kind}", "Australia/Melbourne").id
    draft = preview.new_connection(engine, practice_id, case.kind, None)
    if adapter_class(case.kind).pairing is not None:
        preview.pair(engine, practice_id, draft.id, clinic.sandbox.pairing_code())
    else:
        preview.connect(engine, practice_id, draft.id, clinic.credentials)
    with store.write() as session:
        connection = connections.one_of_practice(session, practice_id, draft.id)
        catalogue.map_everybody(session, practice_id, draft.id)
        every = {row.id for row in catalogue.types_of(session, draft.id)}
        choices.set_telehealth(session, connection, practices.get(session, practice_id), every, clock.now())
    preview.finish_pairing(engine, practice_id, draft.id)
    return draft.id


def _sync(
    engine: Engine,
    connection_id: UUID,
    first: date = _TODAY,
    last: date = _TODAY + timedelta(days=1),
    phases: tuple[str, ...] = (),
) -> None:
    result = engine.sync(Wish(connection_id, first, last, phases))
    assert result.state is RunState.SUCCESS, (result.state, result.reason)


def _at(clinic: Any, at: datetime) -> time_machine.travel:
    """Both clocks at that instant; ours goes on."""
    clinic.sandbox.control(getattr(clinic, "clock", "clock"), at=at.isoformat())
    return time_machine.travel(at, tick=True)


def _counted(clinic: Any, work: Any) -> int:
    before = len(clinic.asked())
    work()
    return len(clinic.asked()) - before
