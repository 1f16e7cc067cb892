"""R: what staff do to a row: the next step, every other move, undo, two people on one row, notes, walk-ins."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
import time_machine

from app.domain.status import MOVES, STAFF_STATUSES, Status
from app.store.db import Store
from app.store.models import Appointment, AppointmentEvent
from app.web.words import MOVE_WORDS, PMS_WORDS, STATUS_WORDS
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Page, Visit, text_of

SHEET = "/run-sheet"
INES = "Ines Fennick"


def booked(clinic: Clinic, status: Status = Status.CONFIRMED, doctor: str = "marlowe") -> str:
    """One appointment; returns the address of its actions."""
    clinic.books(Booking(INES, "9:50", status, doctor=doctor, raw=status.value))
    return f"/appointments/{clinic.row_id(INES)}"


def version(visit: Visit) -> str:
    found = re.search(r'name="version" value="(\d+)"', visit.page(SHEET).row_html(INES))
    assert found
    return found[1]


def move(visit: Visit, address: str, status: str, *, seen: str | None = None, htmx: bool = False) -> object:
    return visit.post(f"{address}/status", {"status": status, "version": seen or version(visit)}, htmx=htmx)


def buttons(html: str) -> dict[str, str]:
    """value -> words of the row's status buttons."""
    return dict(re.findall(r'name="status" value="(\w+)">([^<]+)<', html))


# --- R03, R04 ---------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R03")
@pytest.mark.parametrize("status", list(Status), ids=str)
def test_a_row_offers_exactly_the_moves_of_the_cycle(clinic: Clinic, reception: Visit, status: Status) -> None:
    booked(clinic, status)
    offered = buttons(reception.page(SHEET).row_html(INES))
    assert set(offered) == {to.value for to in MOVES[status]}


@pytest.mark.feature("R03")
def test_a_move_the_cycle_does_not_have_is_refused_and_changes_nothing(clinic: Clinic, reception: Visit) -> None:
    address = booked(clinic, Status.COMPLETED)
    answer = reception.post(f"{address}/status", {"status": "confirmed", "version": "1"}, htmx=True)
    assert answer.status_code == 422
    assert "From completed a visit cannot become confirmed." in text_of(answer.text)
    assert "Completed" in reception.page(SHEET).row(INES)


@pytest.mark.feature("R04")
@pytest.mark.parametrize(
    ("status", "step"),
    [
        (Status.BOOKED, "Arrived"),
        (Status.CONFIRMED, "Arrived"),
        (Status.ARRIVED, "Start call"),
        (Status.IN_PROGRESS, "Complete"),
        (Status.COMPLETED, None),
        (Status.NO_SHOW, None),
    ],
)
def test_the_one_button_is_the_next_step_and_at_most_one_is_filled(
    clinic: Clinic, reception: Visit, status: Status, step: str | None
) -> None:
    booked(clinic, status)
    row = reception.page(SHEET).row_html(INES)
    found = re.findall(r'<button class="(next[^"]*)"[^>]*>([^<]+)</button>', row)
    assert [words for _, words in found] == ([step] if step else [])
    assert row.count(" go") <= 1
    assert (" go" in row) == (status is Status.ARRIVED)


@pytest.mark.feature("R04")
def test_without_a_script_a_press_leads_back_to_the_row_on_its_day(clinic: Clinic, reception: Visit) -> None:
    address = booked(clinic)
    answer = reception.post(f"{address}/status", {"status": "arrived", "version": "1"})
    assert answer.status_code == 303
    assert answer.location == f"/run-sheet/{DAY}#r-{clinic.row_id(INES)}"
    assert "Waiting just now" in reception.page(SHEET).row(INES)


@pytest.mark.feature("R04")
def test_with_htmx_a_press_answers_the_fresh_row_and_says_that_something_changed(
    clinic: Clinic, reception: Visit
) -> None:
    address = booked(clinic)
    answer = reception.post(f"{address}/status", {"status": "arrived", "version": "1"}, htmx=True)
    assert answer.status_code == 200
    assert answer.headers["HX-Trigger"] == "appointment-changed"
    assert answer.text.strip().startswith("<tr")
    assert "Waiting just now" in Page(answer.text).row(INES)


