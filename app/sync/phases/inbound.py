"""Inbound: sweep the window, page by page; decide; write what changed. Repeating it over the same day writes nothing.

A practitioner's stretch of days is one partition, one chain of pages. Each page is one transaction together with its
checkpoint, so that a killed run goes on one page later at most. A partition that ends is a completed sweep: from then
on the sheet may say how fresh it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.appointment import Appointment
from app.domain.decide import Plan, Stored, decide
from app.domain.rules import Cause, Rules
from app.domain.status import Status
from app.domain.window import day_of
from app.pms.errors import PmsError
from app.pms.port import Page, Partition
from app.store import appointments, catalogue, quarantine, sweeps
from app.store import connections as connections_store
from app.sync import absent
from app.sync.context import CURSOR_FRESH, Progress, SyncContext
from app.sync.fetch import HOPELESS, Broken, Fetched, Fetcher
from app.sync.mapper import Mapped
from app.sync.tally import Tally


@dataclass(slots=True)
class Chain:
    """One partition while it is swept: what it has brought. Forgotten at its end, so that memory stays flat."""

    partition: Partition
    began: datetime
    resumed: bool  # it began behind its first page: what is missing from it proves nothing
    seen: set[str] = field(default_factory=set)
    received: Counter[date] = field(default_factory=Counter)
    refused: dict[date, sweeps.Refused] = field(default_factory=dict)

    def refuse(self, day: date, cause: Cause, type_id: str | None) -> None:
        by_type = self.refused.setdefault(day, {}).setdefault(cause.value, {})
        by_type[type_id or ""] = by_type.get(type_id or "", 0) + 1

    def swept_days(self) -> list[sweeps.Swept]:
        who = self.partition.practitioner_id
        return [
            sweeps.Swept(day, who, self.received[day], self.refused.get(day, {})) for day in self.partition.window.days
        ]


@dataclass(slots=True)
class Sorted:
    """One page, sorted by the practice's rules. The last record of an id wins."""

    admitted: dict[str, Mapped] = field(default_factory=dict)
    again: dict[str, Mapped] = field(default_factory=dict)  # ids an earlier page of the chain brought already
    refused: list[tuple[str, Cause]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def ids(self) -> list[str]:
        return [*self.admitted, *self.again, *(external_id for external_id, _ in self.refused)]


def run(ctx: SyncContext, tally: Tally) -> None:
    """Sweep every partition.

    Raises the PmsError when nothing could be read, or when nothing more should be asked; pages already written stay.
    Chains that failed are named in tally.details["failed"]; tally.complete is True only when every chain ended.
    """
    Inbound(ctx, tally).run()


class Inbound:
    """One sweep. Lives as long as the phase."""

    def __init__(self, ctx: SyncContext, tally: Tally) -> None:
        self.ctx = ctx
        self.tally = tally
        self.sheets: dict[date, UUID] = {}
        self.chains: dict[str, Chain] = {}
        self.unseen: dict[str, Partition] = {}
        self.unknown_words: Counter[str] = Counter()
        self.failed: list[tuple[Partition, PmsError]] = []
        self.swept, self.rules = self._plan()
        self.done = self.total = 0

    def run(self) -> None:
        partitions = self.ctx.adapter.partitions(self.ctx.window, sorted(self.swept))
        finished = set(self.ctx.checkpoint.get("done", ()))
        due = [partition for partition in partitions if partition.key not in finished]
        self.total, self.done = len(partitions), len(partitions) - len(due)
        cursors = self._cursors()
        with Fetcher(self.ctx.adapter, due, cursors, self.ctx.fetchers) as fetcher:
            for event in fetcher.events(self.ctx.halt_if_asked):
                self.ctx.halt_if_asked()
                key = event.partition.key
                if isinstance(event, Broken):
                    self.failed.append((event.partition, event.error))
                    self.chains.pop(key, None)
                    continue
                chain = self.chains.setdefault(key, Chain(event.partition, event.began, key in cursors))
                if isinstance(event, Fetched):
                    self._take(chain, event.page)
                else:
                    self._close(self.chains.pop(key))
        self._conclude()

    # --- before ---------------------------------------------------------------------------------------------------

    def _plan(self) -> tuple[set[str], Rules]:
        """Whom to ask for: everybody at work, and whoever still has rows here, so that no row goes stale unseen."""
        ctx = self.ctx
        with ctx.store.read() as session:
            connection = connections_store.get(session, ctx.connection_id)
            swept = catalogue.swept_practitioners(session, ctx.connection_id)
            left = appointments.practitioners_with_rows(session, ctx.connection_id, ctx.window.start, ctx.window.end)
            off = catalogue.rules_of(session, connection, ()).practitioners_off
            swept |= left - set(off)
            return swept, catalogue.rules_of(session, connection, swept)

    def _cursors(self) -> dict[str, str]:
        """Cursors of the cut-short run this one goes on from, while the vendor can be expected to know them."""
        kept: Mapping[str, Any] = self.ctx.checkpoint.get("cursors", {})
        at = self.ctx.checkpoint.get("at")
        if not kept or at is None or clock.now() - datetime.fromisoformat(at) > CURSOR_FRESH:
            return {}
        return {key: str(cursor) for key, cursor in kept.items()}

    # --- a page ---------------------------------------------------------------------------------------------------

    def _take(self, chain: Chain, page: Page) -> None:
        """Write one page. The tally grows only after its transaction has been committed."""
        ctx, source = self.ctx, self.ctx.source()
        sorted_ = self._sort(chain, page)
        self._remember(chain.partition.key, page.next_cursor)
        with ctx.page(Progress("inbound", self.done, self.total)) as session:
            known = appointments.stored(session, ctx.connection_id, sorted_.ids)
            plan, again = self._decide(sorted_.admitted, known), self._decide(sorted_.again, known)
            creates, updates = plan.creates + again.creates, plan.updates + again.updates
            self._find_sheets(session, {one.day for one in creates} | {one.day for _, one in updates})
            written = appointments.write_page(
                session,
                source,
                [self._row(mapped) for mapped in creates],
                [(stored, self._row(mapped)) for stored, mapped in updates],
            )
            hidden = [(known[id_], cause.value) for id_, cause in sorted_.refused if id_ in known]
            appointments.hide(session, source, hidden)
            bad = [quarantine.Bad(one.external_id, one.path, one.reason, one.payload) for one in page.rejected]
            quarantine.keep(session, ctx.vault, source, bad)
        sorted_.skipped[Cause.DUPLICATE] += again.same
        self._count(page, written, plan.same, +sorted_.skipped)

    def _decide(self, rows: Mapping[str, Mapped], known: Mapping[str, Stored]) -> Plan[Mapped]:
        prints = ((id_, mapped.fingerprint, mapped) for id_, mapped in rows.items())
        return decide(prints, known, rewrite=self.ctx.claim.full)

    def _sort(self, chain: Chain, page: Page) -> Sorted:
        sorted_ = Sorted()
        partition = chain.partition
        for one in page.appointments:
            id_, day = one.external_id, day_of(one.starts_at, self.ctx.window.zone)
            chain.received[day] += 1
            cause = self.rules.refusal(one, partition.window, partition.practitioner_id)
            if cause is not None:
                sorted_.skipped[cause] += 1
                chain.refuse(day, cause, one.type_id)
                if cause not in (Cause.DUPLICATE, Cause.OUTSIDE_WINDOW):
                    sorted_.refused.append((id_, cause))
            else:
                into = sorted_.again if id_ in chain.seen and id_ not in sorted_.admitted else sorted_.admitted
                sorted_.skipped[Cause.DUPLICATE] += id_ in into
                if id_ in chain.seen:
                    chain.refuse(day, Cause.DUPLICATE, one.type_id)
                into[id_] = self.ctx.mapper.to_row(one, is_telehealth=self.rules.is_telehealth(one))
                self._note_status(one)
            chain.seen.add(id_)
        return sorted_

    def _note_status(self, appointment: Appointment) -> None:
        if appointment.status is Status.UNKNOWN and appointment.raw_status:
            self.unknown_words[appointment.raw_status[:120]] += 1

    def _row(self, mapped: Mapped) -> dict[str, Any]:
        mapped.row["run_sheet_id"] = self.sheets[mapped.day]
        return mapped.row

    def _find_sheets(self, session: Session, days: set[date]) -> None:
        missing = days - self.sheets.keys()
        if missing:
            self.sheets |= appointments.ensure_sheets(session, self.ctx.practice_id, missing)

    def _remember(self, key: str, cursor: str | None) -> None:
        cursors = self.ctx.checkpoint.setdefault("cursors", {})
        self.ctx.checkpoint["at"] = clock.now().isoformat()
        if cursor is None:
            cursors.pop(key, None)
        else:
            cursors[key] = cursor

    def _count(self, page: Page, written: appointments.Written, same: int, skipped: Counter[str]) -> None:
        tally = self.tally
        tally.fetched += page.received
        tally.created += written.created
        tally.updated += written.updated
        tally.unchanged += same + written.same
        tally.quarantined += len(page.rejected)
        tally.skipped += skipped

    # --- the end of a chain, and of all ----------------------------------------------------------------------------

    def _close(self, chain: Chain) -> None:
        """The chain was read whole: its days are fresh as of when the reading began."""
        ctx = self.ctx
        self.done += 1
        ctx.checkpoint.setdefault("done", []).append(chain.partition.key)
        ctx.checkpoint.get("cursors", {}).pop(chain.partition.key, None)
        with ctx.page(Progress("inbound", self.done, self.total)) as session:
            sweeps.record(session, ctx.source(chain.began), chain.swept_days())
            if not chain.resumed:
                missing = absent.candidates(session, ctx.connection_id, chain.partition, chain.seen)
                self.unseen |= dict.fromkeys(missing, chain.partition)

    def _conclude(self) -> None:
        tally, ctx = self.tally, self.ctx
        tally.complete = not self.failed and self.done == self.total
        if self.unknown_words:
            tally.details["unknownStatuses"] = sorted(self.unknown_words)
            with ctx.page() as session:
                catalogue.note_unknown_statuses(session, ctx.connection_id, self.unknown_words)
        if self.failed:
            tally.reason = "some_failed"
            tally.details["failed"] = [
                {"practitioner": partition.practitioner_id, "reason": error.reason} for partition, error in self.failed
            ]
            hopeless = next((error for _, error in self.failed if isinstance(error, HOPELESS)), None)
            if hopeless is not None or self.done == 0:
                raise hopeless or self.failed[0][1]
        if self.unseen:
            absent.ask(ctx, tally, self.unseen, self.rules)
