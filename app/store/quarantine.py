"""Records that could not be read, set aside by a sync: encrypted, one row each, however often the PMS sends them.

A record is known by its id at the vendor, else by its payload. What people do with them is in `set_aside`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session, defer

from app.security.vault import Place, Vault
from app.store.appointments import Source
from app.store.models import Appointment, QuarantinedRecord, RunSheet
from app.store.models.sync import Resolution

APPOINTMENT, CLIENT = "appointment", "client"


@dataclass(frozen=True, slots=True)
class Bad:
    """Where and why; `payload` is the record's raw JSON and never leaves this file unencrypted.

    kind: what the vendor sent it as (appointment, client, consultation); ids are unique only within one.
    """

    external_id: str | None
    path: str
    reason: str
    payload: bytes
    kind: str = APPOINTMENT


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the bad records of a page. new: worth telling somebody; ignored: a person has settled them."""

    new: int = 0
    known: int = 0
    ignored: int = 0


def place_of(practice_id: UUID, record_id: UUID) -> Place:
    """Where a payload lives; part of what its encryption proves."""
    return Place(str(practice_id), "quarantined_records", "payload", str(record_id))


def keep(session: Session, vault: Vault, source: Source, records: Sequence[Bad], read_by: str = "") -> Kept:
    """Set records aside. One met again only counts up, once a run: nobody is told twice of one bad record (F34).

    It is news when it was never met, or comes again after it could be read or was gone, or was ignored in another form.
    read_by: the version of the mapper that could not read it. Of several forms of a record within a run the first
    counts: a vendor that sends two would otherwise reopen it each time.
    """
    if not records:
        return Kept()
    hashes = {_hash(source.connection_id, record.payload): record for record in records}
    known = _known(session, source.connection_id, hashes)
    counted = {"new": 0, "known": 0, "ignored": 0}
    met: set[object] = set()
    for digest, record in hashes.items():
        key = (record.kind, _id(record)) if record.external_id else digest
        if key in met:
            counted["known"] += 1
            continue
        met.add(key)
        row = known.get(digest) or known.get(key)
        if row is None:
            session.add(_made(vault, source, record, digest, read_by))
            counted["new"] += 1
        else:
            counted[_met_again(vault, source, row, record, digest)] += 1
            row.read_by = read_by
    session.flush()
    counted["known"] += len(records) - len(hashes)
    return Kept(**counted)


def open_ids(session: Session, connection_id: UUID, limit: int = 5000) -> frozenset[str]:
    """Ids of appointments that could not be read last time; the newest where there are very many."""
    found = session.scalars(
        select(QuarantinedRecord.external_id)
        .where(*_open(connection_id), QuarantinedRecord.external_id.is_not(None))
        .order_by(QuarantinedRecord.last_seen_at.desc())
        .limit(limit)
    )
    return frozenset(external_id for external_id in found if external_id)


def resolve(session: Session, source: Source, external_ids: Collection[str], how: Resolution = Resolution.READ) -> None:
    """These appointments could be read at last, or are gone at the vendor."""
    if not external_ids:
        return
    session.execute(
        update(QuarantinedRecord)
        .where(*_open(source.connection_id), QuarantinedRecord.external_id.in_(external_ids))
        .values(resolved_at=source.at, resolution=how, asked_again_at=None)
    )


def resolve_unmet(session: Session, source: Source, kind: str, since: datetime) -> None:
    """Everything of a kind was read again since then: what was not met any more can be read, or is no longer sent."""
    session.execute(
        update(QuarantinedRecord)
        .where(
            QuarantinedRecord.pms_connection_id == source.connection_id,
            QuarantinedRecord.kind == kind,
            QuarantinedRecord.resolved_at.is_(None),
            QuarantinedRecord.last_seen_at < since,
        )
        .values(resolved_at=source.at, resolution=Resolution.READ, asked_again_at=None)
    )


# --- asked for once more, by id (P15) ---------------------------------------------------------------------------------


def due_again(session: Session, source: Source, read_by: str, limit: int) -> list[tuple[str, bool]]:
    """Open appointments this run has not met, worth asking for by id: (id, whether a person asked).

    Those a person wants tried, then those that were last tried by another version of the mapper.
    """
    asked = QuarantinedRecord.asked_again_at.is_not(None)
    found = session.execute(
        select(QuarantinedRecord.external_id, asked)
        .where(
            *_open(source.connection_id),
            QuarantinedRecord.external_id.is_not(None),
            QuarantinedRecord.last_run_id != source.run_id,
            or_(asked, QuarantinedRecord.read_by != read_by),
        )
        .order_by(case((asked, 0), else_=1), QuarantinedRecord.last_seen_at.desc())
        .limit(limit)
    )
    return [(str(external_id), bool(by_hand)) for external_id, by_hand in found]


def tried(session: Session, source: Source, external_id: str, read_by: str) -> None:
    """Asked for by its id, and still not to be read: it is not asked for again by itself."""
    session.execute(
        update(QuarantinedRecord)
        .where(*_open(source.connection_id), QuarantinedRecord.external_id == external_id)
        .values(tried_at=source.at, asked_again_at=None, read_by=read_by)
    )


