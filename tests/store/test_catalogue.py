"""What a PMS lists, kept; what cannot be read, set aside; whose connection it is; whose key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.domain.appointment import AppointmentType, Practitioner
from app.errors import InvalidInput, NotFound, SettingsError
from app.security.vault import DecryptionFailed, Place, Vault
from app.store import catalogue, connections, practices, quarantine, schedules, sweeps
from app.store.appointments import Source
from app.store.keys import require_keys
from app.store.models import Clinician, ClinicianMapping, EncryptionKey, PmsConnection, PmsStatus, QuarantinedRecord
from app.store.models.connection import ConnectionState, Environment
from app.store.models.sync import RunState
from app.store.quarantine import Bad
from app.store.sweeps import Fate, Swept
from tests.fakes.house import House, furnish
from tests.fakes.pms import NOW, TODAY, VIDEO

LONG = "x" * 400


def keep(house: House, *people: Practitioner) -> catalogue.Tally:
    with house.store.write() as session:
        return catalogue.keep_practitioners(session, house.connection_id, people)


def mappings(house: House) -> dict[str, ClinicianMapping]:
    with house.store.read() as session:
        return {row.pms_practitioner_id: row for row in catalogue.mappings_of(session, house.connection_id)}


def test_new_people_appear_and_nobody_is_mapped(bare_house: House) -> None:
    told = keep(bare_house, Practitioner("k", "Dr Kim", "k@example.com"), Practitioner("l", "Dr Lee", active=False))
    assert (told.fetched, told.created, told.updated, told.unchanged) == (2, 2, 0, 0)
    assert all(row.run_sheet_clinician_id is None and row.sync_enabled for row in mappings(bare_house).values())
    told = keep(bare_house, Practitioner("k", "Dr Kim-Lee", "k@example.com"), Practitioner("l", "Dr Lee", active=False))
    assert (told.created, told.updated, told.unchanged) == (0, 1, 1)


def test_who_is_no_longer_listed_is_inactive_with_the_mapping_kept(house: House) -> None:
    house.maps_everybody()
    before = mappings(house)["lee"].run_sheet_clinician_id
    keep(house, Practitioner("kim", "Dr Kim"))
    row = mappings(house)["lee"]
    assert (row.active, row.run_sheet_clinician_id) == (False, before)
    with house.store.read() as session:
        assert catalogue.swept_practitioners(session, house.connection_id) == {"kim"}
    keep(house, Practitioner("kim", "Dr Kim"), Practitioner("lee", "Dr Lee"))
    assert mappings(house)["lee"].active


def test_an_empty_list_sets_nobody_inactive(house: House) -> None:
    assert keep(house).fetched == 0
    with house.store.write() as session:
        catalogue.keep_types(session, house.connection_id, [])
    with house.store.read() as session:
        assert all(row.active for row in catalogue.types_of(session, house.connection_id))
    assert all(row.active for row in mappings(house).values())


def test_a_new_type_is_off_and_a_ticked_one_stays_ticked(house: House) -> None:
    types = [AppointmentType(VIDEO, "Video, renamed", 15, "#fff"), AppointmentType("phone", "Phone")]
    with house.store.write() as session:
        told = catalogue.keep_types(session, house.connection_id, types)
    assert (told.created, told.updated) == (1, 1)
    with house.store.read() as session:
        found = {row.pms_type_id: row for row in catalogue.types_of(session, house.connection_id)}
    assert (found[VIDEO].is_telehealth, found[VIDEO].pms_type_name) == (True, "Video, renamed")
    assert (found["phone"].is_telehealth, found["in person"].active) == (False, False)


def test_text_that_is_too_long_or_holds_a_nul_is_kept_the_same_by_both_databases(house: House) -> None:
    """SQLite takes anything; PostgreSQL would refuse the whole page, run after run."""
    keep(house, Practitioner("kim", f"Dr\0 {LONG}", f"{LONG}@example.com"), Practitioner("lee", "\0"))
    with house.store.write() as session:
        catalogue.keep_types(session, house.connection_id, [AppointmentType("t", f"\0{LONG}", 30, LONG)])
        quarantine.keep(
            session,
            house.vault,
            Source(house.practice_id, house.connection_id, uuid4(), NOW),
            [Bad(f"\0{LONG}", LONG, LONG, b"{\0}")],
        )
    assert len(mappings(house)["kim"].pms_practitioner_name) == 255
    assert mappings(house)["lee"].pms_practitioner_name == "lee"


def test_everybody_gets_a_column_the_suggested_one_or_a_new_one(house: House) -> None:
    with house.store.write() as session:
        known = catalogue.new_clinician(session, house.practice_id, "Dr Kim")
        catalogue.new_clinician(session, house.practice_id, "Anna Lee")  # the same family name is no proof
        kim = known.id
    keep(house, *house.pms.people.values(), Practitioner("x", "Gone", active=False), Practitioner("y", "Dr Lee"))
    assert house.maps_everybody() == (3, 2)
    found = mappings(house)
    assert found["kim"].run_sheet_clinician_id == kim
    assert not found["kim"].auto_created
    assert found["lee"].auto_created
    assert found["x"].run_sheet_clinician_id is None
    assert house.maps_everybody() == (0, 0)
    with house.store.read() as session:
        people = catalogue.clinicians_of(session, house.practice_id)
    assert [person.name for person in people] == ["Dr Kim", "Anna Lee", "Dr Lee", "Dr Lee (2)"]
    assert {found["lee"].run_sheet_clinician_id, found["y"].run_sheet_clinician_id} == {people[2].id, people[3].id}


def test_a_button_pressed_twice_makes_nobody_twice(house: House) -> None:
    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(lambda _: house.store.transact(mapped(house)), range(2)))
    assert told == [(0, 0), (2, 2)]
    assert house.count(Clinician) == 2


def mapped(house: House) -> Any:
    return lambda session: catalogue.map_everybody(session, house.practice_id, house.connection_id)


def test_a_clinicians_name_is_made_unique_and_never_empty(house: House) -> None:
    with house.store.write() as session:
        names = [catalogue.new_clinician(session, house.practice_id, " Ann  Lee ").name for _ in range(3)]
        assert names == ["Ann Lee", "Ann Lee (2)", "Ann Lee (3)"]
        assert len(catalogue.new_clinician(session, house.practice_id, LONG).name) <= 255
        with pytest.raises(InvalidInput):
            catalogue.new_clinician(session, house.practice_id, "  ")


def test_a_word_nobody_knows_is_kept_until_somebody_explains_it(house: House) -> None:
    with house.store.write() as session:
        catalogue.note_unknown_statuses(session, house.connection_id, {"late_cancel": 2})
        catalogue.note_unknown_statuses(session, house.connection_id, {"late_cancel": 5, "bumped": 1})
        catalogue.note_unknown_statuses(session, house.connection_id, {})
    with house.store.write() as session:
        words = {row.raw_status: row for row in catalogue.unknown_words(session, house.connection_id)}
        assert set(words) == {"late_cancel", "bumped"}
        assert catalogue.explained_words(session, house.connection_id) == {}
        words["late_cancel"].status = "cancelled"
    with house.store.read() as session:
        assert catalogue.explained_words(session, house.connection_id) == {"late_cancel": "cancelled"}
        assert len(catalogue.unknown_words(session, house.connection_id)) == 1
    assert house.count(PmsStatus) == 2


# --- quarantine -------------------------------------------------------------------------------------------------------


def set_aside(house: House, *bad: Bad) -> None:
    source = Source(house.practice_id, house.connection_id, uuid4(), house.clock.at)
    with house.store.write() as session:
        quarantine.keep(session, house.vault, source, bad)


def records(house: House) -> list[QuarantinedRecord]:
    with house.store.read() as session:
        mine = select(QuarantinedRecord).where(QuarantinedRecord.pms_connection_id == house.connection_id)
        return list(session.scalars(mine))


PAYLOAD = b'{"id":"a1","name":"Alice Brown"}'


def test_a_bad_record_is_encrypted_bound_to_its_row_and_counted_once(house: House) -> None:
    bad = Bad("a1", "$.startAt", "missing", PAYLOAD)
    set_aside(house, bad, bad)
    set_aside(house, bad)
    (record,) = records(house)
    assert (record.external_id, record.path, record.reason, record.seen) == ("a1", "$.startAt", "missing", 2)
    assert "Alice" not in record.payload
    place = Place(str(house.practice_id), "quarantined_records", "payload", str(record.id))
    assert house.vault.open(record.payload, place) == PAYLOAD.decode()
    with pytest.raises(DecryptionFailed):
        house.vault.open(record.payload, Place(str(uuid4()), *place.__class__.__slots__[1:3], str(record.id)))


def test_the_same_bad_record_of_two_practices_cannot_be_linked(house: House) -> None:
    practice, connection, _ = furnish(house.store, "Other")
    set_aside(house, Bad("a1", "$", "x", PAYLOAD))
    with house.store.write() as session:
        quarantine.keep(
            session, house.vault, Source(practice, connection, uuid4(), NOW), [Bad("a1", "$", "x", PAYLOAD)]
        )
    with house.store.read() as session:
        both = session.scalars(select(QuarantinedRecord)).all()
        assert len({row.payload_hash for row in both}) == 2
        assert quarantine.open_count(session, practice) == 1


def test_a_record_that_can_be_read_at_last_is_resolved_and_met_again_is_open_again(house: House) -> None:
    set_aside(house, Bad("a1", "$", "x", b"1"), Bad("a2", "$", "x", b"2"), Bad(None, "$", "x", b"3"))
    source = Source(house.practice_id, house.connection_id, uuid4(), house.clock.at)
    with house.store.write() as session:
        assert quarantine.open_ids(session, house.connection_id) == {"a1", "a2"}
        quarantine.resolve(session, source, {"a1"})
        quarantine.resolve(session, source, set())
        assert quarantine.open_count(session, house.practice_id) == 2
    set_aside(house, Bad("a1", "$", "x", b"1"))
    with house.store.read() as session:
        assert quarantine.open_ids(session, house.connection_id) == {"a1", "a2"}


def test_nothing_of_the_payload_is_in_what_a_run_tells(house: House) -> None:
    run = uuid4()
    with house.store.write() as session:
        source = Source(house.practice_id, house.connection_id, run, NOW)
        quarantine.keep(session, house.vault, source, [Bad("a1", "$.startAt", "missing", PAYLOAD)])
        quarantine.keep(session, house.vault, source, [])
        (row,) = quarantine.of_run(session, run)
    assert "Alice" not in f"{row.path}{row.reason}{row.external_id}{row.payload}"


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_a_sweep_is_one_row_however_often_and_the_last_one_counts(house: House) -> None:
    def sweep(received: int) -> None:
        with house.store.write() as session:
            source = Source(house.practice_id, house.connection_id, uuid4(), house.clock.at)
            sweeps.record(session, source, [Swept(TODAY, "kim", received, {"block": {"": 1}})])
            sweeps.record(session, source, [])

    sweep(5)
    house.clock.forward(60)
    sweep(7)
    (row,) = house.sweeps().values()
    assert (row.received, row.skipped, row.completed_at) == (7, {"block": {"": 1}}, house.clock.at)
    with house.store.read() as session:
        assert sweeps.latest(session, [house.connection_id, uuid4()]) == {house.connection_id: house.clock.at}
        assert len(sweeps.of_day(session, house.practice_id, TODAY)) == 1


@pytest.mark.parametrize(
    ("fate", "received", "skipped"),
    [
        (Fate(TODAY, "kim", "v", None, "type_off"), 5, {"not_telehealth": {"v": 2}, "type_off": {"v": 1}}),
        (Fate(TODAY, "kim", "v", "type_off", None), 5, {"not_telehealth": {"v": 1}}),  # the sweep called it so
        (Fate(TODAY, "kim", "w", "type_off", None), 5, {"not_telehealth": {"v": 2}}),  # was never counted
        (Fate(TODAY, "kim", "v", came=True), 6, {"not_telehealth": {"v": 2}}),
        (Fate(TODAY, "kim", "v", now="block", came=True), 6, {"not_telehealth": {"v": 2}, "block": {"v": 1}}),
        (Fate(TODAY + timedelta(days=1), "kim", "v", None, "type_off"), 5, {"not_telehealth": {"v": 2}}),
        (Fate(TODAY, "lee", "v", None, "type_off"), 5, {"not_telehealth": {"v": 2}}),
    ],
)
def test_the_account_follows_the_fate_of_each_row(
    house: House, fate: Fate, received: int, skipped: dict[str, Any]
) -> None:
    with house.store.write() as session:
        source = Source(house.practice_id, house.connection_id, uuid4(), NOW)
        sweeps.record(session, source, [Swept(TODAY, "kim", 5, {"not_telehealth": {"v": 2}})])
        sweeps.settle(session, house.connection_id, [fate])
        sweeps.settle(session, house.connection_id, [])
    (row,) = house.sweeps().values()
    assert (row.received, row.skipped) == (received, skipped)


# --- connections ------------------------------------------------------------------------------------------------------


def paired(house: House, practice_name: str, tenant: str) -> None:
    with house.store.write() as session:
        practice = practices.create(session, practice_name, "Australia/Melbourne")
        made = connections.create(session, practice, "fake", "", Environment.SIMULATOR)
        connections.bind_tenant(session, made, tenant)


def test_a_tenant_belongs_to_one_practice_among_connections_that_live(house: House) -> None:
    tenant = house.connection().tenant_id or ""
    with pytest.raises(InvalidInput, match="already connected"):
        paired(house, "Thief", tenant)
    with house.store.read() as session:
        assert "Thief" not in [one.name for one in practices.everyone(session)]
    with house.store.write() as session:
        connections.get(session, house.connection_id).state = ConnectionState.DISCONNECTED
    paired(house, "Heir", tenant)


def test_pairing_again_keeps_the_practice_and_another_practices_code_is_refused(house: House) -> None:
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        connections.bind_tenant(session, connection, connection.tenant_id or "")
        with pytest.raises(InvalidInput, match="another practice"):
            connections.bind_tenant(session, connection, "somebody else")


def test_a_connection_is_found_in_its_own_practice_only(house: House) -> None:
    other, *_ = furnish(house.store, "Other")
    with house.store.read() as session:
        assert connections.one_of_practice(session, house.practice_id, house.connection_id).display_name == "Fake"
        with pytest.raises(NotFound):
            connections.one_of_practice(session, other, house.connection_id)
        with pytest.raises(NotFound):
            connections.get(session, uuid4())
        assert [one.id for one in connections.of_practice(session, house.practice_id)] == [house.connection_id]
        assert len(connections.everywhere(session)) == 2


def in_state(house: House, state: ConnectionState, reason: str | None = None) -> None:
    with house.store.write() as session:
        connections.set_state(connections.get(session, house.connection_id), state, reason)


C, R = ConnectionState, RunState


@pytest.mark.parametrize(
    ("before", "run", "needs_a_person", "after"),
    [
        (C.ACTIVE, R.SUCCESS, False, C.ACTIVE),
        (C.ACTIVE, R.FAILED, False, C.ACTIVE),
        (C.ACTIVE, R.FAILED, True, C.NEEDS_ATTENTION),
        (C.ACTIVE, R.PARTIAL, True, C.NEEDS_ATTENTION),
        (C.NEEDS_ATTENTION, R.SUCCESS, False, C.ACTIVE),
        (C.NEEDS_ATTENTION, R.PARTIAL, False, C.ACTIVE),
        (C.NEEDS_ATTENTION, R.PARTIAL, True, C.NEEDS_ATTENTION),  # it read something, and was then shut out
        (C.NEEDS_ATTENTION, R.FAILED, False, C.NEEDS_ATTENTION),
        (C.NEEDS_ATTENTION, R.DEFERRED, False, C.NEEDS_ATTENTION),
        (C.PAUSED, R.SUCCESS, False, C.PAUSED),
        (C.PAUSED, R.FAILED, True, C.PAUSED),
        (C.DISCONNECTED, R.SUCCESS, False, C.DISCONNECTED),
    ],
)
def test_what_a_run_leaves_on_its_connection(
    house: House, before: ConnectionState, run: RunState, needs_a_person: bool, after: ConnectionState
) -> None:
    in_state(house, before, "tls" if before is C.NEEDS_ATTENTION else None)
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        connections.after_run(
            session, connection, state=run, reason="forbidden", needs_a_person=needs_a_person, now=house.clock.at
        )
    found = house.connection()
    assert (found.state, found.last_sync_status, found.last_sync_error) == (after, run, "forbidden")
    assert (found.last_good_at is not None) == (run is R.SUCCESS)
    assert found.failures == (run is R.FAILED)
    if needs_a_person and after is C.NEEDS_ATTENTION:
        assert found.state_reason == "forbidden", "the sentence is of what is wrong now"
    if after is C.ACTIVE:
        assert found.state_reason is None


def test_failures_are_counted_in_a_row(house: House) -> None:
    for state, failures in ((R.FAILED, 1), (R.FAILED, 2), (R.DEFERRED, 2), (R.ABANDONED, 2), (R.PARTIAL, 0)):
        with house.store.write() as session:
            connection = connections.get(session, house.connection_id)
            connections.after_run(session, connection, state=state, reason=None, needs_a_person=False, now=NOW)
        assert house.connection().failures == failures


def test_the_sheets_of_today_and_tomorrow_show_a_change_of_health_and_nothing_else(house: House) -> None:
    days = [TODAY + timedelta(days=n) for n in (-1, 0, 1, 2)]
    for day in days:
        house.pms.books(f"on {day}", day=day)
    house.sync(days[0], days[-1])
    before = [house.version(day) for day in days]
    house.sync(days[0], days[-1])
    assert [house.version(day) for day in days] == before
    house.pms.fails(ConnectionError("bug"))
    house.sync(days[0], days[-1])
    assert [house.version(day) - was for day, was in zip(days, before, strict=True)] == [0, 1, 1, 0]


def test_pause_calls_off_what_waits_and_resume_makes_it_due(house: House) -> None:
    waiting = house.request()
    with house.store.write() as session:
        connections.pause(session, connections.get(session, house.connection_id), house.clock.at)
    assert house.run(waiting).state == RunState.CANCELLED
    assert house.claim(waiting) is None
    with house.store.write() as session:
        assert schedules.due(session, house.clock.at + timedelta(days=2)) == []
    house.clock.forward(3600)
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        connections.resume(session, connection, practices.get(session, house.practice_id), house.clock.at)
    with house.store.write() as session:
        assert [row.kind for row, *_ in schedules.due(session, house.clock.at)] == ["interval"]


@pytest.mark.parametrize("state", [C.DRAFT, C.DISCONNECTED, C.PAUSED])
def test_only_what_syncs_can_be_paused(house: House, state: ConnectionState) -> None:
    in_state(house, state)
    with pytest.raises(InvalidInput), house.store.write() as session:
        connections.pause(session, connections.get(session, house.connection_id), NOW)


def test_only_what_stands_still_can_be_resumed(house: House) -> None:
    with pytest.raises(InvalidInput), house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        connections.resume(session, connection, practices.get(session, house.practice_id), NOW)


def test_a_practice_needs_a_name_and_a_zone(house: House) -> None:
    with house.store.write() as session:
        for name, zone in ((" ", "UTC"), ("x" * 256, "UTC"), ("A", "Mars/Olympus")):
            with pytest.raises(InvalidInput):
                practices.create(session, name, zone)


# --- keys -------------------------------------------------------------------------------------------------------------

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def test_a_lost_key_refuses_to_start_with_a_sentence(house: House) -> None:
    require_keys(house.store, Vault(OLD))
    require_keys(house.store, Vault(OLD))
    require_keys(house.store, Vault(NEW, (OLD,)))
    for vault in (Vault(NEW), Vault(OLD)):
        with pytest.raises(SettingsError, match="OLD_ENCRYPTION_KEYS") as refused:
            require_keys(house.store, vault)
        assert (Vault(OLD).current_key_id in str(refused.value)) == (vault.current_key_id != Vault(OLD).current_key_id)
    assert house.count(EncryptionKey) == 2


def test_web_and_worker_may_start_at_the_same_moment(house: House) -> None:
    both = threading.Barrier(4)

    def start(_: int) -> None:
        both.wait()
        require_keys(house.store, Vault(NEW))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    assert house.count(EncryptionKey) == 1


def test_a_naive_time_never_reaches_the_database(house: House) -> None:
    with pytest.raises(Exception, match="naive"), house.store.write() as session:
        session.get_one(PmsConnection, house.connection_id).last_sync_at = datetime(2026, 3, 9)  # noqa: DTZ001
    melbourne = datetime.fromisoformat("2026-03-09T12:00:00+11:00")
    with house.store.write() as session:
        session.get_one(PmsConnection, house.connection_id).last_sync_at = melbourne
    found = house.connection().last_sync_at
    assert found == melbourne
    assert found is not None
    assert found.tzinfo is UTC or found.utcoffset() == timedelta(0)
