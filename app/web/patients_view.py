"""What the pages of patients show: a line of a list, one patient, a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask import url_for

from app.domain.discovery import Doubt
from app.domain.names import full_name
from app.store.discovered import Coverage
from app.store.models.patients import Decision, LinkedBy, PatientOrigin
from app.store.patients import Facts
from app.store.reviews import Question
from app.web.session import Visitor
from app.web.words import phone_words, plural, since

DOUBT_WORDS = {
    Doubt.SEVERAL: "More than one patient has this e-mail address.",
    Doubt.OTHER_ID: "The patient with this e-mail address is another client of the same system.",
    Doubt.DISAGREE: "The e-mail address is the same, but neither the name nor the birth date is.",
    Doubt.CONTRADICT: "The e-mail address is the same, but name and birth date do not tell one person: "
    "they may be twins, or parent and child.",
}
_LINKED_WORDS = {
    LinkedBy.DISCOVERY: "found there",
    LinkedBy.EMAIL: "joined by e-mail address, name or birth date agreeing",
    LinkedBy.PERSON: "joined by a person",
}


@dataclass(frozen=True, slots=True)
class Line:
    id: UUID
    name: str
    address: str
    born: str
    reach: str
    belongs: str
    since: str


@dataclass(frozen=True, slots=True)
class Belonging:
    id: UUID
    name: str
    told: str


@dataclass(frozen=True, slots=True)
class Detail:
    id: UUID
    name: str
    born: str
    email: str
    phone: str
    origin: str
    refreshed: str
    belongs: Sequence[Belonging]
    known_as: Sequence[str]


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody in a question: the client, or a patient they may be."""

    id: UUID | None
    name: str
    born: str
    phone: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    id: UUID
    email: str
    why: str
    told: str  # of which system since when, or what was decided by whom
    client: Client
    candidates: Sequence[Client]
    patient: str  # the address of the patient it was decided to be


def line(facts: Facts, visitor: Visitor, now: datetime) -> Line:
    return Line(
        id=facts.id,
        name=facts.name,
        address=url_for("patients.show", patient_id=facts.id),
        born=day_words(facts.birth_date),
        reach=" · ".join(part for part in (phone_words(facts.phone, visitor.region), facts.email) if part),
        belongs=", ".join(one.organization for one in facts.belongs),
        since=since(facts.created_at, visitor.zone, now),
    )


def detail(
    facts: Facts, visitor: Visitor, now: datetime, systems: Mapping[UUID, str], people: Mapping[UUID, str]
) -> Detail:
    by_hand = facts.origin == PatientOrigin.HAND
    return Detail(
        id=facts.id,
        name=facts.name,
        born=day_words(facts.birth_date),
        email=facts.email or "",
        phone=phone_words(facts.phone, visitor.region),
        origin=f"{'Written down' if by_hand else 'Found'} {since(facts.created_at, visitor.zone, now)}",
        refreshed=since(facts.refreshed_at, visitor.zone, now) if facts.refreshed_at else "",
        belongs=[
            Belonging(
                one.organization_id,
                one.organization,
                f"since {since(one.since, visitor.zone, now)}, by {_who(one.added_by, people)}",
            )
            for one in facts.belongs
        ],
        known_as=[
            f"{systems.get(one.connection_id, 'A connection')}: client {one.external_id}, "
            f"{_LINKED_WORDS[LinkedBy(one.linked_by)]}"
            for one in facts.known_as
        ],
    )


def question(
    asked: Question, visitor: Visitor, now: datetime, systems: Mapping[UUID, str], people: Mapping[UUID, str]
) -> QuestionView:
    row, person = asked.review, asked.person
    client = Client(
        None,
        full_name(person.first_name, person.last_name) or "Without a name",
        day_words(person.birth_date),
        phone_words(person.phone, visitor.region),
    )
    return QuestionView(
        id=row.id,
        email=person.email or "",
        why=DOUBT_WORDS[Doubt(row.doubt)],
        told=_decided(row.decision, _who(row.decided_by, people), since(row.decided_at, visitor.zone, now))
        if row.decision
        else f"Client {row.external_id} of {systems.get(row.pms_connection_id, 'a connection')}, "
        f"met {since(row.opened_at, visitor.zone, now)}",
        client=client,
        candidates=[
            Client(one.id, one.name, day_words(one.birth_date), phone_words(one.phone, visitor.region))
            for one in asked.candidates
        ],
        patient=url_for("patients.show", patient_id=row.patient_id) if row.patient_id else "",
    )


def coverage_words(found: Sequence[Coverage]) -> list[str]:
    """One sentence a connection."""
    return [_covered(one) for one in found]


def _covered(one: Coverage) -> str:
    if not one.patients:
        return f"{one.name}: nobody has been found yet."
    missing = one.patients - one.with_id
    rest = f"{plural(missing, 'patient')} without" if missing else "nobody is without"
    return f"{one.name}: {one.with_id} of {plural(one.patients, 'patient')} with an id there ({one.percent} %), {rest}."


def discovered_words(details: Mapping[str, Any]) -> str:
    """What a discovery's record tells, in figures; "" for the record of another phase."""
    if "patientsProcessed" not in details:
        return ""
    told = [
        f"{plural(details['patientsProcessed'], 'patient')} met of {details['totalPatients']}",
        f"{details['newPatientsDiscovered']} new",
        f"{details['unaffiliatedPatientsSynced']} of no organisation",
        f"the others of {plural(details['organizationsProcessed'], 'organisation')}",
    ]
    if failed := details["patientsFailed"]:
        told.append(f"{failed} could not be read")
    if doubtful := details["patientsToReview"]:
        told.append(plural(doubtful, "doubtful match", "doubtful matches"))
    return f"Patients: {', '.join(told)}."


def day_words(day: date | None) -> str:
    """`9 April 1987`."""
    return f"{day.day} {day:%B} {day.year}" if day else ""


def _who(user_id: UUID | None, people: Mapping[UUID, str]) -> str:
    return people.get(user_id, "somebody who left") if user_id else "the operator"


def _decided(decision: str, who: str, when: str) -> str:
    said = "the same person" if decision == Decision.SAME else "another person"
    return f"{who[0].upper()}{who[1:]} said {when}: {said}."