def still_shown(
    session: Session, connection_id: UUID, practitioner_id: str, external_ids: Collection[str]
) -> Counter[date]:
    """How many of these have a row that is shown, by its day: of this practitioner ("" means all)."""
    if not external_ids:
        return Counter()
    query = (
        select(RunSheet.day)
        .join(Appointment, Appointment.run_sheet_id == RunSheet.id)
        .where(
            Appointment.pms_connection_id == connection_id,
            Appointment.pms_appointment_id.in_(external_ids),
            *(column.is_(None) for column in (Appointment.hidden_cause, Appointment.removed_at)),
        )
    )
    if practitioner_id:
        query = query.where(Appointment.pms_practitioner_id == practitioner_id)
    return Counter(session.scalars(query))


# --- counting ---------------------------------------------------------------------------------------------------------


def open_count(session: Session, practice_id: UUID) -> int:
    """Records set aside and not resolved."""
    return (
        session.scalar(
            select(func.count())
            .select_from(QuarantinedRecord)
            .where(QuarantinedRecord.practice_id == practice_id, QuarantinedRecord.resolved_at.is_(None))
        )
        or 0
    )


def of_run(session: Session, run_id: UUID) -> Sequence[QuarantinedRecord]:
    """What a run last met; for its page: id of the vendor, path and reason, never the payload."""
    return session.scalars(
        select(QuarantinedRecord)
        .where(QuarantinedRecord.last_run_id == run_id)
        .options(defer(QuarantinedRecord.payload))
        .order_by(QuarantinedRecord.path)
    ).all()


def _open(connection_id: UUID) -> tuple[Any, ...]:
    return (
        QuarantinedRecord.pms_connection_id == connection_id,
        QuarantinedRecord.resolved_at.is_(None),
        QuarantinedRecord.kind == APPOINTMENT,
    )


def _known(session: Session, connection_id: UUID, hashes: dict[bytes, Bad]) -> dict[object, QuarantinedRecord]:
    """The rows of these records, by hash and by (kind, id)."""
    ids = {_id(record) for record in hashes.values() if record.external_id}
    rows = session.scalars(
        select(QuarantinedRecord)
        .where(
            QuarantinedRecord.pms_connection_id == connection_id,
            or_(QuarantinedRecord.payload_hash.in_(hashes), QuarantinedRecord.external_id.in_(ids)),
        )
        .options(defer(QuarantinedRecord.payload))
        .order_by(QuarantinedRecord.last_seen_at)
    ).all()
    by_id: dict[object, QuarantinedRecord] = {(row.kind, row.external_id): row for row in rows if row.external_id}
    return by_id | {row.payload_hash: row for row in rows}


def _made(vault: Vault, source: Source, record: Bad, digest: bytes, read_by: str) -> QuarantinedRecord:
    row_id, at = uuid4(), source.at
    return QuarantinedRecord(
        id=row_id,
        practice_id=source.practice_id,
        pms_connection_id=source.connection_id,
        kind=record.kind,
        external_id=_id(record),
        payload_hash=digest,
        first_run_id=source.run_id,
        last_run_id=source.run_id,
        first_seen_at=at,
        last_seen_at=at,
        opened_at=at,
        read_by=read_by,
        **_form(vault, source.practice_id, row_id, record, at),
    )


def _met_again(vault: Vault, source: Source, row: QuarantinedRecord, record: Bad, digest: bytes) -> str:
    """Count it; which of `Kept` it is."""
    ignored = row.resolution == Resolution.IGNORED
    if row.last_run_id == source.run_id:
        return "ignored" if ignored else "known"
    changed = row.payload_hash != digest
    row.last_run_id, row.last_seen_at, row.seen = source.run_id or row.last_run_id, source.at, row.seen + 1
    row.asked_again_at = None  # the sweep has just tried it
    if changed:
        row.payload_hash = digest
        for name, value in _form(vault, source.practice_id, row.id, record, source.at).items():
            setattr(row, name, value)
    if ignored and not changed:
        return "ignored"
    if row.resolved_at is None:
        return "known"
    row.resolved_at = row.resolution = row.resolved_by = row.resolved_because = None
    row.opened_at = source.at
    return "new"


def _form(vault: Vault, practice_id: UUID, row_id: UUID, record: Bad, at: datetime) -> dict[str, Any]:
    """The columns that follow from the form in which a record came."""
    return {
        "path": record.path[:255],
        "reason": record.reason[:255],
        "payload": vault.seal(record.payload.decode("utf-8", "replace"), place_of(practice_id, row_id)),
        "payload_at": at,
    }


def _id(record: Bad) -> str | None:
    """As sent, but for what no database here takes: ids that differ by a blank are two ids (F29)."""
    return (record.external_id or "").replace("\x00", "")[:255] or None


def _hash(connection_id: UUID, payload: bytes) -> bytes:
    """Salted with the connection: two practices that share a bad record must not be linkable."""
    return hashlib.blake2b(payload, digest_size=32, key=connection_id.bytes).digest()
