"""The diary of syncs: outcome, counts and duration (A15), partial outcomes (A16), who started it (A17)."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from app import clock
from app.store import sync_runs
from app.store.models import QuarantinedRecord
from app.store.models.sync import RunState
from app.wiring import engine
from tests.web.pages import Page, Visit
from tests.web.world import World

COUNTS = ("Read", "New", "Changed", "As it was", "Not shown", "Unreadable", "Removed")


def counts_of(page: Page, phase: str) -> dict[str, int]:
    """One line of the table of a run's page."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', page.html, re.S)
    cells = next(cells for name, cells in rows if phase in unescape(name))
    numbers = [int(number) for number in re.findall(r"<td>(\d+)</td>", cells)]
    return dict(zip(COUNTS, numbers, strict=True))


def run_page(world: World, index: int = 0, visit: Visit | None = None) -> Page:
    return (visit or world.admin).page(f"/sync-history/{world.runs[index].id}")


@pytest.mark.feature("A15")
def test_a_run_shows_its_outcome_its_counts_that_add_up_and_how_long_it_took(world: World) -> None:
    world.books("10:30")
    world.books("10:45")
    world.books("11:00", "Procedure")
    world.books("11:30", block=True)
    world.lives()
    page = run_page(world)
    assert "complete" in page
    counted = counts_of(page, "Appointments")
    assert counted == {
        "Read": 4, "New": 2, "Changed": 0, "As it was": 0, "Not shown": 2, "Unreadable": 0, "Removed": 0
    }  # fmt: skip
    assert counted["Read"] == sum(counted[name] for name in COUNTS[1:6])
    assert "Appointments, not shown: 1 not telehealth, 1 without a patient." in page
    assert re.search(r"2 new · \d+\.\d s", page.text)
    assert "2 new 4 read: 2 new, 2 not shown (1 not telehealth, 1 without a patient)" in world.page()
    line = world.admin.page("/sync-history")
    assert re.search(r"complete 2 new 4 read Admin Ash paired it \d+\.\d s", line.text)


@pytest.mark.feature("A15")
def test_a_failed_run_says_in_four_sentences_why_and_who_can_mend_it(world: World) -> None:
    world.goes_live()
    world.sandbox.break_("unprovisioned")
    world.works()
    page = run_page(world)
    for sentence in (
        "What happened Gentu has not finished setting our app up.",
        "What it means No appointment can be read until it has.",
        "Who can mend it Only the vendor can fix it: ask its partner support to finish the provisioning.",
        "Heals itself No, somebody has to act",
    ):
        assert sentence in page
    assert "failed" in page
    assert "failed" in world.admin.page("/sync-history?outcome=failed")


@pytest.mark.feature("A15")
def test_the_history_is_filtered_by_connection_and_outcome_and_paged(world: World) -> None:
    world.lives()
    _copies(world, 85)
    first = world.admin.page("/sync-history")
    assert first.html.count('class="run-what"') == 40
    assert "Older" in first
    third = world.admin.page("/sync-history?page=3")
    assert third.html.count('class="run-what"') == 6
    assert "Newer" in third
    assert "Older" not in third
    assert "No sync like that" in world.admin.page("/sync-history?outcome=failed")
    assert "No sync like that" in world.admin.page("/sync-history?page=99")
    own = world.admin.page(f"/sync-history?connection={world.connection_id}&outcome=success&page=2")
    assert own.html.count('class="run-what"') == 40
    newer = re.search(r'href="([^"]+)">‹ Newer', own.html)
    assert newer
    assert f"connection={world.connection_id}" in newer[1]
    assert "outcome=success" in newer[1]


@pytest.mark.feature("A16")
def test_a_partial_run_names_the_practitioners_that_could_not_be_read_and_why(world: World) -> None:
    smith, jones = world.practitioner("Smith"), world.practitioner("Jones")
    world.books("10:30", practitioner_id=smith)
    world.books("10:45", practitioner_id=jones)
    world.goes_live()
    world.sandbox.break_("envelope", path="/tenants/*/appointments", query=f"practitionerId={jones}")
    world.works()
    page = run_page(world)
    assert "partial" in page
    assert "Dr Sarah Jones. Gentu answered with something that is not a list of appointments." in page
    assert "Dr John Smith." not in page
    assert counts_of(page, "Appointments")["New"] == 1
    assert "Appointments not complete" in page
    line = world.admin.page("/sync-history?outcome=partial")
    assert "1 new Part of Gentu could be read and part could not." in line
    own = world.page()
    assert "Partly fresh" in own
    assert "Part of Gentu could be read and part could not. Not read: Dr Sarah Jones." in own


