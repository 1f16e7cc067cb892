"""Unread pages on their way into the account: a few are held back, and settled together.

Nothing of them is written but the checkpoint: a transaction for each would cost more than fetching it did. Until they
are settled nothing counts them, and no bookmark lies behind them: a run that ends meanwhile has not met them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from app import clock
from app.domain.rules import Cause
from app.pms.port import Page
from app.store import connections
from app.store.read_pages import Remembered
from app.sync.chain import Chain
from app.sync.context import Checkpoint
from app.sync.familiar import Familiar, verdicts

#: So many are held at most, of all chains together: memory stays flat. And so long: the checkpoint keeps going.
MOST, LONGEST_S = 16, 1.0


@dataclass(slots=True)
class Held:
    """Pages of any chains in the order they came, each with its chain's key."""

    pages: list[tuple[str, Page]] = field(default_factory=list)
    since: float = 0.0

    def add(self, key: str, page: Page) -> None:
        if not self.pages:
            self.since = clock.monotonic()
        self.pages.append((key, page))

    @property
    def is_due(self) -> bool:
        return len(self.pages) >= MOST or clock.monotonic() - self.since >= LONGEST_S

    def let_go(self) -> list[tuple[str, Page]]:
        pages, self.pages = self.pages, []
        return pages


class Settling:
    """Unread pages whose rows still stand count as if each had been read, one after the other, up to the first that
    does not stand. Does all its work anew at each attempt; `settle` once the transaction has been committed.

    before: the chains as they are without these pages. unreadable: ids of records that could not be read before.
    """

    def __init__(
        self,
        familiar: Familiar,
        unreadable: frozenset[str],
        before: Mapping[str, Chain],
        pages: Sequence[tuple[str, Page]],
    ) -> None:
        self._familiar, self._unreadable, self._before, self._pages = familiar, unreadable, before, pages
        self._begin()

    def _begin(self) -> None:
        self.chains: dict[str, Chain] = {}
        self.counted = self.received = self.same = 0
        self.skipped: Counter[str] = Counter()

    def prepare(self, session: Session) -> Checkpoint:
        """Count what stands; the checkpoint behind it."""
        self._begin()
        ctx = self._familiar.ctx
        cursors = dict(ctx.checkpoint.get("cursors", {}))
        for (key, page), said in zip(self._pages, self._standing(session), strict=True):
            if said is None or not self._unreadable.isdisjoint(said.ids):
                break
            chain = self.chains.get(key) or self.chains.setdefault(key, self._before[key].turn())
            self._count(chain, page, said)
            if page.next_cursor is not None:  # behind the last page there is nothing to go on to: it is read again
                cursors[key] = chain.bookmark(page.next_cursor)
        return {**ctx.checkpoint, "cursors": cursors, "at": clock.now().isoformat()} if self.counted else ctx.checkpoint

    def settle(self) -> None:
        """They are counted."""
        for chain in self.chains.values():
            chain.settle()
        for key, page in self._pages[: self.counted]:
            if page.digest is not None:
                self.chains[key].pages[page.digest] = None

    def _standing(self, session: Session) -> Sequence[Remembered | None]:
        """None of them stands once somebody has chosen anew: they were found by the choices the sweep began with."""
        ctx, before = self._familiar.ctx, self._before
        if connections.choices_stand(session, ctx.connection_id) != self._familiar.choices:
            return [None] * len(self._pages)
        return self._familiar.standing(session, [(before[key].partition, page) for key, page in self._pages])

    def _count(self, chain: Chain, page: Page, said: Remembered) -> None:
        self.counted += 1
        self.received += page.received
        for verdict, ids in verdicts(said):
            again = chain.met_again(ids, verdict)
            self.skipped[Cause.DUPLICATE] += again
            if verdict.cause is None:
                self.same += len(ids) - again
            else:
                self.skipped[verdict.cause] += len(ids) - again
