"""The clinic's clock: the real one, unless somebody at the control page has set it; and its wall times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app import clock


def local(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """That minute of the local day in UTC; a wall time the spring change skips lands an hour later."""
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)


class ClinicClock:
    """Moves the patients. Tokens and rate limits keep to the real clock, as they do at the vendor's."""

    def __init__(self) -> None:
        self._frozen: datetime | None = None
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The clinic's present instant, aware, UTC."""
        return self._frozen or clock.now() + self._ahead

    @property
    def altered(self) -> bool:
        return self._frozen is not None or bool(self._ahead)

    def freeze(self, at: datetime) -> None:
        self._frozen = at.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        """Put the clock forward (or back); a frozen clock stays frozen at the new instant."""
        if self._frozen is not None:
            self._frozen += by
        else:
            self._ahead += by

    def reset(self) -> None:
        self._frozen, self._ahead = None, timedelta()
