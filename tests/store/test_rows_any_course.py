"""What staff write stands through any course of syncs, choices and clicks (M06)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.status import STAFF_STATUSES, Status, may_move, shown
from tests.fakes.house import House, furnished
from tests.fakes.pms import VIDEO, FakePms

S = Status


# --- any course of events ---------------------------------------------------------------------------------------------


@dataclass
class Told:
    """What the model knows of one row."""

    pms: Status = S.BOOKED
    staff: Status | None = None
    staff_at: datetime | None = None
    note: str | None = None
    last_sync_pms: Status = S.BOOKED
    pms_at: datetime | None = None
    booked: bool = True
    listed: set[str] = field(default_factory=set)


IDS = ("a1", "a2")
STEPS = st.one_of(
    st.tuples(st.just("pms"), st.sampled_from(IDS), st.sampled_from(list(Status))),
    st.tuples(st.just("click"), st.sampled_from(IDS), st.sampled_from(STAFF_STATUSES)),
    st.tuples(st.just("note"), st.sampled_from(IDS), st.text("ab", max_size=3)),
    st.tuples(st.just("details"), st.sampled_from(IDS), st.integers(0, 3)),
    st.tuples(st.just("sync"), st.just(""), st.booleans()),
    st.tuples(st.just("toggle"), st.just(""), st.booleans()),
)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(course=st.lists(STEPS, min_size=3, max_size=14))
def test_no_local_value_is_lost_in_any_course_of_edits_and_syncs(
    house: House, course: list[tuple[str, str, Any]]
) -> None:
    here = furnished(house.store, house.clock, FakePms(), f"Practice {uuid4()}")
    here.pms.books(*IDS)
    here.sync()
    told = {id_: Told(pms_at=here.clock.at) for id_ in IDS}
    ticked = True
    for kind, id_, value in course:
        if kind == "pms":
            told[id_].pms = value
            here.pms.says(id_, value)
        elif kind == "details":
            here.pms.changes(id_, comment=f"comment {value}")
        elif kind == "toggle":
            here.ticks(*([VIDEO] if value else []))
            ticked = value
        elif kind == "note":
            here.staff_notes(id_, value)
            told[id_].note = value.strip() or None
        elif kind == "click" and may_move(current(told[id_]), value):
            here.staff_sets(id_, value)
            told[id_].staff, told[id_].staff_at = value, here.clock.at
        elif kind == "sync":
            here.sync(full=value)
            for one in told.values():
                if one.pms is not one.last_sync_pms:
                    one.last_sync_pms, one.pms_at = one.pms, here.clock.at
            here.account_adds_up()
        for one_id, one in told.items():
            row = here.row(one_id)
            assert (row.staff_status, row.staff_status_at, row.staff_note) == (one.staff, one.staff_at, one.note)
            assert row.pms_status == one.last_sync_pms
        drawn = {row.facts.pms_appointment_id: row for row in here.sheet().rows}
        assert set(drawn) == (set(IDS) if ticked else set())
        for one_id, row in drawn.items():
            assert row.status is current(told[str(one_id)])


def current(one: Told) -> Status:
    return shown(one.last_sync_pms, one.pms_at, one.staff, one.staff_at).status
