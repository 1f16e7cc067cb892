"""Gentu's records in our words: the table of pms/gentu.md §3, edge by edge."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.appointment import Appointment, AppointmentType, Patient
from app.domain.status import Status
from app.pms.gentu import mapping, wire
from app.pms.rows import RowFault, read
from tests.pms.gentu.samples import (
    NEW_PATIENT,
    OTHER_PRACTITIONER,
    PATIENT,
    PRACTITIONER,
    VIDEO,
    booking,
    people,
    sample,
)

MELBOURNE = ZoneInfo("Australia/Melbourne")
MARLOW = Patient(PATIENT, "Marlow Ines Fennick")
OTHER = Patient("p2", "Somebody Else")


class Names(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"name of {key}"


def context(**changes: Any) -> mapping.Context:
    given: dict[str, Any] = {
        "zone": MELBOURNE,
        "types": {
            VIDEO: AppointmentType(VIDEO, "Review - Video", 20),
            NEW_PATIENT: AppointmentType(NEW_PATIENT, "New Patient", None),
            "gone": None,
        },
        "patients": {PATIENT: MARLOW, "p2": OTHER},
        "practitioners": Names(),
        "asked": PRACTITIONER,
        "sync_set": {PRACTITIONER},
    }
    return mapping.Context(**{**given, **changes})


def mapped(record: dict[str, Any] | None = None, **changes: Any) -> Appointment:
    row = wire.appointment(json.dumps(booking(**changes) if record is None else record).encode())
    return mapping.appointment(row, context())


def refused(**changes: Any) -> tuple[str, str]:
    with pytest.raises(RowFault) as raised:
        mapped(**changes)
    return raised.value.path, raised.value.reason


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc]


def test_the_vendors_own_example() -> None:
    assert mapped() == Appointment(
        external_id="a3c2c7d4-6f2b-4a55-8d6b-40c1a4f0e901",
        starts_at=utc(2026, 3, 8, 22, 0),
        ends_at=utc(2026, 3, 8, 22, 20),
        minutes=20,
        status=Status.ARRIVED,
        raw_status="in_waiting_room",
        practitioner_id=PRACTITIONER,
        practitioner_name=f"name of {PRACTITIONER}",
        patients=(MARLOW,),
        type_id=VIDEO,
        type_name="Review - Video",
        comment="Prefers captions on",
        arrived_at=utc(2026, 3, 8, 21, 52, 10),
        location_id="9f0a2b61-55de-4b7f-8d2c-0a6a4b1c3301",
    )


def test_a_row_without_a_patient_is_a_block() -> None:
    block = mapped(sample("appointments")["appointments"][1])
    assert block.is_block
    assert (block.ends_at, block.minutes, block.type_id, block.type_name) == (None, None, None, "Unknown")
    assert (block.status, block.cancelled_at) == (Status.CANCELLED, utc(2026, 3, 8, 5, 5))
    assert block.comment == "Theatre list planning"


# --- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("none", Status.BOOKED),
        (None, Status.BOOKED),
        ("confirmed", Status.CONFIRMED),
        ("in_waiting_room", Status.ARRIVED),
        ("with_doctor", Status.IN_PROGRESS),
        ("completed", Status.COMPLETED),
        ("invoiced", Status.COMPLETED),
        ("cancelled", Status.CANCELLED),
        ("did_not_arrive", Status.NO_SHOW),
        ("Did_Not_Arrive", Status.NO_SHOW),
        ("cancelled_late", Status.UNKNOWN),
        ("booked", Status.UNKNOWN),
        ("", Status.UNKNOWN),
    ],
)
def test_every_word_has_its_meaning_and_no_other_word_has_one(word: str | None, expected: Status) -> None:
    row = mapped(status=word, participant=people(("patient", PATIENT)))
    assert (row.status, row.raw_status) == (expected, word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("none", Status.ARRIVED),
        (None, Status.ARRIVED),
        ("confirmed", Status.ARRIVED),
        ("with_doctor", Status.IN_PROGRESS),
        ("completed", Status.COMPLETED),
        ("did_not_arrive", Status.NO_SHOW),
        ("cancelled", Status.CANCELLED),
        ("triaged", Status.UNKNOWN),
    ],
)
def test_who_arrived_is_at_least_arrived(word: str | None, expected: Status) -> None:
    assert mapped(status=word).status is expected


@pytest.mark.parametrize("word", ["none", "confirmed", "with_doctor", "triaged", None])
def test_a_time_of_cancellation_makes_it_cancelled(word: str | None) -> None:
    extension = [
        {"system": "something-else", "valueBoolean": True},
        {"system": "cancelled-at", "valueDateTime": "2026-03-08T16:05:00.000+11:00"},
    ]
    row = mapped(status=word, extension=extension)
    assert (row.status, row.raw_status, row.cancelled_at) == (Status.CANCELLED, word, utc(2026, 3, 8, 5, 5))


@pytest.mark.parametrize(("meaning", "expected"), [("confirmed", Status.CONFIRMED), ("nonsense", Status.UNKNOWN)])
def test_a_practice_can_explain_a_word_of_its_own(meaning: str, expected: Status) -> None:
    row = wire.appointment(json.dumps(booking(status="rang", participant=people(("patient", PATIENT)))).encode())
    assert mapping.appointment(row, context(status_words={"rang": meaning})).status is expected


# --- lengths and times ------------------------------------------------------------------------------------------------

START = "2026-03-09T09:00:00.000+11:00"


@pytest.mark.parametrize(
    ("end", "duration", "kind", "minutes", "ends"),
    [
        ("2026-03-09T09:30:00.000+11:00", 30, VIDEO, 30, utc(2026, 3, 8, 22, 30)),
        (None, 30, VIDEO, 30, utc(2026, 3, 8, 22, 30)),
        ("2026-03-09T09:45:00.000+11:00", None, VIDEO, 45, utc(2026, 3, 8, 22, 45)),
        (None, None, VIDEO, 20, utc(2026, 3, 8, 22, 20)),
        (None, None, NEW_PATIENT, None, None),
        (None, None, None, None, None),
        (None, 20.0, VIDEO, 20, utc(2026, 3, 8, 22, 20)),
        (None, 0, NEW_PATIENT, None, None),
        (None, -5, VIDEO, 20, utc(2026, 3, 8, 22, 20)),
        ("2026-03-09T08:00:00.000+11:00", None, VIDEO, 20, utc(2026, 3, 8, 22, 20)),
    ],
)
def test_end_and_minutes_fill_each_other_and_then_the_type_does(
    end: str | None, duration: float | None, kind: str | None, minutes: int | None, ends: datetime | None
) -> None:
    row = mapped(startAt=START, endAt=end, minutesDuration=duration, appointmentType={"reference": kind})
    assert (row.minutes, row.ends_at) == (minutes, ends)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-03-09T09:00:00.000+11:00", utc(2026, 3, 8, 22, 0)),
        ("2026-03-09T09:00:00+10:30", utc(2026, 3, 8, 22, 30)),
        ("2026-03-09T09:00:00.000+13:45", utc(2026, 3, 8, 19, 15)),
        ("2026-03-09T09:00:00Z", utc(2026, 3, 9, 9, 0)),
        ("2026-03-09T09:00:00.000", utc(2026, 3, 8, 22, 0)),  # without offset: the practice's own time
        ("2026-04-05T02:30:00", utc(2026, 4, 4, 15, 30)),  # happens twice: the earlier
        ("2026-10-04T02:30:00", utc(2026, 10, 3, 16, 30)),  # never happens: moved forward
    ],
)
def test_times_are_instants_whatever_offset_they_come_with(sent: str, expected: datetime) -> None:
    assert mapped(startAt=sent, endAt=None).starts_at == expected


def test_a_visit_over_the_clock_change_lasts_as_long_as_it_lasts() -> None:
    row = mapped(startAt="2026-04-05T02:30:00.000+11:00", endAt="2026-04-05T02:30:00.000+10:00", minutesDuration=None)
    assert row.minutes == 60


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"drop": ["id"]}, "$.id", "missing"),
        ({"id": None}, "$.id", "wrong_type"),
        ({"id": ""}, "$.id", "invalid"),
        ({"id": "x" * 256}, "$.id", "invalid"),
        ({"drop": ["startAt"]}, "$.startAt", "missing"),
        ({"startAt": None}, "$.startAt", "wrong_type"),
        ({"startAt": "2026-03-09T24:60:00.000+11:00"}, "$.startAt", "invalid"),
        ({"startAt": "2026-03-09T23:59:60+11:00"}, "$.startAt", "invalid"),
        ({"startAt": "9999-12-31T23:59:59-11:00"}, "$.startAt", "out_of_range"),
        ({"startAt": "0001-01-01T00:00:00+13:00"}, "$.startAt", "out_of_range"),
        ({"endAt": "9999-12-31T23:59:59-11:00"}, "$.endAt", "out_of_range"),
        ({"minutesDuration": 1e300}, "$.minutesDuration", "out_of_range"),
        ({"minutesDuration": "20"}, "$.minutesDuration", "wrong_type"),
        ({"participant": "nobody"}, "$.participant", "wrong_type"),
        ({"drop": ["participant"]}, "$.participant", "missing"),
        ({"participant": people(("patient", None))}, "$.participant[].referenceId", "missing"),
        ({"status": 5}, "$.status", "wrong_type"),
    ],
)
def test_a_row_that_cannot_stand_says_where_and_why_and_never_what(
    changes: dict[str, Any], path: str, reason: str
) -> None:
    assert refused(**changes) == (path, reason)


def test_a_member_nobody_knows_and_one_left_out_hurt_nobody() -> None:
    optional = ["endAt", "status", "minutesDuration", "comment", "description", "appointmentType", "extension"]
    row = mapped(somethingNew={"nested": [1]}, drop=optional)
    assert (row.ends_at, row.minutes, row.raw_status, row.comment, row.type_name) == (None, None, None, None, "Unknown")


def test_an_id_that_becomes_a_number_is_still_the_same_id() -> None:
    assert mapped(id=123).external_id == mapped(id="123").external_id == "123"


def test_ids_are_kept_exactly_as_sent() -> None:
    assert mapped(id=" A3c2 ").external_id == " A3c2 "


# --- who ------------------------------------------------------------------------------------------------------------


def test_several_patients_are_a_list_with_the_first_in_front() -> None:
    row = mapped(
        participant=people(
            ("patient", "p2"), ("provider", PRACTITIONER), ("patient", PATIENT, START), ("patient", "p2")
        )
    )
    assert row.patients == (OTHER, MARLOW)
    assert row.arrived_at == utc(2026, 3, 8, 22, 0)


@pytest.mark.parametrize(
    ("providers", "asked", "sync_set", "main", "others"),
    [
        (["a"], "a", {"a"}, "a", ()),
        (["a", "b"], "b", {"a", "b"}, "a", ("b",)),
        (["a", "b"], "a", {"a", "b"}, "a", ("b",)),
        (["a", "b"], "b", {"b"}, "b", ("a",)),
        (["x", "a", "b"], "b", {"a", "b"}, "a", ("x", "b")),
        ([], "a", {"a"}, "a", ()),
        (["x"], "a", {"a"}, "a", ("x",)),
        (["x", "y"], "", set(), "x", ("y",)),
        (["x", "y"], "", {"y"}, "y", ("x",)),
        (["x"], "", set(), "x", ()),
        ([], "", set(), "", ()),
        (["a", "a"], "a", {"a"}, "a", ()),
    ],
)
def test_the_main_practitioner_is_the_same_in_every_sweep(
    providers: list[str], asked: str, sync_set: set[str], main: str, others: tuple[str, ...]
) -> None:
    participants = people(("patient", PATIENT), *[("provider", one) for one in providers])
    row = wire.appointment(json.dumps(booking(participant=participants)).encode())
    found = mapping.appointment(row, context(asked=asked, sync_set=sync_set))
    assert (found.practitioner_id, found.other_practitioner_ids) == (main, others)


@pytest.mark.parametrize("reference", ["gone", None])
def test_a_type_nobody_knows_is_unknown(reference: str | None) -> None:
    row = mapped(appointmentType={"reference": reference})
    assert (row.type_id, row.type_name) == (reference, "Unknown")


@pytest.mark.parametrize(
    ("comment", "description", "expected"),
    [("a", "b", "a"), (None, "b", "b"), ("  ", "b", "b"), (None, None, None), ("", "", None)],
)
def test_the_note_is_the_comment_else_the_description(
    comment: str | None, description: str | None, expected: str | None
) -> None:
    assert mapped(comment=comment, description=description).comment == expected


# --- patients, practitioners, types -----------------------------------------------------------------------------------


def person(**changes: Any) -> Patient:
    return mapping.patient(wire.patient(json.dumps({**sample("patient"), **changes}).encode()))


def contact(system: str, use: str, rank: int | None, value: str | None) -> dict[str, Any]:
    return {"system": system, "use": use, "rank": rank, "value": value}


def test_the_vendors_own_patient() -> None:
    assert person() == Patient(
        PATIENT, "Marlow Ines Fennick", "Marlow", "Fennick", "0491 570 156", "marlow@example.com", date(1979, 11, 2)
    )


@pytest.mark.parametrize(
    ("name", "extension", "full", "first", "last"),
    [
        ({"family": "Quill", "given": "Odette May"}, [], "Odette May Quill", "Odette", "Quill"),
        ({"family": "Quill", "given": None}, None, "Quill", None, "Quill"),
        ({"family": None, "given": "  Odette  "}, [], "Odette", "Odette", None),
        ({"family": "", "given": ""}, [], "Unknown patient", None, None),
        (
            {"family": "Q", "given": "Ada"},
            [{"system": "firstname", "valueString": "Mary Ann"}],
            "Ada Q",
            "Mary Ann",
            "Q",
        ),
        ({"family": "Q", "given": "Ada"}, [{"system": "firstname", "valueString": " "}], "Ada Q", "Ada", "Q"),
        ({"family": "Q", "given": "Ada"}, [{"system": "emergency-contacts", "valueArray": [{}]}], "Ada Q", "Ada", "Q"),
    ],
)
def test_names(
    name: dict[str, Any], extension: list[Any] | None, full: str, first: str | None, last: str | None
) -> None:
    found = person(name=name, extension=extension)
    assert (found.full_name, found.first_name, found.last_name) == (full, first, last)


@pytest.mark.parametrize(
    ("contacts", "phone", "email"),
    [
        (None, None, None),
        ([], None, None),
        ([contact("phone", "home", 1, "home"), contact("phone", "mobile", 9, "mobile")], "mobile", None),
        ([contact("phone", "home", None, "no rank"), contact("phone", "work", 7, "ranked")], "ranked", None),
        ([contact("phone", "mobile", None, "first"), contact("phone", "mobile", None, "second")], "first", None),
        ([contact("phone", "mobile", 1, None), contact("phone", "home", 2, " home ")], "home", None),
        ([contact("phone", "mobile", 1, " "), contact("fax", "home", 1, "fax")], None, None),
        ([contact("email", "home", 2, "b@x"), contact("email", "work", 1, "a@x")], None, "a@x"),
        ([contact("email", "home", None, "b@x"), contact("email", "work", 1, "")], None, "b@x"),
    ],
)
def test_the_phone_is_a_mobile_and_then_the_first_choice(
    contacts: list[Any] | None, phone: str | None, email: str | None
) -> None:
    found = person(contact=contacts)
    assert (found.phone, found.email) == (phone, email)


@pytest.mark.parametrize("deceased", [{"date": "2020-01-01"}, {"deceasedBoolean": None}, None])
def test_what_two_sources_spell_differently_is_not_read(deceased: object) -> None:
    assert person(deceased=deceased, birthDate=None).birth_date is None


@pytest.mark.parametrize("name", ["practitioners", "practitioners_envelope"])
def test_practitioners_come_bare_or_in_an_envelope(name: str) -> None:
    body = json.dumps(sample(name)).encode()
    found = [mapping.practitioner(read(wire.practitioner, raw)) for raw in wire.practitioners(body)]
    assert [(one.full_name, one.email, one.works_here) for one in found] == [
        ("Dr Odette May Quill", "odette@example.com", True),
        ("Tarn", None, False),
        ("Unknown practitioner", None, True),
    ]


@pytest.mark.parametrize("name", ["appointment_types", "appointment_types_envelope"])
def test_types_come_bare_or_in_an_envelope(name: str) -> None:
    body = json.dumps(sample(name)).encode()
    found = [mapping.appointment_type(read(wire.appointment_type, raw)) for raw in wire.appointment_types(body)]
    assert found == [
        AppointmentType(VIDEO, "Review - Video", 20, "#3F8EFC"),
        AppointmentType(NEW_PATIENT, "New Patient", None, None),
    ]


@pytest.mark.parametrize(
    ("zone", "expected"), [("Australia/Perth", "Australia/Perth"), (None, None), ("Mars/Olympus", None), ("", None)]
)
def test_a_zone_nobody_knows_is_as_good_as_none(zone: str | None, expected: str | None) -> None:
    tenant = read(wire.tenant, json.dumps({**sample("tenant"), "timezone": zone}).encode())
    assert mapping.identity(tenant).timezone == expected


def test_two_practitioners_of_one_row_are_known_by_their_ids() -> None:
    row = mapped(participant=people(("provider", OTHER_PRACTITIONER), ("provider", PRACTITIONER), ("patient", PATIENT)))
    assert row.practitioner_name == f"name of {PRACTITIONER}"
    assert row.other_practitioner_ids == (OTHER_PRACTITIONER,)
