"""S02: the real adapter against the simulated MediRecords, over HTTP; the two share no code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.domain.status import Status
from app.domain.window import Doubt, Window
from app.pms.errors import PmsNotConfigured, PmsNotFound
from app.pms.factory import environment_of
from app.pms.medirecords import mapping
from app.pms.medirecords.adapter import MedirecordsAdapter
from app.pms.offers import NotOffered
from tests.pms.medirecords.conftest import CLIENT, DAY, ZONE, Opened, at, only, pages, rows
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S02")

LIST = "/v1/practices/6f1d7a52-4b3e-4c8e-9a77-1d0c5e2b9f10/appointments"
SEARCH = "/v1/patients/search"


# --- the token --------------------------------------------------------------------------------------------------------


def test_the_token_opens_the_practice_and_is_not_asked_for(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    adapter.authenticate()
    adapter.refresh_token()
    assert adapter.validate_connection() is True
    assert adapter.health_check().message == "MediRecords answers."
    assert clinic.asked("/oauth") == []


@pytest.mark.parametrize("word", ["Bearer ", "bearer  ", ""])
def test_the_word_before_a_token_goes_out_once_however_it_was_copied(
    clinic: StagedClinic, opened: Opened, word: str
) -> None:
    typed = {"access_token": word + clinic.credentials["access_token"]}
    assert opened(clinic, typed=typed).validate_connection() is True


def test_a_wrong_token_and_one_for_another_practice_are_told(clinic: StagedClinic, opened: Opened) -> None:
    wrong = opened(clinic, typed={"access_token": "some-other-token"})
    assert wrong.validate_connection() is False
    assert wrong.health_check().reason == "auth_failed"
    elsewhere = opened(clinic, typed={"practice_id": "00000000-4b3e-4c8e-9a77-1d0c5e2b9f10"})
    assert elsewhere.validate_connection() is False
    for status in (400, 401, 403, 404):
        clinic.control("knobs", entitled=False, entitled_status=status)
        assert opened(clinic).health_check().reason == "forbidden"


def test_a_token_is_made_for_a_client_and_again_when_it_ended(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("08:00"), count=150)
    adapter = opened(clinic, typed=CLIENT)
    assert adapter.validate_connection() is True
    clinic.fault("expire", path=LIST, skip=1, next=1)
    assert len(rows(adapter)) == 150
    assert len(clinic.asked("/oauth/token")) == 2
    refused = opened(clinic, typed={**CLIENT, "client_secret": "another"})
    for _ in range(3):
        assert refused.validate_connection() is False
    assert len(clinic.asked("/oauth/token")) == 4


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"practice_id": ""}, "practice_id"),
        ({"practice_id": "../../v1/patients"}, "practice_id"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": "two words here"}, "access_token"),
        ({"access_token": "", "client_id": "somebody"}, "client_secret"),
    ],
)
def test_what_is_missing_or_none_is_named_and_never_shown(
    clinic: StagedClinic, opened: Opened, typed: dict[str, str], named: str
) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, typed=typed)
    assert named in str(raised.value)
    assert not any(value and value in str(raised.value) for value in typed.values())
    assert clinic.asked() == []


def test_no_secret_stands_in_a_name_of_ours(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic)
    assert clinic.credentials["access_token"] not in adapter.limit_key() + repr(adapter._settings)
    assert adapter.limit_key() != opened(clinic, typed=CLIENT).limit_key()
    assert CLIENT["client_secret"] not in repr(opened(clinic, typed=CLIENT)._settings)
    assert environment_of("https://api.medirecords.com") == "live"
    assert environment_of(clinic.url) == "simulator"


def test_the_practice_is_the_one_that_was_typed(clinic: StagedClinic, opened: Opened) -> None:
    typed = {"practice_id": clinic.credentials["practice_id"].upper()}
    assert opened(clinic).identity() == opened(clinic).identity()
    told = opened(clinic).identity()
    assert (told.external_id, told.name, told.timezone) == (
        clinic.credentials["practice_id"], "Saltbush Lane Medical", None
    )  # fmt: skip
    assert opened(clinic, typed=typed)._settings.practice_id == told.external_id
    clinic.control("knobs", zone=True)
    assert opened(clinic).identity().timezone == "Australia/Melbourne"
    with pytest.raises(NotOffered):
        opened(clinic).pair("ABCD1234")


# --- who and what -----------------------------------------------------------------------------------------------------


def test_everybody_is_listed_and_who_left_does_not_work_here(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    people = clinic.state()["practitioners"]
    clinic.raw(people[1]["id"], firstName=None)
    assert [(one.full_name, one.works_here) for one in adapter.practitioners()] == [
        ("Wren Okafor", True),
        ("Marchetti", True),
        ("Rafi Nightingale", True),
        ("Una Gone", False),
    ]


def test_types_have_their_length_in_words(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    ids = [one["id"] for one in clinic.state()["types"]]
    clinic.raw(ids[1], duration="1 hr 30 mins", activeStatus=2)
    clinic.raw(ids[2], duration="as long as it takes", telehealth=None)
    clinic.raw(ids[3], duration="4 hrs", name=None)
    assert [(one.name, one.minutes) for one in adapter.appointment_types()] == [
        ("Initial consult, video", 40),
        ("Review, video", 90),
        ("Standard visit, rooms", None),
        ("Unknown", 240),
    ]


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_a_booking_comes_whole(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    who = clinic.state()["patients"][3]
    clinic.control("patients", id=who, given="", family="Quill", born="1961-04-09", email="quill@example.com")
    id_ = clinic.book(at("10:30"), patient_id=who, minutes=50, state="arrived", note="Interpreter booked")
    one = only(adapter)
    assert (one.external_id, one.raw_status, one.status) == (id_, "Waiting Room", Status.ARRIVED)
    (patient,) = one.patients
    assert (patient.external_id, patient.full_name, patient.first_name) == (who, "Quill", None)
    assert (patient.birth_date, patient.phone, patient.email) == (
        date(1961, 4, 9), "0491570157", "quill@example.com"
    )  # fmt: skip
    assert (one.practitioner_id, one.practitioner_name) == (clinic.practitioners()[0], "Wren Okafor")
    assert (one.type_name, one.minutes, one.comment) == ("Initial consult, video", 50, "Interpreter booked")
    assert (one.starts_at, one.time_doubt) == (datetime(2026, 3, 8, 23, 30, tzinfo=UTC), None)
    assert one.ends_at == one.starts_at + timedelta(minutes=50)
    assert (one.telehealth_url, one.telehealth_hint) == (f"https://video.example/join/{id_}", True)
    assert "host" not in repr(one), "the provider's link runs the session"
    assert one.changed_at == datetime(2026, 3, 9, 1, tzinfo=UTC)
    assert adapter.appointment(id_) == one


@pytest.mark.parametrize(
    ("word", "name", "status"),
    [
        ("2", "Booked", Status.BOOKED),
        ("3", "Confirmed", Status.CONFIRMED),
        ("4", "Waiting Room", Status.ARRIVED),
        ("5", "With Doctor", Status.IN_PROGRESS),
        ("6", "At Billing", Status.COMPLETED),
        ("7", "Completed", Status.COMPLETED),
        ("8", "Cancelled", Status.CANCELLED),
        ("1", "1", Status.UNKNOWN),
        ("9", "9", Status.NO_SHOW),  # explained by the practice
        ("Parked", "Parked", Status.UNKNOWN),
    ],
)
def test_every_number_and_one_nobody_knows(
    clinic: StagedClinic, opened: Opened, word: str, name: str, status: Status
) -> None:
    clinic.book(at("10:00"), word=word)
    one = only(opened(clinic, words={"9": "no_show", "1": "nonsense"}))
    assert (one.raw_status, one.status) == (name, status)


@pytest.mark.parametrize("says_last", [True, False])
def test_pages_are_followed_to_the_last(clinic: StagedClinic, opened: Opened, says_last: bool) -> None:
    clinic.control("knobs", says_last=says_last)
    booked = clinic.control("book", at=at("08:00"), count=230)["ids"]
    found = pages(opened(clinic))
    assert [page.received for page in found] == [100, 100, 30]
    assert [(page.from_start, page.next_cursor) for page in found] == [(True, "1"), (False, "2"), (False, None)]
    assert {one.external_id for page in found for one in page.appointments} == set(booked)
    assert [page.received for page in pages(opened(clinic, half_pages=True))] == [50, 50, 50, 50, 30]
    adapter = opened(clinic)
    (part,) = adapter.partitions(Window(DAY, DAY, ZONE), ())
    assert [page.received for page in adapter.appointments(part, "2")] == [30]


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("seconds", [True, False])
def test_the_day_is_the_day_however_its_ends_are_read(
    clinic: StagedClinic, adapter: MedirecordsAdapter, inclusive: bool, seconds: bool
) -> None:
    clinic.control("knobs", inclusive=inclusive, seconds=seconds)
    wanted = {clinic.book(at("00:00")), clinic.book(at("23:59"))}
    clinic.book(at("23:59", 8))
    clinic.book(at("00:00", 10))
    (page,) = pages(adapter)
    assert ({one.external_id for one in page.appointments}, page.received) == (wanted, 2)


def test_a_week_is_one_chain_and_the_range_is_in_wall_times(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    parts = adapter.partitions(Window(DAY, date(2026, 3, 20), ZONE), ["kim"])
    assert [part.key for part in parts] == ["all/2026-03-09/2026-03-15", "all/2026-03-16/2026-03-20"]
    list(adapter.appointments(parts[0]))
    assert clinic.asked(LIST)[0]["query"] == (
        "appointmentDateRangeStart=2026-03-08T23%3A59&appointmentDateRangeEnd=2026-03-16T00%3A00&page=0&size=100"
    )


def test_a_time_the_clocks_show_twice_is_told_as_doubtful_and_nobody_is_missed(
    clinic: StagedClinic, adapter: MedirecordsAdapter
) -> None:
    autumn = Window(date(2026, 4, 5), date(2026, 4, 5), ZONE)
    first, second = clinic.book("2026-04-05T02:30:00+11:00"), clinic.book("2026-04-05T02:30:00+10:00")
    late = clinic.book("2026-04-05T23:59:00+10:00")
    found = rows(adapter, autumn)
    assert {id_: one.time_doubt for id_, one in found.items()} == {
        first: Doubt.TWICE, second: Doubt.TWICE, late: None
    }  # fmt: skip
    assert found[first].starts_at == found[second].starts_at == datetime(2026, 4, 4, 15, 30, tzinfo=UTC)
    skipped = clinic.book("2026-10-04T03:30:00+11:00")
    clinic.raw(skipped, scheduleTime="2026-10-04T02:30")
    spring = rows(adapter, Window(date(2026, 10, 4), date(2026, 10, 4), ZONE))
    assert spring[skipped].starts_at == datetime(2026, 10, 3, 16, 30, tzinfo=UTC)
    assert spring[skipped].time_doubt == Doubt.SKIPPED


def test_cancelled_stays_and_a_deleted_one_is_gone(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    off, gone = clinic.book(at("09:00")), clinic.book(at("09:00"))
    clinic.cancel(off)
    clinic.delete(gone)
    assert {id_: one.status for id_, one in rows(adapter).items()} == {off: Status.CANCELLED}
    with pytest.raises(PmsNotFound):
        adapter.appointment(gone)


def test_nobody_named_is_the_first_available_and_no_patient_is_a_block(
    clinic: StagedClinic, adapter: MedirecordsAdapter
) -> None:
    anybody, nobody = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(anybody, providerId=None)
    clinic.raw(nobody, patientId=None, providerId="2a9c4b1e-7d55-4e0f-8a31-5c6d7e8f9012")
    found = rows(adapter)
    assert (found[anybody].practitioner_id, found[anybody].practitioner_name) == ("", "First available doctor")
    assert found[nobody].is_block
    assert found[nobody].practitioner_name == "Unknown practitioner"


# --- what is joined ---------------------------------------------------------------------------------------------------


def test_small_lists_are_read_once_and_patients_many_at_a_time(
    clinic: StagedClinic, adapter: MedirecordsAdapter
) -> None:
    patients = clinic.state()["patients"]
    for number, who in enumerate(patients):
        clinic.book(at(f"{8 + number // 12:02}:{number % 12 * 5:02}"), patient_id=who)
    for _ in range(2):
        found = rows(adapter)
        assert {one.patients[0].external_id for one in found.values()} == set(patients)
        assert all(one.patients[0].full_name != mapping.UNKNOWN_PATIENT for one in found.values())
    assert len(clinic.asked(SEARCH)) == 3
    assert len(clinic.asked("/v1/patients")) == 3
    assert [len(clinic.asked(path)) for path in (f"{LIST[:-13]}/providers", f"{LIST[:-13]}/appointment-types")] == [
        1,
        1,
    ]
    assert len(clinic.asked("/v1/code-system")) == 1


@pytest.mark.parametrize("search", ["refused", "ignored"])
def test_patients_whom_no_search_brings_are_asked_for_one_by_one(
    clinic: StagedClinic, adapter: MedirecordsAdapter, search: str
) -> None:
    for number in range(30):
        clinic.control("patients", family=f"Elsewhere{number}")
    new = clinic.state()["patients"][-30:]
    clinic.control("knobs", search=search)
    for who in new:
        clinic.book(at("10:00"), patient_id=who)
    found = rows(adapter)
    assert {one.patients[0].external_id for one in found.values()} == set(new)
    assert all("Elsewhere" in one.patients[0].full_name for one in found.values())


def test_a_patient_nobody_knows_any_more_keeps_the_booking(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    id_ = clinic.book(at("10:00"))
    clinic.raw(id_, patientId="77be2c90-1a4d-4f6b-8c35-0e9d8c7b6a54")
    assert only(adapter).patients[0].full_name == "Unknown patient"


@pytest.mark.parametrize("bare", [True, False])
def test_a_length_is_the_codes_else_the_types_else_nobodys(
    clinic: StagedClinic, adapter: MedirecordsAdapter, bare: bool
) -> None:
    clinic.control("knobs", bare_lists=bare)
    by_code, by_type, open_ended = (clinic.book(at(time), minutes=75) for time in ("09:00", "10:00", "11:00"))
    clinic.raw(by_type, appointmentIntervalCode=15)
    clinic.raw(open_ended, appointmentIntervalCode=None, appointmentTypeId="00000000-0000-4000-8000-000000000000")
    found = rows(adapter)
    assert [found[id_].minutes for id_ in (by_code, by_type, open_ended)] == [75, 40, None]
    assert (found[open_ended].ends_at, found[open_ended].type_name) == (None, "Unknown")


def test_telehealth_is_a_link_or_the_types_own_word(clinic: StagedClinic, adapter: MedirecordsAdapter) -> None:
    kinds = [one["id"] for one in clinic.state()["types"]]
    linked = clinic.book(at("09:00"), type_id=kinds[2])
    pending = clinic.book(at("10:00"), type_id=kinds[0], online=False)
    rooms = clinic.book(at("11:00"), type_id=kinds[2], online=False)
    odd = clinic.book(at("12:00"), type_id=kinds[2])
    clinic.raw(odd, telehealthLinkForPatient="javascript:alert(1)")
    same = clinic.book(at("13:00"), type_id=kinds[2])
    clinic.raw(same, telehealthLinkForPatient=f"https://video.example/host/{same}")
    found = rows(adapter)
    assert {id_: (one.telehealth_hint, bool(one.telehealth_url)) for id_, one in found.items()} == {
        linked: (True, True), pending: (True, False), rooms: (None, False), odd: (True, False), same: (True, False),
    }  # fmt: skip


def test_a_whole_day_is_told_as_the_clinic_holds_it(busy: StagedClinic, opened: Opened) -> None:
    truth = {one["id"]: one for one in busy.truth("2026-03-09")}
    found = rows(opened(busy))
    assert found.keys() == truth.keys()
    for id_, one in found.items():
        told = truth[id_]
        assert [who.external_id for who in one.patients] == told["patient_ids"]
        assert (one.practitioner_id, one.minutes) == (told["practitioner_ids"][0], told["minutes"])
        assert one.starts_at == datetime.fromisoformat(told["starts_at"])
        assert one.status.value == ("cancelled" if told["state"] == "no_show" else told["state"])
        assert one.telehealth_url == told["link"]
