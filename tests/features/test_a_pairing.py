"""Connecting a practice: the wizard (A01), the test (A02), the dry run (A03, M10), pairing again (A07)."""

from __future__ import annotations

import pytest

from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState, Trigger
from tests.web.pages import Page
from tests.web.world import VIDEO, World, is_ticked, select_of


@pytest.mark.feature("A01")
def test_a_practice_is_led_from_choosing_its_system_to_its_first_rows(world: World) -> None:
    world.books("10:30", patient={"family": "Fennick", "given": "Ines"})
    choose = world.admin.page("/connections/new")
    assert "Nothing, unless an admin wants it later" in choose
    assert "can then be told to Cliniko, ezyVet and MediRecords." in choose
    assert "Never run against a live system." in choose
    assert "Documented" in choose
    made = world.pairs()
    identity = world.page("/pair/identity")
    assert "Is this you? Smith Medical Centre" in identity
    assert "2 practitioners in the appointment book and 5 appointment types" in identity
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    assert world.admin.post(world.at("/pair/preview")).status_code == 303
    answer = world.admin.post(world.at("/pair/live"), {"minutes": "10"})
    assert answer.headers["Location"] == f"/connections/{made}"
    page = world.page()
    assert "Gentu is live. The first sync reads today and tomorrow." in page
    assert "Waits for a worker" in page
    assert 'hx-trigger="every 1s"' in page.html
    assert [run.trigger for run in world.runs] == [Trigger.PAIRING]
    world.works()
    assert "Ines Fennick" in world.sheet
    assert world.connection.sync_frequency_minutes == 10


@pytest.mark.feature("A01")
def test_leaving_the_wizard_and_coming_back_goes_on_where_one_was(world: World) -> None:
    world.drafts()
    steps = [("/pair/code", None), ("/pair/identity", lambda: world.enters(world.sandbox.pairing_code()))]
    steps += [("/pair/clinicians", world.confirms), ("/pair/types", world.maps_everybody)]
    steps += [("/pair/preview", lambda: world.marks(VIDEO))]
    steps += [("/pair/live", lambda: world.admin.post(world.at("/pair/preview")))]
    for address, press in steps:
        if press:
            press()
        assert "pairing was begun and can be gone on with" in world.admin.page("/connections")
        resumed = world.admin.get(world.at("/pair"))
        assert resumed.headers["Location"] == world.at(address)
        assert world.admin.get(world.at()).headers["Location"] == world.at("/pair")


@pytest.mark.feature("A01")
def test_going_back_keeps_what_was_saved_and_skipping_ahead_is_not_possible(world: World) -> None:
    world.pairs()
    assert world.admin.get(world.at("/pair/live")).headers["Location"] == world.at("/pair")
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    back = world.page("/pair/clinicians")
    chosen, offered = select_of(back, f"to-{world.person('John Smith').id}")
    assert chosen == offered["Dr John Smith"]
    assert is_ticked(world.page("/pair/types"), world.type_id(VIDEO))
    assert "Is this today's sheet?" in world.page("/pair/preview")
    world.maps_everybody()  # saving an earlier step once more locks no later one
    assert world.admin.get(world.at("/pair/preview")).status_code == 200


@pytest.mark.feature("A01")
def test_another_practice_than_ones_own_is_turned_down_and_nothing_of_it_stays(world: World) -> None:
    world.pairs(world.sandbox.state(log=0)["tenants"][1]["tenantId"])
    assert "Banksia Ridge Specialists" in world.page("/pair/identity")
    answer = world.admin.post(world.at("/pair/identity"), {"is": "no"})
    assert answer.headers["Location"] == world.at("/pair/code")
    kept = world.connection
    assert (kept.tenant_id, kept.pms_name, kept.timezone, world.people, world.types) == (None, None, None, [], [])
    assert world.enters(world.sandbox.pairing_code()).headers["Location"] == world.at("/pair/identity")
    assert "Smith Medical Centre" in world.page("/pair/identity")


@pytest.mark.feature("A01")
def test_a_zone_that_differs_is_warned_of_before_going_live(world: World) -> None:
    world.pairs(world.sandbox.state(log=0)["tenants"][2]["tenantId"])
    page = world.page("/pair/identity")
    assert "The time zones differ. The sheet shows times in Australia/Melbourne." in page
    assert "Time zone there Australia/Adelaide" in page


@pytest.mark.feature("A02")
def test_a_connection_is_tested_before_it_is_saved(world: World) -> None:
    world.pairs()
    before = dict(world.connection.wizard)
    answer = world.admin.post(world.at("/test"), htmx=True)
    told = Page(answer.text)
    assert answer.text.lstrip().startswith('<div class="tested good"'), "a piece of the page, not a page"
    assert "It works Gentu answers." in told
    assert " ms. Nothing was saved." in told
    assert (world.connection.state, world.connection.wizard) == (ConnectionState.DRAFT, before)
    assert world.runs == []


