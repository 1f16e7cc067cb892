"""However a hospital's edits and our readings interleave, the list of changes misses nothing: drift is 0 (P4).

The vendor's clock is minutes ahead of ours or behind, edits fall into the very second a reading begins, rows leave the
window and come back, are cancelled, or are gone without a word.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from app.domain.changes import OVERLAP
from app.store.db import Store
from app.store.models.sync import RunState
from tests.fakes.house import FakeClock
from tests.fakes.pms import TODAY
from tests.pms.ezyvet.hospital import Hospital
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sync.test_changes import at_the_same_time, drift, whole
from tests.sync.test_ezyvet import Ward, opened

#: Courses; each is another one. `make chaos` asks for more.
COURSES = 2 * int(os.environ.get("RUNSHEET_TRIALS", "1"))
STEPS = 18
DAYS = [TODAY + timedelta(days=offset) for offset in (-2, 0, 0, 0, 1, 9)]
#: Ticked and not.
TYPES = (11, 11, 12, 2)
ZONE = ZoneInfo("Australia/Melbourne")


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


class Course:
    """One way in which things may go."""

    def __init__(self, ward: Ward, seed: int) -> None:
        self.ward, self.dice = ward, Random(seed)
        ward.hospital.tell("knobs", per_endpoint=100_000, overall=100_000)
        most = OVERLAP.total_seconds() - 5
        self.skew_s = (-most, most, self.dice.uniform(-most, most))[seed % 3]
        self.ids: list[int] = []
        self.vanished = 0
        self.read = self.swept = 0

    def runs(self) -> None:
        for _ in range(12):
            self.edit()
        self.sweep()
        for step in range(STEPS):
            for _ in range(self.dice.randrange(4)):
                self.edit()
            self.ward.clock.forward(self.dice.choice((0, 0, 1, 60, 150, 700)))
            whole = self.dice.random() < 0.25 or step % 6 == 5  # however the dice fall, some of each
            self.sweep() if whole else self.read_changes()
        self.sweep()

    # --- at the vendor --------------------------------------------------------------------------------------------

    def edit(self) -> None:
        at_the_same_time(self.ward, self.skew_s)
        ward, tell = self.ward, self.ward.hospital.tell
        what = self.dice.choice(("book", "move", "cancel", "word", "type", "vanish"))
        if what == "book" or not self.ids:
            animal = 801 + self.dice.randrange(9)
            self.ids.append(int(ward.hospital.books(self.instant(), animal_id=animal, type_id=self.kind())))
            return
        one = self.dice.choice(self.ids)
        if what == "move":
            tell("move", id=one, at=self.instant())
        elif what == "cancel":
            tell("cancel", id=one)
        elif what == "word":
            ward.hospital.writes("appointment", one, description=f"{self.dice.random()}")
        elif what == "type":
            ward.hospital.writes("appointment", one, type_id=self.kind())
        elif self.vanished < 1:  # more would be held for a person
            self.vanished += 1
            self.ids.remove(one)
            tell("remove", id=one)

    def truth(self) -> dict[str, dict[str, object]]:
        return {str(one["id"]): one for day in set(DAYS) for one in self.ward.hospital.truth(day)}

    def instant(self) -> str:
        day = self.dice.choice(DAYS)
        return datetime(day.year, day.month, day.day, 9 + self.dice.randrange(8), tzinfo=ZONE).isoformat()

    def kind(self) -> int:
        return self.dice.choice(TYPES)

    # --- here -----------------------------------------------------------------------------------------------------

    def read_changes(self) -> None:
        at_the_same_time(self.ward, self.skew_s)
        result = self.ward.sync(phases=("changes",))
        assert (result.state, whole(result)) == (RunState.SUCCESS, None)
        self.read += 1
        self.stands(may_stand_still=True)

    def sweep(self) -> None:
        at_the_same_time(self.ward, self.skew_s)
        result = self.ward.reconciles()
        assert result.state is RunState.SUCCESS
        assert not drift(result)
        self.swept += drift(result) == 0
        self.vanished = 0
        self.stands(may_stand_still=False)

    def stands(self, *, may_stand_still: bool) -> None:
        """Whatever is or was on today's sheet says what the vendor's record says; today lacks nobody, and has nobody
        too many but who vanished since it was last read whole.
        """
        truth, rows = self.truth(), self.ward.rows()
        for id_ in rows.keys() & truth.keys():
            row, told = rows[id_], truth[id_]
            if row.hidden_cause or TODAY not in (row.starts_at.astimezone(ZONE).date(), day_of(told)):
                continue  # behind the curtain; or another day's, which is read by its own sweeps
            said = (int(row.starts_at.timestamp()), row.pms_type_id, row.pms_comment, row.pms_status == "cancelled")
            assert said == (told["start_at"], str(told["type_id"]), told["description"], not told["active"]), id_
        wanted = {id_ for id_, one in truth.items() if day_of(one) == TODAY and one["type_id"] != 2}
        here = {id_ for id_ in self.ward.shown() if not rows[id_].removed_at}
        assert here >= wanted
        assert len(here - wanted) <= (self.vanished if may_stand_still else 0)
        self.ward.account_adds_up()


def day_of(one: dict[str, object]) -> date:
    return datetime.fromtimestamp(int(str(one["start_at"])), UTC).astimezone(ZONE).date()


@pytest.mark.promise("P4", "P5")
@pytest.mark.parametrize("seed", range(COURSES))
def test_no_course_of_edits_and_readings_makes_rows_drift(
    _empty: RunningSandbox, store: Store, clock_at: FakeClock, seed: int
) -> None:
    course = Course(opened(Hospital(_empty), store, clock_at), seed)
    course.runs()
    assert course.read > 5
    assert course.swept > 2  # days of which changes had been read, and none had been missed