def test_a_clinician_changes_only_their_own_rows(clinic: Clinic, doctor: Visit, store: Store) -> None:
    own = booked(clinic)
    clinic.books(Booking("Mei-Lin Drummond", "10:00", doctor="brightwater"))
    other = f"/appointments/{clinic.row_id('Mei-Lin Drummond')}"
    assert doctor.post(f"{own}/status", {"status": "arrived", "version": "1"}).status_code == 303
    assert doctor.get(f"{other}/note", htmx=True).status_code == 403
    for action, form in (("status", {"status": "arrived"}), ("note", {"note": "mine?"})):
        assert doctor.post(f"{other}/{action}", form | {"version": "1"}).status_code == 403
    with store.read() as session:
        row = session.get_one(Appointment, clinic.row_id("Mei-Lin Drummond"))
    assert (row.staff_status, row.staff_note) == (None, None)
    everybody = doctor.page("/run-sheet?clinician=all")
    assert buttons(everybody.row_html("Mei-Lin Drummond")) == {}


# --- R24 --------------------------------------------------------------------------------------------------------------


def undo_button(page: Page) -> tuple[str, str] | None:
    """(address, words) of the undo that the page offers."""
    found = re.search(r'<form class="toast undo".*?action="([^"]+)".*?<span>(.*?)</span>', page.html, re.S)
    return (found[1], found[2]) if found else None


@pytest.mark.feature("R24")
def test_a_change_can_be_undone_for_two_minutes_by_whoever_made_it(
    clinic: Clinic, reception: Visit, owner: Visit, time: time_machine.Traveller
) -> None:
    move(reception, booked(clinic), "arrived")
    offered = undo_button(reception.page(SHEET))
    assert offered
    assert offered[1] == "Ines Fennick: Waiting"
    assert undo_button(owner.page(SHEET)) is None
    time.shift(119)
    assert undo_button(reception.page(SHEET)) == offered
    assert reception.post(offered[0]).status_code == 303
    page = reception.page(SHEET)
    assert "Confirmed" in page.row(INES)
    assert "Gentu:" not in page.row(INES)
    assert undo_button(page) is None


