"""How a connection does, whose fault it is and what is due: A04, A05, A06, A12, A13, A14."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from app import clock
from app.store import connections, schedules
from app.store.db import Store
from app.store.models import Practice
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState
from tests.factories import Clinic
from tests.web.pages import Page, Visit
from tests.web.world import World


@pytest.fixture
def page(app: Flask, clinic: Clinic, owner: Visit) -> Visit:
    """The owner looks; the connection reads every quarter of an hour."""
    return owner


def told(clinic: Clinic, owner: Visit, **columns: object) -> tuple[Page, Page]:
    """The list, and the connection's own page."""
    clinic.connection(**columns)
    return owner.page("/connections"), owner.page(f"/connections/{clinic.connection_id}")


@pytest.mark.feature("A04")
@pytest.mark.parametrize(
    ("columns", "word", "action"),
    [
        ({}, "Healthy", "Sync now"),
        ({"state": ConnectionState.PAUSED}, "Paused", "Resume"),
        ({"last_sync_status": None, "last_sync_at": None, "last_good_at": None}, "First sync to come", ""),
        ({"last_sync_status": "partial", "last_sync_error": "some_failed"}, "Partly fresh", "Sync now"),
        ({"last_sync_status": "failed", "last_sync_error": "connect"}, "Heals itself", "Sync now"),
        ({"state": ConnectionState.NEEDS_ATTENTION, "state_reason": "forbidden"}, "Needs you", "Pair again"),
        ({"state": ConnectionState.NEEDS_ATTENTION, "state_reason": "auth_failed"}, "Needs you", "Test it"),
    ],
)
def test_a_connection_has_one_health_word_one_sentence_and_one_action(
    clinic: Clinic, owner: Visit, columns: dict[str, object], word: str, action: str
) -> None:
    index, own = told(clinic, owner, **columns)
    for page in (index, own):
        assert word in page
        assert page.html.count('class="told"') == 1
    pressed = index.html.split('class="conn-do"')[1].split("</li>")[0]
    assert action in Page(pressed).text
    assert pressed.count("<button") + pressed.count('class="btn') == (1 if action else 0)


@pytest.mark.feature("A04")
def test_a_connection_that_was_not_read_in_time_is_called_late(
    clinic: Clinic, owner: Visit, time: time_machine.Traveller
) -> None:
    time.shift(timedelta(minutes=31))
    owner = Visit(owner.app, clinic.people["owner"])
    assert "Late The last complete read was 31 min ago, longer than planned." in owner.page("/connections")


@pytest.mark.feature("A05")
@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"state": ConnectionState.NEEDS_ATTENTION, "state_reason": "auth_failed"}, "Access fault"),
        ({"state": ConnectionState.NEEDS_ATTENTION, "state_reason": "forbidden"}, "Access fault"),
        ({"state": ConnectionState.NEEDS_ATTENTION, "state_reason": "not_provisioned"}, "Access fault"),
        ({"last_sync_status": "failed", "last_sync_error": "bad_envelope"}, "Sync fault"),
        ({"last_sync_status": "partial", "last_sync_error": "quarantined"}, "Sync fault"),
    ],
)
def test_a_fault_of_the_credentials_is_told_apart_from_a_fault_of_the_sync(
    clinic: Clinic, owner: Visit, columns: dict[str, object], fault: str
) -> None:
    other = {"Access fault": "Sync fault", "Sync fault": "Access fault"}[fault]
    for page in told(clinic, owner, **columns):
        assert fault in page
        assert other not in page


@pytest.mark.feature("A05")
def test_credentials_the_pms_refuses_become_an_access_fault_and_an_outage_a_sync_fault(world: World) -> None:
    world.lives()
    world.sandbox.break_("envelope", path="/tenants")
    world.presses(connection=str(world.connection_id), day=(world.clinic.today + timedelta(days=3)).isoformat())
    world.works()
    assert "Sync fault" in world.page()
    world.sandbox.mend()
    world.sandbox.control(f"tenants/{world.sandbox.tenant_id}", access="disabled")
    world.presses(connection=str(world.connection_id), day=(world.clinic.today + timedelta(days=3)).isoformat())
    world.works()
    page = world.page()
    assert "Access fault" in page
    assert "Gentu no longer lets us read this practice." in page


@pytest.mark.feature("A06")
def test_what_heals_itself_is_told_apart_from_what_needs_a_person(clinic: Clinic, owner: Visit) -> None:
    for page in told(clinic, owner, last_sync_status="failed", last_sync_error="deadline"):
        assert "Heals itself" in page
        assert "It heals itself: the next sync tries again." in page
        assert "Needs you" not in page
    for page in told(clinic, owner, last_sync_status="failed", last_sync_error="refused"):
        assert "Needs you" in page
        assert "Whoever runs this Runsheet can fix it." in page
        assert "heals itself" not in page.text.lower()


@pytest.mark.feature("A06")
@pytest.mark.parametrize(("reason", "words"), [("some_failed", "Heals itself"), ("quarantined", "Needs a person")])
def test_also_a_partial_sync_says_whether_somebody_has_to_act(
    clinic: Clinic, owner: Visit, reason: str, words: str
) -> None:
    for page in told(clinic, owner, last_sync_status="partial", last_sync_error=reason):
        assert words in page


