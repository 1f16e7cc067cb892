"""S10: the real adapter against the simulated Cliniko, over HTTP; the two share no code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.config import VendorSettings
from app.domain.status import Status
from app.domain.window import Window
from app.pms.cliniko.adapter import ClinikoAdapter
from app.pms.cliniko.settings import ClinikoSettings, shard_of
from app.pms.errors import PmsNotConfigured, PmsNotFound
from app.pms.factory import environment_of
from app.pms.offers import NotOffered
from tests.pms.cliniko.conftest import DAY, MONDAY, ZONE, Opened, at, pages, rows
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S10")

KEY = "MS-runsheet-demo-key-0000000000-au4"


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_opens_the_account_with_or_without_its_suffix(clinic: StagedClinic, opened: Opened) -> None:
    for key in (KEY, KEY.removesuffix("-au4"), f"  {KEY}\n"):
        adapter = opened(clinic, {"api_key": key})
        assert adapter.validate_connection() is True
        assert (adapter.health_check().healthy, adapter.health_check().message) == (True, "Cliniko answers.")


def test_a_wrong_key_is_told_and_asked_once(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic, {"api_key": "another-key-au4"})
    assert adapter.validate_connection() is False
    assert len(clinic.asked()) == 1
    assert (adapter.health_check().healthy, adapter.health_check().reason) == (False, "auth_failed")


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        *(
            ("api_key", one)
            for one in (
                "",
                "  ",
                "Zq7-au1",
                "long enough with a blank-au1",
                "long-enough-with:colon-au1",
                "clé-of-mine-au1",
            )
        ),
        *(
            ("contact_email", one)
            for one in ("", "nobody", "a@b", "a@example.com)\r\nX-Injected: 1", "a b@example.com")
        ),
    ],
)
def test_what_is_missing_or_cannot_be_is_named_and_never_shown(
    clinic: StagedClinic, opened: Opened, name: str, typed: str
) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, {name: typed})
    assert f"({name})" in str(raised.value)
    assert not typed.strip() or typed not in str(raised.value)
    assert clinic.asked() == []


@pytest.mark.parametrize(
    ("key", "shard"),
    [
        ("abcdefgh-uk1", "uk1"),
        ("ab-cd-ef-eu12", "eu12"),
        ("abcdefgh", "au1"),
        ("abc-defgh", "au1"),
        ("abcd-AU4", "au4"),
    ],
)
def test_the_letters_behind_the_last_hyphen_name_the_host(key: str, shard: str) -> None:
    typed = {"api_key": key, "contact_email": "frontdesk@example.com"}
    assert (shard_of(key), ClinikoSettings.of(VendorSettings(), typed).base_url) == (
        shard,
        f"https://api.{shard}.cliniko.com/v1",
    )


def test_it_is_live_on_every_region_and_nowhere_else(clinic: StagedClinic) -> None:
    for host in ("api.au1.cliniko.com", "API.UK2.cliniko.com", "api.nz12.cliniko.com"):
        assert environment_of(f"https://{host}/v1") == "live"
    for host in ("api.cliniko.com", "api.au1.cliniko.com.example", "au1.cliniko.com", "xapi.au1.cliniko.com"):
        assert environment_of(f"https://{host}/v1") == "simulator"
    assert environment_of(clinic.url) == "simulator"


def test_the_key_stands_in_no_name_of_ours(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic)
    assert KEY not in adapter.limit_key() + repr(adapter._settings)
    assert adapter.limit_key() == opened(clinic).limit_key()
    assert adapter.limit_key() != opened(clinic, {"api_key": "another-key-au4"}).limit_key()
    with pytest.raises(NotOffered):
        adapter.pair("ABCD1234")


def test_the_account_is_told_by_its_id_its_name_and_its_businesses_zone(
    clinic: StagedClinic, adapter: ClinikoAdapter
) -> None:
    told = adapter.identity()
    assert (told.name, told.timezone) == ("Harbour Allied Health", "Australia/Melbourne")
    assert len(told.external_id) == 19
    business = clinic.book(at("09:00"), online=False)
    place = rows(adapter)[business].location_id
    assert place is not None
    clinic.raw(place, time_zone_identifier="Australia/Perth")
    assert adapter.identity().timezone is None, "two businesses in two zones: the practice says which is meant"


# --- who and what -----------------------------------------------------------------------------------------------------


def test_everybody_is_listed_and_who_left_does_not_work_here(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    assert {one.full_name: one.works_here for one in adapter.practitioners()} == {
        "Dr Wren Okafor": True,
        "Dr Isolde Marchetti": True,
        "Dr Rafi Nightingale": True,
        "Dr Una Gone": False,
    }
    assert {one.external_id for one in adapter.practitioners() if one.active} == set(clinic.practitioners())


def test_types_come_with_their_length_and_colour_archived_ones_too(
    clinic: StagedClinic, adapter: ClinikoAdapter
) -> None:
    old = clinic.state()["types"][1]["id"]
    clinic.raw(old, archived_at="2025-01-01T00:00:00Z")
    found = {one.name: one for one in adapter.appointment_types()}
    assert (found["Initial consult, video"].minutes, found["Initial consult, video"].colour) == (40, "#3F8EFC")
    assert found["Review, video"].external_id == old


def test_a_practitioner_or_type_that_cannot_be_read_keeps_its_id(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    who, what = clinic.practitioners()[0], clinic.state()["types"][0]["id"]
    clinic.raw(who, first_name=["Wren"])
    clinic.raw(what, duration_in_minutes="forty")
    assert {one.external_id for one in adapter.practitioners() if not one.readable} == {who}
    assert {one.external_id for one in adapter.appointment_types() if not one.readable} == {what}
    assert rows(adapter) == {}


# --- a booking --------------------------------------------------------------------------------------------------------


def test_a_visit_comes_whole(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    people = clinic.practitioners()
    id_ = clinic.book(at("10:30"), practitioner_ids=[people[1]], minutes=50, note="Prefers captions on")
    one = rows(adapter)[id_]
    assert one.starts_at == datetime(2026, 3, 8, 23, 30, tzinfo=UTC)
    assert one.ends_at == one.starts_at + timedelta(minutes=50)
    assert (one.minutes, one.status, one.raw_status, one.comment) == (50, Status.BOOKED, None, "Prefers captions on")
    assert (one.practitioner_id, one.practitioner_name) == (people[1], "Dr Isolde Marchetti")
    assert (one.type_name, one.telehealth_hint) == ("Initial consult, video", True)
    assert one.telehealth_url == f"https://video.example/join/{id_}", "the guest's, never the host's"
    assert one.patient is not None
    assert (one.patient.full_name, one.patient.phone) == ("Wilhelmina Quandongley", "0491 570 156")
    assert one.patient.email == "wilhelmina.quandongley0@example.com"
    assert one.patient.birth_date == date(1941, 3, 9)
    assert one.location_id is not None
    assert one.changed_at == datetime(2026, 3, 9, 1, tzinfo=UTC)
    assert adapter.appointment(id_) == one
    assert adapter.patient(one.patient.external_id) == one.patient


@pytest.mark.parametrize(("online", "hint"), [(False, False), (None, False), ("yes", None)])
def test_a_link_stands_on_every_visit_and_counts_on_telehealth_types_alone(
    clinic: StagedClinic, adapter: ClinikoAdapter, online: Any, hint: bool | None
) -> None:
    kind = clinic.state()["types"][2]["id"]
    id_ = clinic.book(at("09:00"), type_id=kind)
    clinic.raw(kind, telehealth_enabled=online)
    one = rows(adapter)[id_]
    assert (one.telehealth_url, one.telehealth_hint) == (None, hint)


def test_a_group_is_one_row_of_everybody_who_comes_and_nobody_gets_anothers_link(
    clinic: StagedClinic, adapter: ClinikoAdapter
) -> None:
    who = clinic.state()["patients"][:4]
    id_ = clinic.book(at("09:00"), patient_id=who[0], also=who[1:])
    one = rows(adapter)[id_]
    assert {patient.external_id for patient in one.patients} == set(who)
    assert (one.status, one.telehealth_url, one.telehealth_hint) == (Status.BOOKED, None, True)
    assert all(patient.full_name != "Unknown patient" for patient in one.patients)
    assert adapter.appointment(id_) == one
    told = attendees(clinic, id_)
    clinic.raw(told[who[3]], cancelled_at="2026-03-08T00:00:00Z")
    clinic.raw(told[who[0]], arrived=False)
    assert {patient.external_id for patient in rows(adapter)[id_].patients} == set(who[:3])
    assert rows(adapter)[id_].status is Status.BOOKED, "one who stayed away is not the class"
    clinic.raw(told[who[1]], arrived=True)
    assert (rows(adapter)[id_].status, rows(adapter)[id_].raw_status) == (Status.ARRIVED, "arrived")
    for patient in who[:3]:
        clinic.raw(told[patient], arrived=False)
    assert rows(adapter)[id_].status is Status.NO_SHOW


def test_a_class_nobody_comes_to_is_a_block_and_blocks_of_time_are_not_asked_for(
    clinic: StagedClinic, adapter: ClinikoAdapter
) -> None:
    who = clinic.state()["patients"][:2]
    group, block = clinic.book(at("09:00"), patient_id=who[0], also=who[1:]), clinic.book(at("10:00"), block=True)
    for told in attendees(clinic, group).values():
        clinic.raw(told, cancelled_at="2026-03-08T00:00:00Z")
    found = rows(adapter)
    assert found[group].is_block
    assert block not in found


def attendees(clinic: StagedClinic, booking: str) -> dict[str, str]:
    """Ids of a booking's attendees by patient, as the vendor tells them."""
    import requests  # noqa: PLC0415 - only here

    headers = {"User-Agent": "A test (test@example.com)", "Accept": "application/json"}
    with requests.Session() as session:
        session.trust_env = False
        body = session.get(
            f"{clinic.url}/attendees",
            params={"q[]": f"booking_id:={booking}", "per_page": 100},
            headers=headers,
            auth=(KEY, ""),
            timeout=20,
        ).json()
    return {one["patient"]["links"]["self"].rpartition("/")[2]: one["id"] for one in body["attendees"]}


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status", "raw"),
    [
        ("booked", Status.BOOKED, None),
        ("confirmed", Status.BOOKED, None),
        ("arrived", Status.ARRIVED, "arrived"),
        ("in_progress", Status.ARRIVED, "arrived"),
        ("completed", Status.ARRIVED, "arrived"),
        ("no_show", Status.NO_SHOW, "did not arrive"),
        ("cancelled", Status.CANCELLED, "cancelled"),
    ],
)
def test_each_mark_is_read_and_none_is_invented(
    clinic: StagedClinic, adapter: ClinikoAdapter, state: str, status: Status, raw: str | None
) -> None:
    id_ = clinic.book(at("09:00"), state=state)
    one = rows(adapter)[id_]
    assert (one.status, one.raw_status) == (status, raw)
    assert one.cancelled_at == (datetime(2026, 3, 9, 1, tzinfo=UTC) if status is Status.CANCELLED else None)
    assert adapter.appointment(id_) == one


