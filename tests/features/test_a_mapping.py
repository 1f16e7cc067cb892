"""Who is who: clinician mapping with suggestions (A23), and what nobody sorted out, with counts (A24)."""

from __future__ import annotations

import pytest

from app.store import catalogue
from app.store.models.sync import RunState
from tests.web.pages import Page
from tests.web.world import VIDEO, World, select_of


def lives_unmapped(world: World, *types: str) -> None:
    """Live, with everybody still without a clinician."""
    world.pairs()
    world.confirms()
    assert world.admin.post(world.at("/pair/clinicians"), {}).status_code == 303
    world.marks(*(types or (VIDEO,)))
    world.admin.post(world.at("/pair/preview"))
    world.admin.post(world.at("/pair/live"), {"minutes": "15"})
    world.works()


def line_of(page: Page, name: str) -> str:
    """One practitioner's line, without its list of clinicians."""
    found = next(part for part in page.html.split('<li class="person')[1:] if f">{name}</label>" in part)
    head, _, tail = found.partition("<select")
    return Page('<li class="person' + head + tail.partition("</select>")[2].split("</li>")[0]).text


@pytest.mark.feature("A23")
def test_each_practitioner_has_a_line_with_todays_rows_and_a_suggestion_with_its_reason(world: World) -> None:
    world.books("10:30", practitioner_id=world.practitioner("Smith"))
    world.books("10:45", practitioner_id=world.practitioner("Smith"))
    with world.store.write() as session:
        catalogue.new_clinician(session, world.clinic.id, "John Smith")
        catalogue.new_clinician(session, world.clinic.id, "Dr S Nobody", "sarah.jones@example.com")
        catalogue.new_clinician(session, world.clinic.id, "Dr Elsewhere")
    lives_unmapped(world)
    page = world.page("/clinicians")
    assert "2 today Suggested: John Smith, same name" in line_of(page, "Dr John Smith")
    assert "0 today Suggested: Dr S Nobody, same e-mail address" in line_of(page, "Dr Sarah Jones")
    for name in ("John Smith", "Sarah Jones"):
        assert select_of(page, f"to-{world.person(name).id}")[0] == "", "a suggestion is never chosen for anybody"


@pytest.mark.feature("A23")
def test_who_left_is_folded_away_and_the_unassigned_come_first(world: World) -> None:
    world.lives()
    assert "1 who left or are not shown in the appointment book" in world.page("/clinicians")
    smith, jones = world.person("John Smith"), world.person("Sarah Jones")
    form = {f"to-{jones.id}": "", f"was-{jones.id}": str(jones.run_sheet_clinician_id)}
    world.admin.post(world.at("/clinicians"), form)
    page = world.page("/clinicians")
    assert "1 practitioner no longer assigned." in page
    assert page.html.index(f"to-{jones.id}") < page.html.index(f"to-{smith.id}")
    assert "no longer works there" in line_of(page, "Dr Michael Williams")
    assert "1 of 2 practitioners assigned" in world.page(), "who left is no gap in the mapping"


@pytest.mark.feature("A23")
def test_a_change_regroups_the_sheet_at_once(world: World) -> None:
    world.books("10:30", practitioner_id=world.practitioner("Smith"), patient={"family": "Fennick", "given": "Ines"})
    lives_unmapped(world)
    before = world.sheet
    assert before.groups == ["Not yet assigned: Dr John Smith"]
    smith = world.person("John Smith")
    answer = world.admin.post(world.at("/clinicians"), {f"to-{smith.id}": "new", f"was-{smith.id}": ""})
    assert answer.status_code == 303
    assert "1 practitioner assigned to a clinician, 1 of them to a new one." in world.page("/clinicians")
    after = world.sheet
    assert after.groups == ["Dr John Smith"]
    assert after.stamp != before.stamp


@pytest.mark.feature("A23")
def test_suggestions_are_filled_in_for_looking_over_and_saved_only_by_a_person(world: World) -> None:
    with world.store.write() as session:
        catalogue.new_clinician(session, world.clinic.id, "John Smith")
        catalogue.new_clinician(session, world.clinic.id, "Maria Jones")
    world.pairs()
    world.confirms()
    filled = Page(world.admin.post(world.at("/pair/clinicians"), {"do": "fill"}).text)
    assert "Suggestions are filled in. Nothing is saved yet" in filled
    smith, offered = select_of(filled, f"to-{world.person('John Smith').id}")
    assert smith == offered["John Smith"]
    assert select_of(filled, f"to-{world.person('Sarah Jones').id}")[0] == "new", "a family name alone is no reason"
    assert all(row.run_sheet_clinician_id is None for row in world.people)


@pytest.mark.feature("A23")
def test_two_people_under_one_clinician_has_to_be_confirmed(world: World) -> None:
    world.lives()
    smith, jones = world.person("John Smith"), world.person("Sarah Jones")
    target = str(smith.run_sheet_clinician_id)
    form = {f"to-{jones.id}": target, f"was-{jones.id}": str(jones.run_sheet_clinician_id)}
    refused = world.admin.post(world.at("/clinicians"), form)
    page = Page(refused.text)
    assert refused.status_code == 422
    assert "Dr John Smith and Dr Sarah Jones would both stand under Dr John Smith. That is meant." in page
    assert select_of(page, f"to-{jones.id}")[0] == target, "what was chosen is kept"
    assert world.person("Sarah Jones").run_sheet_clinician_id == jones.run_sheet_clinician_id
    assert world.admin.post(world.at("/clinicians"), form | {"same": target}).status_code == 303
    assert str(world.person("Sarah Jones").run_sheet_clinician_id) == target


