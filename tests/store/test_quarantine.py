"""What cannot be read is set aside, encrypted, once; what a sweep accounts for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.security.vault import DecryptionFailed, Place
from app.store import quarantine, sweeps
from app.store.appointments import Source
from app.store.models import QuarantinedRecord
from app.store.quarantine import Bad
from app.store.sweeps import Fate, Swept
from tests.fakes.house import House, furnish
from tests.fakes.pms import NOW, TODAY

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
