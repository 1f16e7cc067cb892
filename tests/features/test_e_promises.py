"""What the engine promises (P1, P5, P14-P16), kept against the simulated Gentu."""

from __future__ import annotations

import os
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.domain.status import Status
from app.pms.limits import LocalLimiter
from app.security.vault import Place
from app.store import catalogue, connections, practices, quarantine, sync_runs
from app.store.models import Appointment, AppointmentEvent, QuarantinedRecord, SyncRun
from app.store.models.sync import RunState
from tests.fakes.house import shared_postgresql, shared_sqlite, statements, store, writes_to
from tests.features.surgery import DAY, ROW_TABLES, STANDARD, Surgery, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


# --- promises ---------------------------------------------------------------------------------------------------------


@pytest.mark.promise("P1")
def test_the_same_run_three_times_leaves_what_it_left_once(surgery: Surgery) -> None:
    surgery.books(count=12, every_minutes=10)
    surgery.books(time="15:00", type=STANDARD)
    run_id = surgery.request(DAY)
    claim = surgery.engine.claim(run_id)
    assert claim is not None
    surgery.execute(claim)
    once = surgery.contents(), surgery.count(AppointmentEvent), surgery.version(DAY)
    for _ in range(2):
        with surgery.store.write() as session:  # as after a worker that died between its last page and the closing
            run = session.get_one(SyncRun, run_id)
            run.state, run.completed_at, run.checkpoint = RunState.QUEUED, None, None
        again = surgery.engine.claim(run_id)
        assert again is not None
        with statements(surgery.store) as told:
            surgery.engine.execute(again)
        assert writes_to(told, *ROW_TABLES) == []
        assert (surgery.contents(), surgery.count(AppointmentEvent), surgery.version(DAY)) == once
    assert len(once[0]) == 12
    surgery.stands_as_at_the_vendor()


#: Rows that begin at the same instant; the promise speaks of 10,000.
SAME = int(os.environ.get("RUNSHEET_SAME_INSTANT", "600"))