@pytest.mark.feature("A23")
def test_leaving_somebody_out_says_how_many_rows_go_and_letting_them_in_brings_them_back(world: World) -> None:
    smith_id = world.practitioner("Smith")
    for at, name in (("10:30", "Fennick"), ("10:45", "Solheim")):
        world.books(at, practitioner_id=smith_id, patient={"family": name, "given": "Ines"})
    world.lives()
    smith = world.person("John Smith")
    page = world.page("/clinicians")
    _, offered = select_of(page, f"to-{smith.id}")
    assert offered["Leave out: 2 rows would leave the sheet"] == "off"
    was = str(smith.run_sheet_clinician_id)
    world.admin.post(world.at("/clinicians"), {f"to-{smith.id}": "off", f"was-{smith.id}": was})
    assert "Left out: Dr John Smith; 2 rows left the sheet." in world.page("/clinicians")
    assert world.sheet.names == []
    world.admin.post(world.at("/clinicians"), {f"to-{smith.id}": was, f"was-{smith.id}": "off"})
    assert "Whom you let in again is being read now." in world.page("/clinicians")
    assert world.sheet.names == ["Ines Fennick", "Ines Solheim"]
    assert world.runs[0].state == RunState.QUEUED


@pytest.mark.feature("A23")
def test_what_somebody_else_changed_meanwhile_stays(world: World) -> None:
    """Two admins on the same page: each saves what they changed, and nothing else."""
    world.lives()
    smith, jones = world.person("John Smith"), world.person("Sarah Jones")
    seen = {f"was-{row.id}": str(row.run_sheet_clinician_id) for row in (smith, jones)}
    stale = {name.replace("was", "to"): value for name, value in seen.items()}
    world.admin.post(world.at("/clinicians"), seen | stale | {f"to-{smith.id}": "off"})
    other = world.visit("owner")
    other.post(world.at("/clinicians"), seen | stale | {f"to-{jones.id}": ""})
    assert world.person("John Smith").sync_enabled is False
    assert world.person("Sarah Jones").run_sheet_clinician_id is None


@pytest.mark.feature("A23")
def test_a_clinician_of_another_practice_cannot_be_chosen(world: World) -> None:
    world.lives()
    other = World(world.app, world.sandbox, "Ironbark Street Clinic")
    with world.store.write() as session:
        theirs = catalogue.new_clinician(session, other.clinic.id, "Dr Far Away").id
    jones = world.person("Sarah Jones")
    form = {f"to-{jones.id}": str(theirs), f"was-{jones.id}": str(jones.run_sheet_clinician_id)}
    answer = world.admin.post(world.at("/clinicians"), form)
    assert answer.status_code == 422
    assert "Choose one of the clinicians of this practice." in Page(answer.text)
    assert world.person("Sarah Jones").run_sheet_clinician_id == jones.run_sheet_clinician_id


@pytest.mark.feature("A24")
def test_practitioners_without_a_clinician_are_surfaced_with_their_counts(world: World) -> None:
    world.books("10:30", practitioner_id=world.practitioner("Smith"))
    world.books("10:45", practitioner_id=world.practitioner("Smith"))
    lives_unmapped(world)
    page = world.page()
    assert "2 practitioners without a clinician. Dr John Smith (2 today), Dr Sarah Jones (0 today)." in page
    assert "2 appointments of today stand under “Not yet assigned”." in page
    assert f'href="{world.at("/clinicians")}">Assign' in page.html
    sheet = world.sheet
    assert "2 appointments not yet assigned to a clinician" in sheet
    assert f'href="{world.at("/clinicians")}"' in sheet.html


@pytest.mark.feature("A24")
def test_types_nobody_marked_are_surfaced_with_their_counts(world: World) -> None:
    world.books("10:30", "Telehealth Consultation")
    world.books("11:00", "Procedure")
    world.lives(VIDEO)
    page = world.page()
    assert "1 type that may be telehealth, not marked. Telehealth Consultation (1 today)." in page
    world.admin.post(world.at("/types/apply"), {"off": [world.type_id(VIDEO)]})
    assert "No appointment type is marked as telehealth. The sheet stays empty: 2 appointments of today left out." in (
        world.page()
    )


@pytest.mark.feature("A24")
def test_status_words_nobody_explained_are_surfaced_and_explained_once(world: World) -> None:
    visit = world.books("10:30", patient={"family": "Fennick", "given": "Ines"})
    world.sandbox.control("raw", id=visit, fields={"status": "pencilled"})
    world.lives()
    assert "1 status word we do not know. “pencilled” (1 today)." in world.page()
    page = world.page("/statuses")
    assert "“pencilled” 1 today" in page
    name = next(part for part in page.html.split('name="')[1:] if part.startswith("word-")).split('"')[0]
    answer = world.admin.post(world.at("/statuses"), {name: "nonsense"})
    assert answer.status_code == 422
    assert "Choose one of the statuses." in Page(answer.text)
    assert world.admin.post(world.at("/statuses"), {name: "confirmed"}).status_code == 303
    assert "The rows follow with the sync that reads them now." in world.page("/statuses")
    assert world.runs[0].state == RunState.QUEUED
    world.works()
    assert "Confirmed" in world.sheet.row("Ines Fennick")
    assert "1 status word" not in world.page()


@pytest.mark.feature("A24")
def test_records_that_could_not_be_read_are_surfaced_with_their_count(world: World) -> None:
    bad = world.books("10:45")
    world.sandbox.control("raw", id=bad, fields={"startAt": "never"})
    world.lives()
    page = world.page()
    assert "1 record could not be read." in page
    assert f'href="/quarantine?connection={world.connection.id}">See which' in page.html
