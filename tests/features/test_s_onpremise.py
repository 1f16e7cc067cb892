"""S06, S07 whole: Cornerstone and AVImark from their drop folder, and over the bridge, to the run sheet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.status import Status
from app.domain.window import day_of, zone_of
from app.errors import InvalidInput
from app.pms.errors import PairingRefused, PmsUnavailable
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import connections, practices
from app.store.db import Store
from app.store.models.sync import RunState
from app.sync import preview
from app.sync.engine import Engine, Wish
from app.sync.run import SyncResult
from tests.fakes.house import FakeClock, House, shared_postgresql, shared_sqlite, store
from tests.fakes.pms import FakePms
from tests.fixtures.databases import KEY
from tests.pms.onpremise.conftest import DROP_KEY, Drops, prepared
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

__all__ = ["shared_postgresql", "shared_sqlite", "store"]

ZONE = zone_of("Australia/Melbourne")
FILES = {"source": "harbour", "secret": DROP_KEY}
EITHER = [
    pytest.param("cornerstone", marks=pytest.mark.feature("S06")),
    pytest.param("avimark", marks=pytest.mark.feature("S07")),
]


class Surgery:
    """One practice of ours and the clinic's server it reads."""

    def __init__(self, store: Store, clinic: StagedClinic, drops: Drops) -> None:
        self.store, self.clinic, self.drops = store, clinic, drops
        self.engine = Engine(store, Vault(KEY), lambda _: drops.vendor, LocalLimiter())
        self.practice_id = self.opens("Banksia Street")
        self.connection_id = preview.new_connection(self.engine, self.practice_id, clinic.kind).id

    def opens(self, name: str) -> UUID:
        with self.store.write() as session:
            return practices.create(session, name, "Australia/Melbourne").id

    @property
    def today(self) -> date:
        return day_of(clock.now(), ZONE)

    def at(self, hour: int, day: int = 0) -> str:
        local = datetime.combine(self.today + timedelta(days=day), datetime.min.time(), ZONE)
        return local.replace(hour=hour).isoformat()

    def connects(self, typed: dict[str, str]) -> House:
        """Paired with what was typed, every type wanted."""
        preview.connect(self.engine, self.practice_id, self.connection_id, typed)
        with self.store.write() as session:
            connections.get(session, self.connection_id).sync_telehealth_only = False
        preview.finish_pairing(self.engine, self.practice_id, self.connection_id)
        return self.house

    @property
    def house(self) -> House:
        ids = (self.practice_id, self.connection_id, self.practice_id)
        return House(self.store, Vault(KEY), FakeClock(), FakePms(), *ids)

    def sync(self, **more: Any) -> SyncResult:
        result = self.engine.sync(Wish(self.connection_id, **more))
        self.house.adds_up(result)
        return result

    def shown(self) -> dict[str, Status]:
        """Who stands on today's sheet, and how far they have come; without those who were struck through."""
        rows = self.house.sheet(self.today).rows
        return {str(one.facts.pms_appointment_id): one.status for one in rows if not one.facts.removed_at}

    def swept_at(self) -> datetime | None:
        found = self.house.sweeps(self.today)
        return found[""].completed_at if found else None


@pytest.fixture(scope="module")
def process() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def surgery(request: pytest.FixtureRequest, process: RunningSandbox, store: Store, tmp_path: Path) -> Surgery:
    """An empty book at this very hour."""
    clinic = StagedClinic(process, request.param).fresh(clock.now().isoformat())
    return Surgery(store, clinic, prepared(tmp_path / "drops", clinic))


@pytest.mark.promise("P7")
@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_files_become_the_run_sheet_and_are_followed(surgery: Surgery) -> None:
    """Booked, moved on, called off, taken away: the sheet says so, as old as the file that told it."""
    clinic, drops = surgery.clinic, surgery.drops
    first, second, third = (clinic.book(surgery.at(hour)) for hour in (9, 10, 11))
    drops.export(age_h=4)
    surgery.connects(FILES)
    assert surgery.sync().state is RunState.SUCCESS
    assert surgery.shown() == dict.fromkeys((first, second, third), Status.BOOKED)
    row = surgery.house.row(first)
    assert (row.patient_name, row.patient_phone) == ("Biscuit", "+61491570156")
    told_at = surgery.swept_at()
    assert told_at is not None
    assert timedelta(hours=3.9) < clock.now() - told_at < timedelta(hours=4.1)
    version = surgery.house.version(surgery.today)
    assert surgery.sync().state is RunState.SUCCESS
    assert (surgery.swept_at(), surgery.house.version(surgery.today)) == (told_at, version), "nothing got fresher"

    clinic.change(first, state="arrived")
    clinic.cancel(second)
    clinic.delete(third)
    drops.export(age_h=2)
    result = surgery.sync()
    assert (result.state, result.reason) == (RunState.PARTIAL, "second_drop")
    assert surgery.shown() == {first: Status.ARRIVED, second: Status.CANCELLED, third: Status.BOOKED}
    drops.export()
    assert surgery.sync().state is RunState.SUCCESS
    assert set(surgery.shown()) == {first, second}
    assert surgery.house.removed() == {third}


