"""MediRecords whole (S02): connected by a token, swept as one practice, wall times and links; what is on the sheet."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app import clock
from app.config import VendorSettings
from app.pms.errors import PairingRefused
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import catalogue, choices, connections, practices, quarantine, sync_runs
from app.store.db import Store
from app.store.models import User
from app.store.models.sync import RunState
from app.sync import preview
from app.sync.engine import Engine
from app.sync.run import SyncResult
from tests.fakes.house import House, shared_postgresql, shared_sqlite, skipped, store
from tests.fakes.pms import FakePms
from tests.features.surgery import RealTime
from tests.fixtures.databases import KEY
from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

__all__ = ["shared_postgresql", "shared_sqlite", "store"]

pytestmark = pytest.mark.feature("S02")

DAY = date(2026, 3, 9)
NOON = "2026-03-09T12:00:00+11:00"
ZONE = ZoneInfo("Australia/Melbourne")


def at(time: str, day: date = DAY) -> str:
    return datetime.fromisoformat(f"{day}T{time}:00").replace(tzinfo=ZONE).isoformat()


class Surgery(House):
    """A practice connected to the simulated MediRecords; the fake vendor of the base class is never asked."""

    engine: Engine
    clinic: StagedClinic

    def execute(self, claim: sync_runs.Claim, **options: Any) -> SyncResult:
        result = self.engine.execute(claim, **options)
        self.adds_up(result)
        return result

    def statuses(self) -> dict[str, str]:
        return {str(row.facts.pms_appointment_id): row.status.value for row in self.sheet(DAY).rows}


@pytest.fixture
def clinic(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "medirecords").fresh(NOON)


@pytest.fixture
def surgery(clinic: StagedClinic, store: Store, monkeypatch: pytest.MonkeyPatch) -> Surgery:
    """Connected by its token, everything booked online ticked, live."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    vendor = VendorSettings(clinic.url, requests_per_minute=100_000, requests_per_hour=10**6)
    engine = Engine(store, Vault(KEY), lambda _: vendor, LocalLimiter())
    with store.write() as session:
        practice = practices.create(session, "Saltbush Lane", "Australia/Melbourne")
        user = User(email=f"{practice.id.hex}@example.com", name="Robin Reception", password_hash="x")
        session.add(user)
    made = preview.new_connection(engine, practice.id, "medirecords")
    preview.connect(engine, practice.id, made.id, clinic.credentials)
    with store.write() as session:
        online = {one["id"] for one in clinic.state()["types"] if one["online"]}
        on = {row.id for row in catalogue.types_of(session, made.id) if row.pms_type_id in online}
        choices.set_telehealth(session, connections.get(session, made.id), practice, on, clock.now())
    preview.finish_pairing(engine, practice.id, made.id)
    here = Surgery(store, Vault(KEY), RealTime(), FakePms(), practice.id, made.id, user.id)  # type: ignore[arg-type]
    here.engine, here.clinic = engine, clinic
    return here


def test_a_token_is_tried_before_it_is_kept_and_opens_one_practice(surgery: Surgery) -> None:
    connection = surgery.connection()
    assert connection.tenant_id == surgery.clinic.credentials["practice_id"]
    assert connection.pms_name == "Saltbush Lane Medical"
    with surgery.store.write() as session:
        other = practices.create(session, "Elsewhere", "Australia/Perth").id
    draft = preview.new_connection(surgery.engine, other, "medirecords")
    for wrong in ({"access_token": "another-token"}, {"practice_id": "00000000-4b3e-4c8e-9a77-1d0c5e2b9f10"}):
        with pytest.raises(PairingRefused):
            preview.connect(surgery.engine, other, draft.id, {**surgery.clinic.credentials, **wrong})
    assert [is_set for _, is_set in preview.credentials_set(surgery.engine, other, draft.id)] == [None] * 4


