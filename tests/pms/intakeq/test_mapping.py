"""IntakeQ's records in our words: the tables of pms/intakeq.md §3 and §4, edge by edge."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.appointment import Appointment, Client, Patient
from app.domain.status import Status
from app.pms.errors import PmsMalformed, PmsNotConfigured
from app.pms.intakeq import mapping, wire
from app.pms.intakeq.account import account_of
from app.pms.rows import DoubleKeys, RowFault, read
from tests.pms.intakeq.samples import booking

MELBOURNE = ZoneInfo("Australia/Melbourne")
STARTS = datetime(2026, 3, 8, 23, 30, tzinfo=UTC)
ENDS = datetime(2026, 3, 9, 0, 20, tzinfo=UTC)
HOST = "https://video.example.com/start/th-901"


def mapped(words: dict[str, str] | None = None, **changes: Any) -> Appointment:
    row = wire.appointment(json.dumps(booking(**changes)).encode())
    return mapping.appointment(row, MELBOURNE, words or {})


def refused(**changes: Any) -> tuple[str, str]:
    with pytest.raises(RowFault) as raised:
        mapped(**changes)
    return raised.value.path, raised.value.reason


def test_the_documents_sample() -> None:
    assert mapped() == Appointment(
        external_id="66aa00bb11cc22dd33ee44ff",
        starts_at=STARTS,
        ends_at=ENDS,
        minutes=50,
        status=Status.BOOKED,
        raw_status="Confirmed",
        practitioner_id="5f0a11aa22bb33cc44dd55ee",
        practitioner_name="Dr Wren Okafor",
        patients=(
            Patient(
                "4107", "Mara Quill", "Mara", "Quill", "(0491) 570 156", "Mara.Quill@example.com", date(1987, 4, 9)
            ),
        ),
        type_id="6d0c6a6e-1111-4a4a-9c9c-000000000001",
        type_name="Initial consult",
        comment="Bring referral",
        location_id="2",
        telehealth_url="https://video.example.com/j/th-901",
        telehealth_hint=True,
    )


# --- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        ("Confirmed", Status.BOOKED),
        ("WaitingConfirmation", Status.BOOKED),
        ("Declined", Status.CANCELLED),
        ("Canceled", Status.CANCELLED),
        ("Missed", Status.NO_SHOW),
        ("confirmed", Status.BOOKED),
        ("Rescheduling", Status.UNKNOWN),
    ],
)
def test_the_five_words_and_one_nobody_knows(raw: str, ours: Status) -> None:
    one = mapped(Status=raw)
    assert (one.status, one.raw_status) == (ours, raw)


def test_a_word_the_practice_explained() -> None:
    assert mapped({"Rescheduling": "booked"}, Status="Rescheduling").status is Status.BOOKED
    assert mapped({"Rescheduling": "nonsense"}, Status="Rescheduling").status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("status", "answer", "ours"),
    [
        ("Confirmed", "Confirmed", Status.CONFIRMED),
        ("Confirmed", "Cancelled", Status.BOOKED),
        ("Confirmed", None, Status.BOOKED),
        ("WaitingConfirmation", "Confirmed", Status.BOOKED),  # the practice has not said yes
        ("Canceled", "Confirmed", Status.CANCELLED),
        ("Missed", "Confirmed", Status.NO_SHOW),
    ],
)
def test_an_answer_to_a_reminder_confirms_what_is_booked_and_nothing_else(
    status: str, answer: str | None, ours: Status
) -> None:
    assert mapped(Status=status, AttendanceConfirmationResponse=answer).status is ours


def test_a_session_that_staff_noted() -> None:
    assert mapped(SessionStart=1773012700000).status is Status.IN_PROGRESS
    assert mapped(SessionStart=1773012700000, SessionEnd=1773015600000).status is Status.COMPLETED
    assert mapped(SessionStart=1773012700000, Status="Canceled").status is Status.CANCELLED


def test_when_it_was_called_off_in_either_spelling_and_only_of_what_was() -> None:
    at = datetime(2026, 3, 8, 1, 2, 3, tzinfo=UTC)
    for told in (1772931723000, "2026-03-08T01:02:03.0000000Z", "2026-03-08T12:02:03"):
        assert mapped(Status="Canceled", CancellationDate=told).cancelled_at == at
        assert mapped(Status="Confirmed", CancellationDate=told).cancelled_at is None
    for told in ("", "yesterday", None, 10**18):
        assert mapped(Status="Canceled", CancellationDate=told).cancelled_at is None


# --- time -------------------------------------------------------------------------------------------------------------


def test_the_instants_are_trusted_not_the_duration() -> None:
    assert mapped(Duration=999).minutes == 50
    assert mapped(drop=("Duration",)).minutes == 50


def test_where_the_milliseconds_are_missing_the_text_stands_then_the_wall_time() -> None:
    assert mapped(drop=("StartDate", "EndDate")).starts_at == STARTS
    one = mapped(drop=("StartDate", "EndDate", "StartDateIso", "EndDateIso"))
    assert (one.starts_at, one.ends_at) == (STARTS, ENDS)
    bare = {"StartDateLocal": "2026-03-09T10:30:00", "EndDateLocal": "2026-03-09T11:20:00"}
    one = mapped(drop=("StartDate", "EndDate", "StartDateIso", "EndDateIso"), **bare)
    assert (one.starts_at, one.ends_at) == (STARTS, ENDS)


def test_without_an_end_the_duration_tells_it_and_without_both_nobody_guesses() -> None:
    ends = ("EndDate", "EndDateIso", "EndDateLocal")
    assert (mapped(drop=ends).ends_at, mapped(drop=ends).minutes) == (datetime(2026, 3, 9, 0, 15, tzinfo=UTC), 45)
    assert (mapped(drop=ends, Duration=0).ends_at, mapped(drop=ends, Duration=None).minutes) == (None, None)
    assert mapped(EndDate=1773012600000 - 1, Duration=30).minutes == 30


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"drop": ("StartDate", "StartDateIso", "StartDateLocal")}, ("$.StartDate", "missing")),
        ({"StartDate": 10**17}, ("$.StartDate", "out_of_range")),
        ({"StartDate": -(10**15)}, ("$.StartDate", "out_of_range")),
        ({"StartDate": None, "StartDateIso": "soon"}, ("$.StartDate", "invalid")),
        ({"StartDate": "1773012600000"}, ("$.StartDate", "wrong_type")),
        ({"EndDate": 1773012600000 + 10**12}, ("$.EndDate", "out_of_range")),
        ({"Status": None}, ("$.Status", "wrong_type")),
        ({"drop": ("Id",)}, ("$.Id", "missing")),
        ({"drop": ("PractitionerId",)}, ("$.PractitionerId", "missing")),
        ({"AdditionalClients": {}}, ("$.AdditionalClients", "wrong_type")),
    ],
)
def test_what_cannot_stand_is_set_aside_with_its_place(changes: dict[str, Any], why: tuple[str, str]) -> None:
    assert refused(**changes) == why


def test_a_member_named_twice_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_doubled", DoubleKeys())  # which has seen no record of another length
    doubled = json.dumps(booking()).replace('"Status"', '"Status": "Missed", "Status"').encode()
    with pytest.raises(RowFault) as raised:
        wire.appointment(doubled)
    assert raised.value.reason == "dup_key"


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "id_"),
    [
        ({"ClientId": "4107"}, "4107"),
        ({"ClientId": "C-4107"}, "4107"),
        ({"ClientId": None, "ClientNumber": 4107}, "4107"),
        ({"drop": ("ClientId",), "ClientNumber": "4107"}, "4107"),
        ({"ClientId": 0}, ""),
        ({"drop": ("ClientId",)}, ""),
    ],
)
def test_a_clients_number_under_its_names_and_a_client_without_one(changes: dict[str, Any], id_: str) -> None:
    (person,) = mapped(**changes).patients
    assert (person.external_id, person.full_name) == (id_, "Mara Quill")


def test_a_stretch_of_time_without_anybody_is_a_block() -> None:
    assert mapped(ClientId=None, ClientName=None).is_block
    (person,) = mapped(ClientName="  ").patients
    assert (person.external_id, person.full_name) == ("4107", "Unknown patient")


def test_a_couple_is_one_row_with_two_patients_and_nobody_twice() -> None:
    others = [
        {"ClientId": 4108, "ClientName": "Bo Quill", "ClientEmail": "", "ClientPhone": None, "IntakeId": None},
        {"ClientId": 4107, "ClientName": "Mara Quill"},
        {"ClientId": None, "ClientName": "Somebody New"},
        {"ClientId": None, "ClientName": ""},
    ]
    people = mapped(AdditionalClients=others).patients
    assert [(one.external_id, one.full_name, one.email) for one in people] == [
        ("4107", "Mara Quill", "Mara.Quill@example.com"),
        ("4108", "Bo Quill", None),
        ("", "Somebody New", None),
    ]
    row = wire.appointment(json.dumps(booking(AdditionalClients=others)).encode())
    assert [one.external_id for one in mapping.clients(row)] == ["4107", "4108"]


@pytest.mark.parametrize(
    ("value", "born"),
    [
        ("1987-04-09", date(1987, 4, 9)),
        ("1987-04-09T00:00:00Z", date(1987, 4, 9)),
        (544924800000, date(1987, 4, 9)),
        (-275788800000, date(1961, 4, 6)),
        (-275788800000.0, date(1961, 4, 6)),
        ("", None),
        ("09/04/1987", None),
        (None, None),
        (10**18, None),
        (-(10**14), None),
    ],
)
def test_a_birthday_of_either_kind(value: Any, born: date | None) -> None:
    assert mapping.birth_date(value) == born


@pytest.mark.parametrize(
    ("name", "parts"),
    [("Ana de la Cruz", ("Ana de la", "Cruz")), ("Cher", (None, "Cher")), (" Mara  Quill ", ("Mara", "Quill"))],
)
def test_a_name_is_split_at_its_last_blank(name: str, parts: tuple[str | None, str]) -> None:
    (person,) = mapped(ClientName=name).patients
    assert (person.first_name, person.last_name) == parts


def test_a_profile_tells_more_and_the_mobile_comes_first() -> None:
    record = {"ClientId": 4107, "Name": "Mara Quill", "FirstName": "Mara Jo", "LastName": "Quill", "Email": ""}
    phones = {"MobilePhone": "1", "Phone": "2", "HomePhone": "3", "WorkPhone": "4"}
    for number, name in enumerate(phones, start=1):
        left = {one: phone for one, phone in phones.items() if int(phone) >= number}
        row = read(wire.profile, json.dumps({**record, **left, "DateOfBirth": 544924800000}).encode())
        assert mapping.profile(row) == Patient(
            "4107", "Mara Quill", "Mara Jo", "Quill", phones[name], None, date(1987, 4, 9)
        )


def test_what_is_known_of_a_client_is_kept_and_its_gaps_filled() -> None:
    known, other = (
        Client("1", "A", phone=None, email="a@example.com"),
        Client("1", "B", phone="2", email="b@example.com"),
    )
    assert mapping.filled(known, other) == Client("1", "A", phone="2", email="a@example.com")


def test_both_notes_are_told_the_practitioners_first() -> None:
    assert mapped(ClientNote="Late").comment == "Bring referral\nLate"
    assert mapped(PractitionerNote=None).comment is None


# --- telehealth -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"PlaceOfService": None}, True),
        ({"TelehealthInfo": None, "PlaceOfService": "02"}, True),
        ({"TelehealthInfo": None, "PlaceOfService": 2}, True),
        ({"TelehealthInfo": None, "PlaceOfService": "10"}, True),
        ({"TelehealthInfo": None, "PlaceOfService": "11"}, None),
        ({"TelehealthInfo": None, "PlaceOfService": None}, None),  # may be a Google Meet: never "no"
    ],
)
def test_what_says_that_it_is_online(changes: dict[str, Any], hint: bool | None) -> None:
    assert mapped(**changes).telehealth_hint is hint


@pytest.mark.parametrize(
    ("invitation", "link"),
    [
        ("Join at https://video.example.com/j/th-901.", "https://video.example.com/j/th-901"),
        ("(https://zoom.example.com/j/9?pwd=a)", "https://zoom.example.com/j/9?pwd=a"),
        ('<a href="https://a.example/j">here</a>', "https://a.example/j"),
        (f"Host: {HOST} guests: https://video.example.com/j/1", "https://video.example.com/j/1"),
        (f"{HOST}?x=1 and {HOST}/ and https://VIDEO.example.com/start/th-901", None),
        ("https://zoom.example.com/s/9?zak=abc", None),
        (HOST, None),
        ("http://video.example.com/j/1", None),
        ("Ring us", None),
        ("", None),
        (None, None),
    ],
)
def test_only_the_guests_link_is_told(invitation: str | None, link: str | None) -> None:
    info = {"Provider": "Zoom", "StartUrl": HOST, "Invitation": invitation}
    one = mapped(TelehealthInfo=info)
    assert one.telehealth_url == link
    assert HOST not in repr(one)


# --- what else is read ------------------------------------------------------------------------------------------------


def test_a_practitioner_and_a_service() -> None:
    row = read(wire.practitioner, b'{"Id":7,"FirstName":"Wren","LastName":"Okafor","Email":"","IsInactive":true}')
    one = mapping.practitioner(row)
    assert (one.external_id, one.full_name, one.email, one.active) == ("7", "Wren Okafor", None, False)
    assert mapping.practitioner(read(wire.practitioner, b'{"Id":"x"}')).works_here
    kind = mapping.service(read(wire.service, b'{"Id":"s","Name":" Review ","Duration":20.0,"Price":9.5}'))
    assert (kind.external_id, kind.name, kind.minutes) == ("s", "Review", 20)
    assert mapping.service(read(wire.service, b'{"Id":"s","Duration":0}')).minutes is None


@pytest.mark.parametrize("body", [b'{"Message":"no"}', b'"x"', b"[", b'{"Items":[]}'])
def test_a_list_is_a_bare_array_or_none(body: bytes) -> None:
    with pytest.raises(PmsMalformed):
        wire.array(body)


def staff(*people: tuple[str, int | None]) -> list[bytes]:
    return [json.dumps({"Id": id_, "DateCreated": created}).encode() for id_, created in people]


def test_an_account_is_known_by_who_was_there_first() -> None:
    assert account_of(staff(("b", 5), ("a", 9), ("c", None))) == "b"
    assert account_of(staff(("b", None), ("a", None))) == "a"
    assert account_of([b"{}", *staff(("b", 5))]) == "b"


def test_an_account_keeps_its_id_while_that_person_is_listed() -> None:
    assert account_of(staff(("b", 5), ("a", 9)), known="a") == "a"
    assert account_of(staff(("b", 5), ("a", 9)), known="another account's") == "b"
    with pytest.raises(PmsNotConfigured):
        account_of([], known="a")
