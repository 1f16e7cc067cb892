"""Ids a whole reading did not bring, carried from the sweep to reconciliation in the run's checkpoint.

In the checkpoint, so that a run that was killed in between goes on with them: what its sweep found is not read twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.domain.orphans import Proof, candidates
from app.pms.port import Partition
from app.store import removals
from app.store.removals import Stretch
from app.sync.context import Checkpoint, SyncContext

_UNSEEN, _UNPROVEN = "unseen", "unproven"


@dataclass(frozen=True, slots=True)
class Unseen:
    """What one stretch lacked."""

    stretch: Stretch
    ids: frozenset[str]


def missing(session: Session, ctx: SyncContext, partition: Partition, seen: Collection[str], proof: Proof) -> list[str]:
    """Ids stored for this partition that its reading did not bring. Raises Unproven."""
    stored = removals.expected_ids(session, ctx.connection_id, stretch_of(partition))
    return candidates(stored, seen, proof)


def noted(checkpoint: Checkpoint, partition: Partition, ids: list[str] | None) -> Checkpoint:
    """The checkpoint with what this partition lacked. None: its reading proved nothing about anybody."""
    found = {key: value for key, value in checkpoint.get(_UNSEEN, {}).items() if key != partition.key}
    unproven = [key for key in checkpoint.get(_UNPROVEN, ()) if key != partition.key]
    if ids is None:
        unproven.append(partition.key)
    elif ids:
        stretch = stretch_of(partition)
        found[partition.key] = {
            "who": stretch.practitioner_id,
            "start": stretch.start.isoformat(),
            "end": stretch.end.isoformat(),
            "ids": ids,
        }
    return {**checkpoint, _UNSEEN: found, _UNPROVEN: unproven}


def of(checkpoint: Checkpoint) -> Iterator[Unseen]:
    for one in checkpoint.get(_UNSEEN, {}).values():
        start, end = datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"])
        yield Unseen(Stretch(one["who"], start, end), frozenset(one["ids"]))


def all_proven(checkpoint: Checkpoint) -> bool:
    """Whether every stretch was read in a way that says who is missing."""
    return not checkpoint.get(_UNPROVEN)


def stretch_of(partition: Partition) -> Stretch:
    return Stretch(partition.practitioner_id, partition.window.start, partition.window.end)
