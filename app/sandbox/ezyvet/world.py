"""The hospital as it stands: its cast, its generated days, and what people have changed since."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.ezyvet import cast
from app.sandbox.ezyvet.cast import Record
from app.sandbox.ezyvet.day import Day, day_of_id, epoch, made_day, week_around

#: Tables whose rows belong to days.
DAILY = frozenset({
    "appointment", "consult", "history", "physicalexam", "healthstatus", "assessment", "plan", "therapeutic",
    "presentingproblemlink", "prescription", "prescriptionitem", "vaccination", "invoiceline", "diagnosticresult",
})  # fmt: skip
TABLES = frozenset(cast.tables()) | DAILY
#: Ids of what is booked or written by hand.
_BY_HAND_FROM = 10_000

_LONGEST_DAYS = 40


class World:
    """Hold `lock` around every reading that must fit together; `put` and `remove` take it themselves."""

    def __init__(self, seed: str, path: Path | None, *, generated: bool, moves: bool) -> None:
        self.lock = threading.RLock()
        self.clock = ClinicClock()
        self._seed, self._path, self._generated, self._moves = seed, path, generated, moves
        self._days: dict[date, Day] = {}
        self._edits: dict[str, dict[int, Record | None]] = {}
        self._cast = cast.tables()
        for resource, id_, fields in self._replay():
            self._apply(resource, id_, fields)

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    # --- reading --------------------------------------------------------------------------------------------------

    def records(self, resource: str, days: Iterable[date] | None = None) -> list[Record]:
        """A table as of now, by id. days: where a daily table need be looked at; None for the days around today."""
        now, edits = self.now, self._edits.get(resource, {})
        found: dict[int, Record] = {}
        for record in self._made(resource, days, now):
            found[int(str(record["id"]))] = record
        for id_, fields in edits.items():
            if fields is None:
                found.pop(id_, None)
            else:
                found[id_] = dict(fields)
        return [found[id_] for id_ in sorted(found)]

    def record(self, resource: str, id_: int) -> Record | None:
        day = day_of_id(id_) if resource in DAILY else None
        return next((one for one in self.records(resource, [day] if day else []) if one["id"] == id_), None)

    def on(self, day: date) -> list[Record]:
        """The appointments of a local day, those taken out too."""
        zone = ZoneInfo(cast.ZONE)
        near = [day + timedelta(days=offset) for offset in (-1, 0, 1)]
        return [
            one
            for one in self.records("appointment", near)
            if datetime.fromtimestamp(int(str(one["start_at"])), zone).date() == day
        ]

    def _made(self, resource: str, days: Iterable[date] | None, now: int) -> Iterator[Record]:
        if resource not in DAILY:
            yield from self._cast.get(resource, ())
            return
        if not self._generated:
            return
        wanted = sorted(set(week_around(self.clock.now()) if days is None else days))
        for day in wanted[:_LONGEST_DAYS]:
            if day not in self._days:
                self._days[day] = made_day(self._seed, day)
            at = now if self._moves else epoch(day, 0)  # a day on which nothing moves stays as it began
            for row in self._days[day].get(resource, ()):
                record = row.at(at)
                if record is not None:
                    yield record

    # --- changing -------------------------------------------------------------------------------------------------

    def put(self, resource: str, fields: Record, id_: int | None = None) -> Record:
        """Change a record, or (without an id, or with one nobody has) make it. Remembered."""
        with self.lock:
            known = self.record(resource, id_) if id_ is not None else None
            id_ = id_ or self._free_id(resource)
            stamps: Record = {"modified_at": self.now}
            if known is None:
                stamps |= {"id": id_, "created_at": self.now}
            self._remember(resource, id_, {**(known or {}), **stamps, **fields})  # whole: it may leave its day
            found = self.record(resource, id_)
            assert found is not None
            return found

    def remove(self, resource: str, id_: int) -> None:
        """From now on nobody knows it."""
        with self.lock:
            self._remember(resource, id_, None)

    def reset(self) -> None:
        """As on the first day, its journal empty."""
        with self.lock:
            self._edits.clear()
            self.clock.reset()
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    def _free_id(self, resource: str) -> int:
        return (
            max((id_ for id_ in self._edits.get(resource, {}) if id_ < 10 * _BY_HAND_FROM), default=_BY_HAND_FROM) + 1
        )

    def _remember(self, resource: str, id_: int, fields: Record | None) -> None:
        self._apply(resource, id_, fields)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps([resource, id_, fields]) + "\n")

    def _apply(self, resource: str, id_: int, fields: Record | None) -> None:
        self._edits.setdefault(resource, {})[id_] = fields

    def _replay(self) -> Iterator[tuple[str, int, Record | None]]:
        """Every edit in order; a last line that was torn by a crash is left out."""
        if self._path is None or not self._path.exists():
            return
        whole, _, _ = self._path.read_text().rpartition("\n")
        for line in whole.splitlines():
            resource, id_, fields = json.loads(line)
            yield resource, id_, fields
