"""Rows the PMS no longer brings: who may be called missing, on what proof, and how many before a person must look.

Pure. An absence is only worth something where the whole of a stretch was read; a single page that failed, or a chain
that was gone on with in its middle, proves nothing about anybody.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from app.errors import RunsheetError

#: So many rows of a day may go without anybody being asked, or this share of the day (in percent), if that is more.
FEW = 3
SHARE_PERCENT = 30


class Unproven(RunsheetError):
    """Somebody tried to conclude from a reading that was not whole. A mistake of ours, never of the vendor's."""


class Answer(StrEnum):
    """What the PMS says of one id that its list did not bring."""

    GONE = "gone"
    THERE = "there"  # the list forgot it, the PMS knows it
    UNKNOWN = "unknown"  # not asked yet, or the answer says nothing


class Removal(StrEnum):
    """Why a row was removed."""

    GONE = "gone"  # the PMS said that it has no such id
    UNSEEN_TWICE = "unseen_twice"  # of a vendor that cannot be asked by id: two whole readings lacked it
    RELEASED = "released"  # a person let a held removal through


@dataclass(frozen=True, slots=True)
class Proof:
    """How a stretch was read.

    ended: its chain of pages came to its end. from_start: by this reading, from the first page on. nameless: records
    that could not be read and do not even tell their id; any of them may be the one that seems to be missing.
    by_id: a candidate can be asked for by its id, which settles that question.
    """

    ended: bool
    from_start: bool = True
    nameless: int = 0
    by_id: bool = True

    @property
    def holds(self) -> bool:
        return self.ended and self.from_start and (self.by_id or not self.nameless)


def candidates(stored: Collection[str], seen: Collection[str], proof: Proof) -> list[str]:
    """Ids stored for a stretch that its reading did not bring, in a fixed order. Raises Unproven for half a reading."""
    if not proof.holds:
        raise Unproven("A reading that is not whole says nothing about who is missing.")
    return sorted(set(stored) - set(seen))


def is_held(vanished: int, of: int) -> bool:
    """Whether a person must look first: more than three rows, and more than 30 % of the day's."""
    return vanished > FEW and vanished * 100 > of * SHARE_PERCENT
