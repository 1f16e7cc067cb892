"""Discovery: whoever has an appointment around today becomes a patient, or the patient they are gets their id.

The days are read in stretches, the newest first, each from its first page: a vendor that counts pages from the newest
booking moves them all while we read. A run that is cut short goes on behind the last whole stretch, and whom the broken
one had met already is told by a mark beside their id, so that nobody is counted twice. Memory holds one page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app import clock
from app.domain.window import Window
from app.pms.errors import PmsCancelled, PmsError
from app.pms.port import ClientPage, Rejected
from app.store import discovered, discovery, quarantine
from app.store.quarantine import CLIENT
from app.sync import clients
from app.sync.context import Checkpoint, Progress, SyncContext
from app.sync.mapper import READ_BY
from app.sync.tally import Tally

#: Days of a stretch: few enough that one is read within a run's time limit at ten calls a minute, many enough that
#: half-empty last pages do not cost much of a day's calls.
STRETCH_DAYS = 14
#: Faults a record names one by one.
MOST_ERRORS = 10
#: Unreadable records a discovery tells from one another over all its runs; of more, some may be counted twice.
MOST_REMEMBERED = 200
NAME = "discovery"
_APPOINTMENTS = (("new", "created"), ("updated", "updated"), ("unchanged", "unchanged"))


def run(ctx: SyncContext, tally: Tally) -> None:
    """Meet everybody of the window. Repeating it over the same clients makes nobody and changes nobody.

    Raises the PmsError that ended the reading; pages already written stay. tally.details tell how it went in the words
    of the original document, for the whole discovery where this run goes on with another's.
    """
    Discovery(ctx, tally).run()


class Discovery:
    """One discovery, or the rest of one. Lives as long as the phase."""

    def __init__(self, ctx: SyncContext, tally: Tally) -> None:
        self.ctx, self.tally = ctx, tally
        window = [ctx.window.first.isoformat(), ctx.window.last.isoformat()]
        stood: dict[str, Any] = ctx.checkpoint.get(NAME, {})
        if stood.get("window") != window:
            stood = {"id": uuid4().hex, "window": window, "done": [], "new": 0, "failed": 0, "bad": []}
            stood["began"] = clock.now().isoformat()
        self.stood = stood
        self.id = UUID(stood["id"])
        self.errors: list[dict[str, Any]] = []
        self.bad: set[str] = set()  # digests of what this run could not read: stretches overlap at the vendor

    def run(self) -> None:
        stretches = list(self.ctx.window.split(STRETCH_DAYS))
        try:
            for stretch in reversed(stretches):
                if _key(stretch) not in self.stood["done"]:
                    self.ctx.halt_if_asked()
                    self._read(stretch, len(stretches))
            self._conclude()
        finally:
            self._tell()

    def _read(self, stretch: Window, of: int) -> None:
        """One stretch from its first page to its last; only then is it done."""
        try:
            for page in self.ctx.adapter.clients(stretch):
                self._take(page, of)
                self.ctx.halt_if_asked()
        except PmsCancelled:
            raise
        except PmsError as error:
            self.errors.append({"days": _key(stretch), "reason": error.reason})
            raise
        stands = self.stood | {"done": [*self.stood["done"], _key(stretch)]}
        self._commit(stands, lambda _: None, Progress(NAME, len(stands["done"]), of))

    def _take(self, page: ClientPage, of: int) -> None:
        """Write one page. Nothing of it is counted before its transaction has been committed."""
        ctx, source = self.ctx, self.ctx.source()
        people = clients.met(ctx.mapper, page.clients)
        rejected = {_digest(one): one for one in page.rejected}
        refused = [one for digest, one in rejected.items() if digest not in self.bad]
        bad = [quarantine.Bad(one.external_id, one.path, one.reason, one.payload, CLIENT) for one in refused]
        plans: list[discovery.Plan] = []

        def prepare(session: Session) -> Checkpoint:
            plans[:] = [discovery.plan(session, source, self.id, people)]
            fresh = [digest for digest in rejected if digest not in self.stood["bad"]]
            counted = {
                "new": self.stood["new"] + plans[0].counts["created"],
                "failed": self.stood["failed"] + len(fresh),
                "bad": [*self.stood["bad"], *fresh][:MOST_REMEMBERED],
            }
            return {**ctx.checkpoint, NAME: self.stood | counted}

        def work(session: Session) -> quarantine.Kept:
            discovery.carry_out(session, plans[0])
            return quarantine.keep(session, ctx.vault, source, bad, READ_BY)

        kept = ctx.write(work, prepare=prepare, progress=Progress(NAME, len(self.stood["done"]), of))
        self.stood = ctx.checkpoint[NAME]
        self.bad |= rejected.keys()
        self.errors += [{"record": one.external_id, "path": one.path, "reason": one.reason} for one in refused]
        twice = len(page.clients) - len(people) + len(page.rejected) - len(refused)
        self._count(plans[0].counts, kept, len(bad), twice)

    def _count(self, counts: Counter[str], kept: quarantine.Kept, bad: int, twice: int) -> None:
        tally = self.tally
        tally.fetched += counts.total() + bad + twice
        tally.created += counts["created"]
        tally.updated += counts["updated"] + counts["linked"]
        tally.unchanged += counts["unchanged"]
        tally.quarantined += bad
        for cause, count in (("review", counts["review"]), ("duplicate", counts["again"] + twice)):
            if count:
                tally.skipped[cause] += count
        tally.set_aside(kept.new, kept.ignored)

    def _commit(self, stands: dict[str, Any], work: Callable[[Session], None], progress: Progress) -> None:
        ctx = self.ctx
        ctx.write(work, prepare=lambda _: {**ctx.checkpoint, NAME: stands}, progress=progress)
        self.stood = stands

    # --- the end --------------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Everybody was met: what could not be read before, and was not met again, is no longer there to be read."""
        ctx, of = self.ctx, len(self.stood["done"])
        source, began = ctx.source(), datetime.fromisoformat(self.stood["began"])

        def work(session: Session) -> None:
            quarantine.resolve_unmet(session, source, CLIENT, began)

        self._commit(self.stood, work, Progress(NAME, of, of))
        self.tally.complete = True

    def _tell(self) -> None:
        """How it went, in the original document's words; what became of appointments is this run's own sweep's."""
        ctx, details = self.ctx, self.tally.details
        with ctx.store.read() as session:
            found = discovered.figures(session, ctx.practice_id, ctx.connection_id, self.id)
        details |= {
            "totalPatients": found.patients,
            "newPatientsDiscovered": self.stood["new"],
            "unaffiliatedPatientsSynced": found.met_unaffiliated,
            "patientsProcessed": found.met,
            "patientsFailed": self.stood["failed"],
            "patientsToReview": found.to_review,
            "organizationsProcessed": found.organizations,
            "appointments": {ours: ctx.counts.get(f"appointments_{theirs}", 0) for ours, theirs in _APPOINTMENTS},
            "errors": self.errors[:MOST_ERRORS],
        }


def _key(stretch: Window) -> str:
    return f"{stretch.first}/{stretch.last}"


def _digest(one: Rejected) -> str:
    return blake2b(one.payload, digest_size=8).hexdigest()
