"""FHIR's records in the house's words."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.domain.status import Status
from app.pms.fhir import mapping, people, wire
from app.pms.fhir.mapping import Context
from app.pms.fhir.references import Target, target_of
from app.pms.rows import DoubleKeys, RowFault, read

pytestmark = pytest.mark.feature("S11")

NOW = datetime(2026, 3, 9, 1, tzinfo=UTC)
VIRTUAL = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.virtualService"

#: The page's own example (pms/fhir-r4.md §2.2).
EXAMPLE: dict[str, Any] = {
    "resourceType": "Appointment",
    "id": "ap-71",
    "meta": {"versionId": "3", "lastUpdated": "2026-03-01T04:05:06.123Z"},
    "status": "booked",
    "serviceType": [
        {
            "coding": [
                {"system": "http://snomed.info/sct", "code": "448337001", "display": "Telemedicine consultation"}
            ],
            "text": "Video review",
        }
    ],
    "description": "Video review",
    "start": "2026-03-09T10:30:00+11:00",
    "end": "2026-03-09T11:00:00+11:00",
    "minutesDuration": 30,
    "extension": [{"url": VIRTUAL, "extension": [{"url": "address", "valueUrl": "https://video.example/s/9f2c"}]}],
    "participant": [
        {"actor": {"reference": "Patient/p-5", "display": "Orla Venn"}, "required": "required", "status": "accepted"},
        {"actor": {"reference": "Practitioner/dr-2", "display": "Dr Teo Lindqvist"}, "status": "accepted"},
        {"actor": {"reference": "Location/loc-1"}, "status": "accepted"},
    ],
}


def mapped(context: Context | None = None, **changes: Any) -> Any:
    record = {name: value for name, value in (EXAMPLE | changes).items() if value is not ...}
    return mapping.appointment(wire.appointment(json.dumps(record).encode()), context or Context(now=NOW))


def person(**fields: Any) -> Any:
    row = read(wire.person, json.dumps({"resourceType": "Patient", "id": "p-5", **fields}).encode())
    return people.patient(row, NOW)


# --- an appointment ---------------------------------------------------------------------------------------------------


def test_the_standards_example() -> None:
    one = mapped()
    assert (one.external_id, one.status, one.minutes) == ("ap-71", Status.BOOKED, 30)
    assert (one.starts_at, one.ends_at) == (
        datetime(2026, 3, 8, 23, 30, tzinfo=UTC),
        datetime(2026, 3, 9, tzinfo=UTC),
    )
    assert (one.type_id, one.type_name) == ("http://snomed.info/sct|448337001", "Video review")
    assert (one.practitioner_id, one.practitioner_name, one.location_id) == ("dr-2", "Dr Teo Lindqvist", "loc-1")
    assert [(one.external_id, one.full_name) for one in one.patients] == [("p-5", "Orla Venn")]
    assert (one.telehealth_hint, one.telehealth_url) == (True, "https://video.example/s/9f2c")
    assert one.changed_at == datetime(2026, 3, 1, 4, 5, 6, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("proposed", Status.BOOKED),
        ("pending", Status.BOOKED),
        ("waitlist", Status.BOOKED),
        ("booked", Status.BOOKED),
        ("arrived", Status.ARRIVED),
        ("checked-in", Status.ARRIVED),
        ("fulfilled", Status.COMPLETED),
        ("cancelled", Status.CANCELLED),
        ("noshow", Status.NO_SHOW),
        ("no-show", Status.NO_SHOW),
        ("Booked", Status.BOOKED),
        ("roomed", Status.UNKNOWN),
    ],
)
def test_every_word_of_the_standard(word: str, status: Status) -> None:
    assert mapped(status=word).status is status


@pytest.mark.parametrize(
    ("changes", "length"),
    [
        ({"minutesDuration": 20}, (datetime(2026, 3, 9, tzinfo=UTC), 20)),
        ({"minutesDuration": ...}, (datetime(2026, 3, 9, tzinfo=UTC), 30)),
        ({"end": ...}, (datetime(2026, 3, 9, tzinfo=UTC), 30)),
        ({"end": ..., "minutesDuration": ...}, (None, None)),
        ({"end": "2026-03-09T10:30:00+11:00", "minutesDuration": ...}, (None, None)),
    ],
)
def test_how_long_it_takes(changes: dict[str, Any], length: tuple[datetime | None, int | None]) -> None:
    one = mapped(**changes)
    assert (one.ends_at, one.minutes) == length


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-08T23:30:00Z", datetime(2026, 3, 8, 23, 30, tzinfo=UTC)),
        ("2026-03-08T23:30:00.123456789Z", datetime(2026, 3, 8, 23, 30, 0, 123_456, tzinfo=UTC)),
        ("2026-03-09T05:15:00+05:45", datetime(2026, 3, 8, 23, 30, tzinfo=UTC)),
        (None, None),
    ],
)
def test_an_instant(text: str | None, at: datetime | None) -> None:
    assert mapping.instant(text, "$.start") == at


@pytest.mark.parametrize(
    "text",
    ["2026-03-09", "2026-03-09T10:30:00", "2026-03-09T10:30Z", "2026-02-30T10:30:00Z", "soon", "", "20260309T103000Z"],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(RowFault):
        mapping.instant(text, "$.start")


def test_what_may_lack_a_start_is_on_nobodys_day() -> None:
    for word, without in (("proposed", True), ("waitlist", True), ("cancelled", True), ("booked", False)):
        record = EXAMPLE | {"status": word}
        del record["start"]
        assert mapping.is_unscheduled(wire.appointment(json.dumps(record).encode())) is without


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"serviceType": [{"text": "Only words"}]}, ("Only words", "Only words")),
        ({"serviceType": [{"coding": [{"code": "x", "display": "Said"}]}]}, ("|x", "Said")),
        ({"serviceType": [{"coding": [{"display": "No code"}]}]}, (None, "Unknown")),
        (
            {"serviceType": ..., "appointmentType": {"coding": [{"system": "s", "code": "ROUTINE"}]}},
            ("s|ROUTINE", "ROUTINE"),
        ),
        ({"serviceType": ..., "serviceCategory": [{"coding": [{"code": "c"}], "text": "GP"}]}, ("|c", "GP")),
        (
            {
                "serviceType": ...,
                "participant": [
                    {"actor": {"reference": "HealthcareService/9", "display": "Physio"}, "status": "accepted"}
                ],
            },
            ("HealthcareService/9", "Physio"),
        ),
        ({"serviceType": ...}, (None, "Unknown")),
    ],
)
def test_what_kind_of_visit_it_is(changes: dict[str, Any], kind: tuple[str | None, str]) -> None:
    one = mapped(**changes)
    assert (one.type_id, one.type_name) == kind


def test_who_leads_of_several_and_nobody_at_all() -> None:
    two = [
        {"actor": {"reference": "Practitioner/a"}, "status": "accepted"},
        {"type": [{"coding": [{"code": "PPRF"}]}], "actor": {"reference": "Practitioner/b"}, "status": "accepted"},
    ]
    one = mapped(Context(names={"b": "Dr B"}), participant=two)
    assert (one.practitioner_id, one.practitioner_name, one.other_practitioner_ids) == ("b", "Dr B", ("a",))
    none = mapped(participant=[EXAMPLE["participant"][0]])
    assert (none.practitioner_id, none.practitioner_name) == ("", "Unknown practitioner")


def test_patients_who_exist_within_the_appointment_or_as_a_name_only() -> None:
    contained = [
        {
            "resourceType": "Patient",
            "id": "p",
            "name": [{"family": "Venn", "given": ["Orla"]}],
            "birthDate": "1979-11-02",
        },
        {"resourceType": "Device", "id": "d"},
    ]
    taking_part = [
        {"actor": {"reference": "#p"}, "status": "accepted"},
        {"actor": {"reference": "#d"}, "status": "accepted"},
        {"actor": {"type": "Patient", "identifier": {"value": "9"}, "display": "Bo Quill"}, "status": "accepted"},
        {"type": [{"text": "interpreter"}], "status": "accepted"},
    ]
    found = mapped(contained=contained, participant=taking_part).patients
    assert [(one.external_id, one.full_name, one.birth_date) for one in found] == [
        ("", "Orla Venn", date(1979, 11, 2)),
        ("", "Bo Quill", None),
    ]
    with pytest.raises(RowFault) as raised:
        mapped(contained=[{"resourceType": "Patient", "id": "p", "birthDate": 3}])
    assert raised.value.path == "$.contained[0].birthDate"


def test_an_element_named_twice_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_doubled", DoubleKeys())
    doubled = json.dumps(EXAMPLE).replace('"status": "booked"', '"status": "noshow", "status": "booked"').encode()
    with pytest.raises(RowFault) as raised:
        wire.appointment(doubled)
    assert raised.value.reason == "dup_key"


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ({"reference": "Patient/1"}, Target("Patient", "1")),
        ({"reference": "https://other.example/r4/Patient/1"}, Target("Patient", "1")),
        ({"reference": "Patient/1/_history/2"}, Target("Patient", "1")),
        ({"reference": "urn:uuid:5"}, Target("Patient", "known")),
        ({"reference": "urn:uuid:6"}, None),
        ({"reference": "#p"}, Target("#", "p")),
        ({"type": "Patient", "display": "x"}, Target("Patient", "")),
        ({"display": "x"}, None),
        ({"reference": "nothing"}, None),
    ],
)
def test_whom_a_reference_means(reference: dict[str, str], target: Target | None) -> None:
    read_in = wire.Reference(**reference)
    assert target_of(read_in, {"urn:uuid:5": Target("Patient", "known")}) == target


# --- telehealth -------------------------------------------------------------------------------------------------------


def room(whose: str, link: str) -> dict[str, Any]:
    telecom = [{"system": "phone", "value": "1"}, {"system": "url", "value": link}]
    text = f"{whose} Virtual Meeting Room"
    return {"resourceType": "HealthcareService", "id": whose, "type": [{"text": text}], "telecom": telecom}


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        (
            {"contained": [room("Patient", "https://v.example/g"), room("Provider", "https://v.example/h")]},
            "https://v.example/g",
        ),
        (
            {"contained": [room("Provider", "https://v.example/h"), room("Patient", "https://v.example/g")]},
            "https://v.example/g",
        ),
        ({"contained": [room("Provider", "https://v.example/h")]}, None),
        ({"extension": [{"url": VIRTUAL, "valueString": "https://v.example/g"}]}, "https://v.example/g"),
        ({"extension": [{"url": VIRTUAL, "valueString": "ring us"}]}, None),
        ({"extension": [{"url": VIRTUAL, "valueUrl": "http://v.example/g"}]}, None),
        ({"virtualService": [{"sessionKey": "x"}]}, None),
    ],
)
def test_where_a_link_stands(changes: dict[str, Any], link: str | None) -> None:
    one = mapped(**({"extension": ..., "serviceType": ...} | changes))
    assert (one.telehealth_hint, one.telehealth_url) == (True, link)
    assert "v.example/h" not in repr(one)


def test_a_hosts_own_link_that_stands_elsewhere_too_is_nobodys() -> None:
    host = {"url": VIRTUAL, "valueUrl": "https://v.example/h"}
    taking_part = [
        EXAMPLE["participant"][0],
        {"actor": {"reference": "Practitioner/a"}, "status": "accepted", "extension": [host]},
    ]
    assert mapped(participant=taking_part, extension=[host]).telehealth_url is None


@pytest.mark.parametrize(
    ("coding", "hint"),
    [
        ({"system": "http://terminology.hl7.org.au/CodeSystem/v3-ActCode", "code": "PHONE"}, True),
        ({"system": "http://snomed.info/sct", "code": "185349003"}, None),
    ],
)
def test_codes_that_say_online(coding: dict[str, str], hint: bool | None) -> None:
    assert mapped(extension=..., serviceType=[{"coding": [coding]}]).telehealth_hint is hint


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([{"family": "Venn", "given": ["Orla", "Mae"]}], "Orla Mae Venn"),
        ([{"use": "old", "family": "Was"}, {"use": "usual", "text": "Ollie Venn"}], "Ollie Venn"),
        ([{"use": "usual", "text": "Ollie"}, {"use": "official", "family": "Venn"}], "Venn"),
        ([{"family": "Past", "period": {"end": "2019"}}, {"family": "Now", "period": {"end": "2026"}}], "Now"),
        ([{"use": "official"}, {"family": "Venn"}], "Venn"),
        ([{"given": [None, "Orla"]}], "Orla"),
        ([{"use": "old", "family": "Was"}], "Orla V"),
        (None, "Orla V"),
    ],
)
def test_which_name_is_shown(names: Any, shown: str) -> None:
    row = read(wire.person, json.dumps({"resourceType": "Patient", "id": "p", "name": names}).encode())
    assert people.patient(row, NOW, "Orla V").full_name == shown


def test_which_number_is_shown() -> None:
    points = [
        {"system": "phone", "value": "1", "use": "old"},
        {"system": "phone", "value": "2", "use": "home", "rank": 2},
        {"system": "phone", "value": "3", "use": "home", "rank": 1},
        {"system": "fax", "value": "4", "use": "mobile"},
        {"system": "sms", "value": "5", "use": "mobile"},
        {"system": "phone", "value": "6", "use": "mobile", "period": {"end": "2026-03-08"}},
        {"system": "email", "value": " "},
        {"system": "email", "value": "orla@example.com"},
    ]
    assert (person(telecom=points).phone, person(telecom=points).email) == ("5", "orla@example.com")
    assert person(telecom=points[:3]).phone == "3"


@pytest.mark.parametrize(
    ("text", "born"),
    [("1979-11-02", date(1979, 11, 2)), ("1979-11", None), ("1979", None), ("1979-02-30", None), ("0001-01-01", None)],
)
def test_a_birthday_is_a_whole_date(text: str, born: date | None) -> None:
    assert person(birthDate=text).birth_date == born
