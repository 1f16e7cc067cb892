"""Faults of single records, survived against the simulated Gentu: the record is set aside, everybody else is shown."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest

from app import clock
from app.domain.names import MAX_TEXT
from app.domain.status import Status
from app.store.models import Appointment, QuarantinedRecord
from app.store.models.sync import RunState
from tests.fakes.house import shared_postgresql, shared_sqlite, skipped, store
from tests.features.surgery import DAY, Surgery, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


#: What is wrong with the record, where it is told to be, and as what.
BAD = {
    "lone_surrogate": ("$", "not_json"),
    "nan": ("$", "not_json"),
    "infinity": ("$", "not_json"),
    "huge_number": ("$.minutesDuration", "out_of_range"),
    "same_key_twice": ("$..status", "dup_key"),
    "bad_start": ("$.startAt", "invalid"),
    "far_start": ("$.startAt", "out_of_range"),
}


@pytest.mark.fault("F22")
@pytest.mark.fault("F25")
@pytest.mark.fault("F26")
@pytest.mark.fault("F27")
@pytest.mark.fault("F45")
def test_a_record_no_program_should_swallow_is_set_aside_and_the_page_goes_on(surgery: Surgery) -> None:
    """One of three of a day: the other two are shown, and once it is mended so is the third."""
    for offset, (record, where) in enumerate(BAD.items()):
        day = DAY + timedelta(days=offset)
        ids = surgery.books(count=3, day=day.isoformat())
        surgery.sandbox.break_("poison", record=record, index=1)
        result = surgery.sync(day)
        tally = result.tallies[-1]
        assert (result.state, result.reason) == (RunState.PARTIAL, "quarantined"), record
        assert (tally.fetched, tally.created, tally.quarantined, tally.complete) == (3, 2, 1, True), record
        assert surgery.shown(day) == {ids[0], ids[2]}
        with surgery.store.read() as session:
            kept = session.query(QuarantinedRecord).filter_by(resolved_at=None).one()
        assert (kept.path, kept.reason) == where, record
        surgery.sandbox.mend()
        surgery.sync(day)
        surgery.stands_as_at_the_vendor(day)
        with surgery.store.write() as session:  # one without an id cannot resolve itself
            session.query(QuarantinedRecord).update({"resolved_at": clock.now()})


@pytest.mark.fault("F45")
def test_any_offset_is_the_instant_it_says(surgery: Surgery) -> None:
    """Half hours, three quarters, none at all, and yesterday there: all midnight in London that day."""
    said = {"+10:30": "09T10:30", "+13:45": "09T13:45", "Z": "09T00:00", "-03:00": "08T21:00"}
    ids = surgery.books(count=len(said))
    for id_, (offset, at) in zip(ids, said.items(), strict=True):
        surgery.sandbox.control("raw", id=id_, fields={"startAt": f"2026-03-{at}:00.000{offset}"})
    assert surgery.sync(DAY).state is RunState.SUCCESS
    assert {surgery.row(id_).starts_at.isoformat() for id_ in ids} == {"2026-03-09T00:00:00+00:00"}


@pytest.mark.fault("F23")
def test_nul_is_left_out_on_either_database(surgery: Surgery) -> None:
    ids = surgery.books(count=2)
    surgery.sandbox.break_("poison", record="nul", index=0)
    result = surgery.sync(DAY)
    assert (result.state, result.tallies[-1].created) == (RunState.SUCCESS, 2)
    assert surgery.row(ids[0]).pms_comment == "beforeafter"


@pytest.mark.fault("F29")
def test_ids_are_compared_exactly_as_sent_and_look_alikes_are_told(surgery: Surgery) -> None:
    """Case, blanks and two spellings of one letter make other ids: nobody's booking is written over another's."""
    composed, apart = (unicodedata.normalize(form, "caf\u00e9-1") for form in ("NFC", "NFD"))
    ids = {"Ab-1", "ab-1", "ab-1 ", composed, apart}
    assert len(ids) == 5
    for number, id_ in enumerate(sorted(ids)):
        surgery.books(id=id_, time=f"1{number}:00", practitioner_id=surgery.in_book()[0])
    for created, unchanged in ((5, 0), (0, 5)):
        result = surgery.sync(DAY)
        assert (result.tallies[-1].created, result.tallies[-1].unchanged) == (created, unchanged)
        assert result.tallies[-1].details["lookAlikeIds"] == [sorted((composed, apart))]
    assert surgery.shown(DAY) == ids


@pytest.mark.fault("F30")
def test_of_two_records_of_one_id_in_a_page_the_last_counts_and_the_other_is_counted(surgery: Surgery) -> None:
    who = surgery.in_book()[0]
    (first,), (second,), (other,) = (
        surgery.books(time=time, practitioner_id=who) for time in ("09:00", "10:00", "11:00")
    )
    surgery.sandbox.control("raw", id=second, fields={"id": first})
    result = surgery.sync(DAY)
    assert result.state is RunState.SUCCESS
    assert (result.tallies[-1].created, skipped(result)["duplicate"]) == (2, 1)
    assert surgery.shown(DAY) == {first, other}
    assert surgery.row(first).starts_at.isoformat() == "2026-03-08T23:00:00+00:00"
    assert surgery.count(Appointment) == 2


@pytest.mark.fault("F32")
def test_a_word_nobody_knows_keeps_its_own_name_and_the_run_says_so(surgery: Surgery) -> None:
    ids = surgery.books(count=2)
    surgery.sandbox.break_("poison", record="unknown_status", index=0)
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "unknown_status")
    assert result.tallies[-1].details["unknownStatuses"] == ["triaged"]
    row = surgery.row(ids[0])
    assert (row.pms_status, row.pms_status_raw) == (Status.UNKNOWN, "triaged")
    surgery.sandbox.mend()
    surgery.sandbox.break_("poison", record="new_field", index=0)
    assert surgery.sync(DAY).state is RunState.SUCCESS


@pytest.mark.fault("F33")
def test_what_is_longer_than_anybody_writes_is_cut_and_says_so(surgery: Surgery) -> None:
    ids = surgery.books(count=2)
    surgery.sandbox.break_("poison", record="long_comment", index=1)
    assert surgery.sync(DAY).state is RunState.SUCCESS
    told = surgery.row(ids[1]).pms_comment
    assert told is not None
    assert (len(told), told[-2:]) == (MAX_TEXT, "x…")