@pytest.mark.feature("A12")
def test_a_paused_connection_reads_nothing_until_it_is_resumed(clinic: Clinic, owner: Visit, store: Store) -> None:
    at = f"/connections/{clinic.connection_id}"
    assert owner.post(f"{at}/pause").status_code == 303
    page = owner.page(at)
    assert "Paused. The sheet keeps its rows and shows their age." in page
    assert "no next sync while it is paused" in page
    assert "Somebody paused this connection" in page
    with store.read() as session:
        assert schedules.due(session, clock.now() + timedelta(days=2)) == []
    pressed = owner.post("/sync-now", {"connection": str(clinic.connection_id)}, htmx=True)
    assert pressed.status_code == 422
    assert "This connection is paused. Resume it first, then it can sync." in Page(pressed.text)
    assert owner.post(f"{at}/resume").status_code == 303
    assert "Resumed. It reads again within half a minute." in owner.page(at)
    with store.read() as session:
        due = schedules.due(session, clock.now() + timedelta(days=2))
    assert {row.pms_connection_id for row, _, _ in due} == {clinic.connection_id}


@pytest.mark.feature("A12")
def test_pausing_twice_says_why_it_cannot_be(clinic: Clinic, owner: Visit) -> None:
    at = f"/connections/{clinic.connection_id}"
    owner.post(f"{at}/pause")
    owner.post(f"{at}/pause")
    assert "Only a connection that syncs can be paused." in owner.page(at)


@pytest.mark.feature("A13")
def test_how_often_it_reads_is_shown_changed_and_in_force_at_the_next_tick(
    clinic: Clinic, owner: Visit, store: Store
) -> None:
    at = f"/connections/{clinic.connection_id}"
    assert "every 15 minutes" in owner.page(at)
    with store.write() as session:
        practice = session.get_one(Practice, clinic.id)
        for row, _, _ in schedules.due(session, clock.now()):
            schedules.advance(row, practice, clock.now())
    assert owner.post(f"{at}/frequency", {"minutes": "3"}).status_code == 303
    page = owner.page(at)
    assert "It reads every 3 minutes from now on." in page
    assert "every 3 minutes" in page
    with store.read() as session:
        assert schedules.due(session, clock.now() + timedelta(minutes=2)) == []
        assert len(schedules.due(session, clock.now() + timedelta(minutes=3))) == 1


@pytest.mark.feature("A13")
@pytest.mark.parametrize("typed", ["", "0", "1441", "soon", "-5", "2.5", "٣"])
def test_a_frequency_that_cannot_be_is_said_beside_the_field_and_kept_as_typed(
    clinic: Clinic, owner: Visit, typed: str
) -> None:
    at = f"/connections/{clinic.connection_id}"
    answer = owner.post(f"{at}/frequency", {"minutes": typed})
    assert answer.status_code == 422
    assert "Minutes are a whole number from 1 to 1440 (a day). Type such a number." in Page(answer.text)
    assert f'value="{typed}"' in answer.text
    assert "every 15 minutes" in owner.page(at)


@pytest.mark.feature("A14")
def test_the_next_run_is_shown_in_the_practices_time(clinic: Clinic, owner: Visit, store: Store) -> None:
    with store.write() as session:
        practice = session.get_one(Practice, clinic.id)
        for row, _, _ in schedules.due(session, clock.now()):
            schedules.advance(row, practice, clock.now())
    for page in (owner.page("/connections"), owner.page(f"/connections/{clinic.connection_id}")):
        assert "ast sync 09:42, complete · next sync 09:57 · every 15 minutes" in page


@pytest.mark.feature("A14")
def test_a_connection_that_waits_for_a_person_has_no_next_run(clinic: Clinic, owner: Visit) -> None:
    clinic.sick("auth_failed")
    assert "no next sync until this is mended" in owner.page("/connections")


def test_the_pages_follow_by_themselves_when_a_watched_sync_has_ended(world: World) -> None:
    """The parts that htmx fetches again, with an address that never keeps a sign-in alive."""
    world.goes_live()
    for path, part in ((world.at(), 'id="body"'), ("/connections", 'id="list"')):
        whole = world.admin.page(path).html
        assert f'hx-get="{path}?seen=ended" hx-trigger="appointment-changed from:body"' in whole
        fragment = world.admin.get(f"{path}?seen=ended", htmx=True)
        assert (fragment.status_code, part in fragment.text, "<html" in fragment.text) == (200, True, False)


def test_a_practice_without_a_connection_is_led_to_the_wizard(world: World) -> None:
    page = world.admin.page("/connections")
    assert "No practice system is connected" in page
    assert 'href="/connections/new"' in page.html


def test_simulated_data_carries_its_band(world: World) -> None:
    world.goes_live()
    for page in (world.admin.page("/connections"), world.page()):
        assert "Simulated data: a simulator" in page


def test_what_waits_is_called_off_by_a_pause(world: World) -> None:
    world.goes_live()
    world.admin.post(world.at("/pause"))
    assert [run.state for run in world.runs] == [RunState.CANCELLED]
    assert "called off" in world.page()


def test_resuming_takes_a_connection_out_of_attention(clinic: Clinic, owner: Visit, store: Store) -> None:
    clinic.sick("auth_failed")
    owner.post(f"/connections/{clinic.connection_id}/resume")
    with store.read() as session:
        assert clinic.connection_id
        assert connections.get(session, clinic.connection_id).state == ConnectionState.ACTIVE
