"""Sync now: answers at once, joins what runs, and ends with what changed (A09)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from app import clock
from app.config import Settings
from app.store import sync_runs
from app.store.models.sync import RunState
from app.sync.context import Progress
from app.wiring import engine
from tests.factories import elsewhere
from tests.web.pages import Page, Visit
from tests.web.world import World

_POLL = re.compile(r'hx-get="(/sync-now\?[^"]+)"')


def poll_of(html: str) -> str:
    """The address the fragment asks each second."""
    found = _POLL.search(html)
    assert found, html
    return unescape(found[1])


@pytest.mark.feature("A09")
def test_a_press_is_answered_at_once_and_the_run_is_followed_to_what_changed(world: World) -> None:
    world.lives()
    world.books("10:30")
    world.books("10:45")
    _age_runs(world)
    pressed = world.presses(day="today")
    assert re.search(r"Started \d\d:\d\d:\d\d\.", Page(pressed.text).text)
    assert 'hx-trigger="every 1s"' in pressed.text
    assert world.admin.get(poll_of(pressed.text), htmx=True).status_code == 204
    world.works()
    ended = world.admin.get(poll_of(pressed.text), htmx=True)
    assert ended.status_code == 286
    assert "2 new. 2 appointments read by" in Page(ended.text).text
    assert "success" not in ended.text
    assert "hx-trigger" not in ended.text
    assert ended.headers["HX-Trigger"] == "appointment-changed"


@pytest.mark.feature("A09")
def test_a_press_while_a_sync_runs_joins_it_and_shows_how_far_it_is(world: World) -> None:
    world.goes_live()
    run_id = world.runs[0].id
    with world.app.app_context():
        claim = engine().claim(run_id)
    assert claim is not None
    with world.store.write() as session:
        sync_runs.beat(session, claim, clock.now(), progress=Progress("inbound", 3, 8).as_json())
    pressed = world.presses()
    assert re.search(r"Joined the sync that runs since \d\d:\d\d:\d\d\.", Page(pressed.text).text)
    assert "Appointments: 3 of 8 parts." in Page(pressed.text).text
    assert re.search(r'<progress[^>]*max="8" value="3"', pressed.text)
    with world.store.write() as session:
        sync_runs.beat(session, claim, clock.now(), progress=Progress("inbound", 4, 8).as_json())
    moved = world.admin.get(poll_of(pressed.text), htmx=True)
    assert (moved.status_code, "4 of 8 parts" in moved.text) == (200, True)
    assert len(world.runs) == 1


@pytest.mark.feature("A09")
def test_a_second_press_joins_what_waits_and_one_right_after_the_end_gets_that_run(world: World) -> None:
    world.goes_live()
    assert re.search(r"Joined the sync that waits since \d\d:\d\d:\d\d\.", Page(world.presses().text).text)
    world.works()
    again = Page(world.presses().text)
    assert re.search(r"Just done, \d s ago\.", again.text)
    assert len(world.runs) == 1


@pytest.mark.feature("A09")
@pytest.mark.parametrize("role", ["receptionist", "clinician", "admin", "owner"])
def test_everybody_may_press_on_the_run_sheet_and_without_a_script_a_page_tells_how_it_goes(
    world: World, role: str
) -> None:
    world.lives()
    _age_runs(world)
    visit = world.visit(role)
    sheet = visit.page("/run-sheet")
    assert '<div id="sync-live" class="sync-live"></div>' in sheet.html
    assert 'hx-target="#sync-live"' in sheet.html
    today = world.clinic.today.isoformat()
    answer = visit.post("/sync-now", {"day": today})
    assert answer.status_code == 303
    page = visit.page(answer.headers["Location"])
    assert "Waits for a worker" in page
    assert "Look again" in page
    assert f'href="/run-sheet/{today}"' in page.html
    world.works()
    after = visit.page(answer.headers["Location"])
    assert "Nothing changed." in after
    assert "Look again" not in after


@pytest.mark.feature("A09")
def test_a_queue_that_is_away_is_said_and_loses_no_press(world: World, world_settings: Settings) -> None:
    world.lives()
    _age_runs(world)
    queue = world.app.extensions["runsheet.queue"]
    world.app.extensions["runsheet.queue"] = replace(queue, hasty=None)
    pressed = world.presses()
    assert "Waits: the queue is unreachable. It starts by itself when the queue is back." in Page(pressed.text)
    again = world.admin.get(poll_of(pressed.text).replace("seen=", "seen=older"), htmx=True)
    assert "Waits: the queue is unreachable." in Page(again.text)
    world.app.extensions["runsheet.queue"] = queue
    assert [run.state for run in world.works()] == [RunState.SUCCESS]


@pytest.mark.feature("A09")
def test_a_sync_that_fails_ends_with_what_happened_and_who_can_mend_it(world: World) -> None:
    world.lives()
    _age_runs(world)
    world.sandbox.break_("unprovisioned")
    pressed = world.presses()
    world.works()
    ended = world.admin.get(poll_of(pressed.text), htmx=True)
    assert ended.status_code == 286
    assert "Gentu has not finished setting our app up. Only the vendor can fix it" in Page(ended.text)


@pytest.mark.feature("A09")
def test_a_lost_run_is_followed_to_the_one_that_took_it_up(world: World) -> None:
    world.goes_live()
    first = world.runs[0]
    with world.app.app_context():
        assert engine().claim(first.id)
    pressed = world.presses()
    with world.store.write() as session:
        run = sync_runs.running_of(session, first.pms_connection_id)
        assert run is not None
        sync_runs.abandon(session, run, clock.now())
    waits = world.admin.get(poll_of(pressed.text), htmx=True)
    assert (waits.status_code, "Waits for a worker" in waits.text) == (200, True)
    world.works()
    assert world.admin.get(poll_of(pressed.text), htmx=True).status_code == 286


def test_with_no_connection_there_is_nothing_to_sync_and_it_says_so(world: World) -> None:
    pressed = world.presses()
    assert pressed.status_code == 422
    assert "No practice system is connected, so there is nothing to sync." in Page(pressed.text)
    whole = world.admin.post("/sync-now")
    assert (whole.status_code, "nothing to sync" in whole.text) == (422, True)


def test_a_day_that_is_none_is_refused_with_a_sentence(world: World) -> None:
    world.lives()
    pressed = world.presses(day="someday")
    assert pressed.status_code == 422
    assert "“someday” is not a day. Write it as 2026-03-09, or today or tomorrow." in Page(pressed.text)
    assert len(world.runs) == 1


def test_runs_and_connections_of_another_practice_are_not_there(world: World) -> None:
    world.goes_live()
    theirs = Visit(world.app, elsewhere(world.store).people["stranger"])
    assert theirs.post("/sync-now", {"connection": str(world.connection_id)}, htmx=True).status_code == 404
    assert theirs.get(f"/sync-now?run={world.runs[0].id}&seen=", htmx=True).status_code == 404
    assert theirs.get("/sync-now?run=nonsense", htmx=True).status_code == 404
    assert theirs.get("/sync-now", htmx=True).status_code == 404


def _age_runs(world: World) -> None:
    """The last sync is not a moment ago any more."""
    with world.store.write() as session:
        for run in world.runs:
            kept = session.get_one(type(run), run.id)
            kept.completed_at = clock.now() - timedelta(minutes=2)
