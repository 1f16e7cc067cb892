"""Inbound: sweep the window, page by page; decide; write what changed. Repeating it over the same day writes nothing.

A practitioner's stretch of days is one partition, one chain of pages. Each page is one transaction together with its
checkpoint, so that a killed run goes on one page later at most. A partition that ends is a completed sweep: from then
on the sheet may say how fresh it is.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.domain.appointment import Appointment
from app.domain.decide import Plan, Stored, decide
from app.domain.names import look_alikes
from app.domain.orphans import Proof
from app.domain.rules import CHOICES, Cause, Rules
from app.domain.status import Status
from app.domain.window import day_of
from app.pms.errors import PmsError
from app.pms.port import Page, Partition
from app.store import appointments, catalogue, connections, quarantine, sweeps
from app.store.read_pages import Remembered
from app.sync import again, clients, drift, unseen, whom
from app.sync.case_mapper import CaseMapper
from app.sync.chain import Chain, Verdict
from app.sync.context import CURSOR_FRESH, Checkpoint, Progress, SyncContext
from app.sync.familiar import Familiar, remembered
from app.sync.fetch import HOPELESS, Broken, Fetched, Fetcher
from app.sync.held import Held, Settling
from app.sync.mapper import READ_BY, Mapped
from app.sync.tally import Tally

log = logging.getLogger(__name__)

#: Failures that are told by their own name where nothing else failed; of others a part of the vendor may be well.
_OWN_NAME = frozenset({"cursor_loop", "page_budget"})


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
        self.held = Held()
        self.unknown_words: Counter[str] = Counter()
        self.failed: list[tuple[Partition, PmsError]] = []
        self.cases: CaseMapper | None = None  # where the connection keeps none
        self.cased: Counter[str] = Counter()
        self.swept, self.rules, self.choices, self.unreadable = self._plan()
        self.familiar = Familiar.of(ctx, self.choices, self.swept, day_of(clock.now(), ctx.window.zone))
        self.done = self.total = self.drifted = 0

    def run(self) -> None:
        partitions = self.ctx.adapter.partitions(self.ctx.window, sorted(self.swept))
        finished = set(self.ctx.checkpoint.get("done", ()))
        due = self._due(partition for partition in partitions if partition.key not in finished)
        self.total, self.done = len(partitions), len(partitions) - len(due)
        bookmarks = self._bookmarks()
        self.chains = {one.key: Chain.resume(one, bookmarks[one.key]) for one in due if one.key in bookmarks}
        cursors = {key: str(bookmark["cursor"]) for key, bookmark in bookmarks.items()}
        with Fetcher(self.ctx.adapter, due, cursors, self.ctx.fetchers) as fetcher:
            for event in fetcher.events(self._while_waiting):
                self.ctx.halt_if_asked()
                key = event.partition.key
                if isinstance(event, Fetched):
                    self._meet(event)
                    continue
                self._settle()
                if isinstance(event, Broken):
                    self.failed.append((event.partition, event.error))
                    self.chains.pop(key, None)
                else:
                    chain = self.chains.pop(key, Chain(event.partition, event.began))
                    chain.began = min(chain.began, event.began)  # one of its pages may have told of an earlier time
                    self._close(chain)
        self._conclude()

    # --- before ---------------------------------------------------------------------------------------------------

    def _plan(self) -> tuple[set[str], Rules, int, frozenset[str]]:
        """Whom to ask for, by which rules, and whose records could not be read before."""
        ctx = self.ctx
        with ctx.store.read() as session:
            connection = connections.get(session, ctx.connection_id)
            stands = ctx.checkpoint.get("choices", connection.choices) == connection.choices
            kept = ctx.checkpoint if stands else {}  # what was read by other rules must be read again
            ctx.checkpoint = {**kept, "choices": connection.choices}
            rules = catalogue.rules_of(session, connection, ())
            self.cases = CaseMapper.of(session, connection, ctx.mapper)
            swept = whom.practitioners(session, ctx, rules)
            rules = replace(rules, swept_practitioners=frozenset(swept))
            drift.remember(session, ctx)
            return swept, rules, connection.choices, quarantine.open_ids(session, ctx.connection_id)

    def _due(self, partitions: Iterable[Partition]) -> list[Partition]:
        """The chains to read. Cases are made from the records themselves: with them every page is read."""
        return self.familiar.known_to(partitions) if self.cases is None else list(partitions)

    def _bookmarks(self) -> dict[str, dict[str, Any]]:
        """Where the cut-short run stood that this one goes on from, while the vendor can be expected to know it."""
        kept: dict[str, dict[str, Any]] = self.ctx.checkpoint.get("cursors", {})
        at = self.ctx.checkpoint.get("at")
        if not kept or at is None or clock.now() - datetime.fromisoformat(at) > CURSOR_FRESH:
            return {}
        return kept

    # --- a page ---------------------------------------------------------------------------------------------------

    def _meet(self, event: Fetched) -> None:
        """Write a page; an unread one waits for a few others. They all count in the order they came."""
        key, page = event.partition.key, event.page
        chain = self.chains.setdefault(key, Chain(event.partition, event.began))
        if page.from_start and chain.resumed:  # its bookmark was no longer known
            self.chains[key] = Chain(event.partition, event.began)
        if page.read is not None:
            self.held.add(key, page)
            if self.held.is_due:
                self._settle()
            return
        self._settle()
        self._take(key, page)

    def _while_waiting(self) -> None:
        self.ctx.halt_if_asked()
        self._settle()

    def _settle(self) -> None:
        """Count the pages that were held back; one that does not stand is read after all."""
        pages = self.held.let_go()
        while pages:
            settling = Settling(self.familiar, self.unreadable, self.chains, pages)
            self.ctx.write(lambda _: None, prepare=settling.prepare, progress=self._progress)
            settling.settle()
            self.chains |= settling.chains
            self._tell(settling.received, settling.same, settling.skipped)
            self.ctx.halt_if_asked()
            pages = pages[settling.counted :]
            if pages:
                (key, page), *pages = pages
                assert page.read is not None, "a page that was held back was read"
                self._take(key, page.read())

    def _take(self, key: str, page: Page) -> None:
        """Write one page. Nothing of it is counted or remembered before its transaction has been committed."""
        taking = _Taking(self, self.chains[key], page)
        written = self.ctx.write(taking.write, prepare=taking.prepare, progress=self._progress)
        taking.chain.settle()
        if page.digest is not None:
            taking.chain.pages[page.digest] = taking.news
        self.chains[key] = taking.chain
        self.sheets |= taking.sheets
        self.rules, self.cases, self.choices = taking.rules, taking.cases, taking.choices
        self.cased += taking.cased
        self.unknown_words += taking.unknown_words
        self.drifted += taking.drifted
        self.ctx.touched |= written.sheets
        tally = self.tally
        tally.created += written.created
        tally.updated += written.updated
        tally.quarantined += len(page.rejected)
        tally.set_aside(taking.kept.new, taking.kept.ignored)
        self._tell(page.received, taking.same + written.same, taking.skipped)

    def _tell(self, received: int, same: int, skipped: Counter[str]) -> None:
        self.tally.fetched += received
        self.tally.unchanged += same
        self.tally.skipped += skipped
        self.ctx.counts = self.tally.run_columns()

    @property
    def _progress(self) -> Progress:
        return Progress("inbound", self.done, self.total)

    # --- the end of a chain, and of all ----------------------------------------------------------------------------

    def _close(self, chain: Chain) -> None:
        """The chain was read whole: its days are fresh as of when the reading began.

        What it lacked rides along in the checkpoint, for reconciliation, which may be another process's.
        """
        ctx, key = self.ctx, chain.partition.key

        def prepare(session: Session) -> Checkpoint:
            connections.choices_stand(session, ctx.connection_id)
            cursors = {other: at for other, at in ctx.checkpoint.get("cursors", {}).items() if other != key}
            done = {**ctx.checkpoint, "done": [*ctx.checkpoint.get("done", ()), key], "cursors": cursors}
            ids = unseen.missing(session, ctx, chain.partition, chain.seen, proof) if proof.holds else None
            return unseen.noted(done, chain.partition, ids)

        def work(session: Session) -> None:
            who = chain.partition.practitioner_id
            still_shown = quarantine.still_shown(session, ctx.connection_id, who, chain.unreadable)
            sweeps.record(session, ctx.source(chain.began), chain.swept_days(still_shown))
            self.familiar.keep(session, chain.partition, chain.pages)

        by_id = ctx.adapter.capabilities.lookup_by_id
        proof = Proof(ended=True, from_start=not chain.resumed, nameless=chain.nameless, by_id=by_id)
        ctx.write(work, prepare=prepare, progress=Progress("inbound", self.done + 1, self.total))
        alike = look_alikes(chain.last)
        if alike:  # ids only: somebody should ask the vendor whether these are two
            self.tally.details["lookAlikeIds"] = [*self.tally.details.get("lookAlikeIds", ()), *alike]
        self.done += 1

    def _conclude(self) -> None:
        tally, ctx = self.tally, self.ctx
        if self.cases is not None:
            tally.details["cases"] = {name: self.cased[name] for name in ("created", "updated", "unchanged")}
        tally.complete = ctx.swept_whole = not self.failed and self.done == self.total
        drift.tell(ctx, tally, self.drifted)
        if self.unknown_words:
            tally.details["unknownStatuses"] = sorted(self.unknown_words)
            ctx.write(lambda s: catalogue.note_unknown_statuses(s, ctx.connection_id, self.unknown_words))
        if self.failed:
            reasons = {error.reason for _, error in self.failed}
            tally.reason = next(iter(reasons)) if len(reasons) == 1 and reasons <= _OWN_NAME else "some_failed"
            tally.details["failed"] = [
                {"practitioner": partition.practitioner_id, "reason": error.reason} for partition, error in self.failed
            ]
            hopeless = next((error for _, error in self.failed if isinstance(error, HOPELESS)), None)
            if hopeless is not None or self.done == 0:
                raise hopeless or self.failed[0][1]
        again.ask(ctx, tally)
        if tally.news:
            log.warning("records were set aside", extra={"count": tally.news})


class _Taking:
    """One page on its way into the database. Does all its work anew at each attempt, and leaves the sweep alone."""

    def __init__(self, sweep: Inbound, before: Chain, page: Page) -> None:
        self._sweep, self._before, self._page = sweep, before, page
        self._at = clock.now()
        self.rules, self.cases, self.choices = sweep.rules, sweep.cases, sweep.choices
        self.cased: Counter[str] = Counter()
        self.chain = before
        self.sheets: dict[date, UUID] = {}
        self.known: Mapping[str, Stored] = {}
        self.admitted: dict[str, Mapped] = {}
        self.refused: dict[str, tuple[Appointment, date, Cause]] = {}
        self.skipped: Counter[str] = Counter()
        self.unknown_words: Counter[str] = Counter()
        self.same = self.drifted = 0
        self.news: Remembered | None = None  # what it said, where that is worth remembering
        self.kept = quarantine.Kept()

    def prepare(self, session: Session) -> Checkpoint:
        """Sort the page by the practice's choices as they stand now; the checkpoint once it is written."""
        ctx = self._sweep.ctx
        choices = connections.choices_stand(session, ctx.connection_id)
        if choices != self.choices:  # somebody switched something while the page was on its way
            connection = connections.get(session, ctx.connection_id)
            self.rules, self.choices = catalogue.rules_of(session, connection, self._sweep.swept), choices
            self.cases = CaseMapper.of(session, connection, ctx.mapper)
        ids = {one.external_id for one in self._page.appointments}
        self.known = appointments.stored(session, ctx.connection_id, ids)
        self._sort()
        key, cursor = self._before.partition.key, self._page.next_cursor
        cursors = dict(ctx.checkpoint.get("cursors", {}))
        if cursor is not None:  # behind the last page there is nothing to go on to: that page is read again
            cursors[key] = self.chain.bookmark(cursor)
        return {**ctx.checkpoint, "cursors": cursors, "at": self._at.isoformat()}

    def write(self, session: Session) -> appointments.Written:
        sweep, ctx = self._sweep, self._sweep.ctx
        source = ctx.source(self._at)
        plan = self._plan(self.known)
        self._learn(plan)
        self.drifted = drift.count(session, ctx, self._before.partition.practitioner_id, plan, sweep.unreadable)
        days = {one.day for one in plan.creates} | {one.day for one in plan.updates}
        missing = days - sweep.sheets.keys()
        self.sheets = appointments.ensure_sheets(session, ctx.practice_id, missing) if missing else {}
        written = appointments.write_page(
            session,
            source,
            [self._row(mapped) for mapped in plan.creates],
            [self._row(mapped) for mapped in plan.updates],
        )
        self._keep_cases(session, source)
        clients.backfill(session, ctx, source, self._page.appointments)
        bad = [quarantine.Bad(one.external_id, one.path, one.reason, one.payload) for one in self._page.rejected]
        self.kept = quarantine.keep(session, ctx.vault, source, bad, READ_BY)
        quarantine.resolve(session, source, sweep.unreadable & (self.admitted.keys() | self.refused.keys()))
        return written

    def _learn(self, plan: Plan[Mapped]) -> None:
        """What the page said, where reading it once more could bring nothing else."""
        page, own = self._page, self.chain.page
        again = own.keys() & self._before.last.keys()
        if page.digest is None or page.rejected or self.unknown_words or again or len(own) < len(page.appointments):
            self.news = None
        else:  # under the stamp of this sweep's rules and day: after another choice, or midnight, nobody looks for it
            written = [one.external_id for one in (*plan.creates, *plan.updates) if one.external_id in self.admitted]
            versions = sum(self.known[id_].version for id_ in self.admitted.keys() & self.known.keys()) + len(written)
            self.news = remembered(own, versions)

    def _keep_cases(self, session: Session, source: appointments.Source) -> None:
        """Beside the rows, in their transaction, where the connection keeps cases."""
        if self.cases is not None:
            shown = {id_: mapped.appointment for id_, mapped in self.admitted.items()}
            cased = self.cases.keep(session, source, shown, rewrite=self._sweep.ctx.claim.full)
            self.cased = Counter({"created": cased.created, "updated": cased.updated, "unchanged": cased.same})

    def _sort(self) -> None:
        """By the practice's rules. Of several records of an id the last counts; the others were sent twice."""
        sweep, asked = self._sweep, self._before.partition
        self.chain = self._before.turn()
        self.admitted, self.refused, self.skipped, self.unknown_words = {}, {}, Counter(), Counter()
        last = {one.external_id: one for one in self._page.appointments}
        self.chain.could_not_read(one.external_id for one in self._page.rejected)
        today = day_of(self._at, sweep.ctx.window.zone)
        for one in self._page.appointments:
            cause = self.rules.refusal(one, asked.window, asked.practitioner_id)
            day = day_of(one.starts_at, sweep.ctx.window.zone)
            if cause in CHOICES and day < today and self._is_shown(one.external_id):
                cause = None  # a choice acts from today on: past days keep what they showed
            self.chain.met(one.external_id, Verdict(day, cause, one.type_id or ""))
            if last[one.external_id] is not one:
                self.skipped[Cause.DUPLICATE] += 1
            elif cause is None:
                self.admitted[one.external_id] = self._map(one, day)
                if one.status is Status.UNKNOWN and one.raw_status:
                    self.unknown_words[one.raw_status[:120]] += 1
            else:
                self.skipped[cause] += 1
                if cause not in (Cause.DUPLICATE, Cause.OUTSIDE_WINDOW):
                    self.refused[one.external_id] = (one, day, cause)

    def _plan(self, known: Mapping[str, Stored]) -> Plan[Mapped]:
        """What to write. Rows that are stored and left out now are kept up to date behind the curtain."""
        full, before = self._sweep.ctx.claim.full, self._before.last
        prints = [(id_, mapped.fingerprint, mapped) for id_, mapped in self.admitted.items()]
        plan = decide((one for one in prints if one[0] not in before), known, rewrite=full)
        # Sent again by a later page: where nothing changed in between that is no unchanged row, but one sent twice.
        again = decide((one for one in prints if one[0] in before), known, rewrite=full)
        self.same = plan.same
        self.skipped += Counter({Cause.DUPLICATE: again.same})
        plan.creates += again.creates
        plan.updates += again.updates
        for id_ in self.refused.keys() & known.keys():
            stored, mapped = known[id_], self._map(*self.refused[id_])
            as_it_is = stored.fingerprint == mapped.fingerprint and not stored.removed
            if full or not (stored.hidden_cause and as_it_is):
                plan.updates.append(mapped)
        return plan

    def _is_shown(self, external_id: str) -> bool:
        known = self.known.get(external_id)
        return known is not None and not known.hidden_cause

    def _map(self, one: Appointment, day: date, cause: Cause | None = None) -> Mapped:
        is_telehealth = self.rules.is_telehealth(one)
        return self._sweep.ctx.mapper.to_row(one, is_telehealth=is_telehealth, hidden_cause=cause, day=day)

    def _row(self, mapped: Mapped) -> dict[str, Any]:
        row = mapped.row
        row["run_sheet_id"] = self._sweep.sheets.get(mapped.day) or self.sheets[mapped.day]
        return row
