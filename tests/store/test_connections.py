"""Whose connection it is, what state it is in, and whose key seals its secrets."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from app.errors import InvalidInput, NotFound, SettingsError
from app.security.vault import Vault
from app.store import connections, practices, schedules
from app.store.keys import require_keys
from app.store.models import EncryptionKey, PmsConnection
from app.store.models.connection import ConnectionState, Environment
from app.store.models.sync import RunState
from tests.fakes.house import House, furnish
from tests.fakes.pms import NOW, TODAY

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
