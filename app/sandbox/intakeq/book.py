"""The account as it is now: its people, its generated days, and what people have changed since."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from app.errors import InvalidInput, NotFound, SettingsError
from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.intakeq import cast
from app.sandbox.intakeq.day import as_of, day_of, days
from app.sandbox.intakeq.model import (
    Client,
    Edit,
    Planned,
    Practitioner,
    PutClient,
    PutPractitioner,
    PutRaw,
    PutVisit,
    Visit,
)

#: A list without dates, and a search for one id, look this many days around today.
_AROUND = 200
DELETED_FOR = timedelta(days=10)


class Asked(NamedTuple):
    """A list query. `since`, `first` and `last` are dates of the account; `client` is as typed."""

    first: date | None = None
    last: date | None = None
    since: date | None = None
    status: str | None = None
    email: str | None = None
    client: str | None = None
    deleted: bool = False


class Book:
    """Hold `lock` around readings that must fit together; `commit` takes it by itself."""

    def __init__(self, seed: str | None, clock: ClinicClock, journal: Path | None) -> None:
        """seed None: an account whose book is empty. journal: where edits are kept; None keeps them in memory."""
        self._seed = seed
        self.clock = clock
        self._journal = journal
        self.zone = ZoneInfo(cast.ZONE)
        self.lock = threading.RLock()
        self._open()
        for edit in self._replay():
            self._apply(edit)

    def _open(self) -> None:
        self.practitioners = {one.id: one for one in cast.PRACTITIONERS}
        self.clients = {one.id: one for one in cast.clients()}
        self.raw: dict[str, PutRaw] = {}
        self._edited: dict[str, Visit] = {}
        self._days: dict[date, list[Planned]] = {}
        self._known: dict[str, Planned] = {}

    def reset(self) -> None:
        """As on the first day: no edits, no journal."""
        with self.lock:
            if self._journal is not None:
                self._journal.unlink(missing_ok=True)
            self._open()

    # --- changing -------------------------------------------------------------------------------------------------

    def commit(self, edit: Edit) -> None:
        """Carry out and remember."""
        with self.lock:
            self._apply(edit)
            if self._journal is not None:
                self._journal.parent.mkdir(parents=True, exist_ok=True)
                with self._journal.open("ab") as file:
                    file.write(msgspec.json.encode(edit) + b"\n")

    def _apply(self, edit: Edit) -> None:
        match edit:
            case PutVisit(visit):
                self._edited[visit.id] = visit
            case PutClient(client):
                self.clients[client.id] = client
            case PutPractitioner(practitioner):
                self.practitioners[practitioner.id] = practitioner
            case PutRaw(id_):
                self.raw[id_] = edit

    def _replay(self) -> Iterator[Edit]:
        if self._journal is None or not self._journal.exists():
            return
        whole, _, torn = self._journal.read_bytes().rpartition(b"\n")
        if torn:  # by a crash: cut off, so that the next line begins where it should
            self._journal.write_bytes(whole + b"\n" if whole else b"")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield msgspec.json.decode(line, type=Edit)
            except msgspec.DecodeError as error:
                raise SettingsError(f"Line {number} of {self._journal} cannot be read: {error}") from error

    # --- asking ---------------------------------------------------------------------------------------------------

    def visits(self, asked: Asked) -> list[Visit]:
        """What the list shows of a query, newest first."""
        today = self.clock.now().astimezone(self.zone).date()
        first = asked.first or today - timedelta(days=_AROUND)
        last = asked.last or today + timedelta(days=_AROUND)
        found = [one for one in self._all(first, last) if self._wanted(one, asked, first, last)]
        return sorted(found, key=lambda one: (one.starts_at, one.id), reverse=True)

    def visit(self, visit_id: str) -> Visit:
        """One visit that is not deleted. Raises NotFound."""
        found = self._edited.get(visit_id) or self._generated(visit_id)
        if found is None or found.deleted_at is not None:
            raise NotFound("There is no such appointment.")
        return found

    def practitioner(self, practitioner_id: str | None) -> Practitioner:
        """The first, where nobody is named. Raises InvalidInput."""
        if practitioner_id is None:
            return next(iter(self.practitioners.values()))
        if practitioner_id not in self.practitioners:
            raise InvalidInput("This account has no such practitioner.")
        return self.practitioners[practitioner_id]

    def client(self, client_id: int | None) -> Client:
        """The first, where nobody is named. Raises InvalidInput."""
        if client_id is None:
            return next(iter(self.clients.values()))
        if client_id not in self.clients:
            raise InvalidInput("This account has no such client.")
        return self.clients[client_id]

    def _all(self, first: date, last: date) -> Iterator[Visit]:
        now = self.clock.now()
        for day in days(first, last):
            for planned in self._day(day):
                if planned.visit.id not in self._edited:
                    yield as_of(planned, now)
        yield from self._edited.values()

    def _wanted(self, one: Visit, asked: Asked, first: date, last: date) -> bool:
        now = self.clock.now()
        if one.deleted_at is not None and one.deleted_at < now - DELETED_FOR:
            return False
        if (one.deleted_at is not None) != asked.deleted or not first <= self._date(one.starts_at) <= last:
            return False
        if asked.since is not None and self._date(one.deleted_at or one.modified_at) < asked.since:
            return False
        if asked.status is not None and one.status != asked.status:
            return False
        if asked.email is not None and self.practitioners[one.practitioner_id].email != asked.email:
            return False
        return asked.client is None or self.is_meant(self.clients[one.client_id], asked.client)

    @staticmethod
    def is_meant(client: Client, typed: str) -> bool:
        return typed == str(client.id) or any(
            typed.lower() in text.lower() for text in (client.name, client.email or "") if text
        )

    def _date(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def _day(self, day: date) -> list[Planned]:
        if self._seed is None:
            return []
        if day not in self._days:
            self._days[day] = day_of(self._seed, self.zone, day)
            self._known |= {planned.visit.id: planned for planned in self._days[day]}
        return self._days[day]

    def _generated(self, visit_id: str) -> Visit | None:
        """By its id, which does not tell its date: days are made outwards from today."""
        today = self._date(self.clock.now())
        for offset in sorted(range(-_AROUND, _AROUND + 1), key=abs):
            if visit_id in self._known:
                break
            self._day(today + timedelta(days=offset))
        planned = self._known.get(visit_id)
        return None if planned is None else as_of(planned, self.clock.now())
