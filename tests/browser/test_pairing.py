"""From sign-in to a cancellation that arrives by itself, in a real browser, against everything that is real."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.stage import House, Stage, Visitor, running_stage, visitor
from tests.fixtures.databases import Sqlite
from tests.sandbox.process import running_sandbox

pytestmark = pytest.mark.browser

CONSULTATION, REVIEW, ROOMS = "Telehealth Consultation", "Review - Video", "Rooms - Long"


@pytest.fixture(scope="module")
def stage(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, sqlite_databases: Sqlite, redis_server: str
) -> Iterator[Stage]:
    url, home = sqlite_databases.fresh(), tmp_path_factory.mktemp("stage")
    with (
        running_sandbox("empty", tenants=5) as sandbox,
        running_stage(home, url, redis_server, sandbox) as made,
    ):
        yield made
    sqlite_databases.drop(url)


@pytest.fixture
def house(stage: Stage) -> Iterator[House]:
    yield stage.house()
    print(stage.said)  # shown where the test fails


@contextmanager
def somebody(browser: Browser, house: House, who: str = "ada", **options: object) -> Iterator[Visitor]:
    """Signed in, in a window of their own."""
    made = visitor(browser, house, **options)
    try:
        yield made.signs_in(who)
    finally:
        made.page.context.close()


@pytest.fixture
def ada(browser: Browser, house: House) -> Iterator[Visitor]:
    """The admin."""
    with somebody(browser, house) as made:
        yield made


def connection_of(ada: Visitor) -> UUID:
    found = re.search(r"/connections/([0-9a-f-]{36})", ada.page.url)
    assert found, ada.page.url
    return UUID(found[1])


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.feature("A01")
@pytest.mark.feature("A09")
@pytest.mark.feature("A25")
@pytest.mark.feature("A26")
def test_from_sign_in_through_pairing_to_a_cancellation_that_arrives_by_itself(
    browser: Browser, house: House, ada: Visitor
) -> None:
    page = ada.page
    visit = house.books("12:00", CONSULTATION, "Fennick")
    house.books("12:15", REVIEW, "Achterberg")
    house.books("12:30", ROOMS, "Solheim")
    connection_id = pairs_maps_and_goes_live(ada)

    # The first sync is watched to its end, and the page follows.
    expect(page.locator("#sync-live")).to_contain_text("1 new.", timeout=60_000)
    expect(page.locator("#body")).to_contain_text("Healthy")
    expect(page.locator(".runs")).to_contain_text("Ada Ash paired it")

    with somebody(browser, house, "rex") as rex:
        # The receptionist has the sheet open from here to the end.
        expect(row_of(rex.page, "Ines Fennick")).to_contain_text("Booked")
        expect(rex.page.locator("#board")).not_to_contain_text("Achterberg")
        opened = rex.loaded_at()

        # A type is toggled with its consequences shown first, and Sync now is pressed.
        ada.goes_to(f"/connections/{connection_id}/types")
        page.get_by_label(REVIEW).check()
        press(page, "See what it does")
        expect(page.locator(".weigh")).to_contain_text(f"{REVIEW} on: 1 more today, 1 in 7 days.")
        expect(page.locator(".weigh")).to_be_focused()
        press(page, "Apply")
        expect(page.get_by_label(REVIEW)).to_be_checked()
        ada.goes_to(f"/connections/{connection_id}")
        page.get_by_role("button", name="Sync now").click()
        expect(page.locator("#sync-live")).to_contain_text(re.compile(r"Started|Joined|Just done"))
        expect(row_of(rex.page, "Ines Achterberg")).to_contain_text("Booked", timeout=60_000)
        expect(rex.page.locator("#board")).not_to_contain_text("Solheim")

        # A cancellation in the PMS arrives by itself: nobody presses, nothing is reloaded.
        house.orders(f"appointments/{visit}/cancel")
        house.comes_due(connection_id)
        fold = rex.page.get_by_text("1 cancelled", exact=True)
        expect(fold).to_be_visible(timeout=60_000)
        expect(row_of(rex.page, "Ines Fennick")).to_be_hidden()
        fold.click()
        expect(row_of(rex.page, "Ines Fennick")).to_contain_text("Cancelled")
        expect(row_of(rex.page, "Ines Achterberg")).to_contain_text("Booked")
        assert rex.loaded_at() == opened, "the page is the one that was opened"
        assert rex.said == []
    assert ada.said == []


def pairs_maps_and_goes_live(ada: Visitor) -> UUID:
    """From the empty sheet through every step of the wizard, looking at each."""
    page, house = ada.page, ada.house
    page.get_by_role("link", name="Connect").first.click()
    page.get_by_role("link", name="Connect a system").click()
    page.get_by_label("Gentu").check()
    press(page, "Go on")
    page.get_by_label("Pairing code").fill(house.pairing_code())
    press(page, "Pair")
    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    expect(page.locator(".who-big")).to_have_text(house.name)
    press(page, "Test")
    expect(page.locator(".tested")).to_contain_text("It works")
    press(page, "Yes, that is us")

    # Everybody gets a column, one type is ticked.
    press(page, "Fill in suggestions")
    for person in page.locator(".person select").all():
        expect(person).to_have_value("new")
    press(page, "Save and go on")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    page.get_by_label(CONSULTATION).check()
    press(page, "Save and go on")

    # Today as it would be; nothing on the sheet yet.
    expect(page.locator("#dry")).to_contain_text("Ines Fennick")
    expect(page.locator("#dry")).to_contain_text("3 records for today: 1 on the sheet, 2 not shown")
    press(page, "It is right, go on")
    page.get_by_label("Minutes between two syncs").fill("1")
    press(page, "Go live")
    page.get_by_text("is live. The first sync").wait_for()
    return connection_of(ada)


@pytest.mark.feature("A01")
def test_the_wizard_is_walked_with_the_keyboard_alone(ada: Visitor, house: House) -> None:
    page = ada.page
    house.books("12:00", CONSULTATION, "Fennick")
    ada.goes_to("/connections/new")

    def reach(name: str, role: str = "button") -> None:
        """Tab to it, then press it."""
        wanted = page.get_by_role(role, name=name)  # type: ignore[arg-type]
        wanted.wait_for()
        for _ in range(80):
            if wanted.evaluate("element => element === document.activeElement"):
                page.keyboard.press("Space" if role in ("checkbox", "radio") else "Enter")
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"“{name}” is not reached with Tab on {page.url}")

    reach("AVImark", "radio")  # one stop for all of them: arrows go from one to the next
    while not page.get_by_role("radio", name="Gentu").is_checked():
        page.keyboard.press("ArrowDown")
    reach("Go on")
    page.wait_for_url("**/pair/code")
    page.keyboard.type(house.pairing_code())  # the field has the focus
    page.keyboard.press("Enter")
    page.wait_for_url("**/pair/identity")
    reach("Yes, that is us")
    page.wait_for_url("**/pair/clinicians")
    reach("Fill in suggestions")
    reach("Save and go on")
    page.wait_for_url("**/pair/types")
    reach(CONSULTATION, "checkbox")
    reach("Save and go on")
    page.wait_for_url("**/pair/preview")
    expect(page.locator("#dry")).to_contain_text("Ines Fennick")
    reach("It is right, go on")
    page.wait_for_url("**/pair/live")
    reach("Go live")
    page.get_by_text("is live. The first sync").wait_for()
    assert ada.said == []


@pytest.mark.feature("A01")
@pytest.mark.feature("A02")
@pytest.mark.feature("A03")
@pytest.mark.feature("A09")
def test_everything_is_done_with_plain_forms_where_no_script_runs(browser: Browser, house: House) -> None:
    house.books("12:00", CONSULTATION, "Fennick")
    with somebody(browser, house, java_script_enabled=False) as ada:
        page = ada.page
        ada.goes_to("/connections/new")
        page.get_by_label("Gentu").check()
        press(page, "Go on")
        page.get_by_label("Pairing code").fill("no code")
        press(page, "Pair")
        expect(page.locator("#e-code")).to_contain_text("A pairing code has 8 letters or digits.")
        page.get_by_label("Pairing code").fill(house.pairing_code())
        press(page, "Pair")
        press(page, "Test")
        expect(page.locator(".tested")).to_contain_text("It works")
        page.get_by_role("link", name="Back to pairing").click()
        press(page, "Yes, that is us")
        press(page, "Fill in suggestions")
        press(page, "Save and go on")
        page.get_by_label(CONSULTATION).check()
        press(page, "Save and go on")
        page.get_by_role("link", name="Read today").click()
        expect(page.locator("#dry")).to_contain_text("Ines Fennick")
        press(page, "It is right, go on")
        press(page, "Go live")
        connection_id = connection_of(ada)
        ada.goes_to(f"/connections/{connection_id}/types")
        page.get_by_label(REVIEW).check()
        press(page, "See what it does")
        press(page, "Apply")
        expect(page.get_by_label(REVIEW)).to_be_checked()
        ada.goes_to(f"/connections/{connection_id}")
        page.get_by_role("button", name="Sync now").click()
        again = page.get_by_role("link", name="Look again")
        for _ in range(120):
            if not again.count():
                break
            page.wait_for_timeout(250)
            again.click()
        expect(page.locator("#sync-live")).to_contain_text(re.compile(r"1 new|Nothing changed"))
        page.get_by_role("link", name="Back", exact=True).click()
        ada.goes_to("/run-sheet")
        expect(row_of(page, "Ines Fennick")).to_be_visible()
        assert [one for one in ada.said if "422" not in one] == []  # the code that was refused


def test_the_checker_finds_nothing_on_any_of_these_pages_light_or_dark_or_narrow(ada: Visitor, house: House) -> None:
    page, look = ada.page, ada.finds_nothing_to_mend
    house.books("12:00", CONSULTATION, "Fennick")
    odd = house.books("12:20", CONSULTATION, "Solheim")
    house.orders("raw", id=odd, fields={"status": "pencilled"})
    for path in ("/connections", "/sync-history", "/connections/new"):
        ada.goes_to(path)
        look()
    page.get_by_label("Gentu").check()
    press(page, "Go on")
    look()
    page.get_by_label("Pairing code").fill("no code")
    press(page, "Pair")
    look()
    page.get_by_label("Pairing code").fill(house.pairing_code())
    press(page, "Pair")
    press(page, "Test")
    page.locator(".tested").wait_for()
    look()
    connection = f"/connections/{connection_of(ada)}"
    press(page, "Yes, that is us")
    press(page, "Fill in suggestions")
    look()
    press(page, "Save and go on")
    look()
    page.get_by_label(CONSULTATION).check()
    press(page, "Save and go on")
    page.get_by_text("Reload").wait_for()
    look()
    press(page, "It is right, go on")
    look()
    press(page, "Go live")
    expect(page.locator("#sync-live")).to_contain_text("2 new", timeout=60_000)
    for path in ("", "/clinicians", "/types", "/statuses", "/pair/code"):
        ada.goes_to(connection + path)
        look()
    ada.goes_to(f"{connection}/types")
    page.get_by_label(ROOMS).check()
    press(page, "See what it does")
    look()
    for path in ("/connections", "/sync-history"):
        ada.goes_to(path)
        look()
    page.locator(".run-what").first.click()
    look()
    ada.goes_to("/run-sheet")
    press(page, "Sync now")
    expect(page.locator("#sync-live")).to_contain_text("Details")
    look()
    assert [one for one in ada.said if "422" not in one] == []  # the code that was refused
