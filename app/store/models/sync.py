"""One sync, remembered: the run (also its own lock), its phases, what it swept, what it could not read."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Date, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app import clock
from app.store.db import Base
from app.store.models.columns import Identified, OfConnection, OfPractice
from app.store.types import Json, UtcDateTime, one_of


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"  # some groups fresh, some not
    DEFERRED = "deferred"
    FAILED = "failed"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """What a run is for."""

    MANUAL = "manual"  # somebody pressed Sync now
    CHOICE = "choice"  # somebody chose anew what the sheet shows
    SCHEDULE = "schedule"
    COMMAND = "command"
    PAIRING = "pairing"
    RETRY = "retry"


#: The sync type of a night's discovery, as the original document names it.
DAILY = "automated_daily"
#: Somebody is waiting for these at a page.
AWAITED = (Trigger.MANUAL, Trigger.CHOICE, Trigger.PAIRING)


def _only_one(state: str) -> Index:
    where = text(f"state = '{state}'")
    return Index(
        f"uq_pms_sync_log_{state}", "pms_connection_id", unique=True, postgresql_where=where, sqlite_where=where
    )


class SyncRun(Identified, OfPractice, OfConnection, Base):
    """seeds/000 §1.4, and the run table: claim, fence, lease and checkpoint live in the row itself.

    At most one run per connection is running and at most one is queued; the database says so, not a lock.
    """

    __tablename__ = "pms_sync_log"
    __table_args__ = (
        UniqueConstraint("pms_connection_id", "slot_utc"),
        _only_one("running"),
        _only_one("queued"),
        Index(None, "pms_connection_id", "requested_at"),
        one_of("state", RunState),
        one_of("trigger", Trigger),
        one_of("sync_type", ("full", "incremental", "manual", DAILY)),
    )

    sync_type: Mapped[str] = mapped_column(String(20))
    trigger: Mapped[str] = mapped_column(String(20))
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    slot_utc: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the scheduled slot this run is for
    phases: Mapped[list[str]] = mapped_column(Json)
    window_from: Mapped[date] = mapped_column(Date)  # practice-local, inclusive
    window_to: Mapped[date] = mapped_column(Date)
    #: Phases that read days of their own -> [first, last]; None: all read the window.
    own_windows: Mapped[dict[str, list[str]] | None] = mapped_column(Json)
    full: Mapped[bool] = mapped_column(default=False)

    state: Mapped[str] = mapped_column(String(20), default=RunState.QUEUED)
    reason: Mapped[str | None] = mapped_column(String(40))  # of domain.reasons
    attempt: Mapped[int] = mapped_column(default=1)
    retry_of: Mapped[UUID | None] = mapped_column()
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(Json)
    progress: Mapped[dict[str, Any] | None] = mapped_column(Json)  # {phase, done, total or null}
    host: Mapped[str | None] = mapped_column(String(255))
    pid: Mapped[int | None]

    appointments_fetched: Mapped[int] = mapped_column(default=0)
    appointments_created: Mapped[int] = mapped_column(default=0)
    appointments_updated: Mapped[int] = mapped_column(default=0)
    appointments_unchanged: Mapped[int] = mapped_column(default=0)
    appointments_skipped: Mapped[int] = mapped_column(default=0)
    appointments_removed: Mapped[int] = mapped_column(default=0)
    appointments_quarantined: Mapped[int] = mapped_column(default=0)
    error_message: Mapped[str | None] = mapped_column(Text)
    error_details: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class SyncPhase(Identified, Base):
    """The audit record of one phase of one run. received = created + updated + unchanged + skipped + quarantined."""

    __tablename__ = "pms_sync_phases"
    __table_args__ = (UniqueConstraint("sync_run_id", "phase"),)

    sync_run_id: Mapped[UUID] = mapped_column(ForeignKey("pms_sync_log.id", ondelete="CASCADE"))
    phase: Mapped[str] = mapped_column(String(20))
    position: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duration_ms: Mapped[int] = mapped_column(default=0)
    complete: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(String(40))
    fetched: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    quarantined: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[dict[str, int]] = mapped_column(Json, default=dict)  # cause -> n
    details: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)


class Sweep(OfPractice, OfConnection, Base):
    """The age of the truth: when a practitioner's day was last read whole, and what the rules left out of it."""

    __tablename__ = "pms_sweeps"
    __table_args__ = (Index(None, "practice_id", "day", "completed_at"),)

    pms_connection_id: Mapped[UUID] = mapped_column(
        ForeignKey("pms_connections.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    practitioner_id: Mapped[str] = mapped_column(String(255), primary_key=True, default="")
    completed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changes_to: Mapped[datetime | None] = mapped_column(UtcDateTime)  # what changed since was read up to then
    sync_run_id: Mapped[UUID] = mapped_column()
    received: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)  # cause -> type id -> n


class ReadPage(OfPractice, OfConnection, Base):
    """A page of the PMS that was read and written, by what it was made from: met again, it need not be read again."""

    __tablename__ = "pms_read_pages"

    pms_connection_id: Mapped[UUID] = mapped_column(
        ForeignKey("pms_connections.id", ondelete="CASCADE"), primary_key=True
    )
    chain: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)  # of a partition and its stretch
    digest: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    stamp: Mapped[bytes] = mapped_column(LargeBinary(16))  # of the rules and the mapper it was read with
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)
    #: Rows it shows, and their row_versions added up: any change since makes another sum.
    shown: Mapped[int]
    versions: Mapped[int]
    verdicts: Mapped[bytes] = mapped_column(LargeBinary)  # JSON: [day, cause or null, type id, [ids]], no more


