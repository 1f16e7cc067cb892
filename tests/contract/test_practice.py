"""Being let in, and who and what a practice consists of."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from app.errors import InvalidInput
from app.pms.errors import PmsError
from app.pms.offers import NotOffered
from tests.contract.meeting import Meeting, at

#: More than this on one refusal is no asking any more, it is knocking (F12).
_FEW = 4


def test_the_credentials_open_it_and_it_says_that_it_answers(meeting: Meeting) -> None:
    adapter = meeting.open()
    adapter.authenticate()
    assert adapter.validate_connection() is True
    health = adapter.health_check()
    assert (health.healthy, health.reason) == (True, None)
    assert health.message.endswith(".")
    adapter.refresh_token()
    assert adapter.validate_connection() is True


def test_a_wrong_secret_is_told_and_not_insisted_on(meeting: Meeting) -> None:
    secrets = [one.name for one in meeting.cls.credentials if one.secret and meeting.clinic.credentials.get(one.name)]
    if not secrets:
        pytest.skip("Nothing secret is typed.")
    for name in secrets:
        right = meeting.clinic.credentials[name]
        wrong = "".join("Zz"[letter == "Z"] if letter.isalpha() else letter for letter in right)
        meeting.stores.rows.clear()
        before = len(meeting.clinic.asked())
        try:
            adapter = meeting.open({**meeting.clinic.credentials, name: wrong})
            assert adapter.validate_connection() is False
            assert adapter.health_check().healthy is False
        except PmsError as error:
            assert wrong not in str(error)
        assert len(meeting.clinic.asked()) - before <= _FEW


def test_an_outage_is_no_health(meeting: Meeting) -> None:
    meeting.needs(meeting.case.list_path, "It is not asked over HTTP.")
    adapter = meeting.open()
    meeting.clinic.fault("status", status=503)
    health = adapter.health_check()
    assert health.healthy is False
    assert health.reason
    assert health.message


def test_a_code_is_for_those_who_offer_one(meeting: Meeting) -> None:
    if meeting.cls.pairing is None:
        with pytest.raises((NotOffered, InvalidInput)):
            meeting.open().pair("ABCD1234")
        assert meeting.clinic.asked() == []


def test_the_practice_is_who_it_was(meeting: Meeting) -> None:
    one, other = meeting.open().identity(), meeting.open().identity()
    assert one == other
    assert one.external_id == meeting.practice
    assert one.timezone is None or ZoneInfo(one.timezone)


def test_everybody_who_works_there_is_listed_and_who_left_does_not(meeting: Meeting) -> None:
    here = {one["id"]: one["active"] for one in meeting.clinic.state()["practitioners"]}
    told = {one.external_id: one for one in meeting.open().practitioners()}
    assert {id_ for id_, one in told.items() if one.works_here} == {id_ for id_, active in here.items() if active}
    assert told.keys() <= here.keys()
    assert all(one.readable and one.full_name.strip() for one in told.values())
    assert len({one.full_name for one in told.values()}) == len(told)


def test_what_can_be_booked_is_listed_by_name(meeting: Meeting) -> None:
    meeting.has("types")
    told = {one.external_id: one.name for one in meeting.open().appointment_types()}
    here = {one["id"]: one["name"] for one in meeting.clinic.state()["types"]}
    assert told == here


def test_a_patient_is_asked_for_by_id(meeting: Meeting) -> None:
    meeting.has("patients by id")
    someone = meeting.clinic.state()["patients"][-1]
    visit = meeting.clinic.book(at("10:00"), patient_id=someone)
    shown = meeting.the_row(visit).patient
    assert shown is not None
    asked = meeting.open().patient(someone)
    assert (asked.external_id, asked.full_name) == (someone, shown.full_name)
    for name in ("birth_date", "species", "phone", "email"):  # a list may say less of somebody than their own record
        assert getattr(shown, name) in (None, getattr(asked, name)), name


def test_an_id_that_would_leave_its_place_in_the_address_finds_nobody(meeting: Meeting) -> None:
    meeting.looks_up()
    visit = meeting.clinic.book(at("10:00"))
    adapter = meeting.open()
    for odd in ("", "..", f"{visit}/../{visit}", f"../{visit}", f"{visit}?x=1", f"{visit}#"):
        with pytest.raises((PmsError, InvalidInput)):
            adapter.appointment(odd)
