"""What a discovery writes: one page of clients, in a constant number of statements, in the caller's transaction.

The ids tell who is known; only for those who are not are addresses compared, by the rule in `domain.discovery`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Table, and_, bindparam, exists, insert, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.domain.discovery import Candidate, Judgement, Person, Verdict, judge, refreshed
from app.store import practices
from app.store.appointments import Source
from app.store.db import Base
from app.store.models import DiscoveryReview, Patient, PatientExternalId
from app.store.models.patients import LinkedBy, PatientOrigin, PatientStatus

_PATIENTS: Table = Base.metadata.tables[Patient.__tablename__]
_IDS: Table = Base.metadata.tables[PatientExternalId.__tablename__]
_REVIEWS: Table = Base.metadata.tables[DiscoveryReview.__tablename__]
_INSERT: Mapping[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
_PERSON = tuple(one.name for one in fields(Person))
#: Candidates a review names; whoever shares an address with more of them has other worries.
MOST_CANDIDATES = 20

Row = dict[str, Any]


class Met(NamedTuple):
    """A client as the PMS tells of them, in our words."""

    external_id: str
    person: Person


class _Known(NamedTuple):
    link_id: UUID
    discovery_id: UUID | None
    patient_id: UUID
    linked_by: str
    person: Person


@dataclass(slots=True)
class Plan:
    """What a page will write, and how it is counted: created, linked, updated, unchanged, review (a person is asked),
    again (met before in this discovery, and nothing new is told of them).
    """

    source: Source
    discovery_id: UUID
    patients: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)
    updates: dict[UUID, Person] = field(default_factory=dict)
    reviews: list[Row] = field(default_factory=list)
    reviews_again: list[Row] = field(default_factory=list)
    met_links: list[UUID] = field(default_factory=list)
    met_patients: list[UUID] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def refresh(self, known: _Known, met: Met) -> None:
        """Somebody we know. The client they were made from is told of anew; another one who is them fills gaps only,
        and so do older news of this same discovery: its stretches are read newest first.
        """
        again = known.discovery_id == self.discovery_id
        before = self.updates.get(known.patient_id, known.person)
        told = refreshed(before, met.person, own=known.linked_by == LinkedBy.DISCOVERY and not again)
        if not again:
            self.met_links.append(known.link_id)
            self.met_patients.append(known.patient_id)
        if told != before:
            self.updates[known.patient_id] = told
            self.counts["updated"] += 1
        else:
            self.counts["again" if again else "unchanged"] += 1

    def wait(self, stored: Any, met: Met) -> None:
        """Somebody a person has not judged yet: they see what the PMS tells now."""
        again = stored.discovery_id == self.discovery_id
        before = Person(*(getattr(stored, name) for name in _PERSON))
        told = refreshed(before, met.person, own=not again)
        if not again or told != before:
            seen = {"review": stored.id, "seen_at": self.source.at, "discovery_id": self.discovery_id}
            self.reviews_again.append(seen | asdict(told))
        self.counts["again" if again else "review"] += 1

    def decide(self, met: Met, sharing: dict[str, list[Candidate]]) -> None:
        """Somebody whose id we do not know. Whom this page has made or joined counts for those behind them on it."""
        key = met.person.email_key or ""
        found = sharing.get(key, [])
        said = judge(met.person, found)
        if said.verdict is Verdict.REVIEW:
            self.reviews.append(_review(self, met, said, found))
            self.counts["review"] += 1
            return
        if said.patient_id is not None:
            told = refreshed(found[0].person, met.person, own=False)
            patient_id, how = said.patient_id, LinkedBy.EMAIL
            if told != found[0].person:
                self.updates[patient_id] = told
            self.met_patients.append(patient_id)
            self.counts["linked"] += 1
        else:
            told, patient_id, how = met.person, uuid4(), LinkedBy.DISCOVERY
            self.patients.append(_patient(self.source, patient_id, told))
            self.counts["created"] += 1
        self.links.append(_link(self.source, self.discovery_id, met.external_id, patient_id, how))
        if key:
            others = [one for one in found if one.patient_id != patient_id]
            sharing[key] = [*others, Candidate(patient_id, told, has_id=True)]


def plan(session: Session, source: Source, discovery_id: UUID, clients: Collection[Met]) -> Plan:
    """Who the clients of a page are, each id once. Reads alone, and waits for other discoveries of the practice.

    Carried out, and made again over the same clients, it changes nothing and tells everybody as met again.
    """
    made = Plan(source, discovery_id)
    known = _known(session, source.connection_id, [one.external_id for one in clients])
    strangers = [one for one in clients if one.external_id not in known]
    reviews = _reviews(session, source.connection_id, [one.external_id for one in strangers])
    undecided = [one for one in strangers if one.external_id not in reviews]
    for one in clients:
        if one.external_id in known:
            made.refresh(known[one.external_id], one)
        elif one.external_id in reviews:
            made.wait(reviews[one.external_id], one)
    if undecided:
        practices.hold(session, source.practice_id)  # another connection's discovery may be meeting the same family
        sharing = sharing_address(session, source, [one.person for one in undecided])
        for one in undecided:
            made.decide(one, sharing)
    return made


def carry_out(session: Session, plan: Plan) -> None:
    """Write a page's plan, in the transaction it was made in: at most a statement a table and verb."""
    connection, source = session.connection(), plan.source
    if plan.patients:
        connection.execute(insert(_PATIENTS), plan.patients)
    if plan.reviews:
        connection.execute(_open_review(connection.dialect.name), plan.reviews)
    _insert_links(session, plan.links)
    updates = [{"patient": id_, "updated_at": source.at, **_columns(told)} for id_, told in plan.updates.items()]
    for statement, rows in ((_UPDATE, updates), (_REVIEW_AGAIN, plan.reviews_again)):
        if rows:
            connection.execute(statement, rows)
    if plan.met_links:
        connection.execute(update(_IDS).where(_IDS.c.id.in_(plan.met_links)).values(discovery_id=plan.discovery_id))
    if plan.met_patients:
        met = _PATIENTS.c.id.in_(plan.met_patients)
        # Named, or the column's own "now" would call a patient changed who only was met.
        stays = {"updated_at": _PATIENTS.c.updated_at}
        connection.execute(update(_PATIENTS).where(met).values(refreshed_at=source.at, **stays))


