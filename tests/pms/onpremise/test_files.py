"""S06, S07 by files: whole ones are read; missing, half, spoilt and old ones never make an empty day."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import (
    PmsAuthFailed,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotFound,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.factory import environment_for
from app.pms.onpremise.folder import Folder
from tests.pms.onpremise.conftest import (
    DAY,
    DROP_KEY,
    MONDAY,
    ZONE,
    Drops,
    Opened,
    at,
    pages,
    prepared,
    rows,
)
from tests.sandbox.stage import StagedClinic

pytestmark = [pytest.mark.feature("S06"), pytest.mark.feature("S07")]


def reason_of(adapter: Any, window: Window = MONDAY) -> str:
    with pytest.raises(PmsUnavailable) as raised:
        pages(adapter, window)
    return raised.value.reason


# --- a whole file -----------------------------------------------------------------------------------------------------


def test_a_visit_comes_whole(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("10:30"), state="arrived", reason="Limping, left fore", note="Line one\nline “two”")
    drops.export()
    one = rows(opened(clinic, drops))[id_]
    assert one.starts_at.astimezone(ZONE).isoformat() == at("10:30")
    assert (one.minutes, one.status, one.type_id) == (40, Status.ARRIVED, "VIDNEW")
    assert (one.type_name, one.practitioner_id, one.practitioner_name) == (
        "Initial consult, video",
        "WOK",
        "Dr Wren Okafor",
    )
    assert one.comment == "Limping, left fore\nLine one\nline “two”"
    assert one.patient is not None
    assert one.client is not None
    assert (one.patient.external_id, one.patient.full_name, one.patient.species) == ("8800-1", "Biscuit", "Canine")
    assert (one.client.external_id, one.client.full_name) == ("8800", "Wilhelmina Quandongley")
    assert one.patient.phone == one.client.phone == "0491 570 156"
    assert opened(clinic, drops).appointment(id_) == one
    assert opened(clinic, drops).patient("8800-1") == one.patient


def test_a_whole_day_is_told_as_the_clinic_holds_it(busy: StagedClinic, tmp_path: Path, opened: Opened) -> None:
    drops = prepared(tmp_path / "demo", busy)
    drops.export()
    truth = {one["id"]: one for one in busy.truth("2026-03-09")}
    found = rows(opened(busy, drops))
    assert found.keys() == truth.keys()
    assert {id_: one.status.value for id_, one in found.items()} == {id_: one["state"] for id_, one in truth.items()}
    assert {one.status for one in found.values()} >= {Status.CONFIRMED, Status.COMPLETED}


@pytest.mark.parametrize("spoil", ["iso", "dmy", "semicolons", "headings", "renamed"])
def test_what_exporters_do_differently_is_read_alike(
    clinic: StagedClinic, drops: Drops, opened: Opened, spoil: str
) -> None:
    id_ = clinic.book("2026-03-09T21:05:00+11:00")
    drops.export(spoil)
    one = rows(opened(clinic, drops))[id_]
    assert one.starts_at.astimezone(ZONE).isoformat() == "2026-03-09T21:05:00+11:00"


def test_western_letters_are_read_in_both_encodings(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("10:00"), note="Zoë’s café")
    for spoil in ((), ("cp1252",)):
        drops.export(*spoil)
        assert rows(opened(clinic, drops))[id_].comment == "Zoë’s café"


def test_many_rows_come_in_pages(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    clinic.control("book", at=at("00:00"), count=1100)
    drops.export()
    found = pages(opened(clinic, drops))
    assert [page.received for page in found] == [500, 500, 100]
    assert [page.from_start for page in found] == [True, False, False]
    assert [page.received for page in pages(opened(clinic, drops, half_pages=True))][:2] == [250, 250]


def test_staff_and_types_come_from_their_lists_and_from_the_schedule(
    clinic: StagedClinic, drops: Drops, opened: Opened
) -> None:
    clinic.book(at("10:00"), practitioner_ids=["IMA"])
    drops.export()
    people = opened(clinic, drops).practitioners()
    assert [(one.external_id, one.full_name, one.works_here) for one in people] == [
        ("WOK", "Dr Wren Okafor", True),
        ("IMA", "Dr Isolde Marchetti", True),
        ("RNI", "Dr Rafi Nightingale", True),
        ("UGO", "Dr Una Gone", False),
    ]
    types = {one.external_id: (one.name, one.minutes) for one in opened(clinic, drops).appointment_types()}
    assert types["VIDNEW"] == ("Initial consult, video", 40)
    for path in drops.folder.glob("staff_*"):
        path.unlink()
    assert [one.external_id for one in opened(clinic, drops).practitioners()] == ["IMA"]


def test_a_visit_with_nobody_and_one_without_an_animal(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    block, first_visit, nobodys = (
        clinic.book(at("09:00"), block=True),
        clinic.book(at("10:00")),
        clinic.book(at("11:00")),
    )
    clinic.raw(first_visit, patient_id="", patient_name="", species="", breed="", is_block="N")
    clinic.raw(nobodys, provider_code="", provider_name="")
    drops.export()
    adapter = opened(clinic, drops)
    found = rows(adapter)
    assert found[block].is_block
    assert [one.external_id for one in found[first_visit].patients] == ["client:8800"]
    assert found[first_visit].patients[0].full_name == "Wilhelmina Quandongley"
    assert found[nobodys].practitioner_id == "unassigned"
    assert "unassigned" in {one.external_id for one in adapter.practitioners()}


def test_several_animals_at_one_time(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("10:00"), patient_id="8800-1", also=["8800-2", "8800-3"])
    drops.export()
    found = rows(opened(clinic, drops))
    if clinic.kind == "cornerstone":
        assert sorted(found) == [id_, f"{id_}-2", f"{id_}-3"]
        assert len({one.starts_at for one in found.values()}) == 1
    else:
        assert (list(found), found[id_].comment) == ([id_], "+ 2 more")


# --- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.fault("F44")
def test_both_clock_changes_in_the_clinics_zone(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    spring, autumn = date(2026, 10, 4), date(2026, 4, 5)
    for day, time, utc, doubt in (
        (spring, "01:30", "2026-10-03T15:30", None),
        (spring, "02:30", "2026-10-03T16:30", "skipped"),
        (spring, "03:30", "2026-10-03T16:30", None),
        (autumn, "01:30", "2026-04-04T14:30", None),
        (autumn, "02:30", "2026-04-04T15:30", "twice"),
        (autumn, "03:30", "2026-04-04T17:30", None),
    ):
        clinic.sandbox.control("clock", at=f"{day}T00:00:00Z")
        clinic.control("reset")
        id_ = clinic.book(f"{day}T00:00:00Z")
        clinic.raw(id_, start_local=f"{day} {time}")
        for path in drops.folder.glob("*.manifest.json"):
            path.unlink()
        drops.export("iso")
        one = rows(opened(clinic, drops), Window(day, day, ZONE))[id_]
        told = one.starts_at.strftime("%Y-%m-%dT%H:%M"), one.time_doubt and str(one.time_doubt)
        assert told == (utc, doubt), (day, time)


def test_the_files_own_zone_reads_its_times(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("10:00"))
    clinic.raw(id_, start_local="2026-03-09 10:00")
    drops.export("iso", timezone="Australia/Perth")
    one = rows(opened(clinic, drops, timezone="Australia/Perth"), Window(DAY, DAY, ZONE))[id_]
    assert one.starts_at == datetime(2026, 3, 9, 2, tzinfo=UTC)
    assert rows(opened(clinic, drops))[id_].starts_at == one.starts_at


# --- what is no whole file --------------------------------------------------------------------------------------------


SPOILT = ["half", "part", "no_manifest", "count", "digest", "empty", "no_header", "utf16", "quotes", "bad_manifest"]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_file_that_is_not_whole_is_never_an_empty_day(
    clinic: StagedClinic, drops: Drops, opened: Opened, spoil: str
) -> None:
    kept = {clinic.book(at("09:00")), clinic.book(at("10:00"))}
    drops.export(spoil)
    adapter = opened(clinic, drops)
    assert reason_of(adapter) == "no_drop"
    assert (adapter.health_check().healthy, adapter.health_check().reason) == (False, "no_drop")
    drops.export(age_h=3)
    older = opened(clinic, drops)
    assert rows(older).keys() == kept, "an older whole one stands in while it is young enough"
    (page,) = pages(older)
    assert page.as_of is not None
    assert timedelta(hours=2) < clock.now() - page.as_of < timedelta(hours=4)


def test_nobody_left_anything(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    adapter = opened(clinic, drops)
    assert reason_of(adapter) == "no_drop"
    for ask in (adapter.practitioners, adapter.appointment_types, adapter.identity):
        with pytest.raises(PmsUnavailable):
            ask()


def test_a_file_that_says_it_is_empty_is_an_empty_day(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    drops.export()
    (page,) = pages(opened(clinic, drops))
    assert (page.received, page.as_of is not None) == (0, True)


def test_an_old_file_says_nothing_of_today_and_all_of_a_day_that_was_over(
    clinic: StagedClinic, drops: Drops, opened: Opened
) -> None:
    now = clock.now().astimezone(ZONE)
    clinic.sandbox.control("clock", at=now.isoformat())
    drops.export(age_h=27)
    today, before = now.date(), now.date() - timedelta(days=3)
    adapter = opened(clinic, drops)
    assert reason_of(adapter, Window(today, today, ZONE)) == "stale_drop"
    assert (adapter.health_check().healthy, adapter.health_check().reason) == (False, "stale_drop")
    assert len(pages(opened(clinic, drops), Window(before, before, ZONE))) == 1
    longer = VendorSettings(clinic.url, extra={"drop_root": str(drops.root), "drop_max_age_hours": "48"})
    assert len(pages(opened(clinic, drops, vendor=longer), Window(today, today, ZONE))) == 1


def test_days_that_no_file_covers_fail_by_themselves(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    drops.export(back=0, ahead=1)
    adapter = opened(clinic, drops)
    parts = adapter.partitions(Window(date(2026, 3, 7), date(2026, 3, 20), ZONE), [])
    assert [part.key for part in parts] == [
        "all/2026-03-09/2026-03-10",
        "all/2026-03-07/2026-03-08",
        "all/2026-03-11/2026-03-17",
        "all/2026-03-18/2026-03-20",
    ]
    assert len(list(adapter.appointments(parts[0]))) == 1, "what can be read is read first"
    for part in parts[1:]:
        with pytest.raises(PmsUnavailable) as raised:
            list(adapter.appointments(part))
        assert raised.value.reason == "drop_gap"


def test_a_delta_is_no_whole_day(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    kept = clinic.book(at("09:00"))
    drops.export()
    drops.export(mode="delta", rows=0)
    assert set(rows(opened(clinic, drops))) == {kept}


def test_the_newest_counts_whatever_it_is_called(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    clinic.book(at("09:00"))
    old = drops.export(age_h=1)
    for ending in (".csv", ".manifest.json"):
        (drops.folder / f"{old}{ending}").rename(drops.folder / f"zzz newest{ending.upper()}")
    new = clinic.book(at("10:00"))
    drops.export()
    assert new in rows(opened(clinic, drops))


def test_a_manifest_from_the_future_is_not_believed(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    drops.export(age_h=-5)
    assert reason_of(opened(clinic, drops)) == "no_drop"


# --- who is gone ------------------------------------------------------------------------------------------------------


def test_one_file_that_lacks_a_visit_proves_nothing_two_do(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    gone = clinic.book(at("09:00"))
    drops.export(age_h=3)
    clinic.delete(gone)
    name = drops.export(age_h=2)
    adapter = opened(clinic, drops)
    assert rows(adapter) == {}
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(gone)
    assert raised.value.reason == "second_drop"
    for ending in (".csv", ".manifest.json"):  # sent once more under another name it is still the same word
        (drops.folder / f"again{ending}").write_bytes((drops.folder / f"{name}{ending}").read_bytes())
    with pytest.raises(PmsMalformed):
        opened(clinic, drops).appointment(gone)
    drops.export(age_h=1)
    with pytest.raises(PmsNotFound):
        opened(clinic, drops).appointment(gone)


def test_an_id_nobody_ever_had_needs_two_files_of_the_days_that_were_asked_for(
    clinic: StagedClinic, drops: Drops, opened: Opened
) -> None:
    drops.export(age_h=2)
    drops.export(age_h=1, back=0)
    adapter = opened(clinic, drops)
    rows(adapter)
    with pytest.raises(PmsNotFound):
        adapter.appointment("777")
    wider = opened(clinic, drops)
    rows(wider, Window(date(2026, 3, 8), DAY, ZONE))
    with pytest.raises(PmsMalformed):
        wider.appointment("777")


def test_a_visit_that_moved_is_found_where_it_is(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"))
    drops.export(age_h=1)
    clinic.change(id_, at=at("09:00", 12))
    drops.export()
    adapter = opened(clinic, drops)
    assert rows(adapter) == {}
    assert adapter.appointment(id_).starts_at.astimezone(ZONE).date() == date(2026, 3, 12)


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ({"start_local": "soon"}, "$.start_local", "invalid"),
        ({"start_local": ""}, "$.start_local", "missing"),
        ({"start_local": "2026-02-30 10:00"}, "$.start_local", "invalid"),
        ({"start_local": "03/09/26 10:00 AM"}, "$.start_local", "invalid"),
        ({"start_local": "13/13/2026 10:00"}, "$.start_local", "invalid"),
        ({"start_local": "03/09/2026 14:00 PM"}, "$.start_local", "invalid"),
        ({"start_local": "0099-03-09 10:00"}, "$.start_local", "out_of_range"),
        ({"start_local": "2026-03-09 10:00+11:00"}, "$.start_local", "invalid"),
        ({"duration_min": "half an hour"}, "$.duration_min", "invalid"),
        ({"duration_min": "99999999"}, "$.duration_min", "out_of_range"),
        ({"patient_id": "5.5E+12"}, "$.patient_id", "invalid"),
        ({"type_code": "x" * 300}, "$.type_code", "out_of_range"),
        ({"is_block": "perhaps"}, "$.is_block", "invalid"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_place_and_the_others_go_on(
    clinic: StagedClinic, drops: Drops, opened: Opened, fields: dict[str, str], path: str, reason: str
) -> None:
    bad, good = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(bad, **fields)
    drops.export()
    (page,) = pages(opened(clinic, drops))
    assert [one.external_id for one in page.appointments] == [good]
    (one,) = page.rejected
    assert (one.external_id, one.path, one.reason, page.received) == (bad, path, reason, 2)
    assert b"Biscuit" in one.payload
    with pytest.raises(PmsMalformed) as raised:
        opened(clinic, drops).appointment(bad)
    assert raised.value.path == path


def test_slashes_are_not_guessed_at(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, start_local="03/09/2026 09:00")
    drops.export("iso")
    (page,) = pages(opened(clinic, drops))
    assert [(one.path, one.reason) for one in page.rejected] == [("$.start_local", "invalid")]


def test_a_line_with_a_cell_too_many_is_set_aside(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    clinic.book(at("09:00"))
    name = drops.export("digest")  # its digest is wrong by now anyway
    path, manifest = drops.folder / f"{name}.csv", drops.folder / f"{name}.manifest.json"
    path.write_text(path.read_text().rstrip() + ",beyond\n")
    manifest.write_text(manifest.read_text().replace('"sha256"', '"formerly"'))
    (page,) = pages(opened(clinic, drops))
    assert [(one.path, one.reason) for one in page.rejected] == [("$", "invalid")]


def test_a_bad_row_of_another_day_is_that_days_affair(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    clinic.raw(clinic.book(at("09:00", 11)), duration_min="long")
    drops.export()
    assert [page.rejected for page in pages(opened(clinic, drops))] == [[]]
    wednesday = Window(date(2026, 3, 11), date(2026, 3, 11), ZONE)
    assert len(pages(opened(clinic, drops), wednesday)[0].rejected) == 1


# --- the folder and nothing beside it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../harbour", "..", ".", "/etc", "harbour/..", "a b", ".hidden", "harbour/", "x" * 65]
)
def test_a_name_is_one_folder_below_the_root(clinic: StagedClinic, drops: Drops, opened: Opened, name: str) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, drops, typed={"source": name})
    assert name not in str(raised.value) or name in (".", "..")


def test_links_lead_nowhere(clinic: StagedClinic, drops: Drops, opened: Opened, tmp_path: Path) -> None:
    clinic.book(at("09:00"))
    drops.export()
    outside = tmp_path / "outside"
    drops.folder.rename(outside)
    drops.folder.symlink_to(outside, target_is_directory=True)
    with pytest.raises(PmsAuthFailed):
        opened(clinic, drops).authenticate()
    drops.folder.unlink()
    drops.folder.mkdir()
    for path in outside.iterdir():
        (drops.folder / path.name).symlink_to(path)
    with pytest.raises(PmsAuthFailed):
        opened(clinic, drops).authenticate()
    (drops.folder / "drop.key").unlink()
    (drops.folder / "drop.key").write_bytes((outside / "drop.key").read_bytes())
    assert reason_of(opened(clinic, drops)) == "no_drop"


def test_a_pipe_in_a_files_place_holds_nobody_up(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    clinic.book(at("09:00"))
    name = drops.export()
    (drops.folder / f"{name}.csv").unlink()
    os.mkfifo(drops.folder / f"{name}.csv")
    assert reason_of(opened(clinic, drops)) == "no_drop"
    folder = Folder(str(drops.root), "harbour", "X")  # and where it is put there after the listing
    (drops.folder / "a folder.csv").mkdir()
    for odd in (f"{name}.csv", "a folder.csv", "nothing.csv"):
        with pytest.raises(FileNotFoundError):
            folder.read(odd)


def test_a_file_beyond_the_cap_is_told(
    clinic: StagedClinic, drops: Drops, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.book(at("09:00"))
    drops.export()
    monkeypatch.setattr("app.pms.onpremise.folder.Folder.read.__defaults__", (64,))
    with pytest.raises(PmsMalformed) as raised:
        pages(opened(clinic, drops))
    assert raised.value.reason == "too_large"


@pytest.mark.parametrize("key", ["another-key-of-sixteen-letters", "a-drop-key-of-16-letters-and-mor", "x"])
def test_another_practices_folder_does_not_open(clinic: StagedClinic, drops: Drops, opened: Opened, key: str) -> None:
    drops.export()
    adapter = opened(clinic, drops, typed={"secret": key})
    with pytest.raises(PmsAuthFailed):
        adapter.authenticate()
    with pytest.raises(PmsAuthFailed):
        pages(adapter)
    assert adapter.validate_connection() is False
    (drops.folder / "drop.key").write_text("x")
    with pytest.raises(PmsAuthFailed):
        opened(clinic, drops, typed={"secret": "x"}).authenticate()


def test_without_a_root_the_operator_is_named(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    adapter = opened(clinic, drops, vendor=VendorSettings(base_url=clinic.url))
    with pytest.raises(PmsNotConfigured) as raised:
        adapter.authenticate()
    assert f"{clinic.kind.upper()}_DROP_ROOT" in str(raised.value)


def test_a_share_that_is_not_mounted_is_an_outage(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    gone = VendorSettings(base_url=clinic.url, extra={"drop_root": str(drops.root / "elsewhere")})
    with pytest.raises(PmsUnavailable) as raised:
        opened(clinic, drops, vendor=gone).authenticate()
    assert str(drops.root) not in str(raised.value)


def test_a_simulators_files_never_stand_on_a_live_sheet(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    clinic.book(at("09:00"))
    drops.export()
    live = VendorSettings(extra={"drop_root": str(drops.root)})
    assert environment_for(clinic.kind, live) == "live"
    assert environment_for(clinic.kind, drops.vendor) == "simulator"
    with pytest.raises(PmsUntrusted):
        pages(opened(clinic, drops, vendor=live))


def test_one_of_several_practices_in_a_folder(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    mine = clinic.book(at("09:00"))
    drops.export(site="A1", age_h=1)
    clinic.book(at("10:00"))
    drops.export(site="B2")
    adapter = opened(clinic, drops, typed={"site_id": "A1"})
    assert set(rows(adapter)) == {mine}
    assert adapter.identity().external_id == "drop harbour site A1"
    assert (adapter.identity().name, adapter.identity().timezone) == ("Banksia Street Animal Clinic", str(ZONE))


def test_nothing_of_a_patient_or_the_key_is_logged(
    clinic: StagedClinic, drops: Drops, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="app")
    clinic.raw(clinic.book(at("09:00")), start_local="Biscuit")
    drops.export("count")
    drops.export("bad_manifest")
    drops.export(age_h=1)
    adapter = opened(clinic, drops)
    rows(adapter)
    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records if "app." in record.name)
    assert "left aside" in said
    assert not any(word in said for word in (DROP_KEY, "Biscuit", "Quandongley", str(drops.root)))
    assert DROP_KEY not in adapter.limit_key() + repr(adapter._feed)


def test_another_sweep_looks_anew(clinic: StagedClinic, drops: Drops, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"))
    drops.export()
    adapter = opened(clinic, drops)
    assert rows(adapter)[id_].status is Status.BOOKED
    clinic.change(id_, state="arrived")
    drops.export()
    assert rows(adapter)[id_].status is Status.ARRIVED
