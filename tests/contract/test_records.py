"""What one record says: how far a visit has come, who comes, and what becomes of a record nobody can read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsMalformed, PmsNotFound
from tests.contract.case import Poison
from tests.contract.meeting import DAY, ZONE, Meeting, at, instant, is_of, rejected


def test_every_state_has_its_status(meeting: Meeting) -> None:
    booked = {
        state: meeting.clinic.book(at(f"{9 + number:02}:00"), state=state)
        for number, state in enumerate(meeting.case.states)
    }
    found = meeting.rows()
    told = {
        state: next((row.status.value for id_, row in found.items() if is_of(id_, visit)), "not there")
        for state, visit in booked.items()
    }
    assert told == dict(meeting.case.states)


def test_a_visit_that_goes_on_is_told_as_it_goes(meeting: Meeting) -> None:
    visit = meeting.clinic.book(at("10:00"))
    adapter = meeting.open()
    for state in ("confirmed", "arrived", "in_progress", "completed"):
        meeting.clinic.change(visit, state=state)
        assert meeting.the_row(visit, adapter).status.value == meeting.case.states[state]


def test_a_word_nobody_knows_is_kept_and_never_read_as_booked(meeting: Meeting) -> None:
    word = meeting.needs(meeting.case.unknown_word, "Its status is no word.")
    visit = meeting.clinic.book(at("10:00"))
    meeting.clinic.change(visit, word=word)
    row = meeting.the_row(visit)
    assert (row.status, row.raw_status) == (Status.UNKNOWN, word)
    explained = meeting.the_row(visit, meeting.open(words={word: "arrived"}))
    assert (explained.status, explained.raw_status) == (Status.ARRIVED, word)
    assert meeting.the_row(visit, meeting.open(words={word: "nonsense"})).status is Status.UNKNOWN


def test_a_booking_is_who_when_with_whom_and_for_how_long(meeting: Meeting) -> None:
    someone = meeting.clinic.state()["patients"][-1]
    doctor = meeting.staff[-1]
    visit = meeting.clinic.book(at("10:30"), patient_id=someone, practitioner_ids=[doctor], minutes=25)
    row = meeting.the_row(visit)
    assert [one.external_id for one in row.patients] == [someone]
    assert row.patients[0].full_name.strip()
    assert row.practitioner_id == doctor
    assert row.practitioner_name in {one.full_name for one in meeting.open().practitioners()}
    assert (row.starts_at, row.minutes) == (instant(at("10:30")), 25)
    assert row.ends_at == row.starts_at + timedelta(minutes=25)
    assert row.time_doubt is None or "instants" in meeting.case.lacks
    if "types" not in meeting.case.lacks:
        names = {one["id"]: one["name"] for one in meeting.clinic.state()["types"]}
        assert row.type_name == names[row.type_id]


def test_asked_for_by_id_it_is_the_same(meeting: Meeting) -> None:
    meeting.looks_up()
    visit = meeting.clinic.book(at("10:30"))
    row = meeting.the_row(visit)
    assert meeting.open().appointment(row.external_id) == row


def test_a_block_of_time_is_nobodys_visit(meeting: Meeting) -> None:
    meeting.has("blocks")
    block, visit = meeting.clinic.book(at("12:00"), block=True), meeting.clinic.book(at("13:00"))
    found = meeting.rows()
    assert all(row.is_block and row.patients == () for id_, row in found.items() if is_of(id_, block))
    assert not meeting.the_row(visit).is_block


def test_a_group_comes_whole(meeting: Meeting) -> None:
    meeting.has("groups")
    one, *_, other = meeting.clinic.state()["patients"]
    visit = meeting.clinic.book(at("10:00"), patient_id=one, also=[other])
    rows = [row for id_, row in meeting.rows().items() if is_of(id_, visit)]
    assert [who.external_id for row in rows for who in row.patients] == [one, other]
    assert len(rows) == (2 if meeting.cls.capabilities.per_patient_status else 1)
    if meeting.cls.capabilities.per_patient_status:
        assert {row.external_id for row in rows} == {f"{visit}/{one}", f"{visit}/{other}"}


def test_a_joint_visit_is_one_row_that_names_everybody(meeting: Meeting) -> None:
    meeting.has("joint visits")
    first, second, *_ = meeting.staff
    visit = meeting.clinic.book(at("10:00"), practitioner_ids=[first, second])
    rows = {row.external_id: row for page in meeting.pages() for row in page.appointments}
    (row,) = (row for id_, row in rows.items() if is_of(id_, visit))
    assert {row.practitioner_id, *row.other_practitioner_ids} == {first, second}
    assert row.practitioner_id not in row.other_practitioner_ids


def test_nobody_guesses_how_long_an_open_ended_visit_takes(meeting: Meeting) -> None:
    poison: Poison = meeting.needs(meeting.case.no_end, "Every record of this vendor says when it ends.")
    visit = meeting.clinic.book(at("10:00"))
    meeting.clinic.raw(visit, drop=poison.drop, **poison.fields)
    row = meeting.the_row(visit)
    assert (row.ends_at, row.minutes) == (None, None)


def test_called_off_is_not_gone(meeting: Meeting) -> None:
    visit = meeting.clinic.book(at("10:00"))
    meeting.clinic.cancel(visit, reason="Cannot make it")
    row = meeting.the_row(visit)
    assert row.status is Status.CANCELLED
    assert row.cancelled_at is None or row.cancelled_at.tzinfo is not None


def test_a_deleted_visit_is_not_booked_any_more(meeting: Meeting) -> None:
    meeting.has("deleted rows")
    kept, gone = meeting.clinic.book(at("09:00")), meeting.clinic.book(at("10:00"))
    there = meeting.the_row(gone).external_id
    meeting.clinic.delete(gone)
    found = meeting.rows()
    assert any(is_of(id_, kept) for id_ in found)
    assert all(row.status is Status.CANCELLED for id_, row in found.items() if is_of(id_, gone))
    if not meeting.case.lookup_by_id:
        assert meeting.cls.capabilities.lookup_by_id is False
        return
    assert meeting.cls.capabilities.lookup_by_id
    with pytest.raises(PmsNotFound):
        meeting.open().appointment(there)


def test_a_moved_visit_leaves_its_day_and_is_found_on_the_other(meeting: Meeting) -> None:
    meeting.has("moves")
    visit = meeting.clinic.book(at("10:00"))
    row = meeting.the_row(visit)
    meeting.clinic.change(visit, at=at("15:00", 11))
    assert meeting.rows() == {}
    moved = meeting.the_row(visit, window=Window(DAY + timedelta(days=2), DAY + timedelta(days=2), ZONE))
    assert (moved.external_id, moved.starts_at) == (row.external_id, instant(at("15:00", 11)))
    if meeting.cls.capabilities.lookup_by_id:
        assert meeting.open().appointment(row.external_id) == moved


def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_come(meeting: Meeting) -> None:
    for poison in meeting.case.poisons:
        meeting.clinic.fresh("2026-03-09T12:00:00+11:00")
        before, bad, after = (meeting.clinic.book(at(f"{10 + hour}:00")) for hour in range(3))
        meeting.clinic.raw(bad, drop=poison.drop, **poison.fields)
        adapter = meeting.open()
        pages = meeting.pages(adapter)
        found = [row.external_id for page in pages for row in page.appointments]
        assert [any(is_of(id_, visit) for id_ in found) for visit in (before, bad, after)] == [True, False, True]
        (refused,) = rejected(pages)
        assert refused.path.endswith(poison.path), (refused.path, poison.path)
        assert refused.external_id is None or is_of(refused.external_id, bad)
        assert refused.reason
        assert refused.payload
        for value in poison.fields.values():
            assert not isinstance(value, str) or value not in refused.path + refused.reason
        assert sum(page.received for page in pages) == 3
        if meeting.cls.capabilities.lookup_by_id and refused.external_id:
            with pytest.raises(PmsMalformed) as raised:
                adapter.appointment(refused.external_id)
            assert raised.value.path.endswith(poison.path)


def test_members_nobody_knows_change_nothing(meeting: Meeting) -> None:
    visit = meeting.clinic.book(at("10:00"))
    row = meeting.the_row(visit)
    meeting.clinic.raw(visit, somethingNew={"nested": [1, None, "two"]})
    assert meeting.the_row(visit) == row


def test_a_guests_link_is_shown_and_a_hosts_never(busy: Meeting) -> None:
    truth = busy.clinic.truth(DAY.isoformat())
    found = busy.rows()
    hosts = [one["host_link"] for one in truth if one.get("host_link")]
    shown = [row.telehealth_url for row in found.values() if row.telehealth_url]
    assert bool(shown) == busy.cls.capabilities.telehealth_links
    for row in found.values():
        assert not any(link in repr(row) for link in hosts)
    for one in truth:
        for id_, row in found.items():
            if is_of(id_, one["id"]) and row.telehealth_url and one.get("link"):
                assert row.telehealth_url == one["link"]