def link_known(session: Session, source: Source, clients: Mapping[str, Person]) -> int:
    """Write the ids of clients beside the patients they are for certain; nobody is made, nothing goes to a person.

    For an ordinary sweep, page by page: one statement where every id is known, three where none is.
    """
    if not clients:
        return 0
    asked = select(_IDS.c.external_id).where(
        _IDS.c.pms_connection_id == source.connection_id, _IDS.c.external_id.in_(clients)
    )
    unknown = clients.keys() - set(session.scalars(asked))
    sharing = sharing_address(session, source, [clients[id_] for id_ in unknown]) if unknown else {}
    links: dict[str, Row] = {}
    for external_id in sorted(unknown):
        found = sharing.get(clients[external_id].email_key or "", [])
        said = judge(clients[external_id], found)
        if said.verdict is Verdict.LINK:
            found[0] = Candidate(found[0].patient_id, found[0].person, has_id=True)
            links[external_id] = _link(source, None, external_id, found[0].patient_id, LinkedBy.EMAIL)
    waiting = _reviews(session, source.connection_id, list(links))  # a person has been asked: theirs is the answer
    _insert_links(session, [row for external_id, row in links.items() if external_id not in waiting])
    return len(links.keys() - waiting.keys())


# --- what is known ----------------------------------------------------------------------------------------------------


def _known(session: Session, connection_id: UUID, external_ids: Sequence[str]) -> dict[str, _Known]:
    rows = session.execute(
        select(
            _IDS.c.external_id,
            _IDS.c.id,
            _IDS.c.discovery_id,
            _PATIENTS.c.id,
            _IDS.c.linked_by,
            *(_PATIENTS.c[name] for name in _PERSON),
        )
        .join(_PATIENTS, _PATIENTS.c.id == _IDS.c.patient_id)
        .where(_IDS.c.pms_connection_id == connection_id, _IDS.c.external_id.in_(external_ids))
    )
    return {row[0]: _Known(row[1], row[2], row[3], row[4], Person(*row[5:])) for row in rows}


def _reviews(session: Session, connection_id: UUID, external_ids: Sequence[str]) -> dict[str, Any]:
    if not external_ids:
        return {}
    names = ("id", "discovery_id", *_PERSON)
    rows = session.execute(
        select(_REVIEWS.c.external_id, *(_REVIEWS.c[name] for name in names)).where(
            _REVIEWS.c.pms_connection_id == connection_id,
            _REVIEWS.c.external_id.in_(external_ids),
            _REVIEWS.c.decision.is_(None),
        )
    )
    return {row[0]: row for row in rows}


