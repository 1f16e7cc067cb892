"""A record that was set aside, in sentences. Never what the PMS sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.domain import unreadable
from app.domain.names import duration_words
from app.store import connections, set_aside
from app.store.models import QuarantinedRecord
from app.store.models.sync import Resolution
from app.web.words import plural, pms_name, since

_RESOLVED = {
    Resolution.READ: "could be read",
    Resolution.IGNORED: "ignored",
    Resolution.GONE: "gone",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads it: of which practice, where, when."""

    practice_id: UUID
    zone: ZoneInfo
    now: datetime

    def told(self, at: datetime | None) -> str:
        return "" if at is None else since(at, self.zone, self.now)


@dataclass(frozen=True, slots=True)
class RecordView:
    id: UUID
    external_id: str
    kind: str
    connection_id: UUID
    connection: str
    pms: str
    path: str
    why: str
    means: str
    first: str
    first_at: datetime
    age: str
    often: str
    last: str
    changed: str  # when its present form first came, where that was not at once
    tried: str
    waits: bool  # somebody asked for it to be tried again, and no sync has come to it yet
    wiped: bool
    is_open: bool
    can_reopen: bool
    settled: str  # "ignored", "could be read", "gone", or "" for an open one
    settled_when: str
    because: str
    row_id: UUID | None
    row_day: date | None
    first_run_id: UUID
    last_run_id: UUID


def views(session: Session, records: Sequence[QuarantinedRecord], reading: Reading) -> list[RecordView]:
    """As a list or a page shows them; a constant number of statements."""
    known = {one.id: one for one in connections.of_practice(session, reading.practice_id, gone=True)}
    rows = set_aside.on_sheet(session, records)
    wiped = set_aside.wiped(session, [record.id for record in records])
    return [
        _view(
            record,
            (known[record.pms_connection_id].display_name, pms_name(known[record.pms_connection_id].pms_type)),
            rows.get(record.id),
            reading,
            wiped=record.id in wiped,
        )
        for record in records
    ]


def _view(
    record: QuarantinedRecord,
    called: tuple[str, str],
    row: set_aside.OnSheet | None,
    reading: Reading,
    *,
    wiped: bool,
) -> RecordView:
    name, pms = called
    settled = Resolution(record.resolution) if record.resolution else None
    return RecordView(
        id=record.id,
        external_id=record.external_id or "",
        kind=unreadable.KIND_WORDS.get(record.kind, "Record"),
        connection_id=record.pms_connection_id,
        connection=name,
        pms=pms,
        path=record.path,
        why=unreadable.why(record.reason),
        means=unreadable.means(
            record.kind, pms, known=bool(record.external_id), shown=None if row is None else not row.hidden
        ),
        first=reading.told(record.first_seen_at),
        first_at=record.first_seen_at,
        age=duration_words((reading.now - record.opened_at).total_seconds()),
        often=f"met in {plural(record.seen, 'sync', 'syncs')}",
        last=reading.told(record.last_seen_at),
        changed=reading.told(record.payload_at) if record.payload_at > record.first_seen_at else "",
        tried=reading.told(record.tried_at),
        waits=record.asked_again_at is not None,
        wiped=wiped,
        is_open=record.resolved_at is None,
        can_reopen=settled is Resolution.IGNORED,
        settled=_RESOLVED[settled] if settled else "",
        settled_when=reading.told(record.resolved_at),
        because=record.resolved_because or "",
        row_id=row.id if row else None,
        row_day=row.day if row else None,
        first_run_id=record.first_run_id,
        last_run_id=record.last_run_id,
    )
