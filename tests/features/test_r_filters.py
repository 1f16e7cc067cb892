"""R: filters in the address, remembered for each person, and always said out loud; the search in the day."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from app.domain.status import Status
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Page, Visit

SHEET = "/run-sheet"
TODAY = f"/run-sheet/{DAY}"


@pytest.fixture
def day(clinic: Clinic) -> Clinic:
    clinic.books(
        Booking("Ines Fennick", "9:30", Status.IN_PROGRESS),
        Booking("Tobias Achterberg", "9:50", Status.ARRIVED, type_id="t2", type_name="New patient, video"),
        Booking("Mei-Lin Drummond", "9:45", Status.ARRIVED, doctor="brightwater"),
        Booking("Rua Tane", "10:00", doctor="locum"),
        doctors={"locum": "Dr Quillon Newcomer"},
    )
    return clinic


@pytest.mark.feature("R13")
def test_filtering_by_clinician_leaves_the_others_out_and_counts_what_it_hides(day: Clinic, reception: Visit) -> None:
    page = reception.page(f"{TODAY}?clinician={day.clinicians['brightwater']}")
    assert page.names == ["Mei-Lin Drummond"]
    assert "Only Dr Samuel Brightwater: 3 of 4 hidden. Clear filters" in page
    both = reception.page(f"{TODAY}?clinician={day.clinicians['brightwater']}&clinician={day.clinicians['marlowe']}")
    assert both.names == ["Ines Fennick", "Tobias Achterberg", "Mei-Lin Drummond"]


@pytest.mark.feature("R14")
def test_filtering_by_status_is_a_press_on_its_count(day: Clinic, reception: Visit) -> None:
    page = reception.page(TODAY)
    wanted = re.search(r'id="f-arrived" name="filters" value="([^"]*)" aria-pressed="false"', page.html)
    assert wanted
    assert wanted[1] == "status=arrived"
    waiting = reception.page(f"{TODAY}?{wanted[1]}")
    assert waiting.names == ["Tobias Achterberg", "Mei-Lin Drummond"]
    assert "Only Waiting: 2 of 4 hidden." in waiting
    assert "All 4" in waiting  # counts are the day's, whatever is filtered
    two = reception.page(f"{TODAY}?status=arrived&status=in_progress")
    assert len(two.names) == 3


@pytest.mark.feature("R13")
@pytest.mark.feature("R14")
def test_what_is_chosen_is_pressed_and_a_second_press_takes_it_away(day: Clinic, reception: Visit) -> None:
    brightwater = day.clinicians["brightwater"]
    html = reception.page(f"{TODAY}?clinician={brightwater}&status=arrived").html
    pressed = re.findall(r'name="filters" value="([^"]*)" aria-pressed="true">(?:<svg.*?</svg>)?([\w ]+)', html)
    assert pressed == [(f"clinician={brightwater}", "Waiting "), ("status=arrived", "Dr Samuel Brightwater")]


@pytest.mark.feature("R15")
def test_filtering_by_type(day: Clinic, reception: Visit) -> None:
    page = reception.page(f"{TODAY}?type=t2")
    assert page.names == ["Tobias Achterberg"]
    assert "Only New patient, video: 3 of 4 hidden." in page
    assert 'value="type=t2"' in reception.page(TODAY).html


@pytest.mark.feature("R16")
def test_filters_are_in_the_address_and_come_back_for_the_person_who_chose_them(
    day: Clinic, reception: Visit, owner: Visit
) -> None:
    answer = reception.post(f"{TODAY}/filters", {"filters": "status=arrived&type=t2"})
    assert (answer.status_code, answer.location) == (303, f"{TODAY}?status=arrived&type=t2")
    assert reception.page(SHEET).names == ["Tobias Achterberg"]
    assert reception.page("/run-sheet/2026-03-20").attribute("hx-get").count("status=arrived") == 1
    assert len(owner.page(SHEET).names) == 4


@pytest.mark.feature("R16")
def test_a_chosen_clinician_is_remembered_too(day: Clinic, reception: Visit) -> None:
    reception.post(f"{TODAY}/filters", {"filters": f"clinician={day.clinicians['brightwater']}"})
    assert reception.page(SHEET).names == ["Mei-Lin Drummond"]


@pytest.mark.feature("R16")
def test_clearing_the_filters_forgets_them(day: Clinic, reception: Visit) -> None:
    reception.post(f"{TODAY}/filters", {"filters": "status=arrived"})
    clear = re.search(r'name="filters" value="([^"]*)" data-clear>Clear filters', reception.page(SHEET).html)
    assert clear
    assert clear[1] == ""
    assert reception.post(f"{TODAY}/filters", {"filters": clear[1]}).location == TODAY
    assert len(reception.page(SHEET).names) == 4


@pytest.mark.feature("R16")
def test_an_address_with_filters_is_shown_as_it_is_and_remembers_nothing(day: Clinic, reception: Visit) -> None:
    assert reception.page(f"{TODAY}?status=in_progress").names == ["Ines Fennick"]
    assert len(reception.page(SHEET).names) == 4


@pytest.mark.feature("R16")
def test_with_htmx_the_block_comes_back_and_the_address_follows(day: Clinic, reception: Visit) -> None:
    answer = reception.post(f"{TODAY}/filters", {"filters": "status=arrived"}, htmx=True)
    assert answer.headers["HX-Push-Url"] == f"{TODAY}?status=arrived"
    assert answer.text.lstrip().startswith('<div id="board"')
    assert Page(answer.text).names == ["Tobias Achterberg", "Mei-Lin Drummond"]


@pytest.mark.feature("R16")
def test_the_polled_address_carries_the_filters(day: Clinic, reception: Visit) -> None:
    page = reception.page(f"{TODAY}?status=arrived")
    assert page.attribute("hx-get") == f"{TODAY}?status=arrived&seen={page.stamp}"


def test_a_clinician_sees_the_own_group_by_default_and_may_ask_for_all(day: Clinic, doctor: Visit) -> None:
    page = doctor.page(SHEET)
    assert page.groups == ["Dr Odette Marlowe"]
    assert "Only Dr Odette Marlowe: 2 of 4 hidden. Show everyone" in page
    everyone = re.search(r'name="filters" value="([^"]*)" data-clear>Show everyone', page.html)
    assert everyone
    assert doctor.post(f"{TODAY}/filters", {"filters": everyone[1]}).status_code == 303
    assert len(doctor.page(SHEET).groups) == 3


# --- R17 --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R17")
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("fennick", ["Ines Fennick"]),
        ("ach tob", ["Tobias Achterberg"]),
        ("9:45", ["Mei-Lin Drummond"]),
        ("new patient", ["Tobias Achterberg"]),
        ("newcomer", ["Rua Tane"]),
        ("zzz", []),
    ],
)
def test_the_search_finds_by_name_time_type_and_clinician(
    day: Clinic, reception: Visit, typed: str, found: list[str]
) -> None:
    assert reception.page(TODAY + "?seen=", htmx=True, X_Find=quote(typed)).names == found
    without_a_script = reception.post(f"{TODAY}/find", {"q": typed})
    assert Page(without_a_script.text).names == found
    assert reception.page(f"{TODAY}?q={quote(typed)}").names == found


@pytest.mark.feature("R17")
def test_a_search_says_what_it_hides_and_keeps_the_filters(day: Clinic, reception: Visit) -> None:
    answer = reception.post(f"{TODAY}/find", {"q": "dru", "filters": "status=arrived"})
    page = Page(answer.text)
    assert page.names == ["Mei-Lin Drummond"]
    assert "Only Waiting · “dru”: 3 of 4 hidden." in page
    assert 'value="dru"' in page.html


@pytest.mark.feature("R17")
def test_a_press_on_a_filter_keeps_the_open_search(day: Clinic, reception: Visit) -> None:
    answer = reception.post(f"{TODAY}/filters", {"filters": "status=arrived"}, htmx=True, X_Find="dru")
    assert Page(answer.text).names == ["Mei-Lin Drummond"]


@pytest.mark.security("X28")
def test_no_address_the_page_makes_carries_what_somebody_searched_for(day: Clinic, reception: Visit) -> None:
    searched = reception.post(f"{TODAY}/find", {"q": "fennick"}).text
    addresses = re.findall(r'(?:href|action|hx-get|hx-post)="([^"]*)"', searched)
    assert len(addresses) > 10
    assert not [address for address in addresses if "fennick" in address.lower()]
    chosen = reception.post(f"{TODAY}/filters", {"filters": "status=in_progress"}, htmx=True, X_Find="fennick")
    assert chosen.headers["HX-Push-Url"] == f"{TODAY}?status=in_progress"
    assert "fennick" not in reception.page(SHEET).html.replace("Ines Fennick", "").lower()