@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_a_bad_file_leaves_the_sheet_as_it_was(surgery: Surgery) -> None:
    """Half a file, an old one, none at all: the run fails by its name, and yesterday's truth stands with its age."""
    clinic, drops = surgery.clinic, surgery.drops
    kept = {clinic.book(surgery.at(hour)) for hour in (9, 10, 11, 12)}
    drops.export()
    surgery.connects(FILES)
    surgery.sync()
    told_at = surgery.swept_at()
    for path in drops.folder.glob("schedule_*"):
        path.unlink()
    for spoil, age_h, reason in (("half", 0, "no_drop"), ("empty", 0, "no_drop"), (None, 30, "stale_drop")):
        drops.export(*([spoil] if spoil else []), age_h=age_h, **({"rows": 0} if spoil is None else {}))
        result = surgery.sync(phases=("inbound", "reconciliation"))
        assert (result.state, result.reason) == (RunState.FAILED, reason)
        assert set(surgery.shown()) == kept
        assert surgery.swept_at() == told_at


@pytest.mark.fault("F17")
@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_a_file_with_a_fraction_of_the_rows_is_held_for_a_person(surgery: Surgery) -> None:
    kept = {surgery.clinic.book(surgery.at(hour)) for hour in range(8, 16)}
    surgery.drops.export(age_h=3)
    surgery.connects(FILES)
    surgery.sync()
    for age_h in (2, 1):
        surgery.drops.export(rows=1, age_h=age_h)
        result = surgery.sync()
    assert (result.state, result.reason) == (RunState.PARTIAL, "removal_held")
    assert set(surgery.shown()) == kept


@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_the_bridge_becomes_the_run_sheet_and_is_followed(surgery: Surgery) -> None:
    clinic = surgery.clinic
    first, second, third = (clinic.book(surgery.at(hour)) for hour in (9, 10, 11))
    clinic.book(surgery.at(12), block=True)
    surgery.connects(clinic.credentials)
    assert surgery.sync().state is RunState.SUCCESS
    assert set(surgery.shown()) == {first, second, third}
    clinic.change(first, state="in_progress")
    clinic.change(second, at=surgery.at(9, 1))
    clinic.delete(third)
    result = surgery.sync()
    assert (result.state, result.reason) == (RunState.SUCCESS, None)
    assert surgery.shown() == {first: Status.IN_PROGRESS}
    assert surgery.house.day_of(second) == surgery.today + timedelta(days=1)
    assert surgery.house.removed() == {third}
    clinic.fault("html", path="/v2/Appointments")
    assert surgery.sync().state is RunState.FAILED
    assert surgery.shown() == {first: Status.IN_PROGRESS}


@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_a_second_practice_gets_neither_folder_nor_key(surgery: Surgery) -> None:
    surgery.drops.export()
    surgery.connects(FILES)
    stranger = surgery.opens("Somebody Else")
    draft = preview.new_connection(surgery.engine, stranger, surgery.clinic.kind).id
    with pytest.raises(PairingRefused):
        preview.connect(surgery.engine, stranger, draft, FILES | {"secret": "a-guess-of-sixteen-letters"})
    with pytest.raises(InvalidInput):
        preview.connect(surgery.engine, stranger, draft, FILES)
    with pytest.raises(InvalidInput):
        preview.connect(surgery.engine, stranger, draft, FILES | {"source": "../harbour"})


@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_it_can_be_connected_over_the_bridge_where_no_root_is_set(surgery: Surgery, store: Store) -> None:
    plain = Engine(store, Vault(KEY), lambda _: VendorSettings(surgery.clinic.url), LocalLimiter())
    assert plain.lacks(surgery.clinic.kind) is None
    with pytest.raises(InvalidInput) as raised:
        preview.connect(plain, surgery.practice_id, surgery.connection_id, FILES)
    assert f"{surgery.clinic.kind.upper()}_DROP_ROOT" in str(raised.value)
    preview.connect(plain, surgery.practice_id, surgery.connection_id, surgery.clinic.credentials)


@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_an_empty_folder_cannot_be_connected(surgery: Surgery) -> None:
    with pytest.raises(PmsUnavailable) as raised:
        surgery.connects(FILES)
    assert raised.value.reason == "no_drop"


@pytest.mark.parametrize("surgery", EITHER, indirect=True)
def test_days_that_no_file_covers_do_not_keep_the_others_from_being_read(surgery: Surgery) -> None:
    """A night's sweep asks for more than the export holds: today is read whatever fails beside it."""
    id_ = surgery.clinic.book(surgery.at(9))
    surgery.drops.export(back=0, ahead=1)
    surgery.connects(FILES)
    result = surgery.sync(first=surgery.today - timedelta(days=21), last=surgery.today + timedelta(days=21))
    assert (result.state, result.reason) == (RunState.PARTIAL, "some_failed")
    assert set(surgery.shown()) == {id_}
    assert surgery.swept_at() is not None
    assert surgery.house.sweeps(surgery.today - timedelta(days=1)) == {}
