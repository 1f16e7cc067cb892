"""E11: a practice's own cron lines become runs, in its zone, whoever wrote them and however."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from app.errors import InvalidInput
from app.store import connections, practices
from app.store.models import PmsConnection, SyncSchedule
from app.store.models.sync import Trigger
from tests.jobs.clinics import Clinics

MELBOURNE, PERTH = ZoneInfo("Australia/Melbourne"), ZoneInfo("Australia/Perth")
#: Half past five in the morning in Melbourne.
EARLY = datetime(2026, 3, 9, 5, 30, tzinfo=MELBOURNE).astimezone(UTC)
#: Beyond the longest spreading of a slot.
SPREAD = timedelta(minutes=5)


def local(when: datetime, zone: ZoneInfo = MELBOURNE) -> str:
    return when.astimezone(zone).strftime("%a %H:%M")


@pytest.mark.feature("E11")
def test_a_line_becomes_a_run_of_its_phase_at_its_local_time(clinics: Clinics) -> None:
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    clinics.plans(practice_id, "0 6 * * *")
    clinics.at(EARLY + timedelta(minutes=29))
    assert clinics.ticks() == 0
    clinics.at(EARLY + timedelta(minutes=30) + SPREAD)
    assert clinics.ticks() == 1
    assert clinics.ticks() == 0
    (run,) = clinics.runs(connection_id)
    assert (run.phases, run.trigger) == (["inbound"], Trigger.SCHEDULE)
    assert (run.window_from.isoformat(), run.window_to.isoformat()) == ("2026-03-09", "2026-03-16")
    row = clinics.rows(connection_id)["cron:inbound"]
    assert local(row.next_due_at)[:6] == "Tue 06"
    assert row.last_local == "2026-03-09T06:00"


@pytest.mark.feature("E11")
def test_what_the_documents_write_by_sql_is_followed_at_the_next_tick(clinics: Clinics) -> None:
    """Also a second time, where the text differs and the lines do not; and taken away again."""
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    assert clinics.ticks() == 0
    lines = [
        {"type": "inbound", "cron": "0 6 * * *", "enabled": True},
        {"type": "inbound", "cron": "0 18 * * 1-5", "enabled": False},
    ]
    clinics.by_sql(practice_id, json.dumps(lines, indent=2))
    clinics.ticks()
    rows = clinics.rows(connection_id)
    assert {kind: (row.cron, row.enabled) for kind, row in rows.items()} == {
        "cron:inbound": ("0 6 * * *", True),
        "cron:inbound:2": ("0 18 * * 1-5", False),
    }
    clinics.by_sql(practice_id, json.dumps(lines))
    clinics.ticks()
    assert {row.id for row in clinics.rows(connection_id).values()} == {row.id for row in rows.values()}
    lines[0]["cron"] = "45 5 * * *"
    clinics.by_sql(practice_id, json.dumps(lines[:1]))
    clinics.ticks()
    clinics.at(EARLY + timedelta(minutes=15) + SPREAD)
    clinics.ticks()
    assert len(clinics.runs(connection_id)) == 1
    assert set(clinics.rows(connection_id)) == {"cron:inbound"}
    clinics.by_sql(practice_id, "[]")
    clinics.ticks()
    assert clinics.rows(connection_id) == {}


@pytest.mark.feature("E11")
def test_an_edit_here_acts_at_once(clinics: Clinics) -> None:
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    clinics.plans(practice_id, "0 6 * * *")
    assert local(clinics.rows(connection_id)["cron:inbound"].next_due_at)[:6] == "Mon 06"
    clinics.plans(practice_id, "0 7 * * *")
    assert local(clinics.rows(connection_id)["cron:inbound"].next_due_at)[:6] == "Mon 07"
    clinics.plans(practice_id, "0 7 * * *", on=False)
    clinics.forward(hours=3)
    assert clinics.ticks() == 0
    clinics.plans(practice_id, "0 7 * * *")  # what it missed while it was off is not made up
    assert clinics.ticks() == 0
    assert local(clinics.rows(connection_id)["cron:inbound"].next_due_at)[:6] == "Tue 07"


@pytest.mark.feature("E11")
def test_a_practices_lines_are_its_own_and_each_of_its_connections_follows(clinics: Clinics) -> None:
    clinics.at(EARLY)
    mine, _ = clinics.opens("Mine", connected=3)
    _, stranger = clinics.opens("Stranger")
    clinics.plans(mine, "0 6 * * *")
    clinics.at(EARLY + timedelta(minutes=30) + SPREAD)
    assert clinics.ticks() == 3
    assert {run.practice_id for run in clinics.runs()} == {mine}
    assert clinics.rows(stranger) == {}


@pytest.mark.feature("E11")
def test_a_connection_that_goes_live_later_gets_the_lines_too(clinics: Clinics) -> None:
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    clinics.plans(practice_id, "0 6 * * *")
    with clinics.store.write() as session:
        session.execute(update(PmsConnection).values(state="disconnected"))
    clinics.ticks()
    with clinics.store.write() as session:
        session.execute(update(SyncSchedule).values(enabled=False))
        made = connections.get(session, connection_id)
        connections.activate(session, made, practices.get(session, practice_id), clinics.now)
    clinics.ticks()
    assert clinics.rows(connection_id)["cron:inbound"].enabled


@pytest.mark.fault("F61")
def test_a_phase_that_nothing_serves_is_told_and_refused_at_a_save(clinics: Clinics) -> None:
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    for type_ in ("cases", "discovery"):
        with pytest.raises(InvalidInput, match=r"phase"):
            clinics.plans(practice_id, "0 6 * * *", type_)
    lines = [{"type": "discovery", "cron": "0 3 * * *"}, {"type": "inbound", "cron": "0 6 * * *"}]
    clinics.by_sql(practice_id, json.dumps(lines))
    clinics.ticks()
    clinics.at(EARLY + timedelta(minutes=30) + SPREAD)
    assert clinics.ticks() == 1
    row = clinics.rows(connection_id)["cron:discovery"]
    assert row.enabled is False
    assert "discovery" in str(row.off_reason)


BAD = {
    "30 February": '[{"type": "inbound", "cron": "0 6 30 2 *"}]',
    "six fields": '[{"type": "inbound", "cron": "* * * * * *"}]',
    "no cron": '[{"type": "inbound"}]',
    "no type": '[{"type": "divination", "cron": "0 6 * * *"}]',
    "no list": '{"type": "inbound", "cron": "0 6 * * *"}',
    "no object": '["0 6 * * *"]',
    "no JSON": '[{"type": "inbound"',
}


@pytest.mark.fault("F61")
@pytest.mark.feature("E11")
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_line_by_sql_is_told_and_the_others_fire(clinics: Clinics, bad: str) -> None:
    """Of the same practice, and of another one."""
    if bad == "no JSON" and clinics.store.dialect == "postgresql":
        pytest.skip("jsonb takes nothing else")
    clinics.at(EARLY)
    spoiled, connection_id = clinics.opens("Spoiled")
    sound, other = clinics.opens("Sound")
    clinics.plans(sound, "0 6 * * *")
    value = BAD[bad]
    if value.startswith("[") and bad != "no JSON":
        value = f'[{value[1:-1]}, {{"type": "inbound", "cron": "0 6 * * *"}}]'
    clinics.by_sql(spoiled, value)
    clinics.ticks()
    clinics.at(EARLY + timedelta(minutes=30) + SPREAD)
    clinics.ticks()
    (problem,) = clinics.problems(spoiled)
    assert problem["reason"].endswith(".")
    fired = {run.pms_connection_id for run in clinics.runs()}
    expected_too = bad not in ("no list", "no JSON")
    assert fired == ({other, connection_id} if expected_too else {other})


@pytest.mark.fault("F61")
def test_a_zone_nobody_knows_stops_that_practice_alone_until_it_is_mended(clinics: Clinics) -> None:
    clinics.at(EARLY)
    spoiled, connection_id = clinics.opens("Spoiled")
    sound, other = clinics.opens("Sound")
    for practice_id in (spoiled, sound):
        clinics.plans(practice_id, "0 6 * * *")
    clinics.zone_by_sql(spoiled, "Mars/Olympus")
    clinics.at(EARLY + timedelta(minutes=30) + SPREAD)
    clinics.ticks()
    assert {run.pms_connection_id for run in clinics.runs()} == {other}
    (problem,) = clinics.problems(spoiled)
    assert "“Mars/Olympus” is not a time zone we know" in problem["reason"]
    row = clinics.rows(connection_id)["cron:inbound"]
    assert (row.enabled, "Mars/Olympus" in str(row.off_reason)) == (False, True)
    clinics.zone_by_sql(spoiled, "Australia/Melbourne")
    clinics.ticks()
    assert clinics.problems(spoiled) == []
    row = clinics.rows(connection_id)["cron:inbound"]
    assert (row.enabled, row.off_reason) == (True, None)
    clinics.forward(days=1)
    clinics.ticks()
    assert {run.pms_connection_id for run in clinics.runs()} == {other, connection_id}


@pytest.mark.promise("P19")
def test_three_hours_of_silence_are_caught_up_by_one_run_of_a_cron_line(clinics: Clinics) -> None:
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    clinics.plans(practice_id, "*/30 * * * *")
    clinics.forward(minutes=1)
    clinics.ticks()
    clinics.all_done()
    before = len(clinics.runs())
    row = clinics.rows(connection_id)["cron:inbound"]
    clinics.at(row.next_due_at + timedelta(hours=3))
    assert clinics.ticks() == 1
    assert clinics.ticks() == 0
    assert len(clinics.runs()) == before + 1
    after = clinics.rows(connection_id)["cron:inbound"]
    assert after.missed_slots - row.missed_slots == 6
    assert after.next_due_at - row.next_due_at == timedelta(hours=3, minutes=30)


@pytest.mark.fault("F46")
@pytest.mark.parametrize("hours", [1, -1, 25, -25])
def test_a_clock_that_jumps_and_is_set_right_fires_no_slot_of_a_line_twice(clinics: Clinics, hours: int) -> None:
    clinics.at(EARLY)
    practice_id, connection_id = clinics.opens("Banksia Ridge")
    clinics.plans(practice_id, "0 6 * * *")
    for _ in range(24):
        clinics.ticks()
        clinics.all_done()
        clinics.forward(minutes=53)
        real = clinics.now
        clinics.at(real + timedelta(hours=hours))
        clinics.ticks()
        clinics.all_done()
        clinics.at(real)
    slots = [run.slot_utc.astimezone(MELBOURNE).date() for run in clinics.runs(connection_id)]
    assert len(slots) == len(set(slots)) >= 1


@pytest.mark.fault("F62")
def test_a_thousand_lines_of_six_o_clock_are_spread_over_five_minutes_each_always_by_the_same(
    clinics: Clinics,
) -> None:
    clinics.at(EARLY)
    practice_id, _ = clinics.opens("Banksia Ridge", connected=0)
    with clinics.store.write() as session:
        same = {"practice_id": practice_id, "pms_type": "gentu", "display_name": "Gentu", "environment": "simulator"}
        session.add_all(PmsConnection(id=uuid4(), state="active", **same) for _ in range(1000))
    clinics.plans(practice_id, "0 6 * * *")
    six = EARLY + timedelta(minutes=30)

    def offsets() -> dict[object, timedelta]:
        with clinics.store.read() as session:
            rows = session.scalars(select(SyncSchedule).where(SyncSchedule.kind == "cron:inbound")).all()
        return {row.pms_connection_id: row.next_due_at - six for row in rows}

    first = offsets()
    assert len(first) == 1000
    assert all(timedelta(0) <= offset <= SPREAD for offset in first.values())
    halves = [offset // timedelta(seconds=30) for offset in first.values()]
    assert max(halves.count(half) for half in set(halves)) < 200  # evenly it would be a hundred in each half minute
    clinics.plans(practice_id, "0 5 * * *")
    clinics.plans(practice_id, "0 6 * * *")
    assert offsets() == first
