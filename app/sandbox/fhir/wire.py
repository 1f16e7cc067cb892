"""The clinic as FHIR R4 resources. pms/fhir-r4.md §2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.sandbox.fhir.knobs import FhirKnobs
from app.sandbox.stage.book import Book
from app.sandbox.stage.model import Kind, Patient, Person, Place, Visit

Resource = dict[str, object]

#: The clinic's states in the standard's words; it has none for confirmed, and its nearest to in progress is checked-in.
WORDS = {
    "booked": "booked",
    "confirmed": "booked",
    "arrived": "arrived",
    "in_progress": "checked-in",
    "completed": "fulfilled",
    "cancelled": "cancelled",
    "no_show": "noshow",
}
VIRTUAL_SERVICE = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.virtualService"
DETAIL = "http://hl7.at/fhir/HL7ATSchedulingR5/StructureDefinition/virtual-service-detail"
MEETING_URL = "http://ehealth.sundhed.dk/fhir/StructureDefinition/ehealth-meeting-url"
SNOMED = "http://snomed.info/sct"
#: What has no stamp of its own was last touched when the clinic opened.
OPENED = datetime(2026, 1, 5, tzinfo=UTC)


class Writer:
    """One clinic's resources, in the dialect that is set. base: the server's own address, for absolute references."""

    def __init__(self, book: Book, knobs: FhirKnobs, base: str) -> None:
        self._book, self._knobs, self._base = book, knobs, base

    # --- appointments ---------------------------------------------------------------------------------------------

    def appointment(self, visit: Visit) -> Resource:
        """As it is sent, with whatever an order has made of it."""
        return self._book.said(visit.id, self.unspoilt(visit))

    def unspoilt(self, visit: Visit) -> Resource:
        kind = self._book.kinds.get(visit.type_id or "")
        ends_at = visit.starts_at + timedelta(minutes=visit.minutes)
        made: Resource = {
            "resourceType": "Appointment",
            "id": visit.id,
            "meta": _meta(visit.modified_at),
            "status": visit.word or WORDS[visit.state],
            "serviceType": [self._service_type(kind)] if kind else None,
            "description": kind.name if kind else None,
            "start": self._local(visit.starts_at),
            "end": self._local(ends_at),
            "minutesDuration": visit.minutes,
            "created": self._local(visit.created_at),
            "comment": visit.note,
            "cancelationReason": {"text": visit.cancel_reason} if visit.cancel_reason else None,
            "participant": self._participants(visit),
        }
        return _said(made | self._online(visit))

    def _participants(self, visit: Visit) -> list[Resource]:
        said = "needs-action" if visit.state == "booked" else "accepted"
        person_link = self._knobs.link == "person"
        patients = [self._takes_part("Patient", id_, self._name_of_patient(id_), said) for id_ in visit.patient_ids]
        staff = "PractitionerRole" if self._knobs.roles else "Practitioner"
        clinicians = [
            self._takes_part(staff, f"role-{id_}" if self._knobs.roles else id_, self._name_of(id_), "accepted")
            for id_ in visit.practitioner_ids
        ]
        if person_link and visit.link:
            for one in patients:
                one["extension"] = [_detail(visit.link)]
            for one in clinicians:
                one["extension"] = [_detail(visit.host_link or visit.link)]
        place = self._book.places.get(visit.place_id or "")
        places = [self._takes_part("Location", place.id, place.name, "accepted")] if place else []
        return [*patients, *clinicians, *places]

    def _takes_part(self, kind: str, id_: str, display: str, said: str) -> Resource:
        return {"actor": {"reference": self.reference(kind, id_), "display": display}, "status": said}

    def reference(self, kind: str, id_: str) -> str:
        match self._knobs.references:
            case "absolute":
                return f"{self._base}/{kind}/{id_}"
            case "versioned":
                return f"{kind}/{id_}/_history/1"
            case _:
                return f"{kind}/{id_}"

    def _service_type(self, kind: Kind) -> Resource:
        system, _, code = kind.id.rpartition("|")
        codings: list[Resource] = [{"system": system, "code": code, "display": kind.name}]
        if self._knobs.link == "code" and kind.online:
            codings.append({"system": SNOMED, "code": "448337001", "display": "Telemedicine consultation with patient"})
        return {"coding": codings, "text": kind.name}

    def _online(self, visit: Visit) -> Resource:
        """Where the video link stands."""
        link, host = visit.link, visit.host_link
        if not link:
            return {}
        channel: Resource = {"system": "https://clinic.example/channel", "code": "video"}
        inner = [{"url": "channelType", "valueCoding": channel}, {"url": "address[x]", "valueUrl": link}]
        ways: dict[str, Resource] = {
            "nested": {"extension": [{"url": VIRTUAL_SERVICE, "extension": inner}]},
            "single": {"extension": [{"url": VIRTUAL_SERVICE, "valueUrl": link}]},
            "meeting": {"extension": [{"url": MEETING_URL, "valueUri": link}]},
            "detail": {"virtualService": [{"channelType": channel, "addressUrl": link}]},
            "rooms": {"contained": [_room("Provider", host or link), _room("Patient", link)]},
        }
        return ways.get(self._knobs.link, {})

    # --- everything else ------------------------------------------------------------------------------------------

    def patient(self, one: Patient) -> Resource:
        """Now and then somebody has a former name and a former number, listed first."""
        moved = sum(one.id.encode()) % 5 == 0
        telecom: list[Resource] = [{"system": "phone", "value": "0491 570 006", "use": "old"}] if moved else []
        telecom += [{"system": "phone", "value": one.phone, "use": "mobile"}] if one.phone else []
        telecom += [{"system": "email", "value": one.email, "use": "home"}] if one.email else []
        names: list[Resource] = [{"use": "old", "family": "Formerly", "given": [one.given]}] if moved else []
        made: Resource = {
            "resourceType": "Patient",
            "id": one.id,
            "meta": _meta(OPENED),
            "active": True,
            "name": [*names, {"use": "official", "family": one.family, "given": one.given.split()}],
            "telecom": telecom,
            "gender": one.sex,
            "birthDate": one.born.isoformat() if one.born else None,
        }
        return self._kept(made)

    def practitioner(self, one: Person) -> Resource:
        name: Resource = {"family": one.family, "given": [one.given]}
        made: Resource = {
            "resourceType": "Practitioner",
            "id": one.id,
            "meta": _meta(OPENED),
            "active": one.active,
            "name": [{"use": "official", **name, **({"prefix": [one.prefix]} if one.prefix else {})}],
            "telecom": [{"system": "email", "value": one.email, "use": "work"}] if one.email else None,
        }
        return self._kept(made)

    def role(self, one: Person) -> Resource:
        made: Resource = {
            "resourceType": "PractitionerRole",
            "id": f"role-{one.id}",
            "meta": _meta(OPENED),
            "active": one.active,
            "practitioner": {"reference": self.reference("Practitioner", one.id), "display": one.name},
            "organization": {"reference": self.reference("Organization", "org-1")},
        }
        return self._kept(made)

    def schedule(self, one: Person) -> Resource:
        """Whoever works here has one, in a role where clinicians take part by their roles."""
        actor = ("PractitionerRole", f"role-{one.id}") if self._knobs.roles else ("Practitioner", one.id)
        made: Resource = {
            "resourceType": "Schedule",
            "id": f"sch-{one.id}",
            "meta": _meta(OPENED),
            "active": True,
            "actor": [{"reference": self.reference(*actor), "display": one.name}],
        }
        return self._kept(made)

    def service(self, one: Kind) -> Resource:
        made: Resource = {
            "resourceType": "HealthcareService",
            "id": f"svc-{one.id.rpartition('|')[2]}",
            "meta": _meta(OPENED),
            "active": True,
            "name": one.name,
            "type": [self._service_type(one)],
        }
        return self._kept(made)

    def location(self, one: Place) -> Resource:
        return self._kept(
            {
                "resourceType": "Location",
                "id": one.id,
                "meta": _meta(OPENED),
                "status": "active",
                "name": one.name,
                "mode": "instance",
            }
        )

    def organization(self) -> Resource:
        made: Resource = {"resourceType": "Organization", "id": "org-1", "meta": _meta(OPENED), "active": True}
        return self._kept(made | {"name": self._book.setup.name})

    def _kept(self, record: Resource) -> Resource:
        """Without what is not there, and with what somebody has made of it."""
        return self._book.said(str(record["id"]), _said(record))

    def _name_of(self, person_id: str) -> str:
        found = self._book.people.get(person_id)
        return found.name if found else person_id

    def _name_of_patient(self, patient_id: str) -> str:
        found = self._book.patients.get(patient_id)
        return found.name if found else patient_id

    def _local(self, at: datetime) -> str:
        """An instant in the clinic's own offset."""
        return at.astimezone(self._book.zone).isoformat(timespec="seconds")


def _said(record: Resource) -> Resource:
    """The standard allows neither nulls nor empty lists: what is not there is left out."""
    return {name: value for name, value in record.items() if value is not None and value not in ([], "")}


def _meta(modified_at: datetime) -> Resource:
    stamp = modified_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"versionId": str(int(modified_at.timestamp() * 1000)), "lastUpdated": stamp}


def _detail(link: str) -> Resource:
    return {"url": DETAIL, "extension": [{"url": "address", "valueUrl": link}]}


def _room(whose: str, link: str) -> Resource:
    """One of Oracle's two."""
    return {
        "resourceType": "HealthcareService",
        "id": f"{whose.lower()}-room",
        "type": [{"text": f"{whose} Virtual Meeting Room"}],
        "telecom": [{"system": "url", "value": link}],
    }
