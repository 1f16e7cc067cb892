"""The simulated MediRecords against what is known of the real one (pms/medirecords.md). A bare HTTP client asks."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S02")

NOON = "2026-03-09T12:00:00+11:00"
DAY = {"appointmentDateRangeStart": "2026-03-09T00:00", "appointmentDateRangeEnd": "2026-03-09T23:59"}


class Caller:
    """`caller.get("P/appointments", size=100)`: P stands for the practice."""

    def __init__(self, clinic: StagedClinic) -> None:
        self.clinic = clinic
        self.practice = clinic.credentials["practice_id"]
        self.token = clinic.credentials["access_token"]

    def get(self, path: str, **query: Any) -> requests.Response:
        url = f"{self.clinic.url}/v1/{path.replace('P', f'practices/{self.practice}', 1)}"
        return requests.get(url, params=query, headers={"Authorization": f"Bearer {self.token}"}, timeout=20)

    def rows(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])


@pytest.fixture
def clinic(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "medirecords").fresh(NOON)


@pytest.fixture
def caller(clinic: StagedClinic) -> Caller:
    return Caller(clinic)


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


def told(answer: requests.Response) -> str:
    return str(answer.json()["errors"][0]["message"])


def test_the_token_opens_its_own_practice_and_no_other(clinic: StagedClinic, caller: Caller) -> None:
    assert caller.get("P").json() == {"id": caller.practice, "practiceName": "Saltbush Lane Medical"}
    caller.practice = caller.practice.replace("6", "7")
    refused = caller.get("P")
    assert (refused.status_code, told(refused)) == (403, "Invalid token does not contain resource ID")
    caller.token = "another"
    assert (caller.get("P").status_code, told(caller.get("P"))) == (401, "Invalid token")
    without = requests.get(f"{clinic.url}/v1/practices/{caller.practice}", timeout=20)
    assert without.status_code == 401


def test_a_token_can_be_made_too_and_ends(clinic: StagedClinic, caller: Caller) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "medirecords-demo-client",
        "client_secret": "medirecords-demo-secret-0000000000",
    }
    caller.token = requests.post(f"{clinic.url}/oauth/token", data=form, timeout=20).json()["access_token"]
    assert caller.get("P").status_code == 200
    clinic.end_tokens()
    assert caller.get("P").status_code == 401
    wrong = requests.post(f"{clinic.url}/oauth/token", data={**form, "client_secret": "x"}, timeout=20)
    assert wrong.status_code == 401


def test_pages_are_counted_from_nothing_and_are_of_twenty(clinic: StagedClinic, caller: Caller) -> None:
    clinic.control("book", at=at("08:00"), count=45)
    body = caller.get("P/appointments", **DAY).json()
    counted = {name: value for name, value in body.items() if name != "data"}
    assert counted == {
        "first": True, "last": False, "totalPages": 3, "totalElements": 45, "numberOfElements": 20, "size": 20,
        "page": 0,
    }  # fmt: skip
    last = caller.get("P/appointments", page=2, **DAY).json()
    assert (len(last["data"]), last["last"]) == (5, True)
    assert caller.rows("P/appointments", page=9, **DAY) == []


@pytest.mark.parametrize(
    "query",
    [
        {"appointmentDateRangeStart": "2026-03-09"},
        {"appointmentDateRangeStart": "2026-03-09T00:00:00+11:00"},
        {"appointmentStatus": 1},
        {"updatedSince": "2026-03-09"},
        {"page": -1},
    ],
)
def test_what_cannot_be_asked_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    answer = caller.get("P/appointments", **query)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (400, next(iter(query)))


def test_a_range_is_of_wall_times_both_ends_included(clinic: StagedClinic, caller: Caller) -> None:
    wanted = {clinic.book(at("00:00")), clinic.book(at("23:59"))}
    clinic.book(at("23:59", 8))
    clinic.book(at("00:00", 10))
    rows = caller.rows("P/appointments", **DAY)
    assert {row["id"] for row in rows} == wanted
    assert {row["scheduleTime"] for row in rows} == {"2026-03-09T00:00", "2026-03-09T23:59"}
    clinic.control("knobs", inclusive=False)
    assert caller.rows("P/appointments", **DAY) == []


def test_a_row_holds_ids_and_numbers_and_links_of_two_kinds(clinic: StagedClinic, caller: Caller) -> None:
    id_ = clinic.book(at("10:00"), state="arrived", minutes=25)
    (row,) = caller.rows("P/appointments", **DAY)
    assert (row["id"], row["appointmentStatus"], row["appointmentIntervalCode"]) == (id_, 4, 315891005)
    assert not {"patientName", "duration", "end"} & row.keys()
    assert row["telehealthLinkForProvider"] != row["telehealthLinkForPatient"]
    assert row["updatedDateTime"].endswith("+0000")
    codes = {one["code"]: one["description"] for one in caller.get("code-system/appointment-Interval-Code").json()}
    assert (codes[315891005], codes[315891012], codes[315891018]) == ("25 mins", "1 hr", "1 hr 30 mins")
    assert caller.get("code-system/appointment-interval-code").status_code == 404


def test_cancelled_stays_deleted_goes_and_a_block_was_never_there(clinic: StagedClinic, caller: Caller) -> None:
    off, gone, missed = (clinic.book(at(time)) for time in ("09:00", "10:00", "11:00"))
    clinic.book(at("12:00"), block=True)
    clinic.cancel(off)
    clinic.delete(gone)
    clinic.change(missed, state="no_show")
    assert {row["id"]: row["appointmentStatus"] for row in caller.rows("P/appointments", **DAY)} == {off: 8, missed: 8}
    assert caller.get(f"P/appointments/{gone}").status_code == 404
    assert {row["id"] for row in caller.rows("P/appointments", appointmentStatus=8, **DAY)} == {off, missed}


def test_patients_are_told_one_by_one_or_searched_for(clinic: StagedClinic, caller: Caller) -> None:
    one, two, three = clinic.state()["patients"][:3]
    assert caller.get(f"patients/{one}").json()["dob"] == "1941-03-09"
    assert {row["id"] for row in caller.rows("patients/search", q=f"id=={one},id=={three}")} == {one, three}
    family = caller.get(f"patients/{two}").json()["lastName"]
    found = caller.rows("patients/search", q=f"id=={one},id=={two};lastName=={family}")
    assert {row["id"] for row in found} == {one, two}
    assert caller.get("patients/search", q="id=~x").status_code == 400
    assert caller.get("patients/nobody").status_code == 404


def test_who_left_is_listed_and_can_be_left_out(caller: Caller) -> None:
    assert [row["status"] for row in caller.rows("P/providers")] == ["Active"] * 3 + ["Inactive"]
    assert len(caller.rows("P/providers", status="Active")) == 3
    assert [row["duration"] for row in caller.rows("P/appointment-types")] == [
        "40 mins",
        "20 mins",
        "30 mins",
        "20 mins",
    ]


def test_writing_is_not_simulated(clinic: StagedClinic, caller: Caller) -> None:
    url = f"{clinic.url}/v1/practices/{caller.practice}/appointments"
    headers = {"Authorization": f"Bearer {caller.token}"}
    assert requests.post(url, json={}, headers=headers, timeout=20).status_code == 405


def test_a_day_moves_with_the_clock(demo: RunningSandbox) -> None:
    clinic = StagedClinic(demo, "medirecords").fresh(NOON)
    before = {row["id"]: row["appointmentStatus"] for row in Caller(clinic).rows("P/appointments", size=100, **DAY)}
    assert len(before) == 24
    clinic.sandbox.control("clock", at="2026-03-10T12:00:00+11:00")
    after = {row["id"]: row["appointmentStatus"] for row in Caller(clinic).rows("P/appointments", size=100, **DAY)}
    assert (after.keys(), set(after.values())) == (before.keys(), {7, 8})
