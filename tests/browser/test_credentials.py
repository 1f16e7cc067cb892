"""Connecting with typed credentials in a real browser: by keyboard, without a script, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET, PARTNER_ID
from tests.browser.stage import House, Stage, Visitor, running_stage, visitor
from tests.fixtures.databases import Sqlite
from tests.sandbox.process import running_sandbox

pytestmark = pytest.mark.browser

REFUSED = "ezyVet did not accept these credentials."


@pytest.fixture(scope="module")
def stage(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, sqlite_databases: Sqlite, redis_server: str
) -> Iterator[Stage]:
    url, home = sqlite_databases.fresh(), tmp_path_factory.mktemp("stage")
    with running_sandbox("empty", tenants=3) as sandbox:
        sandbox.control("ezyvet/knobs", per_endpoint=100_000, overall=100_000)
        ezyvet = {"EZYVET_BASE_URL": sandbox.ezyvet_url, "EZYVET_REQUESTS_PER_MINUTE": "100000"}
        with running_stage(home, url, redis_server, sandbox, **ezyvet) as made:
            yield made
    sqlite_databases.drop(url)


@pytest.fixture
def house(stage: Stage) -> Iterator[House]:
    yield stage.house()
    print(stage.said)  # shown where the test fails


def begins(who: Visitor) -> None:
    """At the first step of a draft."""
    who.goes_to("/connections/new")
    who.page.get_by_label("ezyVet").check()
    who.page.get_by_role("button", name="Go on").click()
    who.page.wait_for_url("**/pair/code")


@pytest.mark.feature("A01")
def test_credentials_are_typed_by_keyboard_refused_mended_and_changed_later(browser: Browser, house: House) -> None:
    ada = visitor(browser, house)
    page = ada.signs_in().page
    begins(ada)
    ada.finds_nothing_to_mend()
    page.reload()
    expect(page.get_by_label("Partner ID")).to_be_focused()  # the first field
    page.keyboard.press("Tab")
    page.keyboard.type(CLIENT_ID)
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")

    alert = page.get_by_role("alert").filter(has_text=REFUSED)
    expect(alert).to_be_focused()
    expect(page.get_by_label("Client ID")).to_have_value(CLIENT_ID)
    expect(page.get_by_label("Client secret")).to_have_value("")
    ada.finds_nothing_to_mend()
    ada.said.clear()  # the 422 of the refusal

    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    for name in ("Yes, that is us", "Save and go on"):
        page.get_by_role("button", name=name).click()
    every = page.get_by_role("checkbox", name="Read appointments of every type")
    expect(every).not_to_be_checked()
    ada.finds_nothing_to_mend()
    every.focus()
    page.keyboard.press("Space")
    for name in ("Save and go on", "It is right, go on", "Go live"):
        page.get_by_role("button", name=name).click()
    expect(page.locator(".setup")).to_contain_text(f"by Ada Ash: Client ID ends in {CLIENT_ID[-4:]}; Client secret is")
    expect(page.locator("#sync-live")).to_contain_text("read by", timeout=60_000)
    ada.finds_nothing_to_mend()

    page.get_by_role("link", name="Change the credentials").click()
    expect(page.get_by_label("Client ID")).to_have_value("")
    ada.finds_nothing_to_mend()
    page.get_by_label("Partner ID").fill(PARTNER_ID)
    page.get_by_role("button", name="Test and save").click()
    expect(page.get_by_role("status").filter(has_text="The new credentials work and are saved.")).to_be_visible()
    assert [one for one in ada.said if "/pair/credentials" in one] == []
    assert ada.said == []
    page.context.close()


@pytest.mark.feature("A01")
def test_without_a_script_it_is_the_same(browser: Browser, house: House) -> None:
    rough = visitor(browser, house, java_script_enabled=False)
    page = rough.signs_in().page
    begins(rough)
    page.get_by_label("Client ID").fill("wrong")
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert").filter(has_text=REFUSED)).to_be_visible()
    page.get_by_label("Client ID").fill(CLIENT_ID)
    page.get_by_label("Client secret").fill(CLIENT_SECRET)
    page.get_by_label("Division ID").fill("2")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    page.context.close()
