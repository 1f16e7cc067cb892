"""Ids of rows written together: version 7, none twice, later ones behind earlier ones."""

from __future__ import annotations

from datetime import timedelta

from app.store.ids import new_ids
from tests.fakes.house import FakeClock


def test_ids_begin_with_the_time_and_are_never_the_same(clock_at: FakeClock) -> None:
    earlier = new_ids(2000)
    clock_at.at += timedelta(milliseconds=1)
    later = new_ids(2000)
    assert len({*earlier, *later}) == 4000
    assert max(earlier) < min(later)
    assert {(one.version, one.variant) for one in earlier} == {(7, "specified in RFC 4122")}
    assert {one.int >> 80 for one in later} == {int(clock_at.at.timestamp() * 1000)}
    assert new_ids(0) == []
