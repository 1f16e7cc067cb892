"""S03: the real adapter against the simulated Halaxy, over HTTP; the two share no code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsNotConfigured, PmsNotFound
from app.pms.factory import environment_of
from app.pms.halaxy.adapter import HalaxyAdapter
from app.pms.offers import NotOffered
from tests.pms.halaxy.conftest import Opened
from tests.pms.halaxy.practice import DAY, MONDAY, ZONE, at, only, pages, rows
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S03")

# --- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_opens_the_practice(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    assert adapter.validate_connection() is True
    health = adapter.health_check()
    assert (health.healthy, health.message) == (True, "Halaxy answers.")
    adapter.refresh_token()
    assert [one["path"] for one in clinic.asked()].count("/oauth/token") == 2


def test_a_wrong_secret_is_told_and_asked_no_oftener_than_twice(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic, typed={"client_secret": "some-other-secret"})
    for _ in range(3):
        assert adapter.validate_connection() is False
    assert [one["path"] for one in clinic.asked()] == ["/oauth/token"] * 2
    assert (adapter.health_check().healthy, adapter.health_check().reason) == (False, "auth_failed")


def test_a_key_that_may_not_retrieve_appointments_is_no_connection(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    clinic.control("knobs", denied=["Appointment"])
    assert adapter.validate_connection() is False
    assert adapter.health_check().reason == "forbidden"


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"client_id": ""}, "Client ID"),
        ({"client_secret": " "}, "Client secret"),
        ({"contact_email": "nobody"}, "Contact e-mail"),
        ({"contact_email": "a)b@example.com"}, "Contact e-mail"),
        ({"region": "mars"}, "Region"),
    ],
)
def test_what_is_missing_or_none_is_named_and_never_shown(
    clinic: StagedClinic, opened: Opened, typed: dict[str, str], named: str
) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, typed=typed)
    assert named in str(raised.value)
    assert not any(value.strip() and value in str(raised.value) for value in typed.values())
    assert clinic.asked() == []


def test_the_secret_stands_in_no_name_of_ours(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic)
    assert clinic.credentials["client_secret"] not in adapter.limit_key() + repr(adapter._settings)
    assert clinic.credentials["client_id"] not in adapter.limit_key()
    assert adapter.limit_key() != opened(clinic, typed={"client_id": "another"}).limit_key()


def test_it_is_live_at_the_vendors_two_addresses_only(clinic: StagedClinic, opened: Opened) -> None:
    assert {environment_of(f"https://{region}-api.halaxy.com/main") for region in ("au", "eu")} == {"live"}
    assert environment_of(clinic.url) == "simulator"
    typed = {**clinic.credentials, "region": "EU"}
    assert opened("", typed=typed)._settings.token_url == "https://eu-api.halaxy.com/main/oauth/token"
    assert opened("", typed=clinic.credentials)._settings.base_url == "https://au-api.halaxy.com/main"


def test_the_practice_is_its_group_however_it_was_told_by_before(clinic: StagedClinic, opened: Opened) -> None:
    told = opened(clinic).identity()
    assert (told.external_id, told.name, told.timezone) == ("PG-220014", "Bottlebrush Allied Health", None)
    client_id = clinic.credentials["client_id"]
    assert opened(clinic, tenant=client_id).identity().external_id == client_id
    clinic.control("knobs", denied=["Organization"])
    assert opened(clinic).identity().external_id == client_id


def test_there_is_no_pairing_code(adapter: HalaxyAdapter) -> None:
    assert adapter.pairing is None
    with pytest.raises(NotOffered):
        adapter.pair("ABCD1234")


# --- who and what -----------------------------------------------------------------------------------------------------


def test_the_practices_own_people_are_listed_and_no_contact_from_outside(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    clinic.control("knobs", administrator=True)
    people = adapter.practitioners()
    assert [(one.full_name, one.active, one.shown_in_book) for one in people] == [
        ("Dr Wren Okafor", True, True),
        ("Dr Isolde Marchetti", True, True),
        ("Dr Rafi Nightingale", True, True),
        ("Dr Una Gone", False, True),
        ("Ada Ledgerwood", True, False),
    ]
    assert [one.external_id for one in people if one.works_here] == clinic.practitioners()
    assert people[0].email == "wren@example.com"


def test_where_roles_are_kept_from_us_everybody_counts(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.control("knobs", administrator=True, denied=["PractitionerRole"])
    assert all(one.shown_in_book for one in adapter.practitioners())


def test_people_beyond_the_first_page_are_listed_too(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic, half_pages=True)
    for number in range(60):
        clinic.control("people", family=f"Extra {number}")
    assert len(adapter.practitioners()) == 64


def test_archived_types_are_types(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    kinds = clinic.state()["types"]
    clinic.raw(kinds[1]["id"], active=False)
    clinic.raw(kinds[2]["id"], name=None, extension=None)
    assert [(one.external_id, one.name, one.minutes) for one in adapter.appointment_types()] == [
        (kinds[0]["id"], "Initial consult, video", 40),
        (kinds[1]["id"], "Review, video", 20),
        (kinds[2]["id"], "Unknown", None),
        (kinds[3]["id"], "Review by telephone", 20),
    ]


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_a_week_is_one_chain_for_everybody(adapter: HalaxyAdapter) -> None:
    parts = adapter.partitions(Window(DAY, date(2026, 3, 20), ZONE), ["kim", "lee"])
    assert [(part.practitioner_id, part.key) for part in parts] == [
        ("", "all/2026-03-09/2026-03-15"),
        ("", "all/2026-03-16/2026-03-20"),
    ]


def test_a_booking_comes_whole(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    who = clinic.state()["patients"][3]
    clinic.control("patients", id=who, given="Mara Jo", family="Quill", born="1961-04-09", email="mara@example.com")
    id_ = clinic.book(at("10:30"), patient_id=who, minutes=50, state="arrived", note="Bring referral")
    one = only(adapter)
    assert (one.external_id, one.raw_status, one.status) == (f"{id_}/{who}", "arrived", Status.ARRIVED)
    (patient,) = one.patients
    assert (patient.external_id, patient.full_name, patient.first_name) == (who, "Mara Jo Quill", "Mara Jo")
    assert (patient.birth_date, patient.phone, patient.email) == (
        date(1961, 4, 9), "+61491570157", "mara@example.com"
    )  # fmt: skip
    assert (one.practitioner_id, one.practitioner_name) == (clinic.practitioners()[0], "Dr Wren Okafor")
    assert (one.type_name, one.minutes, one.comment) == ("Initial consult, video", 50, "Bring referral")
    assert (one.starts_at, one.ends_at) == (
        datetime(2026, 3, 8, 23, 30, tzinfo=UTC), datetime(2026, 3, 9, 0, 20, tzinfo=UTC)
    )  # fmt: skip
    assert (one.location_id, one.telehealth_url, one.telehealth_hint) == ("CL-440022", None, None)
    assert one.changed_at == datetime(2026, 3, 9, 1, tzinfo=UTC)
    assert adapter.appointment(one.external_id) == one


def test_a_page_brings_everybody_along_and_nobody_is_asked_for_twice(
    clinic: StagedClinic, adapter: HalaxyAdapter
) -> None:
    clinic.control("book", at=at("08:00"), count=5)
    rows(adapter)
    assert [one["path"] for one in clinic.asked()] == ["/oauth/token", "/Appointment", "/HealthcareService"]
    rows(adapter)
    assert [one["path"] for one in clinic.asked()][3:] == ["/Appointment"]


@pytest.mark.parametrize("links", ["both", "last", "none"])
@pytest.mark.parametrize("total", [True, False])
def test_pages_are_followed_however_they_name_the_next(
    clinic: StagedClinic, adapter: HalaxyAdapter, links: str, total: bool
) -> None:
    clinic.control("knobs", links=links, total=total)
    booked = clinic.control("book", at=at("08:00"), count=230)["ids"]
    found = pages(adapter)
    assert [page.received for page in found] == [100, 100, 30]
    assert [page.from_start for page in found] == [True, False, False]
    assert [page.next_cursor for page in found] == ["2/100", "3/200", None]
    assert {one.external_id.split("/")[0] for page in found for one in page.appointments} == set(booked)


def test_a_chain_goes_on_where_it_was_left(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=150)
    (part,) = adapter.partitions(MONDAY, ())
    (page,) = adapter.appointments(part, "2/100")
    assert (page.received, page.from_start) == (50, False)


def test_half_pages_ask_for_half(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("08:00"), count=60)
    assert [page.received for page in pages(opened(clinic, half_pages=True))] == [50, 10]


def test_a_day_is_the_practices_day(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    wanted = {clinic.book(at("00:00")), clinic.book(at("23:59"))}
    clinic.book(at("23:59", 8))
    clinic.book(at("00:00", 10))
    assert {id_.split("/")[0] for id_ in rows(adapter)} == wanted


@pytest.mark.parametrize(("day", "hours", "shift"), [("2026-04-05", 25, "+10:00"), ("2026-10-04", 23, "+11:00")])
def test_a_day_on_which_the_clocks_change_is_read_whole(
    clinic: StagedClinic, adapter: HalaxyAdapter, day: str, hours: int, shift: str
) -> None:
    window = Window(date.fromisoformat(day), date.fromisoformat(day), ZONE)
    assert window.end - window.start == timedelta(hours=hours)
    wanted = set()
    for hour in range(-1, hours + 1):
        starts = window.start + timedelta(hours=hour)
        id_ = clinic.book(starts.isoformat())
        wanted |= {(id_, starts)} if 0 <= hour < hours else set()
    found = {(id_.split("/")[0], one.starts_at) for id_, one in rows(adapter, window).items()}
    assert found == wanted
    assert (
        f"date=lt{date.fromisoformat(day) + timedelta(days=1)}T00%3A00%3A00%2B{shift[1:3]}"
        in (clinic.asked("/Appointment")[0]["query"])
    )


def test_cancelled_ones_stay_and_a_deleted_one_is_gone(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    off, gone = clinic.book(at("09:00")), clinic.book(at("09:00"))
    before = rows(adapter)
    clinic.cancel(off)
    clinic.delete(gone)
    (id_,) = rows(adapter)
    assert (id_.split("/")[0], rows(adapter)[id_].status) == (off, Status.CANCELLED)
    for one in before:
        if one != id_:
            with pytest.raises(PmsNotFound):
                adapter.appointment(one)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("booked", Status.BOOKED),
        ("confirmed", Status.CONFIRMED),
        ("Arrived", Status.ARRIVED),
        ("attended", Status.COMPLETED),
        ("cancelled", Status.CANCELLED),
        ("cancelled (no charge)", Status.CANCELLED),
        ("did not attend", Status.NO_SHOW),
        ("rejected", Status.CANCELLED),
        ("tentative", Status.BOOKED),
        ("accepted", Status.CONFIRMED),
        ("check response", Status.BOOKED),
        ("pending", Status.BOOKED),
        ("gone fishing", Status.UNKNOWN),
        ("Ready", Status.ARRIVED),  # explained by the practice
        ("Odd", Status.UNKNOWN),  # explained with a word we do not have
    ],
)
def test_every_word_and_one_nobody_knows(clinic: StagedClinic, opened: Opened, word: str, status: Status) -> None:
    clinic.book(at("10:00"), word=word)
    one = only(opened(clinic, words={"Ready": "arrived", "Odd": "odd"}))
    assert (one.status, one.raw_status) == (status, word)


def test_attended_means_nothing_before_the_end(clinic: StagedClinic, adapter: HalaxyAdapter) -> None:
    """Halaxy sets it by itself when the visit begins."""
    now = datetime.now(UTC)
    clinic.book((now - timedelta(minutes=10)).isoformat(), minutes=30)
    clinic.book((now - timedelta(minutes=50)).isoformat(), minutes=30)
    clinic.sandbox.control("clock", at=now.isoformat())
    clinic.control("knobs", auto_attend=True)
    window = Window(now.astimezone(ZONE).date() - timedelta(days=1), now.astimezone(ZONE).date(), ZONE)
    found = sorted(rows(adapter, window).values(), key=lambda one: one.starts_at)
    assert [(one.raw_status, one.status) for one in found] == [
        ("attended", Status.COMPLETED),
        ("attended", Status.BOOKED),
    ]
    assert [one.changed_at for one in found] == [None, None], "the clock changes it, not the vendor"


# --- the invented day -------------------------------------------------------------------------------------------------


def test_a_whole_day_is_told_as_the_clinic_holds_it(busy: StagedClinic, opened: Opened) -> None:
    truth = {one["id"]: one for one in busy.truth("2026-03-09")}
    found = {id_.split("/")[0]: one for id_, one in rows(opened(busy)).items()}
    assert found.keys() == truth.keys()
    names = {one["id"]: one["name"] for one in busy.state()["types"]}
    meant: dict[str, set[Any]] = {
        "in_progress": {Status.ARRIVED}, "completed": {Status.COMPLETED}, "no_show": {Status.NO_SHOW}
    }  # fmt: skip
    for id_, one in found.items():
        told = truth[id_]
        assert [who.external_id for who in one.patients] == told["patient_ids"]
        assert one.practitioner_id == told["practitioner_ids"][0]
        assert (one.type_name, one.minutes) == (names[told["type_id"]], told["minutes"])
        assert one.starts_at == datetime.fromisoformat(told["starts_at"])
        assert one.status in meant.get(told["state"], {told["state"]})
