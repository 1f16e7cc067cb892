"""S08: the real adapter against the simulated Vetspire, over HTTP; the two share no code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.consultation import ConsultationRef, Measure
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsAuthFailed, PmsNotConfigured, PmsNotFound
from app.pms.factory import environment_of
from app.pms.offers import NotOffered
from app.pms.vetspire.adapter import VetspireAdapter
from tests.pms.vetspire.conftest import DAY, MONDAY, ZONE, Opened, at, pages, rows
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S08")


# --- the key and the location -----------------------------------------------------------------------------------------


def test_the_key_opens_the_organisation(adapter: VetspireAdapter) -> None:
    assert adapter.validate_connection() is True
    assert (adapter.health_check().healthy, adapter.health_check().message) == (True, "Vetspire answers.")
    told = adapter.identity()
    assert (told.external_id, told.name, told.timezone) == ("1/7", "Harbour Vets", "Australia/Melbourne")
    with pytest.raises(NotOffered):
        adapter.pair("ABCD1234")


def test_a_wrong_key_is_told_and_asked_once(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic, {"api_key": "another-key-of-somebody"})
    assert adapter.validate_connection() is False
    assert len(clinic.asked()) == 1
    assert (adapter.health_check().healthy, adapter.health_check().reason) == (False, "auth_failed")
    with pytest.raises(PmsAuthFailed):
        pages(adapter)


@pytest.mark.parametrize("key", ["", "  ", "Zq7", "Bearer vetspire-demo-key-0000000000", "clé-of-somebody"])
def test_a_key_that_is_missing_or_cannot_be_is_named_and_never_shown(
    clinic: StagedClinic, opened: Opened, key: str
) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, {"api_key": key})
    assert "(api_key)" in str(raised.value)
    assert not key.strip() or key not in str(raised.value)
    assert clinic.asked() == []


def test_the_only_location_need_not_be_typed_and_a_wrong_one_is_told(clinic: StagedClinic, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"))
    alone = opened(clinic, {"location_id": ""})
    assert (alone.identity().external_id, set(rows(alone))) == ("1/7", {id_})
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, {"location_id": "8"}).identity()
    assert "7 (Harbour Vets)" in str(raised.value)
    with pytest.raises(PmsNotConfigured):
        opened(clinic, {"location_id": "7) { id } }"})


def test_a_zone_nobody_knows_is_none(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    clinic.raw("7", timezone="Mars/Olympus")
    assert adapter.identity().timezone is None


def test_which_hosts_are_live_and_that_no_name_of_ours_shows_the_key(clinic: StagedClinic, opened: Opened) -> None:
    assert environment_of("https://api2.vetspire.com") == environment_of("https://api.vetspire.com/graphql") == "live"
    assert environment_of("https://api.sandbox.vetspire.com") == "vendor_sandbox"
    assert environment_of(clinic.url) == "simulator"
    adapter = opened(clinic, vendor={"base_url": f"{clinic.url}/graphql/"})
    assert adapter.validate_connection() is True, "the whole address of the page is taken as well"
    assert clinic.credentials["api_key"] not in adapter.limit_key() + repr(adapter._settings)


# --- who and what -----------------------------------------------------------------------------------------------------


def test_everybody_is_listed_and_ids_are_texts(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    assert {one.full_name: one.works_here for one in adapter.practitioners()} == {
        "Dr Wren Okafor": True,
        "Dr Isolde Marchetti": True,
        "Dr Rafi Nightingale": True,
        "Dr Una Gone": False,
    }
    assert {one.external_id for one in adapter.practitioners() if one.active} == set(clinic.practitioners())
    assert {one.name: one.minutes for one in adapter.appointment_types()}["Initial consult, video"] == 40


def test_one_that_cannot_be_read_keeps_its_id(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    who, what = clinic.practitioners()[0], clinic.state()["types"][0]["id"]
    clinic.raw(who, name=["Wren"])
    clinic.raw(what, duration="forty")
    assert {one.external_id for one in adapter.practitioners() if not one.readable} == {who}
    assert {one.external_id for one in adapter.appointment_types() if not one.readable} == {what}


# --- an appointment ---------------------------------------------------------------------------------------------------


def test_an_animal_comes_with_whoever_answers_for_it(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    id_ = clinic.book(at("10:30"), minutes=50, reason="Limping", practitioner_ids=clinic.practitioners()[1:2])
    clinic.raw(id_, room="Exam 2")
    one = rows(adapter)[id_]
    assert one.starts_at == datetime(2026, 3, 8, 23, 30, tzinfo=UTC)
    assert (one.minutes, one.ends_at) == (50, one.starts_at + timedelta(minutes=50))
    assert (one.status, one.raw_status, one.comment, one.room) == (Status.BOOKED, "PLANNED", "Limping", "Exam 2")
    assert (one.practitioner_name, one.type_name, one.telehealth_hint) == (
        "Dr Isolde Marchetti",
        "Initial consult, video",
        True,
    )
    assert one.patient is not None
    assert (one.patient.full_name, one.patient.species, one.patient.breed) == ("Biscuit", "Canine", "Kelpie")
    assert (one.patient.birth_date, one.patient.phone) == (date(2012, 4, 2), "0491 570 156")
    assert one.client is not None
    assert (one.client.full_name, one.client.phone) == ("Wilhelmina Quandongley", "0491 570 156"), "the preferred one"
    assert one.changed_at == datetime(2026, 3, 9, 1, tzinfo=UTC), "a stamp without a zone is UTC"
    assert (one.consultation_id, one.telehealth_url, one.location_id) == (None, None, "7")
    assert adapter.patient(one.patient.external_id) == one.patient
    with pytest.raises(PmsNotFound):
        adapter.patient("1")
    with pytest.raises(NotOffered):
        adapter.appointment(id_)


def test_what_a_client_declined_is_left_out(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    who = clinic.state()["patients"][0]
    client: dict[str, Any] = {"id": "5", "givenName": "Wren", "familyName": "Ashdown", "email": "wren@example.com"}
    phones = [{"value": "0491 570 156", "preferred": None}, {"value": "0491 570 157", "preferred": None}]
    id_ = clinic.book(at("09:00"))
    for declined, phone, email in (
        ({}, "0491 570 156", "wren@example.com"),
        ({"declinePhone": True}, None, "wren@example.com"),
        ({"declineEmail": True, "declinePhone": False}, "0491 570 156", None),
    ):
        clinic.raw(who, client=client | {"phoneNumbers": phones} | declined)
        one = rows(adapter)[id_]
        assert one.client is not None
        assert one.patient is not None
        assert (one.client.phone, one.client.email) == (phone, email) == (one.patient.phone, one.patient.email)


def test_a_block_off_is_nobodys_even_where_an_animal_stands_on_it(
    clinic: StagedClinic, adapter: VetspireAdapter
) -> None:
    block, odd = clinic.book(at("09:00"), block=True), clinic.book(at("10:00"))
    clinic.raw(odd, type={"id": "1", "name": "Lunch", "isBlockoff": True})
    found = rows(adapter)
    assert [found[one].is_block for one in (block, odd)] == [True, True]


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"provider": None}, "by number"),
        ({"provider": None, "providerId": None}, ""),
        ({"provider": {"id": "301", "name": None}}, "301"),
    ],
)
def test_a_column_without_a_provider_is_told_as_such(
    clinic: StagedClinic, adapter: VetspireAdapter, fields: dict[str, Any], who: str
) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, **fields)
    one = rows(adapter)[id_]
    wanted = clinic.practitioners()[0] if who == "by number" else who
    assert (one.practitioner_id, one.practitioner_name) == (wanted, "Unknown practitioner")


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PLANNED", Status.BOOKED),
        ("CONFIRMED", Status.CONFIRMED),
        ("CHECKED_IN", Status.ARRIVED),
        ("DAYCARE", Status.ARRIVED),
        ("IN_PROGRESS", Status.IN_PROGRESS),
        ("CHECKING_OUT", Status.COMPLETED),
        ("CHECKED_OUT", Status.COMPLETED),
        ("COMPLETED", Status.COMPLETED),
        ("NO_SHOW", Status.NO_SHOW),
        ("CANCELLED", Status.CANCELLED),
        ("GONE_FOR_A_WALK", Status.UNKNOWN),
        ("planned", Status.UNKNOWN),
    ],
)
def test_each_word_and_none_it_never_said(
    clinic: StagedClinic, adapter: VetspireAdapter, word: str, status: Status
) -> None:
    id_ = clinic.book(at("09:00"), word=word)
    assert (rows(adapter)[id_].status, rows(adapter)[id_].raw_status) == (status, word)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"isConfirmed": True}, Status.CONFIRMED),
        ({"isConfirmed": True, "status": "CHECKED_IN"}, Status.ARRIVED),
        ({"status": None}, Status.UNKNOWN),
        ({"status": "AWAY", "checkedInAt": "2026-03-09T00:00:00"}, Status.ARRIVED),
        ({"status": "AWAY", "checkedInAt": "x", "startedAt": "2026-03-09T00:00:00"}, Status.IN_PROGRESS),
        ({"status": "AWAY", "startedAt": "x", "checkedOutAt": "2026-03-09T00:00:00"}, Status.COMPLETED),
        ({"status": "AWAY", "isConfirmed": True}, Status.UNKNOWN),
    ],
)
def test_an_unknown_word_is_told_by_the_visits_stamps(
    clinic: StagedClinic, adapter: VetspireAdapter, fields: dict[str, Any], status: Status
) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, **fields)
    assert rows(adapter)[id_].status is status


def test_what_the_practice_has_explained_counts(clinic: StagedClinic, opened: Opened) -> None:
    id_ = clinic.book(at("09:00"), word="AWAY")
    assert rows(opened(clinic, words={"AWAY": "cancelled"}))[id_].status is Status.CANCELLED
    assert rows(opened(clinic, words={"AWAY": "nonsense"}))[id_].status is Status.UNKNOWN


def test_deleted_rows_are_on_a_list_of_their_own_and_called_off(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    kept, gone, absent = (clinic.book(at("09:00")) for _ in range(3))
    for id_ in (gone, absent):
        clinic.delete(id_)
    clinic.raw(absent, deletionReason="Owner was a No-Show again")
    found = rows(adapter)
    assert {id_: one.status for id_, one in found.items()} == {
        kept: Status.BOOKED,
        gone: Status.CANCELLED,
        absent: Status.NO_SHOW,
    }
    assert found[gone].raw_status == "DELETED"


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_pages_are_followed_through_both_lists(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    booked = clinic.control("book", at=at("08:00"), count=230)["ids"]
    for id_ in booked[:3]:
        clinic.delete(id_)
    found = pages(adapter)
    assert [page.received for page in found] == [100, 100, 27, 3]
    assert [page.from_start for page in found] == [True, False, False, False]
    assert [page.next_cursor for page in found] == ["0 100", "0 200", "1 0", None]
    assert {one.external_id for page in found for one in page.appointments} == set(booked)
    (part,) = adapter.partitions(MONDAY, [])
    assert [page.appointments for page in adapter.appointments(part, "0 200")] == [
        page.appointments for page in found[2:]
    ]
    for nonsense in ("9 0", "x", "0 -1"):
        assert next(adapter.appointments(part, nonsense)).from_start


def test_a_last_page_that_is_just_full_is_followed_by_an_empty_one(
    clinic: StagedClinic, adapter: VetspireAdapter
) -> None:
    clinic.control("book", at=at("08:00"), count=200)
    assert [page.received for page in pages(adapter)] == [100, 100, 0, 0]


@pytest.mark.parametrize("day", [date(2026, 4, 5), date(2026, 10, 4)])  # 25 hours long, and 23
@pytest.mark.fault("F44")
def test_the_days_the_clocks_change_are_whole(clinic: StagedClinic, adapter: VetspireAdapter, day: date) -> None:
    window = Window(day, day, ZONE)
    inside = {clinic.book((window.start + timedelta(hours=hour)).isoformat()) for hour in range(23)}
    inside.add(clinic.book((window.end - timedelta(minutes=1)).isoformat()))
    for one in (window.start - timedelta(minutes=1), window.end):
        clinic.book(one.isoformat())
    found = rows(adapter, window)
    assert set(found) == inside
    assert all(window.holds(one.starts_at) for one in found.values())


@pytest.mark.parametrize("start", ["2026-03-08T22:00:00Z", "2026-03-09T09:00:00+11:00", "2026-03-08T22:00:00"])
def test_a_start_is_read_however_its_zone_is_told(clinic: StagedClinic, adapter: VetspireAdapter, start: str) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, start=start)
    assert rows(adapter)[id_].starts_at == datetime(2026, 3, 8, 22, tzinfo=UTC)


def test_another_locations_row_is_left_out(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    mine, theirs = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(theirs, location={"id": "8"})
    (page, _) = pages(adapter)
    assert ([one.external_id for one in page.appointments], page.received) == ([mine], 1)


def test_what_a_list_brings_from_beside_the_day_is_left_out(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    inside, before, behind = (clinic.book(at("09:00")) for _ in range(3))
    clinic.raw(before, start="2026-03-08T12:59:00Z")
    clinic.raw(behind, start="2026-03-09T13:00:00Z")
    (page, _) = pages(adapter)
    assert ([one.external_id for one in page.appointments], page.received) == ([inside], 1)


def test_a_whole_day_is_told_as_the_hospital_holds_it(busy: StagedClinic, opened: Opened) -> None:
    truth = {row["id"]: row for row in busy.truth("2026-03-09")}
    found = rows(opened(busy))
    assert found.keys() == truth.keys()
    assert {id_: one.status.value for id_, one in found.items()} == {id_: row["state"] for id_, row in truth.items()}
    assert {Status.COMPLETED, Status.CONFIRMED, Status.BOOKED} & {one.status for one in found.values()}
    for id_, one in found.items():
        assert [who.external_id for who in one.patients] == truth[id_]["patient_ids"]
        assert one.client is not None
        assert (one.consultation_id is not None) == (truth[id_]["state"] in ("in_progress", "completed"))


def test_changes_are_whatever_was_touched_since_deleted_too(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    old, moved, gone = (clinic.book(at("09:00")) for _ in range(3))
    since = datetime(2026, 3, 9, 2, tzinfo=UTC)
    clinic.sandbox.control("clock", at="2026-03-09T13:00:00+11:00")  # that very second
    clinic.change(moved, at=at("15:00", 12), state="completed")
    clinic.delete(gone)
    found = {one.external_id: one for page in adapter.changes(since, []) for one in page.appointments}
    assert {id_: one.status for id_, one in found.items()} == {moved: Status.COMPLETED, gone: Status.CANCELLED}
    assert old not in found


# --- consultations ----------------------------------------------------------------------------------------------------


def ref(one: Any) -> ConsultationRef:
    return ConsultationRef(one.external_id, one.consultation_id, one.patient.external_id, one.starts_at)


def test_a_signed_encounter_is_a_finalised_consultation(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    done, begun, waits = (clinic.book(at("09:00"), state=state) for state in ("completed", "in_progress", "arrived"))
    found = rows(adapter)
    told = {one.ref.appointment_id: one for one in adapter.consultations([ref(found[i]) for i in (done, begun, waits)])}
    notes = told[done].consultation
    assert notes is not None
    assert (notes.finalised, notes.status, notes.appointment_id) == (True, "signed", done)
    assert notes.external_id == found[done].consultation_id
    assert (notes.subjective, notes.objective) == ("Limping for two days\n\nEats well", "Mild swelling, HR <120")
    assert (notes.assessment, notes.plan) == ("Sprain", "Rest")
    assert notes.discharge == "Home care: Rest for 10 days"
    (vitals,) = notes.vitals
    assert (vitals.temperature, vitals.pulse, vitals.respiration) == (Measure(101.5), Measure(96.0, "/min"), None)
    assert (vitals.weight, vitals.blood_pressure) == (Measure(27.3, "LB"), "130/80")
    open_ = told[begun].consultation
    assert open_ is not None
    assert (open_.finalised, open_.plan) == (False, None)
    assert (told[waits].consultation, told[waits].reason) == (None, "none_yet")


def test_of_several_encounters_the_latest_is_the_visits(clinic: StagedClinic, adapter: VetspireAdapter) -> None:
    id_ = clinic.book(at("09:00"))
    for told, wanted in (
        ([{"id": "1", "start": "2026-03-09T02:00:00Z"}, {"id": "2", "start": "2026-03-09T01:00:00Z"}], "1"),
        ([{"id": "1", "start": None}, {"id": "2", "start": None}], "2"),
        ([{"id": "1", "start": "2026-03-09T13:00:00+11:00"}, {"id": 2, "start": "2026-03-09T01:59:00Z"}], "1"),
        (None, None),
    ):
        clinic.raw(id_, encounters=told)
        assert rows(adapter)[id_].consultation_id == wanted


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"appointment": None}, "bad_envelope"),
        ({"start": "the other day"}, "bad_envelope"),
        ({"subjective": "Limping"}, "bad_envelope"),
    ],
)
def test_one_that_cannot_be_read_leaves_the_others(
    clinic: StagedClinic, adapter: VetspireAdapter, fields: dict[str, Any], reason: str
) -> None:
    bad, good = (clinic.book(at("09:00"), state="completed") for _ in range(2))
    clinic.raw(f"9{bad}", **fields)
    found = rows(adapter)
    gone = ConsultationRef(good, "12345", None, found[good].starts_at)
    told = list(adapter.consultations([ref(found[bad]), gone, ref(found[good])]))
    assert [(one.reason, one.consultation is not None) for one in told] == [
        (reason, False),
        ("not_found", False),
        (None, True),
    ]


def test_the_window_is_a_week_for_everybody(adapter: VetspireAdapter) -> None:
    parts = adapter.partitions(Window(DAY, date(2026, 3, 20), ZONE), ["kim", "lee"])
    assert [(part.practitioner_id, part.key) for part in parts] == [
        ("", "2026-03-09/2026-03-15"),
        ("", "2026-03-16/2026-03-20"),
    ]