@pytest.mark.parametrize(
    ("marks", "status"),
    [
        ({"patient_arrived": True, "did_not_arrive": True}, Status.NO_SHOW),
        ({"patient_arrived": True, "cancelled_at": "2026-03-09T00:00:00Z"}, Status.CANCELLED),
        ({"patient_arrived": None, "did_not_arrive": None, "cancelled_at": ""}, Status.BOOKED),
    ],
)
def test_of_several_marks_the_first_in_order_counts(
    clinic: StagedClinic, adapter: ClinikoAdapter, marks: dict[str, Any], status: Status
) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, **marks)
    assert rows(adapter)[id_].status is status


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_a_week_is_one_chain_for_everybody(adapter: ClinikoAdapter) -> None:
    parts = adapter.partitions(Window(DAY, date(2026, 3, 20), ZONE), ["kim", "lee"])
    assert [(part.practitioner_id, part.key) for part in parts] == [
        ("", "2026-03-09/2026-03-15"),
        ("", "2026-03-16/2026-03-20"),
    ]


def test_pages_are_followed_through_visits_and_classes(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    who = clinic.state()["patients"]
    visits = clinic.control("book", at=at("08:00"), count=230)["ids"]
    classes = clinic.control("book", at=at("08:00"), count=120, patient_id=who[0], also=who[1:3])["ids"]
    found = pages(adapter)
    assert [page.received for page in found] == [100, 100, 30, 100, 20]
    assert [page.from_start for page in found] == [True, False, False, False, False]
    assert [bool(page.next_cursor) for page in found] == [True, True, True, True, False]
    assert {one.external_id for page in found for one in page.appointments} == {*visits, *classes}
    assert all(len(one.patients) == 3 for one in found[-1].appointments)
    resumed = list(adapter.appointments(adapter.partitions(MONDAY, [])[0], found[1].next_cursor))
    assert [page.appointments for page in resumed] == [page.appointments for page in found[2:]]
    assert not resumed[0].from_start
    anew = adapter.appointments(adapter.partitions(MONDAY, [])[0], "nothing of ours")
    assert next(anew).from_start


def test_a_booking_made_while_the_pages_are_read_moves_none(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    booked = clinic.control("book", at=at("08:00"), count=150)["ids"]
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    first = next(reading)
    clinic.sandbox.control("clock", at=at("12:30"))
    late = clinic.book(at("00:30"))  # earlier in the day than all others, and made last
    rest = [one.external_id for page in reading for one in page.appointments]
    assert [*(one.external_id for one in first.appointments), *rest] == [*rest_of(booked, first, rest), late]


def rest_of(booked: list[str], first: Any, rest: list[str]) -> list[str]:
    """All that were booked before, each once, in the order they came."""
    came = [*(one.external_id for one in first.appointments), *rest]
    assert sorted(one for one in came if one in booked) == sorted(booked)
    return [one for one in came if one in booked]


def test_cancelled_stays_and_what_was_archived_is_gone(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    off, gone, marked = (clinic.book(at("09:00")) for _ in range(3))
    clinic.cancel(off, "Cannot make it")
    clinic.delete(gone)
    assert set(rows(adapter)) == {off, marked}
    clinic.raw(marked, archived_at="2026-03-09T01:00:00Z")
    assert set(rows(adapter)) == {off}
    assert adapter.appointment(off).status is Status.CANCELLED
    for id_ in (gone, marked, "1234567890123456789"):
        with pytest.raises(PmsNotFound):
            adapter.appointment(id_)


@pytest.mark.parametrize("day", [date(2026, 4, 5), date(2026, 10, 4)])  # 25 hours long, and 23
@pytest.mark.fault("F44")
def test_the_days_the_clocks_change_are_whole(clinic: StagedClinic, adapter: ClinikoAdapter, day: date) -> None:
    window = Window(day, day, ZONE)
    inside = {clinic.book(one.isoformat()) for one in (window.start, window.end - timedelta(minutes=1))}
    inside |= {clinic.book((window.start + timedelta(hours=hour)).isoformat()) for hour in range(1, 23)}
    for one in (window.start - timedelta(minutes=1), window.end):
        clinic.book(one.isoformat())
    found = rows(adapter, window)
    assert set(found) == inside
    assert all(window.holds(one.starts_at) and one.time_doubt is None for one in found.values())


def test_a_practice_in_another_zone_than_its_account_misses_nothing(clinic: StagedClinic, opened: Opened) -> None:
    window = Window(DAY, DAY, ZoneInfo("Pacific/Honolulu"))
    booked = {clinic.book(at(f"{hour:02}:30", day)) for day in (9, 10) for hour in range(0, 24, 2)}
    wanted = {
        id_
        for id_, one in rows(opened(clinic), Window(DAY, date(2026, 3, 10), ZONE)).items()
        if window.holds(one.starts_at)
    }
    assert set(rows(opened(clinic, timezone="Pacific/Honolulu"), window)) == wanted
    assert 0 < len(wanted) < len(booked)


def test_a_page_costs_one_question_for_its_attendees_and_one_for_its_patients(
    clinic: StagedClinic, adapter: ClinikoAdapter
) -> None:
    clinic.control("book", at=at("08:00"), count=90)
    pages(adapter)
    asked = [one["path"] for one in clinic.asked()]
    assert sorted(asked) == [
        "/appointment_types",
        "/attendees",
        "/group_appointments",
        "/individual_appointments",
        "/patients",
        "/practitioners",
        "/practitioners/inactive",
    ]
    pages(adapter)
    assert len(clinic.asked()) == len(asked) + 3, "types, people and patients are known by now"


# --- the invented day -------------------------------------------------------------------------------------------------


def test_a_whole_day_is_told_as_the_clinic_holds_it(busy: StagedClinic, opened: Opened) -> None:
    truth = {row["id"]: row for row in busy.truth("2026-03-09")}
    found = rows(opened(busy))
    assert found.keys() == truth.keys()
    assert len(found) == 24
    for id_, one in found.items():
        row = truth[id_]
        assert one.starts_at == datetime.fromisoformat(row["starts_at"])
        assert [who.external_id for who in one.patients] == row["patient_ids"]
        assert one.practitioner_id == row["practitioner_ids"][0]
        assert one.telehealth_hint == (row["link"] is not None)
        assert one.telehealth_url == (None if one.status is Status.CANCELLED else row["link"])
    assert Status.UNKNOWN not in {one.status for one in found.values()}
    assert {Status.BOOKED, Status.ARRIVED} <= {one.status for one in found.values()}
