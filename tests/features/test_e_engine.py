"""The sync engine, shown: the real adapter over HTTP against the simulated Gentu, on both databases.

Pages where a page is the proof; else the engine itself. Whatever a fault did, the next healthy run must leave exactly
what the vendor holds, and every run's counts must add up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.config import VendorSettings
from app.domain.status import Status
from app.pms.limits import LocalLimiter
from app.security.roles import Role
from app.security.vault import Place, Vault
from app.store import catalogue, choices, connections, history, practices, quarantine, rows, sync_runs
from app.store.db import Store
from app.store.models import Appointment, AppointmentEvent, QuarantinedRecord, SyncRun, User
from app.store.models.sync import RunState, Trigger
from app.sync import preview
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.house import House, shared_postgresql, shared_sqlite, skipped, statements, store, writes_to
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox
from tests.web.world import VIDEO, World

__all__ = ["shared_postgresql", "shared_sqlite", "store"]

DAY = date(2026, 3, 9)
NEXT = DAY + timedelta(days=1)
STANDARD = "Standard Consultation"
ROW_TABLES = ("run_sheet_appointments", "appointment_events", "run_sheets")


class RealTime:
    """Where a furnished house moves its clock, this one lets time pass by itself."""

    @property
    def at(self) -> datetime:
        return clock.now()

    def forward(self, *_: float, **__: float) -> None: ...


class Surgery(House):
    """A practice paired with the simulated Gentu; the fake vendor of the base class is never asked."""

    engine: Engine
    sandbox: RunningSandbox

    def execute(self, claim: sync_runs.Claim, **options: Any) -> SyncResult:
        result = self.engine.execute(claim, **options)
        self.adds_up(result)
        return result

    def books(self, **order: Any) -> list[str]:
        """Appointments of the day at the vendor; their ids."""
        given = {"day": DAY.isoformat(), "time": "09:00", "type": VIDEO}
        return [str(id_) for id_ in self.sandbox.control("appointments", **(given | order))["ids"]]

    def tenant(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sandbox.state(log=0)["tenants"][0]
        return found

    def in_book(self) -> list[str]:
        return [str(row["id"]) for row in self.tenant()["practitioners"] if row["active"] and row["shown"]]

    def stands_as_at_the_vendor(self, day: date = DAY) -> None:
        """I1: what the vendor holds of telehealth that day is what is shown, once each; nothing else is (I7)."""
        kinds = {row["id"]: row["text"] for row in self.tenant()["types"]}
        wanted = {
            one["id"]
            for one in self.sandbox.truth(day.isoformat())
            if kinds.get((one["appointmentType"] or {}).get("reference")) == VIDEO
        }
        assert self.shown(day) == wanted
        with self.store.read() as session:
            stored = session.scalars(select(Appointment.pms_appointment_id)).all()
        assert len(stored) == len(set(stored))
        self.account_adds_up(day)

    def contents(self) -> dict[str, tuple[bytes | None, int]]:
        return {id_: (row.fingerprint, row.row_version) for id_, row in self.rows().items()}


@pytest.fixture
def surgery(sandbox: RunningSandbox, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surgery]:
    """Paired by code, its catalogue read, video follow-ups ticked, live."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)  # waits between attempts are the client's own tests' business
    extra = {"app_id": APP_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    vendor = VendorSettings(sandbox.base_url, requests_per_minute=100_000, requests_per_hour=10**6, extra=extra)
    vault = Vault(KEY)
    engine = Engine(store, vault, lambda _: vendor, LocalLimiter())
    with store.write() as session:
        practice = practices.create(session, "Smith Medical Centre", "Australia/Melbourne")
        user = User(email="robin@example.com", name="Robin Reception", password_hash="x")
        session.add(user)
    made = preview.new_connection(engine, practice.id, "gentu")
    preview.pair(engine, practice.id, made.id, sandbox.pairing_code())
    with store.write() as session:
        connection = connections.get(session, made.id)
        on = {row.id for row in catalogue.types_of(session, made.id) if row.pms_type_name == VIDEO}
        choices.set_telehealth(session, connection, practices.get(session, practice.id), on, clock.now())
    preview.finish_pairing(engine, practice.id, made.id)
    here = Surgery(store, vault, RealTime(), FakePms(), practice.id, made.id, user.id)  # type: ignore[arg-type]
    here.engine, here.sandbox = engine, sandbox
    yield here
    assert [run.id for run in here.runs() if run.state == RunState.RUNNING] == [], "I3: nothing claims to be running"


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
    assert [(one.state, one.tallies[-1].created) for one in results] == [
        (RunState.SUCCESS, 3),
        (RunState.SUCCESS, 2),
        (RunState.SUCCESS, 4),
    ]
    for day in (today, DAY, NEXT, NEXT + timedelta(days=9)):
        surgery.stands_as_at_the_vendor(day)
    with statements(surgery.store) as told:
        again = surgery.engine.sync_range(surgery.connection_id, DAY, NEXT + timedelta(days=9))
    assert (again.tallies[-1].unchanged, again.tallies[-1].created + again.tallies[-1].updated) == (6, 0)
    assert writes_to(told, *ROW_TABLES) == []


@pytest.mark.feature("E06")
def test_one_sync_at_a_time_a_second_one_joins_and_is_told_the_same_result(
    surgery: Surgery, monkeypatch: pytest.MonkeyPatch
) -> None:
    surgery.books(count=3)
    claim = surgery.engine.claim(surgery.request(DAY, trigger=Trigger.MANUAL))
    assert claim is not None
    done: list[SyncResult] = []
    monkeypatch.setattr(clock, "sleep", lambda _: done or done.append(surgery.engine.execute(claim)))
    followed = surgery.engine.sync(Wish(surgery.connection_id, DAY, DAY))
    assert (followed.run_id, followed.joined) == (claim.run_id, True)
    told = done[0].as_json() | {"joined": True}
    assert {**followed.as_json(), "durationMs": 0} == {**told, "durationMs": 0}
    assert len(surgery.runs()) == 1


# --- E13: the diary ---------------------------------------------------------------------------------------------------


@pytest.mark.feature("E13")
def test_the_diary_holds_every_count_and_partial_means_partial(surgery: Surgery) -> None:
    first, second, *_ = surgery.in_book()
    kept, moved, gone = surgery.books(count=3, practitioner_id=first)
    surgery.books(count=2, time="11:00", type=STANDARD, practitioner_id=first)
    surgery.books(time="14:00", block=True, practitioner_id=first)
    surgery.books(count=2, practitioner_id=second)
    surgery.sync(DAY)
    surgery.sandbox.control(f"appointments/{moved}/move", time="16:00")
    surgery.sandbox.control(f"appointments/{gone}/cancel")
    surgery.books(time="17:00", practitioner_id=first)
    surgery.sandbox.break_("poison", record="no_start", index=0, query=f"practitionerId={first}")
    surgery.sandbox.break_("error", status=403, path="/tenants/*/appointments", query=f"practitionerId={second}")
    result = surgery.sync(DAY)
    run = surgery.run(result.run_id)
    assert (run.state, run.reason) == ("partial", "some_failed")
    assert {
        "fetched": run.appointments_fetched,
        "created": run.appointments_created,
        "updated": run.appointments_updated,
        "unchanged": run.appointments_unchanged,
        "skipped": run.appointments_skipped,
        "quarantined": run.appointments_quarantined,
        "removed": run.appointments_removed,
    } == {
        "fetched": 7,
        "created": 1,
        "updated": 2,
        "unchanged": 0,
        "skipped": 3,
        "quarantined": 1,
        "removed": 0,
    }
    assert skipped(result) == {"not_telehealth": 2, "block": 1}
    with surgery.store.read() as session:
        phases = {one.phase: one for one in history.phases_of(session, run.id)}
    assert (phases["catalogue"].complete, phases["inbound"].complete) == (True, False)
    assert phases["inbound"].details["failed"] == [{"practitioner": second, "reason": "forbidden"}]
    assert phases["inbound"].skipped == {"not_telehealth": 2, "block": 1}
    assert surgery.connection().last_sync_status == "partial"
    assert surgery.row(kept).absent_since is None


@pytest.mark.feature("E13")
def test_the_page_of_the_diary_shows_a_run_with_its_counts(world: World) -> None:
    world.books("09:00")
    world.books("10:00", STANDARD)
    world.lives()
    page = world.admin.page(f"/sync-history/{world.runs[0].id}")
    assert "success" in page.text.lower() or "done" in page.text.lower() or "complete" in page.text.lower()
    assert "not telehealth" in page.text


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
                phases=("catalogue", "inbound"),
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


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.fault("F14")
def test_403_for_one_practitioner_of_ten(surgery: Surgery) -> None:
    for number in range(8):
        surgery.sandbox.control("practitioners", family=f"Extra {number}", given="Dr")
    everybody = surgery.in_book()
    assert len(everybody) == 10
    booked = {who: surgery.books(count=2, practitioner_id=who) for who in everybody}
    surgery.sync(DAY)
    for who in everybody:
        surgery.sandbox.control(f"appointments/{booked[who][0]}/delete")
    new = {who: surgery.books(time="16:00", practitioner_id=who)[0] for who in everybody}
    refused = everybody[3]
    surgery.sandbox.break_("error", status=403, path="/tenants/*/appointments", query=f"practitionerId={refused}")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "some_failed")
    assert set(new.values()) - set(surgery.rows()) == {new[refused]}
    assert all(row.absent_since is None for row in surgery.rows().values()), "nothing is concluded from half a sweep"
    assert surgery.connection().state == "active"
    surgery.sandbox.mend()
    surgery.sync(DAY)
    gone = {id_ for id_, row in surgery.rows().items() if row.absent_since is not None}
    assert gone == {booked[who][0] for who in everybody}


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    ("record", "path"),
    [
        ("no_start", "$.startAt"),
        ("null_start", "$.startAt"),
        ("bad_start", "$.startAt"),
        ("wrong_type", "$.participant"),
        ("no_id", "$.id"),
        ("not_an_object", "$"),
    ],
)
def test_a_record_without_what_it_must_have_is_set_aside_with_the_place_and_never_the_value(
    surgery: Surgery, record: str, path: str
) -> None:
    ids = surgery.books(count=4)
    surgery.sandbox.break_("poison", record=record, index=2)
    result = surgery.sync(DAY)
    assert (result.state, result.tallies[-1].created, result.tallies[-1].quarantined) == (RunState.PARTIAL, 3, 1)
    assert surgery.shown(DAY) == set(ids) - {ids[2]}
    with surgery.store.read() as session:
        (kept,) = session.scalars(select(QuarantinedRecord))
    assert kept.path == path
    assert not any(value in f"{kept.path} {kept.reason}" for value in ("nobody", "24:60", "appointment"))
    surgery.sandbox.mend()
    surgery.sync(DAY)
    surgery.stands_as_at_the_vendor()


