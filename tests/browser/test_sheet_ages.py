"""The run sheet as time goes on: timers, lateness, the age of the truth, and what is said when nothing answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Route, expect

from app import clock
from app.store.models.connection import ConnectionState
from tests.browser.conftest import INES, MEI_LIN, TOBIAS
from tests.browser.desk import Desk, Practice
from tests.factories import Booking, Clinic

pytestmark = pytest.mark.browser


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


@pytest.mark.feature("R22")
def test_a_source_that_is_down_is_told_on_the_open_page_with_the_age_of_what_stands_there(
    front: Desk, practice: Practice
) -> None:
    expect(front.page.locator(".notice.bad")).to_have_count(0)
    practice.clinic.swept(at=clock.now() - timedelta(minutes=12))
    practice.clinic.sick()
    front.looks_again()
    told = front.page.locator(".notice.bad")
    expect(told).to_contain_text("Gentu: needs you.")
    expect(told).to_contain_text("The sheet keeps the last rows it got and shows their age")
    expect(told).to_contain_text("Last good read: 09:42.")
    expect(front.page.locator("[data-fresh]")).to_have_text("Broken, read 12 min ago")
    expect(front.row(INES)).to_be_visible()
    expect(front.row(INES).locator(".st")).to_contain_text("Waiting at least")
    practice.clinic.connection(state=ConnectionState.ACTIVE, state_reason=None)
    practice.clinic.healthy()
    practice.clinic.swept()
    front.looks_again()
    expect(told).to_have_count(0)
    expect(front.page.locator("[data-fresh]")).to_contain_text("Live")