@pytest.mark.promise("P5")
def test_rows_of_one_instant_are_neither_lost_nor_read_round_in_a_circle(surgery: Surgery) -> None:
    surgery.books(count=SAME, every_minutes=0)
    surgery.sandbox.control("traffic/reset")
    for created, unchanged in ((SAME, 0), (0, SAME)):
        result = surgery.sync(DAY)
        tally = result.tallies[-1]
        assert (result.state, tally.created, tally.unchanged) == (RunState.SUCCESS, created, unchanged)
    assert surgery.count(Appointment) == SAME
    pages = [one for one in surgery.sandbox.state(log=1000)["log"] if one["path"].endswith("/appointments")]
    assert len(pages) == 2 * (SAME // 100 + len(surgery.in_book()) - 1)
    surgery.stands_as_at_the_vendor()


@pytest.mark.promise("P14")
@pytest.mark.parametrize(
    ("record", "state", "shown"),
    [
        ("new_field", RunState.SUCCESS, "booked"),
        ("unknown_status", RunState.PARTIAL, "unknown"),
        ("no_start", RunState.PARTIAL, None),
    ],
)
def test_a_vendor_that_drifts_costs_at_most_the_record_it_drifted_in(
    surgery: Surgery, record: str, state: RunState, shown: str | None
) -> None:
    """A new member is ignored, a new word is kept raw and never read as booked, a missing one sets the record aside."""
    first, second, third = surgery.books(count=3)
    surgery.sandbox.break_("poison", record=record, index=1)
    surgery.sandbox.control(f"appointments/{third}/move", description=None, comment=None)
    result = surgery.sync(DAY)
    assert result.state is state
    assert {first, third} <= surgery.shown(DAY)
    statuses = {row.facts.pms_appointment_id: row for row in surgery.sheet(DAY).rows}
    if shown is None:
        assert second not in statuses
        assert surgery.count(QuarantinedRecord) == 1
    else:
        assert statuses[second].status is Status(shown)
    if shown == "unknown":
        assert statuses[second].facts.pms_status_raw == "triaged"
        assert surgery.sheet(DAY).counts[Status.BOOKED] == 2
        with surgery.store.read() as session:
            assert [one.raw_status for one in catalogue.unknown_words(session, surgery.connection_id)] == ["triaged"]
    assert surgery.row(third).pms_comment is None
    surgery.sandbox.mend()
    assert surgery.sync(DAY).state is RunState.SUCCESS
    surgery.stands_as_at_the_vendor()


@pytest.mark.promise("P15")
def test_poison_is_set_aside_encrypted_once_and_read_again_when_it_changes(surgery: Surgery) -> None:
    ids = surgery.books(count=3)
    surgery.sandbox.break_("poison", record="null_start", index=1)
    for seen in (1, 2):
        result = surgery.sync(DAY)
        assert (result.state, result.reason, result.tallies[-1].quarantined) == (
            RunState.PARTIAL,
            "quarantined",
            1,
        )
        with surgery.store.read() as session:
            (record,) = session.scalars(select(QuarantinedRecord))
        assert (record.external_id, record.path, record.seen) == (ids[1], "$.startAt", seen)
        place = Place(str(surgery.practice_id), "quarantined_records", "payload", str(record.id))
        assert ids[1] in surgery.vault.open(record.payload, place)
        assert ids[1] not in record.payload
    surgery.sandbox.mend()
    assert surgery.sync(DAY).state is RunState.SUCCESS
    with surgery.store.read() as session:
        assert quarantine.open_count(session, surgery.practice_id) == 0
    surgery.stands_as_at_the_vendor()
    for number in range(9):
        surgery.sandbox.control("practitioners", family=f"Extra {number}", given="Dr")
    for who in surgery.in_book():
        surgery.books(count=2, time="13:00", practitioner_id=who)
    surgery.sandbox.break_("poison", record="wrong_type", index=1)  # one record of each page
    result = surgery.sync(DAY)
    assert result.tallies[-1].quarantined == 11
    assert (result.state, result.reason) == (RunState.FAILED, "quarantined"), "more than ten, and more than a tenth"
    assert surgery.count(Appointment) == len(ids) + result.tallies[-1].created == 15


@pytest.mark.promise("P16")
def test_every_way_a_run_can_end_has_its_word_and_counts_that_add_up(surgery: Surgery) -> None:
    first, second, *_ = surgery.in_book()
    surgery.books(count=3, practitioner_id=first)
    surgery.books(count=2, practitioner_id=second)
    ended: dict[str, RunState] = {"success": surgery.sync(DAY).state}

    def broken(name: str, kind: str, **options: Any) -> None:
        surgery.sandbox.break_(kind, **options)
        ended[name] = surgery.sync(DAY).state
        surgery.sandbox.mend()

    broken("partial", "error", status=403, path="/tenants/*/appointments", query=f"practitionerId={second}")
    broken("failed", "envelope", path="/tenants/*/practitioners")
    broken("deferred", "rate_limited", retry_after=7200, path="/tenants/*/appointments")
    surgery.engine._limiter = LocalLimiter()  # two hours pass
    waiting = surgery.request(DAY)
    with surgery.store.write() as session:
        connection = connections.get(session, surgery.connection_id)
        connections.pause(session, connection, clock.now())
        connections.resume(session, connection, practices.get(session, surgery.practice_id), clock.now())
    ended["cancelled"] = RunState(surgery.run(waiting).state)

    claim = surgery.claim(surgery.request(DAY))
    assert claim is not None

    def usurp(_: object) -> None:
        with surgery.store.write() as session:
            sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())

    surgery.engine.execute(claim, on_progress=usurp)
    ended["abandoned"] = RunState(surgery.run(claim.run_id).state)
    assert {name: state.value for name, state in ended.items()} == {name: name for name in ended}
    assert len(ended) == 6
    for run in surgery.runs():
        told = run.appointments_created + run.appointments_updated + run.appointments_unchanged
        assert run.appointments_fetched == told + run.appointments_skipped + run.appointments_quarantined
    heir = surgery.claim(next(run.id for run in surgery.runs() if run.state == RunState.QUEUED))
    assert heir is not None
    assert surgery.execute(heir).state is RunState.SUCCESS
    surgery.stands_as_at_the_vendor()
