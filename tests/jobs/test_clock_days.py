"""P20: a whole day on both dates the clocks change, in four zones, dispatched as it would be: each local slot once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from app.domain.schedule import offset_of
from app.domain.window import Window
from tests.jobs.clinics import Clinics

SPRING, AUTUMN = date(2026, 10, 4), date(2026, 4, 5)
ZONES = ("Australia/Melbourne", "Australia/Adelaide", "Australia/Brisbane", "Australia/Lord_Howe")
#: How long the day is, in hours.
HOURS = {
    (SPRING, "Australia/Melbourne"): 23,
    (AUTUMN, "Australia/Melbourne"): 25,
    (SPRING, "Australia/Adelaide"): 23,
    (AUTUMN, "Australia/Adelaide"): 25,
    (SPRING, "Australia/Brisbane"): 24,
    (AUTUMN, "Australia/Brisbane"): 24,
    (SPRING, "Australia/Lord_Howe"): 23.5,
    (AUTUMN, "Australia/Lord_Howe"): 24.5,
}
#: When half past two comes due, on the wall, where it is not simply half past two: in spring the clock resumes later.
RESUMES = {(SPRING, "Australia/Melbourne"): "03:00", (SPRING, "Australia/Adelaide"): "03:00"}
DAILY, QUARTERS_OF_THE_DAY, EACH_HALF_HOUR = "30 2 * * *", "0 0,6,12,18 * * *", "*/30 * * * *"


@pytest.mark.feature("E11")
@pytest.mark.promise("P20")
@pytest.mark.fault("F44")
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_a_day_on_which_the_clocks_change_has_each_local_slot_once(clinics: Clinics, day: date) -> None:
    """R10: rq-scheduler's own cron made up to 361 runs of one daily line."""
    windows = {name: Window(day, day, ZoneInfo(name)) for name in ZONES}
    begin = min(window.start for window in windows.values()) - timedelta(minutes=20)
    clinics.at(begin)
    planned: dict[UUID, tuple[str, str]] = {}
    for name in ZONES:
        for line in (DAILY, QUARTERS_OF_THE_DAY, EACH_HALF_HOUR):
            practice_id, connection_id = clinics.opens(f"{name} {line}", name)
            clinics.plans(practice_id, line)
            planned[connection_id] = name, line
    end = max(window.end for window in windows.values()) + timedelta(minutes=15)
    while clinics.now < end:
        if clinics.ticks():
            clinics.all_done()
        clinics.forward(minutes=9)
    fired: dict[UUID, list[datetime]] = defaultdict(list)
    for run in clinics.runs():
        name, _ = planned[run.pms_connection_id]
        assert run.slot_utc is not None
        slot = run.slot_utc - offset_of(run.pms_connection_id, "cron:inbound")
        if windows[name].holds(slot):
            fired[run.pms_connection_id].append(slot)
    for connection_id, (name, line) in planned.items():
        slots = fired[connection_id]
        walls = [slot.astimezone(windows[name].zone).strftime("%H:%M") for slot in slots]
        if line == DAILY:
            assert walls == [RESUMES.get((day, name), "02:30")], name
        elif line == QUARTERS_OF_THE_DAY:
            assert walls == ["00:00", "06:00", "12:00", "18:00"], name
        else:
            assert len(slots) == 2 * HOURS[day, name], name
            steps = {later - earlier for earlier, later in itertools.pairwise(slots)}
            assert steps == {timedelta(minutes=30)}, name
    assert {row.missed_slots for connection in planned for row in clinics.rows(connection).values()} == {0}
