"""The run sheet under somebody's hands: keyboard, filters, search, undo, conflicts, and failures that are told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app.domain.status import Status
from tests.browser.conftest import INES, TOBIAS
from tests.browser.desk import Desk, Practice
from tests.factories import Booking, Clinic
from tests.web.pages import DAY

pytestmark = pytest.mark.browser

TODAY = f"/run-sheet/{DAY}"


@pytest.mark.feature("R04")
def test_a_patient_is_taken_from_arrival_to_completion_with_the_keyboard_alone(front: Desk) -> None:
    row = front.row(TOBIAS)
    row.get_by_role("link", name=TOBIAS).focus()
    front.page.keyboard.press("Tab")
    for step, word in (("Arrived", "Waiting"), ("Start call", "In call"), ("Complete", "Completed")):
        assert front.text_of_focus() == step
        front.page.keyboard.press("Enter")
        expect(row.locator(".st")).to_contain_text(word)
        assert front.row_of_focus() == row.get_attribute("id")
    expect(row.locator("button.next")).to_have_count(0)


@pytest.mark.feature("R04")
def test_the_menu_opens_and_closes_with_the_keyboard_and_gives_the_focus_back(front: Desk) -> None:
    summary = front.row(TOBIAS).locator("summary")
    summary.focus()
    front.page.keyboard.press("Enter")
    expect(front.row(TOBIAS).get_by_role("button", name="No-show")).to_be_visible()
    front.page.keyboard.press("Tab")
    front.page.keyboard.press("Escape")
    expect(front.row(TOBIAS).get_by_role("button", name="No-show")).to_be_hidden()
    expect(summary).to_be_focused()


def test_nothing_with_the_focus_hides_under_the_bar(front: Desk, clinic: Clinic) -> None:
    clinic.books(*(Booking(f"Visitor {n:02}", f"{10 + n // 6}:{n % 6}0") for n in range(40)))
    front.opens()
    front.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    front.page.get_by_role("link", name="Visitor 39").focus()
    for _ in range(60):
        front.page.keyboard.press("Shift+Tab")
        top = front.page.evaluate("document.activeElement.getBoundingClientRect().top")
        bar = front.page.evaluate("document.querySelector('.top').getBoundingClientRect().bottom")
        inside = front.page.evaluate("!!document.activeElement.closest('.top')")
        assert inside or top >= bar - 1


@pytest.mark.feature("R14")
def test_a_count_filters_in_place_and_the_address_follows(front: Desk) -> None:
    front.page.locator("#f-arrived").click()
    expect(front.row(TOBIAS)).to_have_count(0)
    expect(front.row(INES)).to_be_visible()
    expect(front.page.locator("#f-arrived")).to_have_attribute("aria-pressed", "true")
    assert front.page.url.endswith(f"{TODAY}?status=arrived")
    front.looks_again()
    expect(front.row(TOBIAS)).to_have_count(0)
    front.page.get_by_role("button", name="Clear filters").click()
    expect(front.row(TOBIAS)).to_be_visible()


@pytest.mark.feature("R17")
def test_the_search_finds_as_one_types_and_stays_through_updates(front: Desk, practice: Practice) -> None:
    front.page.get_by_role("searchbox").fill("achter")
    expect(front.row(INES)).to_have_count(0)
    expect(front.row(TOBIAS)).to_be_visible()
    expect(front.page.get_by_text("Only “achter”: 3 of 4 hidden.")).to_be_visible()
    practice.moves(TOBIAS, Status.ARRIVED)
    front.looks_again()
    expect(front.row(TOBIAS).locator(".st")).to_contain_text("Waiting")
    expect(front.row(INES)).to_have_count(0)
    assert "achter" not in front.page.url
    assert not [url for url in front.polls if "achter" in url]


@pytest.mark.feature("R24")
def test_undo_is_offered_without_taking_the_focus(front: Desk) -> None:
    front.row(TOBIAS).get_by_role("button", name="Arrived").click()
    undo = front.page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    assert front.row_of_focus() == front.row(TOBIAS).get_attribute("id")
    undo.click()
    expect(front.row(TOBIAS).locator(".st")).to_have_text("Confirmed")
    expect(undo).to_have_count(0)


@pytest.mark.feature("R25")
def test_a_conflict_stays_on_its_row_until_it_is_settled(front: Desk, practice: Practice) -> None:
    front.noisy = True  # the browser reports the 409
    practice.moves(TOBIAS, Status.ARRIVED)
    row = front.row(TOBIAS)
    row.locator("summary").click()
    row.get_by_role("button", name="No-show").click()
    told = front.page.locator("tr.says")
    expect(told).to_contain_text("Changed by Owner Ash")
    expect(row.locator(".st")).to_contain_text("Waiting")
    front.keeps_busy(2)
    expect(told).to_be_visible()
    told.get_by_role("button", name="Still: No-show").click()
    expect(row.locator(".st")).to_contain_text("No-show")
    expect(told).to_have_count(0)


def test_an_own_action_that_fails_is_told_and_nothing_is_lost(front: Desk) -> None:
    front.noisy = True
    front.page.route("**/appointments/**", lambda route: route.abort())
    front.row(TOBIAS).get_by_role("button", name="Arrived").click()
    alert = front.page.get_by_role("alert").locator("div", has_text="could not be reached")
    expect(alert).to_be_visible()
    expect(front.row(TOBIAS).locator(".st")).to_have_text("Confirmed")
    alert.get_by_role("button", name="Close").click()
    expect(alert).to_have_count(0)


def test_a_signed_out_page_leads_to_the_sign_in_and_back(front: Desk, practice: Practice) -> None:
    front.noisy = True  # the browser reports the 401
    front.opens(f"{TODAY}?status=arrived")
    front.page.context.clear_cookies()
    front.page.evaluate("dispatchEvent(new Event('online'))")
    front.page.wait_for_url(re.compile(r"/login\?next="))
    front.types_in()
    front.page.wait_for_url(f"{practice.address}{TODAY}?status=arrived")
