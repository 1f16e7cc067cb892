"""The day as a page shows it: order, groups, counts, filters, search, ages."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.freshness import Freshness
from app.domain.runsheet import (
    Column,
    Filters,
    RowFacts,
    Sheet,
    Since,
    build,
    column_key,
    date_groups,
    row_of,
)
from app.domain.status import STAFF_STATUSES, Status
from tests.fakes.pms import MELBOURNE, NOW, TODAY

S = Status
GENTU = uuid4()
KIM, LEE, IDLE = Column(uuid4(), "Anna Kim", position=1), Column(uuid4(), "Ben Lee", position=2), Column(uuid4(), "Cy")
COLUMNS = [KIM, LEE, IDLE]
NOTHING: dict[str, Any] = {field.name: None for field in fields(RowFacts)}


def facts(**more: Any) -> RowFacts:
    given: dict[str, Any] = {
        "id": uuid4(),
        "row_version": 1,
        "kind": "appointment",
        "connection_id": GENTU,
        "pms_appointment_id": "a1",
        "starts_at": NOW,
        "minutes": 30,
        "patient_name": "Alice Brown",
        "practitioner_id": "kim",
        "practitioner_name": "Dr A. Kim",
        "clinician_id": KIM.id,
        "type_id": "video",
        "type_name": "Video",
        "is_telehealth": True,
        "pms_status": S.BOOKED,
        "pms_status_raw": "none",
        "pms_status_changed_at": NOW - timedelta(hours=1),
        "created_at": NOW - timedelta(days=1),
    }
    return RowFacts(**(NOTHING | given | more))


def sheet(*rows: RowFacts, filters: Filters | None = None, zone: ZoneInfo = MELBOURNE, day: date = TODAY) -> Sheet:
    return build(day=day, zone=zone, version=7, facts=rows, columns=COLUMNS, filters=filters or Filters())


def names(told: Sheet) -> list[tuple[str, list[str]]]:
    return [(group.column.name, [row.facts.patient_name for row in group.rows]) for group in told.groups]


def later(minutes: int, **more: Any) -> RowFacts:
    return facts(starts_at=NOW + timedelta(minutes=minutes), **more)


def test_groups_keep_the_columns_order_and_rows_their_time() -> None:
    told = sheet(
        later(30, patient_name="Third", clinician_id=LEE.id),
        later(20, patient_name="B"),
        later(20, patient_name="A"),
        later(0, patient_name="First"),
        later(10, patient_name="Nobody's", clinician_id=None, practitioner_id="ono", practitioner_name="Dr Ono"),
    )
    assert names(told) == [("Anna Kim", ["First", "A", "B"]), ("Ben Lee", ["Third"]), ("Dr Ono", ["Nobody's"])]
    assert told.groups[-1].column.id is None
    assert told.idle_columns == [IDLE]
    assert (told.total, told.filtered_out, told.version, told.day) == (5, 0, 7, TODAY)
    assert len(list(told.rows)) == 5


def test_a_practitioner_nobody_assigned_is_last_and_never_hidden() -> None:
    unknown = facts(clinician_id=None, practitioner_id=None, practitioner_name=None)
    switched_off = facts(clinician_id=uuid4())  # a column that is not shown any more
    assert names(sheet(unknown, switched_off)) == [
        ("Dr A. Kim", ["Alice Brown"]),
        ("Unknown practitioner", ["Alice Brown"]),
    ]


def test_practitioners_of_two_systems_with_the_same_id_are_two_people() -> None:
    one = facts(clinician_id=None, practitioner_id="1", practitioner_name="Dr One")
    other = facts(clinician_id=None, practitioner_id="1", practitioner_name="Dr Other", connection_id=uuid4())
    assert len(sheet(one, other).groups) == 2
    assert column_key(one) != column_key(other)


def test_counts_are_of_the_whole_day_whatever_is_filtered() -> None:
    rows = [
        facts(pms_status=S.ARRIVED),
        facts(pms_status=S.ARRIVED, clinician_id=LEE.id),
        facts(pms_status=S.COMPLETED),
        facts(pms_status=S.CANCELLED),
        facts(pms_status=S.NO_SHOW),
        facts(pms_status=S.UNKNOWN, pms_status_raw="late_cancel"),
    ]
    told = sheet(*rows, filters=Filters(statuses=frozenset({"arrived"}), clinicians=frozenset({str(KIM.id)})))
    assert told.counts == {S.ARRIVED: 2, S.COMPLETED: 1, S.CANCELLED: 1, S.NO_SHOW: 1, S.UNKNOWN: 1}
    assert (told.total, told.filtered_out) == (6, 5)
    assert [column.name for column in told.idle_columns] == ["Cy"]
    group = sheet(*rows).groups[0]
    assert (group.total, group.done, group.waiting) == (4, 2, 1)


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (Filters(), {"Alice", "Bob", "Cy"}),
        (Filters(clinicians=frozenset({str(LEE.id)})), {"Bob"}),
        (Filters(clinicians=frozenset({"nonsense"})), set()),
        (Filters(statuses=frozenset({"arrived", "booked"})), {"Alice", "Bob", "Cy"}),
        (Filters(statuses=frozenset({"arrived"})), {"Bob"}),
        (Filters(types=frozenset({"phone"})), {"Cy"}),
        (Filters(types=frozenset({""})), {"Bob"}),
        (Filters(clinicians=frozenset({str(KIM.id)}), types=frozenset({"phone"})), {"Cy"}),
    ],
)
def test_filters_narrow_and_an_unknown_one_matches_nothing(filters: Filters, kept: set[str]) -> None:
    told = sheet(
        facts(patient_name="Alice"),
        facts(patient_name="Bob", clinician_id=LEE.id, pms_status=S.ARRIVED, type_id=None, type_name=None),
        facts(patient_name="Cy", type_id="phone", type_name="Phone"),
        filters=filters,
    )
    assert {row.facts.patient_name for row in told.rows} == kept
    assert told.types == [("phone", "Phone"), ("", "Unknown"), ("video", "Video")]
    assert filters.active == (filters != Filters())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("alice", True),
        ("BROWN ali", True),
        ("12:00", True),
        ("9:05", False),
        ("video", True),
        ("wheelchair", True),
        ("Dr A", True),
        ("anna", True),  # the column's own name, not only what the PMS calls them
        ("no show", True),
        ("carol", True),  # somebody else of the group
        ("alice bob", False),
        ("   ", True),
    ],
)
def test_search_looks_at_everything_a_row_shows(query: str, found: bool) -> None:
    row = facts(
        note="Needs a wheelchair",
        staff_status=S.NO_SHOW,
        staff_status_at=NOW,
        patients=[{"name": "Alice Brown"}, {"name": "Carol Chen"}],
    )
    assert bool(list(sheet(row, filters=Filters(query=query)).rows)) is found


def test_a_time_is_found_with_and_without_its_zero() -> None:
    early = facts(starts_at=datetime.fromisoformat("2026-03-08T22:05Z"))
    for query in ("09:05", "9:05"):
        assert sheet(early, filters=Filters(query=query)).total == 1
        assert list(sheet(early, filters=Filters(query=query)).rows)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from([KIM.id, LEE.id, None]),
            st.sampled_from(["ono", "wu", None]),
            st.sampled_from(list(Status)),
            st.sampled_from([None, *STAFF_STATUSES]),
        ),
        max_size=20,
    )
)
def test_every_row_stands_exactly_once_in_the_order_of_time(rows: list[tuple[Any, ...]]) -> None:
    made = [
        later(at, clinician_id=who, practitioner_id=pms, pms_status=status, staff_status=staff, staff_status_at=NOW)
        for at, who, pms, status, staff in rows
    ]
    told = sheet(*made)
    assert sorted(row.facts.id for row in told.rows) == sorted(one.id for one in made)
    assert sum(told.counts.values()) == told.total == len(made)
    for group in told.groups:
        assert [row.facts.starts_at for row in group.rows] == sorted(row.facts.starts_at for row in group.rows)
        assert len({column_key(row.facts) for row in group.rows}) == 1
    assert [group.column.id is None for group in told.groups] == sorted(g.column.id is None for g in told.groups)


# --- since when -------------------------------------------------------------------------------------------------------

SEEN, VENDOR, CLICK = NOW - timedelta(minutes=30), NOW - timedelta(minutes=20), NOW - timedelta(minutes=10)


@pytest.mark.parametrize(
    ("more", "since", "arrived"),
    [
        ({"pms_status_changed_at": SEEN}, Since(SEEN, exact=False), None),
        ({"pms_status_changed_at": None}, None, None),
        (
            {"pms_status": S.ARRIVED, "pms_status_changed_at": SEEN, "pms_arrived_at": VENDOR},
            Since(VENDOR, exact=True),
            Since(VENDOR, exact=True),
        ),
        (
            {"pms_status": S.ARRIVED, "pms_status_changed_at": SEEN, "pms_arrived_seen_at": SEEN},
            Since(SEEN, exact=False),
            Since(SEEN, exact=False),
        ),
        (
            {"pms_status": S.CANCELLED, "pms_status_changed_at": SEEN, "pms_cancelled_at": VENDOR},
            Since(VENDOR, exact=True),
            None,
        ),
        (
            {"staff_status": S.ARRIVED, "staff_status_at": CLICK, "staff_arrived_at": CLICK},
            Since(CLICK, exact=True),
            Since(CLICK, exact=True),
        ),
        (
            {
                "staff_status": S.IN_PROGRESS,
                "staff_status_at": CLICK,
                "staff_arrived_at": SEEN,
                "pms_arrived_at": VENDOR,
            },
            Since(CLICK, exact=True),
            Since(VENDOR, exact=True),
        ),
    ],
)
def test_timers_start_at_a_stamp_or_a_click_else_at_what_was_seen(
    more: dict[str, Any], since: Since | None, arrived: Since | None
) -> None:
    row = row_of(facts(**more))
    assert (row.since, row.arrived) == (since, arrived)


def test_a_removed_row_has_no_next_step_and_is_over() -> None:
    row = row_of(facts(removed_at=NOW))
    assert (row.next_step, row.over) == (None, True)
    assert (row_of(facts()).next_step, row_of(facts()).over) == (S.ARRIVED, False)
    assert S.ARRIVED in row_of(facts()).moves


# --- the age of a group -----------------------------------------------------------------------------------------------


def aged(rows: list[RowFacts], swept: dict[tuple[UUID, str], datetime], broken: frozenset[UUID] = frozenset()) -> Any:
    told = sheet(*rows)
    date_groups(told.groups, swept, {GENTU: 900.0}, NOW, broken)
    return told.groups[0]


def test_a_group_is_as_old_as_its_oldest_part() -> None:
    rows = [facts(practitioner_id="kim"), facts(practitioner_id="locum")]
    old = NOW - timedelta(minutes=31)
    group = aged(rows, {(GENTU, "kim"): NOW, (GENTU, "locum"): old})
    assert (group.age.word, group.swept_at) == (Freshness.STALE, old)
    assert aged(rows, {(GENTU, "kim"): NOW}).age.word is Freshness.NEVER
    assert aged(rows, {(GENTU, "kim"): NOW, (GENTU, "locum"): NOW}, frozenset({GENTU})).age.word is Freshness.BROKEN


def test_a_vendor_with_one_chain_for_all_dates_every_group() -> None:
    assert aged([facts()], {(GENTU, ""): NOW}).age.word is Freshness.LIVE


def test_walk_ins_alone_do_not_age() -> None:
    group = aged([facts(connection_id=None, practitioner_id=None, kind="walk_in")], {})
    assert (group.age.word, group.interval_s) == (Freshness.LIVE, 0.0)
    assert replace(group.column).name == "Anna Kim"
