"""The run sheet under somebody's hands: by keyboard, while it changes, when nothing answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from app import clock
from app.domain.status import Status
from app.store import rows
from app.store.rows import Act
from tests.browser.desk import Desk, Practice, desk, running_practice
from tests.browser.stage import chromium
from tests.factories import Booking, Clinic
from tests.fixtures.databases import Sqlite
from tests.web.pages import DAY

pytestmark = pytest.mark.browser

INES, TOBIAS, MEI_LIN = "Ines Fennick", "Tobias Achterberg", "Mei-Lin Drummond"
TODAY = f"/run-sheet/{DAY}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def practice(tmp_path: Path, sqlite_databases: Sqlite) -> Iterator[Practice]:
    url = sqlite_databases.fresh()
    with running_practice(tmp_path / "home", url) as made:
        now = clock.now()
        made.clinic.books(
            Booking(INES, "9:30", Status.ARRIVED, arrived=now - timedelta(minutes=11)),
            Booking(TOBIAS, "9:50", Status.CONFIRMED),
            Booking(MEI_LIN, "9:45", Status.BOOKED, doctor="brightwater"),
            Booking("Odalys Rook", "9:00", Status.COMPLETED),
        )
        yield made
    sqlite_databases.drop(url)


@pytest.fixture
def clinic(practice: Practice) -> Clinic:
    return practice.clinic


@pytest.fixture
def front(browser: Browser, practice: Practice) -> Iterator[Desk]:
    """The front desk, signed in and looking at today."""
    made = desk(browser, practice).signs_in()
    yield made
    made.page.context.close()
    assert made.noisy or made.said == [], "the console is empty, also of Content-Security-Policy reports"


def somebody_else_moves(practice: Practice, name: str, to: Status) -> None:
    """A colleague presses a button elsewhere."""
    clinic = practice.clinic
    with practice.store.write() as session:
        row = rows.locked(session, clinic.id, clinic.row_id(name))
        act = Act(clinic.people["owner"].id, clock.now())
        rows.set_status(session, row, to, seen_version=row.row_version, act=act)


def keeps_busy(practice: Practice, times: int, desk: Desk) -> None:
    """So many live updates, each of which changes other rows."""
    for number in range(times):
        practice.clinic.books(Booking(f"Visitor {number:02}", f"{10 + number // 6}:{number % 6}0"))
        desk.looks_again()
        expect(desk.row(f"Visitor {number:02}")).to_be_visible()


# --- R04 --------------------------------------------------------------------------------------------------------------


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


# --- R06 --------------------------------------------------------------------------------------------------------------


def nothing_answers(front: Desk) -> None:
    front.noisy = True
    front.page.route("**/run-sheet/**", lambda route: route.abort())


@pytest.mark.feature("R06")
def test_the_time_in_a_status_ticks_by_itself(front: Desk) -> None:
    front.page.clock.install()
    front.opens()
    expect(front.row(INES).locator(".st")).to_have_text("Waiting 11 min")
    nothing_answers(front)
    front.page.clock.run_for(3 * 60_000)
    expect(front.row(INES).locator(".st")).to_have_text("Waiting 14 min")
    front.page.clock.fast_forward(50 * 60_000)
    front.page.clock.run_for(2_000)
    expect(front.row(INES).locator(".st")).to_contain_text("1 h 4 min")


@pytest.mark.feature("R06")
def test_a_wrong_clock_in_the_browser_does_not_bend_the_times(front: Desk) -> None:
    front.page.clock.install(time=clock.now() + timedelta(hours=5))
    front.opens()
    front.page.clock.run_for(1_500)
    expect(front.row(INES).locator(".st")).to_have_text("Waiting 11 min")
    expect(front.page.locator("[data-clock]")).to_have_text("09:42")


@pytest.mark.feature("R06")
def test_a_start_that_passes_turns_into_a_word_by_itself(front: Desk) -> None:
    front.page.clock.install()
    front.opens()
    expect(front.row(MEI_LIN).locator(".st")).to_have_text("Booked")
    nothing_answers(front)
    front.page.clock.run_for(9 * 60_000)
    expect(front.row(MEI_LIN).locator(".st")).to_have_text("Booked, late 6 min")
    expect(front.row(MEI_LIN)).to_have_class("is-late")


# --- R19 --------------------------------------------------------------------------------------------------------------


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


# --- R20 --------------------------------------------------------------------------------------------------------------


def beats(front: Desk, seconds: int = 40) -> int:
    """How often the page asks in that time."""
    front.polls.clear()
    for _ in range(seconds // 5):
        front.page.clock.run_for(5_000)
        front.page.wait_for_timeout(20)
    return len(front.polls)


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


# --- R21 --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R21")
def test_the_focus_stays_on_its_row_through_twenty_updates(front: Desk, practice: Practice) -> None:
    button = front.row(TOBIAS).get_by_role("button", name="Arrived")
    button.focus()
    row = front.row(TOBIAS).get_attribute("id")
    keeps_busy(practice, 20, front)
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
    somebody_else_moves(practice, TOBIAS, Status.ARRIVED)
    front.looks_again()
    expect(row.get_by_role("button", name="1 update held")).to_be_visible()
    expect(row.get_by_role("button", name="No-show")).to_be_visible()
    expect(row.locator(".st")).to_have_text("Confirmed")
    expect(front.page.locator("#f-arrived")).to_have_text("Waiting 2")  # what is not held goes on
    somebody_else_moves(practice, TOBIAS, Status.IN_PROGRESS)
    front.looks_again()
    row.get_by_role("button", name="2 updates held").click()
    expect(row.locator(".st")).to_contain_text("In call")
    expect(row.locator(".held")).to_have_count(0)


@pytest.mark.feature("R21")
def test_a_held_row_takes_what_it_missed_as_soon_as_its_menu_closes(front: Desk, practice: Practice) -> None:
    row = front.row(TOBIAS)
    row.locator("summary").click()
    somebody_else_moves(practice, TOBIAS, Status.ARRIVED)
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
    somebody_else_moves(practice, TOBIAS, Status.ARRIVED)
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
    keeps_busy(practice, 2, front)
    expect(front.row("Odalys Rook")).to_be_visible()


# --- R22 --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R22")
def test_the_page_grows_old_by_itself_when_nothing_answers(front: Desk) -> None:
    front.page.clock.install()
    front.opens()
    fresh, group = front.page.locator("[data-fresh]"), front.page.locator(".group").first
    expect(fresh).to_have_attribute("data-word", "live")
    expect(front.page.locator("[data-old-notice]")).to_be_hidden()
    # The server answers polls with "nothing new": the worker stands still, the page does not.
    front.page.route("**/run-sheet/**", lambda route: route.fulfill(status=204))
    for minutes, word, told in ((22, "live", "Live, 22 min ago"), (1, "ageing", "Ageing, read 23 min ago")):
        front.page.clock.run_for(minutes * 60_000)
        expect(fresh).to_have_attribute("data-word", word)
        expect(fresh).to_have_text(told)
        expect(group).to_have_attribute("data-word", word)
    front.page.clock.run_for(8 * 60_000)
    expect(fresh).to_have_text("Stale, read 31 min ago")
    expect(group.locator("[data-age]")).to_have_text("Stale, read 31 min ago")
    expect(front.page.locator("[data-old-notice]")).to_be_visible()
    expect(front.row(INES).locator(".st")).to_contain_text("Waiting at least")


@pytest.mark.feature("R22")
def test_offline_has_its_own_word_disables_actions_and_catches_up(front: Desk, clinic: Clinic) -> None:
    front.noisy = True
    front.page.context.set_offline(True)
    expect(front.page.locator("[data-fresh]")).to_have_text("Offline")
    expect(front.row(TOBIAS).get_by_role("button", name="Arrived")).to_be_disabled()
    expect(front.page.locator("#polite")).to_contain_text("Offline.")
    clinic.books(Booking("Priyanka Solheim", "10:10"))
    front.page.context.set_offline(False)
    expect(front.row("Priyanka Solheim")).to_be_visible()
    expect(front.row(TOBIAS).get_by_role("button", name="Arrived")).to_be_enabled()
    expect(front.page.locator("[data-fresh]")).to_contain_text("Live")


@pytest.mark.feature("R22")
def test_a_server_that_does_not_answer_is_told_apart_from_being_offline(front: Desk) -> None:
    def refuses(route: Route) -> None:
        route.abort("connectionrefused")

    front.noisy = True
    front.page.clock.install()
    front.opens()
    front.page.route("**/run-sheet/**", refuses)
    for _ in range(4):
        front.page.clock.run_for(5_000)
        front.page.wait_for_timeout(50)
    expect(front.page.locator("[data-fresh]")).to_have_text("No answer, trying again")
    front.page.unroute("**/run-sheet/**", refuses)
    front.page.clock.run_for(20_000)
    expect(front.page.locator("[data-fresh]")).to_contain_text("Live")


# --- R16, R17, R24, R25 in the page -----------------------------------------------------------------------------------


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
    somebody_else_moves(practice, TOBIAS, Status.ARRIVED)
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
    somebody_else_moves(practice, TOBIAS, Status.ARRIVED)
    row = front.row(TOBIAS)
    row.locator("summary").click()
    row.get_by_role("button", name="No-show").click()
    told = front.page.locator("tr.says")
    expect(told).to_contain_text("Changed by Owner Ash")
    expect(row.locator(".st")).to_contain_text("Waiting")
    keeps_busy(practice, 2, front)
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
    front.page.get_by_label("E-mail address").fill("reception@example.com")
    front.page.get_by_label("Password").fill("seven quiet herons at dusk")
    front.page.get_by_role("button", name="Sign in").click()
    front.page.wait_for_url(f"{practice.address}{TODAY}?status=arrived")


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


# --- how it looks to a checker ----------------------------------------------------------------------------------------


def the_login(front: Desk) -> None:
    front.page.context.clear_cookies()
    front.opens("/login")


def the_sheet(front: Desk) -> None:
    front.opens()


def an_open_menu(front: Desk) -> None:
    front.opens()
    front.row(TOBIAS).locator("summary").click()


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
    clinic.absent(TOBIAS)
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


# --- what a browser must refuse, and forget ---------------------------------------------------------------------------


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
    assert front.page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0


@pytest.mark.security("X12")
def test_after_signing_out_the_back_button_shows_nothing(front: Desk) -> None:
    expect(front.row(INES)).to_be_visible()
    front.page.locator("#me summary").click()
    front.page.get_by_role("button", name="Sign out").click()
    front.page.wait_for_url("**/login")
    front.page.go_back()
    front.page.wait_for_url(re.compile("/login"))
    expect(front.page.get_by_text(INES)).to_have_count(0)
