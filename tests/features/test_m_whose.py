"""M06 on the page: whose value a row shows, and keep or take where the PMS says something else."""

from __future__ import annotations

import re

import pytest
import time_machine
from sqlalchemy import select

from app import clock
from app.domain.status import Status
from app.security.roles import Role
from app.store import sync_runs
from app.store.db import Store
from app.store.models import Appointment, AppointmentEvent
from app.store.models.sync import Trigger
from app.store.sync_runs import Ask
from tests.factories import Booking, Clinic
from tests.web.pages import Visit, text_of
from tests.web.world import World

SHEET = "/run-sheet"
INES = "Ines Fennick"


def says(clinic: Clinic, status: Status, raw: str | None = None) -> str:
    """The PMS has her booked with that status, from now on; returns the address of her row."""
    known = clinic.booked.get(INES)
    more = {"external_id": known.external_id} if known else {}
    clinic.books(Booking(INES, "9:50", status, raw=raw or status.value, **more))  # type: ignore[arg-type]
    return f"/appointments/{clinic.row_id(INES)}"


def version(visit: Visit, address: str) -> str:
    found = re.search(r'name="version" value="(\d+)"', visit.page(address).html)
    assert found
    return found[1]


def sets(visit: Visit, address: str, status: Status) -> None:
    answer = visit.post(f"{address}/status", {"status": status.value, "version": version(visit, address)})
    assert answer.status_code == 303


def offered(visit: Visit, address: str) -> dict[str, str]:
    """word -> what its button says."""
    return dict(re.findall(r'name="word" value="(\w+)">([^<]+)<', visit.page(address).html))


def decides(visit: Visit, address: str, word: str, *, seen: str | None = None, **form: str) -> int:
    given = {"word": word, "version": seen or version(visit, address), **form}
    return visit.post(f"{address}/word", given, htmx=bool(form)).status_code


def row(visit: Visit) -> str:
    return visit.page(SHEET).row(INES)


def presses_undo(visit: Visit) -> int:
    found = re.search(r'<form class="toast undo".*?action="([^"]+)"', visit.page(SHEET).html, re.S)
    assert found, "no undo is offered"
    return visit.post(found[1]).status_code


def syncs(world: World) -> None:
    """A due sync: a second press of the button within seconds would only be told what the first one found."""
    with world.store.write() as session:
        today, phases = world.clinic.today, ("catalogue", "inbound")
        ask = Ask(world.clinic.id, world.connection.id, phases, today, today, Trigger.SCHEDULE)
        sync_runs.request(session, ask, clock.now())
    (run,) = world.works()
    assert run.state == "success"


@pytest.mark.feature("M06")
def test_keep_and_take_against_the_vendor_itself(world: World) -> None:
    booked = world.books("09:00", patient={"family": "Brown", "given": "Alice"})
    world.lives()
    desk = world.visit(Role.RECEPTIONIST)
    with world.store.read() as session:
        address = f"/appointments/{session.scalars(select(Appointment)).one().id}"
    sets(desk, address, Status.IN_PROGRESS)
    assert offered(desk, address) == {"keep": "Keep In call", "take": "Take Booked from Gentu"}
    assert decides(desk, address, "keep") == 303
    assert "Gentu:" not in world.sheet.row("Alice Brown")
    assert offered(desk, address) == {}
    for status, words in (("confirmed", "Gentu: Confirmed"), ("completed", "here: In call")):
        world.sandbox.control(f"appointments/{booked}/status", status=status)
        syncs(world)
        assert words in world.sheet.row("Alice Brown")
    assert decides(desk, address, "keep") == 303
    assert "In call" in world.sheet.row("Alice Brown")
    assert "Completed" not in world.sheet.row("Alice Brown")
    world.sandbox.control(f"appointments/{booked}/status", status="cancelled")
    syncs(world)
    assert offered(desk, address) == {"keep": "Keep In call", "take": "Take Cancelled from Gentu"}
    assert decides(desk, address, "take") == 303
    alice = world.sheet.row("Alice Brown")
    assert "Cancelled" in alice
    assert "here:" not in alice


