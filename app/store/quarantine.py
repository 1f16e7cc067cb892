"""Records that could not be read, set aside: encrypted, once each, however often the PMS sends them again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.domain.names import clip
from app.security.vault import Place, Vault
from app.store.appointments import Source
from app.store.models import QuarantinedRecord


@dataclass(frozen=True, slots=True)
class Bad:
    """Where and why; `payload` is the record's raw JSON and never leaves this file unencrypted."""

    external_id: str | None
    path: str
    reason: str
    payload: bytes


def keep(session: Session, vault: Vault, source: Source, records: Sequence[Bad]) -> None:
    """Set records aside. The same payload met again only counts up: nobody is told twice of one bad record (F34)."""
    if not records:
        return
    by_hash = {_hash(source.connection_id, record.payload): record for record in records}
    known = set(
        session.scalars(
            select(QuarantinedRecord.payload_hash).where(
                QuarantinedRecord.pms_connection_id == source.connection_id, QuarantinedRecord.payload_hash.in_(by_hash)
            )
        )
    )
    if known:
        session.execute(
            update(QuarantinedRecord)
            .where(
                QuarantinedRecord.pms_connection_id == source.connection_id, QuarantinedRecord.payload_hash.in_(known)
            )
            .values(
                last_run_id=source.run_id, last_seen_at=source.at, seen=QuarantinedRecord.seen + 1, resolved_at=None
            )
        )
    for digest, record in by_hash.items():
        if digest in known:
            continue
        row_id = uuid4()
        place = Place(str(source.practice_id), "quarantined_records", "payload", str(row_id))
        session.add(
            QuarantinedRecord(
                id=row_id,
                practice_id=source.practice_id,
                pms_connection_id=source.connection_id,
                external_id=clip(record.external_id, 255),
                path=record.path[:255],
                reason=record.reason[:255],
                payload=vault.seal(record.payload.decode("utf-8", "replace"), place),
                payload_hash=digest,
                first_run_id=source.run_id,
                last_run_id=source.run_id,
                first_seen_at=source.at,
                last_seen_at=source.at,
            )
        )
    session.flush()


def open_ids(session: Session, connection_id: UUID, limit: int = 5000) -> frozenset[str]:
    """Ids of the vendor whose records could not be read last time; the newest where there are very many."""
    found = session.scalars(
        select(QuarantinedRecord.external_id)
        .where(
            QuarantinedRecord.pms_connection_id == connection_id,
            QuarantinedRecord.resolved_at.is_(None),
            QuarantinedRecord.external_id.is_not(None),
        )
        .order_by(QuarantinedRecord.last_seen_at.desc())
        .limit(limit)
    )
    return frozenset(external_id for external_id in found if external_id)


def resolve(session: Session, source: Source, external_ids: Collection[str]) -> None:
    """These records could be read at last."""
    if not external_ids:
        return
    session.execute(
        update(QuarantinedRecord)
        .where(
            QuarantinedRecord.pms_connection_id == source.connection_id,
            QuarantinedRecord.external_id.in_(external_ids),
            QuarantinedRecord.resolved_at.is_(None),
        )
        .values(resolved_at=source.at)
    )


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
        select(QuarantinedRecord).where(QuarantinedRecord.last_run_id == run_id).order_by(QuarantinedRecord.path)
    ).all()


def _hash(connection_id: UUID, payload: bytes) -> bytes:
    """Salted with the connection: two practices that share a bad record must not be linkable."""
    return hashlib.blake2b(payload, digest_size=32, key=connection_id.bytes).digest()
