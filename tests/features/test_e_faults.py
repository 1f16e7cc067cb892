"""Faults of pages and records, survived against the simulated Gentu."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.store.models import Appointment, QuarantinedRecord
from app.store.models.sync import RunState
from tests.fakes.house import shared_postgresql, shared_sqlite, skipped, store
from tests.features.surgery import DAY, Surgery, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.fault("F14")
def test_403_for_one_practitioner_of_ten(surgery: Surgery) -> None:
    for number in range(8):
        surgery.sandbox.control("practitioners", family=f"Extra {number}", given="Dr")
    everybody = surgery.in_book()
    assert len(everybody) == 10
    booked = {who: surgery.books(count=3, practitioner_id=who) for who in everybody}
    surgery.sync(DAY)
    for who in everybody:
        surgery.sandbox.control(f"appointments/{booked[who][0]}/delete")
    new = {who: surgery.books(time="16:00", practitioner_id=who)[0] for who in everybody}
    refused = everybody[3]
    surgery.sandbox.break_("error", status=403, path="/tenants/*/appointments", query=f"practitionerId={refused}")
    result = surgery.reconciles(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "some_failed")
    assert result.tallies[-1].reason == "sweep_incomplete"
    assert set(new.values()) - set(surgery.rows()) == {new[refused]}
    assert surgery.removed() == set(), "nothing is concluded from half a sweep, about anybody"
    assert surgery.connection().state == "active"
    surgery.sandbox.mend()
    surgery.reconciles(DAY)
    assert surgery.removed() == {booked[who][0] for who in everybody}


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    ("record", "path"),
    [
        ("no_start", "$.startAt"),
        ("null_start", "$.startAt"),
        ("bad_start", "$.startAt"),
        ("wrong_type", "$.participant"),
        ("no_id", "$.id"),
        ("not_an_object", "$"),
    ],
)
def test_a_record_without_what_it_must_have_is_set_aside_with_the_place_and_never_the_value(
    surgery: Surgery, record: str, path: str
) -> None:
    ids = surgery.books(count=4)
    surgery.sandbox.break_("poison", record=record, index=2)
    result = surgery.sync(DAY)
    assert (result.state, result.tallies[-1].created, result.tallies[-1].quarantined) == (RunState.PARTIAL, 3, 1)
    assert surgery.shown(DAY) == set(ids) - {ids[2]}
    with surgery.store.read() as session:
        (kept,) = session.scalars(select(QuarantinedRecord))
    assert kept.path == path
    assert not any(value in f"{kept.path} {kept.reason}" for value in ("nobody", "24:60", "appointment"))
    surgery.sandbox.mend()
    surgery.sync(DAY)
    surgery.stands_as_at_the_vendor()


@pytest.mark.fault("F28")
def test_an_id_that_turns_into_a_number_is_the_same_row(surgery: Surgery) -> None:
    surgery.books(id="123")
    surgery.sync(DAY)
    surgery.sandbox.break_("poison", record="number_id", index=0)
    tally = surgery.sync(DAY).tallies[-1]
    assert (tally.created, tally.updated, tally.unchanged) == (0, 0, 1)
    assert set(surgery.rows()) == {"123"}


PAGES = 250  # rows of one practitioner: three pages


@pytest.mark.fault("F35")
def test_the_same_page_twice_makes_nobody_twice(surgery: Surgery) -> None:
    first = surgery.in_book()[0]
    surgery.books(count=PAGES, every_minutes=2, time="08:00", practitioner_id=first)
    surgery.sandbox.break_("same_page", skip=1, next=1, query=f"practitionerId={first}")
    result = surgery.sync(DAY)
    assert result.tallies[-1].created + skipped(result)["duplicate"] == result.tallies[-1].fetched
    assert skipped(result)["duplicate"] == 100
    surgery.account_adds_up(DAY)
    surgery.sandbox.mend()
    surgery.sync(DAY)
    assert surgery.count(Appointment) == PAGES
    surgery.stands_as_at_the_vendor()


@pytest.mark.fault("F36")
@pytest.mark.parametrize("length", [1, 3])
def test_a_circle_of_cursors_is_noticed_and_nothing_is_concluded(surgery: Surgery, length: int) -> None:
    first, second, *_ = surgery.in_book()
    ids = surgery.books(count=PAGES, every_minutes=2, time="08:00", practitioner_id=first)
    (other,) = surgery.books(practitioner_id=second)
    surgery.sync(DAY)
    surgery.sandbox.control(f"appointments/{ids[-1]}/delete")
    surgery.sandbox.break_("cursor_loop", length=length, query=f"practitionerId={first}")
    surgery.sandbox.control("traffic/reset")
    result = surgery.reconciles(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "cursor_loop")
    asked = [one for one in surgery.sandbox.state(log=1000)["log"] if f"practitionerId={first}" in one["query"]]
    assert len(asked) <= length + 2, "the circle is gone round once"
    assert surgery.removed() == set()
    assert {ids[-1], other} <= surgery.shown(DAY)
    surgery.sandbox.mend()
    surgery.reconciles(DAY)
    assert surgery.removed() == {ids[-1]}
    surgery.account_adds_up(DAY)


@pytest.mark.fault("F39")
def test_an_empty_page_in_the_middle_is_not_the_end(surgery: Surgery) -> None:
    first = surgery.in_book()[0]
    surgery.books(count=PAGES, every_minutes=2, time="08:00", practitioner_id=first)
    surgery.sandbox.break_("empty_page", skip=1, next=1, query=f"practitionerId={first}")
    result = surgery.sync(DAY)
    assert (result.state, result.tallies[-1].created) == (RunState.SUCCESS, PAGES)
    surgery.stands_as_at_the_vendor()