class Resolution(StrEnum):
    """How a record that was set aside is no longer open."""

    READ = "read"  # it could be read at last
    IGNORED = "ignored"  # a person decided so; met again unchanged it stays so
    GONE = "gone"  # the vendor knows it no more


class QuarantinedRecord(Identified, OfPractice, OfConnection, Base):
    """A record that could not be read: where, why, and the payload for whoever repairs it, encrypted.

    One row per record of the vendor, however often and in however many forms it comes; `payload` is the last form.
    A record without a readable id is known by its payload alone.
    """

    __tablename__ = "quarantined_records"
    __table_args__ = (
        UniqueConstraint("pms_connection_id", "payload_hash"),
        Index(None, "pms_connection_id", "external_id"),
        one_of("kind", ("appointment", "client", "consultation")),
        one_of("resolution", Resolution),
    )

    kind: Mapped[str] = mapped_column(String(20), default="appointment")
    external_id: Mapped[str | None] = mapped_column(String(255))
    path: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(255))
    payload: Mapped[str | None] = mapped_column(Text)  # ciphertext; None once the practice's limit has passed
    payload_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    payload_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)  # when this form of it first came
    read_by: Mapped[str] = mapped_column(String(20), default="")  # the mapper's version that last tried
    first_run_id: Mapped[UUID] = mapped_column()
    last_run_id: Mapped[UUID] = mapped_column()
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)  # the last time it became news
    seen: Mapped[int] = mapped_column(default=1)  # in how many runs
    asked_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a person wants it tried; None once it was
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it was last asked for by its id
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolution: Mapped[str | None] = mapped_column(String(20))
    resolved_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    resolved_because: Mapped[str | None] = mapped_column(String(300))


class HoldState(StrEnum):
    OPEN = "open"
    RELEASED = "released"  # a person had the rows removed
    KEPT = "kept"  # a person had them stay
    CLEARED = "cleared"  # the PMS brought them back


class RemovalHold(Identified, OfPractice, OfConnection, Base):
    """More of a day vanished than goes without a person: nothing was removed, somebody is to look."""

    __tablename__ = "removal_holds"
    __table_args__ = (
        one_of("state", HoldState),
        Index(
            "uq_removal_holds_open",
            "pms_connection_id",
            "day",
            unique=True,
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        Index(None, "last_run_id"),
    )

    day: Mapped[date] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(20), default=HoldState.OPEN)
    sync_run_id: Mapped[UUID] = mapped_column()  # the run that opened it
    last_run_id: Mapped[UUID] = mapped_column()  # the last run that found it so
    vanished: Mapped[int] = mapped_column()
    of_rows: Mapped[int] = mapped_column()  # the day's rows, those that vanished among them
    candidates: Mapped[dict[str, str]] = mapped_column(Json)  # the vendor's id -> domain.orphans.Answer
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class SyncSchedule(Identified, OfPractice, OfConnection, Base):
    """When a connection is due next. The database is the only truth; Redis carries nothing but the tick."""

    __tablename__ = "sync_schedule"
    __table_args__ = (UniqueConstraint("pms_connection_id", "kind"), Index(None, "enabled", "next_due_at"))

    kind: Mapped[str] = mapped_column(String(40))  # interval, nightly, near, cron:<phase>, cron:<phase>:2
    interval_minutes: Mapped[int | None]
    cron: Mapped[str | None] = mapped_column(String(120))
    phases: Mapped[list[str] | None] = mapped_column(Json)  # None: all the adapter offers
    days_before: Mapped[int] = mapped_column(default=0)
    days_after: Mapped[int] = mapped_column(default=1)
    enabled: Mapped[bool] = mapped_column(default=True)
    next_due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    missed_slots: Mapped[int] = mapped_column(default=0)
    off_reason: Mapped[str | None] = mapped_column(String(255))  # why it was switched off by itself, as a sentence
    last_local: Mapped[str | None] = mapped_column(String(16))  # the local slot it came due for last
