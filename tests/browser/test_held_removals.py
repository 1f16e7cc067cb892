"""Removals that wait for a person, in Chromium: decided without a script, and readable at any width, in any light."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from app.domain.orphans import Answer
from tests.browser.desk import Desk, Practice, desk
from tests.factories import Booking, Clinic

pytestmark = pytest.mark.feature("M03")
HELD = "/held-removals"
FAMILIES = ("Ash", "Beech", "Cedar", "Dogwood", "Elm", "Fir")


def vanished(clinic: Clinic) -> None:
    clinic.books(*(Booking(f"Ivo {family}", f"{11 + n}:15") for n, family in enumerate(FAMILIES)))
    clinic.holds(*(f"Ivo {family}" for family in FAMILIES[:5]))


def seen(practice: Practice, browser: Browser, path: str, **options: object) -> Desk:
    vanished(practice.clinic)
    return desk(browser, practice, **options).signs_in("owner").opens(path)


@pytest.mark.parametrize("path", [HELD, "/run-sheet"])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "light"), (1280, "dark")])
def test_the_checker_finds_nothing_to_mend_and_nothing_scrolls_sideways(
    browser: Browser, practice: Practice, path: str, width: int, scheme: str
) -> None:
    front = seen(practice, browser, path, color_scheme=scheme, viewport={"width": width, "height": 844})
    practice.clinic.removes("Ivo Fir")
    front.opens(path)
    front.finds_nothing_to_mend()
    assert front.page.evaluate("document.documentElement.scrollWidth") <= width
    front.page.context.close()
    assert front.said == []


def test_from_the_sheet_s_notice_to_the_decision_and_back_without_a_script(
    browser: Browser, practice: Practice
) -> None:
    front = seen(practice, browser, "/run-sheet", java_script_enabled=False)
    page = front.page
    notice = page.locator(".notice", has_text="5 appointments vanished from Gentu at 09:42")
    notice.get_by_role("link", name="Look").click()
    page.get_by_role("button", name="Remove them").click()
    expect(page.get_by_text("5 appointments removed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("5 appointments stand again.")).to_be_visible()
    page.get_by_role("button", name="Keep them").click()
    expect(page.get_by_role("heading", name="Nothing is held")).to_be_visible()
    page.context.close()


def test_an_open_sheet_tells_of_a_hold_by_itself(browser: Browser, practice: Practice) -> None:
    clinic = practice.clinic
    clinic.books(*(Booking(f"Ivo {family}", f"{11 + n}:15") for n, family in enumerate(FAMILIES)))
    front = desk(browser, practice).signs_in()
    expect(front.page.locator("tr[id^=r-]").first).to_be_attached()
    clinic.holds(*(f"Ivo {family}" for family in FAMILIES), answer=Answer.THERE)
    expect(front.page.get_by_text("6 appointments vanished from Gentu")).to_be_visible(timeout=20_000)
    front.page.context.close()
