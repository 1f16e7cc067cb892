"""The clinic in Halaxy's records: FHIR in shape, its own in what matters."""

from __future__ import annotations

import re
from datetime import timedelta

from flask import request

from app.sandbox.halaxy import BASE
from app.sandbox.halaxy.door import knobs
from app.sandbox.halaxy.ids import ADMINISTRATOR, CONTACTS, GROUP, role_id
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Kind, Patient, Person, State, Visit

Record = dict[str, object]

TERMS = "https://terminology.halaxy.com/StructureDefinition"
PRESETS = "https://au-api.halaxy.com/presets/CodeSystem"
#: There is no word for a visit that is going on.
WORDS: dict[State, str] = {
    "booked": "booked",
    "confirmed": "confirmed",
    "arrived": "arrived",
    "in_progress": "arrived",
    "completed": "attended",
    "cancelled": "cancelled",
    "no_show": "did not attend",
}
#: Between the words of a group's members, in order, where they differ: `change(word="confirmed|cancelled")`.
APART = "|"


def reference(kind: str, id_: str) -> Record:
    return {"reference": f"{root()}/{kind}/{id_}", "type": kind}


def root() -> str:
    return f"{request.host_url.rstrip('/')}{BASE}"


# --- appointments -----------------------------------------------------------------------------------------------------


def codes(book: Book, visit: Visit) -> list[str]:
    """Each patient's own status."""
    said = (visit.word or WORDS[visit.state]).split(APART)
    if knobs().auto_attend and visit.word is None and visit.state == "booked" and visit.starts_at <= book.clock.now():
        said = [WORDS["completed"]]
    return [said[min(number, len(said) - 1)] for number in range(len(visit.patient_ids))]


def appointment(book: Book, visit: Visit) -> Record:
    """No `status` of its own, no link; a block has nobody but its practitioners, and mostly no text."""
    at = visit.starts_at.astimezone(book.zone)
    record: Record = {
        "resourceType": "Appointment",
        "id": visit.id,
        "start": at.isoformat(),
        "end": (visit.starts_at + timedelta(minutes=visit.minutes)).astimezone(book.zone).isoformat(),
        "minutesDuration": visit.minutes,
        "created": visit.created_at.astimezone(book.zone).isoformat(timespec="seconds"),
        "participant": [_attender(book, visit, one) for one in visit.practitioner_ids]
        + [_patient(id_, code) for id_, code in zip(visit.patient_ids, codes(book, visit), strict=True)],
        "meta": {"versionId": "1", "lastUpdated": visit.modified_at.isoformat(timespec="seconds")},
    }
    if visit.note:
        record["description"] = visit.note
    if visit.state == "cancelled" and visit.cancel_reason:
        record["cancellationReason"] = {"text": visit.cancel_reason}
    if visit.patient_ids and visit.type_id:
        record["supportingInformation"] = [
            {"reference": f"/main/HealthcareService/{visit.type_id}", "type": "HealthcareService"}
        ]
    _say_place(book, visit, record)
    return book.said(visit.id, record)


def _say_place(book: Book, visit: Visit, record: Record) -> None:
    """[assumed] Nobody has published how a location type reads; both forms have been thought of."""
    where = "telehealth" if visit.place_id == list(book.places)[1] else "clinic"
    if knobs().place_type == "supporting":
        told = record.setdefault("supportingInformation", [])
        assert isinstance(told, list)
        told.append({"type": "location-type", "display": where})
    elif knobs().place_type == "extension":
        record["extension"] = [{"url": f"{TERMS}/appointment-location-type", "valueCode": where}]


def _attender(book: Book, visit: Visit, person_id: str) -> Record:
    role = role_id(person_id, room_of(book, visit))
    coding = [{"code": "ATND", "display": "attender"}]
    return {"type": [{"coding": coding}], "actor": reference("PractitionerRole", role)}


def room_of(book: Book, visit: Visit) -> int:
    return list(book.places).index(visit.place_id) if visit.place_id in book.places else 0