def sharing_address(session: Session, source: Source, people: Iterable[Person]) -> dict[str, list[Candidate]]:
    """The practice's patients who have one of these people's addresses, by address, in one statement."""
    keys = {one.email_key for one in people} - {None}
    found: dict[str, list[Candidate]] = defaultdict(list)
    if not keys:
        return found
    has_id = exists().where(and_(_IDS.c.patient_id == _PATIENTS.c.id, _IDS.c.pms_connection_id == source.connection_id))
    rows = session.execute(
        select(_PATIENTS.c.email_key, _PATIENTS.c.id, has_id, *(_PATIENTS.c[name] for name in _PERSON))
        .where(_PATIENTS.c.practice_id == source.practice_id, _PATIENTS.c.email_key.in_(keys))
        .order_by(_PATIENTS.c.created_at, _PATIENTS.c.id)
    )
    for row in rows:
        found[row[0]].append(Candidate(row[1], Person(*row[3:]), bool(row[2])))
    return found


# --- rows ------------------------------------------------------------------------------------------------------------


def _patient(source: Source, id_: UUID, person: Person) -> Row:
    return {
        "id": id_,
        "practice_id": source.practice_id,
        "status": PatientStatus.ACTIVE.value,
        "origin": PatientOrigin.DISCOVERY.value,
        "created_run_id": source.run_id,
        "refreshed_at": source.at,
        "created_at": source.at,
        "updated_at": source.at,
        **_columns(person),
    }


def _link(source: Source, discovery_id: UUID | None, external_id: str, patient_id: UUID, how: LinkedBy) -> Row:
    return {
        "id": uuid4(),
        "practice_id": source.practice_id,
        "pms_connection_id": source.connection_id,
        "patient_id": patient_id,
        "external_id": external_id,
        "linked_by": how.value,
        "linked_at": source.at,
        "linked_run_id": source.run_id,
        "discovery_id": discovery_id,
    }


def _review(plan: Plan, met: Met, said: Judgement, found: Sequence[Candidate]) -> Row:
    assert said.doubt is not None
    source = plan.source
    return {
        "id": uuid4(),
        "practice_id": source.practice_id,
        "pms_connection_id": source.connection_id,
        "external_id": met.external_id,
        "candidates": [str(one.patient_id) for one in found[:MOST_CANDIDATES]],
        "doubt": said.doubt.value,
        "opened_at": source.at,
        "seen_at": source.at,
        "run_id": source.run_id,
        "discovery_id": plan.discovery_id,
        **asdict(met.person),
    }


def _columns(person: Person) -> Row:
    """The columns of a patient that follow from what is told of them."""
    return {**asdict(person), "name_key": person.name_key, "email_key": person.email_key}


# --- writing ----------------------------------------------------------------------------------------------------------

_REFRESHED = (*_PERSON, "name_key", "email_key", "updated_at")
_UPDATE = (
    update(_PATIENTS)
    .where(_PATIENTS.c.id == bindparam("patient"))
    .values({name: bindparam(name) for name in _REFRESHED})
)
_SEEN = ("seen_at", "discovery_id", *_PERSON)
_REVIEW_AGAIN = (
    update(_REVIEWS)
    .where(_REVIEWS.c.id == bindparam("review"), _REVIEWS.c.decision.is_(None))
    .values({name: bindparam(name) for name in _SEEN})
)


def _open_review(dialect: str) -> Any:
    """A client who was judged before and whose patient is gone since is asked about anew."""
    make = _INSERT[dialect](_REVIEWS)
    again = ("candidates", "doubt", "opened_at", "run_id", *_SEEN)
    return make.on_conflict_do_update(
        index_elements=["pms_connection_id", "external_id"],
        set_={name: make.excluded[name] for name in again}
        | dict.fromkeys(("decision", "patient_id", "decided_at", "decided_by"), null()),
    )


def _insert_links(session: Session, rows: Sequence[Row]) -> None:
    """An id that somebody else wrote meanwhile stays as it was written."""
    if rows:
        make = _INSERT[session.get_bind().dialect.name](_IDS)
        skip = make.on_conflict_do_nothing(index_elements=["pms_connection_id", "external_id"])
        session.connection().execute(skip, rows)
