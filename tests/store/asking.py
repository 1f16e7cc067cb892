"""Asking for runs, and what becomes of them, each step in a transaction of its own."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from app import clock
from app.store import sync_runs
from app.store.models import SyncRun
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Answer, Claim
from tests.fakes.house import House
from tests.fakes.pms import NOW, TODAY

HALF = {"done": ["kim/x/y"], "cursors": {}, "at": NOW.isoformat()}


def ask(house: House, *days: date, **more: Any) -> Answer:
    with house.store.write() as session:
        return sync_runs.request(session, house.ask(*days, **more), clock.now())


def claimed(house: House, *days: date, **more: Any) -> Claim:
    claim = house.claim(house.request(*days, **more))
    assert claim is not None
    return claim


def finish(house: House, claim: Claim, state: RunState = RunState.SUCCESS, **more: Any) -> bool:
    with house.store.write() as session:
        return sync_runs.finish(session, claim, clock.now(), state, None, **more)


def beat(house: House, claim: Claim, **more: Any) -> None:
    with house.store.write() as session:
        sync_runs.beat(session, claim, clock.now(), **more)


def abandon(house: House, run_id: UUID) -> UUID | None:
    with house.store.write() as session:
        return sync_runs.abandon(session, session.get_one(SyncRun, run_id), clock.now())


def run_row(house: House, **more: Any) -> SyncRun:
    given: dict[str, Any] = {
        "practice_id": house.practice_id,
        "pms_connection_id": house.connection_id,
        "sync_type": "manual",
        "trigger": Trigger.MANUAL,
        "phases": [],
        "window_from": TODAY,
        "window_to": TODAY,
    }
    return SyncRun(**(given | more))
