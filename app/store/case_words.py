"""The table by which a practice reads its PMS's words for a case's status and type. An edit acts at once: the cases
that are stored are read anew by it, so that no two cases of one word differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from app.domain.cases import DEFAULT_STATUSES, DEFAULT_TYPES, CaseStatus, CaseType, CaseWords, WordKind, normal
from app.errors import InvalidInput
from app.store import connections
from app.store.models import Case, CaseMapping, PmsConnection


@dataclass(frozen=True, slots=True)
class Line:
    """A word and what it means. own: the practice said so; else it is our default."""

    kind: WordKind
    word: str
    value: str
    own: bool


def of(session: Session, connection: PmsConnection) -> CaseWords | None:
    """The practice's own lines; None where the connection keeps no cases."""
    return words_of(session, connection.id) if connection.keeps_cases else None


def words_of(session: Session, connection_id: UUID) -> CaseWords:
    statuses: dict[str, CaseStatus] = {}
    types: dict[str, CaseType] = {}
    for row in session.scalars(select(CaseMapping).where(CaseMapping.pms_connection_id == connection_id)):
        if row.kind == WordKind.STATUS:
            statuses[row.word] = CaseStatus(row.value)
        else:
            types[row.word] = CaseType(row.value)
    return CaseWords(statuses, types)


def lines_of(session: Session, connection_id: UUID) -> list[Line]:
    """The whole table as it acts, the practice's own lines in the place of the defaults they replace."""
    words = words_of(session, connection_id)
    told: list[tuple[WordKind, Mapping[str, str], Mapping[str, str]]] = [
        (WordKind.STATUS, DEFAULT_STATUSES, words.statuses),
        (WordKind.TYPE, DEFAULT_TYPES, words.types),
    ]
    return [
        Line(kind, word, str(value), word in own)
        for kind, defaults, own in told
        for word, value in sorted({**defaults, **own}.items())
    ]


def put(
    session: Session, connection: PmsConnection, kind: WordKind, word: str, value: str | None, now: datetime
) -> int:
    """Write a line, or take the practice's own away (value None: the default acts again). How many cases changed.

    No page of a sync is written by the old table afterwards. Raises InvalidInput.
    """
    cleaned = normal(word)
    known: list[str] = list(CaseStatus) if kind is WordKind.STATUS else list(CaseType)
    if not cleaned or len(cleaned) > 255:
        raise InvalidInput({"word": "Name the word as the PMS writes it, or * for any other."})
    if value is not None and value not in known:
        raise InvalidInput({"value": f"A case's {kind.value} is one of {', '.join(known)}."})
    connections.hold(session, connection.id)
    session.execute(
        delete(CaseMapping).where(
            CaseMapping.pms_connection_id == connection.id, CaseMapping.kind == kind, CaseMapping.word == cleaned
        )
    )
    if value is not None:
        session.add(
            CaseMapping(
                id=uuid4(),
                pms_connection_id=connection.id,
                kind=kind.value,
                word=cleaned,
                value=value,
                created_at=now,
                updated_at=now,
            )
        )
    session.execute(
        update(PmsConnection).where(PmsConnection.id == connection.id).values(choices=PmsConnection.choices + 1)
    )
    session.flush()
    return _read_anew(session, connection.id, kind, now)


def _read_anew(session: Session, connection_id: UUID, kind: WordKind, now: datetime) -> int:
    """Bring the stored cases in line: a statement for each of the few words the PMS uses."""
    words, changed = words_of(session, connection_id), 0
    mine = Case.pms_connection_id == connection_id
    if kind is WordKind.STATUS:
        for raw, status in session.execute(select(Case.raw_status, Case.pms_status).where(mine).distinct()).all():
            same = (Case.raw_status.is_not_distinct_from(raw), Case.pms_status == status)
            changed += _set(session, (mine, *same), "status", words.status_of(raw, status), now)
    else:
        for (name,) in session.execute(select(Case.type_name).where(mine).distinct()).all():
            same_name = Case.type_name.is_not_distinct_from(name)
            changed += _set(session, (mine, same_name), "case_type", words.type_of(name), now)
    return changed


def _set(
    session: Session, which: tuple[ColumnElement[bool], ...], column: str, value: CaseStatus | CaseType, now: datetime
) -> int:
    changed = session.execute(
        update(Case)
        .where(*which, getattr(Case, column) != value.value)
        .values({column: value.value, "updated_at": now})
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    )
    return len(changed.all())
