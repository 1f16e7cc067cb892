"""The sync engine, shown: mapping, syncing, walk-ins; pages where a page is the proof."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

from app import clock
from app.security.roles import Role
from app.store import catalogue, rows, sync_runs
from app.store.models import Appointment
from app.store.models.sync import RunState, Trigger
from app.sync.engine import Wish
from app.sync.run import SyncResult
from tests.fakes.house import EVERY_PHASE, shared_postgresql, shared_sqlite, statements, store, writes_to
from tests.features.surgery import DAY, NEXT, ROW_TABLES, Surgery, surgery
from tests.web.world import World

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


# --- E05: the data mapper ---------------------------------------------------------------------------------------------


@pytest.mark.feature("E05")
def test_a_booking_of_the_vendor_is_a_row_with_name_number_and_the_practices_own_time(world: World) -> None:
    person = {"family": "O'Connor", "given": "Niamh Rose", "phone": "(02) 5550 1234", "born": "1971-03-09"}
    world.books("09:05", patient=person, comment="Bring the scans")
    world.books("23:55", patient={"family": "Late", "given": "Lou", "phone": None})
    world.lives()
    page = world.sheet
    assert page.names == ["Niamh Rose O'Connor", "Lou Late"]
    assert "09:05" in page.row("Niamh Rose O'Connor")
    assert "23:55" in page.row("Lou Late")
    with world.store.read() as session:
        row = session.scalars(select(Appointment).where(Appointment.patient_name == "Niamh Rose O'Connor")).one()
    assert (row.patient_phone, row.patient_dob, row.pms_comment) == (
        "+61255501234",
        date(1971, 3, 9),
        "Bring the scans",
    )
    assert row.starts_at.astimezone(world.clinic.zone).date() == world.clinic.today
    detail = world.admin.page(f"/appointments/{row.id}")
    assert [words for words in ("(02) 5550 1234", "9 March 1971", "Bring the scans") if words not in detail] == []
    assert 'href="tel:+61255501234"' in detail.html


@pytest.mark.feature("E05")
@pytest.mark.parametrize(
    ("starts_at", "day"),
    [
        ("2026-04-05T00:00:00+11:00", "2026-04-05"),  # the first minute of a day of 25 hours
        ("2026-04-05T02:30:00+11:00", "2026-04-05"),
        ("2026-04-05T02:30:00+10:00", "2026-04-05"),  # half past two for the second time
        ("2026-04-05T23:59:00+10:00", "2026-04-05"),
        ("2026-04-06T00:00:00+10:00", "2026-04-06"),
        ("2026-10-04T03:00:00+11:00", "2026-10-04"),
    ],
)
def test_the_day_and_the_instant_are_right_when_the_clocks_change(surgery: Surgery, starts_at: str, day: str) -> None:
    (id_,) = surgery.books(starts_at=starts_at)
    local = date.fromisoformat(day)
    surgery.sync(local)
    assert surgery.row(id_).starts_at == datetime.fromisoformat(starts_at)
    assert surgery.day_of(id_) == local
    surgery.stands_as_at_the_vendor(local)


# --- E06: the orchestrator --------------------------------------------------------------------------------------------


@pytest.mark.feature("E06")
def test_today_a_date_and_a_range_are_synced_and_repeating_it_writes_nothing(surgery: Surgery) -> None:
    today = clock.now().astimezone(surgery.pms.zone).date()
    surgery.books(day=today.isoformat(), count=3)
    for day in (DAY, NEXT, NEXT + timedelta(days=9)):
        surgery.books(day=day.isoformat(), count=2, time="23:50")
    results = [
        surgery.engine.sync_today(surgery.connection_id),
        surgery.engine.sync_day(surgery.connection_id, DAY),
        surgery.engine.sync_range(surgery.connection_id, DAY, NEXT + timedelta(days=9)),
    ]
    assert [(one.state, one.tallies[1].created) for one in results] == [
        (RunState.SUCCESS, 3),
        (RunState.SUCCESS, 2),
        (RunState.SUCCESS, 4),
    ]
    for day in (today, DAY, NEXT, NEXT + timedelta(days=9)):
        surgery.stands_as_at_the_vendor(day)
    with statements(surgery.store) as told:
        again = surgery.engine.sync_range(surgery.connection_id, DAY, NEXT + timedelta(days=9))
    assert (again.tallies[1].unchanged, again.tallies[1].created + again.tallies[1].updated) == (6, 0)
    assert writes_to(told, *ROW_TABLES) == []


@pytest.mark.feature("E06")
def test_one_sync_at_a_time_a_second_one_joins_and_is_told_the_same_result(
    surgery: Surgery, monkeypatch: pytest.MonkeyPatch
) -> None:
    surgery.books(count=3)
    claim = surgery.engine.claim(surgery.request(DAY, trigger=Trigger.MANUAL, phases=EVERY_PHASE))
    assert claim is not None
    done: list[SyncResult] = []
    monkeypatch.setattr(clock, "sleep", lambda _: done or done.append(surgery.engine.execute(claim)))
    followed = surgery.engine.sync(Wish(surgery.connection_id, DAY, DAY))
    assert (followed.run_id, followed.joined) == (claim.run_id, True)
    told = done[0].as_json() | {"joined": True}
    assert {**followed.as_json(), "durationMs": 0} == {**told, "durationMs": 0}
    assert len(surgery.runs()) == 1


# --- E24: walk-ins and what staff wrote -------------------------------------------------------------------------------


@pytest.mark.feature("E24")
def test_walk_ins_and_everything_a_person_wrote_outlive_every_sync(world: World) -> None:
    booked = world.books("09:00", patient={"family": "Brown", "given": "Alice"})
    world.lives()
    desk = world.visit(Role.RECEPTIONIST)
    with world.store.read() as session:
        row = session.scalars(select(Appointment)).one()
        clinician = catalogue.clinicians_of(session, world.clinic.id)[0].id
    path = f"/appointments/{row.id}"
    assert desk.post(f"{path}/note", {"note": "wheelchair", "version": str(row.row_version)}).status_code == 303
    form = {"status": "arrived", "version": str(row.row_version + 1)}
    assert desk.post(f"{path}/status", form).status_code == 303
    with world.store.write() as session:
        act = rows.Act(world.clinic.people["receptionist"].id, clock.now())
        walk_in = rows.WalkIn(clinician, "Wanda Walk", clock.now(), 15, None, None)
        rows.add_walk_in(session, world.clinic.id, world.clinic.today, walk_in, act=act)
    world.sandbox.control(f"appointments/{booked}/move", time="11:15", comment="moved by the surgery")
    world.sandbox.control(f"appointments/{booked}/status", status="confirmed")
    for full in ("", "yes"):
        with world.store.write() as session:
            ask = sync_runs.Ask(
                practice_id=world.clinic.id,
                connection_id=world.connection.id,
                phases=EVERY_PHASE,
                window_from=world.clinic.today,
                window_to=world.clinic.today,
                trigger=Trigger.SCHEDULE,
                full=bool(full),
            )
            sync_runs.request(session, ask, clock.now())
        (run,) = world.works()
        assert run.state == "success"
        page = world.sheet
        assert set(page.names) == {"Alice Brown", "Wanda Walk"}
        alice = page.row("Alice Brown")
        assert "11:15" in alice
        assert "wheelchair" in alice
        assert "Waiting" in alice
        assert "walk-in" in page.row("Wanda Walk").lower()