@pytest.mark.feature("A16")
def test_a_record_that_cannot_be_read_is_named_by_id_path_and_reason_and_never_shown(world: World) -> None:
    patient = {"family": "Fennick", "given": "Ines", "phone": "0491 570 006"}
    good, bad = world.books("10:30"), world.books("10:45", patient=patient)
    world.sandbox.control("raw", id=bad, fields={"startAt": "quarter to eleven"})
    world.lives()
    page = run_page(world)
    assert counts_of(page, "Appointments")["Unreadable"] == 1
    with world.store.read() as session:
        kept = session.query(QuarantinedRecord).one()
    assert f"{bad} {kept.path} {kept.reason}" in page
    for secret in ("quarter to eleven", "Fennick", "0491 570", kept.payload, good):
        assert secret not in page.html
    told = run_page(world, visit=world.visit("receptionist"))
    assert "1 set aside. An admin can see which." in told
    assert bad not in told.html
    assert "1 record could not be read" in world.page()


@pytest.mark.feature("A17")
def test_every_run_says_who_or_what_started_it(world: World) -> None:
    world.lives()
    assert "Admin Ash paired it" in run_page(world)
    _age(world)
    world.presses(world.visit("receptionist"))
    world.works()
    assert "Receptionist Ash pressed Sync now" in run_page(world)
    world.admin.post(world.at("/types/apply"), {"on": [world.type_id("Telehealth Consultation")]})
    world.works()
    assert "Admin Ash changed what is shown" in run_page(world)
    for trigger, words in (("schedule", "on schedule"), ("command", "from the command line")):
        with world.store.write() as session:
            kept = session.get_one(type(world.runs[0]), world.runs[0].id)
            kept.trigger, kept.requested_by = trigger, None
        assert words in run_page(world)
        assert words in world.page()


@pytest.mark.feature("A17")
def test_a_lost_run_and_the_one_that_took_it_up_lead_to_each_other(world: World) -> None:
    world.goes_live()
    lost = world.runs[0]
    with world.app.app_context():
        assert engine().claim(lost.id)
    with world.store.write() as session:
        run = sync_runs.running_of(session, lost.pms_connection_id)
        assert run is not None
        sync_runs.abandon(session, run, clock.now())
    world.works()
    again = next(run for run in world.runs if run.retry_of == lost.id)
    first, second = (world.admin.page(f"/sync-history/{run_id}") for run_id in (lost.id, again.id))
    assert "The process that ran the sync disappeared." in first
    assert f'href="/sync-history/{again.id}">the next attempt' in first.html
    assert "attempt 2 of 3" in second
    assert "taken up again, attempt 2" in second
    assert f'href="/sync-history/{lost.id}">the sync that was lost' in second.html


@pytest.mark.parametrize("role", ["receptionist", "clinician", "admin", "owner"])
def test_every_role_may_read_the_history(world: World, role: str) -> None:
    world.lives()
    visit = world.visit(role)
    assert "complete" in visit.page("/sync-history")
    assert "What it read, and what became of it" in run_page(world, visit=visit)


def test_a_run_that_goes_on_is_watched_on_its_page(world: World) -> None:
    world.goes_live()
    page = run_page(world)
    assert "Waits for a worker" in page
    assert 'hx-trigger="every 1s"' in page.html
    assert "Nothing is filed yet." in page


def test_a_practice_without_a_sync_is_told_what_will_stand_here(world: World) -> None:
    assert "No sync yet Every sync is written down here" in world.admin.page("/sync-history")


def test_unknown_words_of_a_run_are_named(world: World) -> None:
    visit = world.books("10:30")
    world.sandbox.control("raw", id=visit, fields={"status": "pencilled"})
    world.lives()
    page = run_page(world)
    assert "Status words we do not know: pencilled." in page
    assert world.runs[0].state == RunState.PARTIAL


def _copies(world: World, count: int) -> None:
    """More runs like the last one, each a minute older."""
    last = world.runs[0]
    columns = {column.key: getattr(last, column.key) for column in type(last).__table__.columns}
    with world.store.write() as session:
        for number in range(1, count + 1):
            at = last.requested_at - timedelta(minutes=number)
            session.add(type(last)(**columns | {"id": None, "requested_at": at}))


def _age(world: World) -> None:
    with world.store.write() as session:
        for run in world.runs:
            session.get_one(type(run), run.id).completed_at = clock.now() - timedelta(minutes=2)
