"""The simulated IntakeQ against what its help articles say (pms/intakeq.md). A bare HTTP client asks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.intakeq import Account
from tests.sandbox.process import RunningSandbox, running_sandbox

pytestmark = pytest.mark.feature("S09")

NOON = "2026-03-09T12:00:00+11:00"
DAY = {"startDate": "2026-03-09", "endDate": "2026-03-09"}


@pytest.fixture
def account(sandbox: RunningSandbox) -> Account:
    """An account with an empty book, at noon."""
    return Account(sandbox).fresh(NOON)


@pytest.fixture
def busy(demo: RunningSandbox) -> Account:
    """The invented clinic, at noon."""
    return Account(demo).fresh(NOON)


def ids(answer: Any) -> list[str]:
    return [row["Id"] for row in answer.json()]


def instant(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "another", ""])
def test_without_the_key_nothing_is_told(account: Account, key: str | None) -> None:
    refused = account.get("/appointments/settings", key=key)
    assert (refused.status_code, list(refused.json())) == (401, ["Message"])


@pytest.mark.parametrize("path", ["/nothing", "/clients/4101", "/appointments/x/video"])
def test_a_wrong_address_answers_a_web_page(account: Account, path: str) -> None:
    answer = account.get(path)
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (404, "text/html")
    assert answer.text.startswith("<!doctype html>")


def test_an_unknown_id_answers_json(account: Account) -> None:
    for path in ("/appointments/66aa00bb11cc22dd33ee44ff", "/clients/profile/1"):
        answer = account.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")


@pytest.mark.parametrize(
    "query",
    [{"startDate": "09/03/2026"}, {"startDate": "20260309"}, {"page": "0"}, {"status": "Cancelled"}, {"from": "x"}],
)
def test_a_query_it_does_not_know_is_refused(account: Account, query: dict[str, str]) -> None:
    assert account.get("/appointments", **query).status_code == 400


def test_ten_calls_a_minute_and_five_hundred_a_day_are_let_in(account: Account) -> None:
    account.control("reset")
    statuses = [account.get("/practitioners").status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    account.control("reset")
    account.control("knobs", per_minute=1000, per_day=3)
    statuses = [account.get("/practitioners").status_code for _ in range(4)]
    assert statuses == [200] * 3 + [429]
    assert (account.state()["knobs"]["per_minute"], account.control("reset")) == (1000, {"reset": True})
    assert {name: account.state()["knobs"][name] for name in ("per_minute", "per_day")} == {
        "per_minute": 10,
        "per_day": 500,
    }


def test_a_429_names_a_time_only_where_it_was_told_to(account: Account) -> None:
    account.control("knobs", per_minute=1)
    account.get("/practitioners")
    assert "Retry-After" not in account.get("/practitioners").headers
    account.control("knobs", retry_after=True)
    assert 0 < int(account.get("/practitioners").headers["Retry-After"]) <= 60


# --- appointments -----------------------------------------------------------------------------------------------------


def test_an_appointment_tells_its_time_three_times(account: Account) -> None:
    row = account.book("2026-03-09T10:30:00+11:00", minutes=50)
    assert instant(row["StartDate"]) == datetime(2026, 3, 8, 23, 30, tzinfo=UTC)
    assert row["EndDate"] - row["StartDate"] == 50 * 60_000
    assert row["StartDateIso"] == "2026-03-08T23:30:00.0000000Z"
    assert row["StartDateLocal"] == "2026-03-09T10:30:00.0000000+11:00"
    assert account.get(f"/appointments/{row['Id']}").json() == row


def test_pages_hold_a_hundred_newest_first_and_the_last_is_not_full(account: Account) -> None:
    account.control("book", at="2026-03-09T08:00:00+11:00", count=230)
    pages = [account.get("/appointments", **DAY, page=number).json() for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [100, 100, 30, 0]
    starts = [row["StartDate"] for page in pages for row in page]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) == 230


def test_dates_are_the_accounts_own_and_their_ends_may_or_may_not_count(account: Account) -> None:
    late = account.book("2026-03-08T23:59:00+11:00")["Id"]
    early = account.book("2026-03-09T00:00:00+11:00")["Id"]
    assert ids(account.get("/appointments", **DAY)) == [early]
    assert ids(account.get("/appointments", startDate="2026-03-08", endDate="2026-03-08")) == [late]
    account.control("knobs", inclusive=False)
    assert ids(account.get("/appointments", **DAY)) == []
    assert ids(account.get("/appointments", startDate="2026-03-08", endDate="2026-03-10")) == [early]


def test_cancelled_ones_stay_and_deleted_ones_show_for_ten_days_only(account: Account) -> None:
    gone, off = account.book(NOON)["Id"], account.book("2026-03-09T13:00:00+11:00")["Id"]
    account.control("cancel", id=off, reason="Ill")
    account.control("delete", id=gone)
    (row,) = account.get("/appointments", **DAY).json()
    assert (row["Id"], row["Status"], row["FullCancellationReason"]) == (off, "Canceled", "Ill")
    assert account.get(f"/appointments/{gone}").status_code == 404
    assert ids(account.get("/appointments", deletedOnly="true")) == [gone]
    account.sandbox.control("clock", at="2026-03-19T11:59:00+11:00")
    assert ids(account.get("/appointments", deletedOnly="true")) == [gone]
    account.sandbox.control("clock", at="2026-03-19T12:01:00+11:00")
    assert ids(account.get("/appointments", deletedOnly="true")) == []


def test_what_changed_since_is_told_by_whole_days(account: Account) -> None:
    row = account.book("2026-03-20T09:00:00+11:00")
    account.sandbox.control("clock", at="2026-03-11T09:00:00+11:00")
    assert ids(account.get("/appointments", updatedSince="2026-03-10")) == []
    account.control("change", id=row["Id"], at="2026-03-21T09:00:00+11:00")
    assert ids(account.get("/appointments", updatedSince="2026-03-11")) == [row["Id"]]


def test_a_list_can_be_narrowed_by_status_practitioner_and_client(account: Account) -> None:
    people = account.state()["practitioners"]
    one = account.book(NOON, client_id=4101)
    account.book(NOON, client_id=4110, practitioner_id=people[1]["Id"], status="Missed")
    assert ids(account.get("/appointments", status="Confirmed")) == [one["Id"]]
    assert ids(account.get("/appointments", practitionerEmail=people[0]["Email"])) == [one["Id"]]
    assert ids(account.get("/appointments", client="4101")) == [one["Id"]]
    assert ids(account.get("/appointments", client=one["ClientName"].upper())) == [one["Id"]]


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_birthday_is_a_text_in_one_place_and_milliseconds_in_the_other(account: Account) -> None:
    made = account.control("clients", first="Mara", last="Quill", born="1961-04-09", email="quill@example.com")[
        "client"
    ]
    row = account.book(NOON, client_id=made["ClientId"])
    assert (row["ClientDateOfBirth"], row["ClientName"]) == ("1961-04-09", "Mara Quill")
    profile = account.get(f"/clients/profile/{made['ClientId']}").json()
    assert profile["DateOfBirth"] < 0
    assert instant(profile["DateOfBirth"]) == datetime(1961, 4, 9, tzinfo=UTC)


def test_the_list_of_clients_calls_the_number_by_another_name(account: Account) -> None:
    (row,) = account.get("/clients", search="4101").json()
    assert sorted(row) == ["ClientNumber", "Email", "Name", "Phone"]
    (row,) = account.get("/clients", search="4101", includeProfile="true").json()
    assert row["ClientId"] == 4101


def test_families_share_an_address(account: Account) -> None:
    rows = account.get("/clients").json()
    emails = [row["Email"] for row in rows if row["Email"]]
    assert len(set(emails)) < len(emails)
    assert all(email.endswith("@example.com") for email in emails)


def test_who_left_is_listed_but_cannot_be_booked(account: Account) -> None:
    listed = account.get("/practitioners").json()
    bookable = account.get("/appointments/settings").json()["Practitioners"]
    assert {row["Id"] for row in listed if not row["IsInactive"]} == {row["Id"] for row in bookable}
    assert len(listed) == len(bookable) + 1


# --- the clinic day ---------------------------------------------------------------------------------------------------


def test_a_day_has_every_kind_of_visit(busy: Account) -> None:
    rows = busy.get("/appointments", **DAY).json()
    infos = [row["TelehealthInfo"] for row in rows]
    assert {info["Provider"] for info in infos if info} == {"IntakeQ", "Zoom"}
    assert any(row["TelehealthInfo"] is None and row["LocationName"] == "Telehealth" for row in rows)
    assert any(row["AdditionalClients"] for row in rows)
    assert any(row["LocationName"] == "Harbour Rooms" for row in rows)
    assert all(info["StartUrl"] not in info["Invitation"] for info in infos if info)


def test_the_day_moves_with_the_clock_and_says_when_a_row_changed(busy: Account) -> None:
    before = {row["Id"]: row for row in busy.get("/appointments", **DAY).json()}
    busy.sandbox.control("clock", at="2026-03-09T18:00:00+11:00")
    after = {row["Id"]: row for row in busy.get("/appointments", **DAY).json()}
    assert before.keys() == after.keys()
    changed = [id_ for id_ in before if before[id_] != after[id_]]
    assert changed
    assert all(after[id_]["LastModified"] > before[id_]["LastModified"] for id_ in changed)
    assert sum(row["SessionEnd"] is not None for row in after.values()) > sum(
        row["SessionEnd"] is not None for row in before.values()
    )


def test_an_edit_and_the_day_survive_a_restart(tmp_path: Path) -> None:
    def day(account: Account) -> list[dict[str, Any]]:
        return account.get("/appointments", **DAY).json()

    with running_sandbox("demo", home=tmp_path) as first:
        account = Account(first).fresh(NOON)
        moved, gone = (row["Id"] for row in day(account)[:2])
        account.control("change", id=moved, practitioner_note="moved")
        account.control("delete", id=gone)
        before = day(account)
    with running_sandbox("demo", home=tmp_path) as second:
        second.control("clock", at=NOON)
        assert day(Account(second)) == before
    assert gone not in {row["Id"] for row in before}


# --- breaking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_status_on_request_and_for_so_many_calls(account: Account, status: int) -> None:
    account.control("faults", kind="status", status=status, path="/practitioners", next=1, retry_after=7)
    assert account.get("/appointments/settings").status_code == 200
    broken = account.get("/practitioners")
    assert (broken.status_code, broken.headers["Retry-After"]) == (status, "7")
    assert account.get("/practitioners").status_code == 200


@pytest.mark.parametrize(
    ("kind", "begins"), [("html", b"<!doctype"), ("garbage", b'[{"Id"'), ("empty", b""), ("object", b'{"Message"')]
)
def test_answers_that_are_none(account: Account, kind: str, begins: bytes) -> None:
    account.control("faults", kind=kind)
    answer = account.get("/appointments")
    assert (answer.status_code, answer.content[: len(begins)]) == (200, begins)
    account.control("faults/clear")
    assert account.get("/appointments").json() == []


def test_an_order_nobody_can_carry_out_is_refused(account: Account) -> None:
    for order in ({"kind": "nothing"}, {"kind": "html", "colour": "red"}):
        assert (
            account.sandbox._session.post(
                f"{account.sandbox.control_url}intakeq/faults", json=order, timeout=10
            ).status_code
            == 422
        )
