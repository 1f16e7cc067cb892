"""Which types are telehealth (A25), and what a tick would do before it is done (A26)."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from app.store.models import AppointmentType
from app.store.models.sync import RunState
from tests.web.pages import Page
from tests.web.world import PROCEDURE, VIDEO, World, is_ticked

TELEHEALTH = "Telehealth Consultation"


def with_a_day(world: World, *live: str) -> None:
    """Two video follow-ups and a telehealth consultation today; the latter again in three days."""
    for at, name in (("10:30", "Fennick"), ("10:45", "Solheim")):
        world.books(at, VIDEO, patient={"family": name, "given": "Ines"})
    world.books("11:00", TELEHEALTH, patient={"family": "Achterberg", "given": "Tobias"})
    world.lives(*(live or (VIDEO,)))


@pytest.mark.feature("A25")
def test_types_are_off_until_somebody_ticks_them_whatever_their_name_says(world: World) -> None:
    world.books("10:30", VIDEO)
    world.pairs()
    world.confirms()
    world.maps_everybody()
    page = world.page("/pair/types")
    assert not any(is_ticked(page, str(row.id)) for row in world.types)
    assert "Video Follow-up maybe: the name says “Video” 15 min 1 today" in page
    assert "Procedure 60 min 0 today" in page
    assert '<rect width="12" height="12" rx="3" fill="#2196F3"/>' in page.html
    assert "style=" not in page.html


@pytest.mark.feature("A25")
def test_a_toggle_brings_a_type_to_the_sheet_and_takes_it_off_again(world: World) -> None:
    with_a_day(world)
    assert world.sheet.names == ["Ines Fennick", "Ines Solheim"]
    answer = world.admin.post(world.at("/types/apply"), {"on": [world.type_id(TELEHEALTH)]})
    assert answer.status_code == 303
    assert "A sync reads what was left out until now." in world.page("/types")
    assert world.runs[0].state == RunState.QUEUED
    assert world.runs[0].window_to - world.runs[0].window_from == timedelta(days=6), "the week the impact spoke of"
    world.works()
    assert world.sheet.names == ["Ines Fennick", "Ines Solheim", "Tobias Achterberg"]
    assert is_ticked(world.page("/types"), world.type_id(TELEHEALTH))
    world.admin.post(world.at("/types/apply"), {"off": [world.type_id(VIDEO)]})
    assert "2 rows left the sheet; they come back when the type is on again." in world.page("/types")
    assert world.sheet.names == ["Tobias Achterberg"]
    world.admin.post(world.at("/types/apply"), {"on": [world.type_id(VIDEO)]})
    assert "2 rows came back to the sheet." in world.page("/types")
    assert world.sheet.names == ["Ines Fennick", "Ines Solheim", "Tobias Achterberg"]


@pytest.mark.feature("A26")
def test_a_second_toggle_right_after_the_first_reads_again(world: World) -> None:
    """Not answered with the sync that has just ended: that one still left the second type out."""
    with_a_day(world)
    world.admin.post(world.at("/types/apply"), {"on": [world.type_id(PROCEDURE)]})
    world.works()
    world.admin.post(world.at("/types/apply"), {"on": [world.type_id(TELEHEALTH)]})
    world.works()
    assert "Tobias Achterberg" in world.visit("receptionist").page("/run-sheet")


@pytest.mark.feature("A25")
def test_the_list_counts_today_and_seven_days_and_names_what_is_ticked_first(world: World) -> None:
    with_a_day(world)
    page = world.page("/types")
    assert "Video Follow-up maybe: the name says “Video” 15 min 2 today 2 in 7 days" in page
    assert "Telehealth Consultation maybe: the name says “Telehealth” 30 min 1 today 1 in 7 days" in page
    order = [page.html.index(world.type_id(name)) for name in (VIDEO, TELEHEALTH, PROCEDURE)]
    assert order == sorted(order)


@pytest.mark.feature("A26")
def test_the_impact_is_shown_first_and_nothing_changes_until_it_is_applied(world: World) -> None:
    with_a_day(world)
    before = (world.sheet.stamp, [(row.id, row.is_telehealth) for row in world.types], len(world.runs))
    ticked = [world.type_id(TELEHEALTH), world.type_id(PROCEDURE)]
    page = Page(world.admin.post(world.at("/types"), {"type": ticked}).text)
    assert "Telehealth Consultation on: 1 more today, 1 in 7 days." in page
    assert "Procedure on: nothing more in the days read so far." in page
    assert "Video Follow-up off: 2 rows leave today's sheet, 2 in 7 days." in page
    assert is_ticked(page, world.type_id(TELEHEALTH))
    assert not is_ticked(page, world.type_id(VIDEO))
    assert (world.sheet.stamp, [(row.id, row.is_telehealth) for row in world.types], len(world.runs)) == before


@pytest.mark.feature("A26")
def test_what_was_predicted_is_what_happens(world: World) -> None:
    with_a_day(world)
    page = Page(world.admin.post(world.at("/types"), {"type": [world.type_id(TELEHEALTH)]}).text)
    on, off = (re.findall(rf'name="{name}" value="([^"]+)"', page.html) for name in ("on", "off"))
    assert (on, off) == ([world.type_id(TELEHEALTH)], [world.type_id(VIDEO)])
    shown = len(world.sheet.names)
    world.admin.post(world.at("/types/apply"), {"on": on, "off": off})
    assert shown - len(world.sheet.names) == 2
    world.works()
    assert len(world.sheet.names) == 1
    undone = Page(world.admin.post(world.at("/types"), {"type": [world.type_id(VIDEO)]}).text)
    assert "Video Follow-up on: 2 more today, 2 in 7 days." in undone
    assert "Telehealth Consultation off: 1 row leaves today's sheet, 1 in 7 days." in undone


@pytest.mark.feature("A26")
def test_where_every_type_is_shown_a_toggle_moves_no_row_and_says_so(world: World) -> None:
    with_a_day(world)
    world.change(sync_telehealth_only=False)
    page = Page(world.admin.post(world.at("/types"), {"type": [world.type_id(TELEHEALTH)], "every": "1"}).text)
    assert "Telehealth Consultation on: no row comes or goes, the sheet shows every type." in page
    assert "Video Follow-up off: no row comes or goes, the sheet shows every type." in page
    before = world.sheet.names
    world.admin.post(world.at("/types/apply"), {"off": [world.type_id(VIDEO)]})
    assert world.sheet.names == before


@pytest.mark.feature("A26")
def test_ticks_that_change_nothing_say_so(world: World) -> None:
    with_a_day(world)
    page = Page(world.admin.post(world.at("/types"), {"type": [world.type_id(VIDEO)]}).text)
    assert "Nothing would change The ticks are as they were." in page
    assert "Apply" not in page


@pytest.mark.feature("A26")
def test_applying_touches_only_what_was_shown(world: World) -> None:
    """Somebody else ticked another type between the two presses: it stays ticked."""
    with_a_day(world)
    world.admin.post(world.at("/types"), {"type": [world.type_id(VIDEO), world.type_id(TELEHEALTH)]})
    world.visit("owner").post(world.at("/types/apply"), {"on": [world.type_id(PROCEDURE)]})
    world.admin.post(world.at("/types/apply"), {"on": [world.type_id(TELEHEALTH)]})
    assert {row.pms_type_name for row in world.types if row.is_telehealth} == {VIDEO, TELEHEALTH, PROCEDURE}


def test_a_type_of_somewhere_else_is_refused_with_a_sentence(world: World) -> None:
    with_a_day(world)
    answer = world.admin.post(world.at("/types/apply"), {"on": ["9a1f9b9a-0000-4000-8000-000000000000"]})
    assert answer.status_code == 422
    assert "There is no appointment type 9a1f9b9a" in Page(answer.text)


def test_a_colour_that_is_more_than_a_colour_is_not_drawn(world: World) -> None:
    world.pairs()
    world.confirms()
    world.maps_everybody()
    with world.store.write() as session:
        session.get_one(AppointmentType, UUID(world.type_id(VIDEO))).colour = "url(//x.example/a)"
    page = world.page("/pair/types").html
    assert "x.example" not in page
    assert 'fill="#F44336"' in page
