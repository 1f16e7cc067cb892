"""The clinic as it is now: its people, its generated days, and what somebody has changed since."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from app.errors import InvalidInput, NotFound
from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.stage.cast import Setup, cast_of
from app.sandbox.stage.day import as_of, day_of, days
from app.sandbox.stage.journal import Journal
from app.sandbox.stage.model import (
    Edit,
    Kind,
    Patient,
    Person,
    Planned,
    PutKind,
    PutPatient,
    PutPerson,
    PutRaw,
    PutVisit,
    Visit,
)

#: An id nobody has listed yet is looked for this many days around today.
_AROUND = 120
Row = TypeVar("Row", Person, Kind, Patient)


class Book:
    """Hold `lock` around readings that must fit together; `commit` takes it by itself."""

    def __init__(self, setup: Setup, seed: str | None, clock: ClinicClock, journal: Journal) -> None:
        """seed None: a clinic whose book is empty."""
        self.setup, self.clock, self._seed, self._journal = setup, clock, seed, journal
        self.zone = ZoneInfo(setup.zone)
        self.lock = threading.RLock()
        self._open()
        for edit in journal.replay():
            self._apply(edit)

    def _open(self) -> None:
        self._cast = cast_of(self.setup)
        self.people = {one.id: one for one in self._cast.people}
        self.kinds = {one.id: one for one in self._cast.kinds}
        self.places = {one.id: one for one in self._cast.places}
        self.patients = {one.id: one for one in self._cast.patients}
        self.raw: dict[str, PutRaw] = {}
        self._edited: dict[str, Visit] = {}
        self._days: dict[date, list[Planned]] = {}
        self._known: dict[str, Planned] = {}

    def reset(self) -> None:
        """As on the first day: no edits, no journal."""
        with self.lock:
            self._journal.forget()
            self._open()

    # --- changing -------------------------------------------------------------------------------------------------

    def commit(self, edit: Edit) -> None:
        """Carry out and remember."""
        with self.lock:
            self._apply(edit)
            self._journal.append(edit)

    def _apply(self, edit: Edit) -> None:
        match edit:
            case PutVisit(visit):
                self._edited[visit.id] = visit
            case PutPatient(patient):
                self.patients[patient.id] = patient
            case PutPerson(person):
                self.people[person.id] = person
            case PutKind(kind):
                self.kinds[kind.id] = kind
            case PutRaw(id_, fields, drop):
                kept = self.raw.get(id_, PutRaw(id_))
                dropped = (set(kept.drop) | set(drop)) - set(fields)
                self.raw[id_] = PutRaw(id_, {**kept.fields, **fields}, tuple(sorted(dropped)))

    # --- asking ---------------------------------------------------------------------------------------------------

    def between(self, first: datetime, last: datetime, *, deleted: bool = False) -> list[Visit]:
        """Visits that start from `first` to before `last`, by start, then id. deleted: those who are gone, instead."""
        found = [
            one
            for one in self._all(first.astimezone(self.zone).date(), last.astimezone(self.zone).date())
            if first <= one.starts_at < last and (one.deleted_at is not None) == deleted
        ]
        return sorted(found, key=lambda one: (one.starts_at, one.id))

    def changed_since(self, since: datetime, around_days: int = 30) -> list[Visit]:
        """Visits around today that were made or changed at `since` or later, gone ones too; the oldest change first."""
        today = self.today()
        span = timedelta(days=around_days)
        found = [one for one in self._all(today - span, today + span) if one.modified_at >= since]
        return sorted(found, key=lambda one: (one.modified_at, one.id))

    def visit(self, visit_id: str) -> Visit:
        """One visit that is not gone. Raises NotFound."""
        found = self._edited.get(visit_id) or self._generated(visit_id)
        if found is None or found.deleted_at is not None:
            raise NotFound("There is no such appointment.")
        return found

    def person(self, person_id: str | None) -> Person:
        """The first, where nobody is named. Raises InvalidInput."""
        return self._one(self.people, person_id)

    def kind(self, kind_id: str | None) -> Kind:
        """The first, where none is named. Raises InvalidInput."""
        return self._one(self.kinds, kind_id)

    def patient(self, patient_id: str | None) -> Patient:
        """The first, where nobody is named. Raises InvalidInput."""
        return self._one(self.patients, patient_id)

    def today(self) -> date:
        return self.clock.now().astimezone(self.zone).date()

    def said(self, record_id: str, record: dict[str, object]) -> dict[str, object]:
        """The record, or what somebody has made of it by an order."""
        raw = self.raw.get(record_id)
        if raw is None:
            return record
        return {name: value for name, value in {**record, **raw.fields}.items() if name not in raw.drop}

    @staticmethod
    def _one(rows: dict[str, Row], row_id: str | None) -> Row:
        if row_id is None:
            return next(iter(rows.values()))
        if row_id not in rows:
            raise InvalidInput(f"This clinic has no {row_id}.")
        return rows[row_id]

    def _all(self, first: date, last: date) -> Iterator[Visit]:
        now = self.clock.now()
        for day in days(first, last):
            for planned in self._day(day):
                if planned.visit.id not in self._edited:
                    yield as_of(planned, now)
        yield from self._edited.values()

    def _day(self, day: date) -> list[Planned]:
        if self._seed is None:
            return []
        if day not in self._days:
            self._days[day] = day_of(self.setup, self._cast, self._seed, day)
            self._known |= {planned.visit.id: planned for planned in self._days[day]}
        return self._days[day]

    def _generated(self, visit_id: str) -> Visit | None:
        """By its id, which does not tell its date: days are made outwards from today."""
        for offset in sorted(range(-_AROUND, _AROUND + 1), key=abs):
            if visit_id in self._known:
                break
            self._day(self.today() + timedelta(days=offset))
        planned = self._known.get(visit_id)
        return None if planned is None else as_of(planned, self.clock.now())