@pytest.mark.feature("A02")
def test_a_test_that_fails_says_what_is_wrong_on_the_same_screen_and_changes_nothing(world: World) -> None:
    world.lives()
    world.sandbox.break_("outage")
    fragment = Page(world.admin.post(world.at("/test"), htmx=True).text)
    assert "It does not work" in fragment
    whole = Page(world.admin.post(world.at("/test")).text)
    assert "It does not work" in whole
    assert "Last syncs" in whole
    assert world.connection.state == ConnectionState.ACTIVE
    assert len(world.runs) == 1


@pytest.mark.feature("A03")
def test_todays_sheet_is_shown_as_it_would_be_and_nothing_is_stored(world: World) -> None:
    world.books("10:30", patient={"family": "Fennick", "given": "Ines"})
    world.books("11:00", "Procedure", patient={"family": "Solheim", "given": "Priyanka"})
    world.books("11:30", block=True)
    world.pairs()
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    whole = world.page("/pair/preview")
    assert "Asking Gentu for today." in whole
    assert 'hx-trigger="load"' in whole.html
    shown = world.page("/pair/preview?read=1")
    assert "10:30 Ines Fennick Booked Video Follow-up · 15 min" in shown
    assert "Priyanka Solheim" not in shown
    assert "Gentu sent 3 records for today: 1 on the sheet, 2 not shown." in shown
    assert "1 not telehealth" in shown
    assert "1 without a patient" in shown
    assert world.stored_rows() == 0
    assert world.runs == []


@pytest.mark.feature("A03")
def test_the_dry_run_names_words_nobody_knows_and_counts_what_nobody_could_read(world: World) -> None:
    odd, bad = world.books("10:30"), world.books("10:45")
    world.sandbox.control("raw", id=odd, fields={"status": "pencilled"})
    world.sandbox.control("raw", id=bad, fields={"startAt": "never"})
    world.pairs()
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    shown = world.page("/pair/preview?read=1")
    assert "Status words we do not know: pencilled. Rows show them as they are" in shown
    assert "Gentu sent 2 records for today: 1 on the sheet, 0 not shown, 1 unreadable." in shown


@pytest.mark.feature("M10")
def test_the_first_sync_brings_the_very_rows_of_the_dry_run(world: World) -> None:
    for minute, name in enumerate(("Fennick", "Solheim", "Achterberg")):
        world.books(f"10:{minute:02}", patient={"family": name, "given": "Ines"})
    world.pairs()
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    seen = world.page("/pair/preview?read=1").text
    assert world.admin.post(world.at("/pair/preview")).status_code == 303
    assert world.admin.post(world.at("/pair/live"), {"minutes": "15"}).status_code == 303
    assert world.stored_rows() == 0
    world.works()
    assert world.sheet.names == ["Ines Fennick", "Ines Solheim", "Ines Achterberg"]
    assert all(name in seen for name in world.sheet.names)


@pytest.mark.feature("A03")
def test_a_dry_run_the_pms_does_not_answer_says_so_and_can_be_asked_again(world: World) -> None:
    world.pairs()
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    world.sandbox.break_("error", path="/tenants/*/appointments", status=503)
    fragment = Page(world.admin.get(world.at("/pair/preview?read=1"), htmx=True).text)
    assert "Today could not be read." in fragment
    assert "Try again in a moment." in fragment
    assert "Reload" in fragment
    world.sandbox.mend()
    assert "Gentu has no appointment today" in Page(world.admin.get(world.at("/pair/preview?read=1"), htmx=True).text)


@pytest.mark.feature("A07")
def test_pairing_again_keeps_mappings_types_rows_and_history(world: World) -> None:
    world.books("10:30", patient={"family": "Fennick", "given": "Ines"})
    world.lives()
    people = [(row.id, row.run_sheet_clinician_id) for row in world.people]
    types = [(row.id, row.is_telehealth) for row in world.types]
    world.change(state=ConnectionState.NEEDS_ATTENTION, state_reason="forbidden", last_sync_status="failed")
    assert "Pair again" in world.page()
    assert "Mappings, types, rows and history stay as they are." in world.page("/pair/code")
    answer = world.enters(world.sandbox.pairing_code(world.sandbox.tenant_id))
    assert answer.headers["Location"] == world.at()
    assert "Paired again. Mappings, types and history are as they were." in world.page()
    assert world.connection.state == ConnectionState.ACTIVE
    assert [(row.id, row.run_sheet_clinician_id) for row in world.people] == people
    assert [(row.id, row.is_telehealth) for row in world.types] == types
    assert "Ines Fennick" in world.sheet
    world.works()
    assert [run.state for run in world.runs] == [RunState.SUCCESS, RunState.SUCCESS]


@pytest.mark.feature("A07")
def test_a_code_of_another_practice_never_reaches_a_live_connection(world: World) -> None:
    world.lives()
    before = (world.connection.tenant_id, [row.id for row in world.people])
    answer = world.enters(world.sandbox.pairing_code(world.sandbox.state(log=0)["tenants"][1]["tenantId"]))
    assert answer.status_code == 422
    assert "That code belongs to another practice." in Page(answer.text)
    assert (world.connection.tenant_id, [row.id for row in world.people]) == before
    assert world.connection.state == ConnectionState.ACTIVE
