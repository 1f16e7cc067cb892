"""R: the page keeps itself up to date, cheaply, and says how old the truth is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import time_machine

from app import clock
from app.domain.status import Status
from app.store.db import Store
from app.store.models.connection import ConnectionState
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Visit, named, statements

SHEET = "/run-sheet"
TODAY = f"/run-sheet/{DAY}"


def polled(visit: Visit, stamp: str, more: str = "") -> int:
    return visit.get(f"{TODAY}?{more}seen={stamp}", htmx=True).status_code


@pytest.mark.feature("R19")
def test_an_unchanged_sheet_answers_nothing_at_the_cost_of_one_statement(
    clinic: Clinic, reception: Visit, store: Store
) -> None:
    clinic.books(*(Booking(f"Patient {n}", "9:30") for n in range(60)))
    stamp = reception.page(SHEET).stamp
    with statements(store) as sent:
        answer = reception.get(f"{TODAY}?seen={stamp}", htmx=True)
    assert (answer.status_code, answer.data) == (204, b"")
    assert [named(one) for one in sent] == ["SELECT user_sessions"]


def a_booking(clinic: Clinic) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))


def a_sweep(clinic: Clinic) -> None:
    clinic.swept(at=clock.now() + timedelta(seconds=1))


def a_fault(clinic: Clinic) -> None:
    clinic.sick()


def a_vanished_row(clinic: Clinic) -> None:
    clinic.removes("Wiremu Castellane")


@pytest.mark.feature("R19")
@pytest.mark.parametrize("change", [a_booking, a_sweep, a_fault, a_vanished_row])
def test_whatever_the_sheet_shows_changes_its_stamp(
    clinic: Clinic, reception: Visit, change: Callable[[Clinic], None]
) -> None:
    clinic.books(Booking("Wiremu Castellane", "10:40"))
    stamp = reception.page(SHEET).stamp
    assert polled(reception, stamp) == 204
    change(clinic)
    assert polled(reception, stamp) == 200


@pytest.mark.feature("R19")
def test_a_press_of_somebody_else_changes_the_stamp_too(clinic: Clinic, reception: Visit, owner: Visit) -> None:
    clinic.books(Booking("Wiremu Castellane", "10:40"))
    stamp = reception.page(SHEET).stamp
    row = f"/appointments/{clinic.row_id('Wiremu Castellane')}"
    owner.post(f"{row}/status", {"status": "arrived", "version": "1"})
    assert polled(reception, stamp) == 200
    stamp = reception.page(SHEET).stamp
    owner.post(f"{row}/note", {"note": "Late train", "version": "2"})
    assert polled(reception, stamp) == 200


@pytest.mark.feature("R19")
def test_only_the_block_comes_back_and_it_holds_all_that_depends_on_the_stamp(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30", doctor="locum"), doctors={"locum": "Dr Quillon Newcomer"})
    block = reception.page(f"{TODAY}?seen=1.1", htmx=True)
    assert block.html.lstrip().startswith('<div id="board"')
    assert "<html" not in block.html
    assert all(part in block.html for part in ('class="notices"', 'class="chips"', 'class="groups"'))
    assert "Ines Fennick" in block
    assert 'id="find"' not in block.html
    assert "data-sync" not in block.html


@pytest.mark.feature("R19")
def test_the_whole_sheet_takes_the_same_few_statements_for_any_number_of_rows(
    clinic: Clinic, reception: Visit, store: Store
) -> None:
    booked = 0
    for rows in (0, 12, 300):
        clinic.books(*(Booking(f"Patient {n:03}", f"{8 + n % 10}:{n % 60}") for n in range(booked, rows)))
        booked = rows
        reception.page(SHEET)
        with statements(store) as sent:
            page = reception.page(TODAY)
        assert len(page.names) == rows
        # An empty day says why it is: it looks whether any type is telehealth at all.
        empty = ["SELECT pms_appointment_types"] if rows == 0 else []
        assert [named(one) for one in sent] == [
            "SELECT user_sessions",
            "SELECT user_preferences",
            "SELECT pms_sweeps",
            "SELECT run_sheets",
            "SELECT run_sheet_clinicians",
            "SELECT pms_connections",
            *empty,
        ], rows


@pytest.mark.feature("R19")
def test_even_with_everything_at_once_a_sheet_takes_no_more_than_eight_statements(
    clinic: Clinic, reception: Visit, store: Store, time: time_machine.Traveller
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    time.shift(61)  # the session is due to be touched
    row = f"/appointments/{clinic.row_id('Ines Fennick')}"
    reception.post(f"{row}/status", {"status": "arrived", "version": "1"})
    time.shift(61)
    with statements(store) as sent:
        page = reception.page(SHEET)
    assert "Undo" in page
    assert len(sent) <= 8, [named(one) for one in sent]


# --- R22 --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R22")
@pytest.mark.parametrize(
    ("minutes", "word"), [(0, "live"), (22, "live"), (22.5, "ageing"), (29, "ageing"), (30, "stale"), (300, "stale")]
)
def test_the_age_is_that_of_the_pms_data_in_one_of_four_words(
    clinic: Clinic, reception: Visit, minutes: float, word: str
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    clinic.swept(at=clock.now() - timedelta(minutes=minutes))
    page = reception.page(SHEET)
    assert f'data-fresh data-word="{word}"' in page.html
    assert f'data-word="{word}"' in page.group("Dr Odette Marlowe")


@pytest.mark.feature("R22")
def test_a_broken_connection_is_broken_however_young_its_data(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    clinic.sick()
    assert "Broken, read just now" in reception.page(SHEET)


@pytest.mark.feature("R22")
def test_an_unchanged_page_says_it_is_stale_although_it_was_just_loaded(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    clinic.books(Booking("Tobias Achterberg", "9:50", Status.ARRIVED, arrived=clock.now()))
    time.shift(31 * 60)
    reception = Visit(reception.app, clinic.people["reception"])
    page = reception.page(SHEET)
    assert "Stale, read 31 min ago" in page
    assert "What you see is old. Last read whole from Gentu at 09:42" in page
    assert "data-old-notice>" in page.html
    assert "Waiting at least 31 min" in page.row("Tobias Achterberg")


@pytest.mark.feature("R22")
def test_one_practitioner_that_was_not_read_makes_only_that_group_old(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"), Booking("Mei-Lin Drummond", "9:45", doctor="brightwater"))
    clinic.swept(at=clock.now() - timedelta(hours=1), doctors=["brightwater"])
    page = reception.page(SHEET)
    assert 'data-word="live"' in page.group("Dr Odette Marlowe")
    assert "Stale, read 1 h ago" in page.group("Dr Samuel Brightwater")
    assert 'data-fresh data-word="stale"' in page.html  # the bar never looks better than its worst part


@pytest.mark.feature("R22")
def test_a_day_that_is_read_nightly_is_not_called_stale_after_half_an_hour(clinic: Clinic, reception: Visit) -> None:
    clinic.swept(date(2026, 3, 25), at=clock.now() - timedelta(hours=9))
    assert 'data-word="live"' in reception.page("/run-sheet/2026-03-25").html


@pytest.mark.feature("R22")
def test_a_paused_connection_goes_on_ageing(clinic: Clinic, reception: Visit) -> None:
    clinic.connection(state=ConnectionState.PAUSED)
    clinic.swept(at=clock.now() - timedelta(hours=1))
    assert "Stale, read 1 h ago" in reception.page(SHEET)


@pytest.mark.feature("R22")
def test_walk_ins_do_not_grow_old(clinic: Clinic, reception: Visit) -> None:
    form = {"clinician": str(clinic.clinicians["marlowe"]), "name": "Rua Tane", "time": "9:50"}
    reception.post(f"{TODAY}/walk-in", form)
    clinic.swept(at=clock.now() - timedelta(hours=1))
    assert "data-group" not in reception.page(SHEET).group("Dr Odette Marlowe")
