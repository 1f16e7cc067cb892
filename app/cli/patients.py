"""`runsheet patients` and `runsheet organizations`: whom a discovery found, what is doubtful, who belongs where.

For the operator, who sees names here: mind who can read the screen.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import click
from sqlalchemy.orm import Session

from app import clock
from app.cli.house import house
from app.cli.output import IDENT, instant, json_option, table, tell
from app.domain.discovery import Person
from app.errors import InvalidInput
from app.store import discovered, organizations, patients, practices, reviews
from app.store.discovered import Coverage
from app.store.holds import Act
from app.store.patients import Facts, Wanted
from app.store.reviews import Question

_PRACTICE = click.argument("practice_id", metavar="PRACTICE", type=IDENT)
_LIST = {"id": "id", "name": "name", "email": "e-mail", "birthDate": "born", "organizations": "organisations"}
_MOST = 5000


@click.command()
@click.option("--practice", "practice_id", metavar="ID", type=IDENT, help="Only this practice.")
@json_option
def coverage(practice_id: UUID | None, as_json: bool) -> None:
    """How many active patients have an id at each connection. Names nobody."""
    with house() as here:
        with here.store.read() as session:
            if practice_id is not None:
                practices.get(session, practice_id)
            told = [_coverage(one) for one in discovered.coverage(session, practice_id)]
        headings = {"connectionId": "connection", "name": "name", "patients": "patients", "withId": "with id"}
        headings |= {"missing": "without", "percent": "%"}
        tell(told, as_json, lambda: table(told, headings) if told else ["There is no connection yet."])


@click.command("list")
@_PRACTICE
@click.option("--unaffiliated", "which", flag_value="unaffiliated", help="Those who belong to no organisation.")
@click.option("--affiliated", "which", flag_value="affiliated", help="Those who belong to one.")
@click.option("--search", default="", metavar="TEXT", help="Part of a name or an e-mail address.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, _MOST), help="How many.")
@json_option
def list_(practice_id: UUID, which: str | None, search: str, limit: int, as_json: bool) -> None:
    """The patients of PRACTICE by name."""
    wanted = Wanted(affiliated=None if which is None else which == "affiliated", text=search)
    with house() as here:
        with here.store.read() as session:
            practices.get(session, practice_id)
            told = [_patient(one) for one in patients.listed(session, practice_id, wanted, limit=limit)]
        lines = [one | {"organizations": ", ".join(org["name"] for org in one["organizations"])} for one in told]
        tell(told, as_json, lambda: table(lines, _LIST) if told else ["Nobody."])


@click.command()
@_PRACTICE
@click.option("--first", "first_name", default="", help="First name.")
@click.option("--last", "last_name", default="", help="Last name.")
@click.option("--email", help="E-mail address.")
@click.option("--phone", help="Telephone number.")
@click.option("--born", metavar="DAY", type=click.DateTime(["%Y-%m-%d"]), help="Birth date, 1987-04-09.")
@json_option
def add(
    practice_id: UUID,
    first_name: str,
    last_name: str,
    email: str | None,
    phone: str | None,
    born: Any,
    as_json: bool,
) -> None:
    """Write a patient of PRACTICE down by hand. A discovery fills gaps and overwrites nothing of it."""
    birth_date: date | None = born.date() if born else None
    person = Person(first_name, last_name, email, phone, birth_date)
    with house() as here:
        with here.store.write() as session:
            made = patients.add(session, practices.get(session, practice_id), person, _act())
            told = _patient(patients.one_of_practice(session, practice_id, made))
        tell(told, as_json, lambda: [f"{told['name']} is patient {told['id']}"])


@click.command()
@_PRACTICE
@click.argument("patient_ids", metavar="PATIENT…", type=IDENT, nargs=-1, required=True)
@click.option("--organization", "organization_id", metavar="ID", type=IDENT, required=True, help="Which one.")
@click.option("--remove", is_flag=True, help="Take them out instead.")
@json_option
def assign(
    practice_id: UUID, patient_ids: tuple[UUID, ...], organization_id: UUID, remove: bool, as_json: bool
) -> None:
    """Affiliate patients of PRACTICE to an organisation: all of them, or, where one cannot be, none."""
    with house() as here:
        work = organizations.remove if remove else organizations.assign
        changed = here.store.transact(lambda s: work(s, practice_id, patient_ids, organization_id, _act()))
        tell({"changed": changed}, as_json, lambda: [f"{changed} changed."])


@click.command("reviews")
@_PRACTICE
@click.option("--decided", is_flag=True, help="Those that are settled, instead of the open ones.")
@json_option
def reviews_(practice_id: UUID, decided: bool, as_json: bool) -> None:
    """Clients of PRACTICE who share an e-mail address with a patient and are not the same for certain."""
    with house() as here:
        with here.store.read() as session:
            practices.get(session, practice_id)
            told = [_question(one) for one in reviews.listed(session, practice_id, decided=decided, limit=_MOST)]
        lines = [one | {"candidates": ", ".join(two["id"] for two in one["candidates"])} for one in told]
        headings = {"id": "id", "name": "client", "email": "e-mail", "doubt": "why", "candidates": "may be"}
        headings |= {"decision": "decided"} if decided else {}
        tell(told, as_json, lambda: table(lines, headings) if told else ["Nothing is doubtful."])


@click.command()
@_PRACTICE
@click.argument("review_id", metavar="REVIEW", type=IDENT)
@click.option("--same-as", "patient_id", metavar="PATIENT", type=IDENT, help="The client is this patient.")
@click.option("--another", is_flag=True, help="The client is somebody else: a new patient.")
@json_option
def settle(practice_id: UUID, review_id: UUID, patient_id: UUID | None, another: bool, as_json: bool) -> None:
    """Say who a doubtful client of PRACTICE is."""
    if (patient_id is None) is not another:
        raise InvalidInput({"another": "Say who it is: --same-as PATIENT, or --another."})
    with house() as here:

        def work(session: Session) -> UUID:
            if patient_id is None:
                return reviews.another(session, practice_id, review_id, _act())
            reviews.same(session, practice_id, review_id, patient_id, _act())
            return patient_id

        told = {"patientId": str(here.store.transact(work))}
        tell(told, as_json, lambda: [f"It is patient {told['patientId']}."])


@click.command("list")
@_PRACTICE
@json_option
def list_organizations(practice_id: UUID, as_json: bool) -> None:
    """The organisations of PRACTICE, and how many patients each has."""
    with house() as here:
        with here.store.read() as session:
            practices.get(session, practice_id)
            found = organizations.listed(session, practice_id)
        told = [{"id": str(one.id), "name": one.name, "patients": count} for one, count in found]
        headings = {"id": "id", "name": "name", "patients": "patients"}
        tell(told, as_json, lambda: table(told, headings) if told else ["There is no organisation yet."])


@click.command("create")
@_PRACTICE
@click.option("--name", required=True, help="What it is called.")
@json_option
def create_organization(practice_id: UUID, name: str, as_json: bool) -> None:
    """Make an organisation of PRACTICE and print its id."""
    with house() as here:
        with here.store.write() as session:
            practices.get(session, practice_id)
            made = organizations.create(session, practice_id, name, _act())
        tell({"id": str(made.id)}, as_json, lambda: [f"{made.name} is organisation {made.id}"])


# --- what is told -----------------------------------------------------------------------------------------------------


def _act() -> Act:
    return Act(None, clock.now())


def _coverage(one: Coverage) -> dict[str, Any]:
    return {
        "practiceId": str(one.practice_id),
        "connectionId": str(one.connection_id),
        "pms": one.pms_type,
        "name": one.name,
        "patients": one.patients,
        "withId": one.with_id,
        "missing": one.patients - one.with_id,
        "percent": one.percent,
    }


def _patient(facts: Facts) -> dict[str, Any]:
    return {
        "id": str(facts.id),
        "name": facts.name,
        "email": facts.email,
        "phone": facts.phone,
        "birthDate": facts.birth_date.isoformat() if facts.birth_date else None,
        "origin": facts.origin,
        "refreshedAt": instant(facts.refreshed_at),
        "organizations": [{"id": str(one.organization_id), "name": one.organization} for one in facts.belongs],
        "externalIds": [
            {"connectionId": str(one.connection_id), "id": one.external_id, "linkedBy": one.linked_by}
            for one in facts.known_as
        ],
    }


def _question(question: Question) -> dict[str, Any]:
    row, person = question.review, question.person
    return {
        "id": str(row.id),
        "connectionId": str(row.pms_connection_id),
        "externalId": row.external_id,
        "name": f"{person.first_name or ''} {person.last_name or ''}".strip(),
        "email": person.email,
        "birthDate": person.birth_date.isoformat() if person.birth_date else None,
        "doubt": row.doubt,
        "openedAt": instant(row.opened_at),
        "candidates": [_patient(one) for one in question.candidates],
        "decision": row.decision,
        "patientId": str(row.patient_id) if row.patient_id else None,
        "decidedAt": instant(row.decided_at),
    }
