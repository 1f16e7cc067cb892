"""Gentu whole (S01): paired by code, swept by practitioner, read with all its oddities; what stands on the sheet."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app import clock
from app.pms.errors import PairingRefused
from app.store import connections, practices
from app.store.models.sync import RunState
from app.sync import preview
from tests.fakes.house import shared_postgresql, shared_sqlite, skipped, store
from tests.features.surgery import DAY, STANDARD, Surgery, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]

pytestmark = pytest.mark.feature("S01")

#: pms/gentu.md §3: the vendor's word, ours, and what the sheet shows.
WORDS = {
    "none": "booked",
    None: "booked",
    "confirmed": "confirmed",
    "in_waiting_room": "arrived",
    "with_doctor": "in_progress",
    "completed": "completed",
    "invoiced": "completed",
    "cancelled": "cancelled",
    "did_not_arrive": "no_show",
}


def statuses(surgery: Surgery, day: date = DAY) -> dict[str, str]:
    return {str(row.facts.pms_appointment_id): row.status.value for row in surgery.sheet(day).rows}


def test_all_its_words_and_none_it_never_said(surgery: Surgery) -> None:
    ids = {surgery.books(status=word)[0]: meaning for word, meaning in WORDS.items()}
    (strange,) = surgery.books(status="triaged")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.PARTIAL, "unknown_status")
    assert statuses(surgery) == ids | {strange: "unknown"}
    surgery.stands_as_at_the_vendor()


def test_a_chain_of_pages_for_each_practitioner_and_every_row_once(surgery: Surgery) -> None:
    everybody = surgery.in_book()
    for who in everybody:
        surgery.books(count=130, every_minutes=3, time="00:05", practitioner_id=who)
    (joint,) = surgery.books(time="12:00", practitioner_ids=everybody[:2])
    surgery.sandbox.control("traffic/reset")
    result = surgery.sync(DAY)
    assert (result.state, result.tallies[-1].created) == (RunState.SUCCESS, 130 * len(everybody) + 1)
    assert skipped(result) == {"duplicate": 1}
    assert surgery.row(joint).pms_practitioner_id == everybody[0]
    pages = [one["query"] for one in surgery.sandbox.state(log=1000)["log"] if one["path"].endswith("/appointments")]
    assert len(pages) == 2 * len(everybody)
    assert all(any(f"practitionerId={who}" in page for who in everybody) for page in pages)
    assert len([page for page in pages if "cursor=" in page]) == len(everybody)
    surgery.stands_as_at_the_vendor()


def test_what_it_leaves_null_or_leaves_out(surgery: Surgery) -> None:
    """No end, no minutes, no type, no side-loaded patient, no patient at all, several patients, nobody it knows."""
    (open_ended,) = surgery.books(time="08:00", odd=["no_end", "no_minutes"])
    (absent,) = surgery.books(time="09:00", odd=["not_side_loaded"], patient={"family": "Fennick", "given": "Marlow"})
    (unknown,) = surgery.books(time="10:00", patient_id="0b6f0f9a-9a55-4b0e-8a6e-0b9d4f4f1c99")
    couple = [{"family": "Reed", "given": name} for name in ("Ana", "Bo")]
    people = [surgery.sandbox.control("patients", **person)["id"] for person in couple]
    (group,) = surgery.books(time="11:00", patient_ids=people)
    surgery.books(time="12:00", block=True)
    surgery.books(time="13:00", type=None)
    result = surgery.sync(DAY)
    assert result.state is RunState.SUCCESS
    rows = surgery.rows()
    assert set(rows) == {open_ended, absent, unknown, group}
    assert rows[open_ended].appointment_duration_minutes == 15, "the type's own length"
    assert rows[absent].patient_name == "Marlow Fennick"
    assert rows[unknown].patient_name == "Unknown patient"
    assert [one["name"] for one in rows[group].patients or []] == ["Ana Reed", "Bo Reed"]
    assert skipped(result) == {"block": 1, "not_telehealth": 1}
    surgery.account_adds_up(DAY)


def test_an_appointments_life(surgery: Surgery) -> None:
    """Booked, moved over midnight and back, to another practitioner, to a type nobody wants and back, cancelled, booked
    anew, deleted: one row all the time, on the day the vendor says, and never deleted.
    """
    first, second, *_ = surgery.in_book()
    day = clock.now().astimezone(surgery.pms.zone).date() + timedelta(days=1)  # a past day keeps what it showed
    after = day + timedelta(days=1)
    (id_,) = surgery.books(day=day.isoformat(), time="23:30", practitioner_id=first)

    def order(what: str, **more: object) -> None:
        surgery.sandbox.control(f"appointments/{id_}/{what}", **more)
        assert surgery.reconciles(day, after).state is RunState.SUCCESS
        assert len(surgery.rows()) == 1
        surgery.account_adds_up(day)
        surgery.account_adds_up(after)

    types = {row["text"]: row["id"] for row in surgery.tenant()["types"]}
    video = next(text for text in types if text.startswith("Video"))
    surgery.sync(day, after)
    row = surgery.row(id_).id
    order("move", day=after.isoformat(), time="00:10")
    assert (surgery.shown(day), surgery.shown(after)) == (set(), {id_})
    order("move", day=day.isoformat(), time="10:00", practitioner_id=second)
    assert (surgery.shown(day), surgery.row(id_).pms_practitioner_id) == ({id_}, second)
    order("move", type_id=types[STANDARD])
    assert surgery.shown(day) == set()
    assert surgery.row(id_).hidden_cause == "not_telehealth"
    order("move", type_id=types[video])
    assert surgery.shown(day) == {id_}
    order("cancel")
    assert statuses(surgery, day) == {id_: "cancelled"}
    order("status", status="confirmed")
    order("move", day=(after + timedelta(days=9)).isoformat(), time="09:00")
    assert surgery.shown(day) | surgery.shown(after) == set()
    assert surgery.day_of(id_) == after + timedelta(days=9)
    order("move", day=day.isoformat(), time="09:00")
    order("delete")
    assert surgery.shown(day) == {id_}, "struck through, and on the sheet"
    assert surgery.row(id_).removed_cause == "gone"
    assert surgery.row(id_).id == row


def test_practitioners_come_and_go_and_nobodys_patients_are_lost(surgery: Surgery) -> None:
    first, second, *_ = surgery.in_book()
    (leaves,) = surgery.books(practitioner_id=second)
    (stays,) = surgery.books(practitioner_id=first)
    surgery.sync(DAY)
    surgery.sandbox.control(f"practitioners/{second}", shown=False)
    new = surgery.sandbox.control("practitioners", family="Newcomb", given="Ada", prefix="Dr")["id"]
    (comes,) = surgery.books(practitioner_id=new)
    surgery.sandbox.control(f"appointments/{leaves}/status", status="in_waiting_room")
    assert surgery.sync(DAY).state is RunState.SUCCESS
    assert surgery.shown(DAY) == {leaves, stays, comes}
    assert statuses(surgery)[leaves] == "arrived", "rows of somebody who left the book are still followed"
    groups = {group.column.name for group in surgery.sheet(DAY).groups}
    assert "Dr Ada Newcomb" in groups, "somebody new is shown although nobody mapped them yet"


def test_a_code_works_once_and_a_practice_that_was_taken_away_needs_somebody(surgery: Surgery) -> None:
    with surgery.store.write() as session:
        other = practices.create(session, "Thief", "Australia/Perth").id
    draft = preview.new_connection(surgery.engine, other, "gentu")
    code = surgery.sandbox.pairing_code(surgery.sandbox.state(log=0)["tenants"][1]["tenantId"])
    preview.pair(surgery.engine, other, draft.id, f" {code} ")
    again = preview.new_connection(surgery.engine, other, "gentu")
    with pytest.raises(PairingRefused):
        preview.pair(surgery.engine, other, again.id, code)
    (id_,) = surgery.books()
    surgery.sync(DAY)
    tenant = surgery.connection().tenant_id
    surgery.sandbox.control(f"tenants/{tenant}", access="disabled")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.FAILED, "forbidden")
    assert surgery.connection().state == "needs_attention"
    assert surgery.shown(DAY) == {id_}
    surgery.sandbox.control(f"tenants/{tenant}", access="enabled")
    with surgery.store.write() as session:
        found = connections.get(session, surgery.connection_id)
        connections.resume(session, found, practices.get(session, surgery.practice_id), clock.now())
    assert surgery.sync(DAY).state is RunState.SUCCESS


def test_an_app_that_magentus_has_not_set_up_is_told_from_an_outage(surgery: Surgery) -> None:
    surgery.sandbox.break_("unprovisioned")
    surgery.sandbox.control("traffic/reset")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.FAILED, "not_provisioned")
    assert len(surgery.sandbox.state(log=100)["log"]) == 1, "not asked again and again"
    assert surgery.connection().state == "needs_attention"
