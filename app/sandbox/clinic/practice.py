"""One practice as it is now: its cast, its generated days, and what people have changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.sandbox.clinic.cast import Cast
from app.sandbox.clinic.clock import local
from app.sandbox.clinic.model import Tenant, Visit
from app.sandbox.clinic.progress import held_still

#: (zone, local date) -> that day's visits. Pure.
Generator = Callable[[ZoneInfo, date], list[Visit]]

#: Where the practice tells no zone, its clocks still show some time.
HOUSE_ZONE = "Australia/Melbourne"

#: An id nobody has listed yet is looked for this many days around today.
_DAYS_BACK, _DAYS_AHEAD = 45, 75


class Overlay(NamedTuple):
    """What a record says by order of a person: these fields instead of the clinic's, and these names not at all."""

    fields: dict[str, object]
    drop: frozenset[str] = frozenset()

    def over(self, record: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in {**record, **self.fields}.items() if name not in self.drop}


class Practice:
    """Not thread-safe by itself: the world's lock is held around every use."""

    def __init__(self, cast: Cast, generate: Generator | None, moves: bool) -> None:
        self.tenant = cast.tenant
        self.practitioners = {person.id: person for person in cast.practitioners}
        self.types = {kind.id: kind for kind in cast.types}
        self.patients = {person.id: person for person in cast.patients}
        self.sites = {site.id: site for site in cast.sites}
        #: What somebody has put into the vendor's record by hand, by the record's id.
        self.raw: dict[str, Overlay] = {}
        self._generate = generate
        self._moves = moves
        self._days: dict[date, dict[str, list[Visit]]] = {}
        self._known: dict[str, Visit] = {}
        #: Visits that are not as generated: changed, booked by hand, or deleted (None).
        self._edited: dict[str, Visit | None] = {}

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tenant.zone or HOUSE_ZONE)

    def set_tenant(self, tenant: Tenant) -> None:
        """A new zone means new instants for every generated day."""
        if tenant.zone != self.tenant.zone:
            self._days.clear()
            self._known.clear()
        self.tenant = tenant

    @property
    def booked_by_hand(self) -> int:
        return len(self._edited)

    # --- appointments -------------------------------------------------------------------------------------------

    def visits(self, first: datetime, last: datetime, at: datetime, practitioner_id: str | None = None) -> list[Visit]:
        """Visits that start from `first` to `last`, both included, as the book stands at `at`; by start, then id."""
        found = [
            visit
            for visit in (*self._generated(first, last, practitioner_id), *self._by_hand(practitioner_id))
            if first <= visit.starts_at <= last and (visit.booked_at is None or visit.booked_at <= at)
        ]
        return sorted(found, key=lambda visit: (visit.starts_at, visit.id))

    def visit(self, visit_id: str, at: datetime) -> Visit | None:
        """One visit, or None where the book holds none at `at`."""
        found = self._edited[visit_id] if visit_id in self._edited else self._find(visit_id, at)
        return None if found is None or (found.booked_at or at) > at else found

    def put_visit(self, visit: Visit) -> None:
        self._edited[visit.id] = visit

    def delete_visit(self, visit_id: str) -> None:
        """From now on nobody knows it, however often its day is generated."""
        self._edited[visit_id] = None

    def _generated(self, first: datetime, last: datetime, practitioner_id: str | None) -> Iterator[Visit]:
        if self._generate is None:
            return
        day, end = first.astimezone(self.zone).date(), last.astimezone(self.zone).date()
        while day <= end:
            lists = self._day(day)
            rows: Iterable[Visit]
            if practitioner_id is None:
                rows = {visit.id: visit for row in lists.values() for visit in row}.values()
            else:
                rows = lists.get(practitioner_id, ())
            yield from (visit for visit in rows if visit.id not in self._edited)
            day += timedelta(days=1)

    def _by_hand(self, practitioner_id: str | None) -> Iterator[Visit]:
        for visit in self._edited.values():
            if visit is not None and (practitioner_id is None or practitioner_id in visit.practitioner_ids):
                yield visit

    def _day(self, day: date) -> dict[str, list[Visit]]:
        """That date's visits by practitioner; a joint visit stands in both lists."""
        if day not in self._days:
            assert self._generate is not None
            midnight = local(day, 0, self.zone)
            lists: dict[str, list[Visit]] = {}
            for made in self._generate(self.zone, day):
                visit = made if self._moves else held_still(made, midnight)
                self._known[visit.id] = visit
                for who in visit.practitioner_ids:
                    lists.setdefault(who, []).append(visit)
            self._days[day] = lists
        return self._days[day]

    def _find(self, visit_id: str, at: datetime) -> Visit | None:
        """A generated visit by its id, which does not tell its date: days are made outwards from today."""
        if self._generate is None or visit_id in self._known:
            return self._known.get(visit_id)
        today = at.astimezone(self.zone).date()
        for offset in sorted(range(-_DAYS_BACK, _DAYS_AHEAD + 1), key=abs):
            self._day(today + timedelta(days=offset))
            if visit_id in self._known:
                return self._known[visit_id]
        return None

    # --- records said otherwise ---------------------------------------------------------------------------------

    def set_raw(self, record_id: str, fields: dict[str, object], drop: Iterable[str]) -> None:
        """Let the vendor's record of that id say `fields` and lack `drop`, whatever the clinic holds."""
        kept = self.raw.get(record_id, Overlay({}))
        self.raw[record_id] = Overlay({**kept.fields, **fields}, (kept.drop | set(drop)) - set(fields))
