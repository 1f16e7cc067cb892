"""Changes: read what the vendor says has changed since the days of the window were read last, and write that (P4).

Cheaper than a sweep, and less: it proves nothing about what is not there any more, makes no day fresh, and removes
nobody. Where there is nothing to go on from, or it is not to be trusted, it sweeps the window instead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.orm import Session

from app import clock
from app.domain import changes
from app.domain.appointment import Appointment
from app.domain.changes import Whole
from app.domain.rules import CHOICES, Cause, Rules
from app.domain.status import Status
from app.domain.window import Window, day_of
from app.pms.errors import PmsBadRequest
from app.pms.port import Page
from app.store import appointments, catalogue, changed, connections, quarantine, sweeps
from app.store.changed import Place
from app.store.sweeps import Fate
from app.sync import again, whom
from app.sync.case_mapper import CaseMapper
from app.sync.context import Checkpoint, Progress, SyncContext
from app.sync.mapper import READ_BY, Mapped
from app.sync.phases import inbound
from app.sync.tally import Tally

#: The run sweeps the window anyhow: nothing is left to be told.
COVERED, WHOLE = "covered", "whole"


def run(ctx: SyncContext, tally: Tally) -> None:
    """Read the changes, or the whole window: then tally.details["whole"] says why.

    tally.complete: the list was read to its end; it says nothing about the days. Raises PmsError; pages stay.
    """
    if "inbound" in ctx.claim.phases:
        tally.details[COVERED], tally.complete = True, True
        return
    reading = Changes(ctx, tally)
    since = reading.since()
    if not isinstance(since, Whole):
        try:
            reading.run(since)
        except PmsBadRequest as error:  # it does not take the question (any more)
            since, tally.details["refused"] = Whole.REFUSED, error.reason
    if isinstance(since, Whole):
        tally.details[WHOLE] = since.value
        inbound.run(ctx, tally)


class Changes:
    """One reading. Lives as long as the phase."""

    def __init__(self, ctx: SyncContext, tally: Tally) -> None:
        self.ctx, self.tally = ctx, tally
        self.unknown_words: Counter[str] = Counter()
        self.met: set[str] = set()
        self.nameless = self.pages = 0
        self.moved = False
        with ctx.store.read() as session:
            connection = connections.get(session, ctx.connection_id)
            self.drifted_at, self.choices = connection.drifted_at, connection.choices
            self.swept = sorted(whom.practitioners(session, ctx, catalogue.rules_of(session, connection, ())))
            partitions = ctx.adapter.partitions(ctx.window, self.swept)
            self.parts = [(day, one.practitioner_id) for one in partitions for day in one.window.days]
            self._known = sweeps.known(session, ctx.connection_id, [*ctx.window.days])

    def since(self) -> datetime | Whole:
        if self.ctx.claim.full:
            return Whole.ASKED
        return changes.since((self._known.get(part) for part in self.parts), clock.now(), self.drifted_at)

    def run(self, since: datetime) -> None:
        ctx, began = self.ctx, clock.now()
        for page in ctx.adapter.changes(since, self.swept):
            ctx.halt_if_asked()
            self._take(page)
        self._conclude(began)

    def _take(self, page: Page) -> None:
        """Write one page. Nothing is counted before its transaction has been committed."""
        taking = _Taking(self, page)
        self.pages += 1
        written = self.ctx.write(taking.write, prepare=taking.prepare, progress=Progress("changes", self.pages, None))
        self.met |= taking.ids
        self.moved |= bool(taking.again)
        self.nameless += sum(one.external_id is None for one in page.rejected)
        self.unknown_words += taking.unknown_words
        self.ctx.touched |= written.sheets
        tally = self.tally
        tally.fetched += page.received
        tally.created += written.created
        tally.updated += written.updated
        tally.unchanged += taking.same + written.same
        tally.quarantined += len(page.rejected)
        tally.skipped += taking.skipped
        tally.set_aside(taking.kept.new, taking.kept.ignored)
        self.ctx.counts = tally.run_columns()

    def _conclude(self, began: datetime) -> None:
        """The next reading goes on from when this one began, unless something may have slipped through.

        A record that does not tell its id may be anybody's news. An id on two pages says that the list moved while it
        was read, and others may have been stepped over.
        """
        ctx, tally = self.ctx, self.tally
        tally.complete = not self.moved
        if self.moved:
            tally.reason = "sweep_incomplete"
        if self.unknown_words:
            tally.details["unknownStatuses"] = sorted(self.unknown_words)
            ctx.write(lambda s: catalogue.note_unknown_statuses(s, ctx.connection_id, self.unknown_words))

        def read_to(session: Session) -> None:
            if connections.choices_stand(session, ctx.connection_id) == self.choices:
                sweeps.changes_read(session, ctx.source(began), self.parts)

        if tally.complete and not self.nameless:
            ctx.write(read_to)
        again.ask(ctx, tally)


@dataclass(slots=True)
class _Sorted:
    """A page by what becomes of it."""

    creates: list[Mapped] = field(default_factory=list)
    updates: list[Mapped] = field(default_factory=list)
    admitted: dict[str, Appointment] = field(default_factory=dict)
    fates: list[Fate] = field(default_factory=list)


class _Taking:
    """One page on its way into the database. Does all its work anew at each attempt, and leaves the reading alone."""

    def __init__(self, reading: Changes, page: Page) -> None:
        self._reading, self._ctx, self._page = reading, reading.ctx, page
        self._at = clock.now()
        self.last = {one.external_id: one for one in page.appointments}
        self.ids = set(self.last) | {one.external_id for one in page.rejected if one.external_id is not None}
        self.again = self.ids & reading.met
        self.skipped: Counter[str] = Counter()
        self.unknown_words: Counter[str] = Counter()
        self.same = 0
        self.kept = quarantine.Kept()

    def prepare(self, session: Session) -> Checkpoint:
        connections.choices_stand(session, self._ctx.connection_id)
        return self._ctx.checkpoint

    def write(self, session: Session) -> appointments.Written:
        ctx, source = self._ctx, self._ctx.source(self._at)
        connection = connections.get(session, ctx.connection_id)
        found = self._sort(
            changed.places(session, ctx.connection_id, self.last), catalogue.rules_of(session, connection, ())
        )
        days = {one.day for one in (*found.creates, *found.updates)}
        sheets = appointments.ensure_sheets(session, ctx.practice_id, days) if days else {}
        creates, updates = (
            [one.row | {"run_sheet_id": sheets[one.day]} for one in rows] for rows in (found.creates, found.updates)
        )
        written = appointments.write_page(session, source, creates, updates)
        sweeps.settle(session, ctx.connection_id, found.fates)
        cases = CaseMapper.of(session, connection, ctx.mapper)
        if cases is not None:
            cases.keep(session, source, found.admitted, rewrite=False)
        bad = [quarantine.Bad(one.external_id, one.path, one.reason, one.payload) for one in self._page.rejected]
        self.kept = quarantine.keep(session, ctx.vault, source, bad, READ_BY)
        quarantine.resolve(session, source, quarantine.open_ids(session, ctx.connection_id) & self.last.keys())
        return written

    def _sort(self, places: dict[str, Place], rules: Rules) -> _Sorted:
        """By the practice's rules. A row that is known is followed wherever it went; others only into the window."""
        found, window = _Sorted(), self._ctx.window
        self.same, self.unknown_words = 0, Counter()
        self.skipped = Counter({Cause.DUPLICATE.value: len(self._page.appointments) - len(self.last)})
        for id_, one in self.last.items():
            place, day = places.get(id_), day_of(one.starts_at, window.zone)
            cause = self._cause(one, day, place, rules)
            if place is None and not window.holds(one.starts_at):
                cause = Cause.OUTSIDE_WINDOW
            if cause is None:
                found.admitted[id_] = one
                if one.status is Status.UNKNOWN and one.raw_status:
                    self.unknown_words[one.raw_status[:120]] += 1
            else:
                self.skipped[cause] += 1
            if place is not None or cause is None:
                self._decide(found, one, place, cause, is_telehealth=rules.is_telehealth(one))
        self.skipped = +self.skipped
        return found

    def _cause(self, one: Appointment, day: date, place: Place | None, rules: Rules) -> Cause | None:
        zone = self._ctx.window.zone
        cause = rules.refusal(one, Window(day, day, zone), "")
        shown = place is not None and not place.stored.hidden_cause
        if cause in CHOICES and shown and day < day_of(self._at, zone):
            return None  # a choice acts from today on: past days keep what they showed
        return cause

    def _decide(
        self, found: _Sorted, one: Appointment, place: Place | None, cause: Cause | None, *, is_telehealth: bool
    ) -> None:
        """New, changed or the same; and what becomes of the accounts of the days it left and came to."""
        mapped = self._ctx.mapper.to_row(one, is_telehealth=is_telehealth, hidden_cause=cause)
        came = Fate(mapped.day, one.practitioner_id, one.type_id or "", now=cause, came=1)
        if place is None:
            found.creates.append(mapped)
            found.fates.append(came)
            return
        known = place.stored
        if known.fingerprint == mapped.fingerprint and not known.removed and bool(known.hidden_cause) == bool(cause):
            self.same += cause is None
            return
        found.updates.append(mapped)
        found.fates += [*place.left(), came]
