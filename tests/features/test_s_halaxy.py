"""Halaxy whole (S03): connected by a key, swept for everybody, each patient of a group a row; what is on the sheet."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

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

pytestmark = pytest.mark.feature("S03")

DAY = date(2026, 3, 9)
NOON = "2026-03-09T12:00:00+11:00"


def at(time: str, day: date = DAY) -> str:
    return f"{day}T{time}:00+11:00"


class Rooms(House):
    """A practice connected to the simulated Halaxy; the fake vendor of the base class is never asked."""

    engine: Engine
    clinic: StagedClinic

    def execute(self, claim: sync_runs.Claim, **options: Any) -> SyncResult:
        result = self.engine.execute(claim, **options)
        self.adds_up(result)
        return result

    def statuses(self, day: date = DAY) -> dict[str, str]:
        return {str(row.facts.pms_appointment_id): row.status.value for row in self.sheet(day).rows}

    def aside(self) -> list[str]:
        """Ids of records that are set aside and not settled."""
        with self.store.read() as session:
            return sorted(quarantine.open_ids(session, self.connection_id))


@pytest.fixture
def clinic(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "halaxy").fresh(NOON)


@pytest.fixture
def rooms(clinic: StagedClinic, store: Store, monkeypatch: pytest.MonkeyPatch) -> Rooms:
    """Connected by its key, everything booked online ticked, live."""
    monkeypatch.setattr(clock, "sleep", lambda _: None)
    vendor = VendorSettings(clinic.url)
    engine = Engine(store, Vault(KEY), lambda _: vendor, LocalLimiter())
    with store.write() as session:
        practice = practices.create(session, "Bottlebrush", "Australia/Melbourne")
        user = User(email=f"{practice.id.hex}@example.com", name="Robin Reception", password_hash="x")
        session.add(user)
    made = preview.new_connection(engine, practice.id, "halaxy")
    preview.connect(engine, practice.id, made.id, clinic.credentials)
    with store.write() as session:
        online = {one["id"] for one in clinic.state()["types"] if one["online"]}
        on = {row.id for row in catalogue.types_of(session, made.id) if row.pms_type_id in online}
        choices.set_telehealth(session, connections.get(session, made.id), practice, on, clock.now())
    preview.finish_pairing(engine, practice.id, made.id)
    here = Rooms(store, Vault(KEY), RealTime(), FakePms(), practice.id, made.id, user.id)  # type: ignore[arg-type]
    here.engine, here.clinic = engine, clinic
    return here


def test_a_key_is_tried_before_it_is_kept_and_tells_the_practice(rooms: Rooms) -> None:
    connection = rooms.connection()
    assert (connection.tenant_id, connection.pms_name) == ("PG-220014", "Bottlebrush Allied Health")
    with rooms.store.write() as session:
        other = practices.create(session, "Elsewhere", "Australia/Perth").id
    draft = preview.new_connection(rooms.engine, other, "halaxy")
    with pytest.raises(PairingRefused):
        preview.connect(rooms.engine, other, draft.id, {**rooms.clinic.credentials, "client_secret": "another"})
    assert [is_set for _, is_set in preview.credentials_set(rooms.engine, other, draft.id)] == [None] * 4


def test_a_day_as_halaxy_has_it(rooms: Rooms) -> None:
    """Every word, a group, a block, a visit in the rooms, more than a page, and nothing twice."""
    words = {
        "booked": "booked", "confirmed": "confirmed", "arrived": "arrived", "attended": "completed",
        "cancelled": "cancelled", "did not attend": "no_show", "rejected": "cancelled", "pending": "booked",
    }  # fmt: skip
    one, two, three = rooms.clinic.state()["patients"][:3]
    wanted = {
        f"{rooms.clinic.book(at('09:00'), word=said, patient_id=one)}/{one}": ours for said, ours in words.items()
    }
    group = rooms.clinic.book(at("10:00"), patient_id=one, also=[two, three])
    rooms.clinic.change(group, word="arrived|cancelled|did not attend")
    wanted |= {f"{group}/{one}": "arrived", f"{group}/{two}": "cancelled", f"{group}/{three}": "no_show"}
    many = rooms.clinic.control("book", at=at("11:00"), count=110, patient_id=two)["ids"]
    wanted |= {f"{id_}/{two}": "booked" for id_ in many}
    rooms.clinic.book(at("15:00"), block=True)
    rooms.clinic.book(at("16:00"), type_id=rooms.clinic.state()["types"][2]["id"], online=False)
    result = rooms.sync(DAY)
    assert (result.state, result.reason) == (RunState.SUCCESS, None)
    assert rooms.statuses() == wanted
    assert skipped(result) == {"block": 1, "not_telehealth": 1}
    assert {row.patients is None for row in rooms.rows().values()} == {True}, "no row is of several patients"
    rooms.account_adds_up(DAY)
    again = rooms.sync(DAY)
    assert (again.tallies[-1].created, again.tallies[-1].updated) == (0, 0)


def test_a_word_it_never_said_is_told(rooms: Rooms) -> None:
    id_ = rooms.clinic.book(at("09:00"), word="Half there")
    result = rooms.sync(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "unknown_status")
    (row,) = rooms.rows().values()
    assert (row.pms_appointment_id.split("/")[0], row.pms_status) == (id_, "unknown")  # type: ignore[union-attr]
    assert row.pms_status_raw == "Half there"


def test_who_leaves_a_group_leaves_the_sheet_and_the_others_stay(rooms: Rooms) -> None:
    """Moved, deleted and taken out of a group: each by its own id, and only after Halaxy was asked for it."""
    day = datetime.now().astimezone().date() + timedelta(days=2)
    one, two, three = rooms.clinic.state()["patients"][:3]
    group = rooms.clinic.book(at("10:00", day), patient_id=one, also=[two])
    gone = rooms.clinic.book(at("11:00", day), patient_id=three)
    rooms.sync(day)
    assert rooms.shown(day) == {f"{group}/{one}", f"{group}/{two}", f"{gone}/{three}"}
    rooms.clinic.change(group, patient_ids=[one])
    rooms.clinic.delete(gone)
    assert rooms.reconciles(day).state is RunState.SUCCESS
    assert rooms.removed() == {f"{group}/{two}", f"{gone}/{three}"}
    rooms.clinic.change(group, at=at("09:00", day + timedelta(days=5)))
    assert rooms.reconciles(day).state is RunState.SUCCESS
    assert rooms.day_of(f"{group}/{one}") == day + timedelta(days=5)


def test_what_cannot_be_read_is_set_aside_place_by_place_and_settles_by_itself(rooms: Rooms) -> None:
    one, two = rooms.clinic.state()["patients"][:2]
    good, bad = rooms.clinic.book(at("09:00")), rooms.clinic.book(at("10:00"), patient_id=one, also=[two])
    rooms.sync(DAY)
    rooms.clinic.raw(bad, start="soon")
    result = rooms.reconciles(DAY)
    assert (result.state, rooms.aside()) == (RunState.PARTIAL, sorted([f"{bad}/{one}", f"{bad}/{two}"]))
    assert len(rooms.shown(DAY)) == 3, "rows of a record nobody can read stand as they were"
    assert any(id_.startswith(good) for id_ in rooms.shown(DAY))
    rooms.clinic.raw(bad, start=at("10:30"))
    assert rooms.reconciles(DAY).state is RunState.SUCCESS
    assert rooms.aside() == []


def test_changes_are_read_between_whole_readings_and_nothing_drifts(rooms: Rooms) -> None:
    day = datetime.now().astimezone().date()
    rooms.clinic.sandbox.control("clock")
    stays, moved = (rooms.clinic.book((clock.now() + timedelta(minutes=n)).isoformat()) for n in (1, 2))
    days = (day - timedelta(days=1), day + timedelta(days=1))
    assert rooms.sync(*days).state is RunState.SUCCESS
    rooms.clinic.change(moved, state="arrived")
    before = len(rooms.clinic.asked("/Appointment"))
    result = rooms.sync(*days, phases=("changes",))
    assert (result.state, result.tallies[-1].details.get("whole")) == (RunState.SUCCESS, None)
    told = {id_.split("/")[0]: row.pms_status for id_, row in rooms.rows().items()}
    assert told == {stays: "booked", moved: "arrived"}
    asked = rooms.clinic.asked("/Appointment")[before:]
    assert [("_lastUpdated=ge" in one["query"], "date=" in one["query"]) for one in asked] == [(True, False)]


def test_an_answer_that_only_looks_well_removes_nobody(rooms: Rooms) -> None:
    """An outcome in place of the list, with a 200; pages that never end; a resource that was switched off."""
    rooms.clinic.control("book", at=at("08:00"), count=120)
    rooms.sync(DAY)
    before = rooms.shown(DAY)
    assert len(before) == 120
    for knobs in ({"instead": "processing"}, {"stuck": "rows"}, {"stuck": "link"}, {"denied": ["Appointment"]}):
        rooms.clinic.control("knobs", **knobs)
        assert rooms.reconciles(DAY).state in (RunState.PARTIAL, RunState.FAILED)  # a first page may stand
        assert (rooms.shown(DAY), rooms.removed()) == (before, set())
        rooms.clinic.control("knobs", instead="", stuck="no", denied=[])
    assert rooms.connection().state == "needs_attention", "a key that may not read appointments needs a person"


@pytest.mark.feature("E10")
def test_a_discovery_meets_the_patients_of_the_window(rooms: Rooms) -> None:
    one, two = rooms.clinic.state()["patients"][:2]
    today = datetime.now().astimezone().date()
    for who in (one, two):
        rooms.clinic.book(at("09:00", today + timedelta(days=30)), patient_id=who)
    result = rooms.sync(today - timedelta(days=90), today + timedelta(days=90), phases=("discovery",))
    assert (result.state, result.tallies[-1].created) == (RunState.SUCCESS, 2)
