"""The two forms of limits in Chromium: by keyboard, with and without a script; wide, narrow, light and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.desk import Desk, Practice, desk

pytestmark = pytest.mark.browser


@pytest.mark.feature("A29")
@pytest.mark.feature("E08")
@pytest.mark.parametrize("script", [True, False])
def test_limits_are_typed_refused_and_mended(browser: Browser, practice: Practice, script: bool) -> None:
    made = desk(browser, practice, java_script_enabled=script).signs_in("owner")
    page = made.page
    made.noisy = True  # the browser itself tells of each 422
    for path, field, wrong, right, button in (
        (f"/connections/{practice.clinic.connection_id}", "Looks back", "365", "30", "Change how far it looks back"),
        ("/quarantine", "What was sent with a record set aside", "0", "14", "Save how long"),
    ):
        page.goto(practice.address + path)
        _look(made, script)
        page.get_by_label(field).fill(wrong)
        page.get_by_role("button", name=button).click()
        refused = page.get_by_label(field)
        expect(refused).to_have_attribute("aria-invalid", "true")
        if script:
            expect(refused).to_be_focused()
        _look(made, script)
        refused.fill(right)
        refused.press("Enter")
        expect(page.get_by_label(field)).to_have_value(right)
        expect(page.get_by_label(field)).not_to_have_attribute("aria-invalid", "true")
    page.context.close()


def _look(made: Desk, script: bool) -> None:
    """Nothing to mend in light and dark, and nothing sticks out of a narrow screen. The checker is a script itself."""
    if not script:
        return
    page = made.page
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        made.finds_nothing_to_mend()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.set_viewport_size({"width": 1280, "height": 900})
