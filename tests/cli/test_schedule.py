"""`runsheet schedule …` and `practice timezone`: when a practice syncs, when it is open, what is free (E11, E22)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, select, text

from app import clock
from app.domain.window import day_of, zone_of
from app.store import catalogue, openings, practices, rows, runsheet
from app.store.models import Appointment, Clinician, RunSheet, SyncSchedule
from app.store.rows import Act, WalkIn
from tests.cli.conftest import Shell
from tests.jobs.living import ZONE, Practice


def free(shell: Shell, practice_id: object, day: object) -> Any:
    return shell("schedule", "slots", practice_id, "--day", day, "--json").json


def times(one: Any) -> list[str]:
    return [slot["local"][11:16] for slot in one["slots"]]


# --- when it syncs ----------------------------------------------------------------------------------------------------


@pytest.mark.feature("E11")
def test_a_line_is_set_shown_switched_off_and_told_as_json(practice: Practice, shell: Shell) -> None:
    told = shell("schedule", "set", practice.id, "--type", "inbound", "--cron", "0 6 * * *", "--json").json
    assert told["syncSchedules"] == [{"type": "inbound", "cron": "0 6 * * *", "enabled": True}]
    (row,) = [one for one in told["schedules"] if one["kind"] == "cron:inbound"]
    assert (row["when"], row["enabled"], row["reason"]) == ("0 6 * * *", True, None)
    due = datetime.fromisoformat(row["nextDueAt"]).astimezone(ZoneInfo(ZONE))
    assert (due.hour, due.minute < 5) == (6, True)
    shell("schedule", "set", practice.id, "--type", "inbound", "--cron", "30 7 * * 1-5", "--off", "--json")
    told = shell("schedule", "show", practice.id, "--json").json
    assert told["syncSchedules"] == [{"type": "inbound", "cron": "30 7 * * 1-5", "enabled": False}]
    (row,) = [one for one in told["schedules"] if one["kind"] == "cron:inbound"]
    assert (row["enabled"], row["nextDueAt"]) == (False, None)
    lines = shell("schedule", "show", practice.id).out.splitlines()
    assert lines[0] == f"Times of {ZONE}"
    assert any(line.startswith("cron:inbound") and " off " in line for line in lines)


@pytest.mark.fault("F61")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--type", "inbound", "--cron", "0 6 30 2 *"), "is not a cron line that ever comes due"),
        (("--type", "inbound", "--cron", "0 0 6 * * *"), "is not a cron line that ever comes due"),
        (("--type", "inbound", "--cron", "soon"), "is not a cron line that ever comes due"),
        (("--type", "divination", "--cron", "0 6 * * *"), "Use one of inbound, cases, reconciliation, discovery"),
        (("--type", "discovery", "--cron", "0 6 * * *"), "phase"),
        (("--type", "inbound"), "--cron"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_with_a_sentence(
    practice: Practice, shell: Shell, words: tuple[str, ...], says: str
) -> None:
    shell("schedule", "set", practice.id, *words).refuses(2, says)
    assert shell("schedule", "show", practice.id, "--json").json["syncSchedules"] == []


def test_nobodys_practice_and_a_practice_without_a_connection(shell: Shell, practice_id: str) -> None:
    shell("schedule", "show", uuid4()).refuses(2, "There is no practice")
    shell("schedule", "slots", uuid4(), "--day", "today").refuses(2, "There is no practice")
    shell("practice", "timezone", uuid4(), "Australia/Perth").refuses(2, "There is no practice")
    assert shell("schedule", "set", practice_id, "--type", "cases", "--cron", "0 6 * * *", "--json").code == 0
    told = shell("schedule", "show", practice_id, "--json").json
    assert (told["schedules"], told["problems"]) == ([], [])
    assert "no connection is live" in shell("schedule", "show", practice_id).out


def test_what_sql_left_there_is_told_where_it_is_shown(shell: Shell, practice: Practice) -> None:
    given = practice.id if practice.store.dialect == "postgresql" else practice.id.hex
    cast = "CAST(:value AS jsonb)" if practice.store.dialect == "postgresql" else ":value"
    with practice.store.write() as session:
        statement = f"UPDATE clinic_schedule_configs SET sync_schedules = {cast}, business_hours = {cast}"
        session.execute(text(f"{statement} WHERE practice_id = :id"), {"value": '["0 6 * * *"]', "id": given})
    told = shell("schedule", "show", practice.id, "--json").json
    assert [problem["position"] for problem in told["problems"]] == [1, 0]
    assert "Business hours are an object" in told["problems"][1]["reason"]
    shell("schedule", "slots", practice.id, "--day", "today").refuses(2, "Business hours are an object")
    assert shell("schedule", "hours", practice.id, "--day", "mon=9:00-10:00", "--json").json["hours"] == {
        "mon": [["09:00", "10:00"]]
    }


# --- a zone that is corrected -----------------------------------------------------------------------------------------


@pytest.mark.feature("E11")
@pytest.mark.fault("F47")
def test_a_zone_that_is_corrected_moves_slots_and_sheets_and_the_next_sync_agrees(
    practice: Practice, shell: Shell
) -> None:
    """Rows near midnight belong to another day now: those of the PMS, and those that nobody but us knows."""
    today = date.fromisoformat(practice.today)
    tomorrow = today + timedelta(days=1)
    practice.books(1, time="12:00")
    practice.books(1, time="00:30", day=tomorrow.isoformat())
    assert shell("sync", practice.connection_id, "--from", today, "--to", tomorrow, "--json").code == 0
    with practice.store.write() as session:
        clinician = session.scalars(select(Clinician).where(Clinician.practice_id == practice.id)).first()
        assert clinician is not None
        late = datetime.combine(tomorrow, datetime.min.time(), ZoneInfo(ZONE)).astimezone(UTC) + timedelta(minutes=45)
        walk_in = WalkIn(clinician.id, "Wendy Walkin", late, 15, None, None)
        person = practices.add_user(session, practices.get(session, practice.id), _somebody())
        rows.add_walk_in(session, practice.id, tomorrow, walk_in, act=Act(person.id, clock.now()))
    assert days(practice) == {today: 1, tomorrow: 2}
    shell("schedule", "set", practice.id, "--type", "inbound", "--cron", "0 6 * * *", "--json")
    before = slots(practice)
    assert shell("practice", "timezone", practice.id, "Australia/Perth", "--json").json["timezone"] == "Australia/Perth"
    assert days(practice) == {today: 3}
    after = slots(practice)
    for kind in ("nightly", "cron:inbound"):
        was = before[kind].next_due_at.astimezone(ZoneInfo(ZONE))
        is_ = after[kind].next_due_at.astimezone(zone_of("Australia/Perth"))
        assert (is_.hour, is_.minute, is_.second) == (was.hour, was.minute, was.second), kind
    assert set(before) == set(after)
    assert shell("sync", practice.connection_id, "--from", today, "--to", tomorrow, "--json").code == 0
    assert days(practice) == {today: 3}
    shell("practice", "timezone", practice.id, ZONE, "--json")
    assert days(practice) == {today: 1, tomorrow: 2}
    shell("practice", "timezone", practice.id, "Mars/Olympus").refuses(2, "is not a time zone we know")


def days(practice: Practice) -> dict[date, int]:
    """How many rows stand on each sheet that has any."""
    found: dict[date, int] = {}
    with practice.store.read() as session:
        for day in session.scalars(
            select(RunSheet.day)
            .join(Appointment, Appointment.run_sheet_id == RunSheet.id)
            .where(RunSheet.practice_id == practice.id)
        ):
            found[day] = found.get(day, 0) + 1
    return found


def slots(practice: Practice) -> dict[str, SyncSchedule]:
    with practice.store.read() as session:
        return {row.kind: row for row in session.scalars(select(SyncSchedule))}


def _somebody() -> practices.NewUser:
    return practices.NewUser("robin@example.com", "Robin", practices.role_of("receptionist"), "seven quiet herons")


# --- what is free -----------------------------------------------------------------------------------------------------


@pytest.fixture
def open_today(practice: Practice, shell: Shell) -> str:
    """From nine to ten on this weekday, in slots of a quarter of an hour, with two rooms. The weekday."""
    weekday = date.fromisoformat(practice.today).strftime("%a").lower()
    given = ("--day", f"{weekday}=9:00-10:00", "--slot", 15, "--room", "Room 1", "--room", "Room 2")
    told = shell("schedule", "hours", practice.id, *given, "--json").json
    assert told == {
        "hours": {weekday: [["09:00", "10:00"]]},
        "slotMinutes": 15,
        "rooms": ["Room 1", "Room 2"],
        "providers": None,
    }
    return weekday


@pytest.mark.feature("E22")
def test_what_the_pms_has_booked_is_taken_and_a_cancellation_frees_it(
    practice: Practice, shell: Shell, open_today: str
) -> None:
    before = free(shell, practice.id, "today")
    assert before["readAt"] is None
    assert "was never read from the PMS" in shell("schedule", "slots", practice.id, "--day", "today").out
    everybody = {one["id"] for one in before["providers"]}
    assert everybody
    assert {tuple(times(one)) for one in (*before["providers"], *before["rooms"])} == {
        ("09:00", "09:15", "09:30", "09:45")
    }
    (booked,) = practice.books(1, time="09:15", minutes=15)
    assert shell("sync", practice.connection_id, "--json").code == 0
    with practice.store.write() as session:
        row = session.scalars(select(Appointment).where(Appointment.pms_appointment_id == booked)).one()
        assert row.appointment_duration_minutes == 15
        session.get_one(Clinician, _clinician_of(practice)).room = "room 1"
    after = free(shell, practice.id, "today")
    assert after["readAt"] is not None
    assert {one["id"]: times(one) for one in after["providers"]} == {
        who: ["09:00", "09:30", "09:45"]
        if who == str(_clinician_of(practice))
        else ["09:00", "09:15", "09:30", "09:45"]
        for who in everybody
    }
    assert [times(one) for one in after["rooms"]] == [
        ["09:00", "09:30", "09:45"],
        ["09:00", "09:15", "09:30", "09:45"],
    ]
    assert practice.sandbox is not None
    practice.sandbox.control(f"appointments/{booked}/cancel")
    assert shell("sync", practice.connection_id, "--json").code == 0
    assert {tuple(times(one)) for one in free(shell, practice.id, "today")["providers"]} == {
        ("09:00", "09:15", "09:30", "09:45")
    }


def _clinician_of(practice: Practice) -> Any:
    with practice.store.read() as session:
        facts = runsheet.rows_of(session, practice.id, date.fromisoformat(practice.today))
    return facts[0].clinician_id


@pytest.mark.feature("E22")
def test_what_is_not_kept_here_is_told_because_its_time_may_be_taken(
    practice: Practice, shell: Shell, open_today: str
) -> None:
    practice.books(2, time="09:00")
    with practice.store.read() as session:
        last = str(catalogue.types_of(session, practice.connection_id)[-1].id)
    assert shell("types", "set", practice.connection_id, "--telehealth", last, "--json").code == 0
    assert shell("sync", practice.connection_id, "--json").code == 0
    assert practice.rows() == []
    assert free(shell, practice.id, "today")["notKept"] == 2
    assert "2 bookings of the PMS are not kept here" in shell("schedule", "slots", practice.id, "--day", "today").out


@pytest.mark.feature("E22")
@pytest.mark.parametrize(("day", "count"), [("2026-10-04", 23), ("2026-04-05", 25), ("2026-03-08", 24)])
def test_a_day_on_which_the_clocks_change_has_its_own_slots(
    shell: Shell, practice_id: str, day: str, count: int
) -> None:
    hours = shell("schedule", "hours", practice_id, "--day", "sun=0:00-24:00", "--slot", 60, "--room", "A", "--json")
    assert hours.code == 0
    (room,) = free(shell, practice_id, day)["rooms"]
    assert len(room["slots"]) == count
    assert len({slot["startsAt"] for slot in room["slots"]}) == count


def test_a_day_is_read_in_a_constant_number_of_statements(practice: Practice, shell: Shell, open_today: str) -> None:
    def counted() -> int:
        statements: list[str] = []

        def note(_: object, __: object, statement: str, *___: object) -> None:
            statements.append(statement)

        event.listen(practice.store.engine, "before_cursor_execute", note)
        with practice.store.read() as session:
            own = practices.get(session, practice.id)
            openings.free_on(session, own, day_of(clock.now(), zone_of(ZONE)))
        event.remove(practice.store.engine, "before_cursor_execute", note)
        return len(statements)

    first = counted()
    practice.books(12, time="09:00")
    assert shell("sync", practice.connection_id, "--json").code == 0
    assert len(practice.rows()) == 12
    assert counted() == first == 5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--day", "mon=17:00-9:00"), "ends before it begins"),
        (("--day", "mon"), "Give a day as"),
        (("--day", "someday=9:00-10:00"), "not a day of the week"),
        (("--slot", "3"), "from 5 to 240"),
        (("--room", " "), "room's name"),
        (("--provider", "3aef91c0-ff22-47e6-942d-182cb65cbf20"), "is not a clinician of this practice"),
    ],
)
def test_hours_that_cannot_be_are_refused_and_nothing_changes(
    shell: Shell, practice_id: str, words: tuple[str, ...], says: str
) -> None:
    before = shell("schedule", "hours", practice_id, "--json").json
    shell("schedule", "hours", practice_id, "--slot", 30, *words).refuses(2, says)
    assert shell("schedule", "hours", practice_id, "--json").json == before
