"""Fetched rows + what is stored = what to write. The heart of an idempotent sync, and pure.

A row is a mapping of the columns the PMS owns, with its content fingerprint. Nothing here knows a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

Row = TypeVar("Row")


class Stored(NamedTuple):
    """What deciding needs of a row that is already there."""

    fingerprint: bytes
    hidden_cause: str | None
    removed: bool
    version: int = 1


@dataclass(slots=True)
class Plan(Generic[Row]):
    """What one page asks of the store. `same` rows are not written at all."""

    creates: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    same: int = 0


def fingerprint(*values: bytes) -> bytes:
    """16 bytes that change when, and only when, the content does."""
    digest = hashlib.blake2b(digest_size=16)
    for value in values:
        digest.update(len(value).to_bytes(4, "big"))
        digest.update(value)
    return digest.digest()


def decide(rows: Iterable[tuple[str, bytes, Row]], stored: Mapping[str, Stored], *, rewrite: bool = False) -> Plan[Row]:
    """Sort a page into creates, updates and the same.

    rows: (external id, fingerprint, row). A row that is hidden or tombstoned counts as an update when it is met
    again, so that it comes back. `rewrite` treats every stored row as changed (a full re-read).
    """
    plan: Plan[Row] = Plan()
    for external_id, print_, row in rows:
        known = stored.get(external_id)
        if known is None:
            plan.creates.append(row)
        elif rewrite or known.fingerprint != print_ or known.hidden_cause or known.removed:
            plan.updates.append(row)
        else:
            plan.same += 1
    return plan
