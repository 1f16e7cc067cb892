"""What a browser must refuse, and what it must forget."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import INES, TOBIAS
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser


@pytest.mark.security("X9")
def test_injected_scripts_styles_and_htmx_attributes_do_nothing(front: Desk) -> None:
    front.page.evaluate(
        """() => {
            const box = document.createElement('div');
            box.innerHTML = `<img src=x onerror="window.hit = 1"><b style="color: rgb(1, 2, 3)" id=styled>x</b>
                <button id=on hx-on:click="window.hit = 2">x</button>
                <button id=vals hx-get="/login" hx-vals='js:{a: window.hit = 3}'>x</button>`;
            document.body.append(box);
            const script = document.createElement('script');
            script.textContent = 'window.hit = 4';
            document.body.append(script);
            htmx.process(box);
            box.querySelector('#on').click();
            box.querySelector('#vals').click();
        }"""
    )
    front.page.wait_for_timeout(300)
    assert front.page.evaluate("window.hit ?? null") is None
    assert front.page.evaluate("getComputedStyle(document.getElementById('styled')).color") != "rgb(1, 2, 3)"
    assert front.said  # and the browser says what it refused
    front.noisy = True


@pytest.mark.security("X10")
def test_nothing_about_a_patient_is_kept_in_the_browser(front: Desk) -> None:
    front.page.get_by_role("link", name=INES).click()
    expect(front.page.locator("#panel")).to_be_visible()
    front.page.keyboard.press("Escape")
    front.page.locator("#f-arrived").click()
    expect(front.row(TOBIAS)).to_have_count(0)
    front.page.get_by_role("searchbox").fill("fennick")
    front.looks_again()
    with front.page.expect_event("load"):
        front.page.go_back()
    kept = front.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state, location.href])")
    assert "ennick" not in kept
    assert "chterberg" not in kept
    assert front.page.evaluate("Object.entries(localStorage)") == []
    # htmx notes the address it stands at, filters and all: never what was searched for.
    noted = dict(front.page.evaluate("Object.entries(sessionStorage)"))
    assert set(noted) <= {"htmx-current-path-for-history"}
    assert all(re.fullmatch(r"/run-sheet(/[\d-]+(\?status=arrived)?)?", path) for path in noted.values()), noted


@pytest.mark.security("X12")
def test_after_signing_out_the_back_button_shows_nothing(front: Desk) -> None:
    expect(front.row(INES)).to_be_visible()
    front.page.locator("#me summary").click()
    front.page.get_by_role("button", name="Sign out").click()
    front.page.wait_for_url("**/login")
    front.page.go_back()
    front.page.wait_for_url(re.compile("/login"))
    expect(front.page.get_by_text(INES)).to_have_count(0)
