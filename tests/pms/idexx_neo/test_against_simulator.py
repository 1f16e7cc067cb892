"""IDEXX Neo's adapter against the simulated clinic, over HTTP: days, words, zones, names, hours, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from app.domain.status import Status
from app.pms.errors import PmsMalformed, PmsNotFound
from app.pms.idexx_neo.adapter import IdexxNeoAdapter
from tests.pms.idexx_neo.conftest import DAY, NINE, NOON, Opened, pages, rows
from tests.sandbox.stage import StagedClinic


def test_a_day_is_what_the_clinic_has_of_it(busy: StagedClinic, opened: Opened) -> None:
    adapter = opened(busy)
    found, truth = rows(adapter), {one["id"]: one for one in busy.truth(str(DAY))}
    assert len(truth) == 24
    assert found.keys() == truth.keys()
    for id_, one in found.items():
        told = truth[id_]
        assert one.starts_at == datetime.fromisoformat(told["starts_at"])
        assert one.minutes == told["minutes"]
        assert (one.practitioner_id, one.type_id) == (told["practitioner_ids"][0], told["type_id"])
        assert [who.external_id for who in one.patients] == told["patient_ids"]
    (page,) = pages(adapter)
    assert (page.received, page.next_cursor) == (24, None)
    assert len(busy.asked("/appointments/getCalendarEventData")) == 2, "one question a sweep"


def test_an_animal_stands_with_the_client_who_answers_for_it(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE, reason="Limping, left fore")
    one = rows(adapter)[id_]
    assert one.patient is not None
    assert one.client is not None
    assert (one.patient.full_name, one.patient.first_name) == ("Biscuit", "Biscuit")
    assert one.patient.phone == one.client.phone == "0491 570 156"
    assert one.client.full_name == "Wilhelmina Quandongley"
    assert (one.comment, one.room, one.type_name) == ("Limping, left fore", "Telehealth", "Initial consult, video")
    assert (one.telehealth_url, one.telehealth_hint, one.location_id) == (None, None, None)


def test_a_month_is_asked_for_week_by_week(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    ids = {neo.book(f"2026-03-{day:02}T00:00:00+11:00") for day in (1, 7, 8, 14, 15, 31)}
    neo.book("2026-02-28T23:59:00+11:00")
    assert rows(adapter, date(2026, 3, 1), date(2026, 3, 31)).keys() == ids
    asked = [one["query"] for one in neo.asked("/appointments/getCalendarEventData")]
    assert len(asked) == 5
    assert asked[0] == "start=2026-03-01%2000%3A00%3A00&end=2026-03-07%2023%3A59%3A59"


@pytest.mark.parametrize(
    ("state", "at", "word", "status"),
    [
        ("booked", "2026-03-09T16:00:00+11:00", "not arrived", Status.BOOKED),
        ("booked", "2026-03-09T12:30:00+11:00", "upcoming", Status.BOOKED),
        ("booked", NINE, "late", Status.BOOKED),
        ("confirmed", "2026-03-09T16:00:00+11:00", "not arrived", Status.CONFIRMED),
        ("confirmed", NINE, "late", Status.CONFIRMED),
        ("arrived", NINE, "arrived", Status.ARRIVED),
        ("in_progress", NINE, "in progress", Status.IN_PROGRESS),
        ("completed", NINE, "finalized", Status.COMPLETED),
        ("cancelled", NINE, "cancelled", Status.CANCELLED),
        ("no_show", NINE, "no show", Status.NO_SHOW),
    ],
)
def test_every_state_by_its_word(
    neo: StagedClinic, adapter: IdexxNeoAdapter, state: str, at: str, word: str, status: Status
) -> None:
    id_ = neo.book(at, state=state)
    one = rows(adapter)[id_]
    assert (one.status, one.raw_status) == (status, word)
    if state == "arrived":
        assert one.arrived_at == datetime.fromisoformat(NOON).astimezone(UTC)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Ready To Pay", Status.COMPLETED),
        ("completed", Status.COMPLETED),
        ("Scheduled", Status.BOOKED),
        ("checked_in", Status.ARRIVED),
        ("Cancelled - no answer", Status.CANCELLED),
        ("not finalized", Status.UNKNOWN),
        ("Unarrived", Status.UNKNOWN),
        ("waiting for lab", Status.UNKNOWN),
    ],
)
def test_further_words(neo: StagedClinic, adapter: IdexxNeoAdapter, word: str, status: Status) -> None:
    id_ = neo.book(NINE, word=word)
    one = rows(adapter)[id_]
    assert (one.status, one.raw_status) == (status, word)


def test_a_word_that_the_practice_has_explained(neo: StagedClinic, opened: Opened) -> None:
    id_ = neo.book(NINE, word="waiting for lab")
    assert rows(opened(neo, words={"waiting for lab": "in_progress"}))[id_].status is Status.IN_PROGRESS
    assert rows(opened(neo, words={"waiting for lab": "nonsense"}))[id_].status is Status.UNKNOWN


def test_a_row_without_a_word_is_booked(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    bare, labelled = neo.book(NINE), neo.book(NOON)
    neo.raw(bare, current_status=None, status_label=None)
    neo.raw(labelled, drop=("current_status",), status_label="Arrived")
    found = rows(adapter)
    assert (found[bare].status, found[bare].raw_status) == (Status.BOOKED, None)
    assert (found[labelled].status, found[labelled].raw_status) == (Status.ARRIVED, "Arrived")


def test_blocks_have_nobody_and_rosters_are_none(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE, block=True, note="Staff meeting")
    found = rows(adapter)
    assert found.keys() == {id_}
    assert (found[id_].is_block, found[id_].client, found[id_].comment) == (True, None, "Staff meeting")
    assert found[id_].status is Status.BOOKED


def test_a_first_visit_without_an_animal_yet_is_somebody(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE)
    neo.raw(id_, patient_id=None, patient_name=None)
    one = rows(adapter)[id_]
    assert not one.is_block
    assert one.patient is not None
    assert (one.patient.external_id, one.patient.full_name) == ("", "Wilhelmina Quandongley")


@pytest.mark.fault("F44")
@pytest.mark.parametrize(
    ("at", "minutes", "doubt", "length"),
    [
        ("2026-04-05T01:30:00+11:00", 20, None, 20),
        ("2026-04-05T02:30:00+11:00", 20, "twice", 20),
        ("2026-04-05T01:30:00+11:00", 120, None, 60),  # its end, 02:30, is shown twice: the earlier one
        ("2026-04-05T01:30:00+11:00", 180, None, 180),  # 03:30 on the wall, and an hour more has passed
        ("2026-10-04T01:30:00+10:00", 60, None, 60),
        ("2026-10-04T03:30:00+11:00", 20, None, 20),
    ],
)
def test_both_clock_changes(
    neo: StagedClinic, adapter: IdexxNeoAdapter, at: str, minutes: int, doubt: str | None, length: int
) -> None:
    instant = datetime.fromisoformat(at)
    id_ = neo.book(at, minutes=minutes)
    one = rows(adapter, instant.date())[id_]
    assert one.starts_at == instant.astimezone(UTC)
    assert one.time_doubt == doubt
    assert one.minutes == length


def test_a_wall_time_the_clocks_skip_is_moved_forward_and_doubted(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book("2026-10-04T03:30:00+11:00")
    neo.raw(id_, start="2026-10-04 02:30:00", end="2026-10-04 02:50:00")
    one = rows(adapter, date(2026, 10, 4))[id_]
    assert (one.starts_at, one.time_doubt) == (datetime(2026, 10, 3, 16, 30, tzinfo=UTC), "skipped")
    assert one.minutes == 20


@pytest.mark.parametrize(
    ("zone", "hour"), [("Australia/Adelaide", 22), ("America/Los_Angeles", 16), ("Pacific/Chatham", 19)]
)
def test_the_connections_zone_reads_the_wall_times(neo: StagedClinic, opened: Opened, zone: str, hour: int) -> None:
    """Neo names no zone: a server in another one would shift every slot (gotcha 4)."""
    id_ = neo.book(NINE)
    starts_at = rows(opened(neo, timezone=zone))[id_].starts_at
    assert (starts_at.hour, starts_at.astimezone(ZoneInfo(zone)).strftime("%H:%M")) == (hour, "09:00")


# --- names and numbers ------------------------------------------------------------------------------------------------


def test_everybody_who_ever_worked_there_is_listed(neo: StagedClinic, opened: Opened) -> None:
    adapter = opened(neo)
    people = {one.full_name: one for one in adapter.practitioners()}
    assert {name: one.works_here for name, one in people.items()} == {
        "Dr Wren Okafor": True,
        "Dr Isolde Marchetti": True,
        "Dr Rafi Nightingale": True,
        "Dr Una Gone": False,
    }
    assert people["Dr Wren Okafor"].email == "wren@example.com"
    neo.control("knobs", users=False)
    assert len(opened(neo).practitioners()) == 3, "the list of users is told of in an older write-up only"


def test_a_types_length_counts_slots(adapter: IdexxNeoAdapter) -> None:
    assert {one.name: one.minutes for one in adapter.appointment_types()} == {
        "Initial consult, video": 40,
        "Review, video": 20,
        "Standard visit, rooms": 30,
        "Review by telephone": 20,
    }


def test_a_name_that_stands_twice_or_nowhere_is_looked_up_at_the_appointment(
    neo: StagedClinic, adapter: IdexxNeoAdapter
) -> None:
    wren, isolde, rafi, _ = (one["id"] for one in neo.state()["practitioners"])
    neo.control("people", id=isolde, given="Wren", family="Okafor")
    hers, theirs, gone = (neo.book(NINE, practitioner_ids=[who]) for who in (wren, isolde, rafi))
    neo.raw(gone, provider="Dr Rafi Nightingale (locum)")
    other = neo.book(NOON, practitioner_ids=[rafi])
    neo.raw(other, provider="Dr  rafi NIGHTINGALE (locum)")
    found = rows(adapter)
    assert [found[id_].practitioner_id for id_ in (hers, theirs, gone, other)] == [wren, isolde, rafi, rafi]
    assert found[gone].practitioner_name == "Dr Rafi Nightingale (locum)"
    details = [one for one in neo.asked("/appointments/getAppointment") if one["query"].startswith("id=")]
    assert len(details) == 3, "once for each of the two, once for the unlisted name"


def test_a_row_that_names_nobody_is_nobodys(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE)
    neo.raw(id_, provider=None, type_description=None)
    one = rows(adapter)[id_]
    assert (one.practitioner_id, one.practitioner_name) == ("", "Unknown practitioner")
    assert (one.type_id, one.type_name) == (None, "Unknown")


@pytest.mark.parametrize("wrapped", ["appointments", "data", "events"])
def test_a_list_in_any_of_its_wrappings(neo: StagedClinic, adapter: IdexxNeoAdapter, wrapped: str) -> None:
    neo.control("knobs", wrapped=wrapped)
    id_ = neo.book(NINE)
    assert rows(adapter).keys() == {id_}


def test_rows_as_the_older_write_up_spells_them(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE, state="arrived", reason="Limping")
    neo.control("knobs", old_rows=True)
    one = rows(adapter)[id_]
    assert (one.starts_at, one.status) == (datetime(2026, 3, 8, 22, tzinfo=UTC), Status.ARRIVED)
    assert one.practitioner_id == neo.practitioners()[0]
    assert one.patient is not None
    assert (one.patient.full_name, one.patient.phone, one.comment) == ("Biscuit", "0491 570 156", "Limping")


def test_ids_are_the_same_as_numbers_and_as_texts(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE)
    before = rows(adapter)[id_]
    assert before.patient is not None
    neo.raw(id_, id=id_, appointment_id=id_, patient_id=before.patient.external_id)
    assert rows(adapter)[id_] == before


# --- when it is open --------------------------------------------------------------------------------------------------


def test_hours_slots_and_rooms_by_either_address(neo: StagedClinic, opened: Opened) -> None:
    told = opened(neo).schedule_config()
    assert told is not None
    assert {day: [str(one) for one in periods] for day, periods in told.hours.items()} == {
        **{day: ["08:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
        "sat": ["09:00-13:00"],
    }
    assert (told.slot_minutes, told.rooms) == (10, ["Harbour Rooms", "Telehealth"])
    neo.control("knobs", settings="old")
    old = opened(neo).schedule_config()
    assert old is not None
    assert (str(old.hours["fri"][0]), old.hours.keys(), old.slot_minutes) == (
        "08:00-17:30",
        {"mon", "tue", "wed", "thu", "fri"},
        15,
    )
    neo.control("knobs", settings="none")
    assert opened(neo).schedule_config() is None


@pytest.mark.parametrize(
    "hours",
    [
        [],
        None,
        [{"daysOfWeek": [7], "startTime": "08:00", "endTime": "18:00"}],
        [{"daysOfWeek": [1], "startTime": "18:00", "endTime": "08:00"}],
        [{"daysOfWeek": [1], "startTime": "early", "endTime": "18:00"}],
        [{"daysOfWeek": [1], "startTime": "08:00", "endTime": at} for at in ("12:00", "18:00")],
    ],
)
def test_hours_that_cannot_be_are_none(neo: StagedClinic, adapter: IdexxNeoAdapter, hours: object) -> None:
    neo.raw("view", businessHours=hours)
    assert adapter.schedule_config() is None


# --- one by one -------------------------------------------------------------------------------------------------------


def test_one_appointment_tells_what_the_calendar_tells(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE, state="completed", reason="Limping")
    assert adapter.appointment(id_) == rows(adapter)[id_]


def test_one_that_the_calendar_hides_tells_of_itself(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE, reason="Limping")
    shown = rows(adapter)[id_]
    neo.control("knobs", shows_cancelled=False)
    neo.cancel(id_, "Cannot make it")
    assert rows(adapter) == {}
    one = adapter.appointment(id_)
    assert (one.status, one.starts_at, one.minutes, one.practitioner_id, one.type_id) == (
        Status.CANCELLED,
        shown.starts_at,
        shown.minutes,
        shown.practitioner_id,
        shown.type_id,
    )
    assert one.patient is not None
    assert (one.patient.full_name, one.client) == ("Biscuit", shown.client)


def test_one_that_was_deleted_or_never_was_is_not_found(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE)
    neo.delete(id_)
    assert rows(adapter) == {}
    for gone in (id_, "123456789012"):
        with pytest.raises(PmsNotFound):
            adapter.appointment(gone)


def test_one_that_cannot_be_read_says_where(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE)
    neo.raw(f"detail {id_}", startAtLocal="soon")
    with pytest.raises(PmsMalformed) as told:
        adapter.appointment(id_)
    assert told.value.path.endswith("startAtLocal")
    neo.fault("object", path="/appointments/getAppointment", next=1)
    with pytest.raises(PmsMalformed):
        adapter.appointment(id_)


def test_a_patient_by_number(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.state()["patients"][0]
    found = adapter.patient(id_)
    assert (found.external_id, found.full_name, found.species, found.breed) == (id_, "Biscuit", "Canine", "Kelpie")
    with pytest.raises(PmsNotFound):
        adapter.patient("1")


def test_the_clinic_is_known_by_its_first_provider_whatever_was_typed(neo: StagedClinic, opened: Opened) -> None:
    told = opened(neo).identity()
    first = min(one["id"] for one in neo.state()["practitioners"])
    assert (told.external_id, told.timezone) == (f"us {first}", None)
    known = max(one["id"] for one in neo.state()["practitioners"])
    assert opened(neo, tenant=f"us {known}").identity().external_id == f"us {known}"
    assert opened(neo, tenant="us 7").identity().external_id == f"us {first}"
