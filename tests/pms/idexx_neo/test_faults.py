"""IDEXX Neo that breaks: no fault is an empty day, and one bad row takes no other along."""

from __future__ import annotations

from typing import Any

import pytest

from app.pms.errors import PmsBadRequest, PmsError, PmsMalformed, PmsRateLimited, PmsUnavailable, PmsUntrusted
from app.pms.idexx_neo.adapter import IdexxNeoAdapter
from tests.pms.conftest import Limiter
from tests.pms.idexx_neo.conftest import NINE, NOON, Opened, pages, rows
from tests.sandbox.stage import StagedClinic

CALENDAR = "/appointments/getCalendarEventData"


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ({"kind": "status", "status": 500}, PmsUnavailable, "server_error"),
        ({"kind": "status", "status": 400}, PmsBadRequest, "refused"),
        ({"kind": "status", "status": 429, "retry_after": 1}, PmsRateLimited, "rate_limited"),
        ({"kind": "redirect"}, PmsUntrusted, "redirect"),
        ({"kind": "html"}, PmsMalformed, "bad_envelope"),
        ({"kind": "garbage"}, PmsMalformed, "encoding"),
        ({"kind": "empty"}, PmsMalformed, "empty_body"),
        ({"kind": "object"}, PmsMalformed, "bad_envelope"),
        ({"kind": "truncated"}, PmsMalformed, "bad_envelope"),
        ({"kind": "cut_body"}, PmsUnavailable, "interrupted"),
        ({"kind": "hang_up"}, PmsUnavailable, "connect"),
    ],
)
def test_an_answer_that_is_none_is_an_error(
    neo: StagedClinic, adapter: IdexxNeoAdapter, fault: dict[str, Any], error: type[PmsError], reason: str
) -> None:
    neo.book(NINE)
    neo.fault(path=CALENDAR, **fault)
    with pytest.raises(error) as told:
        pages(adapter)
    assert told.value.reason == reason


@pytest.mark.parametrize("kind", ["status", "hang_up", "cut_body"])
def test_what_passes_is_tried_again(neo: StagedClinic, adapter: IdexxNeoAdapter, kind: str) -> None:
    id_ = neo.book(NINE)
    neo.fault(kind, path=CALENDAR, next=2)
    assert rows(adapter).keys() == {id_}


@pytest.mark.fault("F8")
def test_a_limit_that_is_reached_shuts_the_key_for_as_long_as_it_says(
    neo: StagedClinic, adapter: IdexxNeoAdapter, limiter: Limiter
) -> None:
    neo.fault("status", status=429, retry_after=120, path=CALENDAR)
    with pytest.raises(PmsRateLimited) as told:
        pages(adapter)
    assert (told.value.retry_after_s, limiter.told) == (120.0, [120.0])


def test_an_error_in_the_words_of_its_writes_is_no_empty_day(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    """`{"success": false}` with status 200: a list that is missing is not an empty one."""
    neo.book(NINE)
    neo.fault("object", path=CALENDAR)
    with pytest.raises(PmsMalformed) as told:
        pages(adapter)
    assert told.value.path == "$.appointments"


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    ("fields", "drop", "path", "reason"),
    [
        ({}, ("start",), "$.start", "missing"),
        ({"start": ""}, (), "$.start", "missing"),
        ({"start": "tomorrow"}, (), "$.start", "invalid"),
        ({"start": "2026-03-09T09:00:00Z"}, (), "$.start", "invalid"),
        ({"start": "2026-03-09 24:00:00"}, (), "$.start", "invalid"),
        ({"start": "1850-01-01 09:00:00"}, (), "$.start", "out_of_range"),
        ({"start": 1_772_000_000}, (), "$.start", "wrong_type"),
        ({"end": "2027-12-09 09:00:00"}, (), "$.end", "out_of_range"),
        ({"end": "2026-02-30 09:00:00"}, (), "$.end", "invalid"),
        ({"arrival_date_time": "early"}, (), "$.arrival_date_time", "invalid"),
        ({"patient_id": {"id": 1}}, (), "$.patient_id", "wrong_type"),
        ({"patient_id": "7" * 300}, (), "$.patient_id", "invalid"),
        ({"patient_name": ["Biscuit"]}, (), "$.patient_name", "wrong_type"),
        ({"current_status": 4}, (), "$.current_status", "wrong_type"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_place_and_the_others_go_on(
    neo: StagedClinic,
    adapter: IdexxNeoAdapter,
    fields: dict[str, Any],
    drop: tuple[str, ...],
    path: str,
    reason: str,
) -> None:
    bad, good = neo.book(NINE), neo.book(NOON)
    neo.raw(bad, drop=drop, **fields)
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [good]
    (refused,) = page.rejected
    assert (refused.external_id, refused.path, refused.reason) == (bad, path, reason)
    assert (page.received, b"Biscuit" in refused.payload) == (2, True)


def test_a_row_without_an_id_is_set_aside_too(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    bad = neo.book(NINE)
    neo.raw(bad, id=None, appointment_id=None)
    (page,) = pages(adapter)
    assert (page.appointments, page.rejected[0].external_id, page.rejected[0].path) == ([], None, "$.appointment_id")
    neo.raw(bad, appointment_id=None, id=bad)
    assert rows(adapter).keys() == {bad}, "either of the two will do"


@pytest.mark.parametrize("end", [None, "2026-03-09 08:00:00", "2026-03-09 09:00:00"])
def test_an_end_that_says_nothing_is_left_open(neo: StagedClinic, adapter: IdexxNeoAdapter, end: str | None) -> None:
    id_ = neo.book(NINE)
    neo.raw(id_, end=end)
    one = rows(adapter)[id_]
    assert (one.ends_at, one.minutes) == (None, None)


def test_a_stamp_that_cannot_be_read_leaves_nobody_out(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE)
    neo.raw(id_, last_updated_at="just now")
    assert rows(adapter)[id_].changed_at is None


def test_a_type_or_a_person_that_cannot_be_read_keeps_its_number(neo: StagedClinic, opened: Opened) -> None:
    kind, person = neo.state()["types"][0]["id"], neo.state()["practitioners"][0]["id"]
    neo.raw(kind, name=["Consult"])
    neo.raw(person, name=["Wren"])
    adapter = opened(neo)
    assert {one.external_id: one.readable for one in adapter.appointment_types()}[kind] is False
    assert {one.external_id: one.readable for one in adapter.practitioners()}[person] is False
    neo.raw(kind, drop=("id",))
    with pytest.raises(PmsMalformed):
        opened(neo).appointment_types()


@pytest.mark.parametrize("drop", ["appointmentTypes", "providers"])
def test_a_list_that_is_missing_is_no_empty_one(neo: StagedClinic, opened: Opened, drop: str) -> None:
    neo.raw("view", drop=(drop,))
    with pytest.raises(PmsMalformed):
        opened(neo).practitioners()
