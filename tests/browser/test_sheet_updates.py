"""The run sheet keeps itself up to date: when it asks, what an update leaves alone, what is said of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from app.domain.status import Status
from tests.browser.conftest import INES, TOBIAS
from tests.browser.desk import Desk, Practice
from tests.factories import Booking, Clinic

pytestmark = pytest.mark.browser


def beats(front: Desk, seconds: int = 40) -> int:
    """How often the page asks in that time."""
    front.polls.clear()
    for _ in range(seconds // 5):
        front.page.clock.run_for(5_000)
        front.page.wait_for_timeout(20)
    return len(front.polls)


@pytest.mark.feature("R19")
def test_a_change_appears_without_anybody_reloading(front: Desk, clinic: Clinic) -> None:
    clinic.books(Booking("Priyanka Solheim", "10:10"))
    expect(front.row("Priyanka Solheim")).to_be_visible(timeout=8_000)
    expect(front.page.locator("#f-all")).to_have_text("All 5")


@pytest.mark.feature("R19")
def test_the_page_asks_every_five_seconds_in_use_and_every_fifteen_when_idle(front: Desk) -> None:
    front.page.clock.install()
    front.opens()
    front.polls.clear()
    for _ in range(6):
        front.page.mouse.move(10, 10)
        front.page.mouse.move(20, 20)
        front.page.clock.run_for(5_000)
        front.page.wait_for_timeout(30)
    assert 5 <= len(front.polls) <= 7
    front.page.clock.run_for(61_000)
    front.polls.clear()
    for _ in range(12):
        front.page.clock.run_for(5_000)
        front.page.wait_for_timeout(30)
    assert 3 <= len(front.polls) <= 5


@pytest.mark.feature("R20")
def test_a_hidden_tab_asks_nothing_and_asks_at_once_on_return(front: Desk, clinic: Clinic) -> None:
    front.page.clock.install()
    front.opens()
    front.page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.away })")
    front.page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    assert beats(front) == 0
    clinic.books(Booking("Priyanka Solheim", "10:10"))
    front.page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(front.row("Priyanka Solheim")).to_be_visible()
    assert len(front.polls) == 1


@pytest.mark.feature("R20")
def test_nothing_is_asked_while_a_field_is_edited(front: Desk) -> None:
    front.page.clock.install()
    front.opens()
    front.row(TOBIAS).locator("td.note").click()
    expect(front.row(TOBIAS).locator("textarea")).to_be_focused()
    front.page.keyboard.type("Prefers")
    front.polls.clear()
    for word in (" captions", " on", " please"):
        front.page.keyboard.type(word)
        front.page.clock.run_for(20_000)
    assert front.polls == []
    front.page.keyboard.press("Escape")
    assert beats(front, 20) > 0


@pytest.mark.feature("R20")
def test_updates_can_be_paused_and_resumed(front: Desk, clinic: Clinic) -> None:
    front.page.clock.install()
    front.opens()
    pause = front.page.get_by_role("button", name="Pause updates")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    assert beats(front) == 0
    clinic.books(Booking("Priyanka Solheim", "10:10"))
    pause.click()
    expect(front.row("Priyanka Solheim")).to_be_visible()


@pytest.mark.feature("R21")
def test_the_focus_stays_on_its_row_through_twenty_updates(front: Desk, practice: Practice) -> None:
    button = front.row(TOBIAS).get_by_role("button", name="Arrived")
    button.focus()
    row = front.row(TOBIAS).get_attribute("id")
    front.keeps_busy(20)
    assert front.row_of_focus() == row
    assert front.text_of_focus() == "Arrived"


@pytest.mark.feature("R21")
def test_the_place_on_the_page_stays(front: Desk, practice: Practice, clinic: Clinic) -> None:
    clinic.books(*(Booking(f"Patient {n:02}", f"{12 + n // 6}:{n % 6}0", doctor="brightwater") for n in range(30)))
    front.opens()
    front.page.evaluate("scrollTo(0, 600)")
    clinic.books(Booking("Visitor 99", "17:50", doctor="brightwater"))
    front.looks_again()
    expect(front.row("Visitor 99")).to_be_attached()
    assert front.page.evaluate("scrollY") == 600


@pytest.mark.feature("R21")
def test_a_row_with_an_open_menu_is_held_and_says_how_much_it_missed(front: Desk, practice: Practice) -> None:
    row = front.row(TOBIAS)
    row.locator("summary").click()
    practice.moves(TOBIAS, Status.ARRIVED)
    front.looks_again()
    expect(row.get_by_role("button", name="1 update held")).to_be_visible()
    expect(row.get_by_role("button", name="No-show")).to_be_visible()
    expect(row.locator(".st")).to_have_text("Confirmed")
    expect(front.page.locator("#f-arrived")).to_have_text("Waiting 2")  # what is not held goes on
    practice.moves(TOBIAS, Status.IN_PROGRESS)
    front.looks_again()
    row.get_by_role("button", name="2 updates held").click()
    expect(row.locator(".st")).to_contain_text("In call")
    expect(row.locator(".held")).to_have_count(0)


@pytest.mark.feature("R21")
def test_a_held_row_takes_what_it_missed_as_soon_as_its_menu_closes(front: Desk, practice: Practice) -> None:
    row = front.row(TOBIAS)
    row.locator("summary").click()
    practice.moves(TOBIAS, Status.ARRIVED)
    front.looks_again()
    expect(row.locator(".held")).to_be_visible()
    front.page.mouse.click(400, 850)
    expect(row.locator(".st")).to_contain_text("Waiting")


@pytest.mark.feature("R21")
def test_a_half_typed_note_survives_updates_of_its_own_row(front: Desk, practice: Practice) -> None:
    row = front.row(TOBIAS)
    row.locator("td.note").click()
    expect(row.locator("textarea")).to_be_focused()
    front.page.keyboard.type("Prefers cap")
    practice.moves(TOBIAS, Status.ARRIVED)
    front.page.locator("#find").focus()
    front.looks_again()
    expect(row.locator("textarea")).to_have_value("Prefers cap")
    row.locator("textarea").focus()
    front.page.keyboard.press("End")
    front.page.keyboard.type("tions")
    front.page.keyboard.press("Enter")
    front.noisy = True  # the browser reports the 409
    expect(row.locator(".fault")).to_contain_text("Changed by Owner Ash")
    expect(row.locator("textarea")).to_have_value("Prefers captions")
    row.get_by_role("button", name="Save note").click()
    expect(row.locator("td.note")).to_have_text("Prefers captions")
    expect(row.locator(".st")).to_contain_text("Waiting")


@pytest.mark.feature("R21")
def test_a_half_typed_note_in_the_panel_comes_back_when_the_panel_does(front: Desk) -> None:
    front.page.get_by_role("link", name=TOBIAS).click()
    panel = front.page.locator("#panel")
    panel.get_by_label(f"Note for {TOBIAS}").fill("Half a thought")
    front.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    front.page.get_by_role("link", name=INES).click()
    expect(panel.get_by_label(f"Note for {INES}")).to_have_value("")
    panel.get_by_role("button", name="Close").click()
    front.page.get_by_role("link", name=TOBIAS).click()
    expect(panel.get_by_label(f"Note for {TOBIAS}")).to_have_value("Half a thought")
    panel.get_by_role("button", name="Save note").click()
    expect(panel.get_by_text("Saved.")).to_be_visible()


def test_an_open_fold_stays_open(front: Desk, practice: Practice) -> None:
    front.page.locator(".fold > summary").click()
    expect(front.row("Odalys Rook")).to_be_visible()
    front.keeps_busy(2)
    expect(front.row("Odalys Rook")).to_be_visible()


def test_changes_are_announced_as_counts_and_not_more_than_every_twenty_seconds(front: Desk, clinic: Clinic) -> None:
    front.page.clock.install()
    front.opens()
    polite = front.page.locator("#polite")
    clinic.books(Booking("Visitor 01", "10:00"))
    front.looks_again()
    front.page.clock.run_for(1_000)
    expect(polite).to_have_text("The sheet changed: 2 booked, 1 confirmed, 1 waiting, 1 completed.")
    for number in range(2, 8):
        clinic.books(Booking(f"Visitor {number:02}", "10:00"))
        front.looks_again()
        front.page.clock.run_for(1_000)
        expect(polite).to_contain_text("2 booked")
    front.page.clock.run_for(20_000)
    expect(polite).to_contain_text("8 booked")
