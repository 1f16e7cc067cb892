"""Status, note, undo and walk-ins: guarded by the version a person saw, and only in their own practice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.domain.status import Status
from app.errors import InvalidInput, NotFound
from app.store import appointments, catalogue, choices, practices, rows, runsheet
from app.store.appointments import Source
from app.store.models import Appointment, AppointmentEvent, User
from app.store.rows import NOTE_LIMIT, UNDO_FOR, Act, ChangedMeanwhile, WalkIn
from tests.fakes.house import FakeClock, House, furnish, furnished
from tests.fakes.pms import NOW, TODAY, FakePms

S = Status
STAFF_COLUMNS = [column.name for column in Appointment.__table__.columns if column.name.startswith("staff_")]


# --- status, note, undo -----------------------------------------------------------------------------------------------


def test_a_status_is_an_event_a_version_and_nothing_of_the_pms(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    before, version = house.row("a1"), house.version()
    house.staff_sets("a1", S.ARRIVED)
    row = house.row("a1")
    assert (row.staff_status, row.staff_status_by, row.staff_arrived_at) == (S.ARRIVED, house.user_id, house.clock.at)
    assert (row.row_version, house.version()) == (before.row_version + 1, version + 1)
    assert (row.pms_status, row.fingerprint, row.pms_last_synced_at) == (
        before.pms_status,
        before.fingerprint,
        before.pms_last_synced_at,
    )
    (event,) = house.events("a1")
    assert (event.kind, event.user_id, event.sync_run_id) == ("status", house.user_id, None)
    assert event.changes["staff_status"] == [None, "arrived"]


def test_a_step_back_takes_the_arrival_back(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.staff_sets("a1", S.ARRIVED)
    house.staff_sets("a1", S.CONFIRMED)
    assert house.row("a1").staff_arrived_at is None
    house.staff_sets("a1", S.ARRIVED)
    came = house.clock.at
    house.staff_sets("a1", S.IN_PROGRESS)
    house.staff_sets("a1", S.ARRIVED)
    assert (house.row("a1").staff_arrived_at, house.row("a1").staff_started_at) == (came, None)


def test_what_the_pms_was_seen_to_say_goes_back_with_it(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.pms.says("a1", S.ARRIVED)
    house.sync()
    came = house.clock.at
    house.pms.says("a1", S.IN_PROGRESS)
    house.sync()
    assert (house.row("a1").pms_arrived_seen_at, house.row("a1").pms_started_at) == (came, house.clock.at)
    house.pms.says("a1", S.BOOKED)
    house.sync()
    row = house.row("a1")
    assert (row.pms_arrived_seen_at, row.pms_started_at, row.pms_ended_at) == (None, None, None)
    assert next(iter(house.sheet().rows)).arrived is None


def act_on(house: House, work: Callable[..., Any], id_: str = "a1", *, seen: int | None = None) -> Any:
    act = house.act()
    with house.store.write() as session:
        row = rows.locked(session, house.practice_id, house.row(id_).id)
        return work(session, row, seen_version=row.row_version if seen is None else seen, act=act)


def test_who_saw_another_version_is_told_who_changed_it(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    seen = house.row("a1").row_version
    house.staff_sets("a1", S.ARRIVED)
    with pytest.raises(ChangedMeanwhile) as meanwhile:
        act_on(house, lambda s, row, **k: rows.set_status(s, row, S.NO_SHOW, **k), seen=seen)
    assert meanwhile.value.by == "Robin Reception"
    seen = house.row("a1").row_version
    house.pms.changes("a1", comment="new")
    house.sync()
    with pytest.raises(ChangedMeanwhile, match="the PMS"):
        act_on(house, lambda s, row, **k: rows.set_note(s, row, "x", **k), seen=seen)
    seen = house.row("a1").row_version
    house.ticks()
    with pytest.raises(ChangedMeanwhile, match="a rule of the practice"):
        act_on(house, lambda s, row, **k: rows.set_note(s, row, "x", **k), seen=seen)
    assert house.row("a1").staff_status == S.ARRIVED
    assert house.row("a1").staff_note is None


@pytest.mark.parametrize(
    ("to", "says"), [(S.BOOKED, "cannot become"), (S.COMPLETED, "cannot become"), (S.CONFIRMED, None)]
)
def test_only_moves_of_the_cycle_are_taken(house: House, to: Status, says: str | None) -> None:
    house.pms.books("a1", status=S.IN_PROGRESS if to is S.BOOKED else S.BOOKED)
    house.sync()
    if says is None:
        house.staff_sets("a1", to)
        with pytest.raises(InvalidInput, match="already"):
            house.staff_sets("a1", to)
    else:
        with pytest.raises(InvalidInput, match=says):
            house.staff_sets("a1", to)
        assert house.events() == []


def test_agreeing_with_the_pms_is_a_word_of_ones_own(house: House) -> None:
    house.pms.books("a1", status=S.ARRIVED)
    house.sync()
    house.staff_sets("a1", S.ARRIVED)
    house.pms.says("a1", S.BOOKED)
    house.sync()
    (row,) = house.sheet().rows
    assert (row.status, row.shown.other) == (S.ARRIVED, S.BOOKED)


@pytest.mark.parametrize(
    ("text", "kept"),
    [("  wheelchair ", "wheelchair"), ("", None), ("a\0b", "ab"), ("x" * NOTE_LIMIT, "x" * NOTE_LIMIT)],
)
def test_a_note_is_kept_without_blanks_and_nuls(house: House, text: str, kept: str | None) -> None:
    house.pms.books("a1")
    house.sync()
    house.staff_notes("a1", text)
    assert house.row("a1").staff_note == kept
    count, version = len(house.events()), house.version()
    house.staff_notes("a1", text)
    assert (len(house.events()), house.version()) == (count, version), "writing the same again is no change"


def test_a_note_that_is_too_long_is_refused_not_cut(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    with pytest.raises(InvalidInput, match="at most"):
        house.staff_notes("a1", "x" * (NOTE_LIMIT + 1))


def undo(house: House, event: UUID, *, user: UUID | None = None, practice: UUID | None = None) -> None:
    act = house.act()
    with house.store.write() as session:
        rows.undo(session, practice or house.practice_id, event, act=Act(user or act.user_id, act.at))


def test_undo_puts_back_exactly_what_was(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.staff_sets("a1", S.CONFIRMED)
    before = {name: getattr(house.row("a1"), name) for name in STAFF_COLUMNS}
    event = house.staff_sets("a1", S.ARRIVED)
    undo(house, event)
    assert {name: getattr(house.row("a1"), name) for name in STAFF_COLUMNS} == before
    assert [(one.kind, one.undoes) for one in house.events("a1")][-1] == ("undo", event)
    with pytest.raises(ChangedMeanwhile):
        undo(house, event)


def test_undo_of_saying_the_same_word_again_brings_the_pms_word_back(house: House) -> None:
    """The word did not change, only its time: the PMS had gone further and somebody held against it."""
    house.pms.books("a1")
    house.sync()
    house.staff_sets("a1", S.ARRIVED)
    house.pms.says("a1", S.IN_PROGRESS)
    house.sync()
    event = house.staff_sets("a1", S.ARRIVED)
    assert [row.status for row in house.sheet().rows] == [S.ARRIVED]
    undo(house, event)
    assert [row.status for row in house.sheet().rows] == [S.IN_PROGRESS]


def test_undo_is_for_who_did_it_soon_and_while_nothing_came_after(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    event = house.staff_sets("a1", S.ARRIVED)
    other_practice, *_ = furnish(house.store, "Other")
    for more in ({"user": uuid4()}, {"practice": other_practice}):
        with pytest.raises(NotFound):
            undo(house, event, **more)
    with pytest.raises(NotFound):
        undo(house, uuid4())
    house.staff_notes("a1", "a note in between does not matter")
    with house.store.read() as session:
        note = next(one for one in house.events("a1") if one.kind == "note")
        assert runsheet.undoable(session, [house.row("a1").id], house.user_id, NOW) is not None
    with pytest.raises(NotFound):
        undo(house, note.id)
    house.staff_sets("a1", S.IN_PROGRESS)
    with pytest.raises(ChangedMeanwhile):
        undo(house, event)
    late = house.staff_sets("a1", S.COMPLETED)
    house.clock.forward(UNDO_FOR.total_seconds() + 1)
    with pytest.raises(InvalidInput, match="too late"):
        undo(house, late)


# --- walk-ins ---------------------------------------------------------------------------------------------------------


def walk_in(house: House, **more: Any) -> Appointment:
    house.maps_everybody()
    with house.store.read() as session:
        clinician = catalogue.clinicians_of(session, house.practice_id)[0].id
    given: dict[str, Any] = {
        "clinician_id": clinician,
        "patient_name": "Wanda Walk",
        "starts_at": NOW,
        "minutes": 15,
        "phone": "+61491570156",
        "note": "no appointment",
    }
    act = house.act()
    with house.store.write() as session:
        return rows.add_walk_in(session, house.practice_id, TODAY, WalkIn(**(given | more)), act=act)


def test_a_walk_in_stands_beside_synced_rows_and_no_sync_touches_it(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    made = walk_in(house)
    house.pms.deletes("a1")
    house.pms.books("a2")
    for full in (False, True):
        house.sync(full=full)
    with house.store.read() as session:
        row = session.get_one(Appointment, made.id)
        assert (row.row_version, row.staff_status, row.ends_at) == (1, S.BOOKED, NOW + timedelta(minutes=15))
        assert (row.staff_note, row.staff_note_by) == ("no appointment", house.user_id)
    assert {one.facts.patient_name for one in house.sheet().rows} == {"Wanda Walk", "Patient A1", "Patient A2"}
    assert [one.kind for one in house.events() if one.appointment_id == made.id] == ["walk_in"]


@pytest.mark.parametrize("name", ["", "  ", "\0"])
def test_a_walk_in_needs_a_name(house: House, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        walk_in(house, patient_name=name)


def test_what_is_too_long_for_a_column_is_cut_not_refused_by_one_database_alone(house: House) -> None:
    made = walk_in(house, patient_name="x" * 600, phone="1" * 60, note="n" * 3000)
    assert (len(made.patient_name), len(made.patient_phone or ""), len(made.staff_note or "")) == (500, 40, NOTE_LIMIT)


# --- one practice only ------------------------------------------------------------------------------------------------


def test_another_practices_things_look_as_if_they_were_not_there(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    row = house.row("a1")
    stranger, _, _ = furnish(house.store, "Stranger")
    with house.store.read() as session:
        assert runsheet.rows_of(session, stranger, TODAY) == []
        assert runsheet.row_of(session, stranger, row.id) is None
        assert runsheet.account_of(session, stranger, TODAY).received == 0
        assert runsheet.stamp_of(session, stranger, TODAY).version == 0
        assert rows.story_of(session, stranger, row.id) == []
        with pytest.raises(NotFound):
            rows.locked(session, stranger, row.id)
        clinician = catalogue.new_clinician(session, house.practice_id, "Ours").id
        with pytest.raises(NotFound):
            catalogue.clinician_of(session, stranger, clinician)


def test_a_walk_in_cannot_be_given_to_another_practices_clinician(house: House) -> None:
    stranger, _, _ = furnish(house.store, "Stranger")
    with house.store.write() as session:
        theirs = catalogue.new_clinician(session, stranger, "Theirs").id
    with pytest.raises(NotFound):
        walk_in(house, clinician_id=theirs)


def test_two_practices_of_one_vendor_never_touch_each_others_rows(house: House, clock_at: FakeClock) -> None:
    """The same ids in both: what one does to them leaves the other's as they are."""
    other = furnished(house.store, clock_at, FakePms(), "Other")
    for one in (house, other):
        one.pms.books("a1", "a2")
        one.sync()
    before = {id_: (row.row_version, row.updated_at) for id_, row in other.rows().items()}
    version = other.version()
    house.pms.deletes("a2")
    house.pms.says("a1", S.CANCELLED)
    house.sync()
    house.ticks()
    house.staff_sets("a1", S.ARRIVED)
    assert {id_: (row.row_version, row.updated_at) for id_, row in other.rows().items()} == before
    assert other.version() == version
    assert other.shown() == {"a1", "a2"}
    assert {event.practice_id for event in other.events()} <= {other.practice_id}


