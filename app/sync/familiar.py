"""Pages that came before, unchanged, and whose rows still stand: nothing of them is read, decided or written again.

A page is remembered once its chain has ended, and only where reading it again could bring nothing else: every record
readable, each id once, every status word known. It is remembered for the rules, the mapper and the day it was read
with. The ids it holds count as seen, and in the account of their days, as if they had been read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b

from sqlalchemy.orm import Session

from app.domain.rules import Cause
from app.pms.port import Page, Partition
from app.store import read_pages
from app.store.read_pages import Judged, Known, Remembered
from app.sync.chain import Verdict
from app.sync.context import SyncContext
from app.sync.mapper import READ_BY


@dataclass(slots=True)
class Familiar:
    """The remembered pages of one sweep's chains."""

    ctx: SyncContext
    choices: int
    stamp: bytes

    @classmethod
    def of(cls, ctx: SyncContext, choices: int, swept: Iterable[str], today: date) -> Familiar:
        """choices: the number of the practice's choices; swept: whom the sweep asks for. Both are rules a page met."""
        made = repr((choices, sorted(swept), today, READ_BY, ctx.mapper.version))
        return cls(ctx, choices, blake2b(made.encode(), digest_size=16).digest())

    def known_to(self, partitions: Iterable[Partition]) -> list[Partition]:
        """The partitions, each with the digests of its remembered pages. None are where everything is read anew."""
        due = list(partitions)
        if self.ctx.claim.full or not due:
            return due
        with self.ctx.store.read() as session:
            known = read_pages.known(session, self.ctx.connection_id, {_chain(one): self.stamp for one in due})
        return [replace(one, known=frozenset(known[_chain(one)])) for one in due]

    def standing(self, session: Session, pages: Iterable[tuple[Partition, Page]]) -> list[Remembered | None]:
        """What each of these unread pages said; None where it must be read after all."""
        asked = [Known(_chain(partition), page.digest or b"") for partition, page in pages]
        return read_pages.standing(session, self.ctx.connection_id, asked)

    def keep(self, session: Session, partition: Partition, met: Mapping[bytes, Remembered | None]) -> None:
        """At the end of a chain. met: digests of all its pages, with what those said that were read."""
        fresh = {digest: said for digest, said in met.items() if said is not None}
        read_pages.remember(session, self.ctx.source(), _chain(partition), self.stamp, fresh)
        read_pages.forget(session, self.ctx.connection_id, _chain(partition), set(partition.known) - met.keys())


def _chain(partition: Partition) -> bytes:
    """A chain of pages is of one practitioner and one stretch of time."""
    window = partition.window
    words = repr((partition.key, partition.practitioner_id, window.start, window.end))
    return blake2b(words.encode(), digest_size=16).digest()


def verdicts(said: Remembered) -> Iterable[tuple[Verdict, Sequence[str]]]:
    """What a remembered page said, and of which ids."""
    for day, cause, type_id, ids in said.judged:
        yield Verdict(day, None if cause is None else Cause(cause), type_id), ids


def remembered(page: Mapping[str, Verdict], versions: int) -> Remembered:
    """What a page just read said, by id. versions: the row_versions of what it shows, added up."""
    grouped: dict[Verdict, list[str]] = defaultdict(list)
    for id_, verdict in page.items():
        grouped[verdict].append(id_)
    judged = tuple(Judged(*verdict, ids) for verdict, ids in grouped.items())
    return Remembered(judged, sum(len(one.ids) for one in judged if one.cause is None), versions)
