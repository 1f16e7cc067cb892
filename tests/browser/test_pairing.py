"""From sign-in to a cancellation that arrives by itself, in a real browser, against everything that is real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.stage import Stage, Visitor, chromium, running_stage, visitor
from tests.fixtures.databases import Sqlite
from tests.sandbox.process import running_sandbox

pytestmark = pytest.mark.browser

VIDEO, PROCEDURE = "Video Follow-up", "Procedure"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def stage(browser: Browser, tmp_path: Path, sqlite_databases: Sqlite, redis_url: str) -> Iterator[Stage]:
    """The practice of the original document with an empty book, and nothing connected to it."""
    url = sqlite_databases.fresh()
    with running_sandbox(clinic="empty") as sandbox, running_stage(tmp_path / "home", url, redis_url, sandbox) as made:
        yield made
    sqlite_databases.drop(url)


@pytest.fixture
def ada(browser: Browser, stage: Stage) -> Iterator[Visitor]:
    """The admin, signed in."""
    made = visitor(browser, stage)
    made.signs_in()
    yield made
    made.page.context.close()


def books(stage: Stage, at: str, type_: str, family: str) -> str:
    patient = {"family": family, "given": "Ines"}
    return str(stage.sandbox.control("appointments", time=at, type=type_, patient=patient)["id"])


def connection_of(ada: Visitor) -> UUID:
    found = re.search(r"/connections/([0-9a-f-]{36})", ada.page.url)
    assert found, ada.page.url
    return UUID(found[1])


def pairs(ada: Visitor) -> None:
    """Up to “is this you?”."""
    ada.goes_to("/connections/new")
    ada.page.get_by_role("button", name="Go on").click()
    ada.page.get_by_label("Pairing code").fill(ada.stage.sandbox.pairing_code())
    ada.page.get_by_role("button", name="Pair", exact=True).click()
    ada.page.get_by_text("Smith Medical Centre").wait_for()


def goes_live(ada: Visitor) -> UUID:
    """The rest of the wizard, with the video type ticked."""
    page = ada.page
    pairs(ada)
    page.get_by_role("button", name="Yes, that is us").click()
    page.get_by_role("button", name="Fill in suggestions").click()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_label(VIDEO).check()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("button", name="It is right, go on").click()
    page.get_by_label("Minutes between two syncs").fill("1")
    page.get_by_role("button", name="Go live").click()
    page.get_by_text("is live. The first sync").wait_for()
    return connection_of(ada)


@pytest.mark.feature("A01")
def test_from_sign_in_through_pairing_to_a_cancellation_that_arrives_by_itself(ada: Visitor, stage: Stage) -> None:
    page = ada.page
    visit = books(stage, "12:00", VIDEO, "Fennick")
    books(stage, "12:30", PROCEDURE, "Solheim")

    # The empty sheet leads to the wizard, and the wizard through the code.
    page.get_by_role("link", name="Connect").first.click()
    page.get_by_role("link", name="Connect a system").click()
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Pairing code").fill(stage.sandbox.pairing_code())
    page.get_by_role("button", name="Pair", exact=True).click()
    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    expect(page.locator(".who-big")).to_have_text("Smith Medical Centre")
    page.get_by_role("button", name="Test").click()
    expect(page.locator(".tested")).to_contain_text("It answers")
    page.get_by_role("button", name="Yes, that is us").click()

    # Everybody gets a column, one type is ticked.
    page.get_by_role("button", name="Fill in suggestions").click()
    expect(page.get_by_label("Dr John Smith")).to_have_value("new")
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_label(VIDEO)).not_to_be_checked()
    page.get_by_label(VIDEO).check()
    page.get_by_role("button", name="Save and go on").click()

    # Today as it would be; nothing on the sheet yet.
    expect(page.locator("#dry")).to_contain_text("Ines Fennick")
    expect(page.locator("#dry")).to_contain_text("2 records for today: 1 on the sheet, 1 not shown")
    page.get_by_role("button", name="It is right, go on").click()
    page.get_by_label("Minutes between two syncs").fill("1")
    page.get_by_role("button", name="Go live").click()

    # The first sync is watched to its end, and the page follows.
    connection_id = connection_of(ada)
    expect(page.locator("#sync-live")).to_contain_text("1 new.", timeout=30_000)
    expect(page.locator("#body")).to_contain_text("Healthy")
    expect(page.locator(".runs")).to_contain_text("Ada Ash paired it")

    # Sync now on the sheet brings what was booked meanwhile.
    later = books(stage, "12:15", VIDEO, "Achterberg")
    ada.goes_to("/run-sheet")
    row = page.get_by_role("row").filter(has_text="Ines Fennick")
    expect(row).to_contain_text("Booked")
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator("#sync-live")).to_contain_text(re.compile(r"Started|Joined|Just done|new"))
    expect(page.get_by_role("row").filter(has_text="Ines Achterberg")).to_be_visible(timeout=75_000)
    assert later != visit

    # A cancellation in the PMS arrives on the open page by itself.
    stage.sandbox.control(f"appointments/{visit}/cancel")
    stage.comes_due(connection_id)
    expect(page.locator("#board")).to_contain_text("1 cancelled", timeout=60_000)
    expect(page.get_by_role("button", name=re.compile("Cancelled 1"))).to_be_visible()
    assert ada.said == []


@pytest.mark.feature("A25")
def test_a_type_is_toggled_with_its_consequences_shown_first(ada: Visitor, stage: Stage) -> None:
    page = ada.page
    books(stage, "12:00", VIDEO, "Fennick")
    books(stage, "12:30", PROCEDURE, "Solheim")
    connection_id = goes_live(ada)
    expect(page.locator("#sync-live")).to_contain_text("1 new.", timeout=30_000)
    ada.goes_to(f"/connections/{connection_id}/types")
    page.get_by_label(PROCEDURE).check()
    page.get_by_role("button", name="See what it does").click()
    expect(page.locator(".weigh")).to_contain_text("Procedure on: 1 more today, 1 in 7 days.")
    expect(page.locator(".weigh")).to_be_focused()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_label(PROCEDURE)).to_be_checked()
    ada.goes_to("/run-sheet")
    expect(page.get_by_role("row").filter(has_text="Ines Solheim")).to_be_visible(timeout=60_000)
    assert ada.said == []


@pytest.mark.feature("A01")
def test_the_wizard_is_walked_with_the_keyboard_alone(ada: Visitor, stage: Stage) -> None:
    page = ada.page
    books(stage, "12:00", VIDEO, "Fennick")
    ada.goes_to("/connections/new")

    def press(name: str, role: str = "button") -> None:
        """Tab to it, then press it."""
        wanted = page.get_by_role(role, name=name)  # type: ignore[arg-type]
        wanted.wait_for()
        for _ in range(80):
            if wanted.evaluate("element => element === document.activeElement"):
                page.keyboard.press("Space" if role in ("checkbox", "radio") else "Enter")
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"“{name}” is not reached with Tab on {page.url}")

    press("Go on")
    page.wait_for_url("**/pair/code")
    page.keyboard.type(stage.sandbox.pairing_code())  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/pair/identity")
    press("Yes, that is us")
    page.wait_for_url("**/pair/clinicians")
    press("Fill in suggestions")
    press("Save and go on")
    page.wait_for_url("**/pair/types")
    press(VIDEO, "checkbox")
    press("Save and go on")
    page.wait_for_url("**/pair/preview")
    expect(page.locator("#dry")).to_contain_text("Ines Fennick")
    press("It is right, go on")
    page.wait_for_url("**/pair/live")
    press("Go live")
    page.get_by_text("is live. The first sync").wait_for()
    assert ada.said == []


def test_the_checker_finds_nothing_on_any_of_these_pages_light_or_dark(ada: Visitor, stage: Stage) -> None:
    page = ada.page
    books(stage, "12:00", VIDEO, "Fennick")
    odd = books(stage, "12:20", VIDEO, "Solheim")
    stage.sandbox.control("raw", id=odd, fields={"status": "pencilled"})

    def look(path: str = "") -> None:
        if path:
            ada.goes_to(path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            ada.finds_nothing_to_mend()

    look("/connections")
    look("/sync-history")
    look("/connections/new")
    page.get_by_role("button", name="Go on").click()
    look()
    page.get_by_label("Pairing code").fill("abcd1234")
    page.get_by_role("button", name="Pair", exact=True).click()
    look()
    pairs(ada)
    look()
    connection = f"/connections/{connection_of(ada)}"
    page.get_by_role("button", name="Test").click()
    page.locator(".tested").wait_for()
    page.get_by_role("button", name="Yes, that is us").click()
    look()
    page.get_by_role("button", name="Fill in suggestions").click()
    page.get_by_role("button", name="Save and go on").click()
    look()
    page.get_by_label(VIDEO).check()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_text("Reload").wait_for()
    look()
    page.get_by_role("button", name="It is right, go on").click()
    look()
    page.get_by_role("button", name="Go live").click()
    expect(page.locator("#sync-live")).to_contain_text("2 new", timeout=30_000)
    look()
    for path in ("", "/clinicians", "/types", "/statuses", "/pair/code"):
        look(connection + path)
    ada.goes_to(f"{connection}/types")
    page.get_by_label(PROCEDURE).check()
    page.get_by_role("button", name="See what it does").click()
    look()
    look("/connections")
    look("/sync-history")
    page.locator(".run-what").first.click()
    look()
    ada.goes_to("/run-sheet")
    page.get_by_role("button", name="Sync now").click()
    expect(page.locator("#sync-live")).to_contain_text("Details")
    look()
    assert [one for one in ada.said if "422" not in one] == []  # the code that was refused
