"""A sweep that only takes note of ids: nothing of it is written, and no day becomes fresh by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.domain.orphans import Proof
from app.domain.rules import Rules
from app.pms.errors import PmsError
from app.pms.port import Page, Partition
from app.store import catalogue, connections
from app.sync import whom
from app.sync.context import Progress, SyncContext
from app.sync.fetch import HOPELESS, Broken, Fetched, Fetcher
from app.sync.tally import Tally


@dataclass(slots=True)
class Read:
    """One chain of pages, read to its end."""

    partition: Partition
    began: datetime
    records: int = 0
    nameless: int = 0
    #: Ids that stand where they were asked for, or that cannot be read; and all that were met, wherever they stand.
    seen: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)

    def take(self, page: Page) -> None:
        self.records += page.received
        named = {one.external_id for one in page.rejected if one.external_id is not None}
        self.nameless += sum(one.external_id is None for one in page.rejected)
        starts = page.starts
        self.seen |= named | {id_ for id_, starts_at in starts.items() if self.partition.window.holds(starts_at)}
        self.met |= named | starts.keys()

    def proof(self, *, by_id: bool) -> Proof:
        return Proof(ended=True, nameless=self.nameless, by_id=by_id)


def sweep(ctx: SyncContext, tally: Tally, ended: Callable[[Read], None]) -> bool:
    """Read every partition of the window; `ended` is called once for each chain that came to its end.

    False where one did not: then the whole of it proves nothing, and the tally says who failed. Raises the PmsError
    when nothing could be read, or nothing more should be asked.
    """
    partitions = _partitions(ctx)
    under_way: dict[str, Read] = {}
    failed: list[tuple[Partition, PmsError]] = []
    done = records = 0
    with Fetcher(ctx.adapter, partitions, {}, ctx.fetchers) as fetcher:
        for event in fetcher.events(ctx.halt_if_asked):
            ctx.halt_if_asked()
            key = event.partition.key
            if isinstance(event, Broken):
                failed.append((event.partition, event.error))
                under_way.pop(key, None)
                continue
            chain = under_way.setdefault(key, Read(event.partition, event.began))
            if isinstance(event, Fetched):
                chain.take(event.page)
                continue
            ended(under_way.pop(key))
            done, records = done + 1, records + chain.records
            ctx.write(lambda _: None, progress=Progress("reconciliation", done, len(partitions)))
    tally.details["read"] = tally.details.get("read", 0) + records
    if failed:
        _tell(tally, failed)
        hopeless = next((error for _, error in failed if isinstance(error, HOPELESS)), None)
        if hopeless is not None or not done:
            raise hopeless or failed[0][1]
    return done == len(partitions)


def _partitions(ctx: SyncContext) -> list[Partition]:
    with ctx.store.read() as session:
        rules: Rules = catalogue.rules_of(session, connections.get(session, ctx.connection_id), ())
        people = whom.practitioners(session, ctx, rules)
    return [replace(one, ids_only=True) for one in ctx.adapter.partitions(ctx.window, sorted(people))]


def _tell(tally: Tally, failed: list[tuple[Partition, PmsError]]) -> None:
    tally.reason = "some_failed"
    tally.details["failed"] = [
        {"practitioner": partition.practitioner_id, "reason": error.reason} for partition, error in failed
    ]
