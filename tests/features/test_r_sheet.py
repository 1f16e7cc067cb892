"""R: the day on one page: groups, counts, words, shapes, times, and what is said when there is nothing."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from app import clock
from app.domain.appointment import AppointmentType
from app.domain.status import Status
from app.security.roles import Role
from app.store import catalogue
from app.store.db import Store
from app.store.models.connection import ConnectionState, Environment
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Visit

SHEET = "/run-sheet"
EVERY_STATUS = [
    Booking("Ines Fennick", "9:30", Status.IN_PROGRESS),
    Booking("Tobias Achterberg", "9:50", Status.ARRIVED),
    Booking("Priyanka Solheim", "10:10", Status.CONFIRMED),
    Booking("Wiremu Castellane", "10:40", Status.BOOKED),
    Booking("June Okonkwo", "11:00", Status.CANCELLED),
    Booking("Odalys Rook", "9:00", Status.COMPLETED),
    Booking("Ferran Ng", "9:10", Status.NO_SHOW),
    Booking("Casimir Oduya", "11:20", Status.UNKNOWN, raw="Pencilled in"),
]


@pytest.mark.feature("R01")
def test_a_day_stands_on_one_page_grouped_by_clinician_in_their_fixed_order(
    clinic: Clinic, reception: Visit, store: Store
) -> None:
    with store.write() as session:  # the order is the practice's own, not the alphabet's
        catalogue.clinician_of(session, clinic.id, clinic.clinicians["marlowe"]).position = 9
    clinic.books(
        Booking("Hine Vandersteen", "8:30", doctor="brightwater"),
        Booking("Ines Fennick", "9:50"),
        Booking("Tobias Achterberg", "9:30"),
        Booking("Rua Tane", "10:00", doctor="locum"),
        doctors={"locum": "Dr Quillon Newcomer"},
    )
    page = reception.page(SHEET)
    assert page.groups == ["Dr Samuel Brightwater", "Dr Odette Marlowe", "Not yet assigned: Dr Quillon Newcomer"]
    assert page.names == ["Hine Vandersteen", "Tobias Achterberg", "Ines Fennick", "Rua Tane"]
    assert "1 appointment not yet assigned to a clinician. Dr Quillon Newcomer (1)" in page


@pytest.mark.feature("R01")
def test_clinicians_without_appointments_stand_in_one_quiet_line(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    page = reception.page(SHEET)
    assert page.groups == ["Dr Odette Marlowe"]
    assert "Nothing on this day: Dr Samuel Brightwater." in page


@pytest.mark.feature("R01")
def test_what_is_over_folds_into_a_counted_line_that_opens(clinic: Clinic, reception: Visit) -> None:
    clinic.books(*EVERY_STATUS)
    group = reception.page(SHEET).group("Dr Odette Marlowe")
    fold = re.search(r'<details class="fold".*?<summary>(.*?)</summary>(.*?)</details>\s*<table', group, re.S)
    assert fold
    assert fold[1] == "1 completed, 1 no-show, 1 cancelled"
    assert all(name in fold[2] for name in ("June Okonkwo", "Odalys Rook", "Ferran Ng"))
    assert "Ines Fennick" not in fold[2]


@pytest.mark.feature("R02")
def test_every_status_has_its_count_over_the_whole_day(clinic: Clinic, reception: Visit) -> None:
    clinic.books(*EVERY_STATUS, Booking("Mei-Lin Drummond", "9:45", Status.ARRIVED, doctor="brightwater"))
    told = reception.page(SHEET)
    for chip in (
        "All 9", "Booked 1", "Confirmed 1", "Waiting 2", "In call 1", "Completed 1",
        "Cancelled 1", "No-show 1", "Unknown 1",
    ):  # fmt: skip
        assert chip in told
    assert "2 of 7 done" in told  # a cancelled visit is nobody's work


@pytest.mark.feature("R12")
@pytest.mark.parametrize("booking", EVERY_STATUS, ids=lambda booking: booking.status.value)
def test_every_status_is_a_word_and_a_shape_of_its_own_beside_any_colour(
    clinic: Clinic, reception: Visit, booking: Booking
) -> None:
    clinic.books(booking)
    words = {
        Status.BOOKED: "Booked", Status.CONFIRMED: "Confirmed", Status.ARRIVED: "Waiting",
        Status.IN_PROGRESS: "In call", Status.COMPLETED: "Completed",
        Status.CANCELLED: "Cancelled", Status.NO_SHOW: "No-show", Status.UNKNOWN: "“Pencilled in”",
    }  # fmt: skip
    page = reception.page(SHEET)
    row = page.row_html(booking.name)
    assert words[booking.status] in page.row(booking.name)
    assert f'<use href="#s-{booking.status.value}"/>' in row
    assert f'<symbol id="s-{booking.status.value}"' in page.html


@pytest.mark.feature("R12")
def test_an_unknown_word_of_the_pms_is_shown_as_it_is_and_never_as_booked(clinic: Clinic, owner: Visit) -> None:
    clinic.books(EVERY_STATUS[-1])
    page = owner.page(SHEET)
    assert "“Pencilled in”" in page.row("Casimir Oduya")
    assert "Booked 0" in page
    assert "Gentu uses a status word we do not know. “Pencilled in” (1)." in page


@pytest.mark.feature("R06")
def test_time_in_status_runs_from_the_stamp_of_the_pms(clinic: Clinic, reception: Visit) -> None:
    now = clock.now()
    clinic.books(Booking("Tobias Achterberg", "9:50", Status.ARRIVED, arrived=now - timedelta(minutes=11)))
    page = reception.page(SHEET)
    assert "Waiting 11 min" in page.row("Tobias Achterberg")
    assert f'data-since="{int((now - timedelta(minutes=11)).timestamp())}"' in page.row_html("Tobias Achterberg")


@pytest.mark.feature("R06")
def test_a_status_first_met_without_a_stamp_lasts_at_least_since_it_was_seen(
    clinic: Clinic, reception: Visit, time: object
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30", Status.IN_PROGRESS))
    assert "just now" not in reception.page(SHEET).row("Ines Fennick")
    time.shift(14 * 60)  # type: ignore[attr-defined]
    clinic.swept()
    assert "In call at least 14 min" in reception.page(SHEET).row("Ines Fennick")


@pytest.mark.feature("R07")
def test_arrival_and_the_wait_it_led_to_are_told(clinic: Clinic, reception: Visit, time: object) -> None:
    arrived = clock.now() - timedelta(minutes=11)
    clinic.books(Booking("Tobias Achterberg", "9:50", Status.ARRIVED, arrived=arrived))
    assert "arrived 09:31" in reception.page(SHEET).row("Tobias Achterberg")
    version = re.search(r'name="version" value="(\d+)"', reception.page(SHEET).row_html("Tobias Achterberg"))
    assert version
    reception.post(
        f"/appointments/{clinic.row_id('Tobias Achterberg')}/status",
        {"status": "in_progress", "version": version[1]},
    )
    assert "09:31, waited 11 min" in reception.page(SHEET).row("Tobias Achterberg")


@pytest.mark.feature("R07")
def test_an_arrival_that_was_only_seen_is_told_as_the_latest_it_can_have_been(clinic: Clinic, reception: Visit) -> None:
    for status in (Status.CONFIRMED, Status.ARRIVED):
        clinic.books(Booking("Tobias Achterberg", "9:50", status, external_id="tobias"), Booking("Rua Tane", "10:10"))
    page = reception.page(SHEET)
    assert "arrived by 09:42" in page.row("Tobias Achterberg")
    assert '<span class="waits">1 waiting</span>' in page.group("Dr Odette Marlowe")


def test_without_a_script_too_the_clock_stands_between_the_rows_and_who_is_late_is_marked(
    clinic: Clinic, reception: Visit
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"), Booking("Rua Tane", "9:38"), Booking("Tobias Achterberg", "9:50"))
    page = reception.page(SHEET)
    assert "Booked, late 12 min" in page.row("Ines Fennick")
    late = [name for name in page.names if "is-late" in page.row_html(name)]
    marked = [name for name in page.names if 'line" data-v' in page.row_html(name)]
    assert (late, marked) == (["Ines Fennick"], ["Tobias Achterberg"])
    assert 'data-now="09:42"' in page.row_html("Tobias Achterberg")


@pytest.mark.feature("R42")
def test_the_day_can_be_changed_to_the_one_before_the_one_after_and_any_other(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    clinic.books(Booking("Priyanka Solheim", "10:00"), day=date(2026, 3, 20))
    page = reception.page(SHEET)
    assert "Thursday 19 March today" in page
    assert 'href="/run-sheet/2026-03-18" aria-label="Previous day"' in page.html
    assert 'href="/run-sheet/2026-03-20" aria-label="Next day"' in page.html
    tomorrow = reception.page("/run-sheet/2026-03-20")
    assert tomorrow.names == ["Priyanka Solheim"]
    assert '<a class="btn" href="/run-sheet">Today</a>' in tomorrow.html
    chosen = reception.get("/run-sheet?day=2026-12-31")
    assert (chosen.status_code, chosen.location) == (303, "/run-sheet/2026-12-31")


@pytest.mark.feature("R42")
@pytest.mark.parametrize("bad", ["2026-02-30", "2026-13-01", "yesterday", "20260319", "1492-01-01"])
def test_a_day_that_is_none_is_told_in_a_sentence(reception: Visit, bad: str) -> None:
    answer = reception.get(f"/run-sheet/{bad}")
    assert answer.status_code == 404
    assert f"“{bad}” is not a day. Write it as 2026-03-09." in answer.text


@pytest.mark.feature("R48")
def test_times_are_the_practice_s_own_and_its_zone_is_named(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    page = reception.page(SHEET)
    assert '<time datetime="2026-03-19T09:30+11:00">09:30</time>' in page.html
    assert "09:42 AEDT" in page
    assert 'data-zone="Australia/Melbourne"' in page.html
    assert 'title="Times are those of Australia/Melbourne"' in page.html


@pytest.mark.feature("R48")
def test_a_day_with_a_clock_change_shows_each_time_with_its_own_offset(clinic: Clinic, reception: Visit) -> None:
    clocks_go_back = date(2026, 4, 5)  # 3:00 AEDT becomes 2:00 AEST
    clinic.books(Booking("Early Bird", "1:30"), Booking("Later Bird", "9:30"), day=clocks_go_back)
    page = reception.page("/run-sheet/2026-04-05")
    assert page.names == ["Early Bird", "Later Bird"]
    assert 'datetime="2026-04-05T01:30+11:00"' in page.html
    assert 'datetime="2026-04-05T09:30+10:00"' in page.html


@pytest.mark.feature("R48")
def test_today_is_the_practice_s_day_even_where_utc_has_another(clinic: Clinic, reception: Visit) -> None:
    assert clock.now().date() == date(2026, 3, 18)
    assert "Thursday 19 March" in reception.page(SHEET)


def test_a_disagreement_keeps_its_chip_and_a_vanished_row_says_since_when(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30", Status.CONFIRMED), Booking("Wiremu Castellane", "10:40"))
    reception.post(f"/appointments/{clinic.row_id('Ines Fennick')}/status", {"status": "arrived", "version": "1"})
    clinic.removes("Wiremu Castellane")
    page = reception.page(SHEET)
    assert "Gentu: Confirmed" in page.row("Ines Fennick")
    assert "removed from Gentu 09:42" in page.row("Wiremu Castellane")


def test_a_group_booking_is_one_row_that_counts_its_people(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Hine Vandersteen", "10:00", others=("Ruru Vandersteen", "Kahu Vandersteen"), minutes=None))
    row = reception.page(SHEET).row("Hine Vandersteen")
    assert "Hine Vandersteen and 2 more" in row
    assert "open-ended" in row


# --- when there is nothing to show ------------------------------------------------------------------------------------


def test_a_day_that_was_never_read_is_not_called_empty(clinic: Clinic, reception: Visit) -> None:
    page = reception.page("/run-sheet/2026-06-01")
    assert "This day has not been read from Gentu yet" in page
    assert "Read it now" in page
    assert "No appointments" not in page
    assert "Nothing on this day" not in page
    assert "Waiting 0" not in page


def test_a_day_without_telehealth_says_where_the_others_went(clinic: Clinic, reception: Visit) -> None:
    clinic.swept(received=22, refused={"not_telehealth": 20, "block": 2})
    page = reception.page(SHEET)
    assert "No telehealth appointments on this day" in page
    assert "Gentu has 22 appointments on this day. Not shown: 20 not telehealth, 2 without a patient." in page


def test_an_empty_day_that_is_stale_says_when_it_was_last_looked_at(clinic: Clinic, reception: Visit) -> None:
    clinic.swept(at=clock.now() - timedelta(minutes=40))
    assert "No appointments on this day when Gentu was last read, 09:02" in reception.page(SHEET)


def test_a_practice_that_marked_no_type_is_told_so(store: Store, clinic: Clinic, reception: Visit) -> None:
    with store.write() as session:
        assert clinic.connection_id
        for kind in catalogue.types_of(session, clinic.connection_id):
            kind.is_telehealth = False
    clinic.swept(received=5, refused={"not_telehealth": 5})
    page = reception.page(SHEET)
    assert "No appointment type is marked as telehealth" in page
    assert "Gentu has 5 appointments on this day. An admin can mark those that are by video." in page


def test_a_practice_without_a_connection_is_told_so(store: Store, clinic: Clinic, app: object) -> None:
    fresh = Clinic(store, "Waratah Corner")
    person = fresh.person("newcomer", Role.RECEPTIONIST)
    page = Visit(app, person).page(SHEET)  # type: ignore[arg-type]
    assert "No practice system is connected" in page
    assert "Not connected" in page


def test_a_day_whose_every_row_is_filtered_away_offers_to_clear_the_filters(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    page = reception.page(f"/run-sheet/{DAY}?status=no_show")
    assert "Your filters hide the only appointment" in page
    assert "Only No-show: 1 of 1 hidden. Clear filters" in page


# --- what needs a person ----------------------------------------------------------------------------------------------


def test_a_broken_connection_says_the_cause_who_mends_it_and_the_last_good_time(
    clinic: Clinic, reception: Visit
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    clinic.sick("auth_failed")
    page = reception.page(SHEET)
    assert "Gentu: needs you. Gentu refuses our credentials." in page
    assert "Whoever runs this Runsheet must check the client id and secret" in page
    assert "Last good read: 09:42." in page
    assert 'data-word="broken"' in page.html


def test_a_connection_that_heals_itself_is_a_warning_with_the_cause(clinic: Clinic, reception: Visit) -> None:
    clinic.connection(last_sync_status="failed", last_sync_error="unavailable")
    assert "Gentu: heals itself. Gentu did not answer." in reception.page(SHEET)


def test_a_paused_connection_says_so(clinic: Clinic, reception: Visit) -> None:
    clinic.connection(state=ConnectionState.PAUSED)
    assert "Gentu: paused. Somebody paused this connection" in reception.page(SHEET)


def test_nothing_is_said_where_nothing_needs_a_person(clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    assert 'class="notice bad' not in reception.page(SHEET).html
    assert re.findall(r'<div class="notice [^"]*"[^>]*>', reception.page(SHEET).html) == [
        '<div class="notice warn old" data-old-notice hidden>'
    ]


@pytest.mark.parametrize("environment", [Environment.SIMULATOR, Environment.VENDOR_SANDBOX])
def test_simulated_data_carries_a_band_on_every_page(
    clinic: Clinic, reception: Visit, environment: Environment
) -> None:
    assert "Simulated data" not in reception.page(SHEET)
    clinic.connection(environment=environment)
    for path in (SHEET, f"/run-sheet/{DAY}/walk-in", "/practices"):
        assert "Simulated data" in reception.page(path)


def test_rows_of_another_practice_never_stand_here(clinic: Clinic, far_clinic: Clinic, reception: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    assert "Fergus Elsewhere" not in reception.page(SHEET)


def test_types_and_their_length_stand_on_the_row(clinic: Clinic, reception: Visit) -> None:
    kind = AppointmentType("t2", "New patient, video", 40)
    clinic.books(Booking("Priyanka Solheim", "10:00", type_id=kind.external_id, type_name=kind.name, minutes=40))
    assert "New patient, video · 40 min" in reception.page(SHEET).row("Priyanka Solheim")


EVIL = '<script>alert(1)</script>"\'<img src=x hx-get="/logout">&amp;'


@pytest.mark.fault("F33")
def test_markup_in_any_text_of_the_pms_or_of_staff_is_only_text(clinic: Clinic, owner: Visit, store: Store) -> None:
    with store.write() as session:
        person = catalogue.clinician_of(session, clinic.id, clinic.clinicians["marlowe"])
        person.name, person.room = f"Dr {EVIL}", EVIL
    clinic.books(
        Booking(EVIL, "9:30", Status.UNKNOWN, raw=EVIL, type_name=EVIL, comment=EVIL, email=EVIL, others=(EVIL,)),
        Booking("Rua Tane", "10:00", doctor="locum", external_id=EVIL, type_id=EVIL),
        doctors={"locum": EVIL},
    )
    row = f"/appointments/{clinic.row_id(EVIL)}"
    owner.post(f"{row}/status", {"status": "arrived", "version": "1"})
    owner.post(f"{row}/note", {"note": EVIL, "version": "2"})
    for path in (
        SHEET,
        row,
        f"/run-sheet/{DAY}/walk-in",
        f"/run-sheet/{DAY}?q={EVIL}",
        f"/run-sheet/{DAY}?type={EVIL}",
    ):
        for htmx in (True, False):
            html = owner.get(path, htmx=htmx).text
            assert "<script>alert" not in html, path
            assert "<img" not in html, path
            assert 'hx-get="/logout"' not in html, path
    assert owner.page(SHEET).text.count("<script>alert(1)</script>") >= 5
