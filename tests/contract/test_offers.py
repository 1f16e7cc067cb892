"""`capabilities` is honest: what is offered is there, and what is not says so instead of answering with nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.consultation import ConsultationRef
from app.domain.window import Window
from app.pms.offers import NotOffered
from tests.contract.meeting import DAY, NOON, ZONE, Meeting, at, instant, is_of, visits_of


def test_what_is_not_offered_says_so(meeting: Meeting) -> None:
    adapter, offers = meeting.open(), meeting.cls.capabilities
    window = Window(DAY, DAY, ZONE)
    if not offers.consultations:
        with pytest.raises(NotOffered):
            list(adapter.consultations([]))
    if not offers.discovery:
        with pytest.raises(NotOffered):
            list(adapter.clients(window))
    if not offers.incremental:
        with pytest.raises(NotOffered):
            list(adapter.changes(datetime(2026, 3, 9, tzinfo=UTC), meeting.staff))
    assert bool(offers.writes) == hasattr(adapter, "set_status")
    assert offers.webhooks == hasattr(adapter, "parse_webhook")
    assert meeting.clinic.asked() == []


def test_what_changed_is_told_and_what_did_not_is_not(meeting: Meeting) -> None:
    if not meeting.cls.capabilities.incremental:
        pytest.skip("This vendor does not tell what changed.")
    meeting.clinic.fresh("2026-03-09T08:00:00+11:00")
    old, moved, cancelled = (meeting.clinic.book(at(f"{hour}:00")) for hour in (14, 15, 16))
    meeting.clinic.sandbox.control(clock_of(meeting), at=NOON)
    new = meeting.clinic.book(at("17:00"))
    meeting.clinic.change(moved, at=at("10:00", 12))
    meeting.clinic.cancel(cancelled)
    adapter = meeting.open()
    told = {
        row.external_id: row
        for page in adapter.changes(instant(NOON) - timedelta(minutes=5), meeting.staff)
        for row in page.appointments
    }
    every = (old, moved, cancelled, new)
    assert visits_of(told, every) == {moved, cancelled, new}
    assert next(row.starts_at for id_, row in told.items() if is_of(id_, moved)) == instant(at("10:00", 12))
    swept = meeting.rows(window=Window(DAY, DAY + timedelta(days=3), ZONE))
    assert all(swept[id_] == row for id_, row in told.items())
    all_day = adapter.changes(instant("2026-03-09T08:00:00+11:00"), meeting.staff)
    assert visits_of((row.external_id for page in all_day for row in page.appointments), every) == set(every)


def test_a_later_change_is_later(meeting: Meeting) -> None:
    if not meeting.cls.capabilities.incremental:
        pytest.skip("This vendor does not tell what changed.")
    visit = meeting.clinic.book(at("14:00"))
    since = instant(NOON) + timedelta(minutes=1)
    adapter = meeting.open()
    assert [row for page in adapter.changes(since, meeting.staff) for row in page.appointments] == []
    meeting.clinic.sandbox.control(clock_of(meeting), at="2026-03-09T12:05:00+11:00")
    meeting.clinic.change(visit, state="arrived")
    (row,) = (row for page in adapter.changes(since, meeting.staff) for row in page.appointments)
    assert is_of(row.external_id, visit)
    assert row.changed_at is None or row.changed_at >= since


def test_discovery_meets_everybody_of_the_window(busy: Meeting) -> None:
    if not busy.cls.capabilities.discovery:
        pytest.skip("This vendor does not tell who its clients are.")
    window = Window(DAY - timedelta(days=1), DAY + timedelta(days=1), ZONE)
    pages = list(busy.open().clients(window))
    met = {one.external_id: one for page in pages for one in page.clients}
    rows = busy.rows(window=window).values()
    come = {row.client.external_id if row.client else one.external_id for row in rows for one in row.patients}
    assert come <= met.keys()
    assert all(one.full_name.strip() for one in met.values())
    assert [bad for page in pages for bad in page.rejected] == []
    assert sum(page.received for page in pages) > 0


def test_each_consultation_that_is_wanted_has_one_answer(busy: Meeting) -> None:
    if not busy.cls.capabilities.consultations:
        pytest.skip("This vendor keeps no clinical records in reach.")
    busy.clinic.fresh("2026-03-09T23:59:00+11:00")
    wanted = [
        ConsultationRef(
            row.external_id, row.consultation_id, row.patient.external_id if row.patient else None, row.starts_at
        )
        for row in busy.rows().values()
        if row.patients
    ]
    told = list(busy.open().consultations(wanted))
    assert sorted(one.ref.appointment_id for one in told) == sorted(one.appointment_id for one in wanted)
    there = [one.consultation for one in told if one.consultation]
    assert there, "a day's end has seen consultations"
    for one in told:
        assert (one.consultation is None) == (one.reason is not None)
        if one.consultation:
            assert one.consultation.appointment_id == one.ref.appointment_id
    nobody = ConsultationRef("no such visit", None, None, instant(at("10:00")))
    (answer,) = busy.open().consultations([nobody])
    assert (answer.consultation, answer.reason is None) == (None, False)


def clock_of(meeting: Meeting) -> str:
    """Where the clinic's clock is set: all but one share theirs."""
    return str(getattr(meeting.clinic, "clock", "clock"))
