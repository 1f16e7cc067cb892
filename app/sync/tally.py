"""What a phase counts. received = created + updated + unchanged + skipped + quarantined, always."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.store.models import SyncPhase

SET_ASIDE = "setAside"


@dataclass(slots=True)
class Tally:
    """Filed even when the phase raises, so that a failed run shows how far it came."""

    phase: str
    complete: bool = False
    reason: str | None = None
    fetched: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    quarantined: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    details: dict[str, Any] = field(default_factory=dict)
    duration_ms: int = 0

    @property
    def adds_up(self) -> bool:
        told = self.created + self.updated + self.unchanged + self.skipped.total() + self.quarantined
        return self.fetched == told

    def set_aside(self, new: int, ignored: int) -> None:
        """Of the quarantined: how many are news, and how many a person has settled already."""
        if new or ignored:
            told = self.details.get(SET_ASIDE, {})
            self.details[SET_ASIDE] = {
                "new": told.get("new", 0) + new,
                "ignored": told.get("ignored", 0) + ignored,
            }

    @property
    def news(self) -> int:
        """Records set aside that nobody was told of before."""
        return int(self.details.get(SET_ASIDE, {}).get("new", 0))

    @property
    def unsettled(self) -> int:
        """Quarantined records that nobody has decided to ignore: they are what a run is judged by."""
        return self.quarantined - int(self.details.get(SET_ASIDE, {}).get("ignored", 0))

    @classmethod
    def of(cls, record: SyncPhase) -> Tally:
        """As it was filed."""
        return cls(
            phase=record.phase,
            complete=record.complete,
            reason=record.reason,
            fetched=record.fetched,
            created=record.created,
            updated=record.updated,
            unchanged=record.unchanged,
            removed=record.removed,
            quarantined=record.quarantined,
            skipped=Counter(record.skipped),
            details=dict(record.details),
            duration_ms=record.duration_ms,
        )

    def columns(self) -> dict[str, Any]:
        """As `pms_sync_phases` keeps it."""
        return {
            "complete": self.complete,
            "reason": self.reason,
            "fetched": self.fetched,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "quarantined": self.quarantined,
            "skipped": dict(self.skipped),
            "details": self.details,
            "duration_ms": self.duration_ms,
        }

    def run_columns(self) -> dict[str, int]:
        """As `pms_sync_log` keeps what became of the appointments."""
        return {
            "appointments_fetched": self.fetched,
            "appointments_created": self.created,
            "appointments_updated": self.updated,
            "appointments_unchanged": self.unchanged,
            "appointments_skipped": self.skipped.total(),
            "appointments_removed": self.removed,
            "appointments_quarantined": self.quarantined,
        }

    def as_json(self) -> dict[str, Any]:
        """As the command line and the API show it."""
        return {
            "complete": self.complete,
            "reason": self.reason,
            "fetched": self.fetched,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "skipped": dict(self.skipped),
            "quarantined": self.quarantined,
            "durationMs": self.duration_ms,
        }


#: The phases that read and write appointments of the sheet.
_OF_THE_SHEET = ("inbound", "changes", "reconciliation")


def run_counts(tallies: Iterable[Tally]) -> dict[str, int]:
    """What became of the appointments over a whole run, as `pms_sync_log` keeps it."""
    counts = Counter(Tally("").run_columns())
    for tally in tallies:
        if tally.phase in _OF_THE_SHEET:
            counts.update(tally.run_columns())
    return dict(counts)
