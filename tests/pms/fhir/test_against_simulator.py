"""S11: the adapter against the simulated server, over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.appointment import Appointment
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsBadRequest, PmsMalformed, PmsNotFound, PmsUntrusted
from app.pms.fhir.adapter import FhirAdapter
from app.pms.port import Page
from tests.pms.fhir.conftest import Opened
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S11")

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
LIST = "/Appointment"


def at(time: str, day: date = DAY) -> str:
    return datetime.fromisoformat(f"{day}T{time}:00").replace(tzinfo=ZONE).isoformat()


def pages(adapter: FhirAdapter, window: Window = MONDAY) -> list[Page]:
    return [page for part in adapter.partitions(window, []) for page in adapter.appointments(part)]


def rows(adapter: FhirAdapter, window: Window = MONDAY) -> dict[str, Appointment]:
    """By id; nothing was set aside."""
    read = pages(adapter, window)
    assert not [one for page in read for one in page.rejected]
    return {one.external_id: one for page in read for one in page.appointments}


# --- who, what, how it begins -----------------------------------------------------------------------------------------


def test_the_server_tells_who_it_is_and_who_works_there(adapter: FhirAdapter, clinic: StagedClinic) -> None:
    identity = adapter.identity()
    assert identity.name == "Harbour Telehealth"
    assert identity.external_id == clinic.url.removeprefix("http://")
    people = {one.full_name: one for one in adapter.practitioners()}
    assert {name: (one.active, one.works_here) for name, one in people.items()} == {
        "Dr Wren Okafor": (True, True),
        "Dr Isolde Marchetti": (True, True),
        "Dr Rafi Nightingale": (True, True),
        "Dr Una Gone": (False, False),
    }
    assert people["Dr Wren Okafor"].email == "wren@example.com"
    assert {one.external_id for one in people.values()} == {one["id"] for one in clinic.state()["practitioners"]}
    assert {one.external_id: one.name for one in adapter.appointment_types()} == {
        one["id"]: one["name"] for one in clinic.state()["types"]
    }
    assert adapter.health_check().healthy
    assert adapter.validate_connection()


def test_without_services_the_types_are_those_of_appointments_around_today(
    clinic: StagedClinic, opened: Opened
) -> None:
    kinds = clinic.state()["types"]
    clinic.book(at("09:00"), type_id=kinds[1]["id"])
    clinic.control("knobs", without=["HealthcareService"])
    clinic.sandbox.control("clock")  # the adapter's today is the real one
    today = datetime.now(ZONE).date()
    clinic.book(at("09:00", today), type_id=kinds[0]["id"])
    assert {one.name for one in opened(clinic).appointment_types()} == {kinds[0]["name"]}


def test_where_nobody_keeps_schedules_everybody_is_in_the_book(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("knobs", without=["Schedule"])
    assert [one.shown_in_book for one in opened(clinic).practitioners()] == [True] * 4


# --- a day ------------------------------------------------------------------------------------------------------------


def test_a_booking_is_read_with_its_patient_its_clinician_and_its_link(
    clinic: StagedClinic, adapter: FhirAdapter
) -> None:
    state = clinic.state()
    patient, kind, who = state["patients"][0], state["types"][0], state["practitioners"][0]
    id_ = clinic.book(at("10:30"), patient_id=patient, note="Prefers captions on")
    (one,) = rows(adapter).values()
    assert one.external_id == id_
    assert (one.starts_at, one.ends_at) == (
        datetime(2026, 3, 8, 23, 30, tzinfo=UTC),
        datetime(2026, 3, 9, 0, 10, tzinfo=UTC),
    )
    assert (one.minutes, one.status, one.raw_status) == (40, Status.BOOKED, "booked")
    assert (one.practitioner_id, one.practitioner_name) == (who["id"], "Dr Wren Okafor")
    assert (one.type_id, one.type_name, one.comment) == (kind["id"], kind["name"], "Prefers captions on")
    assert one.telehealth_url == f"https://video.example/join/{id_}"
    assert one.telehealth_hint is True
    (person,) = one.patients
    assert (person.external_id, person.full_name) == (patient, "Wilhelmina Quandongley")
    assert (person.phone, person.email) == ("0491 570 156", "wilhelmina.quandongley0@example.com")
    assert person.birth_date == date(1941, 3, 9)
    assert adapter.patient(patient) == person
    assert adapter.appointment(id_) == one


@pytest.mark.parametrize("changes", [{}, {"includes": False}, {"includes": False, "quiet": True}, {"mode": False}])
@pytest.mark.parametrize("references", ["relative", "absolute", "versioned"])
def test_people_are_found_whether_or_not_they_come_along(
    clinic: StagedClinic, opened: Opened, changes: dict[str, Any], references: str
) -> None:
    patients = clinic.state()["patients"]
    ids = [clinic.book(at(f"{8 + number:02}:00"), patient_id=patients[number]) for number in range(9)]
    clinic.control("knobs", references=references, **changes)
    found = rows(opened(clinic))
    assert [found[id_].patients[0].external_id for id_ in ids] == patients[:9]
    assert all(one.practitioner_name == "Dr Wren Okafor" for one in found.values())
    assert sum(one.patients[0].birth_date is not None for one in found.values()) == 9
    assert all(one.patients[0].phone != "0491 570 006" for one in found.values()), "a former number"
    assert all("Formerly" not in one.patients[0].full_name for one in found.values())
    asked = clinic.asked("/Patient")
    assert len(asked) == (1 if changes.get("includes") is False else 0), "all of them in one question"


def test_people_who_may_only_be_read_one_by_one(clinic: StagedClinic, opened: Opened) -> None:
    patients = clinic.state()["patients"]
    clinic.control("knobs", includes=False, read_only=["Patient", "Practitioner", "HealthcareService", "Schedule"])
    ids = [clinic.book(at(f"{8 + number:02}:00"), patient_id=patients[number]) for number in range(3)]
    adapter = opened(clinic)
    found = rows(adapter)
    assert all(found[id_].patients[0].birth_date is not None for id_ in ids)
    assert all(one.practitioner_name == "Dr Wren Okafor" for one in found.values())
    assert [one["status"] for one in clinic.asked("/Patient")] == [200, 200, 200]
    assert adapter.practitioners() == []


def test_a_patient_the_scopes_do_not_reach_keeps_the_name_the_booking_tells(
    clinic: StagedClinic, opened: Opened
) -> None:
    clinic.control("knobs", includes=False, granted=["system/Appointment.rs", "system/Practitioner.rs"])
    clinic.control("book", at=at("06:00"), count=100)
    clinic.book(at("09:00"), patient_id=clinic.state()["patients"][3])  # on a page of its own
    found = rows(opened(clinic))
    assert len({one.patients[0].full_name for one in found.values()} - {"Unknown patient"}) == 2
    assert {one.patients[0].phone for one in found.values()} == {None}
    assert len(clinic.asked("/Patient")) == 1, "refused once, not asked again"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("booked", Status.BOOKED),
        ("confirmed", Status.BOOKED),
        ("arrived", Status.ARRIVED),
        ("in_progress", Status.ARRIVED),
        ("completed", Status.COMPLETED),
        ("cancelled", Status.CANCELLED),
        ("no_show", Status.NO_SHOW),
    ],
)
def test_every_state_has_its_word(clinic: StagedClinic, adapter: FhirAdapter, state: str, status: Status) -> None:
    clinic.book(at("09:00"), state=state)
    (one,) = rows(adapter).values()
    assert one.status is status


def test_a_word_nobody_knows_stays_unknown_until_it_is_explained(clinic: StagedClinic, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"), word="triaged")
    assert rows(opened(clinic))[id_].status is Status.UNKNOWN
    assert rows(opened(clinic))[id_].raw_status == "triaged"
    assert rows(opened(clinic, words={"triaged": "arrived"}))[id_].status is Status.ARRIVED


def test_a_group_a_block_and_several_clinicians(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    state = clinic.state()
    people, staff = state["patients"], [one["id"] for one in state["practitioners"]]
    group = clinic.book(at("09:00"), patient_id=people[0], also=people[1:3], practitioner_ids=staff[:2])
    block = clinic.book(at("12:00"), block=True)
    found = rows(adapter)
    assert [one.external_id for one in found[group].patients] == people[:3]
    assert (found[group].practitioner_id, found[group].other_practitioner_ids) == (staff[0], (staff[1],))
    assert found[block].is_block


def test_clinicians_who_take_part_by_their_roles(clinic: StagedClinic, opened: Opened) -> None:
    staff = clinic.state()["practitioners"]
    clinic.control("knobs", roles=True)
    id_ = clinic.book(at("09:00"), practitioner_ids=[staff[1]["id"]])
    adapter = opened(clinic)
    one = rows(adapter)[id_]
    assert (one.practitioner_id, one.practitioner_name) == (staff[1]["id"], "Dr Isolde Marchetti")
    assert [one.works_here for one in adapter.practitioners()] == [True, True, True, False]


@pytest.mark.parametrize("way", ["nested", "single", "person", "rooms", "detail", "meeting"])
def test_the_guests_link_is_told_and_the_hosts_never(clinic: StagedClinic, opened: Opened, way: str) -> None:
    clinic.control("knobs", link=way)
    id_ = clinic.book(at("09:00"))
    one = rows(opened(clinic))[id_]
    assert (one.telehealth_hint, one.telehealth_url) == (True, f"https://video.example/join/{id_}")
    assert "/host/" not in repr(one)


def test_a_code_says_online_without_a_link_and_nothing_says_nothing(clinic: StagedClinic, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.control("knobs", link="code")
    one = rows(opened(clinic))[id_]
    assert (one.telehealth_hint, one.telehealth_url) == (True, None)
    clinic.control("knobs", link="none")
    one = rows(opened(clinic))[id_]
    assert (one.telehealth_hint, one.telehealth_url) == (None, None)


# --- days -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 4, 5), 25), (date(2026, 10, 4), 23), (DAY, 24)])
def test_a_day_is_as_long_as_the_clocks_make_it(
    clinic: StagedClinic, adapter: FhirAdapter, day: date, hours: int
) -> None:
    window, minute = Window(day, day, ZONE), timedelta(minutes=1)
    assert window.end - window.start == timedelta(hours=hours)
    instants = (window.start, window.start + timedelta(hours=2, minutes=30), window.end - minute)
    inside = {clinic.book(one.isoformat()): one for one in instants}
    clinic.book((window.start - minute).isoformat())
    clinic.book(window.end.isoformat())
    assert {id_: one.starts_at for id_, one in rows(adapter, window).items()} == inside


def test_only_the_windows_own_day_is_asked_for_in_utc(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    rows(adapter)
    (asked,) = clinic.asked(LIST)
    assert "date=ge2026-03-08T13:00:00Z&date=lt2026-03-09T13:00:00Z" in asked["query"]
    assert "_include=Appointment:patient" in asked["query"]


def test_a_server_that_ignores_the_date_is_filtered_here(clinic: StagedClinic, opened: Opened) -> None:
    mine = clinic.book(at("09:00"))
    clinic.book(at("09:00", date(2026, 3, 10)))
    clinic.control("knobs", ignores=["date"])
    (page,) = pages(opened(clinic))
    assert ([one.external_id for one in page.appointments], page.received) == ([mine], 1)


def test_weeks_are_read_one_by_one(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    window = Window(date(2026, 3, 2), date(2026, 3, 15), ZONE)
    ids = {clinic.book(at("09:00", date(2026, 3, day))) for day in (2, 8, 9, 15)}
    assert len(adapter.partitions(window, [])) == 2
    assert set(rows(adapter, window)) == ids


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("next_link", ["here", "relative", "other_host", "http"])
def test_pages_are_followed_to_the_end_however_the_next_one_is_written(
    clinic: StagedClinic, opened: Opened, next_link: str
) -> None:
    ids = clinic.control("book", at=at("06:00"), count=250)["ids"]
    clinic.control("knobs", next_link=next_link, total=False)
    read = pages(opened(clinic))
    assert [page.received for page in read] == [100, 100, 50]
    assert [one.external_id for page in read for one in page.appointments] == ids
    assert [page.from_start for page in read] == [True, False, False]
    assert all(one.patients[0].birth_date for page in read for one in page.appointments), "on every page"


def test_a_page_may_be_smaller_than_asked_for(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("06:00"), count=45)
    clinic.control("knobs", page_cap=20)
    assert [page.received for page in pages(opened(clinic))] == [20, 20, 5]


def test_half_pages_are_half_as_large(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("06:00"), count=120)
    assert [page.received for page in pages(opened(clinic, half_pages=True))] == [50, 50, 20]


@pytest.mark.parametrize("total", [True, False])
def test_a_server_without_next_links_is_asked_for_everything_at_once(
    clinic: StagedClinic, opened: Opened, total: bool
) -> None:
    clinic.control("book", at=at("06:00"), count=250)
    clinic.control("knobs", next_link="none", page_cap=10_000, total=total)
    assert [page.received for page in pages(opened(clinic))] == [250]


def test_a_server_that_neither_pages_nor_sends_everything_is_not_believed(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("06:00"), count=120)
    clinic.control("knobs", next_link="none")
    with pytest.raises(PmsMalformed) as raised:
        pages(opened(clinic))
    assert (raised.value.reason, raised.value.path) == ("page_budget", "$.link")


@pytest.mark.fault("F36")
def test_pages_that_go_round_in_a_circle_are_noticed(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("06:00"), count=250)
    clinic.control("knobs", next_link="loop")
    with pytest.raises(PmsMalformed) as raised:
        pages(opened(clinic))
    assert raised.value.reason == "cursor_loop"


def test_a_next_page_at_somebody_elses_is_not_asked_for(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("06:00"), count=250)
    clinic.control("knobs", next_link="elsewhere")
    with pytest.raises(PmsUntrusted) as raised:
        pages(opened(clinic))
    assert raised.value.reason == "address"


def test_a_search_whose_pages_expired_is_asked_once_more_from_the_start(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("06:00"), count=150)
    adapter = opened(clinic)
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    assert next(reading).received == 100
    clinic.fault("status", status=410, path=LIST, next=1)
    rest = list(reading)
    assert [(page.received, page.from_start) for page in rest] == [(100, True), (50, False)]
    clinic.control("knobs", page_ttl_s=0)
    with pytest.raises(PmsNotFound):
        pages(opened(clinic))


def test_a_server_that_wants_somebody_named_is_read_person_by_person(clinic: StagedClinic, opened: Opened) -> None:
    """Oracle's dialect."""
    staff = clinic.practitioners()
    ids = {clinic.book(at(f"{8 + number:02}:00"), practitioner_ids=[who]) for number, who in enumerate(staff)}
    clinic.control("knobs", needs_person=True)
    adapter = opened(clinic)
    assert set(rows(adapter)) == ids
    before = len(clinic.asked(LIST))
    assert set(rows(adapter)) == ids
    assert len(clinic.asked(LIST)) == before + 1, "it knows by now"
    assert adapter.validate_connection()
    with pytest.raises(PmsBadRequest):
        list(adapter.changes(datetime(2026, 3, 9, tzinfo=UTC), []))