def test_a_user_who_left_is_somebody_and_their_word_stays(house: House) -> None:
    house.pms.books("a1")
    house.sync()
    house.staff_sets("a1", S.ARRIVED)
    with house.store.write() as session:
        session.delete(session.get_one(User, house.user_id))
    with house.store.read() as session:
        assert rows.last_change(session, house.row("a1").id) == ("somebody who left", house.clock.at)
    assert house.row("a1").staff_status == S.ARRIVED


# --- two people at once -----------------------------------------------------------------------------------------------


def test_two_people_press_on_one_row_and_one_of_them_is_told(house: House) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    house.pms.books("a1")
    house.sync()
    row = house.row("a1")

    def press(to: Status) -> str:
        def work(session: Any) -> str:
            held = rows.locked(session, house.practice_id, row.id)
            rows.set_status(session, held, to, seen_version=row.row_version, act=Act(house.user_id, NOW))
            return "done"

        try:
            return house.store.transact(work)
        except ChangedMeanwhile:
            return "told"

    with ThreadPoolExecutor(4) as pool:
        outcome = sorted(pool.map(press, (S.ARRIVED, S.NO_SHOW, S.CONFIRMED, S.CANCELLED)))
    assert outcome == ["done", "told", "told", "told"]
    assert house.row("a1").row_version == row.row_version + 1
    assert house.count(AppointmentEvent) == 1


