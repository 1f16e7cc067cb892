"""M03, A20: what vanished, as people see it, and removals that wait for one of them; against the simulated Gentu."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from app import clock
from app.store import sync_runs
from app.store.models import Appointment, AppointmentEvent, RemovalHold, SyncRun
from app.store.models.sync import RunState, Trigger
from app.store.sync_runs import Ask
from tests.fakes.house import EVERY_PHASE
from tests.web.pages import Page
from tests.web.world import World

HELD = "/held-removals"
NAMES = ("Ash", "Beech", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel")
ROWS = len(NAMES)


def patient(family: str) -> dict[str, str]:
    return {"family": family, "given": "Ivo"}


def a_morning(world: World) -> list[str]:
    """Eight video visits of today, on the sheet. Late in the day, so that none of them is over."""
    ids = [world.books(f"23:{10 + 5 * n}", patient=patient(name)) for n, name in enumerate(NAMES)]
    world.lives()
    assert len(world.sheet.names) == ROWS
    return ids


def syncs(world: World) -> SyncRun:
    assert world.connection_id is not None
    with world.store.write() as session:
        ask = Ask(
            world.clinic.id, world.connection_id, EVERY_PHASE, world.clinic.today, world.clinic.today, Trigger.SCHEDULE
        )
        sync_runs.request(session, ask, clock.now())
    (run,) = world.works()
    return run


def delete(world: World, *ids: str) -> None:
    for id_ in ids:
        world.sandbox.control(f"appointments/{id_}/delete")


def vanish(world: World, ids: list[str]) -> UUID:
    """Six of the eight are gone, and held."""
    delete(world, *ids[:6])
    run = syncs(world)
    assert (run.state, run.reason) == (RunState.PARTIAL, "removal_held")
    return hold_of(world).id


def hold_of(world: World) -> RemovalHold:
    with world.store.read() as session:
        mine = select(RemovalHold).where(RemovalHold.practice_id == world.clinic.id)
        return session.scalars(mine.order_by(RemovalHold.opened_at.desc()).limit(1)).one()


def struck(world: World) -> set[str]:
    """Who is struck through on the sheet, as a receptionist sees it."""
    page = world.visit("receptionist").page("/run-sheet")
    return {name for name in page.names if "is-off" in page.row_html(name)}


@pytest.mark.feature("M03")
@pytest.mark.feature("A20")
def test_a_deleted_appointment_stays_struck_through_with_the_time_and_counts_for_nothing(world: World) -> None:
    ids = a_morning(world)
    before = world.sheet
    assert "Booked 8" in before
    stamp = before.stamp
    delete(world, ids[0])
    run = syncs(world)
    page = world.visit("receptionist").page("/run-sheet")
    assert page.stamp != stamp
    assert len(page.names) == ROWS
    assert re.search(r"removed from Gentu \d\d:\d\d", page.row("Ivo Ash"))
    assert struck(world) == {"Ivo Ash"}
    assert 'name="status"' not in page.row_html("Ivo Ash"), "nothing more can be done with it"
    assert "Booked 7" in page
    assert "0 of 7 done" in page
    shown = world.admin.page(f"/sync-history/{run.id}")
    assert "1 removed" in shown
    assert ids[0] in shown.html
    row = re.search(r'href="(/appointments/[^"]+)" data-panel', page.row_html("Ivo Ash"))
    assert row
    assert "Gentu does not have it any more: removed" in world.visit("receptionist").page(row[1])


@pytest.mark.feature("M03")
def test_a_patient_who_waits_is_not_folded_away_with_the_row_that_vanished(world: World) -> None:
    ids = a_morning(world)
    front = world.visit("receptionist")
    page = front.page("/run-sheet")
    found = re.search(r'id="r-([0-9a-f-]{36})"', page.row_html("Ivo Ash"))
    assert found
    front.post(f"/appointments/{found[1]}/status", {"status": "arrived", "version": "1"})
    delete(world, ids[0])
    syncs(world)
    page = front.page("/run-sheet")
    row = page.row("Ivo Ash")
    assert "Waiting" in row or "Arrived" in row
    assert "removed from Gentu" in row
    assert "1 waiting" not in page
    refused = front.post(f"/appointments/{found[1]}/status", {"status": "in_progress", "version": "2"})
    assert refused.status_code == 404


@pytest.mark.feature("M03")
@pytest.mark.fault("F17")
def test_much_of_a_day_at_once_is_told_to_the_desk_and_decided_by_an_admin(world: World) -> None:
    ids = a_morning(world)
    vanish(world, ids)
    told = world.visit("receptionist").page("/run-sheet")
    assert re.search(r"6 appointments vanished from Gentu at \d\d:\d\d", told.text)
    assert "They stay until somebody looks: an admin keeps or removes them." in told
    assert HELD not in told.html
    assert struck(world) == set()
    assert world.visit("receptionist").get(HELD).status_code == 403
    assert f'href="{HELD}"' in world.sheet.html
    page = world.admin.page(HELD)
    assert "6 of 8 appointments vanished from Gentu" in page
    assert page.text.count("Gentu does not know it any more") == 6
    for name in ("Ivo Ash", "Ivo Fir"):
        assert name in page
    assert "Ivo Hazel" not in page
    assert "1 day of which much vanished at once" in world.page()
    run = world.admin.page(f"/sync-history/{world.runs[0].id}")
    assert "6 of 8 vanished. Waits for somebody to look." in run


@pytest.mark.feature("M03")
@pytest.mark.promise("P7")
def test_released_they_are_struck_through_and_one_click_takes_it_back_exactly(world: World) -> None:
    ids = a_morning(world)
    hold = vanish(world, ids)
    before = [(row.pms_appointment_id, row.fingerprint, row.staff_status, row.hidden_cause) for row in rows_of(world)]
    answer = world.admin.post(f"{HELD}/{hold}/release")
    assert answer.status_code == 303
    page = world.admin.page(HELD)
    assert "6 appointments removed." in page
    assert "Nothing is held" in page
    assert len(struck(world)) == 6
    assert "vanished from Gentu at" not in world.sheet
    with world.store.read() as session:
        told = session.scalars(select(AppointmentEvent).where(AppointmentEvent.kind == "rules")).all()
    assert {event.user_id for event in told} == {world.clinic.people["admin"].id}
    assert syncs(world).state == RunState.SUCCESS
    assert world.admin.post(f"{HELD}/{hold}/undo").status_code == 303
    assert "6 appointments stand again." in world.admin.page(HELD)
    assert struck(world) == set()
    after = [(row.pms_appointment_id, row.fingerprint, row.staff_status, row.hidden_cause) for row in rows_of(world)]
    assert after == before
    assert hold_of(world).state == "open"


@pytest.mark.feature("M03")
def test_kept_they_stay_and_the_syncs_after_it_are_well(world: World) -> None:
    ids = a_morning(world)
    hold = vanish(world, ids)
    assert world.admin.post(f"{HELD}/{hold}/keep").status_code == 303
    assert "kept them at" in world.admin.page(HELD)
    assert "vanished from Gentu at" not in world.sheet
    assert syncs(world).state == RunState.SUCCESS
    assert struck(world) == set()
    assert world.admin.post(f"{HELD}/{hold}/release").status_code == 303, "somebody thinks again"
    assert len(struck(world)) == 6


@pytest.mark.feature("M03")
def test_the_next_good_reply_settles_it_and_there_is_nothing_left_to_press(world: World) -> None:
    a_morning(world)
    world.sandbox.break_("empty_list")
    assert syncs(world).reason == "removal_held"
    hold = hold_of(world).id
    world.sandbox.mend()
    assert syncs(world).state == RunState.SUCCESS
    assert "vanished from Gentu at" not in world.sheet
    assert "Gentu brought them again" in world.admin.page(HELD)
    for press in ("release", "keep", "undo"):
        assert world.admin.post(f"{HELD}/{hold}/{press}").status_code == 409
    assert struck(world) == set()


@pytest.mark.feature("M03")
def test_rows_that_came_back_meanwhile_are_left_alone_and_an_older_decision_cannot_be_undone(world: World) -> None:
    ids = a_morning(world)
    first = vanish(world, ids)
    world.admin.post(f"{HELD}/{first}/release")
    for id_, name in zip(ids[:6], NAMES, strict=False):
        world.books("23:30", id=id_, patient=patient(name))
    syncs(world)
    assert struck(world) == set(), "what comes back is revived"
    second = vanish(world, ids)
    assert second != first
    assert world.admin.post(f"{HELD}/{first}/undo").status_code == 409
    world.books("23:40", id=ids[0], patient=patient("Ash"))
    syncs(world)
    assert world.admin.post(f"{HELD}/{second}/release").status_code == 303
    assert len(struck(world)) == 5


@pytest.mark.feature("M03")
@pytest.mark.security("X14")
def test_another_practice_s_hold_does_not_exist(world: World) -> None:
    ids = a_morning(world)
    hold = vanish(world, ids)
    far = World(world.app, world.sandbox, "Ironbark Street Clinic")
    assert "Ivo" not in far.admin.page(HELD)
    for press in ("release", "keep", "undo"):
        unknown = far.admin.post(f"{HELD}/{uuid4()}/{press}")
        answer = far.admin.post(f"{HELD}/{hold}/{press}")
        assert (answer.status_code, unknown.status_code) == (404, 404)
    assert hold_of(world).state == "open"
    assert "Nothing is held" in Page(far.admin.get(HELD).text)


def rows_of(world: World) -> list[Appointment]:
    with world.store.read() as session:
        mine = select(Appointment).where(Appointment.practice_id == world.clinic.id)
        return list(session.scalars(mine.order_by(Appointment.pms_appointment_id)))
