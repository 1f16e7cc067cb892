"""What a checker says of the pages, in light and dark, wide and narrow; how large what can be pressed is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from app.domain.status import Status
from tests.browser.conftest import INES, TOBIAS
from tests.browser.desk import Desk, Practice, desk
from tests.factories import Booking
from tests.web.pages import DAY

pytestmark = pytest.mark.browser

TODAY = f"/run-sheet/{DAY}"


def the_login(front: Desk) -> None:
    front.page.context.clear_cookies()
    front.opens("/login")


def the_sheet(front: Desk) -> None:
    front.opens()


def an_open_menu(front: Desk) -> None:
    front.opens()
    front.row(INES).locator("summary").click()


def the_panel(front: Desk) -> None:
    front.opens()
    front.page.get_by_role("link", name=INES).click()
    expect(front.page.locator("#panel")).to_be_visible()
    front.page.wait_for_timeout(300)


def the_walk_in_form(front: Desk) -> None:
    front.opens(f"{TODAY}/walk-in")
    front.page.get_by_label("Patient").fill("Rua Tane")
    front.page.get_by_role("button", name="Add to the sheet").click()
    front.noisy = True
    expect(front.page.get_by_text("Choose one of the clinicians.")).to_be_visible()


def an_empty_day(front: Desk) -> None:
    front.opens("/run-sheet/2026-09-01")


@pytest.mark.parametrize("view", [the_login, the_sheet, an_open_menu, the_panel, the_walk_in_form, an_empty_day])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_checker_finds_nothing_to_mend(
    browser: Browser, practice: Practice, view: Callable[[Desk], None], scheme: str
) -> None:
    clinic = practice.clinic
    clinic.books(
        Booking("Casimir Oduya", "10:00", Status.UNKNOWN, raw="Pencilled in"),
        Booking("Rua Tane", "8:00", Status.CONFIRMED, doctor="locum"),
        doctors={"locum": "Dr Quillon Newcomer"},
    )
    clinic.removes(TOBIAS)
    clinic.sick()
    front = desk(browser, practice, color_scheme=scheme).signs_in()
    view(front)
    front.finds_nothing_to_mend()
    front.page.context.close()
    assert front.noisy or front.said == []


@pytest.mark.parametrize("width", [390, 800, 1100])
def test_the_checker_finds_nothing_to_mend_on_a_narrow_page_that_never_scrolls_sideways(
    browser: Browser, practice: Practice, width: int
) -> None:
    front = desk(browser, practice, viewport={"width": width, "height": 844}).signs_in()
    front.finds_nothing_to_mend()
    assert front.page.evaluate("document.documentElement.scrollWidth") <= width
    front.page.context.close()


def test_every_target_is_large_enough(front: Desk) -> None:
    small = front.page.evaluate(
        """() => [...document.querySelectorAll('a, button, summary, input:not([type=hidden])')]
            .filter((one) => one.checkVisibility() && !one.closest('.skip'))
            .map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
            .map(([words]) => words)"""
    )
    assert small == []