def test_reception_and_a_sync_write_on_one_sheet_without_waiting_in_a_circle(house: House) -> None:
    """Both lock their own row, both refer to the sheet, then both raise its version: that was a deadlock."""
    from threading import Barrier, Thread  # noqa: PLC0415

    if house.store.dialect == "sqlite":
        pytest.skip("SQLite has one writer")
    house.pms.books("a1", "a2")
    house.sync()
    both = Barrier(2, timeout=10)
    failures: list[BaseException] = []
    stored = {id_: house.row(id_) for id_ in ("a1", "a2")}

    def work(id_: str) -> None:
        try:
            with house.store.write() as session:
                row = rows.locked(session, house.practice_id, stored[id_].id)
                row.staff_note = "x"
                session.add(
                    AppointmentEvent(
                        practice_id=house.practice_id,
                        appointment_id=row.id,
                        run_sheet_id=row.run_sheet_id,
                        kind="note",
                        changes={},
                    )
                )
                session.flush()
                both.wait()
                appointments.raise_versions(session, {row.run_sheet_id})
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [Thread(target=work, args=(id_,)) for id_ in ("a1", "a2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []


def test_a_choice_may_only_name_types_of_its_own_connection(house: House) -> None:
    other_practice, other_connection, _ = furnish(house.store, "Other")
    with house.store.write() as session:
        catalogue.keep_types(session, other_connection, FakePms().offers("video").types.values())
    with house.store.read() as session:
        theirs = catalogue.types_of(session, other_connection)[0]
        with pytest.raises(InvalidInput, match="no appointment type"):
            choices.types_by_id(session, house.connection_id, [str(theirs.id)])
        assert [row.pms_type_id for row in choices.types_by_id(session, house.connection_id, [" video ", ""])] == [
            "video"
        ]
        assert practices.get(session, other_practice).name == "Other"
        with pytest.raises(NotFound):
            practices.get(session, uuid4())
    assert Source(other_practice, other_connection, None, NOW).run_id is None
