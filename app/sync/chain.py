"""One partition while it is swept: what it has brought, and the account of its days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from app.domain.rules import Cause
from app.pms.port import Partition
from app.store.read_pages import Remembered
from app.store.sweeps import Refused, Swept


class Verdict(NamedTuple):
    """What the practice's rules said of a record: the cause for leaving it out, or None."""

    day: date
    cause: Cause | None
    type_id: str


@dataclass(slots=True)
class Chain:
    """Forgotten at the partition's end, so that memory stays flat. The last record of an id is the one that counts."""

    partition: Partition
    began: datetime  # when the first request of its first page went out
    resumed: bool = False  # its first pages were read by an earlier run: what is missing here proves nothing
    #: By id; of the pages that are written, and of the one that is being written. Few verdicts, each kept once.
    last: dict[str, Verdict] = field(default_factory=dict)
    page: dict[str, Verdict] = field(default_factory=dict)
    kinds: dict[Verdict, Verdict] = field(default_factory=dict)
    received: Counter[date] = field(default_factory=Counter)
    #: Left out: by their last record's verdict, overtaken by a later record, or by a resumed chain's first pages.
    refused: dict[date, Refused] = field(default_factory=dict)
    #: Records that could not be read: ids that were there all the same, so nobody need ask for them one by one (F34);
    #: and how many do not even tell theirs.
    unreadable: set[str] = field(default_factory=set)
    nameless: int = 0
    #: Digests of its pages, each with what it said; None where that is remembered already, or cannot be.
    pages: dict[bytes, Remembered | None] = field(default_factory=dict)

    def turn(self) -> Chain:
        """The chain with one page more to take note of; this one does not notice. Costs what a page costs, not a chain.

        Once the page is written, `settle` it; a page that was not leaves nothing behind.
        """
        return replace(
            self,
            page={},
            received=Counter(self.received),
            refused={day: _copied(causes) for day, causes in self.refused.items()},
            unreadable=set(self.unreadable),
        )

    def settle(self) -> None:
        """The page is written."""
        self.last.update(self.page)
        self.page = {}

    def met(self, external_id: str, verdict: Verdict) -> None:
        """Take note of a record; an earlier one of the same id counts as sent twice from now on."""
        self.received[verdict.day] += 1
        earlier = self.page.get(external_id) or self.last.get(external_id)
        if earlier is not None:
            if earlier.cause is not None:
                _add(self.refused, earlier, -1)
            _add(self.refused, earlier._replace(cause=Cause.DUPLICATE))
        if verdict.cause is not None:
            _add(self.refused, verdict)
        self.page[external_id] = self.kinds.setdefault(verdict, verdict)

    def met_again(self, ids: Sequence[str], verdict: Verdict) -> int:
        """Take note of several ids of an unread page; how many of them the chain had brought before."""
        before = [id_ for id_ in ids if id_ in self.page or id_ in self.last]
        for id_ in before:
            self.met(id_, verdict)
        if first := [id_ for id_ in ids if id_ not in self.page and id_ not in self.last] if before else ids:
            self.received[verdict.day] += len(first)
            if verdict.cause is not None:
                _add(self.refused, verdict, len(first))
            self.page.update(dict.fromkeys(first, self.kinds.setdefault(verdict, verdict)))
        return len(before)

    def could_not_read(self, ids: Iterable[str | None]) -> None:
        """Records of a page that could not be read: they are there, whatever they say."""
        for external_id in ids:
            if external_id is None:
                self.nameless += 1
            else:
                self.unreadable.add(external_id)

    @property
    def seen(self) -> set[str]:
        """Ids of which the PMS has told where they are. One that lies outside the window may be anywhere by now."""
        inside = {id_ for id_, verdict in self.last.items() if verdict.cause is not Cause.OUTSIDE_WINDOW}
        return inside | self.unreadable

    def swept_days(self, still_shown: Mapping[date, int]) -> list[Swept]:
        """still_shown: rows that stand as they were last read, because their records cannot be: they came as well."""
        who = self.partition.practitioner_id
        return [
            Swept(day, who, self.received[day] + still_shown.get(day, 0), self.refused.get(day, {}))
            for day in self.partition.window.days
        ]

    def bookmark(self, cursor: str) -> dict[str, Any]:
        """What another run needs to go on behind this page and still tell the truth about the whole."""
        return {
            "cursor": cursor,
            "began": self.began.isoformat(),
            "received": {day.isoformat(): count for day, count in self.received.items()},
            "refused": {day.isoformat(): _copied(refused) for day, refused in self.refused.items()},
        }

    @classmethod
    def resume(cls, partition: Partition, bookmark: dict[str, Any]) -> Chain:
        return cls(
            partition,
            datetime.fromisoformat(bookmark["began"]),
            resumed=True,
            received=Counter({date.fromisoformat(day): count for day, count in bookmark["received"].items()}),
            refused={date.fromisoformat(day): _copied(causes) for day, causes in bookmark["refused"].items()},
        )


def _add(refused: dict[date, Refused], verdict: Verdict, count: int = 1) -> None:
    """Count one more (or less) of this kind; what is down to none is not named."""
    causes = refused.setdefault(verdict.day, {})
    by_type = causes.setdefault(str(verdict.cause), {})
    by_type[verdict.type_id] = by_type.get(verdict.type_id, 0) + count
    if not by_type[verdict.type_id]:
        del by_type[verdict.type_id]
        if not by_type:
            del causes[str(verdict.cause)]


def _copied(causes: Refused) -> Refused:
    return {cause: dict(by_type) for cause, by_type in causes.items()}
