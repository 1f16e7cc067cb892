"""S09: the real adapter against the simulated IntakeQ, over HTTP; the two share no code."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.appointment import Appointment, Client
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsNotConfigured, PmsNotFound
from app.pms.factory import environment_of
from app.pms.intakeq.adapter import IntakeqAdapter
from app.pms.offers import NotOffered
from app.pms.port import ClientPage, Page
from tests.pms.intakeq.conftest import Opened
from tests.sandbox.intakeq import Account

pytestmark = pytest.mark.feature("S09")

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
LIST, ONE = "GET /appointments", "GET /appointments/{appointment_id}"


def pages(adapter: IntakeqAdapter, window: Window = MONDAY) -> list[Page]:
    return [page for part in adapter.partitions(window, []) for page in adapter.appointments(part)]


def rows(adapter: IntakeqAdapter, window: Window = MONDAY) -> dict[str, Appointment]:
    return {one.external_id: one for page in pages(adapter, window) for one in page.appointments}


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_opens_the_account(adapter: IntakeqAdapter) -> None:
    assert adapter.validate_connection() is True
    health = adapter.health_check()
    assert (health.healthy, health.message) == (True, "IntakeQ / PracticeQ answers.")
    adapter.authenticate()
    adapter.refresh_token()


def test_a_wrong_key_is_told_and_asked_once(account: Account, opened: Opened) -> None:
    adapter = opened(account, key="some-other-key")
    assert adapter.validate_connection() is False
    assert len(account.asked()) == 1
    assert (adapter.health_check().healthy, adapter.health_check().reason) == (False, "auth_failed")


@pytest.mark.parametrize(
    "key", [None, "", "   ", "Zq7", "a key with blanks", "a-kéy-with-accents", "two\nlines-of-key"]
)
def test_a_key_that_is_missing_or_none_is_named_and_never_shown(account: Account, opened: Opened, key: Any) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        opened(account, key=key)
    assert "api_key" in str(raised.value)
    assert not (key or "").strip() or key not in str(raised.value)
    assert account.asked() == []


def test_the_key_stands_in_no_name_of_ours(account: Account, opened: Opened) -> None:
    key = "intakeq-key-of-somebody"
    adapter = opened(account, key=f"  {key} ")
    assert key not in adapter.limit_key() + repr(adapter._settings)
    assert adapter.limit_key() == opened(account, key=key).limit_key()
    assert adapter.limit_key() != opened(account).limit_key()


def test_it_is_live_at_the_vendors_address_only(account: Account) -> None:
    assert environment_of("https://intakeq.com/api/v1") == "live"
    assert environment_of(account.url) == "simulator"


def test_an_account_is_told_by_its_first_practitioner_and_its_first_place(account: Account, opened: Opened) -> None:
    first = account.state()["practitioners"][0]["Id"]
    identity = opened(account).identity()
    assert (identity.external_id, identity.name, identity.timezone) == (first, "Harbour Rooms", None)
    other = account.state()["practitioners"][1]["Id"]
    assert opened(account, tenant=other).identity().external_id == other


def test_there_is_no_pairing_code(adapter: IntakeqAdapter) -> None:
    assert adapter.pairing is None
    with pytest.raises(NotOffered):
        adapter.pair("ABCD1234")


# --- who and what -----------------------------------------------------------------------------------------------------


def test_everybody_is_listed_and_who_left_does_not_work_here(adapter: IntakeqAdapter) -> None:
    people = adapter.practitioners()
    assert [(one.full_name, one.works_here) for one in people] == [
        ("Dr Wren Okafor", True),
        ("Dr Isolde Marchetti", True),
        ("Dr Rafi Nightingale", True),
        ("Dr Una Gone", False),
    ]
    assert people[0].email == "wren@example.com"


def test_services_are_the_types_and_settings_are_asked_once(account: Account, adapter: IntakeqAdapter) -> None:
    assert [(one.name, one.minutes) for one in adapter.appointment_types()][:2] == [
        ("Initial consult, video", 50),
        ("Review, video", 20),
    ]
    adapter.identity()
    adapter.practitioners()
    assert [one["route"] for one in account.asked()] == ["GET /appointments/settings", "GET /practitioners"]


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_a_week_is_one_chain_for_everybody(adapter: IntakeqAdapter) -> None:
    parts = adapter.partitions(Window(DAY, date(2026, 3, 20), ZONE), ["kim", "lee"])
    assert [(part.practitioner_id, part.key) for part in parts] == [
        ("", "all/2026-03-09/2026-03-15"),
        ("", "all/2026-03-16/2026-03-20"),
    ]


def test_a_booking_comes_whole(account: Account, adapter: IntakeqAdapter) -> None:
    sent = account.book(at("10:30"), client_id=4101, minutes=50)
    one = rows(adapter)[sent["Id"]]
    assert (one.patient.full_name, one.patient.external_id) == (sent["ClientName"], "4101")  # type: ignore[union-attr]
    assert (one.practitioner_name, one.type_name, one.minutes) == ("Dr Wren Okafor", "Initial consult, video", 50)
    assert one.starts_at.astimezone(ZONE).isoformat() == at("10:30")
    assert one.telehealth_url in sent["TelehealthInfo"]["Invitation"]  # type: ignore[operator]
    assert adapter.appointment(sent["Id"]) == one


def test_pages_are_followed_until_one_is_not_full(account: Account, adapter: IntakeqAdapter) -> None:
    account.control("book", at=at("08:00"), count=230)
    found = pages(adapter)
    assert [page.received for page in found] == [100, 100, 30]
    assert [page.from_start for page in found] == [True, False, False]
    assert len(rows(adapter)) == 230


def test_a_last_page_that_is_just_full_costs_one_call_more(account: Account, adapter: IntakeqAdapter) -> None:
    account.control("book", at=at("08:00"), count=200)
    assert [page.received for page in pages(adapter)] == [100, 100, 0]
    assert len(account.asked(LIST)) == 3


@pytest.mark.parametrize("inclusive", [True, False])
def test_the_day_is_the_day_however_the_vendor_reads_its_ends(
    account: Account, adapter: IntakeqAdapter, inclusive: bool
) -> None:
    account.control("knobs", inclusive=inclusive)
    wanted = {account.book(at("00:00"))["Id"], account.book(at("23:59"))["Id"]}
    account.book(at("23:59", 8))
    account.book(at("00:00", 10))
    assert set(rows(adapter)) == wanted
    (page,) = pages(adapter)
    assert page.received == 2


@pytest.mark.parametrize("timezone", ["Pacific/Honolulu", "Pacific/Auckland"])
def test_a_practice_that_is_in_another_zone_than_its_account_misses_nothing(
    account: Account, opened: Opened, timezone: str
) -> None:
    window = Window(DAY, DAY, ZoneInfo(timezone))
    wanted = set()
    for day in (8, 9, 10, 11):
        for hour in range(0, 24, 4):
            one = account.book(at(f"{hour:02}:30", day), minutes=20)
            if window.start.timestamp() * 1000 <= one["StartDate"] < window.end.timestamp() * 1000:
                wanted.add(one["Id"])
    assert set(rows(opened(account, timezone=timezone), window)) == wanted


def test_a_booking_made_while_the_pages_are_read_repeats_a_row_and_loses_none(
    account: Account, adapter: IntakeqAdapter
) -> None:
    booked = account.control("book", at=at("08:00"), count=150)["ids"]
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    first = next(reading)
    account.book(at("20:00"))  # newest: everything behind it moves down by one
    rest = [one.external_id for page in reading for one in page.appointments]
    assert {one.external_id for one in first.appointments} | set(rest) == set(booked)
    assert first.appointments[-1].external_id == rest[0]


def test_cancelled_and_declined_stay_and_a_deleted_one_is_gone(account: Account, adapter: IntakeqAdapter) -> None:
    off, no, gone = (account.book(at("09:00"))["Id"] for _ in range(3))
    account.control("cancel", id=off)
    account.control("change", id=no, status="Declined")
    account.control("delete", id=gone)
    found = rows(adapter)
    assert {id_: one.status for id_, one in found.items()} == {off: Status.CANCELLED, no: Status.CANCELLED}
    assert found[off].cancelled_at is not None


def test_the_bin_answers_for_all_that_were_deleted_with_one_call(account: Account, adapter: IntakeqAdapter) -> None:
    gone = account.control("book", at=at("09:00"), count=5)["ids"]
    kept = account.book(at("10:00"))["Id"]
    for id_ in gone:
        account.control("delete", id=id_)
    before = len(account.asked())
    for id_ in gone:
        with pytest.raises(PmsNotFound):
            adapter.appointment(id_)
    assert adapter.appointment(kept).external_id == kept
    with pytest.raises(PmsNotFound):
        adapter.appointment("66aa00bb11cc22dd33ee44ff")
    routes = [one["route"] for one in account.asked()[before:]]
    assert routes == [LIST, ONE, ONE]


def test_a_clients_own_record(account: Account, adapter: IntakeqAdapter) -> None:
    made = account.control(
        "clients", first="Mara Jo", last="Quill", born="1961-04-09", phone="0491 570 156", mobile="0491 570 157"
    )["client"]
    one = adapter.patient(str(made["ClientId"]))
    assert (one.full_name, one.first_name, one.last_name) == ("Mara Jo Quill", "Mara Jo", "Quill")
    assert (one.phone, one.email, one.birth_date) == ("0491 570 157", None, date(1961, 4, 9))
    with pytest.raises(PmsNotFound):
        adapter.patient("999999")


# --- the invented day -------------------------------------------------------------------------------------------------


def test_a_whole_day_is_told_as_the_vendor_holds_it(busy: Account, opened: Opened) -> None:
    truth = {row["Id"]: row for row in busy.sandbox.read("intakeq/truth", day="2026-03-09")["appointments"]}
    found = rows(opened(busy))
    assert found.keys() == truth.keys()
    for id_, one in found.items():
        sent = truth[id_]
        assert [who.external_id for who in one.patients] == [
            str(who["ClientId"]) for who in (sent, *sent["AdditionalClients"])
        ]
        info = sent["TelehealthInfo"]
        assert one.telehealth_hint is (True if info else None)
        assert (one.telehealth_url is None) == (info is None)
        assert info is None or one.telehealth_url != info["StartUrl"]
    statuses = {one.status for one in found.values()}
    assert {Status.BOOKED, Status.CONFIRMED, Status.COMPLETED} <= statuses
    assert Status.UNKNOWN not in statuses


# --- discovery --------------------------------------------------------------------------------------------------------


def met(found: list[ClientPage]) -> dict[str, Client]:
    return {one.external_id: one for page in found for one in page.clients}


@pytest.mark.feature("E10")
def test_discovery_meets_each_client_of_the_window_once_by_number(account: Account, adapter: IntakeqAdapter) -> None:
    account.control("book", at=at("08:00"), count=120, client_id=4101)
    account.book(at("09:00"), client_id=4102, also=[4103])
    account.book(at("09:00", 8), client_id=4110)
    found = list(adapter.clients(MONDAY))
    assert [one.external_id for page in found for one in page.clients].count("4101") == 1
    assert set(met(found)) == {"4101", "4102", "4103"}
    assert sum(page.received for page in found) == 121
    assert len(account.asked(LIST)) == 2


@pytest.mark.feature("E10")
def test_a_family_with_one_address_is_several_clients_as_sent(account: Account, adapter: IntakeqAdapter) -> None:
    for first in ("Mara", "Bo"):
        made = account.control(
            "clients", first=first, last="Quill", email="The.Quills@example.com", phone="(0491) 570-156"
        )
        account.book(at("09:00"), client_id=made["client"]["ClientId"])
    people = met(list(adapter.clients(MONDAY))).values()
    assert sorted(one.full_name for one in people) == ["Bo Quill", "Mara Quill"]
    assert {(one.email, one.phone) for one in people} == {("The.Quills@example.com", "(0491) 570-156")}


@pytest.mark.feature("E10")
def test_half_a_year_costs_one_chain_of_pages(busy: Account, opened: Opened) -> None:
    window = Window(date(2025, 12, 9), date(2026, 6, 7), ZONE)
    adapter = opened(busy)
    found = list(adapter.clients(window))
    assert len(met(found)) == 90
    received = sum(page.received for page in found)
    assert len(busy.asked(LIST)) <= received // 100 + 2
    assert all("startDate=2025-12-08" in one["query"] for one in busy.asked(LIST))


@pytest.mark.feature("E10")
def test_a_gap_is_filled_from_an_older_appointment(account: Account, adapter: IntakeqAdapter) -> None:
    older, newer = account.book(at("09:00"), client_id=4101), account.book(at("10:00"), client_id=4101)
    account.control("raw", id=newer["Id"], fields={"ClientPhone": None, "ClientDateOfBirth": None})
    account.control("raw", id=older["Id"], fields={"ClientPhone": "0491 570 158"})
    one = met(list(adapter.clients(MONDAY)))["4101"]
    assert (one.phone, one.birth_date) == ("0491 570 158", date.fromisoformat(older["ClientDateOfBirth"]))
