"""A sweep is the day, all of it and nothing else: over pages, weeks, zones and both days on which the clocks change."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.domain.window import Window
from tests.contract.meeting import DAY, MONDAY, ZONE, Meeting, at, instant, visits_of


def test_the_clinics_day_comes_whole(busy: Meeting) -> None:
    truth = {one["id"]: one for one in busy.clinic.truth(DAY.isoformat())}
    assert len(truth) > 15, "a day worth reading"
    pages = busy.pages()
    found = [row for page in pages for row in page.appointments]
    assert [bad for page in pages for bad in page.rejected] == []
    assert sum(page.received for page in pages) == len(found)
    assert visits_of((row.external_id for row in found), truth) == set(truth)
    for row in found:
        told = truth[row.external_id] if row.external_id in truth else truth[row.external_id.rpartition("/")[0]]
        assert row.starts_at == instant(told["starts_at"])
        assert row.practitioner_id in told["practitioner_ids"] or not told["practitioner_ids"]
        assert {one.external_id for one in row.patients} <= set(told["patient_ids"])
        assert bool(row.patients) == bool(told["patient_ids"])
        assert row.practitioner_name.strip()
        assert MONDAY.holds(row.starts_at)


def test_two_sweeps_tell_the_same(busy: Meeting) -> None:
    first, second = busy.rows(), busy.rows()
    assert first == second
    adapter = busy.open()
    assert busy.rows(adapter) == busy.rows(adapter) == first


def test_chains_read_side_by_side_tell_the_same(busy: Meeting) -> None:
    adapter = busy.open()
    window = Window(DAY, DAY + timedelta(days=8), ZONE)
    parts = adapter.partitions(window, busy.staff)
    with ThreadPoolExecutor(4) as pool:
        chains = list(pool.map(lambda part: list(adapter.appointments(part)), parts))
    together = {row.external_id: row for chain in chains for page in chain for row in page.appointments}
    assert together == busy.rows(window=window)
    assert len({part.key for part in parts}) == len(parts)


def test_whoever_is_in_no_chain_is_in_none(busy: Meeting) -> None:
    """The chains of a window lie side by side: no visit is in two of one practitioner."""
    adapter = busy.open()
    for part in adapter.partitions(Window(DAY, DAY + timedelta(days=8), ZONE), busy.staff):
        for page in adapter.appointments(part):
            assert all(part.window.holds(row.starts_at) for row in page.appointments)


def test_pages_are_followed_to_the_end(meeting: Meeting) -> None:
    size = meeting.needs(meeting.case.looping and meeting.case.page_size, "There are no pages.")
    count = 2 * size + 1 if size <= 600 else size + 1
    booked = meeting.clinic.books(at("00:30"), count=count)
    window = Window(DAY, DAY + timedelta(days=1), ZONE)
    pages = meeting.pages(window=window)
    found = [row.external_id for page in pages for row in page.appointments]
    assert visits_of(found, booked) == set(booked)
    assert len(found) == count, "each once"
    assert len([page for page in pages if page.received]) > 1
    assert next(page.from_start for page in pages if page.received)
    smaller = meeting.pages(meeting.open(half_pages=True), window)
    assert {row.external_id for page in smaller for row in page.appointments} == set(found)


def test_the_day_begins_and_ends_at_midnight(meeting: Meeting) -> None:
    wanted = {meeting.clinic.book(at("00:00")), meeting.clinic.book(at("23:59"))}
    meeting.clinic.book(at("23:59", 8))
    meeting.clinic.book(at("00:00", 10))
    pages = meeting.pages()
    assert visits_of((row.external_id for page in pages for row in page.appointments), wanted) == wanted
    assert sum(page.received for page in pages) == 2


def test_weeks_join_without_gap_or_overlap(meeting: Meeting) -> None:
    booked = {meeting.clinic.book(at(time, day)) for day in range(9, 25) for time in ("00:00", "23:55")}
    window = Window(DAY, date(2026, 3, 24), ZONE)
    found = [row.external_id for page in meeting.pages(window=window) for row in page.appointments]
    assert visits_of(found, booked) == booked
    assert len(found) == len(booked)


@pytest.mark.parametrize(
    ("day", "times"),
    [
        ("2026-04-05", ("01:30+11:00", "02:15+11:00", "02:45+10:00", "03:30+10:00")),
        ("2026-10-04", ("01:30+10:00", "03:15+11:00", "04:30+11:00")),
    ],
    ids=["the day of 25 hours", "the day of 23 hours"],
)
def test_on_the_days_the_clocks_change_every_visit_is_where_it_is(
    meeting: Meeting, day: str, times: tuple[str, ...]
) -> None:
    """A wall time shown twice may be read as the earlier only where the vendor tells no more; then it is doubted."""
    offset = times[0][-6:]
    meeting.clinic.fresh(f"{day}T12:00:00{times[-1][-6:]}")
    wanted = {}
    for one in (f"00:00{offset}", *times, f"23:45{times[-1][-6:]}"):
        text = f"{day}T{one[:5]}:00{one[5:]}"
        wanted[meeting.clinic.book(text)] = instant(text)
    before, after = date.fromisoformat(day) - timedelta(days=1), date.fromisoformat(day) + timedelta(days=1)
    meeting.clinic.book(f"{before}T23:59:00{offset}")
    meeting.clinic.book(f"{after}T00:00:00{times[-1][-6:]}")
    whole = Window(date.fromisoformat(day), date.fromisoformat(day), ZONE)
    found = meeting.rows(window=whole)
    assert visits_of(found, wanted) == set(wanted)
    for row in found.values():
        told = wanted[next(id_ for id_ in wanted if row.external_id.startswith(id_))]
        if row.starts_at != told:
            assert row.time_doubt is not None
            assert row.starts_at == told - timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "day", "inside", "outside"),
    [
        ("Australia/Lord_Howe", "2026-04-05", ("00:00+11:00", "01:45+11:00", "01:45+10:30", "23:30+10:30"),
         ("23:59+11:00", "00:00+10:30")),
        ("Pacific/Auckland", "2026-03-09", ("00:00+13:00", "12:00+13:00", "23:59+13:00"),
         ("23:59+13:00", "00:00+13:00")),
        ("America/St_Johns", "2026-03-09", ("00:00-02:30", "23:59-02:30"), ("23:59-02:30", "00:00-02:30")),
    ],
)  # fmt: skip
def test_a_practice_whose_day_is_another_than_its_clinics_misses_nothing(
    meeting: Meeting, zone: str, day: str, inside: tuple[str, ...], outside: tuple[str, str]
) -> None:
    meeting.has("instants")
    wanted = {}
    for one in inside:
        text = f"{day}T{one[:5]}:00{one[5:]}"
        wanted[meeting.clinic.book(text)] = instant(text)
    on = date.fromisoformat(day)
    for one, other in zip((on - timedelta(days=1), on + timedelta(days=1)), outside, strict=True):
        meeting.clinic.book(f"{one}T{other[:5]}:00{other[5:]}")
    found = meeting.rows(meeting.open(zone=zone), Window(on, on, ZoneInfo(zone)))
    assert visits_of(found, wanted) == set(wanted)
    for id_, start in wanted.items():
        assert [row.starts_at for row in found.values() if row.external_id.startswith(id_)] == [start]


def test_a_day_nobody_is_booked_on_is_read_and_empty(meeting: Meeting) -> None:
    pages = meeting.pages()
    assert sum(page.received for page in pages) == 0
    assert meeting.case.list_path is None or meeting.clinic.asked(meeting.case.list_path) != []


def test_every_call_takes_a_place_in_the_limit(busy: Meeting) -> None:
    busy.pages()
    asked = len(busy.clinic.asked())
    assert busy.limiter.places >= asked
    if busy.case.list_path is not None:
        assert asked > 0