def _patient(id_: str, code: str) -> Record:
    coding = {"system": f"{PRESETS}/appointment-participant-status", "code": code, "display": code}
    return {
        "actor": reference("Patient", id_),
        "modifierExtension": [{"url": f"{TERMS}/appointment-participant-status", "valueCoding": coding}],
        "extension": [
            {"url": f"{TERMS}/appointment-participant-invoice", "valueReference": {"reference": f"/main/Invoice/{id_}"}}
        ],
    }


# --- people -----------------------------------------------------------------------------------------------------------


def patient(book: Book, one: Patient) -> Record:
    """The usual name comes first and may be a given name alone."""
    telecom = [{"system": "sms", "value": _e164(one.phone), "use": "mobile"}] if one.phone else []
    if one.email:
        telecom.append({"system": "email", "value": one.email, "use": "home"})
    record: Record = {
        "resourceType": "Patient",
        "id": one.id,
        "active": True,
        "name": [
            {"use": "usual", "given": [one.given[:3]]},
            {"use": "official", "given": [one.given], "family": one.family},
        ],
        "telecom": telecom,
        "gender": one.sex if one.sex != "unknown" else "custom",
    }
    if one.born is not None:
        record["birthDate"] = one.born.isoformat()
    return book.said(one.id, record)


def _e164(phone: str) -> str:
    digits = re.sub(r"\D", "", phone)
    return f"+61{digits[1:]}" if digits.startswith("0") else f"+{digits}"


def practitioners(book: Book) -> list[Record]:
    """The practice's own, who may only run the place, and contacts from outside."""
    rows = [book.said(one.id, _person(one.id, one.given, one.family, one)) for one in book.people.values()]
    strangers = (*CONTACTS, ADMINISTRATOR) if knobs().administrator else CONTACTS
    return rows + [_person(id_, given, family, None) for id_, given, family in strangers]


def _person(id_: str, given: str, family: str, one: Person | None) -> Record:
    name: Record = {"use": "official", "given": [given], "family": family}
    record: Record = {"resourceType": "Practitioner", "id": id_, "name": [name]}
    if one is not None:
        record["active"] = one.active
        record["telecom"] = [{"system": "email", "value": one.email, "use": "work"}] if one.email else []
        if one.prefix:
            name["prefix"] = [one.prefix]
    return record


def roles(book: Book) -> list[Record]:
    """Everybody once for each clinic; contacts for a place of their own."""
    own = [
        _role(role_id(one.id, room), one.id, place, one.active)
        for one in book.people.values()
        for room, place in enumerate(book.places)
    ]
    return own + [_role(f"{id_}7", id_, f"SP-{number}", True) for number, (id_, *_) in enumerate(CONTACTS, start=31)]


def _role(id_: str, person_id: str, organization: str, active: bool) -> Record:
    return {
        "resourceType": "PractitionerRole",
        "id": id_,
        "active": active,
        "practitioner": {"reference": f"Practitioner/{person_id}", "type": "Practitioner"},
        "organization": reference("Organization", organization),
    }


# --- the practice -----------------------------------------------------------------------------------------------------


def organizations(book: Book) -> list[Record]:
    group: Record = {"resourceType": "Organization", "id": GROUP, "active": True, "name": book.setup.name}
    clinics: list[Record] = [
        {"resourceType": "Organization", "id": one.id, "active": True, "name": one.name,
         "partOf": reference("Organization", GROUP)}
        for one in book.places.values()
    ]  # fmt: skip
    noise: list[Record] = [{"resourceType": "Organization", "id": "FD-9", "active": True, "name": "A Funder"}]
    return noise + clinics + [group]


def service(book: Book, kind: Kind) -> Record:
    return book.said(
        kind.id,
        {
            "resourceType": "HealthcareService",
            "id": kind.id,
            "active": True,
            "providedBy": {"reference": f"/main/Organization/OG-{GROUP.removeprefix('PG-')}", "type": "Organization"},
            "name": kind.name,
            "extension": [
                {"url": f"{TERMS}/healthcare-service-allow-online-booking", "valueString": "No"},
                {"url": f"{TERMS}/healthcare-service-max-patients", "valueInteger": 1},
                {
                    "url": f"{TERMS}/healthcare-service-duration",
                    "valueQuantity": {"value": kind.minutes, "unit": "minute"},
                },
            ],
        },
    )
