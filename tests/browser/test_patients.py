"""Patients in Chromium: found while typing, assigned by keyboard, without a script; readable at any width and light."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Browser, expect

from app.domain.discovery import Person
from tests.browser.desk import Desk, Practice, desk
from tests.factories import Clinic

pytestmark = pytest.mark.feature("E10")
PAGES = ("/patients", "/patients/unaffiliated", "/patients/reviews")
QUILLS = "the.quills@example.com"


def household(clinic: Clinic, count: int = 12) -> None:
    """A family with one address, and `count` others."""
    clinic.finds(
        Person("Mara", "Quill", QUILLS, "+61491570156", date(1987, 4, 9)),
        Person("Bo", "Quill", QUILLS, "+61491570157", date(2012, 5, 1)),
        *(
            Person("Tamsin", f"Saltmarshe-Quandongley{n:03}", f"tamsin.saltmarshe{n}@example.com", "+61491570158")
            for n in range(count)
        ),
    )


def front(practice: Practice, browser: Browser, path: str, who: str = "owner", **options: object) -> Desk:
    return desk(browser, practice, **options).signs_in(who).opens(path)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "light"), (1280, "dark")])
@pytest.mark.parametrize("count", [0, 12, 300])
def test_the_checker_finds_nothing_to_mend_and_nothing_scrolls_sideways(
    browser: Browser, practice: Practice, path: str, width: int, scheme: str, count: int
) -> None:
    if count:
        household(practice.clinic, count)
    made = front(practice, browser, path, color_scheme=scheme, viewport={"width": width, "height": 844})
    made.finds_nothing_to_mend()
    assert made.page.evaluate("document.documentElement.scrollWidth") <= width
    made.page.context.close()
    assert made.said == []


def test_somebody_is_found_while_their_name_is_typed_and_no_address_tells_it(
    browser: Browser, practice: Practice
) -> None:
    household(practice.clinic)
    made = front(practice, browser, "/patients", "reception")
    page = made.page
    expect(page.get_by_text("13 patients")).to_be_visible()
    page.get_by_role("searchbox", name="Find").press_sequentially("mara q")
    expect(page.get_by_text("1 patient like that")).to_be_visible()
    assert page.url.endswith("/patients")
    expect(page.get_by_role("searchbox", name="Find")).to_be_focused()
    page.get_by_role("link", name="Mara Quill").click()
    expect(page.get_by_role("heading", name="Mara Quill")).to_be_visible()
    page.context.close()
    assert made.said == []


@pytest.mark.parametrize("script", [True, False])
def test_several_are_assigned_with_the_keyboard_alone(browser: Browser, practice: Practice, script: bool) -> None:
    household(practice.clinic, 3)
    made = front(practice, browser, "/patients", java_script_enabled=script)
    page = made.page
    page.get_by_role("link", name="Assign organisations").press("Enter")
    page.get_by_label("or a new one, called").fill("Harbour Clinic")
    for name in ("Mara Quill", "Tamsin Saltmarshe-Quandongley001"):
        page.get_by_role("checkbox", name=name).press("Space")
    page.get_by_role("button", name="Assign").press("Enter")
    expect(page.get_by_text("2 patients now of Harbour Clinic.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(2)
    page.get_by_role("link", name="‹ Patients").press("Enter")
    page.get_by_role("link", name="Mara Quill").press("Enter")
    page.get_by_role("button", name="Take out").press("Enter")
    expect(page.get_by_text("1 patient taken out.")).to_be_visible()
    page.context.close()
    assert made.said == []


def test_a_question_is_answered_without_a_script(browser: Browser, practice: Practice) -> None:
    household(practice.clinic, 0)
    made = front(practice, browser, "/patients", java_script_enabled=False)
    page = made.page
    page.get_by_role("link", name="1 doubtful match waits").click()
    expect(page.get_by_role("heading", name="Bo Quill")).to_be_visible()
    page.get_by_role("button", name="Another person").click()
    expect(page.get_by_text("Two persons.")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing is doubtful")).to_be_visible()
    page.context.close()
