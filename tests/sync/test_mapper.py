"""The data mapper: a unified appointment becomes a row, in the practice's own day, names, numbers (E05)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.appointment import Appointment, Patient
from app.domain.status import Status
from app.store.columns import PMS_CONTENT, PMS_DERIVED, changes_between, plain
from app.store.models import Appointment as Row
from app.sync.mapper import UNKNOWN_PATIENT, DataMapper
from tests.fakes.pms import NOW, FakePms, patient


def one(**more: Any) -> Appointment:
    return FakePms().books("a1", **more).book["a1"]


def row(appointment: Appointment, zone: str = "Australia/Melbourne", region: str = "AU") -> dict[str, Any]:
    return DataMapper(ZoneInfo(zone), region).to_row(appointment, is_telehealth=True).row


def test_every_column_the_pms_owns_is_there_and_none_of_staff() -> None:
    made = row(one(comment="bring scans", location_id="room 4"))
    assert set(made) == {*PMS_CONTENT, "pms_appointment_id", "fingerprint", "is_telehealth", "hidden_cause"}
    assert {*PMS_CONTENT, *PMS_DERIVED} <= {column.name for column in Row.__table__.columns}
    assert (made["pms_appointment_id"], made["pms_patient_id"]) == ("a1", "p-a1")
    assert (made["patient_name"], made["patient_phone"], made["patient_dob"]) == (
        "Patient A1",
        "+61491570156",
        date(1985, 3, 15),
    )
    assert (made["pms_status"], made["pms_comment"], made["location"]) == ("booked", "bring scans", "room 4")
    assert made["patients"] is None


@pytest.mark.parametrize(
    ("utc", "zone", "day"),
    [
        ("2026-03-08T12:59Z", "Australia/Melbourne", "2026-03-08"),
        ("2026-03-08T13:00Z", "Australia/Melbourne", "2026-03-09"),
        ("2026-03-08T13:29Z", "Australia/Adelaide", "2026-03-08"),
        ("2026-03-08T18:14Z", "Asia/Kathmandu", "2026-03-08"),
        ("2026-03-08T18:15Z", "Asia/Kathmandu", "2026-03-09"),
        ("2026-04-04T15:30Z", "Australia/Melbourne", "2026-04-05"),  # half past two, for the first time
        ("2026-04-04T16:30Z", "Australia/Melbourne", "2026-04-05"),  # and for the second
        ("2026-09-06T03:59Z", "America/Santiago", "2026-09-05"),
        ("2026-09-06T04:00Z", "America/Santiago", "2026-09-06"),
    ],
)
def test_the_day_is_the_practices_own(utc: str, zone: str, day: str) -> None:
    appointment = one(starts_at=datetime.fromisoformat(utc))
    mapped = DataMapper(ZoneInfo(zone), "AU").to_row(appointment, is_telehealth=True)
    assert mapped.day == date.fromisoformat(day)
    assert mapped.row["starts_at"] == datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    ("person", "name"),
    [
        (Patient("p", "Alice Brown"), "Alice Brown"),
        (Patient("p", "", "Alice", "Brown"), "Alice Brown"),
        (Patient("p", "", None, "Brown"), "Brown"),
        (Patient("p", "  \0 "), UNKNOWN_PATIENT),
        (Patient("p", "x" * 600), "x" * 499 + "…"),
    ],
)
def test_a_patient_always_has_a_name(person: Patient, name: str) -> None:
    assert DataMapper.patient_name(person) == name


@pytest.mark.parametrize(
    ("typed", "region", "kept"),
    [
        ("0491 570 156", "AU", "+61491570156"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("9555 1234", "AU", "9555 1234"),  # no number anybody could call from elsewhere, but not nothing either
        ("via mother", "AU", "via mother"),
        ("x" * 60, "AU", "x" * 39 + "…"),
        (" ", "AU", None),
        (None, "AU", None),
    ],
)
def test_a_phone_is_e164_or_what_somebody_typed(typed: str | None, region: str, kept: str | None) -> None:
    assert (
        row(one(patients=0) and replace(one(), patients=(patient("a", phone=typed),)), region=region)["patient_phone"]
        == kept
    )


def test_a_group_keeps_everybody_and_stands_under_the_first() -> None:
    made = row(one(patients=3))
    assert made["patient_name"] == "Patient A1"
    assert [person["name"] for person in made["patients"]] == ["Patient A1", "Patient A1-1", "Patient A1-2"]
    assert made["patients"][0] == {
        "id": "p-a1",
        "name": "Patient A1",
        "phone": "+61491570156",
        "email": "a1@example.com",
        "birthDate": "1985-03-15",
    }


def test_text_is_clipped_to_what_a_column_holds() -> None:
    made = row(
        one(
            comment="c" * 20_000,
            practitioner_name="n" * 300,
            raw_status="r" * 300,
            telehealth_url="u" * 2000,
            location_id="l" * 300,
            type_name="t" * 300,
        )
    )
    for column in Row.__table__.columns:
        limit = getattr(column.type, "length", None)
        if limit and isinstance(made.get(column.name), str):
            assert len(made[column.name]) <= limit, column.name
    assert len(made["pms_comment"]) == 10_000


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(list(Status)))
def test_the_same_content_has_the_same_fingerprint_and_no_other_has(comment: str, other: str, status: Status) -> None:
    try:
        (comment + other).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate never gets past the wire
    mapper = DataMapper(ZoneInfo("UTC"), "AU")
    first = mapper.to_row(one(comment=comment, status=status), is_telehealth=True)
    again = mapper.to_row(one(comment=comment, status=status), is_telehealth=False)
    changed = mapper.to_row(one(comment=other, status=status), is_telehealth=True)
    assert first.fingerprint == again.fingerprint, "the practice's ticks are none of the PMS's content"
    assert (first.fingerprint == changed.fingerprint) == (comment == other)


def test_what_a_fingerprint_does_not_tell_apart_makes_the_same_row() -> None:
    """Every part of an appointment that a column is made from is part of the fingerprint."""
    mapper = DataMapper(ZoneInfo("UTC"), "AU")
    before, person = mapper.to_row(one(), is_telehealth=True), patient("a1")
    people = [replace(person, **{field.name: _another(getattr(person, field.name))}) for field in fields(Patient)]
    others = [replace(one(), patients=(somebody,)) for somebody in people]
    others.append(replace(one(), patients=(person, patient("b2"))))
    names = [field.name for field in fields(Appointment) if field.name != "patients"]
    others += [replace(one(), **{name: _another(getattr(one(), name))}) for name in names]
    seen = set()
    for other in others:
        mapped = mapper.to_row(other, is_telehealth=True)
        changed = {name for name in PMS_CONTENT if mapped.row[name] != before.row[name]}
        assert not changed or mapped.fingerprint != before.fingerprint, changed
        seen |= changed
    assert seen == set(PMS_CONTENT), "every column was put to the test"


def _another(value: Any) -> Any:
    match value:
        case Status():
            return Status.CANCELLED
        case datetime():
            return value + timedelta(minutes=5)
        case date():
            return value + timedelta(days=1)
        case int():
            return value + 1
        case str():
            return f"{value}9"
    return "9" if value is None else value


def test_changes_are_told_in_jsons_own_types() -> None:
    old = row(one())
    new = row(replace(one(), starts_at=NOW, patients=(patient("a1", birth_date=None),)))
    told = changes_between(old, new)
    assert told == {
        "starts_at": ["2026-03-08T22:00:00+00:00", NOW.isoformat()],
        "patient_dob": ["1985-03-15", None],
    }
    assert plain(NOW) == NOW.isoformat()
