"""A database or a disk that fails in the middle: the run says so, and the next one leaves what the vendor holds."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from app import clock
from app.store import appointments, sync_runs
from app.store.models import Appointment, AppointmentEvent, SyncRun
from app.store.models.sync import RunState
from tests.fakes.house import shared_postgresql, shared_sqlite, store
from tests.features.surgery import DAY, Surgery, surgery
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox
from tests.sync.steps import Cut

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


@pytest.mark.fault("F49")
@pytest.mark.parametrize("arrived", [True, False], ids=["the answer was lost", "the commit was lost"])
def test_a_connection_that_breaks_at_the_commit_of_a_page_is_never_taken_for_either(
    surgery: Surgery, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    who = surgery.in_book()[0]
    ids = surgery.books(count=3, practitioner_id=who)
    surgery.sync(DAY)
    surgery.sandbox.control(f"appointments/{ids[0]}/move", comment="Bring the scans")
    (new,) = surgery.books(time="15:00", practitioner_id=who)
    dialect, commit = surgery.store.engine.dialect, surgery.store.engine.dialect.do_commit
    write_page = appointments.write_page
    broken: list[bool] = []

    def written(session: Any, source: Any, creates: Any, updates: Any) -> Any:
        if creates:
            broken.append(False)
        return write_page(session, source, creates, updates)

    def breaks(connection: Any) -> None:
        if broken != [False]:
            commit(connection)
            return
        broken[:] = [True]
        if arrived:
            commit(connection)
        if dialect.name == "sqlite":
            raise sqlite3.OperationalError("disk I/O error")
        connection.dbapi_connection.close()
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(appointments, "write_page", written)
        patch.setattr(dialect, "do_commit", breaks)
        result = surgery.sync(DAY)
    assert broken[0] is True
    assert (result.state, result.reason) == (RunState.FAILED, "storage")
    assert (new in surgery.rows()) is arrived
    assert surgery.sync(DAY).state is RunState.SUCCESS
    surgery.stands_as_at_the_vendor()
    assert surgery.row(ids[0]).pms_comment == "Bring the scans"
    assert surgery.count(AppointmentEvent) == 1, "the change is told once"


@pytest.mark.fault("F50")
def test_a_full_disk_fails_the_run_and_leaves_the_sheet_readable(surgery: Surgery) -> None:
    """SQLite only: PostgreSQL would need a small file system of its own."""
    if surgery.store.dialect != "sqlite":
        pytest.skip("SQLite only")
    ids = surgery.books(count=3)
    surgery.sync(DAY)
    more = surgery.books(count=300, time="10:00", every_minutes=1)

    def limited(pages: int) -> Callable[..., None]:
        return lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {pages}").close()

    full = limited(1)  # as many as there are
    event.listen(surgery.store.engine, "checkout", full)
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.FAILED, "storage")
    assert surgery.shown(DAY) == set(ids), "what was there can be read"
    event.remove(surgery.store.engine, "checkout", full)
    event.listen(surgery.store.engine, "checkout", limited(2**30))
    assert surgery.sync(DAY).state is RunState.SUCCESS
    surgery.stands_as_at_the_vendor()
    assert surgery.count(Appointment) == len(ids) + len(more)


@pytest.mark.fault("F50")
def test_a_full_disk_under_the_log_stops_nobody(living: Callable[..., Practice], small_clinic: RunningSandbox) -> None:
    practice = living(small_clinic)
    practice.only_when_pressed()
    practice.books(3)
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "app.cli", "sync", str(practice.connection_id), "--json"],
            env=practice.environ | {"LOG_LEVEL": "debug"},
            stdout=subprocess.PIPE,
            stderr=full,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 0
    practice.stands_as_in_the_pms()


@pytest.mark.fault("F51")
@pytest.mark.promise("P8")
def test_two_runs_that_write_the_same_rows_leave_each_once_and_the_older_one_is_stopped(surgery: Surgery) -> None:
    """The first is taken for dead in mid-sweep, its successor reads everything, then the first one wants to go on."""
    first, second, *_ = surgery.in_book()
    for who in (first, second):
        surgery.books(count=3, practitioner_id=who)
    claim = surgery.claim(surgery.request(DAY))
    assert claim is not None

    def succeed() -> None:
        with surgery.store.write() as session:
            assert sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now()) is not None
        (heir,) = [run for run in surgery.runs() if run.state == RunState.QUEUED]
        taken = surgery.claim(heir.id)
        assert taken is not None
        assert surgery.execute(taken).state is RunState.SUCCESS

    result = surgery.engine.execute(claim, on_progress=Cut(1, succeed))
    assert (result.state, result.reason) == (RunState.ABANDONED, "fenced")
    surgery.stands_as_at_the_vendor()
    assert surgery.count(Appointment) == 6
