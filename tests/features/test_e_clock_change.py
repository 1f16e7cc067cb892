"""Appointments on the days on which clocks change, from the wire to the page (F44)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.window import Doubt, from_wall, zone_of
from app.store.db import Store
from app.store.models import Appointment
from app.store.models.sync import RunState
from tests.factories import Booking, Clinic
from tests.features.surgery import Surgery, surgery
from tests.sandbox.intakeq import Account
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sync.test_intakeq import Practice, practice
from tests.web.pages import Visit

__all__ = ["practice", "surgery"]
pytestmark = pytest.mark.fault("F44")
SPRING, AUTUMN = date(2026, 10, 4), date(2026, 4, 5)
#: (day, as it was sent, the instant, the doubt)
STARTS = [
    (AUTUMN, "2026-04-05T02:30:00.000+11:00", datetime(2026, 4, 4, 15, 30, tzinfo=UTC), None),
    (AUTUMN, "2026-04-05T02:30:00.000+10:00", datetime(2026, 4, 4, 16, 30, tzinfo=UTC), None),
    (AUTUMN, "2026-04-05T02:30:00.000", datetime(2026, 4, 4, 15, 30, tzinfo=UTC), "twice"),
    (AUTUMN, "2026-04-05T01:59:00.000", datetime(2026, 4, 4, 14, 59, tzinfo=UTC), None),
    (AUTUMN, "2026-04-05T03:00:00.000", datetime(2026, 4, 4, 17, 0, tzinfo=UTC), None),
    (SPRING, "2026-10-04T03:30:00.000+11:00", datetime(2026, 10, 3, 16, 30, tzinfo=UTC), None),
    (SPRING, "2026-10-04T02:30:00.000", datetime(2026, 10, 3, 16, 30, tzinfo=UTC), "skipped"),
    (SPRING, "2026-10-04T01:59:00.000", datetime(2026, 10, 3, 15, 59, tzinfo=UTC), None),
]


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def account(_empty: RunningSandbox) -> Account:
    return Account(_empty).fresh("2026-03-09T12:00:00+11:00")


@pytest.mark.parametrize(("day", "sent", "instant", "doubt"), STARTS)
def test_gentus_start_is_that_very_instant_or_says_that_it_may_be_another(
    surgery: Surgery, day: date, sent: str, instant: datetime, doubt: str | None
) -> None:
    (id_,) = surgery.books(day=day.isoformat())
    surgery.sandbox.control("raw", id=id_, fields={"startAt": sent, "endAt": None, "minutesDuration": 30})
    result = surgery.sync(day)
    assert result.state is RunState.SUCCESS
    row = surgery.row(id_)
    assert (row.starts_at, row.ends_at, row.time_doubt) == (instant, instant + timedelta(minutes=30), doubt)
    assert surgery.day_of(id_) == day
    told = next(one.facts for one in surgery.sheet(day).rows if one.facts.pms_appointment_id == id_)
    assert told.time_doubt == doubt
    assert surgery.sync(day).tallies[-1].unchanged == 1  # the doubt is part of the content: nothing is written anew


@pytest.mark.parametrize(("day", "sent", "instant", "doubt"), STARTS)
def test_intakeqs_wall_time_too_where_it_sends_nothing_better(
    practice: Practice, account: Account, day: date, sent: str, instant: datetime, doubt: str | None
) -> None:
    id_ = str(account.book(f"{day}T12:00:00+10:00")["Id"])
    drop = ["StartDate", "StartDateIso", "EndDate", "EndDateIso", "EndDateLocal"]
    account.control("raw", id=id_, drop=drop, fields={"StartDateLocal": sent, "Duration": 50})
    assert practice.sync(day).state is RunState.SUCCESS
    row = practice.house.row(id_)
    assert (row.starts_at, row.time_doubt) == (instant, doubt)
    assert row.ends_at == instant + timedelta(minutes=50)


def test_a_visit_is_as_long_as_it_lasts_and_a_vendor_who_adds_the_offset_ends_the_doubt(surgery: Surgery) -> None:
    over, wall = surgery.books(day=AUTUMN.isoformat(), count=2)

    def sends(id_: str, start: str, end: str) -> None:
        fields: dict[str, Any] = {"startAt": start, "endAt": end, "minutesDuration": None}
        surgery.sandbox.control("raw", id=id_, fields=fields)

    sends(over, "2026-04-05T01:30:00.000+11:00", "2026-04-05T03:30:00.000+10:00")
    sends(wall, "2026-04-05T02:15:00.000", "2026-04-05T02:45:00.000")
    surgery.sync(AUTUMN)
    assert surgery.row(over).appointment_duration_minutes == 180  # subtracting the clock's hands says two hours
    assert (surgery.row(wall).appointment_duration_minutes, surgery.row(wall).time_doubt) == (30, "twice")
    sends(wall, "2026-04-05T02:15:00.000+10:00", "2026-04-05T02:45:00.000+10:00")
    assert surgery.sync(AUTUMN).tallies[-1].updated == 1
    assert surgery.row(wall).time_doubt is None
    assert surgery.row(wall).starts_at == datetime(2026, 4, 4, 16, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("doubt", "words"),
    [
        ("twice", "this time comes twice, the earlier is shown"),
        ("skipped", "its time does not exist, a later one is shown"),
    ],
)
def test_staff_see_it_on_the_row_and_what_to_do_in_its_details(
    clinic: Clinic, reception: Visit, store: Store, doubt: str, words: str
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"), Booking("Tobias Achterberg", "9:50"))
    with store.write() as session:
        mine = Appointment.patient_name == "Ines Fennick", Appointment.practice_id == clinic.id
        session.execute(update(Appointment).where(*mine).values(time_doubt=doubt))
    page = reception.page("/run-sheet")
    assert words in page.row("Ines Fennick")
    assert words not in page.row("Tobias Achterberg")
    address = page.row_html("Ines Fennick").partition('href="')[2].partition('"')[0]
    assert "names a time without its offset on the day the clocks change" in reception.page(address)


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Australia/Adelaide", "America/Santiago", "Pacific/Chatham"])
@pytest.mark.parametrize("year", [2025, 2026])
def test_of_every_minute_of_a_year_each_wall_time_is_sure_skipped_or_there_twice(zone: str, year: int) -> None:
    """As many minutes are skipped as there are twice, by whatever the clocks change there."""
    where, met = zone_of(zone), dict.fromkeys((None, *Doubt), 0)
    wall = datetime(year, 1, 1)  # noqa: DTZ001 - wall times are what this is about
    while wall.year == year:
        instant, doubt = from_wall(wall, where)
        met[doubt] += 1
        back = instant.astimezone(where).replace(tzinfo=None)
        assert (back > wall) if doubt is Doubt.SKIPPED else (back == wall)
        wall += timedelta(minutes=15)
    assert met[Doubt.TWICE] == met[Doubt.SKIPPED] == (2 if zone.endswith("Howe") else 4)