def test_a_day_as_medirecords_has_it(surgery: Surgery) -> None:
    """Every number, nobody named, no patient, a visit in the rooms, more than a page, and nothing twice."""
    numbers = {
        "2": "booked", "3": "confirmed", "4": "arrived", "5": "in_progress", "6": "completed", "7": "completed",
        "8": "cancelled",
    }  # fmt: skip
    wanted = {surgery.clinic.book(at("09:00"), word=said): ours for said, ours in numbers.items()}
    anybody, nobody = surgery.clinic.book(at("10:00")), surgery.clinic.book(at("10:30"))
    surgery.clinic.raw(anybody, providerId=None)
    surgery.clinic.raw(nobody, patientId=None)
    wanted |= {anybody: "booked"}
    wanted |= dict.fromkeys(surgery.clinic.control("book", at=at("11:00"), count=110)["ids"], "booked")
    surgery.clinic.book(at("16:00"), type_id=surgery.clinic.state()["types"][2]["id"], online=False)
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.SUCCESS, None)
    assert surgery.statuses() == wanted
    assert skipped(result) == {"block": 1, "not_telehealth": 1}
    groups = {group.column.name: len(group.rows) for group in surgery.sheet(DAY).groups if group.rows}
    assert groups["First available doctor"] == 1, "whoever is free: a group of its own, never hidden"
    surgery.account_adds_up(DAY)
    again = surgery.sync(DAY)
    assert (again.tallies[-1].created, again.tallies[-1].updated) == (0, 0)


def test_the_guests_link_is_on_the_sheet_and_the_providers_nowhere(surgery: Surgery) -> None:
    id_ = surgery.clinic.book(at("09:00"))
    surgery.sync(DAY)
    row = surgery.row(id_)
    assert row.telehealth_url == f"https://video.example/join/{id_}"
    assert "/host/" not in str(vars(row))


def test_a_number_it_never_said_is_told(surgery: Surgery) -> None:
    id_ = surgery.clinic.book(at("09:00"), word="9")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "unknown_status")
    assert (surgery.row(id_).pms_status, surgery.row(id_).pms_status_raw) == ("unknown", "9")


def test_a_row_leaves_the_sheet_only_when_medirecords_says_that_it_is_gone(surgery: Surgery) -> None:
    day = datetime.now(ZONE).date() + timedelta(days=2)
    gone, moved, stays = (surgery.clinic.book(at(time, day)) for time in ("09:00", "10:00", "11:00"))
    surgery.sync(day)
    surgery.clinic.delete(gone)
    surgery.clinic.change(moved, at=at("09:00", day + timedelta(days=5)))
    surgery.clinic.control("knobs", entitled=False)
    assert surgery.reconciles(day).state is RunState.FAILED
    assert (surgery.shown(day), surgery.removed()) == ({gone, moved, stays}, set())
    surgery.clinic.control("knobs", entitled=True)
    with surgery.store.write() as session:
        found = connections.get(session, surgery.connection_id)
        connections.resume(session, found, practices.get(session, surgery.practice_id), clock.now())
    assert surgery.reconciles(day).state is RunState.SUCCESS
    assert surgery.removed() == {gone}
    assert surgery.day_of(moved) == day + timedelta(days=5)


def test_what_cannot_be_read_is_set_aside_and_settles_by_itself(surgery: Surgery) -> None:
    good, bad = surgery.clinic.book(at("09:00")), surgery.clinic.book(at("10:00"))
    surgery.sync(DAY)
    surgery.clinic.raw(bad, scheduleTime="soon")
    assert surgery.reconciles(DAY).state is RunState.PARTIAL
    assert surgery.shown(DAY) == {good, bad}
    with surgery.store.read() as session:
        assert quarantine.open_ids(session, surgery.connection_id) == {bad}
    surgery.clinic.raw(bad, scheduleTime="2026-03-09T10:45")
    assert surgery.reconciles(DAY).state is RunState.SUCCESS
    with surgery.store.read() as session:
        assert quarantine.open_ids(session, surgery.connection_id) == frozenset()


def test_the_hour_that_comes_twice_is_doubted_on_the_sheet(surgery: Surgery) -> None:
    day = date(2026, 4, 5)
    id_ = surgery.clinic.book("2026-04-05T02:30:00+10:00")
    surgery.sync(day)
    assert surgery.row(id_).time_doubt == "twice"
    assert surgery.shown(day) == {id_}


def test_pages_that_never_end_remove_nobody(surgery: Surgery) -> None:
    surgery.clinic.control("book", at=at("08:00"), count=120)
    surgery.sync(DAY)
    before = surgery.shown(DAY)
    surgery.clinic.control("knobs", stuck=True)
    result = surgery.reconciles(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "cursor_loop")  # its first page stands
    assert (surgery.shown(DAY), surgery.removed()) == (before, set())
