"""Records of Halaxy that cannot be read: set aside with their place, and the others go on."""

from __future__ import annotations

import json

import pytest

from app.pms.errors import PmsMalformed
from app.pms.halaxy.adapter import HalaxyAdapter
from tests.pms.halaxy.conftest import Opened
from tests.pms.halaxy.practice import LIST, at, pages, scripted_adapter
from tests.pms.scripted import Scripted, answer
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S03")


@pytest.mark.parametrize(
    ("fields", "drop", "path", "reason"),
    [
        ({}, ("start",), "$.start", "missing"),
        ({"start": "soon"}, (), "$.start", "invalid"),
        ({"start": "2026-03-09"}, (), "$.start", "invalid"),
        ({"start": "2526-03-09T09:00:00+11:00"}, (), "$.start", "out_of_range"),
        ({"end": "2031-03-09T09:00:00+11:00"}, (), "$.end", "out_of_range"),
        ({"minutesDuration": "fifty"}, (), "$.minutesDuration", "wrong_type"),
        ({"meta": 7}, (), "$.meta", "wrong_type"),
    ],
)
def test_a_record_that_cannot_be_read_is_set_aside_for_each_place_and_the_others_go_on(
    clinic: StagedClinic,
    adapter: HalaxyAdapter,
    fields: dict[str, object],
    drop: tuple[str, ...],
    path: str,
    reason: str,
) -> None:
    one, two = clinic.state()["patients"][:2]
    good, bad = clinic.book(at("09:00")), clinic.book(at("10:00"), patient_id=one, also=[two])
    clinic.raw(bad, drop, **fields)
    (page,) = pages(adapter)
    assert [row.external_id.split("/")[0] for row in page.appointments] == [good]
    assert [(row.external_id, row.path, row.reason) for row in page.rejected] == [
        (f"{bad}/{who}", path, reason) for who in (one, two)
    ]
    assert page.received == 3
    assert [json.loads(row.payload)["of"]["id"] for row in page.rejected] == [bad, bad]
    assert len({row.payload for row in page.rejected}) == 2, "of two that are alike only one would be kept"
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(f"{bad}/{two}")
    assert raised.value.path == path


@pytest.mark.parametrize(
    ("fields", "drop", "path"),
    [
        ({}, ("participant",), "$.participant"),
        ({"participant": [{"actor": {"reference": "Patient/", "type": "Patient"}}]}, (), ".actor.reference"),
        ({"participant": {"actor": None}}, (), "$.participant"),
    ],
)
def test_a_record_whose_places_cannot_be_told_keeps_its_own_id(
    clinic: StagedClinic, adapter: HalaxyAdapter, fields: dict[str, object], drop: tuple[str, ...], path: str
) -> None:
    bad = clinic.book(at("10:00"))
    clinic.raw(bad, drop, **fields)
    (page,) = pages(adapter)
    (told,) = page.rejected
    assert (told.external_id, told.path.endswith(path), page.received) == (bad, True, 1)


def test_a_record_without_a_type_or_an_id_is_set_aside_and_not_overlooked(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    nameless, idless = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.control("raw", id=idless, fields={"id": None})
    found = [one for page in pages(adapter) for one in page.rejected]
    assert [(one.external_id, one.path) for one in found] == [(None, "$.id")]
    clinic.control("raw", id=nameless, fields={"resourceType": None})
    found = [one for page in pages(adapter) for one in page.rejected]
    assert {(one.external_id, one.path) for one in found} == {(None, "$.id"), (nameless, "$.resourceType")}


def test_a_patient_who_cannot_be_read_costs_one_place_and_is_kept_with_it(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    one, two = clinic.state()["patients"][:2]
    id_ = clinic.book(at("10:00"), patient_id=one, also=[two])
    clinic.raw(two, telecom="none")
    (page,) = pages(adapter)
    assert [row.external_id for row in page.appointments] == [f"{id_}/{one}"]
    (told,) = page.rejected
    assert (told.external_id, told.path, told.reason) == (f"{id_}/{two}", "patient.telecom", "wrong_type")
    assert json.loads(told.payload)["of"]["beside"]["id"] == two


@pytest.mark.fault("F27")
def test_a_member_that_comes_twice_sets_the_record_aside(server: Scripted, opened: Opened) -> None:
    adapter = scripted_adapter(server, opened)
    record = (
        '{"resourceType":"Appointment","id":"1","start":"2026-03-09T09:00:00+11:00","participant":[],'
        '"minutesDuration":20,"minutesDuration":30}'
    )
    server.stand(LIST, answer(200, f'{{"resourceType":"Bundle","entry":[{{"resource":{record}}}]}}'))
    (page,) = pages(adapter)
    assert [(one.external_id, one.reason) for one in page.rejected] == [("1", "dup_key")]