@pytest.mark.feature("M06")
def test_a_kept_word_loses_its_chip_until_the_pms_says_something_new(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    address = says(clinic, Status.CONFIRMED)
    sets(reception, address, Status.ARRIVED)
    assert "Gentu: Confirmed" in row(reception)
    assert decides(reception, address, "keep") == 303
    assert "Gentu:" not in row(reception)
    time.shift(60)
    says(clinic, Status.CONFIRMED)
    assert "Gentu:" not in row(reception)
    says(clinic, Status.BOOKED)
    assert "Gentu: Booked" in row(reception)
    story = reception.page(address).text
    assert "Reception Ash kept it against the PMS" in story


@pytest.mark.feature("M06")
def test_of_words_we_do_not_know_each_is_a_new_one(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    address = says(clinic, Status.UNKNOWN, "triage")
    sets(reception, address, Status.ARRIVED)
    assert offered(reception, address)["take"] == "Take “triage” from Gentu"
    decides(reception, address, "keep")
    assert "triage" not in row(reception)
    time.shift(60)
    says(clinic, Status.UNKNOWN, "walked out")
    assert "walked out" in row(reception)


@pytest.mark.feature("M06")
def test_a_taken_word_is_the_rows_own_and_the_times_it_contradicts_go(
    clinic: Clinic, reception: Visit, store: Store
) -> None:
    address = says(clinic, Status.CONFIRMED)
    sets(reception, address, Status.ARRIVED)
    assert decides(reception, address, "take") == 303
    assert "Confirmed" in row(reception)
    assert "arrived" not in row(reception)
    with store.read() as session:
        one = session.get_one(Appointment, clinic.row_id(INES))
    assert (one.staff_status, one.staff_status_at, one.staff_status_by, one.staff_arrived_at) == (None,) * 4
    assert "Reception Ash took what the PMS says, was Waiting here" in reception.page(address).text
    sets(reception, address, Status.ARRIVED)
    assert "Gentu: Confirmed" in row(reception), "a new word is a new difference"


@pytest.mark.feature("M06")
@pytest.mark.parametrize("word", ["keep", "take"])
def test_both_can_be_undone_by_whoever_decided(
    clinic: Clinic, reception: Visit, owner: Visit, word: str, store: Store, time: time_machine.Traveller
) -> None:
    address = says(clinic, Status.CONFIRMED)
    sets(reception, address, Status.ARRIVED)
    before = row(reception)
    time.shift(1)
    decides(reception, address, word)
    assert row(reception) != before
    assert "toast undo" not in owner.page(SHEET).html
    assert presses_undo(reception) == 303
    assert row(reception) == before
    with store.read() as session:
        kinds = [event.kind for event in session.scalars(select(AppointmentEvent).order_by(AppointmentEvent.at))]
    assert kinds == ["status", "status", "undo"]
    assert offered(reception, address) != {}


@pytest.mark.feature("M06")
@pytest.mark.parametrize("word", ["keep", "take"])
def test_what_the_pms_says_meanwhile_has_not_been_decided_about(clinic: Clinic, reception: Visit, word: str) -> None:
    address = says(clinic, Status.BOOKED)
    sets(reception, address, Status.ARRIVED)
    seen = version(reception, address)
    says(clinic, Status.CONFIRMED)
    answer = reception.post(f"{address}/word", {"word": word, "version": seen, "place": "panel"}, htmx=True)
    assert answer.status_code == 409
    assert "Changed by the PMS at 09:42: now Waiting." in text_of(answer.text)
    assert 'name="word" value="keep"' in answer.text
    assert decides(reception, address, word, seen=seen) == 409
    assert "Gentu: Confirmed" in row(reception)


@pytest.mark.feature("M06")
def test_a_second_press_does_no_harm_and_somebody_elses_is_told(
    clinic: Clinic, reception: Visit, owner: Visit, store: Store
) -> None:
    address = says(clinic, Status.BOOKED)
    sets(reception, address, Status.ARRIVED)
    seen = version(reception, address)
    for _ in range(2):
        assert decides(reception, address, "keep", seen=seen, place="panel") == 200
    assert decides(reception, address, "take", seen=seen, place="panel") == 409
    assert decides(owner, address, "keep", seen=seen, place="panel") == 409
    assert decides(reception, address, "keep", place="panel") == 422
    with store.read() as session:
        assert len(session.scalars(select(AppointmentEvent)).all()) == 2


def test_nonsense_is_refused_and_others_decide_nothing(clinic: Clinic, reception: Visit, doctor: Visit) -> None:
    address = says(clinic, Status.BOOKED)
    sets(reception, address, Status.ARRIVED)
    assert decides(reception, address, "toss") == 400
    assert decides(reception, address, "keep", seen="x") == 400
    clinic.books(Booking("Mei-Lin Drummond", "10:00", doctor="brightwater"))
    other = f"/appointments/{clinic.row_id('Mei-Lin Drummond')}"
    sets(reception, other, Status.ARRIVED)
    assert offered(doctor, other) == {}
    assert decides(doctor, other, "keep", seen="2") == 403
    assert decides(doctor, address, "keep") == 303
    page = doctor.page("/run-sheet?clinician=all")
    assert "Gentu: Booked" in page.row("Mei-Lin Drummond")
    assert '<span class="chip-mark">' in page.row_html("Mei-Lin Drummond")


@pytest.mark.feature("M06")
def test_the_chip_leads_to_the_choice(clinic: Clinic, reception: Visit) -> None:
    address = says(clinic, Status.BOOKED)
    sets(reception, address, Status.ARRIVED)
    html = reception.page(SHEET).row_html(INES)
    assert f'<a href="{address}" data-panel class="chip-mark">Gentu: Booked</a>' in html
    assert reception.page(SHEET).names == [INES]


@pytest.mark.feature("M06")
def test_the_details_say_whose_each_value_is(
    clinic: Clinic, reception: Visit, owner: Visit, time: time_machine.Traveller
) -> None:
    def told(name: str) -> str:
        html = reception.page(address).html
        found = re.search(rf"<dt>{name}</dt><dd>(.*?)</dd>", html)
        return found[1] if found else ""

    address = says(clinic, Status.CONFIRMED)
    assert (told("Status is from"), told("Note is from"), told("Time is from")) == ("Gentu, 09:42", "", "Gentu")
    time.shift(60)
    sets(owner, address, Status.ARRIVED)
    time.shift(60)
    reception.post(f"{address}/note", {"note": "captions", "version": version(reception, address)})
    time.shift(60)
    one = clinic.booked[INES]
    clinic.books(Booking(INES, "10:30", Status.CONFIRMED, external_id=one.external_id, raw="confirmed"))
    assert (told("Status is from"), told("Note is from"), told("Time is from")) == (
        "Owner Ash, 09:43",
        "Reception Ash, 09:44",
        "Gentu, 09:45",
    )