@pytest.mark.fault("F28")
def test_an_id_that_turns_into_a_number_is_the_same_row(surgery: Surgery) -> None:
    surgery.books(id="123")
    surgery.sync(DAY)
    surgery.sandbox.break_("poison", record="number_id", index=0)
    tally = surgery.sync(DAY).tallies[-1]
    assert (tally.created, tally.updated, tally.unchanged) == (0, 0, 1)
    assert set(surgery.rows()) == {"123"}


PAGES = 250  # rows of one practitioner: three pages


@pytest.mark.fault("F35")
def test_the_same_page_twice_makes_nobody_twice(surgery: Surgery) -> None:
    first = surgery.in_book()[0]
    surgery.books(count=PAGES, every_minutes=2, time="08:00", practitioner_id=first)
    surgery.sandbox.break_("same_page", skip=1, next=1, query=f"practitionerId={first}")
    result = surgery.sync(DAY)
    assert result.tallies[-1].created + skipped(result)["duplicate"] == result.tallies[-1].fetched
    assert skipped(result)["duplicate"] == 100
    surgery.account_adds_up(DAY)
    surgery.sandbox.mend()
    surgery.sync(DAY)
    assert surgery.count(Appointment) == PAGES
    surgery.stands_as_at_the_vendor()


@pytest.mark.fault("F36")
@pytest.mark.parametrize("length", [1, 3])
def test_a_circle_of_cursors_is_noticed_and_nothing_is_concluded(surgery: Surgery, length: int) -> None:
    first, second, *_ = surgery.in_book()
    ids = surgery.books(count=PAGES, every_minutes=2, time="08:00", practitioner_id=first)
    (other,) = surgery.books(practitioner_id=second)
    surgery.sync(DAY)
    surgery.sandbox.control(f"appointments/{ids[-1]}/delete")
    surgery.sandbox.break_("cursor_loop", length=length, query=f"practitionerId={first}")
    surgery.sandbox.control("traffic/reset")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "cursor_loop")
    asked = [one for one in surgery.sandbox.state(log=1000)["log"] if f"practitionerId={first}" in one["query"]]
    assert len(asked) <= length + 2, "the circle is gone round once"
    assert surgery.row(ids[-1]).absent_since is None
    assert surgery.row(other).absent_since is None
    surgery.sandbox.mend()
    surgery.sync(DAY)
    assert surgery.row(ids[-1]).absent_since is not None
    surgery.account_adds_up(DAY)


@pytest.mark.fault("F39")
def test_an_empty_page_in_the_middle_is_not_the_end(surgery: Surgery) -> None:
    first = surgery.in_book()[0]
    surgery.books(count=PAGES, every_minutes=2, time="08:00", practitioner_id=first)
    surgery.sandbox.break_("empty_page", skip=1, next=1, query=f"practitionerId={first}")
    result = surgery.sync(DAY)
    assert (result.state, result.tallies[-1].created) == (RunState.SUCCESS, PAGES)
    surgery.stands_as_at_the_vendor()