@pytest.mark.feature("R24")
def test_after_two_minutes_it_is_too_late_to_undo(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    move(reception, booked(clinic), "arrived")
    offered = undo_button(reception.page(SHEET))
    assert offered
    time.shift(121)
    assert undo_button(reception.page(SHEET)) is None
    answer = reception.post(offered[0], htmx=True)
    assert (answer.status_code, "too late" in answer.text) == (409, True)
    assert reception.post(offered[0]).status_code == 303
    page = reception.page(SHEET)
    assert "Waiting" in page.row(INES)
    assert "It is too late to undo this" in page


@pytest.mark.feature("R24")
def test_with_htmx_an_undo_says_that_something_changed_so_that_the_sheet_is_asked_for(
    clinic: Clinic, reception: Visit
) -> None:
    move(reception, booked(clinic), "arrived")
    offered = undo_button(reception.page(SHEET))
    assert offered
    answer = reception.post(offered[0], htmx=True)
    assert (answer.status_code, answer.headers["HX-Trigger"]) == (204, "appointment-changed")


@pytest.mark.feature("R24")
def test_what_somebody_else_changed_since_is_not_undone(
    clinic: Clinic, reception: Visit, owner: Visit, time: time_machine.Traveller
) -> None:
    address = booked(clinic)
    move(reception, address, "arrived")
    offered = undo_button(reception.page(SHEET))
    assert offered
    time.shift(1)
    move(owner, address, "in_progress")
    assert undo_button(reception.page(SHEET)) is None
    assert reception.post(offered[0], htmx=True).status_code == 409
    assert owner.post(offered[0]).status_code == 404  # nor does anybody undo for somebody else
    assert "In call" in reception.page(SHEET).row(INES)


@pytest.mark.feature("R24")
def test_a_row_that_was_just_completed_stays_in_its_place_until_it_cannot_be_undone(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    move(reception, booked(clinic, Status.IN_PROGRESS), "completed")
    assert '<details class="fold"' not in reception.page(SHEET).html
    time.shift(121)
    clinic.swept()
    assert "<summary>1 completed</summary>" in reception.page(SHEET).html


# --- R25 --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R25")
def test_the_second_of_two_people_is_told_who_changed_the_row_and_keeps_their_intent(
    clinic: Clinic, reception: Visit, owner: Visit
) -> None:
    address = booked(clinic)
    move(owner, address, "arrived", seen="1")
    answer = reception.post(f"{address}/status", {"status": "no_show", "version": "1"}, htmx=True)
    assert answer.status_code == 409
    told = text_of(answer.text)
    assert "Changed by Owner Ash at 09:42: now Waiting." in told
    assert "Still: No-show" in told
    assert "Waiting just now" in Page(answer.text).row(INES)
    again = re.search(r'data-settles.*?name="version" value="(\d+)".*?name="status" value="(\w+)"', answer.text, re.S)
    assert again
    assert reception.post(f"{address}/status", {"status": again[2], "version": again[1]}, htmx=True).status_code == 200
    assert "No-show" in reception.page(SHEET).row(INES)


@pytest.mark.feature("R25")
def test_without_a_script_the_conflict_is_a_page_with_the_same_button(
    clinic: Clinic, reception: Visit, owner: Visit
) -> None:
    address = booked(clinic)
    move(owner, address, "arrived", seen="1")
    answer = reception.post(f"{address}/status", {"status": "no_show", "version": "1"})
    assert answer.status_code == 409
    assert "Changed by Owner Ash at 09:42: now Waiting. Still: No-show" in text_of(answer.text)


@pytest.mark.feature("R25")
def test_a_sync_in_between_counts_as_somebody_else(clinic: Clinic, reception: Visit) -> None:
    address = booked(clinic)
    one = clinic.booked[INES]
    clinic.books(Booking(INES, "10:30", Status.CONFIRMED, external_id=one.external_id, raw="confirmed"))
    answer = reception.post(f"{address}/status", {"status": "arrived", "version": "1"}, htmx=True)
    assert (answer.status_code, "Changed by the PMS at 09:42" in text_of(answer.text)) == (409, True)


@pytest.mark.feature("R25")
def test_the_same_press_by_somebody_else_is_told_and_not_taken_for_the_own(
    clinic: Clinic, reception: Visit, owner: Visit
) -> None:
    address = booked(clinic)
    move(owner, address, "arrived", seen="1")
    answer = reception.post(f"{address}/status", {"status": "arrived", "version": "1"}, htmx=True)
    assert (answer.status_code, "Changed by Owner Ash at 09:42: now Waiting." in text_of(answer.text)) == (409, True)


@pytest.mark.feature("R25")
def test_a_second_press_of_the_same_button_does_no_harm(clinic: Clinic, reception: Visit, store: Store) -> None:
    address = booked(clinic)
    for _ in range(2):
        answer = reception.post(f"{address}/status", {"status": "arrived", "version": "1"}, htmx=True)
        assert answer.status_code == 200
    with store.read() as session:
        assert session.query(AppointmentEvent).filter_by(kind="status").count() == 1


# --- R29 --------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("R29")
def test_an_internal_note_stands_on_the_row_for_everybody(clinic: Clinic, reception: Visit, doctor: Visit) -> None:
    address = booked(clinic)
    answer = reception.post(f"{address}/note", {"note": "Interpreter joins by phone", "version": "1"})
    assert answer.status_code == 303
    assert "Interpreter joins by phone" in doctor.page(SHEET).row(INES)
    form = reception.get(f"{address}/note", htmx=True)
    assert "Interpreter joins by phone</textarea>" in form.text


@pytest.mark.feature("R29")
def test_a_sync_leaves_the_note_alone(clinic: Clinic, reception: Visit) -> None:
    address = booked(clinic)
    reception.post(f"{address}/note", {"note": "Prefers captions", "version": "1"})
    one = clinic.booked[INES]
    clinic.books(Booking(INES, "10:30", Status.ARRIVED, external_id=one.external_id))
    row = reception.page(SHEET).row(INES)
    assert "10:30" in row
    assert "Prefers captions" in row


@pytest.mark.feature("R29")
@pytest.mark.parametrize("place", ["row", "panel", ""])
def test_a_typed_note_comes_back_when_somebody_else_wrote_first(
    clinic: Clinic, reception: Visit, owner: Visit, place: str
) -> None:
    address = booked(clinic)
    owner.post(f"{address}/note", {"note": "First", "version": "1"})
    answer = reception.post(
        f"{address}/note", {"note": "Mine, much longer", "version": "1", "place": place}, htmx=bool(place)
    )
    assert answer.status_code == 409
    assert "Mine, much longer</textarea>" in answer.text
    told = text_of(answer.text)
    assert "Changed by Owner Ash at 09:42" in told
    assert "The sheet now says: “First”" in told
    fresh = re.search(r'name="version" value="(\d+)"><input type="hidden" name="place"', answer.text)
    assert fresh
    form = {"note": "Mine, much longer", "version": fresh[1], "place": place}
    assert reception.post(f"{address}/note", form, htmx=bool(place)).status_code in (200, 303)
    assert "Mine, much longer" in owner.page(SHEET).row(INES)


@pytest.mark.feature("R29")
def test_a_note_that_is_too_long_comes_back_whole(clinic: Clinic, reception: Visit) -> None:
    long = "x" * 2001
    answer = reception.post(f"{booked(clinic)}/note", {"note": long, "version": "1", "place": "row"}, htmx=True)
    assert answer.status_code == 422
    assert f"{long}</textarea>" in answer.text
    assert answer.headers["HX-Retarget"] == "this"


def test_a_note_is_text_and_nothing_else(clinic: Clinic, reception: Visit) -> None:
    address = booked(clinic)
    reception.post(f"{address}/note", {"note": '<img src=x hx-get="/logout">', "version": "1"})
    row = reception.page(SHEET).row_html(INES)
    assert "&lt;img src=x hx-get=&#34;/logout&#34;&gt;" in row


# --- R28 --------------------------------------------------------------------------------------------------------------

WALK_IN = f"{SHEET}/{DAY}/walk-in"


def walk_in(clinic: Clinic, **more: str) -> dict[str, str]:
    return {
        "clinician": str(clinic.clinicians["marlowe"]),
        "name": "Rua Tane",
        "time": "9:50",
        "minutes": "15",
        "phone": "0491 570 156",
        "note": "Came by herself",
    } | more


@pytest.mark.feature("R28")
def test_a_walk_in_stands_on_the_sheet_beside_the_booked(clinic: Clinic, reception: Visit) -> None:
    booked(clinic)
    answer = reception.post(WALK_IN, walk_in(clinic))
    assert answer.status_code == 303
    page = reception.page(SHEET)
    row = page.row("Rua Tane")
    assert all(word in row for word in ("09:50", "walk-in", "Booked", "15 min", "Came by herself"))
    assert "Rua Tane is on the sheet." in page
    address = re.search(r'"(/appointments/[\w-]+)"', page.row_html("Rua Tane"))
    assert address
    assert "0491 570 156" in reception.page(address[1])


@pytest.mark.feature("R28")
def test_a_sync_never_touches_a_walk_in(clinic: Clinic, reception: Visit, store: Store) -> None:
    reception.post(WALK_IN, walk_in(clinic))
    with store.read() as session:
        before = session.query(Appointment).filter_by(kind="walk_in").one().row_version
    clinic.books(Booking(INES, "9:50"))
    clinic.swept(received=1)
    clinic.sick()
    with store.read() as session:
        row = session.query(Appointment).filter_by(kind="walk_in").one()
    assert (row.row_version, row.removed_at) == (before, None)
    assert "Rua Tane" in reception.page(SHEET)


@pytest.mark.feature("R28")
@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("name", "  ", "Who is it? Type the patient's name."),
        ("name", "y" * 256, "Use at most 255 characters; this has 256."),
        ("clinician", "", "Choose one of the clinicians."),
        ("clinician", str(UUID(int=7)), "Choose one of the clinicians."),
        ("time", "25:00", "Type a time such as 9:05 or 14:30."),
        ("minutes", "0", "Minutes are a whole number from 1 to 600"),
        ("minutes", "soon", "Minutes are a whole number from 1 to 600"),
        ("phone", "12", "That is no phone number."),
    ],
)
def test_what_cannot_be_used_is_told_beside_its_field_and_the_rest_is_kept(
    clinic: Clinic, reception: Visit, field: str, typed: str, sentence: str
) -> None:
    answer = reception.post(WALK_IN, walk_in(clinic, **{field: typed}))
    assert answer.status_code == 422
    assert sentence in text_of(re.findall(rf'<p class="fault" id="e-{field}">(.*?)</p>', answer.text, re.S)[0])
    assert re.search(rf'<(input|select)[^>]* id="f-{field}"[^>]* aria-invalid="true"', answer.text) or re.search(
        rf'id="f-{field}"[^>]*aria-describedby="[^"]*e-{field}"', answer.text
    )
    assert "Came by herself" in answer.text
    assert "Rua Tane" not in reception.page(SHEET)


@pytest.mark.feature("R28")
def test_a_time_that_the_clock_change_skips_is_refused(clinic: Clinic, reception: Visit) -> None:
    spring = "/run-sheet/2026-10-04/walk-in"  # 2:00 becomes 3:00
    answer = reception.post(spring, walk_in(clinic, time="2:30"))
    assert answer.status_code == 422
    assert "it does not exist" in text_of(answer.text)
    assert reception.post(spring, walk_in(clinic, time="3:30")).status_code == 303
    assert 'datetime="2026-10-04T03:30+11:00"' in reception.page("/run-sheet/2026-10-04").html


def test_a_clinician_adds_no_walk_in(clinic: Clinic, doctor: Visit) -> None:
    assert doctor.get(WALK_IN).status_code == 403
    assert doctor.post(WALK_IN, walk_in(clinic)).status_code == 403
    assert "Add walk-in" not in doctor.page(SHEET)


def test_every_status_staff_may_set_has_a_word_for_its_button() -> None:
    assert set(MOVE_WORDS) == set(STAFF_STATUSES)
    assert set(STATUS_WORDS) == set(PMS_WORDS) == set(Status)
