"""Looking before going live: today as it would be, nothing stored, and the first sync makes the same sheet (M10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.config import VendorSettings
from app.domain.runsheet import Sheet
from app.domain.status import Status
from app.pms.errors import PmsForbidden, PmsUnavailable
from app.pms.limits import LocalLimiter
from app.pms.port import Page
from app.store.models import Appointment, AppointmentEvent, QuarantinedRecord, RunSheet, Sweep, SyncRun
from app.sync import preview
from app.sync.engine import Engine
from tests.fakes.house import House, statements, writes_to
from tests.fakes.pms import IN_PERSON, TODAY


@pytest.fixture
def engine(house: House) -> Engine:
    return Engine(house.store, house.vault, lambda _: VendorSettings(), LocalLimiter())


def look(house: House, engine: Engine) -> preview.DryRun:
    return preview.dry_run(engine, house.practice_id, house.connection_id)


def drawn(sheet: Sheet) -> list[Any]:
    """Everything a page draws of a sheet. Ids and versions are made when a row is stored; a list has no contacts."""
    made = dict.fromkeys(("id", "row_version", "created_at", "pms_status_changed_at"))
    made |= dict.fromkeys(("phone", "email", "birth_date", "comment"))
    groups = [
        (
            group.column,
            (group.total, group.done, group.waiting),
            [(replace(row.facts, **made), row.shown, row.since is not None, row.arrived) for row in group.rows],
        )
        for group in sheet.groups
    ]
    return [*groups, sheet.counts, sheet.types, sheet.idle_columns, sheet.total]


def many_kinds(house: House) -> None:
    house.maps_everybody()
    house.pms.books("a1", comment="scans").books("a2", status=Status.ARRIVED, at="10:00")
    house.pms.books("g1", at="11:00", patients=3).books("u1", at="12:00", status=Status.UNKNOWN, with_="lee")
    house.pms.books("c1", type=IN_PERSON).books("b1", patients=0, at="13:00").books("d1", day=TODAY + timedelta(days=1))
    house.pms.books("n1", at="14:00", with_="ono").books("s1", at="15:00", other_practitioner_ids=("lee",))
    house.pms.garbles("bad")
    twice = house.pms.book["a1"]
    others = [one for one in house.pms.book.values() if one.practitioner_id == "kim" and one.external_id != "d1"]
    house.pms.scripted["kim"] = [Page([replace(twice, comment="old"), *others], (), len(others) + 1)]


def test_the_first_sync_makes_the_very_sheet_that_was_shown(house: House, engine: Engine) -> None:
    many_kinds(house)
    preview.read_catalogue(engine, house.practice_id, house.connection_id)
    told = look(house, engine)
    tables = (Appointment, AppointmentEvent, RunSheet, Sweep, SyncRun, QuarantinedRecord)
    assert [house.count(table) for table in tables] == [0] * len(tables)
    house.sync()
    assert drawn(told.sheet) == drawn(house.sheet())
    assert told.received == told.sheet.total + told.hidden.total() + told.unreadable


def test_looking_writes_nothing_at_all(house: House, engine: Engine) -> None:
    many_kinds(house)
    with statements(house.store) as sent:
        look(house, engine)
    verbs = ("INSERT", "UPDATE", "DELETE")
    assert [one for one in sent if one.startswith(verbs)] == []
    assert writes_to(sent, "run_sheet_appointments") == []


def test_half_a_preview_would_lie_so_there_is_none(house: House, engine: Engine) -> None:
    house.pms.books("a1").books("b1", with_="lee")
    house.pms.fails(PmsForbidden("no"), practitioner="lee")
    with pytest.raises(PmsForbidden):
        look(house, engine)
    assert house.pms.open_adapters == 0


@pytest.mark.parametrize("told_by", ["the adapter", "the wait"])
def test_a_preview_that_takes_too_long_says_so(house: House, engine: Engine, told_by: str) -> None:
    from app.pms.errors import PmsCancelled  # noqa: PLC0415

    house.pms.books("a1")

    def late(*_: object) -> None:
        house.clock.forward(21)
        if told_by == "the adapter":
            raise PmsCancelled("asked to stop")
        import threading  # noqa: PLC0415

        threading.Event().wait(0.5)

    house.pms.before_page = late  # type: ignore[assignment]
    with pytest.raises(PmsUnavailable) as ended:
        look(house, engine)
    assert ended.value.reason == "deadline"


def test_a_name_too_long_for_its_column_does_not_stop_the_pairing(
    house: House, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.appointment import PracticeIdentity  # noqa: PLC0415
    from tests.fakes.pms import FakeAdapter  # noqa: PLC0415

    monkeypatch.setattr(FakeAdapter, "identity", lambda _: PracticeIdentity("t", "n" * 600, "Asia/Kathmandu"))
    told = preview.read_catalogue(engine, house.practice_id, house.connection_id)
    assert told.zones_differ
    assert (told.practitioners, told.types) == (2, 2)
    assert len(house.connection().pms_name or "") == 255
