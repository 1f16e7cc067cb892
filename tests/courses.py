"""Any course of events of a practice: edits, syncs, choices, moves, deletions; and what must hold after every step.

One machine, over whatever stands for the vendor. It looks at the tables from outside, writes down what it sees, and at
the end asks for every instant again:

- what staff wrote changes by a person's own act alone, and whatever changes is told by an event with its cause;
- no row is ever lost, and one that is not shown says why;
- the status shown follows the rule, which is written here a second time;
- a sheet's version rises exactly when something visible changed;
- what was read of a day is shown, or hidden by a cause that is counted;
- the sheet as it stood at every instant is the one that was seen then.

`RUNSHEET_COURSES=500` draws as many courses, longer ones. A failure prints its steps and a `@reproduce_failure` line;
`-p randomly_seed` (printed at the top of every run) brings back the same draw.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.domain.runsheet import Row, RowFacts
from app.domain.status import STAFF_STATUSES, Status, Word, may_move
from app.domain.window import day_of, zone_of
from app.errors import InvalidInput
from app.store import catalogue, connections, history, holds, practices, replay, row_words, rows
from app.store.models import Appointment, AppointmentEvent, RunSheet
from app.store.models.sync import HoldState, RunState
from app.store.rows import UNDO_FOR, ChangedMeanwhile, WalkIn
from tests.domain.test_status import WINS_LATER
from tests.fakes.house import House

LONG = int(os.environ.get("RUNSHEET_COURSES", "0"))
#: Seconds a test of courses may take; 0 is for ever.
PATIENCE = 0 if LONG else 180
#: Not part of a list: a page of the day has no use for them.
ONLY_ALONE = {"phone": None, "email": None, "birth_date": None, "comment": None}
STAFF = tuple(name for name in Appointment.__table__.columns.keys() if name.startswith("staff_"))  # noqa: SIM118


class Vendor(ABC):
    """What can happen at the vendor's end. Ids are the vendor's."""

    words: tuple[str, ...]

    @abstractmethod
    def books(self, day: date, hour: int, type_: str) -> str: ...
    @abstractmethod
    def says(self, id_: str, word: str) -> None: ...
    @abstractmethod
    def moves(self, id_: str, day: date, hour: int) -> None: ...
    @abstractmethod
    def comments(self, id_: str, text: str) -> None: ...
    @abstractmethod
    def hands_over(self, id_: str, to: int) -> None: ...
    @abstractmethod
    def deletes(self, id_: str) -> None: ...


@dataclass
class Seen:
    """The practice at one moment, from outside."""

    at: datetime
    rows: dict[UUID, dict[str, Any]]
    events: dict[UUID, AppointmentEvent]
    versions: dict[date, int]  # 0 where there is no sheet yet
    around: dict[date, tuple[Any, ...]]  # what its banners say: of the connection's health, of held removals
    days: dict[date, dict[UUID, Row]]
    digests: dict[str, dict[str, str]]


@dataclass
class Spoken:
    """What the rule needs to know of a row: who said what at which step."""

    pms_step: int = 0
    staff_step: int = -1
    kept_step: int = -1  # the pms_step that was decided about
    before: dict[UUID, tuple[int, int]] = field(default_factory=dict)  # by status event: what an undo brings back


class Course(RuleBasedStateMachine):
    """Subclass with `house`, `vendor`, `first` (the first of the days) and `types` (two names, the first ticked)."""

    house: House
    vendor: Vendor
    first: date
    types: tuple[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.days = [self.first + timedelta(days=n) for n in range(3)]
        self.booked: list[str] = []  # what the vendor has now
        self.ids: list[str] = []  # what it ever had, oldest first
        self.spoken: dict[UUID, Spoken] = {}
        self.steps = 0
        self.last_status: UUID | None = None
        self.brought_back = False  # by a choice, since the last sync
        self.story: list[Seen] = []
        self.seen = self.look()

    # --- steps ----------------------------------------------------------------------------------------------------

    @initialize(count=st.integers(1, 3))
    def opens(self, count: int) -> None:
        self.house.maps_everybody()
        self.seen = self.look()
        for number in range(count):
            self.books(self.first, 9 + number, self.types[0])
        self.syncs_now()

    @rule(day=st.integers(0, 1), hour=st.integers(8, 17), type_=st.integers(0, 1))
    def vendor_books(self, day: int, hour: int, type_: int) -> None:
        self.books(self.days[day], hour, self.types[type_])

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), what=st.sampled_from(["says", "says", "moves", "comments", "hands_over", "deletes"]))
    def vendor_changes(self, data: st.DataObject, what: str) -> None:
        id_ = self.booked[data.draw(st.integers(0, len(self.booked) - 1), "appointment")]
        if what == "says":
            self.vendor.says(id_, data.draw(st.sampled_from(self.vendor.words), "word"))
        elif what == "moves":
            day = data.draw(st.sampled_from(self.days), "day")
            self.vendor.moves(id_, day, data.draw(st.integers(8, 17), "hour"))
        elif what == "comments":
            self.vendor.comments(id_, data.draw(st.sampled_from(["first", "second", "third"]), "comment"))
        elif what == "hands_over":
            self.vendor.hands_over(id_, data.draw(st.integers(0, 1), "practitioner"))
        else:
            self.booked.remove(id_)
            self.vendor.deletes(id_)

    @rule(full=st.booleans())
    def syncs(self, full: bool) -> None:
        self.syncs_now(full=full)

    @rule(on=st.sets(st.integers(0, 1)))
    def ticks(self, on: set[int]) -> None:
        self.house.clock.forward(1)
        with self.house.store.read() as session:
            known = catalogue.types_of(session, self.house.connection_id)
        self.house.ticks(*(row.pms_type_id for row in known if row.pms_type_name in {self.types[n] for n in on}))
        self.check(cause="rules")

    @rule(number=st.integers(0, 1), enabled=st.booleans())
    def wants(self, number: int, enabled: bool) -> None:
        self.house.clock.forward(1)
        with self.house.store.read() as session:
            known = [one.pms_practitioner_id for one in catalogue.mappings_of(session, self.house.connection_id)]
        self.house.wants(sorted(known)[number], enabled)
        self.check(cause="rules")

    @precondition(lambda self: self.shown())
    @rule(data=st.data(), to=st.sampled_from(STAFF_STATUSES))
    def clicks(self, data: st.DataObject, to: Status) -> None:
        row = self.chooses(data)
        if not may_move(row.status, to):
            return
        event = self.acts(
            row, lambda s, held, act: rows.set_status(s, held, to, seen_version=held.row_version, act=act)
        )
        told = self.spoken[row.facts.id]
        told.before[event.id] = told.staff_step, told.kept_step
        told.staff_step, told.kept_step, self.last_status = self.steps, -1, event.id
        self.check(cause="status")

    @precondition(lambda self: self.shown())
    @rule(data=st.data(), text=st.text("ab", max_size=2))
    def notes(self, data: st.DataObject, text: str) -> None:
        row = self.chooses(data)
        self.acts(row, lambda s, held, act: rows.set_note(s, held, text, seen_version=held.row_version, act=act))
        self.check(cause="note")

    @precondition(lambda self: self.shown())
    @rule(data=st.data(), word=st.sampled_from(Word))
    def decides(self, data: st.DataObject, word: Word) -> None:
        differing = [row for row in self.shown() if row.shown.other is not None]
        row = self.chooses(data, differing)
        try:
            event = self.acts(
                row, lambda s, held, act: rows.decide(s, held, word, seen_version=held.row_version, act=act)
            )
        except InvalidInput:
            assert row.shown.other is None
            return
        told = self.spoken[row.facts.id]
        told.before[event.id] = told.staff_step, told.kept_step
        told.kept_step, self.last_status = told.pms_step, event.id
        self.check(cause="status")

    @precondition(lambda self: self.last_status is not None)
    @rule()
    def undoes(self) -> None:
        event_id, act = self.last_status, self.house.act()
        assert event_id is not None
        event, self.last_status = self.seen.events[event_id], None
        try:
            with self.house.store.write() as session:
                rows.undo(session, self.house.practice_id, event_id, act=act)
        except InvalidInput:
            assert act.at - event.at > UNDO_FOR
            return
        told = self.spoken[event.appointment_id]
        told.staff_step, told.kept_step = told.before[event_id]
        self.check(cause="undo")

    @rule(hour=st.integers(8, 17), note=st.sampled_from([None, "knocked"]))
    def walks_in(self, hour: int, note: str | None) -> None:
        act = self.house.act()
        with self.house.store.write() as session:
            clinician = catalogue.clinicians_of(session, self.house.practice_id)[0].id
            new = WalkIn(clinician, "Wanda Walk", act.at + timedelta(minutes=hour), 15, None, note)
            rows.add_walk_in(session, self.house.practice_id, self.first, new, act=act)
        self.check(cause="walk_in")

    @precondition(lambda self: self.shown())
    @rule(data=st.data())
    def comes_late(self, data: st.DataObject) -> None:
        """Somebody writes on a row as they saw it before: nothing happens."""
        row, act = self.chooses(data), self.house.act()
        try:
            with self.house.store.write() as session:
                held = rows.locked(session, self.house.practice_id, row.facts.id)
                rows.set_note(session, held, "late", seen_version=held.row_version - 1, act=act)
            raise AssertionError("an old version was accepted")
        except ChangedMeanwhile:
            self.check(cause="nobody")

    # --- help -----------------------------------------------------------------------------------------------------

    def shown(self) -> list[Row]:
        """In the order in which they came, so that the same draw means the same row."""

        def came(row: Row) -> tuple[datetime, int]:
            id_ = row.facts.pms_appointment_id
            return row.facts.created_at, self.ids.index(id_) if id_ else -1

        return sorted((row for day in self.days for row in self.seen.days[day].values()), key=came)

    def chooses(self, data: st.DataObject, among: list[Row] | None = None) -> Row:
        rows_ = among or self.shown()
        return rows_[data.draw(st.integers(0, len(rows_) - 1), "row")]

    def books(self, day: date, hour: int, type_: str) -> None:
        self.ids.append(self.vendor.books(day, hour, type_))
        self.booked.append(self.ids[-1])

    def syncs_now(self, **more: Any) -> None:
        result = self.house.reconciles(*self.days[:2], **more)
        reasons = (None, "unknown_status", "removal_held")
        assert result.reason in reasons
        assert (result.state is RunState.SUCCESS) == (result.reason is None)
        self.check(cause="sync")

    def acts(self, row: Row, work: Any) -> Any:
        act = self.house.act()
        with self.house.store.write() as session:
            return work(session, rows.locked(session, self.house.practice_id, row.facts.id), act)

    def look(self) -> Seen:
        house = self.house
        sheets = {day: house.sheet(day) for day in self.days}
        with house.store.read() as session:
            mine = session.scalars(select(Appointment).where(Appointment.practice_id == house.practice_id)).all()
            told = session.scalars(select(AppointmentEvent).where(AppointmentEvent.practice_id == house.practice_id))
            ids = session.scalars(select(RunSheet.id).where(RunSheet.practice_id == house.practice_id)).all()
            names = [column.name for column in Appointment.__table__.columns]
            return Seen(
                at=clock.now(),
                rows={one.id: {name: getattr(one, name) for name in names} for one in mine},
                events={one.id: one for one in told},
                versions={day: sheet.version for day, sheet in sheets.items()},
                around={day: self.around(session, day) for day in self.days},
                days={day: {row.facts.id: row for row in sheet.rows} for day, sheet in sheets.items()},
                digests=replay.digests(session, ids, clock.now()),
            )

    def around(self, session: Session, day: date) -> tuple[Any, ...]:
        """How the connection does is said on the sheets of today and tomorrow; a hold on its own day's."""
        one = connections.get(session, self.house.connection_id)
        now = day_of(clock.now(), zone_of(practices.get(session, self.house.practice_id).timezone))
        near = now <= day <= now + timedelta(days=1)
        health = (one.state, one.state_reason, one.last_sync_status, one.last_sync_error) if near else ()
        held = [hold for hold in holds.standing(session, one.id) if hold.day == day and hold.state == HoldState.OPEN]
        return health, [sorted(hold.candidates) for hold in held]

    # --- what must hold -------------------------------------------------------------------------------------------

    def check(self, cause: str) -> None:
        before, now = self.seen, self.look()
        self.steps += 1
        new = [event for id_, event in now.events.items() if id_ not in before.events]
        assert before.events.keys() <= now.events.keys()
        assert before.rows.keys() <= now.rows.keys(), "a row was lost"
        for id_, row in now.rows.items():
            mine = [event for event in new if event.appointment_id == id_]
            if id_ in before.rows:
                self.is_told(before.rows[id_], row, mine)
                self.is_staffs_own(before.rows[id_], row, mine, cause)
            self.hears(id_, before.rows.get(id_), row)
        for day in self.days:
            facts = [{id_: row.facts for id_, row in one.days[day].items()} for one in (before, now)]
            was, is_ = before.versions[day], max(now.versions[day], 1)  # a sheet is made with the first, empty
            around = was > 0 and before.around[day] != now.around[day]
            assert (facts[0] != facts[1] or around) == (max(was, 1) != is_), f"the version of {day}"
            assert now.versions[day] >= before.versions[day]
            for id_, drawn in now.days[day].items():
                self.follows_the_rule(drawn, self.spoken[id_])
        self.is_shown_or_says_why(now)
        self.adds_up(now, cause)
        self.seen = now
        self.story.append(now)

    def adds_up(self, now: Seen, cause: str) -> None:
        """The account of the days that are read.

        A row that left the PMS while a choice hid it is met by no sweep. Back on the sheet it is one the PMS no longer
        knows, until the sync that follows has asked about it.
        """
        hidden = {id_ for id_, row in self.seen.rows.items() if row["hidden_cause"] is not None}
        back = any(now.rows[id_]["hidden_cause"] is None for id_ in hidden)
        self.brought_back = cause != "sync" and (self.brought_back or back)
        for day in self.days[:2]:
            received, told_of = self.house.account(day)
            assert received <= told_of if self.brought_back else received == told_of, f"the account of {day}"

    @staticmethod
    def is_told(old: dict[str, Any], row: dict[str, Any], events: list[AppointmentEvent]) -> None:
        changed = {name for name in row if name not in row_words.FORGOTTEN and row[name] != old[name]} - {"row_version"}
        assert changed == {name for event in events for name in event.changes}, "what changed is told, and nothing else"
        assert row["row_version"] - old["row_version"] == len(events)
        for event in events:
            for name, (_, to) in event.changes.items():
                assert to == replay.plain(row[name])

    @staticmethod
    def is_staffs_own(old: dict[str, Any], row: dict[str, Any], events: list[AppointmentEvent], cause: str) -> None:
        causes = {"sync": {"pms", "rules"}, "rules": {"rules"}, "nobody": set[str]()}.get(cause, {cause})
        assert {event.kind for event in events} <= causes
        written = {name for name in STAFF if row[name] != old[name]}
        if written:
            (event,) = events
            assert event.user_id is not None
            assert cause in ("status", "note", "undo")
            assert event.changes.keys() == written

    def hears(self, id_: UUID, old: dict[str, Any] | None, row: dict[str, Any]) -> None:
        """Keep account of when the PMS changed its word."""
        told = self.spoken.setdefault(id_, Spoken(pms_step=self.steps, staff_step=self.steps if old is None else -1))
        if old is None:
            return
        another = row["pms_status"] == Status.UNKNOWN and row["pms_status_raw"] != old["pms_status_raw"]
        if row["pms_status"] != old["pms_status"] or another:
            told.pms_step = self.steps

    @staticmethod
    def follows_the_rule(drawn: Row, told: Spoken) -> None:
        pms, staff, verdict = drawn.facts.pms_status, drawn.facts.staff_status, drawn.shown
        if staff is None:
            expected: tuple[Any, Any] = pms, None
        elif pms is None or pms is staff or told.kept_step == told.pms_step:
            expected = staff, None
        elif told.pms_step > told.staff_step and pms in WINS_LATER[staff]:
            expected = pms, staff
        else:
            expected = staff, pms
        assert (verdict.status, verdict.other) == expected

    def is_shown_or_says_why(self, now: Seen) -> None:
        everywhere = {id_ for rows_ in now.days.values() for id_ in rows_}
        for id_, row in now.rows.items():
            assert (id_ in everywhere) == (row["hidden_cause"] is None)
            if row["hidden_cause"] is not None:
                told = [event for event in now.events.values() if event.appointment_id == id_]
                last = max((one for one in told if "hidden_cause" in one.changes), key=lambda one: one.at)
                assert last.changes["hidden_cause"][1] == row["hidden_cause"]

    def teardown(self) -> None:
        """Every moment again, as it is told now."""
        for then in self.story:
            for day in self.days:
                with self.house.store.read() as session:
                    past = replay.day_at(session, self.house.practice_id, day, then.at)
                seen = {id_: alone(row.facts) for id_, row in then.days[day].items()}
                assert {facts.id: alone(facts) for facts in past.facts} == seen
                kept = then.digests.get(day.isoformat())
                assert kept is None or past.digest == kept["digest"]
        for (day, at), told in self.kept_by_runs().items():
            with self.house.store.read() as session:
                past = replay.day_at(session, self.house.practice_id, day, at)
            assert past.digest == told

    def kept_by_runs(self) -> dict[tuple[date, datetime], str]:
        """The last of each instant: where the clock stands still, a run's phases all write at the same one."""
        kept = {}
        runs = self.house.runs()
        with self.house.store.read() as session:
            phases = history.phases_of_all(session, [run.id for run in runs])
        for run in runs:
            for phase in phases.get(run.id, ()):
                for day, told in phase.details.get("digests", {}).items():
                    kept[date.fromisoformat(day), datetime.fromisoformat(told["at"])] = str(told["digest"])
        return kept


def alone(facts: RowFacts) -> RowFacts:
    return replace(facts, **ONLY_ALONE)


def draw(course: type[Course], *, courses: int, steps: int) -> None:
    """Run so many courses of so many steps; more and longer ones where RUNSHEET_COURSES says so."""
    run_state_machine_as_test(
        course,
        settings=settings(
            max_examples=LONG or courses,
            stateful_step_count=3 * steps if LONG else steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        ),
    )
