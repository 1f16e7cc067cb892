"""What a page of a sync writes: the PMS's columns, and never staff's."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from app.domain.status import Status
from app.store import appointments, catalogue, connections, practices
from app.store.appointments import Source
from app.store.columns import PMS_CONTENT, PMS_DERIVED
from app.store.models import Appointment, AppointmentEvent, PmsConnection, Practice, RunSheet
from app.store.models.runsheet import RowKind
from app.sync.mapper import DataMapper
from tests.fakes.house import House, statements, writes_to
from tests.fakes.pms import IN_PERSON, MELBOURNE, NOW, TODAY, VIDEO, patient

TOMORROW = TODAY + timedelta(days=1)
ROW_TABLES = ("run_sheet_appointments", "appointment_events", "run_sheets")


def test_a_first_sync_creates_and_tells_no_events(house: House) -> None:
    house.pms.books("a1", "a2").books("a3", type=IN_PERSON)
    result = house.sync()
    assert set(house.rows()) == {"a1", "a2"}
    row = house.row("a1")
    assert (row.created_run_id, row.created_at, row.pms_last_synced_at) == (
        result.run_id,
        house.clock.at,
        house.clock.at,
    )
    assert (row.patient_name, row.patient_phone, row.kind) == ("Patient A1", "+61491570156", RowKind.APPOINTMENT)
    assert row.pms_arrived_seen_at is None, "nobody knows since when a row met for the first time is what it is"
    assert house.events() == []
    assert house.version() > 1


def test_an_unchanged_sync_writes_no_row_event_or_sheet(house: House) -> None:
    house.pms.books("a1", "a2").books("a3", type=IN_PERSON).books("b1", with_="lee")
    house.sync()
    before = house.version()
    with statements(house.store) as told:
        house.sync()
    assert writes_to(told, *ROW_TABLES) == []
    assert house.version() == before
    assert writes_to(told, "pms_sweeps") != [], "the net would catch something"


def test_a_change_is_an_update_an_event_and_a_version(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    version, row_version = house.version(), house.row("a1").row_version
    house.pms.moves("a1", minutes=30)
    house.pms.says("a1", Status.CONFIRMED)
    result = house.sync()
    row = house.row("a1")
    assert (result.tallies[-1].updated, result.tallies[-1].unchanged) == (1, 1)
    assert (house.version(), row.row_version) == (version + 1, row_version + 1)
    (event,) = house.events("a1")
    assert (event.kind, event.sync_run_id, event.user_id) == ("pms", result.run_id, None)
    assert event.changes["starts_at"] == ["2026-03-08T22:00:00+00:00", "2026-03-08T22:30:00+00:00"]
    assert event.changes["pms_status"] == ["booked", "confirmed"]
    assert "patient_name" not in event.changes
    assert row.pms_status_changed_at == row.pms_last_synced_at == house.clock.at


#: For each column of the PMS, a change of the appointment that changes that column (and perhaps its twin).
CHANGES: dict[str, dict[str, object]] = {
    "pms_patient_id": {"patients": (patient("zz", full_name="Patient 0", email="0@example.com"),)},
    "pms_practitioner_id": {"practitioner_id": "lee"},
    "pms_practitioner_name": {"practitioner_name": "Dr K."},
    "pms_type_id": {"type_id": "video 2"},
    "pms_type_name": {"type_name": "Vid"},
    "starts_at": {"starts_at": NOW},
    "ends_at": {"ends_at": None},
    "appointment_duration_minutes": {"minutes": 45},
    "pms_status": {"status": Status.ARRIVED, "raw_status": "booked"},
    "pms_status_raw": {"raw_status": "BOOKED"},
    "pms_arrived_at": {"arrived_at": NOW},
    "pms_cancelled_at": {"cancelled_at": NOW},
    "pms_comment": {"comment": "bring scans"},
    "telehealth_url": {"telehealth_url": "https://video.example/1"},
    "location": {"location_id": "room 4"},
    "patient_name": {"patients": (patient("15", full_name="Alice"),)},
    "patient_phone": {"patients": (patient("16", phone="0491 570 157"),)},
    "patient_email": {"patients": (patient("17", email="a@example.com"),)},
    "patient_dob": {"patients": (patient("18", birth_date=date(1990, 1, 1)),)},
    "patients": {"patients": (patient("19"), patient("20"))},
    "time_doubt": {"time_doubt": "twice"},
}


def test_each_column_of_the_pms_is_noticed_alone(house: House) -> None:
    """A column that a fingerprint forgets would stay as it was for ever."""
    assert tuple(CHANGES) == PMS_CONTENT
    house.pms.offers("video 2").books(*(str(n) for n in range(len(CHANGES))), at="06:00")
    house.ticks(VIDEO)
    house.sync()
    with house.store.write() as session:
        catalogue.keep_types(session, house.connection_id, house.pms.types.values())
    house.ticks(VIDEO, "video 2")
    for number, changed in enumerate(CHANGES.values()):
        house.pms.changes(str(number), **changed)
    assert house.sync().tallies[-1].updated == len(CHANGES)
    for number, column in enumerate(CHANGES):
        (event,) = house.events(str(number))
        assert [name for name in event.changes if name in PMS_CONTENT] == [column]
    assert house.sync().tallies[-1].unchanged == len(CHANGES)


def test_a_row_that_moves_to_another_day_raises_both_sheets(house: House) -> None:
    house.pms.books("a1").books("b1", day=TOMORROW)
    house.sync(TODAY, TOMORROW)
    before = house.version(TODAY), house.version(TOMORROW)
    house.pms.moves("a1", days=1)
    house.sync(TODAY, TOMORROW)
    assert house.day_of("a1") == TOMORROW
    assert (house.version(TODAY), house.version(TOMORROW)) == (before[0] + 1, before[1] + 1)
    assert (house.shown(TODAY), house.shown(TOMORROW)) == (set(), {"a1", "b1"})
    house.account_adds_up(TODAY)
    house.account_adds_up(TOMORROW)


@pytest.mark.parametrize(("column", "value"), [("hidden_cause", "type_off"), ("removed_at", NOW)])
def test_a_row_met_again_comes_back_though_nothing_else_changed(house: House, column: str, value: object) -> None:
    house.pms.books("a1")
    house.sync()
    with house.store.write() as session:
        setattr(session.get_one(Appointment, house.row("a1").id), column, value)
    version = house.version()
    assert house.sync().tallies[-1].updated == 1
    row = house.row("a1")
    assert (row.hidden_cause, row.removed_at, row.removed_cause) == (None, None, None)
    assert house.version() == version + 1
    assert list(house.events("a1")[-1].changes) == [column]
    assert house.events("a1")[-1].kind == ("rules" if column == "hidden_cause" else "pms")
    assert house.sync().tallies[-1].updated == 0


def test_a_full_re_read_repairs_what_a_fingerprint_swears_to_and_writes_nothing_else(house: House) -> None:
    house.pms.books("a1", "a2")
    house.sync()
    with house.store.write() as session:
        session.get_one(Appointment, house.row("a1").id).patient_name = "Somebody Else"
    assert house.sync().tallies[-1].updated == 0
    full = house.sync(full=True)
    assert (full.tallies[-1].updated, full.tallies[-1].unchanged) == (1, 1)
    assert house.row("a1").patient_name == "Patient A1"
    with statements(house.store) as told:
        again = house.sync(full=True)
    assert (again.tallies[-1].updated, again.tallies[-1].unchanged) == (0, 2)
    assert writes_to(told, *ROW_TABLES) == []


@pytest.mark.parametrize("change", [False, True])
def test_a_page_takes_as_many_statements_whatever_its_size(house: House, change: bool) -> None:
    house.fetchers = 1
    few, many = (f"f{n}" for n in range(3)), (f"m{n}" for n in range(90))
    house.pms.books(*few, at="00:00", with_="kim").books(*many, at="00:00", with_="lee")
    counts = {}
    for who in ("kim", "lee"):
        house.wants("kim" if who == "lee" else "lee", False)
        house.wants(who, True)
        house.sync()
        if change:
            for id_, one in list(house.pms.book.items()):
                house.pms.changes(id_, comment=f"{one.comment} again")
        with statements(house.store) as told:
            house.sync()
        counts[who] = len(told)
        assert bool(writes_to(told, "run_sheet_appointments")) == change
    assert counts["kim"] == counts["lee"]


def test_each_further_page_takes_the_same_few_statements(house: House) -> None:
    house.fetchers = 1
    house.pms.page_size = 10
    counts = []
    for pages in (1, 2, 3):
        day = TODAY + timedelta(days=pages)
        house.pms.books(*(f"{pages}-{n}" for n in range(10 * pages)), at="00:00", day=day)
        house.sync(day)
        with statements(house.store) as told:
            house.sync(day)
        counts.append(len(told))
    # Pages nobody needs to read are settled together: a further one costs nothing, or, where the reading had to pause
    # before it, the choices, what the page said, whether its rows stand, and the proof.
    assert all(0 <= more - fewer <= 4 for fewer, more in pairwise(counts)), counts


def test_ids_are_kept_exactly_as_they_are_sent(house: House) -> None:
    ids = ["a1", "A1", " a1", "a1 ", "ä", "a\u0308", "1", "01"]
    house.pms.books(*ids, at="06:00")
    assert house.sync().tallies[-1].created == len(ids)
    assert set(house.rows()) == set(ids)
    assert house.sync().tallies[-1].unchanged == len(ids)


# --- the database's own promises --------------------------------------------------------------------------------------


def test_an_id_of_the_vendor_is_there_once_per_connection(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    row = house.row("a1")
    with pytest.raises(IntegrityError), house.store.write() as session:
        session.add(
            Appointment(
                practice_id=row.practice_id,
                run_sheet_id=row.run_sheet_id,
                pms_connection_id=row.pms_connection_id,
                pms_appointment_id="a1",
                starts_at=NOW,
                patient_name="Twin",
            )
        )


def test_writing_a_known_id_as_new_makes_no_second_row(house: House) -> None:
    """F51: whoever comes second refreshes the row."""
    house.pms.books("a1")
    house.sync()
    known = house.row("a1")
    mapped = DataMapper(MELBOURNE, "AU").to_row(house.pms.book["a1"], is_telehealth=True)
    source = Source(house.practice_id, house.connection_id, uuid4(), NOW)
    with house.store.write() as session:
        appointments.write_page(session, source, [mapped.row | {"run_sheet_id": known.run_sheet_id}], [])
    assert house.row("a1").id == known.id
    assert house.count(Appointment) == 1


def test_walk_ins_share_having_no_id_of_a_vendor(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    sheet = house.row("a1").run_sheet_id
    with house.store.write() as session:
        for name in ("One", "Two"):
            session.add(
                Appointment(
                    practice_id=house.practice_id,
                    run_sheet_id=sheet,
                    kind=RowKind.WALK_IN,
                    starts_at=NOW,
                    patient_name=name,
                )
            )
    assert house.count(Appointment) == 3


@pytest.mark.parametrize("column", ["kind", "pms_status", "staff_status"])
def test_a_word_outside_the_list_is_refused_by_the_database(house: House, column: str) -> None:
    house.pms.books("a1")
    house.sync()
    with pytest.raises(IntegrityError), house.store.write() as session:
        setattr(session.get_one(Appointment, house.row("a1").id), column, "nonsense")


def test_a_day_has_one_sheet_per_practice(house: House) -> None:
    with house.store.write() as session:
        first = appointments.ensure_sheets(session, house.practice_id, [TODAY, TOMORROW])
    with house.store.write() as session:
        second = appointments.ensure_sheets(session, house.practice_id, [TOMORROW, TODAY])
        assert first == second
        assert appointments.ensure_sheets(session, house.practice_id, []) == {}
    with pytest.raises(IntegrityError), house.store.write() as session:
        session.add(RunSheet(practice_id=house.practice_id, day=TODAY))


def test_a_connection_that_has_rows_is_not_deleted_one_that_has_none_is(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    with pytest.raises(IntegrityError), house.store.write() as session:
        session.execute(delete(PmsConnection).where(PmsConnection.id == house.connection_id))
    assert house.count(Appointment) == 1
    with house.store.write() as session:
        session.execute(delete(Appointment))
    with house.store.write() as session:
        session.execute(delete(PmsConnection).where(PmsConnection.id == house.connection_id))
    for table in (PmsConnection, AppointmentEvent):
        assert house.count(table) == 0


def test_a_practice_leaves_with_everything_it_has_and_no_other_loses_anything(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    with house.store.write() as session:
        other = practices.create(session, "Other", "Australia/Perth")
        made = connections.create(session, other, "fake", "Other", "simulator")  # type: ignore[arg-type]
        other_id, made_id = other.id, made.id
    with house.store.write() as session:
        session.execute(delete(Practice).where(Practice.id == house.practice_id))
    assert house.count(Appointment) == house.count(RunSheet) == 0
    with house.store.read() as session:
        assert session.scalars(select(Practice.id)).all() == [other_id]
        assert session.scalars(select(PmsConnection.id)).all() == [made_id]


def test_the_columns_of_the_pms_and_of_staff_do_not_overlap() -> None:
    columns = set(Appointment.__table__.columns.keys())
    owned = {*PMS_CONTENT, *PMS_DERIVED}
    staff = {name for name in columns if name.startswith("staff_")} | {"clinician_id"}
    assert owned <= columns
    assert not owned & staff
    assert len(staff) == 11


def test_a_row_the_pms_words_differently_to_the_same_effect_is_compared_once(house: House) -> None:
    """No event, no version, no time of change; but its new fingerprint is known from then on."""
    house.pms.books("a1", comment="bring scans")
    house.sync()
    before, sheet = house.row("a1"), house.version()
    house.pms.books("a1", comment=" bring scans ")
    tally = house.sync().tallies[-1]
    after = house.row("a1")
    assert (tally.updated, tally.unchanged) == (0, 1)
    assert after.fingerprint != before.fingerprint
    assert (after.pms_comment, after.row_version, after.updated_at) == (
        before.pms_comment,
        before.row_version,
        before.updated_at,
    )
    assert house.version() == sheet
