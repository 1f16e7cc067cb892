"""A chain read for its ids alone: the same ids at the same times, and nothing asked for besides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.pms.errors import PmsError
from app.pms.ezyvet.adapter import EzyvetAdapter
from app.pms.port import Page
from tests.pms.ezyvet.hospital import WINDOW, Hospital

pytestmark = pytest.mark.feature("S05")
#: Small lists that tell whose division a resource is of.
BESIDE = {"/v1/oauth/access_token", "/v1/resource"}


def read(adapter: EzyvetAdapter, *, ids_only: bool) -> list[Page]:
    (week,) = adapter.partitions(WINDOW, ("21", "22", "23"))
    return list(adapter.appointments(replace(week, ids_only=ids_only)))


@pytest.mark.parametrize("division", ["", "1", "2"])
def test_it_brings_what_the_whole_reading_brings(busy: Hospital, division: str) -> None:
    adapter = busy.open(division_id=division)
    (whole,), (ids,) = read(adapter, ids_only=False), read(adapter, ids_only=True)
    assert len(whole.starts) > 5
    assert (ids.starts, ids.received, ids.from_start) == (whole.starts, whole.received, whole.from_start)
    assert (len(ids.appointments), whole.ids) == (0, {})


@pytest.mark.parametrize("division", ["", "1"])
def test_nothing_is_asked_for_that_an_appointment_refers_to(busy: Hospital, division: str) -> None:
    read(busy.open(division_id=division), ids_only=True)
    assert {one["route"] for one in busy.asked()} - BESIDE == {"/v2/appointment"}


@pytest.mark.parametrize("record", ["no_start", "bad_start", "no_id", "not_an_object", "nan", "same_key_twice"])
def test_a_record_that_cannot_be_read_is_told_of_as_in_the_whole_reading(busy: Hospital, record: str) -> None:
    busy.breaks("poison", "/v2/appointment", record=record, index=3)
    adapter = busy.open()
    (whole,), (ids,) = read(adapter, ids_only=False), read(adapter, ids_only=True)
    assert len(ids.rejected) == 1
    assert (ids.rejected, ids.starts, ids.received) == (whole.rejected, whole.starts, whole.received)


@pytest.mark.parametrize("kind", ["error", "garbage", "html", "short_list"])
def test_an_error_is_never_an_empty_list(busy: Hospital, kind: str) -> None:
    busy.breaks(kind, "/v2/appointment")
    with pytest.raises(PmsError):
        read(busy.open(), ids_only=True)