# --- one, gone, changed -----------------------------------------------------------------------------------------------


def test_what_was_deleted_or_entered_in_error_is_gone(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    deleted, mistaken, stays = (clinic.book(at(time)) for time in ("09:00", "10:00", "11:00"))
    clinic.delete(deleted)
    clinic.change(mistaken, word="entered-in-error")
    assert set(rows(adapter)) == {stays}
    for id_ in (deleted, mistaken, "never-was"):
        with pytest.raises(PmsNotFound):
            adapter.appointment(id_)


def test_what_changed_is_told_by_the_servers_clock(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    clinic.book(at("09:00"))
    moved = clinic.book(at("10:00", date(2026, 3, 20)))
    clinic.sandbox.control("clock", at="2026-03-09T13:00:00+11:00")
    clinic.change(moved, at=at("11:00", date(2026, 3, 21)))
    since = datetime(2026, 3, 9, 1, 30, tzinfo=UTC)
    (page,) = adapter.changes(since, [])
    (one,) = page.appointments
    assert (one.external_id, one.changed_at) == (moved, datetime(2026, 3, 9, 2, tzinfo=UTC))
    assert "_lastUpdated=ge2026-03-09T01:30:00Z" in clinic.asked(LIST)[-1]["query"]


def test_a_server_that_does_not_tell_what_changed_is_swept_instead(clinic: StagedClinic, opened: Opened) -> None:
    clinic.book(at("09:00"))
    since = datetime(2026, 3, 9, tzinfo=UTC)
    clinic.control("knobs", last_updated=False)
    before = len(clinic.asked(LIST))
    with pytest.raises(PmsBadRequest):
        list(opened(clinic).changes(since, []))
    assert len(clinic.asked(LIST)) == before, "the statement said so"
    clinic.control("knobs", last_updated=True, ignores=["_lastUpdated"])
    with pytest.raises(PmsBadRequest):
        list(opened(clinic).changes(since, []))


def test_everybody_of_the_window_is_met_once(clinic: StagedClinic, adapter: FhirAdapter) -> None:
    people = clinic.state()["patients"]
    for hour, who in ((8, 0), (9, 1), (10, 0), (11, 2)):
        clinic.book(at(f"{hour:02}:00"), patient_id=people[who])
    found = [one for page in adapter.clients(MONDAY) for one in page.clients]
    assert [one.external_id for one in found] == [people[0], people[1], people[2]]
    assert found[0].birth_date == date(1941, 3, 9)


def test_the_invented_clinics_day_is_read_whole(busy: StagedClinic, opened: Opened) -> None:
    found = rows(opened(busy))
    truth = {one["id"]: one for one in busy.truth("2026-03-09")}
    assert set(found) == set(truth)
    assert {id_: one.patients[0].external_id for id_, one in found.items()} == {
        id_: one["patient_ids"][0] for id_, one in truth.items()
    }
    assert {one.telehealth_url is not None for one in found.values()} == {True, False}
