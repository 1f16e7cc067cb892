"""The appointment list: parameters, windows, cursors, side-loads (pms/gentu.md §2.4, §5)."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from .client import WHOLE_DAY, Client
from .process import RunningSandbox

NINE = "2026-03-09T09:00:00+11:00"


@pytest.fixture
def twelve(sandbox: RunningSandbox) -> list[str]:
    """Twelve visits from nine, five minutes apart; their ids in order."""
    return sandbox.control("appointments", starts_at=NINE, count=12, type="Video Follow-up")["ids"]


@pytest.mark.parametrize("missing", ["fromDate", "toDate", "practitionerId", "limit"])
def test_a_required_parameter_left_out_answers_400(gentu: Client, missing: str) -> None:
    response = gentu.page(**{missing: None})
    assert response.status_code == 400
    assert missing in response.json()["message"]


@pytest.mark.parametrize("limit", ["4", "101", "0", "-5", "ten", "5.5"])
def test_a_limit_out_of_range_answers_400(gentu: Client, limit: str) -> None:
    assert gentu.page(limit=limit).status_code == 400


@pytest.mark.parametrize("limit", [5, 100])
def test_the_ends_of_the_range_are_in_it(gentu: Client, limit: int) -> None:
    assert gentu.page(limit=limit).json()["pagination"] == {"next": None, "limit": limit}


@pytest.mark.parametrize("text", ["2026-03-09", "2026-03-09T00:00:00", "yesterday", "2026-13-09T00:00:00.000+11:00"])
def test_a_date_without_an_offset_answers_400(gentu: Client, text: str) -> None:
    assert gentu.page(fromDate=text).status_code == 400


def test_a_window_the_wrong_way_round_answers_400(gentu: Client) -> None:
    assert gentu.page(fromDate=WHOLE_DAY["toDate"], toDate=WHOLE_DAY["fromDate"]).status_code == 400


def test_a_raw_plus_sign_is_a_space_and_refused(gentu: Client, sandbox: RunningSandbox) -> None:
    query = "&".join(f"{name}={value}" for name, value in WHOLE_DAY.items())
    who = gentu.practitioners()[0]["id"]
    response = gentu.get(f"T/appointments?{query}&practitionerId={who}&limit=50")
    assert response.status_code == 400
    assert "percent-encode" in response.json()["message"]
    assert sandbox.state()["raw_plus_dates"] == 1
    encoded = query.replace("+", "%2B")
    assert gentu.get(f"T/appointments?{encoded}&practitionerId={who}&limit=50").status_code == 200


def test_a_z_date_is_taken_and_counted(gentu: Client, sandbox: RunningSandbox) -> None:
    assert gentu.page().status_code == 200
    assert sandbox.state()["z_dates"] == 0
    assert gentu.page(fromDate="2026-03-08T13:00:00.000Z").status_code == 200
    assert sandbox.state()["z_dates"] == 1


def test_both_ends_of_the_window_are_included(gentu: Client, sandbox: RunningSandbox, twelve: list[str]) -> None:
    at_nine = "2026-03-09T09:00:00.000+11:00"
    assert [row["id"] for row in gentu.page(fromDate=at_nine, toDate=at_nine).json()["appointments"]] == twelve[:1]
    later = gentu.page(fromDate="2026-03-09T09:00:00.001+11:00", toDate="2026-03-09T09:10:00.000+11:00").json()
    assert [row["id"] for row in later["appointments"]] == twelve[1:3]


def test_rows_come_by_start_and_only_of_that_practitioner(gentu: Client, sandbox: RunningSandbox) -> None:
    smith, jones = (person["id"] for person in gentu.practitioners())
    late = sandbox.control("appointments", starts_at="2026-03-09T15:00:00+11:00", practitioner_id=smith)["id"]
    early = sandbox.control("appointments", starts_at="2026-03-09T08:00:00+11:00", practitioner_id=smith)["id"]
    other = sandbox.control("appointments", starts_at=NINE, practitioner_id=jones)["id"]
    assert [row["id"] for row in gentu.page(smith).json()["appointments"]] == [early, late]
    assert [row["id"] for row in gentu.page(jones).json()["appointments"]] == [other]
    assert gentu.page(str(uuid4())).json()["appointments"] == []
    assert gentu.page("not-a-uuid").status_code == 400


def test_a_row_has_the_vendors_members(gentu: Client, sandbox: RunningSandbox) -> None:
    made = sandbox.control("appointments", starts_at=NINE, type="Video Follow-up", comment="Prefers captions on")
    (row,) = gentu.page().json()["appointments"]
    assert row == made["appointment"]
    assert row["startAt"] == "2026-03-09T09:00:00.000+11:00"
    assert row["endAt"] == "2026-03-09T09:15:00.000+11:00"
    assert (row["status"], row["minutesDuration"], row["comment"]) == ("none", 15, "Prefers captions on")
    assert [part["referenceType"] for part in row["participant"]] == ["patient", "provider"]
    assert row["appointmentType"]["reference"] == gentu.get("T/appointment-types").json()[1]["id"]
    assert row["extension"] == []
    assert gentu.get(f"T/appointments/{row['id']}").json() == row
    assert gentu.get(f"T/appointments/{uuid4()}").status_code == 404


def test_times_carry_the_offset_of_their_own_date(gentu: Client, sandbox: RunningSandbox) -> None:
    """Melbourne leaves daylight saving on 2026-04-05 at three in the morning."""
    sandbox.control("appointments", day="2026-04-05", time="01:30")
    sandbox.control("appointments", day="2026-04-05", time="09:00")
    rows = gentu.page(fromDate="2026-04-05T00:00:00.000+11:00", toDate="2026-04-05T23:59:59.999+10:00").json()
    assert [row["startAt"] for row in rows["appointments"]] == [
        "2026-04-05T01:30:00.000+11:00",
        "2026-04-05T09:00:00.000+10:00",
    ]


class TestPaging:
    def test_pages_join_up(self, gentu: Client, twelve: list[str]) -> None:
        pages, cursor = [], None
        while True:
            body = gentu.page(limit=5, cursor=cursor).json()
            pages.append([row["id"] for row in body["appointments"]])
            cursor = body["pagination"]["next"]
            if cursor is None:
                break
            assert UUID(cursor).version == 4
        assert pages == [twelve[:5], twelve[5:10], twelve[10:]]

    def test_a_last_page_that_is_just_full_names_no_next(self, gentu: Client, sandbox: RunningSandbox) -> None:
        sandbox.control("appointments", starts_at=NINE, count=5)
        assert gentu.page(limit=5).json()["pagination"]["next"] is None

    def test_a_cursor_works_once(self, gentu: Client, twelve: list[str]) -> None:
        cursor = gentu.page(limit=5).json()["pagination"]["next"]
        assert gentu.page(limit=5, cursor=cursor).status_code == 200
        assert gentu.page(limit=5, cursor=cursor).status_code == 400

    def test_a_cursor_can_be_allowed_more_often(
        self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]
    ) -> None:
        sandbox.control("knobs", cursor_uses=0)
        cursor = gentu.page(limit=5).json()["pagination"]["next"]
        assert [gentu.page(limit=5, cursor=cursor).status_code for _ in range(3)] == [200] * 3

    @pytest.mark.parametrize(
        "other",
        [{"limit": 6}, {"toDate": "2026-03-09T22:00:00.000+11:00"}, {"include": "patients"}],
        ids=["limit", "window", "include"],
    )
    def test_a_cursor_belongs_to_its_query(self, gentu: Client, twelve: list[str], other: dict[str, object]) -> None:
        cursor = gentu.page(limit=5).json()["pagination"]["next"]
        assert gentu.page(**{"limit": 5, "cursor": cursor, **other}).status_code == 400
        assert gentu.page(limit=5, cursor=cursor).status_code == 200

    def test_a_cursor_belongs_to_its_practitioner(self, gentu: Client, twelve: list[str]) -> None:
        cursor = gentu.page(limit=5).json()["pagination"]["next"]
        assert gentu.page(gentu.practitioners()[1]["id"], limit=5, cursor=cursor).status_code == 400

    @pytest.mark.parametrize("cursor", ["nonsense", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
    def test_a_cursor_nobody_gave_answers_400(self, gentu: Client, cursor: str) -> None:
        assert gentu.page(cursor=cursor).status_code == 400

    def test_a_row_booked_behind_the_cursor_is_met(
        self, gentu: Client, sandbox: RunningSandbox, twelve: list[str]
    ) -> None:
        cursor = gentu.page(limit=5).json()["pagination"]["next"]
        late = sandbox.control("appointments", starts_at="2026-03-09T17:00:00+11:00")["id"]
        rest = gentu.page(limit=5, cursor=cursor).json()
        last = gentu.page(limit=5, cursor=rest["pagination"]["next"]).json()
        assert [row["id"] for row in last["appointments"]] == [*twelve[10:], late]


class TestIncludes:
    def test_nothing_is_side_loaded_unless_asked(self, gentu: Client, twelve: list[str]) -> None:
        assert gentu.page().json().keys() == {"appointments", "pagination"}

    def test_what_is_asked_for_is_side_loaded(self, gentu: Client, twelve: list[str]) -> None:
        body = gentu.page(include="patients,practitioners,referrals").json()
        named = {part["referenceId"] for row in body["appointments"] for part in row["participant"]}
        assert {row["id"] for row in body["patients"]} | {row["id"] for row in body["practitioners"]} == named
        assert body["referrals"] == []
        person = body["patients"][0]
        assert gentu.get(f"T/patients/{person['id']}").json() == person

    def test_only_this_pages_people_come(self, gentu: Client, sandbox: RunningSandbox) -> None:
        for number in range(6):
            person = {"family": f"Fennick{number}"}
            sandbox.control("appointments", starts_at=f"2026-03-09T09:0{number}:00+11:00", patient=person)
        first = gentu.page(limit=5, include="patients").json()
        second = gentu.page(limit=5, include="patients", cursor=first["pagination"]["next"]).json()
        assert [row["name"]["family"] for row in first["patients"]] == [f"Fennick{number}" for number in range(5)]
        assert [row["name"]["family"] for row in second["patients"]] == ["Fennick5"]

    def test_an_unknown_include_answers_400(self, gentu: Client) -> None:
        assert gentu.page(include="patients,horoscopes").status_code == 400
